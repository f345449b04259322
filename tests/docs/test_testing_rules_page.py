"""The page about testing rules: the story with a query for progress goes as it says."""

from __future__ import annotations

import re
from pathlib import Path

from incidentd import config
from incidentd.rehearsal.telling import tell

PAGE = (Path(__file__).parents[2] / "docs" / "testing-rules.md").read_text(encoding="utf-8")
PEOPLE = "kind: people\npeople: {ben: {name: Ben}}\n"


async def test_the_story_of_a_query_for_progress_goes_as_the_page_says(tmp_path: Path) -> None:
    [block] = [it for it in re.findall(r"^```yaml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL) if "mail-queue" in it]
    (tmp_path / "incidentd.yaml").write_text(f"kind: config\n---\n{PEOPLE}---\n{block}")
    settings = config.load(tmp_path / "incidentd.yaml", env={})
    assert [(it.name, (await tell(it, settings)).failures) for it in settings.stories] == [
        ("a queue that gets shorter is waited for, and then no longer", ())
    ]

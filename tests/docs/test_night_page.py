"""The document and the postmortem's draft of a whole night are those that the engine leaves of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.docs import night_page


@pytest.mark.slow
async def test_the_pages_of_the_night_are_up_to_date(tmp_path: Path) -> None:
    for page, text in (await night_page.pages(tmp_path)).items():
        assert page.read_text() == text, "run `make docs`"

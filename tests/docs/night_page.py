"""Writes docs/examples: the document and the postmortem's draft that the story of a night leaves: `make docs`."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

from incidentd.rehearsal.doors import Post
from incidentd.store import views
from tests.engine.night import OfPost, files, night, tell
from tests.stores import sqlite_url

FOLDER = Path(__file__).parents[2] / "docs" / "examples"
PAGE, DRAFT = FOLDER / "incident.md", FOLDER / "postmortem.md"


async def pages(folder: Path) -> dict[Path, str]:
    """Let the story happen, with doors that lead nowhere, and give the pages that are left of it."""
    post = Post()
    async with night(sqlite_url(folder / "night.db"), files(folder / "files", {}), post, OfPost(post)) as told:
        await tell(told)
        draft = await told.world.store.read(views.postmortem, 1)
        return {PAGE: await told.document(), DRAFT: draft["markdown"]}


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        for page, text in asyncio.run(pages(Path(folder))).items():
            page.write_text(text)
            print(f"wrote {page}")

"""Publishing through the whole engine: a copy that stays, one announcement, files that are there whole or later."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import delete

from incidentd.engine import commands, lifecycle, publishing, shelving
from incidentd.errors import BadRequest, Conflict, TemporaryError
from incidentd.exports import POSTMORTEMS, Directory
from incidentd.incidents import Incident
from incidentd.library import Standing, asked
from incidentd.oncall import Channel, ChannelKind
from incidentd.redaction import Secret
from incidentd.settings import PostmortemSettings, Retention, Settings
from incidentd.store import Tx, graphs, library, published, retention, subjects
from incidentd.store.tables import postmortem
from incidentd.timeline import Actor
from tests.drafts import text_of
from tests.engine.world import Making, World, make_world, policy, roster
from tests.stores import sqlite_url

ANA = Actor(name="ana", via="api")
NEWS = Channel(name="news", kind=ChannelKind.CHAT, url=Secret("json://x"))
SETTINGS = Settings(
    roster=roster("ana", "ben"), escalations=policy("default", (0, "ana")), channels={"news": NEWS},
    external_url="https://incidentd.example.org",
)  # fmt: skip
TEXT = "# Mail is slow\n\n## Executive summary\n\nMail was an hour late for all, and is not any more.\n\n## More\n\nx\n"
GRAPH = "\n![Graph 1](https://incidentd.example.org/incidents/INC-1/graphs/1)\n"


class Disk:
    """A directory that sometimes cannot be written to."""

    def __init__(self, where: Path) -> None:
        self.door = Directory(where, POSTMORTEMS)
        self.where = where
        self.trouble = ""
        self.only_writing = False
        self.writes: list[list[str]] = []
        self.compared: list[str] = []
        self.dies_after = ""

    async def write(self, files: Mapping[str, str]) -> bool:
        if self.trouble:
            raise TemporaryError(self.trouble)
        self.writes.append(list(files))
        if self.dies_after in files:
            for name, text in files.items():
                await self.door.write({name: text})
                if name == self.dies_after:
                    raise TemporaryError("it died")
        return await self.door.write(files)

    async def names(self) -> frozenset[str]:
        if self.trouble and not self.only_writing:
            raise TemporaryError(self.trouble)
        return await self.door.names()

    async def differing(self, files: Mapping[str, str]) -> frozenset[str]:
        self.compared += list(files)
        return await self.door.differing(files)

    def files(self) -> list[str]:
        return sorted(path.name for path in self.where.iterdir())

    def text(self, name: str) -> str:
        return (self.where / name).read_text()


@pytest.fixture
def disk(tmp_path: Path) -> Disk:
    return Disk(tmp_path / "postmortems")


async def began(made: World, disk: Disk) -> World:
    made.doors.shelf = disk
    await made.engine.begin()
    await made.settle()
    return made


def publishing_to(disk: Disk) -> Settings:
    return replace(SETTINGS, postmortems=PostmortemSettings(publish=disk.where, announce=("news",)))


async def declare(w: World, title: str = "Mail is slow", **how: object) -> Incident:
    made = await w.do(commands.declare_incident, actor=ANA, title=title, severity="sev2", **how)
    return await w.store.read(subjects.get_incident, made.id)


async def publish(w: World, it: Incident, text: str = TEXT, version: int = 1) -> None:
    def unit(tx: Tx, settings: Settings) -> None:
        publishing.published(tx, settings, it, version, text, tx.now)

    await w.do(unit)
    await w.settle()


def told(w: World) -> list[tuple[str, str]]:
    return [(it.channel, it.title) for it in w.doors.notifier.sent if it.channel == "news"]  # type: ignore[attr-defined]


async def test_what_is_published_lies_in_the_directory_and_is_announced_once(world: Making, disk: Disk) -> None:
    w = await began(await world(publishing_to(disk)), disk)
    it = await declare(w)
    await publish(w, it)
    await publish(w, it)
    assert disk.files() == ["INC-1.v1.html", "INC-1.v1.md", "index.html", "index.md"]
    assert disk.text("INC-1.v1.md") == TEXT
    assert "<h1>Mail is slow</h1>" in disk.text("INC-1.v1.html")
    assert '<a href="INC-1.v1.html">INC-1 Mail is slow</a>' in disk.text("index.html")
    assert "[INC-1 Mail is slow](INC-1.v1.md)" in disk.text("index.md")
    assert told(w) == [("news", "Postmortem of INC-1: Mail is slow")]
    [sent] = [one for one in w.doors.notifier.sent if one.channel == "news"]  # type: ignore[attr-defined]
    assert "Mail was an hour late for all, and is not any more." in sent.body
    assert "https://incidentd.example.org/postmortems/published/INC-1" in sent.body


async def test_a_correction_is_a_version_after_it_and_what_is_published_stays(world: Making, disk: Disk) -> None:
    w = await began(await world(publishing_to(disk)), disk)
    it = await declare(w)
    await publish(w, it)
    with pytest.raises(Conflict, match="version 1 of the postmortem of INC-1 is published, and stays as it is"):
        await publish(w, it, TEXT + "more")
    await publish(w, it, TEXT.replace("an hour", "two hours"), version=3)
    with pytest.raises(Conflict, match="a correction is a version after it"):
        await publish(w, it, TEXT, version=2)
    assert disk.text("INC-1.v1.md") == TEXT
    assert "two hours" in disk.text("INC-1.v3.md")
    assert '<a href="INC-1.v3.html">' in disk.text("index.html")
    assert '<a href="INC-1.v1.html">version 1</a>' in disk.text("index.html")
    assert "[version 1](INC-1.v1.md)" in disk.text("index.md")
    assert [title for _, title in told(w)] == [
        "Postmortem of INC-1: Mail is slow", "Corrected postmortem of INC-1: Mail is slow",
    ]  # fmt: skip
    (found,) = await w.store.read(library.find, asked("hours late"), [Standing.PUBLISHED])
    assert found.version == 3
    assert [one.version for one in await w.store.read(published.copies, 1)] == [1, 3]


@pytest.mark.parametrize("text", ["", " \n", "x" * (publishing.LONGEST + 1)])
async def test_what_is_empty_or_far_too_long_is_not_published(world: Making, text: str) -> None:
    w = await world(SETTINGS)
    with pytest.raises(BadRequest, match="has 1 to 1,000,000 characters"):
        await publish(w, await declare(w), text)


@pytest.mark.slow
async def test_a_disk_that_is_full_is_told_of_once_and_written_to_when_it_can_be(world: Making, disk: Disk) -> None:
    w = await began(await world(publishing_to(disk)), disk)
    it = await declare(w)
    disk.trouble = "the directory cannot be written to (No space left on device); make room on its disk"
    await publish(w, it)
    await w.at(30)
    failed = [one for one in await w.story("INC-1") if "could not be written" in one]
    assert len(failed) == 1
    assert "make room on its disk" in failed[0]
    assert told(w), "who waits for it is told all the same: it is on the pages"
    disk.only_writing = True
    await w.at(60)
    disk.trouble = ""
    await w.at(120)
    assert "INC-1.v1.html" in disk.files()
    kinds = await w.kinds("INC-1")
    assert (kinds.count(publishing.FAILED), kinds.count(publishing.WORKS)) == (1, 1)
    assert w.metrics.postmortem_exports_total.labels(result="failed")._value.get() >= 2
    assert w.metrics.postmortem_exports_total.labels(result="written")._value.get() == 1


async def test_a_restart_writes_and_announces_what_was_not_and_nothing_twice(
    store_url: str, tmp_path: Path, disk: Disk
) -> None:
    w = await make_world(store_url, publishing_to(disk))
    it = await declare(w)
    await w.store.write(lambda tx: publishing.published(tx, w.settings, it, 1, TEXT, tx.now))
    await w.store.close()
    again = await began(await make_world(store_url, publishing_to(disk)), disk)
    await again.at(2)
    assert "INC-1.v1.html" in disk.files()
    assert told(again) == [("news", "Postmortem of INC-1: Mail is slow")]
    for path in disk.where.iterdir():
        path.unlink()
    await again.store.close()
    third = await began(await make_world(store_url, publishing_to(disk)), disk)
    await third.at(4)
    assert disk.files() == ["INC-1.v1.html", "INC-1.v1.md", "index.html", "index.md"]
    assert told(third) == []
    await third.store.close()


@pytest.mark.slow
async def test_many_copies_are_written_a_few_at_a_time(world: Making, disk: Disk) -> None:
    w = await began(await world(publishing_to(disk)), disk)
    disk.trouble = "away"
    for number in range(25):
        await publish(w, await declare(w, f"Mail {number}"))
    disk.trouble = ""
    await w.at(120)
    assert len([one for one in disk.files() if one.endswith(".v1.md")]) == 25
    assert disk.text("index.html").count("<li>") == 25
    assert disk.writes.count(["index.html", "index.md"]) >= 3


async def test_the_graphs_of_the_incident_lie_beside_it(world: Making, disk: Disk) -> None:
    w = await began(await world(publishing_to(disk)), disk)
    it = await declare(w)
    await w.store.write(graphs.save, "INC-1", {1: graphs.Drawing(title="lag", svg="<svg>1</svg>")})
    other = "![x](https://incidentd.example.org/incidents/INC-2/graphs/1) ![y](https://evil.example/y.png)\n"
    await publish(w, it, TEXT + GRAPH + other + GRAPH.replace("graphs/1", "graphs/7"))
    assert disk.text("INC-1.v1-1.svg") == "<svg>1</svg>"
    assert disk.text("INC-1.v1.html").count("<img ") == 1
    assert '<img src="INC-1.v1-1.svg" alt="Graph 1">' in disk.text("INC-1.v1.html")


async def test_a_drill_is_published_and_announced_to_nobody(world: Making, disk: Disk) -> None:
    w = await began(await world(publishing_to(disk)), disk)
    await publish(w, replace(await declare(w), drill=True))
    assert "INC-1.v1.md" in disk.files()
    assert told(w) == []


async def test_without_a_directory_it_is_on_the_pages_only(world: Making, disk: Disk) -> None:
    w = await world(replace(SETTINGS, postmortems=PostmortemSettings()))
    await publish(w, await declare(w))
    assert (await w.store.read(published.copy, 1)).markdown == TEXT
    assert not disk.where.exists()


async def test_a_draft_is_found_as_it_is_drafted_and_again_after_a_start(world: Making) -> None:
    w = await world(SETTINGS)
    await declare(w, "Search is empty")
    await w.do(lifecycle.resolve, 1, actor=ANA, note="rolled back")
    await w.settle()
    (found,) = await w.store.read(library.find, asked("rolled search"), [Standing.DRAFT])
    assert (found.incident_id, found.title, found.severity) == (1, "Search is empty", "sev2")
    assert await w.store.read(library.find, asked("rolled search"), [Standing.PUBLISHED]) == []
    await w.store.write(library.take_out, 1, Standing.DRAFT)
    await shelving.begin(w.store)
    await shelving.begin(w.store)
    assert len(await w.store.read(library.find, asked("rolled search"), [Standing.DRAFT])) == 1


@pytest.mark.slow
async def test_what_is_published_is_kept_when_its_incident_is_pruned(world: Making) -> None:
    w = await world(SETTINGS)
    it = await declare(w)
    await w.do(lifecycle.resolve, 1, actor=ANA, note="rolled back")
    await publish(w, it)
    await w.do(shelving.tag, 1, actor=ANA, add=["cause:network"])
    await declare(w, "Nothing to learn")
    await w.do(lifecycle.resolve, 2, actor=ANA, note="nothing")
    await w.do(shelving.tag, 2, actor=ANA, add=["cause:nothing"])
    await w.store.write(lambda tx: tx.conn.execute(delete(postmortem).where(postmortem.c.incident_id == 2)))
    await w.store.write(library.take_out, 2, Standing.DRAFT)
    await w.until(w.start + timedelta(days=500))
    await w.store.write(retention.take_turn, Retention())
    assert (await w.store.read(published.copy, 1)).markdown == TEXT
    (found,) = await w.store.read(library.find, asked("late", ("cause",)), [Standing.PUBLISHED])
    assert found.incident_id == 1
    assert await w.store.read(text_of, 1)
    assert list(await w.store.read(library.all_tags, Standing)) == ["cause", "cause:network"], (
        "tags go with their incident"
    )


async def test_two_at_once_publish_one(world: Making, disk: Disk) -> None:
    w = await began(await world(publishing_to(disk)), disk)
    it = await declare(w)
    done = await asyncio.gather(publish(w, it), publish(w, it, TEXT + "else"), return_exceptions=True)
    assert [type(one) for one in done if one is not None] == [Conflict]
    assert len(await w.store.read(published.copies, 1)) == 1
    assert len(told(w)) == 1


async def after_a_restore(tmp_path: Path, disk: Disk, before: Settings) -> World:
    """Publish INC-1 in a store that is lost, and begin with a new one, in which another incident has its number."""
    lost = await began(await make_world(sqlite_url(tmp_path / "lost.db"), publishing_to(disk)), disk)
    await lost.store.write(graphs.save, "INC-1", {1: graphs.Drawing(title="lag", svg="<svg>old</svg>")})
    await publish(lost, await declare(lost, "The one before"), TEXT.replace("Mail", "The shop") + GRAPH)
    await lost.store.close()
    assert "The shop" in disk.text("INC-1.v1.html")
    w = await began(await make_world(sqlite_url(tmp_path / "new.db"), before), disk)
    await w.store.write(graphs.save, "INC-1", {1: graphs.Drawing(title="lag", svg="<svg>new</svg>")})
    return w


def says_only_the_new(disk: Disk) -> None:
    assert disk.text("INC-1.v1.md") == TEXT + GRAPH
    assert "The shop" not in disk.text("INC-1.v1.html")
    assert "<h1>Mail is slow</h1>" in disk.text("INC-1.v1.html")
    assert disk.text("INC-1.v1-1.svg") == "<svg>new</svg>"
    assert "The one before" not in disk.text("index.md")


async def test_a_number_that_is_given_again_after_a_restore_never_shows_what_had_it_before(
    tmp_path: Path, disk: Disk
) -> None:
    w = await after_a_restore(tmp_path, disk, publishing_to(disk))
    await publish(w, await declare(w), TEXT + GRAPH)
    says_only_the_new(disk)
    await w.store.close()


async def test_what_was_published_while_there_was_no_directory_is_put_right_at_the_next_start(
    tmp_path: Path, disk: Disk
) -> None:
    w = await after_a_restore(tmp_path, disk, SETTINGS)
    await publish(w, await declare(w), TEXT + GRAPH)
    await w.store.close()
    assert "The shop" in disk.text("INC-1.v1.md")
    w = await began(await make_world(sqlite_url(tmp_path / "new.db"), publishing_to(disk)), disk)
    says_only_the_new(disk)
    await w.store.close()


async def test_the_same_words_are_published_under_the_day_and_with_the_graphs_of_now(
    tmp_path: Path, disk: Disk
) -> None:
    w = await after_a_restore(tmp_path, disk, publishing_to(disk))
    await w.at(60)
    await publish(w, await declare(w, "The one after"), TEXT.replace("Mail", "The shop") + GRAPH)
    assert "INC-1 The one after" in disk.text("INC-1.v1.html")
    assert disk.text("INC-1.v1-1.svg") == "<svg>new</svg>"
    await w.store.close()


async def test_a_copy_that_was_half_written_when_the_process_died_is_written_again(tmp_path: Path, disk: Disk) -> None:
    w = await after_a_restore(tmp_path, disk, publishing_to(disk))
    disk.dies_after = "INC-1.v1-1.svg"
    await publish(w, await declare(w), TEXT + GRAPH)
    await w.store.close()
    disk.dies_after = ""
    w = await began(await make_world(sqlite_url(tmp_path / "new.db"), publishing_to(disk)), disk)
    await w.at(60)
    says_only_the_new(disk)
    await w.store.close()


@pytest.mark.slow
async def test_a_start_looks_once_at_each_text_that_lies_there_and_writes_none_that_is_right(
    world: Making, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publishing, "_LOOKED_AT", 10)
    w = await began(await world(publishing_to(disk)), disk)
    for number in range(25):
        await publish(w, await declare(w, f"Mail {number}"))
    await w.at(60)
    stood = {path.name: path.stat().st_ino for path in disk.where.iterdir()}
    disk.compared.clear()
    disk.writes.clear()
    again = World(w.store, w.settings, w.clock, w.metrics)
    await began(again, disk)
    assert sorted(disk.compared) == sorted(f"INC-{number}.v1.md" for number in range(1, 26))
    assert disk.writes == [["index.html", "index.md"]], "the index waits until all were looked at"
    assert {path.name: path.stat().st_ino for path in disk.where.iterdir()} == stood
    await again.at(61)
    await publish(again, await declare(again, "One more"))
    assert len(disk.compared) == 25

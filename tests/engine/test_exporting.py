"""The export of documents through the whole engine, into a real directory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from incidentd.engine import commands, lifecycle, merging, records
from incidentd.engine.backlog import commands as asked
from incidentd.errors import TemporaryError
from incidentd.exports import Directory
from incidentd.records import SectionName
from incidentd.settings import DocumentSettings, Settings
from incidentd.store import graphs, retention
from incidentd.timeline import Actor
from tests.engine.world import START, Making, World, make_world, minutes, policy, roster

ANA = Actor(name="ana", via="api")
HOSTILE = "../../etc/passwd <script>alert(1)</script> [x](javascript:1) | `INC-9.md`"
SETTINGS = Settings(roster=roster("ana", "ben"), escalations=policy("default", (0, "ana")))


class Disk:
    """A directory that sometimes cannot be written to."""

    def __init__(self, where: Path) -> None:
        self.door = Directory(where)
        self.where = where
        self.trouble = ""
        self.writes: list[list[str]] = []
        self.slow: asyncio.Event | None = None

    async def write(self, files: Mapping[str, str]) -> bool:
        if self.slow is not None:
            await self.slow.wait()
        if self.trouble:
            raise TemporaryError(self.trouble)
        self.writes.append(list(files))
        return await self.door.write(files)

    async def names(self) -> frozenset[str]:
        if self.trouble:
            raise TemporaryError(self.trouble)
        return await self.door.names()

    def text(self, name: str = "INC-1.md") -> str:
        return (self.where / name).read_text()


@pytest.fixture
def disk(tmp_path: Path) -> Disk:
    return Disk(tmp_path / "documents")


def exporting(disk: Disk) -> Settings:
    return replace(SETTINGS, document=DocumentSettings(export=disk.where))


async def began(w: World, disk: Disk) -> World:
    w.doors.exports = disk
    await w.engine.begin()
    await w.settle()
    return w


async def declare(w: World, title: str = "Mail is slow") -> None:
    await w.do(commands.declare_incident, actor=ANA, title=title, severity="sev2", page="default")


async def note(w: World, text: str) -> None:
    await w.do(commands.add_note, "INC-1", actor=ANA, text=text)


async def test_a_document_is_written_when_its_incident_changes_and_once_for_what_happens_together(
    world: Making, disk: Disk
) -> None:
    w = await began(await world(exporting(disk)), disk)
    await declare(w, HOSTILE)
    await note(w, "the queue grows")
    assert not disk.where.exists() or not list(disk.where.iterdir())
    await w.at(0.1)
    assert disk.text().startswith(r"# INC-1 ../../etc/passwd &lt;script&gt;alert\(1\)")
    assert "the queue grows" in disk.text()
    assert [path.name for path in disk.where.iterdir()] == ["INC-1.md"]
    written = len(disk.writes)
    await w.do(records.write_section, 1, SectionName.SUMMARY, text="Half of all mail is late.", actor=ANA)
    await w.at(0.2)
    assert len(disk.writes) == written + 1
    assert "Half of all mail is late." in disk.text()


async def test_the_document_of_a_survivor_tells_what_became_of_the_items_of_its_parts(
    world: Making, disk: Disk
) -> None:
    w = await began(await world(exporting(disk)), disk)
    for number in (1, 2, 3):
        await declare(w, f"Mail is slow {number}")
    await w.do(asked.propose, 3, actor=ANA, title="Add a limit to the queue")
    for gone in (3, 2):
        await w.do(merging.merge, gone, into=gone - 1, actor=ANA, admin=True)
    await w.at(1)
    names = [f"INC-{number}.md" for number in (1, 2, 3)]
    assert all("| AI-1 | " in disk.text(name) for name in names)
    assert not any(" declined |" in disk.text(name) for name in names)
    entries = len(await w.entries("INC-1"))
    await w.do(asked.decline, 1, actor=ANA, reason="it has one")
    await w.at(2)
    assert all(" declined |" in disk.text(name) for name in names)
    assert len(await w.entries("INC-1")) == entries
    written = len(disk.writes)
    await w.at(5)
    assert len(disk.writes) == written, "it ends where nothing changes"


async def test_what_happens_all_the_time_does_not_put_it_off_for_ever(world: Making, disk: Disk) -> None:
    w = await began(await world(exporting(disk)), disk)
    await declare(w)
    await w.at(1)
    written = len(disk.writes)
    for second in range(12):
        await w.until(w.start + minutes(1) + timedelta(seconds=second))
        await note(w, f"look {second}")
    assert len(disk.writes) - written == 3


async def test_graphs_lie_beside_it_and_are_shown_in_it(world: Making, disk: Disk) -> None:
    w = await began(await world(exporting(disk)), disk)
    await declare(w)
    await w.store.write(graphs.save, "INC-1", {2: graphs.Drawing(title="lag > 30 ](http://evil)", svg="<svg>1</svg>")})
    await note(w, "look at the graph")
    await w.at(0.1)
    assert disk.text("INC-1-2.svg") == "<svg>1</svg>"
    assert r"![Graph 2](INC-1-2.svg)" in disk.text()
    assert r"lag &gt; 30 \]\(http://evil\)" in disk.text()


async def test_trouble_is_said_once_delays_nothing_and_is_over_when_the_disk_is_back(world: Making, disk: Disk) -> None:
    w = await began(await world(exporting(disk)), disk)
    disk.trouble = "the directory /documents cannot be written to (No space left on device); make room on its disk"
    await declare(w)
    await w.at(10)
    await note(w, "still at it")
    await w.at(20)
    assert (await w.page()).paged[0] == "ana"
    said = [text for text in await w.story("INC-1") if "could not be written" in text]
    assert said == [f"The document could not be written: {disk.trouble}. It is tried again until it can."]
    assert w.metrics.document_exports_total.labels(result="failed")._value.get() > 3

    disk.trouble = ""
    await w.at(30)
    assert "still at it" in disk.text()
    assert (await w.kinds("INC-1"))[-1] == "document.exported_again"
    assert "The document is written to its directory again." in disk.text()
    written = len(disk.writes)
    await w.at(31)
    assert len(disk.writes) == written


async def test_a_restart_forgets_no_change(store_url: str, disk: Disk) -> None:
    w = await began(await make_world(store_url, exporting(disk)), disk)
    await declare(w)
    await w.store.close()
    again = await make_world(store_url, exporting(disk))
    again.doors.exports = disk
    await again.at(0.1)
    assert "Mail is slow" in disk.text()
    await again.store.close()


async def test_a_directory_that_is_new_gets_what_is_there_already(world: Making, disk: Disk) -> None:
    w = await began(await world(SETTINGS), disk)
    await declare(w)
    await declare(w, "Shop is slow")
    await w.do(lifecycle.resolve, 1, actor=ANA)
    await w.at(1)
    assert not disk.where.exists()
    w.settings = exporting(disk)
    await w.engine.begin()
    await w.at(2)
    assert sorted(path.name for path in disk.where.iterdir()) == ["INC-1.md", "INC-2.md"]

    disk.writes.clear()
    w.settings = replace(exporting(disk))
    await w.engine.begin()
    await w.at(3)
    assert ["INC-2.md"] in disk.writes
    assert [it for it in disk.writes if it == ["INC-1.md"]] in ([], [["INC-1.md"]])

    w.settings = SETTINGS
    await w.engine.begin()
    disk.writes.clear()
    await note(w, "nobody writes this down")
    await w.at(4)
    assert disk.writes == []


async def test_the_file_of_a_pruned_incident_stays(world: Making, disk: Disk) -> None:
    w = await began(await world(exporting(disk)), disk)
    await declare(w)
    await w.do(lifecycle.stand_down, 1, actor=ANA, code="false_positive")
    await w.at(1)
    before = disk.text()
    w.clock[0] += timedelta(days=500)
    while await w.store.write(retention.prune, w.settings.retention):
        pass
    await w.settle()
    w.settings = replace(exporting(disk))
    await w.engine.begin()
    await w.settle()
    assert disk.text() == before


@pytest.fixture
async def two(postgres_store: str, disk: Disk) -> AsyncIterator[tuple[World, World]]:
    clock = [START]
    made = [await make_world(postgres_store, exporting(disk), me=me, clock=clock) for me in ("one", "two")]
    for one in made:
        await began(one, disk)
    yield made[0], made[1]
    for one in made:
        await one.store.close()


@pytest.mark.slow
@pytest.mark.needs("postgres")
async def test_of_two_replicas_one_writes_and_the_newest_words_stay(two: tuple[World, World], disk: Disk) -> None:
    one, other = two
    disk.slow = asyncio.Event()
    await one.store.write(
        commands.declare_incident, one.settings, actor=ANA, title="Mail is slow", severity="sev2", page="default"
    )
    one.clock[0] += timedelta(seconds=4)
    assert await one.engine.act_one("export")
    await asyncio.sleep(0)
    await other.store.write(commands.add_note, other.settings, "INC-1", actor=ANA, text="written meanwhile")
    disk.slow.set()
    await one.engine.acted()
    disk.slow = None
    one.clock[0] += timedelta(seconds=4)
    await asyncio.gather(one.settle(), other.settle())
    assert "written meanwhile" in disk.text()
    assert (await one.kinds("INC-1")).count("document.export_failed") == 0

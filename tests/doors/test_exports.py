"""The directory of documents: a real one, with everything in it that may be in the way."""

from __future__ import annotations

import asyncio
import os
import resource
import stat
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from incidentd.errors import PermanentError, TemporaryError
from incidentd.exports import Directory

DOC = {"INC-7-1.svg": "<svg/>", "INC-7.md": "# INC-7 Mail is slow\n"}


@pytest.fixture
def where(tmp_path: Path) -> Path:
    return tmp_path / "documents"


@pytest.fixture
def there(where: Path) -> Path:
    where.mkdir()
    return where


def names(where: Path) -> set[str]:
    return {path.name for path in where.iterdir()}


def lying(where: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in where.iterdir() if path.is_file()}


async def test_files_are_written_whole_and_only_when_they_changed(where: Path) -> None:
    door = Directory(where)
    assert await door.write(DOC)
    assert lying(where) == DOC
    before = (where / "INC-7.md").stat()
    assert stat.S_IMODE(before.st_mode) & 0o007 == 0
    assert not await door.write(DOC)
    assert (where / "INC-7.md").stat().st_ino == before.st_ino
    assert await door.write({"INC-7.md": "# INC-7 Mail is fast\n"})
    assert lying(where) == {**DOC, "INC-7.md": "# INC-7 Mail is fast\n"}


async def test_what_lies_there_is_compared_by_its_contents_and_nothing_is_written(there: Path) -> None:
    door = Directory(there)
    await door.write(DOC)
    before = (there / "INC-7.md").stat()
    (there / "INC-8.md").symlink_to(there / "INC-7.md")
    same_size = DOC["INC-7.md"].replace("slow", "fast")
    assert await door.differing(DOC) == set()
    assert await door.differing({**DOC, "INC-7.md": same_size}) == {"INC-7.md"}
    assert await door.differing({"INC-8.md": DOC["INC-7.md"], "INC-9.md": ""}) == {"INC-8.md", "INC-9.md"}
    assert (there / "INC-7.md").stat() == before


async def test_no_symbolic_link_leads_out_of_the_directory(there: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.write_text(DOC["INC-7.md"])
    (there / "INC-7.md").symlink_to(outside)
    (there / "INC-7-1.svg").symlink_to(tmp_path / "nowhere")
    await Directory(there).write({**DOC, "INC-7.md": "other words"})
    assert outside.read_text() == DOC["INC-7.md"]
    assert not (tmp_path / "nowhere").exists()
    assert not (there / "INC-7.md").is_symlink()
    assert lying(there) == {**DOC, "INC-7.md": "other words"}


async def test_a_pipe_in_the_way_is_replaced_and_waited_for_by_nobody(there: Path) -> None:
    os.mkfifo(there / "INC-7.md")
    assert await Directory(there).write(DOC)
    assert lying(there) == DOC


@pytest.mark.parametrize("name", ["../INC-7.md", "INC-7.md/x", "/etc/INC-7.md", "INC-.md", ".git", "INC-7.md\n", ""])
async def test_names_are_made_of_ids_alone(where: Path, name: str) -> None:
    with pytest.raises(PermanentError, match="is not the name of a document"):
        await Directory(where).write({name: "x"})


async def test_a_directory_that_is_not_there_is_made_but_no_path_to_it(where: Path) -> None:
    with pytest.raises(TemporaryError, match=r"No such file or directory.*make it, or correct `document.export`"):
        await Directory(where / "deeper").write(DOC)
    assert await Directory(where).write(DOC)


async def test_what_is_wrong_is_said_with_what_to_do(there: Path) -> None:
    (there / "INC-7.md").mkdir()
    with pytest.raises(TemporaryError, match="a directory has the name of the file: move it away"):
        await Directory(there).write(DOC)
    assert names(there) == {"INC-7.md", "INC-7-1.svg"}
    file = there / "file"
    file.write_text("")
    with pytest.raises(TemporaryError, match="it is no directory"):
        await Directory(file).write(DOC)


@pytest.fixture
def no_room() -> Iterator[None]:
    """Have the system refuse files that are longer than a kibibyte, as a full disk refuses them."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1024, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


async def test_without_room_the_file_that_is_there_stays_whole(where: Path, no_room: None) -> None:
    door = Directory(where)
    await door.write(DOC)
    with pytest.raises(TemporaryError, match="cannot be written to"):
        await door.write({"INC-7.md": "x" * 5000})
    assert lying(where) == DOC


async def test_a_disk_that_hangs_is_given_up_and_writes_nothing_late(
    where: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop, fsync, late = asyncio.get_running_loop(), os.fsync, asyncio.Event()
    hangs = os.pipe()

    def hang(file: int) -> None:
        os.read(hangs[0], 1)
        fsync(file)
        loop.call_soon_threadsafe(late.set)

    monkeypatch.setattr(os, "fsync", hang)
    door = Directory(where, timeout=timedelta(seconds=0.05))
    with pytest.raises(TemporaryError, match="gave no answer within"):
        await door.write(DOC)
    with pytest.raises(TemporaryError, match="still busy"):
        await door.write(DOC)
    os.write(hangs[1], b"x")
    await late.wait()
    for end in hangs:
        os.close(end)
    monkeypatch.undo()
    while door._busy:
        await asyncio.sleep(0.001)
    assert lying(where) == {}
    assert await door.write(DOC)


async def test_what_dead_processes_left_is_cleared_away_and_strangers_files_stay(there: Path) -> None:
    old, young = there / f".INC-7.md.{'a' * 16}.part", there / f".INC-8-1.svg.{'b' * 16}.part"
    strange = there / ".INC-7.md.part"
    for path in (old, young, strange, there / "README.md", there / "INC-9.md"):
        path.write_text("x")
    for path in (old, strange):
        os.utime(path, (0, 0))
    assert await Directory(there).names() == {"INC-9.md"}
    assert names(there) == {young.name, strange.name, "README.md", "INC-9.md"}

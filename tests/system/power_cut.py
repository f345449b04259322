"""A disk whose power fails: what a process wrote is written down, and the files are made again as a cut leaves them."""

from __future__ import annotations

import struct
import subprocess
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from tests.programs import path_of

_HEAD = struct.Struct("=BHQQ")
_SECTOR = 512


def library(folder: Path) -> Path:
    """Compile the library that writes down what a process does to its files."""
    made = folder / "power_cut.so"
    source = Path(__file__).with_name("power_cut.c")
    command = [path_of("gcc"), "-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o", str(made), str(source), "-ldl"]
    subprocess.run(command, check=True)
    return made


@dataclass
class File:
    """One file: what is on the disk for certain, and what was done to it since its last sync."""

    synced: bytearray = field(default_factory=bytearray)
    since: list[tuple[str, int, bytes]] = field(default_factory=list)

    def after(self, done: list[tuple[str, int, bytes]]) -> bytearray:
        """Give the file with these writes in it."""
        content = bytearray(self.synced)
        for kind, offset, data in done:
            if kind == "t":
                del content[offset:]
                content.extend(bytes(offset - len(content)))
            else:
                content.extend(bytes(max(offset - len(content), 0)))
                content[offset : offset + len(data)] = data
        return content


def disk_at(log: bytes) -> dict[str, File]:
    """Read how the files stood when the log was this long."""
    files: dict[str, File] = defaultdict(File)
    for kind, name, offset, data in _records(log):
        match kind:
            case "s":
                files[name] = File(files[name].after(files[name].since))
            case "u":
                files.pop(name, None)
            case _:
                files[name].since.append((kind, offset, data))
    return files


def _records(log: bytes) -> Iterator[tuple[str, str, int, bytes]]:
    at = 0
    while at + _HEAD.size <= len(log):
        kind, name_length, offset, length = _HEAD.unpack_from(log, at)
        name = at + _HEAD.size
        data = name + name_length
        at = data + length
        if at <= len(log):
            yield chr(kind), log[name:data].decode(), offset, log[data:at]


def cut(log: bytes, *, original: Path, folder: Path, chance: Random | None) -> Path:
    """Make the files of a store as a power cut at the end of this log leaves them, and give the store's.

    Nothing that was not synced is there; or, with `chance`, any of it is, in whole or the first sectors of it.
    """
    for name, file in disk_at(log).items():
        side = name.removeprefix(str(original))
        if side in ("", "-wal", "-journal"):
            done = [] if chance is None else list(_some(file.since, chance))
            (folder / f"cut.db{side}").write_bytes(file.after(done))
    return folder / "cut.db"


def _some(since: list[tuple[str, int, bytes]], chance: Random) -> Iterator[tuple[str, int, bytes]]:
    for kind, offset, data in since:
        match chance.randrange(3):
            case 0:
                yield kind, offset, data
            case 1 if kind == "w" and len(data) > _SECTOR:
                yield kind, offset, data[: chance.randrange(1, len(data) // _SECTOR + 1) * _SECTOR]
            case _:
                pass

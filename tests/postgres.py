"""A PostgreSQL of the tests' own: Debian's programs, a folder of its own, a free port of loopback."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psycopg

from tests.ports import unused_port
from tests.programs import path_of

USER = "incidentd"
_QUICK = (
    "fsync=off", "full_page_writes=off", "synchronous_commit=on", "max_connections=300", "shared_buffers=64MB",
    "deadlock_timeout=200ms", "logging_collector=off",
)  # fmt: skip


_ROOM = 2**31
"""Bytes: a server writes up to a GiB of its log before it begins anew."""


class Server:
    """A server that tests start, stop, kill and freeze as they like."""

    def __init__(self, settings: Sequence[str] = _QUICK, *, in_memory: bool = False) -> None:
        self._settings = settings
        self.folder = Path(tempfile.mkdtemp(prefix="incidentd-pg-", dir=_memory() if in_memory else None))
        self.data = self.folder / "data"
        self.bin = Path(path_of("postgres")).resolve().parent
        self.port = unused_port()
        self._as = _unprivileged()
        if self._as:
            shutil.chown(self.folder, *self._as)
        self._databases = 0
        self._fill()

    def _fill(self) -> None:
        self._run("initdb", "-D", self.data, "-U", USER, "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")

    def _run(self, program: str, *words: str | Path) -> None:
        """Run one of the server's programs as somebody whom the server accepts: it refuses to be run by root."""
        rights: dict[str, Any] = {"user": self._as[0], "group": self._as[1], "extra_groups": []} if self._as else {}
        log = self.folder / f"{program}.log"
        with log.open("ab") as out:
            done = subprocess.run(
                [self.bin / program, *words], stdout=out, stderr=out, stdin=subprocess.DEVNULL, check=False, cwd="/",
                **rights,
            )  # fmt: skip
        assert done.returncode == 0, log.read_text()

    def start(self) -> None:
        options = " ".join(f"-c {setting}" for setting in self._settings)
        where = f"-h 127.0.0.1 -p {self.port} -k {self.folder} {options}"
        self._run("pg_ctl", "-D", self.data, "-w", "-l", self.folder / "server.log", "-o", where, "start")

    def stop(self, mode: str = "fast") -> None:
        self._run("pg_ctl", "-D", self.data, "-w", "-m", mode, "stop")

    def restart(self, mode: str = "immediate") -> None:
        self.stop(mode)
        self.start()

    def standby(self) -> Standby:
        """Start a server that follows this one, which from here answers a commit when that is there, too."""
        made = Standby(self)
        made.start()
        self._configure("synchronous_standby_names", "*")
        return made

    def fence(self) -> None:
        """Have nobody write here any more, whoever is connected; nobody is told."""
        self._configure("default_transaction_read_only", "on")

    def _configure(self, name: str, value: str) -> None:
        with psycopg.connect(self.url("postgres"), autocommit=True) as conn:
            conn.execute(f"ALTER SYSTEM SET {name} = '{value}'".encode())
            conn.execute("SELECT pg_reload_conf()")

    def freeze(self, number: signal.Signals = signal.SIGSTOP) -> None:
        """Stop the server and all that it has started, so that it neither answers nor says that it is gone."""
        postmaster = int((self.data / "postmaster.pid").read_text().split()[0])
        children = Path(f"/proc/{postmaster}/task/{postmaster}/children").read_text().split()
        for pid in (postmaster, *map(int, children)):
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                continue

    def thaw(self) -> None:
        self.freeze(signal.SIGCONT)

    def database(self, *, like: str = "template0", encoding: str = "UTF8") -> str:
        """Make a database, an empty one unless it is to be like another one, and give its URL."""
        self._databases += 1
        name = f"test_{self._databases}"
        how = f"TEMPLATE \"{like}\" ENCODING '{encoding}' LOCALE 'C' STRATEGY file_copy"
        with psycopg.connect(self.url("postgres"), autocommit=True) as conn:
            conn.execute(f'CREATE DATABASE "{name}" {how}'.encode())
        return self.url(name)

    def drop(self, url: str) -> None:
        """Remove a database, whoever is still connected to it."""
        name = url.rpartition("/")[2]
        with psycopg.connect(self.url("postgres"), autocommit=True) as conn:
            conn.execute(f'DROP DATABASE "{name}" WITH (FORCE)'.encode())

    def url(self, name: str) -> str:
        return f"postgresql://{USER}@127.0.0.1:{self.port}/{name}"

    def remove(self) -> None:
        self.stop("immediate")
        shutil.rmtree(self.folder)


class Standby(Server):
    """A copy of another server that follows it until it is promoted."""

    def __init__(self, of: Server) -> None:
        self._of = of
        super().__init__()

    def _fill(self) -> None:
        self._run("pg_basebackup", "-D", self.data, "-d", self._of.url(""), "-R", "-X", "stream", "-c", "fast", "-N")

    def promote(self) -> None:
        """Make it the primary, which waits for nobody."""
        self._run("pg_ctl", "-D", self.data, "-w", "promote")


def _memory() -> Path | None:
    """Name a folder of files that are in memory, with room for many databases; None where there is none.

    To make a database like another one there takes 15 ms; on a disk it takes 260 ms, for some 350 files.
    """
    there = Path("/dev/shm")  # noqa: S108 - mkdtemp makes a folder in it
    return there if there.is_dir() and shutil.disk_usage(there).free > _ROOM else None


def _unprivileged() -> tuple[str, str] | None:
    """Name the user and group to run the server as: nobody else when this is not root."""
    if os.geteuid() != 0:
        return None
    known = {user.pw_name for user in pwd.getpwall()}
    return ("postgres", "postgres") if "postgres" in known else ("nobody", "nogroup")

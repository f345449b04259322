"""The servers that are measured, each as a process of its own on an empty folder."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.bench.load import Seen
from tests.ports import unused_port

ROOT = Path(__file__).parents[2]
# in the words of the partial indexes, so that looking costs nothing
_LEFT = "SELECT EXISTS(SELECT 1 FROM inbox WHERE done IS 0) OR EXISTS(SELECT 1 FROM alert WHERE undecided IS 1)"
_INBOX = "SELECT count(*), (SELECT at FROM inbox WHERE done IS 0 ORDER BY id LIMIT 1) FROM inbox WHERE done IS 0"
_PATIENCE = 60.0
"""Seconds that a server may take until it is ready."""


@dataclass(frozen=True, slots=True)
class Running:
    """A server that is ready."""

    port: int
    pid: int
    folder: Path
    ready_after: float
    """Seconds from its start."""

    @property
    def memory(self) -> float:
        """MiB that it holds in memory now."""
        return self._status("VmRSS")

    @property
    def peak(self) -> float:
        """MiB that it ever held in memory."""
        return self._status("VmHWM")

    def _status(self, name: str) -> float:
        status = Path(f"/proc/{self.pid}/status").read_text()
        return int(status.split(f"{name}:")[1].split()[0]) / 1024

    def ask(self, query: str) -> Any:
        """Give the first row of an answer of its store, a file of SQLite; asking it so holds nothing up."""
        with closing(sqlite3.connect(f"file:{self.folder}/daemon.db?mode=ro", uri=True, timeout=30)) as db:
            return db.execute(query).fetchone()

    def drained(self) -> None:
        """Wait until everything that was accepted is unpacked and decided."""
        while self.ask(_LEFT)[0]:
            time.sleep(0.02)

    def inbox(self) -> tuple[int, float]:
        """Say how many bodies wait to be unpacked, and the age of the oldest in seconds."""
        waiting, since = self.ask(_INBOX)
        return waiting, max(time.time() - since / 1e6, 0) if waiting else 0.0

    def alerts(self) -> int:
        """Count the alerts that it knows."""
        number: int = self.ask("SELECT count(*) FROM alert")[0]
        return number


@contextmanager
def empty_folder() -> Iterator[Path]:
    """Give a folder on a disk: one for temporary files may lie in memory and make fsync free."""
    build = ROOT / "build"
    build.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="bench-", dir=build) as folder:
        yield Path(folder)


@contextmanager
def running(
    server: str,
    folder: Path,
    *options: str,
    store: str = "",
    files: str = "",
    clean: bool = False,
    profile: Path | None = None,
    **environment: str,
) -> Iterator[Running]:
    """Run `daemon`, or the floor of that name, and give it once it is ready.

    `store` is a URL of PostgreSQL instead of a file of SQLite; `files` is what `ulimit` is told about descriptors;
    `clean` stops it as an operator would, instead of killing it; `profile` is where is written what it does.
    """
    port = unused_port()
    if server == "daemon":
        program = [str(Path(sys.executable).with_name("incidentd"))]
        if profile:
            program = [sys.executable, "-m", "tests.bench.sampled", str(profile)]
        store = store or f"sqlite:///{folder}/daemon.db"
        command = [*program, "run", "--web.listen-address", f"127.0.0.1:{port}", "--store", store]
    else:
        command = [sys.executable, "-m", "tests.bench.floor", str(port), server, "--db", store or f"{folder}/floor.db"]
    if files:
        command = ["sh", "-c", f'ulimit {files} && exec "$@"', "sh", *command]
    log = folder / "log"
    began = time.monotonic()
    with log.open("ab") as out:
        process = subprocess.Popen(
            [*command, *options], cwd=folder, stdout=out, stderr=out,
            env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        )  # fmt: skip
    try:
        _await_ready(process, port, log)
        yield Running(port, process.pid, folder, time.monotonic() - began)
    finally:
        # unless it is asked for: what is measured is answered, and nobody needs the rest
        process.terminate() if clean else process.kill()
        process.wait()


def _await_ready(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    until = time.monotonic() + _PATIENCE
    while time.monotonic() < until and process.poll() is None:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/-/ready", timeout=1):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.01)
    raise RuntimeError(f"a server is not ready; its last words:\n{log.read_text(errors='replace')[-2000:]}")


def load(port: int, connections: int, **asked: float | str | bool) -> Seen:
    """Post to a server from a process of its own; `asked` are the options of `tests.bench.load`."""
    command = [sys.executable, "-m", "tests.bench.load", str(port), str(connections)]
    for name, value in asked.items():
        command += [f"--{name}"] if value is True else [f"--{name}", str(value)]
    said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if said.returncode:
        raise RuntimeError(f"the load failed:\n{said.stderr[-2000:]}")
    return Seen(**json.loads(said.stdout))


def scrape(url: str) -> str:
    """Read all metrics of a server."""
    with urllib.request.urlopen(f"{url}/metrics", timeout=60) as answer:
        text: str = answer.read().decode()
    return text


def metric(scraped: str, name: str, *having: str) -> float:
    """Give one metric, or the sum over those of its labels that have all of this in them."""
    lines = (line for line in scraped.splitlines() if line.startswith((name + " ", name + "{")))
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines if all(it in line for it in having))

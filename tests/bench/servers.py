"""The servers that are measured, each as a process of its own on an empty folder."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
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
        status = Path(f"/proc/{self.pid}/status").read_text()
        return int(status.split("VmRSS:")[1].split()[0]) / 1024


@contextmanager
def empty_folder() -> Iterator[Path]:
    """Give a folder on a disk: one for temporary files may lie in memory and make fsync free."""
    build = ROOT / "build"
    build.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="bench-", dir=build) as folder:
        yield Path(folder)


def free_port() -> int:
    """Find a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


@contextmanager
def running(server: str, folder: Path, *options: str) -> Iterator[Running]:
    """Run `daemon`, or the floor of that name, and give it once it is ready."""
    port = free_port()
    if server == "daemon":
        program = str(Path(sys.executable).with_name("incidentd"))
        command = [
            program, "run", "--web.listen-address", f"127.0.0.1:{port}", "--store", f"sqlite:///{folder}/daemon.db",
        ]  # fmt: skip
    else:
        command = [sys.executable, "-m", "tests.bench.floor", str(port), server, "--db", f"{folder}/floor.db"]
    log = folder / "log"
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    began = time.monotonic()
    with log.open("ab") as out:
        process = subprocess.Popen([*command, *options], cwd=folder, stdout=out, stderr=out, env=environ)
    try:
        _await_ready(process, port, log)
        yield Running(port, process.pid, folder, time.monotonic() - began)
    finally:
        process.kill()  # what is measured is answered; nobody needs the rest
        process.wait()


def _await_ready(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    until = time.monotonic() + _PATIENCE
    while time.monotonic() < until and process.poll() is None:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/-/ready", timeout=1):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.01)
    sys.exit(f"a server is not ready; its last words:\n{log.read_text(errors='replace')[-2000:]}")


def fetch(port: int, path: str) -> str:
    """Ask a server for text."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
        text: str = answer.read().decode()
    return text


def metric(port: int, name: str) -> float:
    """Read one metric without labels, or the sum over all of its labels."""
    lines = [line for line in fetch(port, "/metrics").splitlines() if line.startswith((name + " ", name + "{"))]
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines)

"""How many bodies of one alert the daemon answers a second, after its commit, beside floors of this very machine.

    python -m tests.bench [--rounds 3] [--seconds 1.2]

Each figure is the median over the rounds. Within a round the servers take turns, and each is started anew on an empty
database, so that the backlog of one measurement is not paid for by the next.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

CONNECTIONS = (1, 16, 64)
SERVERS = ("daemon", "parse", "commit")
_ROOT = Path(__file__).parents[2]
_PATIENCE = 20.0
"""Seconds that a server may take until it is ready."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """One measurement."""

    rate: float
    otherwise: int
    p50: float
    p99: float


Measured = dict[tuple[str, int], list[Figures]]


def command(server: str, port: int, folder: Path) -> list[str]:
    """Give the command line that starts a server."""
    if server == "daemon":
        program = str(Path(sys.executable).with_name("incidentd"))
        return [program, "run", "--web.listen-address", f"127.0.0.1:{port}", "--store", f"sqlite:///{folder}/daemon.db"]
    return [sys.executable, "-m", "tests.bench.floor", str(port), server, "--db", f"{folder}/floor.db"]


@contextmanager
def running(server: str, folder: Path) -> Iterator[int]:
    """Run a server on an empty folder, and give its port once it is ready."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    log = folder / "log"
    environ = {**os.environ, "PYTHONPATH": str(_ROOT)}
    with log.open("wb") as out:
        process = subprocess.Popen(command(server, port, folder), cwd=folder, stdout=out, stderr=out, env=environ)
    try:
        _await_ready(process, port, f"{server} is not ready; its last words:", log)
        yield port
    finally:
        process.kill()  # what is measured is answered; nobody needs the rest
        process.wait()


def _await_ready(process: subprocess.Popen[bytes], port: int, trouble: str, log: Path) -> None:
    until = time.monotonic() + _PATIENCE
    while time.monotonic() < until and process.poll() is None:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/-/ready", timeout=1):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.02)
    sys.exit(f"{trouble}\n{log.read_text(errors='replace')[-2000:]}")


def measure(server: str, connections: int, seconds: float, folder: Path) -> Figures:
    """Measure one server once."""
    with tempfile.TemporaryDirectory(prefix=f"{server}-", dir=folder) as own, running(server, Path(own)) as port:
        load = [sys.executable, "-m", "tests.bench.load", str(port), str(connections), "--seconds", str(seconds)]
        said = json.loads(subprocess.run(load, cwd=_ROOT, capture_output=True, check=True).stdout)
    return Figures(
        rate=said["answered"] / said["seconds"], otherwise=said["otherwise"], p50=said["p50"], p99=said["p99"]
    )


def measure_all(rounds: int, seconds: float) -> Measured:
    """Measure every server at every number of connections; a line on stderr shows that it goes on."""
    measured: Measured = {}
    build = _ROOT / "build"  # not the folder for temporary files, which may lie in memory and make fsync free
    build.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="bench-", dir=build) as folder:
        for turn in range(rounds):
            for connections in CONNECTIONS:
                for server in SERVERS[turn % 3 :] + SERVERS[: turn % 3]:
                    say(f"round {turn + 1} of {rounds}: {server} at {connections}")
                    figures = measure(server, connections, seconds, Path(folder))
                    measured.setdefault((server, connections), []).append(figures)
    say("")
    return measured


def say(text: str) -> None:
    """Show somebody who waits that it goes on."""
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)


def median(figures: Sequence[Figures], of: str) -> float:
    """Give the median of one figure over the rounds."""
    middle: float = statistics.median(getattr(one, of) for one in figures)
    return middle


def table(measured: Measured) -> Iterator[str]:
    """Write what was measured, a line for each number of connections."""
    yield "connections | daemon/s    p50 ms   p99 ms | parse only/s  daemon is | parse and commit/s  daemon is"
    yield "------------|-----------------------------|-------------------------|------------------------------"
    for connections in CONNECTIONS:
        daemon, parse, commit = (measured[server, connections] for server in SERVERS)
        rate, parsed, committed = (median(figures, "rate") for figures in (daemon, parse, commit))
        p50, p99 = median(daemon, "p50") * 1000, median(daemon, "p99") * 1000
        yield (
            f"{connections:11d} | {rate:8.0f}  {p50:8.2f} {p99:8.2f} | {parsed:12.0f}  {rate / parsed:8.0%} "
            f"| {committed:18.0f}  {rate / committed:8.0%}"
        )
    refused = sum(figures.otherwise for of in measured.values() for figures in of)
    yield f"Answers other than 2xx, counted in no rate: {refused}."


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=1.2)
    asked = parser.parse_args()
    began = time.monotonic()
    lines = list(table(measure_all(asked.rounds, asked.seconds)))
    print(f"Bodies of one alert a second, each answered after its commit; medians of {asked.rounds} rounds.")
    print(
        f"{os.cpu_count()} processors shared by server and load, Python {platform.python_version()}, SQLite on {_ROOT}."
    )
    print()
    print("\n".join(lines))
    print(f"Took {time.monotonic() - began:.0f} s.")


if __name__ == "__main__":
    main()

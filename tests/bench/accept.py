"""Bodies a second that are answered after their commit."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tests.bench.servers import ROOT, empty_folder, running

CASES = ((1, 1), (16, 1), (64, 1), (64, 10), (64, 100))
"""Connections, and alerts in a body."""
SERVERS = ("daemon", "parse", "journal", "commit")


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """One measurement."""

    rate: float
    otherwise: int
    p50: float
    p99: float


def load(port: int, connections: int, seconds: float, *, alerts: int = 1, warm: float = 0.5) -> Figures:
    """Post to a server from a process of its own."""
    command = [
        sys.executable, "-m", "tests.bench.load", str(port), str(connections), "--seconds", str(seconds),
        "--alerts", str(alerts), "--warm", str(warm),
    ]  # fmt: skip
    said = json.loads(subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout)
    return Figures(
        rate=said["answered"] / said["seconds"], otherwise=said["otherwise"], p50=said["p50"], p99=said["p99"]
    )


def report(rounds: int, seconds: float) -> Iterator[str]:
    """Measure every server in every case."""
    yield "Bodies a second answered after the commit (parse: no commit; journal: no parsing; commit: both)."
    yield "connections  alerts | daemon/s   p50 ms   p99 ms | parse only      journal        parse and commit"
    refused = 0
    for connections, alerts in CASES:
        found: dict[str, list[Figures]] = {server: [] for server in SERVERS}
        for turn in range(rounds):
            for server in SERVERS[turn % 4 :] + SERVERS[: turn % 4]:
                with empty_folder() as folder, running(server, folder) as it:
                    found[server].append(load(it.port, connections, seconds, alerts=alerts))
        rates = {server: median(found[server], "rate") for server in SERVERS}
        floors = "  ".join(f"{rates[floor]:6.0f} {rates['daemon'] / rates[floor]:5.2f}x" for floor in SERVERS[1:])
        p50, p99 = (median(found["daemon"], of) * 1000 for of in ("p50", "p99"))
        refused += sum(figures.otherwise for figures in found["daemon"])
        yield f"{connections:11d} {alerts:7d} | {rates['daemon']:8.0f} {p50:8.2f} {p99:8.2f} | {floors}"
    yield f"Answers other than 2xx, counted in no rate: {refused}."


def median(figures: Sequence[Figures], of: str) -> float:
    """Give the median of one figure over the rounds."""
    middle: float = statistics.median(getattr(one, of) for one in figures)
    return middle

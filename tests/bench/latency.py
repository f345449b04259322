"""From a webhook's first byte to the notification that leaves because of it: the rule declares, the sink is HTTP."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.bench.figures import Figure, Line, Section, Size
from tests.bench.load import Seen
from tests.bench.probes import Heard
from tests.bench.servers import ROOT, Running, empty_folder, load, running
from tests.ports import unused_port

IDLE_P50, IDLE_P99, BUSY_P99, HUNG_P99 = 10.0, 50.0, 150.0, 1000.0
"""Milliseconds."""
_HUNG = tuple(f"hung-{number}" for number in range(1, 9))
"""People whose channels take a connection and never answer."""
_BESIDE = 10.0
"""Probes a second beside a load of other alerts."""
_FLOOD = 300
"""Probes at once, to find how many a second the daemon can declare and notify of."""
_WARM = 3
CONFIG = """kind: config
include: []
---
kind: rules
rules:
  - name: probes
    match: ['alertname=~"Probe[0-9]+"']
    severity: sev1
    urgency: business_critical
    decide: declare
    page: everybody
    correlate_by: [alertname]
  - name: others
    match: []
    severity: sev4
    decide: record
---
kind: people
people:
  ana: {{name: Ana, channels: {{chat: {{url_file: ana.url, limit: 100000 in 1m}}}}}}
  ben: {{name: Ben, channels: {{chat: {{url_file: ben.url, limit: 100000 in 1m}}}}}}
{hung}
---
kind: teams
teams: {{everybody: {{people: [{people}]}}}}
---
kind: escalations
escalations:
  everybody: {{business_critical: {{levels: [{{after: 0m, page: {{team: everybody}}}}]}}}}
"""


@dataclass(slots=True, kw_only=True)
class Bench:
    """A daemon, and what is asked of it. Ana's channel answers at once, Ben's after two seconds."""

    it: Running
    probes: subprocess.Popen[str]
    loads: list[Seen] = field(default_factory=list)

    def probe(self, **asked: float) -> Heard:
        """Send probes and give what became of them; `asked` is what `tests.bench.probes` is asked."""
        assert self.probes.stdin is not None
        assert self.probes.stdout is not None
        self.probes.stdin.write(json.dumps(asked) + "\n")
        self.probes.stdin.flush()
        if not (line := self.probes.stdout.readline()):
            raise RuntimeError("the probes failed; their last words are above")
        return Heard(**json.loads(line))

    @contextmanager
    def loaded(self, rate: float, seconds: float, first: int) -> Iterator[None]:
        """Post other alerts at a rate for as long as the block runs, or longer."""
        posting = threading.Thread(target=lambda: self.loads.append(load(
            self.it.port, 64, rate=round(rate, 1), seconds=seconds, first=first,
        )))  # fmt: skip
        posting.start()
        try:
            yield
        finally:
            posting.join()


def report(size: Size) -> Iterator[Line]:
    """Probe an idle daemon, then one at half of what it can do, then the same while one target is slow."""
    with _daemon("ana") as bench:
        bench.probe(count=_WARM)  # they pay for imports
        idle = bench.probe(count=size.probes)
        yield Figure(what="Idle, p50", value=idle.p50 * 1000, unit=" ms", digits=1, most=IDLE_P50)
        yield Figure(what="Idle, p99", value=idle.p99 * 1000, unit=" ms", digits=1, most=IDLE_P99)
        yield Figure(what="Idle, notifications that never came", value=idle.missing + idle.unanswered, most=0)
        declares, takes_in = _most(bench, size)
        yield f"At most it declares and notifies of {declares:.0f} alerts a second, and takes in {takes_in:.0f} others."
        yield from _half(bench, size, declares, takes_in, "")
    with _daemon("ana, ben") as bench:
        bench.probe(count=_WARM)
        yield from _half(bench, size, declares, takes_in, ", one target takes 2 s to answer")
    with _daemon(", ".join(("ana", *_HUNG))) as bench:
        bench.probe(count=_WARM)
        heard = bench.probe(rate=_BESIDE, seconds=size.probed)
        yield from _busy(f"{len(_HUNG)} other channels hang, {_BESIDE:.0f}/s", heard, most=HUNG_P99)


def _half(bench: Bench, size: Size, declares: float, takes_in: float, when: str) -> Iterator[Line]:
    heard = bench.probe(rate=declares / 2, seconds=size.probed)
    yield from _busy(f"All declare, {declares / 2:.0f}/s{when}", heard)
    bench.it.drained()
    with bench.loaded(takes_in / 2, size.probed + 2, first=len(bench.loads) * 10_000_000 + 50_000_000):
        heard = bench.probe(rate=_BESIDE, seconds=size.probed)
    yield from _busy(f"Beside {takes_in / 2:.0f}/s of others{when}", heard)
    bench.it.drained()


def _busy(what: str, heard: Heard, *, most: float = BUSY_P99) -> Iterator[Line]:
    yield Figure(
        what=f"{what}, p99", value=heard.p99 * 1000, unit=" ms", digits=1, most=most,
        note=f"p50 {heard.p50 * 1000:.1f} ms of {heard.sent}, slowest {heard.slowest * 1000:.0f} ms",
    )  # fmt: skip
    lost = heard.missing + heard.unanswered
    yield Figure(what=f"{what}, notifications that never came", value=lost, most=0)


def _most(bench: Bench, size: Size) -> tuple[float, float]:
    """Find how many alerts a second it can declare and notify of, and how many it can take in and decide."""
    declares = bench.probe(count=min(_FLOOD, 10 * size.probes), flood=True).rate
    bench.it.drained()
    seen = load(bench.it.port, 64, seconds=size.probed / 3)
    bench.it.drained()
    return declares, seen.answered / (time.perf_counter() - seen.began)


@contextmanager
def _daemon(people: str) -> Iterator[Bench]:
    with empty_folder() as folder, socket.create_server(("127.0.0.1", 0), backlog=1024) as silent:
        sinks = unused_port(), unused_port()
        config = _files(folder, people, {"ana": sinks[0], "ben": sinks[1], "hung": silent.getsockname()[1]})
        with running("daemon", folder, "--config.file", str(config)) as it:
            command = [sys.executable, "-m", "tests.bench.probes", *map(str, (it.port, *sinks))]
            pipe = subprocess.PIPE
            with subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, text=True) as probes:
                try:
                    yield Bench(it=it, probes=probes)
                finally:
                    probes.kill()


def _files(folder: Path, people: str, ports: dict[str, int]) -> Path:
    for name, port in ports.items():
        (folder / f"{name}.url").write_text(f"json://127.0.0.1:{port}/")
    config = folder / "incidentd.yaml"
    hung = (f"  {name}: {{name: {name}, channels: {{chat: {{url_file: hung.url}}}}}}" for name in _HUNG)
    config.write_text(CONFIG.format(people=people, hung="\n".join(hung)))
    return config


def takes(size: Size) -> float:
    """Give about how many seconds it takes."""
    return 5 * (size.probed + 3) + size.probed + 0.02 * size.probes + 15


SECTION = Section(about="from a webhook to its notification", report=report, takes=takes)

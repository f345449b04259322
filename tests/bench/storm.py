"""A real Alertmanager that has thousands of groups to deliver at once, each over a connection of its own."""

from __future__ import annotations

import json
import resource
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.bench.figures import Figure, Line, Section, Size
from tests.bench.servers import Running, empty_folder, metric, running, scrape
from tests.ports import unused_port
from tests.programs import path_of

WITHIN = 10.0
"""Seconds from the first alert that Alertmanager is told of until all groups are stored and answered."""
P99 = 2.0
"""Seconds that Alertmanager waits for an answer."""
LOG_LINES = 100
DESCRIPTORS = 1024
"""What a shell allows by itself."""
_NAMES = 5
"""Alert names; each becomes one hold, of which the log tells."""
_EACH = 500
"""Alerts in a request to Alertmanager."""
_PATIENCE = 180.0
_TRIES = "alertmanager_notification_requests"
_WEBHOOK = 'integration="webhook"'


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One storm."""

    words: str
    groups: int
    files: str = ""
    """What `ulimit` is told for the daemon."""
    interval: str = "5m"
    """Alertmanager's group_interval: when what failed is delivered again."""
    sheds: bool = False
    """Whether the daemon has too few descriptors to take all of it at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Weathered:
    """What was seen of one."""

    seconds: float
    failed: int
    requests: int
    p99: float
    soon: float
    """Share of the answers that came within a second, which is where Alertmanager's first bucket ends."""
    missing: int
    log_lines: int
    errors: int
    """Of them."""


def report(size: Size) -> Iterator[Line]:
    """Let storms come over daemons with different descriptor limits."""
    yield "A group is one alert; Alertmanager delivers each on a connection of its own, a second after it was told."
    for case in _cases(size):
        yield from _lines(case, timed=case.groups == size.groups[0] and not case.sheds)


def _cases(size: Size) -> list[Case]:
    some, more = size.groups
    soft = f"-Sn {DESCRIPTORS}"
    hard = f"-n {min(DESCRIPTORS, resource.getrlimit(resource.RLIMIT_NOFILE)[1])}"
    cases = [
        Case(words=f"{some:,} groups", groups=some),
        Case(words=f"{more:,} groups", groups=more),
        Case(words=f"{some:,} groups, soft limit {DESCRIPTORS}", groups=some, files=soft),
        Case(words=f"{more:,} groups, soft limit {DESCRIPTORS}", groups=more, files=soft),
        Case(words=f"{some:,} groups, hard limit {DESCRIPTORS}", groups=some, files=hard, interval="10s", sheds=True),
    ]
    return cases[2::2] if size.quick else cases


def _lines(case: Case, *, timed: bool) -> Iterator[Line]:
    it = _weather(case)
    yield (
        f"{case.words}: over after {it.seconds:.1f} s; {it.requests} tries, {it.failed} notifications failed; "
        f"{it.soon:.1%} answered within 1 s, p99 {it.p99:.2f} s; {it.log_lines} log lines."
    )
    if timed:
        yield Figure(what=f"{case.words}, all answered after", value=it.seconds, unit=" s", digits=1, most=WITHIN)
        yield Figure(what=f"{case.words}, p99", value=it.p99, unit=" s", digits=2, most=P99)
    if case.sheds:
        yield Figure(what=f"{case.words}, log lines", value=it.log_lines, most=LOG_LINES - 1)
    else:
        yield Figure(what=f"{case.words}, failed notifications", value=it.failed, most=0)
    yield Figure(what=f"{case.words}, groups that never came", value=it.missing, most=0)
    yield Figure(what=f"{case.words}, errors in the log", value=it.errors, most=0)


def _weather(case: Case) -> Weathered:
    with (
        empty_folder() as folder,
        running("daemon", folder, files=case.files) as it,
        _alertmanager(folder, it, case) as am,
    ):
        began = time.monotonic()
        _tell(am, case.groups)
        while (missing := case.groups - _delivered(am, it)) > 0 and time.monotonic() - began < _PATIENCE:
            time.sleep(0.1)
        seconds = time.monotonic() - began
        it.drained()
        scraped, log = scrape(am), (folder / "log").read_text(errors="replace")
        return Weathered(
            seconds=seconds, missing=max(missing, case.groups - it.alerts(), 0),
            failed=int(metric(scraped, "alertmanager_notifications_failed_total", _WEBHOOK)),
            requests=int(metric(scraped, f"{_TRIES}_total", _WEBHOOK)),
            p99=_p99(scraped), soon=_within(scraped, "1"), log_lines=log.count("\n"),
            errors=log.count('"level":"error"') + log.count("Traceback"),
        )  # fmt: skip


def _delivered(am: str, it: Running) -> int:
    """Count the groups that are stored, and of which Alertmanager knows so."""
    scraped = scrape(am)
    tries, failed = (metric(scraped, f"{_TRIES}{what}_total", _WEBHOOK) for what in ("", "_failed"))
    # what was tried again may be stored twice, so then the alerts are counted, of which each group has one
    stored = it.alerts() if failed else it.ask("SELECT count(*) FROM inbox")[0]
    return min(int(tries - failed), stored)


def _within(scraped: str, bound: str) -> float:
    """Give the share of the answers that came within so many seconds, of which there is a bucket."""
    name = "alertmanager_notification_latency_seconds"
    number = metric(scraped, f"{name}_count", _WEBHOOK)
    return metric(scraped, f"{name}_bucket", _WEBHOOK, f'le="{bound}"') / number if number else 0.0


def _p99(scraped: str) -> float:
    """Estimate it as PromQL's histogram_quantile does: evenly within a bucket."""
    below, before = 0.0, 0.0
    for bound in _BUCKETS:
        until = _within(scraped, bound)
        if until >= 0.99:
            return below + (float(bound) - below) * (0.99 - before) / (until - before)
        below, before = float(bound), until
    return below  # PromQL gives the last bound, too


_BUCKETS = ("1", "5", "10", "15", "20")
"""Alertmanager's own."""


def _tell(am: str, groups: int) -> None:
    """Tell Alertmanager of one alert a group, as Prometheus does."""
    now = datetime.now(UTC)
    times = {"startsAt": now.isoformat(), "endsAt": (now + timedelta(hours=1)).isoformat()}
    for first in range(0, groups, _EACH):
        alerts = [
            {"labels": {"alertname": f"Storm{n % _NAMES}", "instance": f"host-{n}", "severity": "warning"}, **times}
            for n in range(first, min(first + _EACH, groups))
        ]
        request = urllib.request.Request(
            f"{am}/api/v2/alerts", json.dumps(alerts).encode(), {"Content-Type": "application/json"}
        )
        urllib.request.urlopen(request, timeout=60).close()


@contextmanager
def _alertmanager(folder: Path, it: Running, case: Case) -> Iterator[str]:
    """Run one that groups by instance, and give its URL."""
    url = f"http://127.0.0.1:{unused_port()}"
    hooks = [{"url": f"http://127.0.0.1:{it.port}/api/v1/alertmanager", "send_resolved": True}]
    route = {
        "receiver": "incidentd", "group_by": ["instance"], "group_wait": "1s", "group_interval": case.interval,
        "repeat_interval": "4h",
    }  # fmt: skip
    config = {"route": route, "receivers": [{"name": "incidentd", "webhook_configs": hooks}]}
    (folder / "alertmanager.yml").write_text(json.dumps(config))  # JSON is YAML
    command = [
        path_of("alertmanager"), f"--config.file={folder}/alertmanager.yml", f"--storage.path={folder}/alertmanager",
        f"--web.listen-address={url.removeprefix('http://')}", "--cluster.listen-address=",
    ]  # fmt: skip
    with (folder / "alertmanager.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        _await_ready(url)
        yield url
    finally:
        process.kill()
        process.wait()


def _await_ready(url: str) -> None:
    until = time.monotonic() + 30
    while time.monotonic() < until:
        try:
            urllib.request.urlopen(f"{url}/-/ready", timeout=1).close()
            return
        except (urllib.error.URLError, OSError):
            time.sleep(0.05)
    raise RuntimeError("Alertmanager is not ready after 30 s")


def takes(size: Size) -> float:
    """Give about how many seconds it takes."""
    return sum((30 if case.sheds else 4) * (not size.quick) + 4 + case.groups / 700 for case in _cases(size))


SECTION = Section(
    about="a real Alertmanager with thousands of groups", report=report, takes=takes, needs=("alertmanager",)
)

"""Memory and start-up with many alerts stored."""

from __future__ import annotations

import json
import os
import time
import urllib.request
from collections.abc import Iterator

from tests.bench.accept import load
from tests.bench.servers import Running, empty_folder, metric, running

ALERTS = int(os.environ.get("INCIDENTD_BENCH_ALERTS", "20000"))
"""100,000 for the figure that counts."""


def report(rounds: int, seconds: float) -> Iterator[str]:
    """Store many alerts; look at memory, at a new start, and at what a webhook costs before and after."""
    del rounds
    with empty_folder() as folder:
        with running("daemon", folder) as it:
            yield f"Empty: ready after {it.ready_after:.2f} s, {it.memory:.0f} MiB."
            _fill(it, 1000)
            few = load(it.port, 16, seconds).rate
            _fill(it, ALERTS)
            many = load(it.port, 16, seconds).rate
            cost = few / many
            yield f"{ALERTS} alerts stored: {it.memory:.0f} MiB; a webhook costs {cost:.2f} times that with 1,000."
        with running("daemon", folder) as it:
            yield f"Started with them: ready after {it.ready_after:.2f} s, {it.memory:.0f} MiB."


def _fill(it: Running, alerts: int) -> None:
    """Store this many alerts, a hundred a body, and wait until they are unpacked."""
    for first in range(0, alerts, 100):
        body = {"groupKey": f"{alerts}/{first}", "alerts": [_alert(f"{alerts}-{first + n}") for n in range(100)]}
        url = f"http://127.0.0.1:{it.port}/api/v1/alertmanager"
        urllib.request.urlopen(url, data=json.dumps(body).encode(), timeout=60).close()
    while metric(it.port, "incidentd_inbox_length"):
        time.sleep(0.1)


def _alert(name: str) -> dict[str, object]:
    labels = {"alertname": "Filled", "instance": f"host-{name}", "job": "worker", "env": "prod", "severity": "warning"}
    return {
        "status": "firing",
        "labels": labels,
        "annotations": {"summary": "it is"},
        "startsAt": "2026-11-24T14:00:00Z",
    }

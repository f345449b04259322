"""From a webhook's first byte to the notification that leaves because of it: the rule declares, the sink is HTTP."""

from __future__ import annotations

import json
import statistics
import threading
import time
import urllib.request
from collections.abc import Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tests.bench.load import percentile
from tests.bench.servers import empty_folder, running

ALERTS = 40
CONFIG = """kind: config
include: []
---
kind: rules
rules:
  - name: all
    match: []
    severity: sev1
    urgency: business_critical
    decide: declare
    page: default
    correlate_by: [n]
---
kind: people
people: {ana: {name: Ana, channels: {push: {url_file: ana.url}}}}
"""


def report(rounds: int, seconds: float) -> Iterator[str]:
    """Send one alert after the other to an idle daemon, and wait for each notification."""
    del rounds, seconds
    arrived: dict[str, float] = {}
    news = threading.Condition()

    class Sink(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            at = time.monotonic()
            self.send_response(200)
            self.end_headers()
            with news:
                arrived.setdefault(json.loads(body)["title"].split()[1], at)
                news.notify_all()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    sink = ThreadingHTTPServer(("127.0.0.1", 0), Sink)
    threading.Thread(target=sink.serve_forever, daemon=True).start()
    with empty_folder() as folder:
        (folder / "ana.url").write_text(f"json://127.0.0.1:{sink.server_address[1]}/")
        (folder / "incidentd.yaml").write_text(CONFIG)
        took = _one_by_one(folder, arrived, news)
    sink.shutdown()
    p50, p99 = statistics.median(took) * 1000, percentile(took, 0.99) * 1000
    yield f"Idle, {len(took)} alerts one after the other: p50 {p50:.1f} ms, p99 {p99:.1f} ms."


def _one_by_one(folder: Path, arrived: dict[str, float], news: threading.Condition) -> list[float]:
    took = []
    with running("daemon", folder, "--config.file", str(folder / "incidentd.yaml")) as it:
        for number in range(ALERTS):
            name = f"A{number}"
            alert = {
                "status": "firing",
                "labels": {"alertname": name, "n": str(number)},
                "startsAt": "2026-11-24T14:00:00Z",
            }
            began = time.monotonic()
            url = f"http://127.0.0.1:{it.port}/api/v1/alertmanager"
            urllib.request.urlopen(url, data=json.dumps({"alerts": [alert]}).encode(), timeout=10).close()
            with news:
                if not news.wait_for(partial(arrived.__contains__, name), timeout=20):
                    raise RuntimeError(f"no notification came for {name}; it arrived: {sorted(arrived)}")
            took.append(arrived[name] - began)
    return took[2:]  # the first two pay for imports

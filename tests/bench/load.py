"""The load: one process that posts bodies, all different, over connections that stay open.

    python -m tests.bench.load PORT CONNECTIONS --warm 0.5 --seconds 1.5

Prints one JSON object: how many were answered 2xx and how many otherwise, in how many seconds, and the latencies.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import time
from dataclasses import dataclass, field

PATH = "/api/v1/alertmanager"
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


def _template(alerts: int) -> tuple[bytes, ...]:
    """Give a request in pieces; between them goes the number that makes its alerts its own."""
    number = "{number}"
    alert = {
        "status": "firing",
        "labels": {
            "alertname": "QueueLagHigh", "cluster": "eu-1", "env": "prod", "instance": f"worker-{number}:9100",
            "job": "worker", "service": "mail", "severity": "warning", "team": "platform",
        },
        "annotations": {
            "summary": f"Queue of worker-{number} is 812 jobs behind",
            "description": "The queue grows faster than it is worked off; customers wait for their mail.",
            "runbook_url": "https://runbooks.example.org/queue-lag",
        },
        "startsAt": "2026-11-24T14:07:00.123Z", "endsAt": "0001-01-01T00:00:00Z",
        "generatorURL": "http://prometheus.example.org/graph?g0.expr=queue_lag+%3E+500&g0.tab=1",
        "fingerprint": f"0000{number}",
    }  # fmt: skip
    group = {"alertname": "QueueLagHigh", "instance": f"worker-{number}:9100"}
    body = {
        "receiver": "incidentd", "status": "firing", "groupLabels": group,
        "alerts": [alert | {"fingerprint": f"{nth:04x}{number}"} for nth in range(alerts)],
        "commonLabels": alert["labels"], "commonAnnotations": alert["annotations"],
        "externalURL": "http://alertmanager.example.org", "version": "4", "truncatedAlerts": 0,
        "groupKey": '{}:{alertname="QueueLagHigh", instance="worker-' + number + ':9100"}',
    }  # fmt: skip
    written = json.dumps(body) + "\n"
    length = len(written.replace(number, "0" * 12))
    head = (
        f"POST {PATH} HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: Alertmanager/0.28.0\r\n"
        f"Content-Length: {length}\r\nContent-Type: application/json\r\n\r\n"
    )
    return tuple((head + written).encode().split(number.encode()))


@dataclass(slots=True)
class Seen:
    """What came back."""

    answered: int = 0
    otherwise: int = 0
    latencies: list[float] = field(default_factory=list)


class Load:
    """Connections that post as fast as they are answered."""

    def __init__(self, port: int, alerts: int) -> None:
        self._port = port
        self._pieces = _template(alerts)
        self._next = 0
        self._counting: Seen | None = None
        self._over = False

    async def run(self, connections: int, warm: float, seconds: float) -> tuple[Seen, float]:
        """Post from all connections; count after the warm-up only. Gives what was seen in how many seconds."""
        tasks = [asyncio.create_task(self._one()) for _ in range(connections)]
        await asyncio.sleep(warm)
        seen = self._counting = Seen()
        began = time.perf_counter()
        await asyncio.sleep(seconds)
        took, self._counting, self._over = time.perf_counter() - began, None, True
        await asyncio.gather(*tasks)
        return seen, took

    async def _one(self) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        while not self._over:
            self._next += 1
            began = time.perf_counter()
            writer.write((b"%012d" % self._next).join(self._pieces))
            head = await reader.readuntil(b"\r\n\r\n")
            found = _LENGTH.search(head)
            if found:
                await reader.readexactly(int(found[1]))
            if (seen := self._counting) is not None:
                good = head.startswith(b"HTTP/1.1 2")
                seen.answered += good
                seen.otherwise += not good
                seen.latencies.append(time.perf_counter() - began)
        writer.close()
        await writer.wait_closed()


def percentile(values: list[float], share: float) -> float:
    """Give the value that this share of the values does not exceed; 0 of none."""
    return sorted(values)[min(int(len(values) * share), len(values) - 1)] if values else 0.0


def main() -> None:
    """Read the command line, load, and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("port", type=int)
    parser.add_argument("connections", type=int)
    parser.add_argument("--warm", type=float, default=0.5)
    parser.add_argument("--seconds", type=float, default=1.5)
    parser.add_argument("--alerts", type=int, default=1, help="alerts in a body")
    asked = parser.parse_args()
    seen, took = asyncio.run(Load(asked.port, asked.alerts).run(asked.connections, asked.warm, asked.seconds))
    figures = {
        "answered": seen.answered, "otherwise": seen.otherwise, "seconds": took,
        "p50": percentile(seen.latencies, 0.5), "p99": percentile(seen.latencies, 0.99),
    }  # fmt: skip
    print(json.dumps(figures))


if __name__ == "__main__":
    main()

"""Runners and steps for the tests of the runner."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from incidentd.playbooks import Step
from incidentd.playbooks.errands import Issue, SilenceOrder, TicketOrder
from incidentd.redaction import Redactor, Secret
from incidentd.runner import Runner
from tests.doors.web_double import session

SECRET = "sesame-open-0815"


class Source:
    """A Prometheus that gives what it is told, and remembers what it was asked."""

    def __init__(self, *answers: float | Exception | None) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[str, str]] = []

    async def __call__(self, source: str, promql: str) -> float | None:
        self.asked.append((source, promql))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


class Silencer:
    """An Alertmanager that makes each silence once, as the door does, and fails as it is told."""

    def __init__(self, failure: Exception | None = None) -> None:
        self.failure = failure
        self.asked: list[tuple[str, SilenceOrder]] = []

    async def __call__(self, source: str, wanted: SilenceOrder) -> str:
        self.asked.append((source, wanted))
        if self.failure is not None:
            raise self.failure
        return "51973eae"


class Filer:
    """A Jira that has each ticket once, as the door does, and fails as it is told."""

    def __init__(self, failure: Exception | None = None) -> None:
        self.failure = failure
        self.asked: list[tuple[TicketOrder, timedelta]] = []

    async def __call__(self, wanted: TicketOrder, within: timedelta) -> Issue:
        self.asked.append((wanted, within))
        if self.failure is not None:
            raise self.failure
        return Issue(key="OPS-7", url="http://jira/browse/OPS-7")


@asynccontextmanager
async def running(
    query: Source | None = None, env: Mapping[str, str] | None = None, **more: Any
) -> AsyncIterator[Runner]:
    redact = Redactor()
    redact.know([Secret(SECRET)])
    async with session() as ours:
        more.setdefault("silence", Silencer())
        more.setdefault("ticket", Filer())
        yield Runner(ours, query or Source(None), redact, env or {"PATH": "/usr/bin:/bin"}, **more)


def command(*argv: str, seconds: float = 20, **more: Any) -> Step:
    return Step(name="step", kind="command", args=list(argv), timeout=timedelta(seconds=seconds), **more)


def shell(script: str, seconds: float = 20, **more: Any) -> Step:
    return command("sh", "-c", script, seconds=seconds, **more)


def alive(pid_file: Path) -> bool:
    """Say whether the process whose id stands in the file still runs; a zombie does not."""
    stat = Path("/proc") / pid_file.read_text().strip() / "stat"
    try:
        return stat.read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False

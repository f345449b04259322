"""What a kind of step is: an async function that does one try of a step with the tools that the runner has."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta

import aiohttp

from incidentd.playbooks import Step, StepResult
from incidentd.playbooks.errands import Errand, Issue, SilenceOrder, TicketOrder
from incidentd.text import plain


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """What steps are done with; the app hands it over."""

    session: aiohttp.ClientSession
    query: Callable[[str, str], Awaitable[float | None]]
    """Given a source and a PromQL query, the one number that it gives; None when it gives none."""
    redact: Callable[[str], str]
    silence: Callable[[str, SilenceOrder], Awaitable[str]]
    """Given a source and what is to be silent there, the id of the silence, which is made once."""
    ticket: Callable[[TicketOrder, timedelta], Awaitable[Issue]]
    """Given what is to be in the backlog, and for how long to try, where it is; it is made once."""
    env: Mapping[str, str]
    """The environment of programs, already brought down to what they may see."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One try of one step."""

    step: Step
    context: Mapping[str, object]
    """What the step's templates may name."""
    source: str
    """The monitoring world whose Prometheus answers."""
    tools: Tools
    errand: Errand


Kind = Callable[[Call], Awaitable[StepResult]]
"""Does one try, within the step's timeout and five seconds to end it. May raise BadTemplate, TemporaryError and
PermanentError, which become the step's failure; nothing else."""


EDGE = 1024
"""Bytes kept beyond a cut, so that a secret that the cut goes through is seen whole; taken away again afterwards."""


def harmless(output: str) -> str:
    """Show what a program or a server gave without its control characters; lines stay lines."""
    return "\n".join(plain(line.rstrip("\r"), len(line) + 1) for line in output.split("\n"))

"""On whose behalf a step is done, by names that other systems can be given, and what a run orders there."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from incidentd.actionitems import LABEL_LIMIT
from incidentd.matchers import Matcher, parse_matcher
from incidentd.playbooks import Run
from incidentd.templates import BadTemplate, compile_template
from incidentd.text import plain

_MARKED = re.compile(r"\(RUN-[0-9]+@[0-9]+/(?:steps|rollback)/[0-9]+\)")
_BY = "incidentd "
SUMMARY_LIMIT = 255
"""Characters in the summary of an issue, of Jira's making."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Errand:
    """The run that a step is done for."""

    run: str = "RUN-0"
    playbook: str = ""
    subject: str = ""
    target: str = ""
    key: str = "RUN-0@0/steps/0"
    """Names this one step of this one run in other systems; the same at each try, and after a crash."""
    teams: tuple[str, ...] = ()
    """Those of its hold or incident, the first ones first; only a step that goes by them is told."""


def errand_of(run: Run, teams: tuple[str, ...] = ()) -> Errand:
    """Give what the step that a run is at is done for."""
    key = f"{mark_of(run)}/{run.phase}/{run.cursor}"
    return Errand(run=run.key, playbook=run.playbook, subject=run.subject, target=run.target, key=key, teams=teams)


def mark_of(run: Run) -> str:
    """Name a run for other systems, which another database of ours, with a run of this number, may use as well."""
    return f"{run.key}@{int(run.started_at.timestamp() * 1000)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class SilenceOrder:
    """A silence that a step wants to be there."""

    matchers: tuple[Matcher, ...]
    lasts: timedelta
    """It ends by itself after this time, whatever becomes of the run."""
    by: str
    comment: str
    key: str

    def __str__(self) -> str:
        return f"{{{', '.join(map(str, self.matchers))}}}"


def order(args: Mapping[str, Any], context: Mapping[str, object], lasts: timedelta, errand: Errand) -> SilenceOrder:
    """Fill in a silence. Each value stays inside its matcher, and means itself in a pattern. Raises BadTemplate."""
    said = plain(compile_template(args["comment"]).render(context), 200) if "comment" in args else ""
    why = f"{errand.playbook} for {errand.subject} on {plain(errand.target, 100)}"
    return SilenceOrder(
        matchers=tuple(_filled(text, context) for text in args["silence"]), lasts=lasts, by=f"{_BY}{errand.run}",
        comment=f"{said}{': ' if said else ''}{errand.run} of {why} ({errand.key})", key=errand.key,
    )  # fmt: skip


def _filled(written: str, context: Mapping[str, object]) -> Matcher:
    matcher = parse_matcher(written)
    guard = _in_pattern if matcher.op in ("=~", "!~") else _in_value
    return Matcher(matcher.name, matcher.op, compile_template(matcher.value).render(context, guard))


def _in_value(value: str, before: str) -> str:
    if not value:
        raise BadTemplate("a matcher would be filled with an empty value, which alerts without the label match")
    return value


def _in_pattern(value: str, before: str) -> str:
    return re.escape(_in_value(value, before))


def is_of_run(by: str, comment: str, mark: str = "") -> bool:
    """Say whether a silence was made by a step: of the run with this mark, by the one with this key, or of any."""
    found = list(_MARKED.finditer(comment)) if by.startswith(_BY) else []
    return bool(found) and (not mark or found[-1][0][1:].startswith((f"{mark}/", f"{mark})")))


@dataclass(frozen=True, slots=True, kw_only=True)
class TicketOrder:
    """An issue that a step wants to be in the backlog."""

    key: str
    """Names the step; by a label made of it the issue is found again before one is created."""
    summary: str
    description: str = ""
    project: str = ""
    """'' takes the one of the first of the teams that has one, else the configuration's."""
    teams: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    subject: str
    run: str
    playbook: str
    target: str

    def __str__(self) -> str:
        return f"{self.project}: {self.summary}" if self.project else self.summary


@dataclass(frozen=True, slots=True, kw_only=True)
class Issue:
    """Where an issue is."""

    key: str
    url: str


def ticket(args: Mapping[str, Any], context: Mapping[str, object], errand: Errand) -> TicketOrder:
    """Fill in a ticket. What values say is one line of it, and never more. Raises BadTemplate."""
    labels = (_filled_label(text, context) for text in args.get("labels", ()))
    summary = plain(compile_template(args["summary"]).render(context), SUMMARY_LIMIT).strip()
    if not summary:
        raise BadTemplate("the summary of the ticket would be empty")
    return TicketOrder(
        key=errand.key, summary=summary,
        description=compile_template(args.get("description", "")).render(context, _on_one_line),
        project=args.get("project", ""), teams=errand.teams, labels=tuple(labels), subject=errand.subject,
        run=errand.run, playbook=errand.playbook, target=errand.target,
    )  # fmt: skip


def _on_one_line(value: str, before: str) -> str:
    return plain(value)


def _filled_label(written: str, context: Mapping[str, object]) -> str:
    return plain(compile_template(written).render(context), LABEL_LIMIT)

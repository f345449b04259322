"""The one table of an incident's moves: from, to, why, who may, what must hold, and what it brings about.

The code refuses what stands in no row; docs/lifecycle.md and its diagram are written from the rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from incidentd.incidents.states import ACTIVE, Status


class Who(StrEnum):
    """Who may make a move, by their standing in the incident."""

    SYSTEM = "system"
    """incidentd itself, from what alerts and clocks say."""
    COMMANDER = "IC"
    EITHER_COMMANDER = "IC of either"
    """Of the incident that ends, or of the one that it goes into."""
    SURVIVORS_COMMANDER = "IC of survivor"
    OPERATIONS_LEAD = "OL"
    LEAD_WITHOUT_COMMANDER = "OL when no IC"
    ON_CALL = "on-call"
    ON_CALL_WITHOUT_COMMANDER = "on-call while there is no IC"
    RESPONDER = "responder"
    """Anybody with the right to respond."""
    MANAGER = "manager"
    """Whoever has the right to administer; they may make every other move of a person's, too."""


class Guard(StrEnum):
    """What must hold before a move, as code; the row says it in words."""

    NONE = "none"
    CAUSE_NAMED = "cause_named"
    QUIET = "quiet"
    REASON_CODE = "reason_code"
    SURVIVOR = "survivor"
    CRITERIA = "criteria"
    WAIVER = "waiver"
    REOPEN_WINDOW = "reopen_window"
    A_DAY = "a_day"
    REQUIRED = "required"
    PUBLISHED = "published"


@dataclass(frozen=True, slots=True, kw_only=True)
class Transition:
    """One row of the table."""

    source: Status
    to: Status
    trigger: str
    who: tuple[Who, ...]
    guard: Guard
    holds: str
    """The guard in words; '' for none."""
    effect: str


_D, _I, _N, _M = Status.DECLARED, Status.INVESTIGATING, Status.IDENTIFIED, Status.MITIGATED
_R, _P, _C, _S, _X = Status.RESOLVED, Status.POSTMORTEM, Status.CLOSED, Status.STOOD_DOWN, Status.MERGED
_LEADS = (Who.OPERATIONS_LEAD, Who.COMMANDER)


def _row(
    source: Status, to: Status, trigger: str, who: tuple[Who, ...], guard: Guard = Guard.NONE, *, holds: str = "",
    effect: str,
) -> Transition:  # fmt: skip
    return Transition(source=source, to=to, trigger=trigger, who=who, guard=guard, holds=holds, effect=effect)


def _merge(source: Status) -> Transition:
    return _row(
        source, _X, "same underlying problem", (Who.EITHER_COMMANDER, Who.ON_CALL), Guard.SURVIVOR,
        holds="the survivor is active and no part of this one",
        effect="the survivor takes over alerts, pages, what is open, promised updates and a copy of the timeline; "
        "severity is the worse of both; each points to the other",
    )  # fmt: skip


def _stand_down(source: Status) -> Transition:
    return _row(
        source, _S, "false alarm, or no incident", (Who.COMMANDER, Who.ON_CALL_WITHOUT_COMMANDER), Guard.REASON_CODE,
        holds="a reason code is given",
        effect="roles are released; the all-clear goes to everybody who was told; a quick review is made",
    )  # fmt: skip


def _mitigate(source: Status) -> Transition:
    return _row(
        source, _M, "impact stopped", (*_LEADS, Who.SYSTEM), Guard.QUIET,
        holds="the system only when every alert stayed resolved for the rule's `quiet`",
        effect="stamps mitigated_at; the clock of the exit criteria starts",
    )  # fmt: skip


def _resolve_at_once(source: Status) -> Transition:
    return _row(
        source, _R, "fixed and verified in one step", (Who.COMMANDER,), Guard.CRITERIA,
        holds="exit criteria are ticked, or waived with a reason", effect="mitigated_at is resolved_at",
    )  # fmt: skip


TABLE: tuple[Transition, ...] = (
    _row(
        _D, _I, "first answer to a page, or the IC accepts", (Who.RESPONDER, Who.SYSTEM),
        effect="stamps acknowledged_at; the clock for an answer stops",
    ),
    _merge(_D),
    _row(
        _D, _M, "alerts resolved before anybody engaged", (Who.SYSTEM,), Guard.QUIET,
        holds="every alert stayed resolved for the rule's `quiet`",
        effect="what was still to be sent is cancelled; for sev1 and sev2 one message says that somebody should look",
    ),
    _stand_down(_D),
    _row(
        _I, _N, "a contributing factor is named", _LEADS, Guard.CAUSE_NAMED,
        holds="the factor is named, or a hypothesis is marked as supported", effect="stamps identified_at",
    ),
    _merge(_I),
    _mitigate(_I),
    _resolve_at_once(_I),
    _stand_down(_I),
    _row(_N, _I, "hypothesis refuted", _LEADS, effect="clears identified_at; the history keeps it"),
    _merge(_N),
    _mitigate(_N),
    _resolve_at_once(_N),
    _stand_down(_N),
    _row(
        _M, _I, "impact returned", (Who.RESPONDER, Who.SYSTEM),
        effect="clears mitigated_at, the history keeps it; the policy is paged again",
    ),
    _merge(_M),
    _row(
        _M, _R, "exit criteria met", (Who.COMMANDER, Who.LEAD_WITHOUT_COMMANDER, Who.SYSTEM), Guard.CRITERIA,
        holds="exit criteria are ticked, or waived with a reason; the system only for sev3 and sev4 after 30 minutes "
        "without an alert",
        effect="stamps resolved_at; the postmortem has an owner",
    ),
    _stand_down(_M),
    _row(
        _R, _C, "no postmortem required, or waived", (Who.COMMANDER, Who.MANAGER), Guard.WAIVER,
        holds="a waiver has a reason; of sev1 and sev2 only a manager waives; nothing changed in production is left",
        effect="it is final",
    ),
    _row(
        _R, _I, "reopen", (Who.RESPONDER, Who.SYSTEM), Guard.REOPEN_WINDOW,
        holds="within 24 h by hand, within 60 min by an alert of the same key",
        effect="counted; the postmortem is a draft again",
    ),
    _row(
        _R, _P, "a postmortem is required", (Who.SYSTEM,), Guard.REQUIRED, holds="its severity asks for one",
        effect="the postmortem is drafted for its owner",
    ),
    _row(
        _P, _C, "postmortem published", (Who.SYSTEM,), Guard.PUBLISHED,
        holds="it is published and every action item is filed; nothing changed in production is left",
        effect="it is final; action items live on in the tracker",
    ),
    _row(
        _P, _I, "reopen", (Who.RESPONDER, Who.SYSTEM), Guard.REOPEN_WINDOW,
        holds="within 24 h by hand, within 60 min by an alert of the same key",
        effect="counted; the postmortem stays a draft and the timeline goes on",
    ),
    _row(
        _S, _I, "stand-down was wrong", (Who.RESPONDER, Who.SYSTEM), Guard.A_DAY,
        holds="within 24 h; new alerts of the same key do it by themselves",
        effect="counted; the policy is paged again",
    ),
    _row(
        _X, _I, "unmerge", (Who.SURVIVORS_COMMANDER,), Guard.A_DAY, holds="within 24 h",
        effect="alerts, pages and what is open go back; copies on the survivor's timeline stay, tagged",
    ),
)  # fmt: skip

MOVES = {(row.source, row.to): row for row in TABLE}
"""The rows by (from, to)."""


def allowed(source: Status) -> tuple[Status, ...]:
    """List the states that may follow a state, in the order of the table."""
    return tuple(row.to for row in TABLE if row.source is source)


def diagram() -> str:
    """Write the table as a Mermaid state diagram."""
    lines = ["stateDiagram-v2", "    [*] --> declared"]
    lines += [f"    {row.source} --> {row.to}: {row.trigger}" for row in TABLE]
    ends = [status for status in Status if not allowed(status)]
    lines += [f"    {status} --> [*]" for status in ends]
    lines += [f"    class {status} active" for status in Status if status in ACTIVE]
    return "\n".join([*lines, "    classDef active font-weight:bold"])

"""What a move is judged by: who asks for it, and what is known of the incident."""

from __future__ import annotations

from dataclasses import dataclass

from incidentd.incidents.states import StandDown


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Who asks for a move, as far as it matters for the incident."""

    name: str
    system: bool = False
    manager: bool = False
    on_call: bool = False
    commands_other: bool = False
    """They command the other incident of a merge."""
    counts: bool = True
    """False where no people are configured: there every name is as good as another."""


SYSTEM = Standing(name="incidentd", system=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What else guards ask for."""

    rank: int = 1
    """Of its severity; 1 is the worst."""
    cause: str = ""
    hypothesis_supported: bool = False
    code: StandDown | None = None
    waived: str = ""
    """Why something that is missing may be missing."""
    open_criteria: tuple[str, ...] = ()
    in_place: tuple[str, ...] = ()
    """Changes made to production that are still there."""
    postmortem_required: bool = False
    published: bool = False
    unfiled: tuple[str, ...] = ()
    """Action items that are not in the tracker."""


NOTHING = Known()

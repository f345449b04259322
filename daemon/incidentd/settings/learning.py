"""What the files say of postmortems."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from incidentd.library import STANDARD, Layout


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnLayout:
    """A layout of drafts for a severity, a team, or both; '' is any."""

    layout: Layout
    severity: str = ""
    team: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PostmortemSettings:
    """What needs a postmortem beside the severities, how it is reviewed, whom it reminds, and what becomes of it."""

    required_for: tuple[str, ...] = (
        "data_loss", "customer_first", "hands_on", "long", "playbook_worse", "held_again",
    )  # fmt: skip
    """What asks for one whatever the severity."""
    long: timedelta = timedelta(minutes=60)
    """What takes longer is `long`."""
    business_days: int = 5
    """When one is due whose severity names no date."""
    approvals: int = 2
    review_for: timedelta = timedelta(hours=24)
    """How long reviewers have it at least, unless the meeting is held."""
    manager: str = ""
    """Who is told five days after the date; '' is the lead of the incident's first team."""
    leads: tuple[str, ...] = ()
    """Who may make exceptions beside the teams' leads and the manager."""
    remind: bool = True
    """Whether its owner is reminded of its date."""
    publish: Path | None = None
    """The directory that published ones are written to; None: they are on the daemon's own pages only."""
    announce: tuple[str, ...] = ()
    """Channels that are told of each that is published."""
    layout: Layout = STANDARD
    """How a draft is laid out that none of the others is for."""
    layouts: tuple[OwnLayout, ...] = ()
    """Of several that fit an incident the first counts."""

    def layout_of(self, severity: str, teams: Collection[str]) -> Layout:
        """Give the layout for an incident of this severity and these teams."""
        for own in self.layouts:
            if own.severity in ("", severity) and (not own.team or own.team in teams):
                return own.layout
        return self.layout

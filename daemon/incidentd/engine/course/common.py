"""What both holds and incidents ask: may more fire than is listed, can Alertmanager be asked, how serious is it."""

from __future__ import annotations

from collections.abc import Callable

from incidentd.incidents import Incident
from incidentd.metrics import Metrics
from incidentd.settings import Settings
from incidentd.store import Tx, jobs, reconciling, subjects
from incidentd.text import count

_SELF_RESOLVED_IS_SAID = 2
"""Down to this rank of severity, people hear it when something resolved by itself before anybody answered."""


def can_be_asked(settings: Settings, source: str) -> bool:
    """Say whether a source has an Alertmanager that answers questions."""
    of = settings.sources.get(source)
    return of is not None and of.alertmanager is not None


def poll_key(source: str) -> str:
    """Name the job that asks a source's Alertmanager; its payload says how the last answer was."""
    return f"reconcile:{source}"


def unheard_of(tx: Tx, settings: Settings, subject: str, source: str) -> int:
    """Count alerts that may fire although no delivery lists them; none while Alertmanager's answers list all there are.

    Alertmanager that gives no answer, or not all of it, is as one that nobody asks.
    """
    left_out = reconciling.cut(tx, subject)
    if not left_out or not can_be_asked(settings, source):
        return left_out
    poll = jobs.live(tx, poll_key(source))
    return 0 if poll is not None and poll.payload.get("lists_all") else left_out


def is_asked(tx: Tx, source: str) -> bool:
    """Say whether an answer of a source's Alertmanager is on its way, and the last try did not fail."""
    poll = jobs.live(tx, poll_key(source))
    return poll is not None and not poll.payload["tries"] and (poll.leased_by is not None or poll.due_at <= tx.now)


def cut_text(unheard: int) -> str:
    """Say in words that a delivery did not list everything."""
    left_out = f"left out {count(unheard, 'alert')}" if unheard > 1 else "left one alert out"
    return f"All alerts that it lists are resolved, but Alertmanager {left_out} (max_alerts): it may still fire."


def is_serious(settings: Settings, severity: str) -> bool:
    """Say whether people hear of it when something of this severity resolved by itself."""
    known = settings.severities.get(severity)
    return known is not None and known.rank <= _SELF_RESOLVED_IS_SAID


def number_of(subject: str) -> int:
    """Give the number of `HOLD-7` or `INC-12`."""
    return int(subject.partition("-")[2])


def teams_of(tx: Tx, subject: str) -> tuple[str, ...]:
    """Name the teams of a hold or incident. Raises NotFound."""
    get = subjects.get_hold if subject.startswith("HOLD-") else subjects.get_incident
    return get(tx, number_of(subject)).teams


def measure(tx: Tx, incident: Incident, figures: Callable[[Metrics], None]) -> None:
    """Count something about an incident; a drill is in no metric."""
    if not incident.drill:
        tx.count(figures)


def rank_of(settings: Settings, severity: str) -> int:
    """Give the rank of a severity; one that the files do not know any more counts as the worst."""
    known = settings.severities.get(severity)
    return known.rank if known else 1

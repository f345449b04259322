"""What differs between two replays of the same history, for whoever tunes rules. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from incidentd.durations import about
from incidentd.rehearsal.replay import Fate, Firing, Replayed
from incidentd.text import count, instant, iso, labels_line

_NOTHING = Fate(decision="")
COUNTED = ("incidents", "holds", "tickets", "pages", "messages")


class Differs(StrEnum):
    """In what way."""

    DECLARED = "newly declared"
    NOT_DECLARED = "no longer declared"
    EARLIER = "declared earlier"
    LATER = "declared later"
    OTHERWISE = "decided otherwise"
    PAGES = "paged more or less"


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Alerts that were together in both replays, and of which other things came."""

    kind: Differs
    labels: dict[str, str]
    """Of the first of them."""
    alerts: int
    began: datetime
    before: Fate
    after: Fate

    @property
    def moved(self) -> timedelta:
        """How much later the incident is declared; negative when it is earlier."""
        if self.before.declared_at is None or self.after.declared_at is None:
            return timedelta(0)
        return self.after.declared_at - self.before.declared_at


def differences(before: Replayed, after: Replayed) -> list[Difference]:
    """Compare two replays; what is the same is left out. In the order of kinds, then of time."""
    together: dict[tuple[Fate, Fate], list[Firing]] = defaultdict(list)
    for key in sorted({*before.fates, *after.fates}, key=lambda key: key[2]):
        together[before.fates.get(key, _NOTHING), after.fates.get(key, _NOTHING)].append(key)
    labels = {**after.labels, **before.labels}
    found = [
        Difference(kind=kind, labels=labels[keys[0]], alerts=len(keys), began=keys[0][2], before=was, after=now)
        for (was, now), keys in together.items()
        if (kind := _kind(was, now)) is not None
    ]
    order = list(Differs)
    return sorted(found, key=lambda it: (order.index(it.kind), it.began))


def _kind(was: Fate, now: Fate) -> Differs | None:
    if was.declared_at is not None and now.declared_at is not None:
        if was.declared_at != now.declared_at:
            return Differs.EARLIER if now.declared_at < was.declared_at else Differs.LATER
    elif was.declared or now.declared:
        return Differs.DECLARED if now.declared else Differs.NOT_DECLARED
    if (was.decision, was.severity) != (now.decision, now.severity):
        return Differs.OTHERWISE
    return Differs.PAGES if was.pages != now.pages else None


# -- in words --------------------------------------------------------------------------------------------------------


def lines(found: Sequence[Difference]) -> Iterator[str]:
    """Say what differs, kind by kind."""
    for kind in Differs:
        its = [it for it in found if it.kind is kind]
        if its:
            yield f"\n{kind} ({len(its)})"
        for it in its:
            more = f" and {count(it.alerts - 1, 'more alert')}" if it.alerts > 1 else ""
            yield f"  {labels_line(it.labels)}{more}, firing since {instant(it.began)}"
            yield f"      {_fate(it.before)} -> {_fate(it.after)}{_by(it)}"


def _by(it: Difference) -> str:
    if not it.moved:
        return ""
    return f": {about(abs(it.moved))} {'later' if it.moved > timedelta(0) else 'earlier'}"


def _fate(it: Fate) -> str:
    pages = f", {count(it.pages, 'page')}"
    if it.declared_at is not None:
        return f"declared {instant(it.declared_at)} ({it.reason}, rule {it.rule}, {it.severity}{pages})"
    match it.decision:
        case "":
            return "nothing"
        case "record":
            return f"recorded (rule {it.rule})"
        case "ticket":
            return f"a ticket (rule {it.rule})"
        case _:
            return f"held, {it.reason} (rule {it.rule}, {it.severity}{pages})"


def table(before: Replayed, after: Replayed | None, names: tuple[str, str]) -> Iterator[str]:
    """Count what came of each, side by side."""
    yield f"{'':<12}{names[0]:>16}" + (f"{names[1]:>16}" if after else "")
    for what in COUNTED:
        was = getattr(before, what)
        line = f"{what:<12}{was:>16}"
        if after is not None:
            now = getattr(after, what)
            line += f"{now:>16}" + (f"{now - was:>+8}" if now != was else "")
        yield line


def as_data(found: Sequence[Difference]) -> list[dict[str, Any]]:
    """Write what differs for machines."""
    return [
        {
            "kind": it.kind.value, "labels": it.labels, "alerts": it.alerts, "began": iso(it.began),
            "moved_seconds": it.moved.total_seconds(), "before": fate_data(it.before), "after": fate_data(it.after),
        }
        for it in found
    ]  # fmt: skip


def fate_data(it: Fate) -> dict[str, Any]:
    """Write what became of an alert for machines."""
    return {
        "decision": it.decision, "rule": it.rule, "severity": it.severity, "declared_at": iso(it.declared_at),
        "reason": it.reason, "ended_at": iso(it.ended_at), "pages": it.pages,
    }  # fmt: skip

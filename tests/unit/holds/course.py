"""The course of a hold in pure turns: time passes, what falls due on the way is done, and what is said is kept."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from incidentd import holds
from incidentd.holds import OPEN, Hold, HoldPolicy, HoldState, Joining, Turn
from incidentd.timeline import Draft

START = datetime(2026, 11, 24, 14, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
POLICY = HoldPolicy(at="rules/platform.yaml:12")


def new_hold(
    firing: int = 1, policy: HoldPolicy = POLICY, *, at: datetime = START, carry: timedelta = timedelta(0)
) -> Turn:  # fmt: skip
    hold = Hold(
        id=7, source="prod", rule="queue-lag", correlation_key="k", title="QueueLag", severity="sev3", rank=3,
        urgency="urgent", impact_started_at=at, policy=policy, state=HoldState.HOLDING, opened_at=at, deadline_at=at,
        cap_at=at, firing=firing, peak=firing, best=firing, progress_at=at, reason="A rule says so.",
        services=("mail",), owners=("platform",), watches=holds.watches_for(policy, {"queue": "mail"}, {})[0],
    )  # fmt: skip
    return holds.open_hold(hold, carry=carry)


def like(**changes: object) -> Joining:
    """What an alert brings that joins, of the hold's own rule unless it is said otherwise."""
    it = Joining(
        rule="queue-lag", severity="sev3", rank=3, urgency="urgent", wait=30 * MINUTE, services=("mail",),
        owners=("platform",),
    )  # fmt: skip
    return replace(it, **changes)  # type: ignore[arg-type]  # fields of it


class Course:
    """One hold after another of the same alerts."""

    def __init__(self, firing: int = 1, policy: HoldPolicy = POLICY) -> None:
        self.now = START
        self.past: list[Hold] = []
        self.said: list[tuple[float, Draft]] = []
        turn = new_hold(firing, policy)
        self.hold = turn.hold
        self._take(turn)

    @property
    def minute(self) -> float:
        return (self.now - START) / MINUTE

    @property
    def ended(self) -> float:
        """The minute at which it ended."""
        assert self.hold.ended_at is not None
        return (self.hold.ended_at - START) / MINUTE

    @property
    def is_declared(self) -> bool:
        return self.hold.state is HoldState.DECLARED

    @property
    def deadline(self) -> float:
        return (self.hold.deadline_at - START) / MINUTE

    def at(self, minute: float) -> Course:
        until = START + minute * MINUTE
        while self.hold.state in OPEN and self.hold.state is not HoldState.SNOOZED:
            due = holds.next_due(self.hold)
            if due > until:
                break
            self.now = max(self.now, due)
            before = self.hold
            self._take(holds.time_passed(self.hold, self.now))
            assert self.hold != before, "a deadline that passed changes something"
        self.now = until
        return self

    def fires(self, firing: int, refired: int = 0, **how: int) -> Course:
        """Take so many alerts that fire now; after its end that opens a successor, which inherits."""
        if self.hold.state not in OPEN:
            self.past.append(self.hold)
            self._take(new_hold(firing, self.hold.policy, at=self.now, carry=holds.carry_over(self.hold, self.now)))
            return self
        return self.do(holds.alerts_changed, firing=firing, refired=refired, **how)

    def do(self, turn: Callable[..., Turn], *args: object, **how: object) -> Course:
        self._take(turn(self.hold, *args, **how, now=self.now))
        return self

    def _take(self, turn: Turn) -> None:
        self.hold = turn.hold
        self.said += [(self.minute, draft) for draft in turn.drafts]

    def words(self, kind: str) -> list[str]:
        return [draft.text for _, draft in self.said if draft.kind == kind]

    def signals(self, kind: str = "hold.ignored") -> list[object]:
        return [draft.data.get("signal") for _, draft in self.said if draft.kind == kind]

"""Each guard and each change of a mode is shown by a story, which says the very sentence that people read."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from incidentd.guards import GUARDS, Facts, every
from incidentd.playbooks import Limits, Mode, Promote, RunState, standing
from incidentd.settings import Automation
from incidentd.stories import Expects, Story
from tests.rehearsal.test_telling import GUARDS as FILES

NOW = datetime(2026, 11, 24, 14, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
STORIES = {story.name: story for story in FILES.stories}
BOOK = FILES.playbooks["mend"]
FLEET = replace(BOOK, fleet=10, limits=Limits(share=20))

# By guard: the end of the name of its story, words that the story expects, and what makes the guard say them.
SHOWN: dict[str, tuple[str, str, dict[str, Any]]] = {
    "switch": ("(switch)", "ben switched every playbook off", {"switched_off": "ben switched every playbook off: no"}),
    "mode": ("(mode)", "is off: its file says so (mode)", {"playbook": replace(BOOK, mode=Mode.OFF)}),
    "approval": ("(approval)", "waits for approval", {"playbook": replace(BOOK, risk="high")}),
    "protected": (
        "(protected)", "is protected: no playbook may act on", {"automation": Automation(protected=("w-.*",))},
    ),
    "still_firing": ("(still_firing)", "the alert does not fire any more, so", {"still_firing": False}),
    "alert_age": ("(alert_age)", "acts on alerts up to 10m old (limits.alert_age)", {"starts_at": NOW - 30 * MINUTE}),
    "one_at_a_time": ("(one_at_a_time)", "another run is on w-1 now, and only one may be", {"running_on_target": True}),
    "alerting": (
        "(alerting)", "more than 3 alerts of this name fire, of a fleet of 10", {"playbook": FLEET, "alerting": 4},
    ),
    "loop": (
        "(loop)", "and not for the first time: a person has to look",
        {"recent_on_target": (NOW - 30 * MINUTE, NOW - 15 * MINUTE), "last_verified_on_target": NOW - 14 * MINUTE},
    ),
    "stopped": ("(stopped)", "did not help, so it is stopped", {"failed_in_a_row": 2}),
    "canary": ("(canary)", "first, and on others when that was verified", {"under_way": (("w-2", "z"),)}),
    "domain": (
        "(domain)", "mend is at work in east, and acts in one domain at a time (domain)",
        {"domain": "west", "under_way": (("w-2", "east"),), "last_verified": NOW},
    ),
    "share": (
        "(share)", "began on 2 other targets within 1h, of a fleet of 10; limits.share allows 2",
        {"playbook": FLEET, "lately": 2},
    ),
    "per_target": (
        "(per_target)", "began 2 runs within 2h; limits.per_target allows 2",
        {"recent_on_target": (NOW - 80 * MINUTE, NOW - 40 * MINUTE)},
    ),
    "total": ("(total)", "began 4 runs within 1h; limits.total allows 4", {"recent_total": (NOW - MINUTE,) * 4}),
    "overall": (
        "(overall)", "all playbooks together began 5 runs within 1h; automation.overall allows 5",
        {"recent_overall": (NOW - MINUTE,) * 5},
    ),
    "cool_down": (
        "(cool_down)", "ended 1m ago, and 5m have to pass (limits.cool_down)", {"last_ended_on_target": NOW - MINUTE},
    ),
    "incident": (
        "(incident)", "INC-1 is active about the same service (safe_during_incident)",
        {"incident": "INC-1", "service": "shop"},
    ),
}  # fmt: skip
OTHERWISE_SAID = {"approval", "incident"}
"""Where nobody approved yet, a run is proposed instead of refused; only a plan says the guard's own sentence."""

# By change of a mode, from and to: the end of the name of its story.
CHANGES = {
    ("promoted", Mode.SUGGEST, Mode.APPROVE): "asks for approval when it helped somebody who ran it",
    ("promoted", Mode.SUGGEST, Mode.AUTO): "goes by itself when its file says that it earns that",
    ("promoted", Mode.APPROVE, Mode.AUTO): "and asks again after one that failed",
    ("demoted", Mode.AUTO, Mode.APPROVE): "one failed verification asks a person from then on",
}


def story_of(end: str) -> Story:
    (name,) = [name for name in STORIES if name.endswith(end) or end in name.split(" ")]
    return STORIES[name]


def expected(story: Story) -> list[str]:
    """Give every sentence, or part of one, that a story expects to be said."""
    return [words for it in story.expectations if it.kind in (Expects.SAYS, Expects.REFUSED) for words in it.words]


def test_the_table_has_every_guard() -> None:
    assert tuple(SHOWN) == GUARDS


@pytest.mark.parametrize("guard", GUARDS)
def test_a_guard_is_shown_by_a_story_that_expects_what_it_says(guard: str) -> None:
    end, words, changes = SHOWN[guard]
    assert any(words in sentence for sentence in expected(story_of(end)))
    fine = Facts(
        playbook=BOOK, automation=FILES.automation, target="w-1", starts_at=NOW, still_firing=True,
        running_on_target=False, now=NOW,
    )  # fmt: skip
    assert all(verdict.allowed for verdict in every(fine))
    (verdict,) = [one for one in every(replace(fine, **changes)) if one.guard == guard]
    assert not verdict.allowed
    assert guard in OTHERWISE_SAID or words in verdict.reason


def test_every_change_of_a_mode_is_shown_by_a_story_that_expects_what_is_said_of_it() -> None:
    assert set(CHANGES) == set(changes())
    for (change, before, after), end in CHANGES.items():
        said = f"is {change} from {before} to {after}: "
        assert any(said in sentence for sentence in expected(story_of(end))), said


def changes() -> set[tuple[str, Mode, Mode]]:
    """Find which changes there are, by trying all that a file can say with all ends of a run."""
    found = set()
    for mode in (Mode.SUGGEST, Mode.APPROVE, Mode.AUTO):  # what is off never runs
        for wanted in (None, Promote(after=1, to=Mode.APPROVE), Promote(after=1, to=Mode.AUTO)):
            book = replace(BOOK, mode=mode, promote=wanted)
            before = standing.begun(book, None, NOW)
            for ended in RunState:
                after = standing.after(book, before, "RUN-1", ended, NOW)
                if after.mode is not before.mode:
                    change = "promoted" if standing.is_weaker(before.mode, after.mode) else "demoted"
                    found.add((change, before.mode, after.mode))
    return found

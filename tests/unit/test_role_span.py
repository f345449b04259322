"""Sub-teams: when one commander has too many people, and how they are divided."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from incidentd.roles import SPAN, sub_teams

NAMES = st.text("abcdefgh", min_size=1, max_size=4)


def test_up_to_seven_under_a_commander_are_one_team() -> None:
    assert sub_teams(dict.fromkeys("abcdefg", ""), "ana") == {}
    assert sub_teams({**dict.fromkeys("abcdefg", ""), "ana": ""}, "ana") == {}


def test_who_was_called_for_one_team_stays_together() -> None:
    people = {"a": "pay", "b": "", "c": "pay", "d": "web", "e": "web", "f": "pay", "g": "web", "h": "web", "ana": ""}
    assert sub_teams(people, "ana") == {"alpha": ("b", "a", "c", "f"), "bravo": ("d", "e", "g", "h")}


@given(st.dictionaries(NAMES, NAMES, max_size=80), NAMES)
def test_everybody_but_the_commander_is_in_one_sub_team_of_much_the_same_size(
    people: dict[str, str], commander: str
) -> None:
    found = sub_teams(people, commander)
    under = sorted(name for name in people if name != commander)
    assert bool(found) is (len(under) > SPAN)
    if found:
        assert sorted(name for team in found.values() for name in team) == under
        sizes = {len(team) for team in found.values()}
        assert max(sizes) - min(sizes) <= 1
        assert max(sizes) <= SPAN or len(found) == 12

"""The index of rules gives what trying every rule in order would give."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incidentd.matchers import Matcher, Op
from incidentd.rules import Decide, RuleIndex, SeverityRule
from incidentd.rules import index as index_of_rules

VALUES = ("", "a", "b", "ab", "prod", "a\n", "é")
PATTERNS = ("", "a", "a|b", "a|", "a.*", ".*", ".+", "[ab]+", "(a|b)", "a\\|b", "(?i)PROD", "é|a b", "(?s).*", "x{0}")
MATCHERS = st.builds(
    Matcher, st.sampled_from(("x", "y", "alertname")), st.sampled_from(("=", "!=")), st.sampled_from(VALUES)
) | st.builds(Matcher, st.sampled_from(("x", "y")), st.sampled_from(("=~", "!~")), st.sampled_from(PATTERNS))
LABELS = st.dictionaries(st.sampled_from(("x", "y", "alertname", "z")), st.sampled_from(VALUES))


def rule(number: int, *match: Matcher) -> SeverityRule:
    return SeverityRule(name=f"r{number}", match=match, decide=Decide.HOLD, severity="sev3", urgency="urgent")


def matching(index: RuleIndex, labels: dict[str, str]) -> list[str]:
    return [one.name for one in index.matching(labels)]


@given(st.lists(st.lists(MATCHERS, max_size=3), max_size=12), st.lists(LABELS, max_size=5))
def test_it_finds_the_rules_that_match_in_their_order(match: list[list[Matcher]], alerts: list[dict[str, str]]) -> None:
    rules = [rule(number, *its) for number, its in enumerate(match)]
    index = RuleIndex(rules)

    for labels in alerts:
        assert matching(index, labels) == [one.name for one in rules if one.matches(labels)]


def test_a_value_that_was_seen_before_is_remembered_and_no_more_than_some_are() -> None:
    op: Op = "=~"
    index = RuleIndex([rule(1, Matcher("x", op, "svc-[0-9]+")), rule(2)])

    for number in range(10_000):
        assert matching(index, {"x": f"svc-{number}"}) == ["r1", "r2"]
    assert matching(index, {"x": "svc-"}) == ["r2"]


@pytest.mark.parametrize("memory", [30_000, 200_000, 800_000, 8_000_000])
def test_no_rule_is_lost_when_its_label_has_more_patterns_than_fit_into_memory(
    memory: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index_of_rules, "_MEMORY", memory)
    patterns = [f".*(a|b|c){{1,20}}x{number}.*(d|e){{1,20}}" for number in range(50)]
    index = RuleIndex([rule(number, Matcher("x", "=~", pattern)) for number, pattern in enumerate(patterns)])

    assert matching(index, {"x": "ab" * 30 + "x7" + "de" * 20}) == ["r7"]


def test_rules_that_share_a_label_are_filed_under_what_tells_them_apart() -> None:
    rules = [rule(n, Matcher("env", "=", "prod"), Matcher("svc", "=~", f"svc-{n}-[a-z]+")) for n in range(100)]
    index = RuleIndex(rules)

    assert matching(index, {"env": "prod", "svc": "svc-7-x"}) == ["r7"]
    assert len(index._candidates({"env": "prod", "svc": "svc-7-x"})) == 1


def test_an_answer_that_cannot_be_whole_makes_every_rule_be_looked_at() -> None:
    class Exhausted:
        def Match(self, text: bytes) -> None:
            return None

    patterns = index_of_rules._Patterns()
    patterns.add("a+", 7)
    patterns.add("b+", 9)
    patterns._compiled, patterns._set = True, Exhausted()

    assert patterns.rules_for("zzz") == (7, 9)

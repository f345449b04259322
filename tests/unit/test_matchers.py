"""Matchers: read as a real Alertmanager reads them, and matched as it matches."""

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incidentd.matchers import BadMatcher, Matcher, Op, Regex, doubt, parse_matcher

# what Alertmanager itself accepted and matched, matcher by matcher, over the same thirteen alerts
MEASURED: dict[str, Any] = json.loads(
    (Path(__file__).parents[1] / "data" / "matchers.json").read_text(encoding="utf-8")
)
TEXTS = st.text(st.sampled_from("ab_=!~\"'\\{},.*+|()[]\n\t 1é-nx"), max_size=30)
NAMES = st.text(st.sampled_from('ab_:1 -é"\\\n'), min_size=1, max_size=8)


@pytest.mark.parametrize("case", MEASURED["cases"], ids=lambda case: case["matcher"])
def test_t20_the_verdict_is_the_one_of_alertmanager(case: dict[str, Any]) -> None:
    try:
        matcher = parse_matcher(case["matcher"])
    except BadMatcher:
        assert case["api_status"] == 400
    else:
        matched = [int(alert["id"]) for alert in MEASURED["alerts"] if matcher.matches(alert)]

        assert case["api_status"] == 200
        assert matched == case["matches_ids"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('"sev-erity"="x"', Matcher("sev-erity", "=", "x")),
        ('  "a b"  =~  "x.*"  ', Matcher("a b", "=~", "x.*")),
        ('"a"!=bare', Matcher("a", "!=", "bare")),
        (r'"a"="\\d+ \" \n \t \u00e9 \U0001F600 \xc3\xa9 \101"', Matcher("a", "=", '\\d+ " \n \t é \U0001f600 é A')),
        ('service.name="mail"', Matcher("service.name", "=", "mail")),
        ('k8s.io/app=~"mail|feed"', Matcher("k8s.io/app", "=~", "mail|feed")),
        ("🙂 != 支付", Matcher("🙂", "!=", "支付")),
        (r'a.b="\\d"', Matcher("a.b", "=", "\\d")),
        (r'"\u00e9\xc3\xa9"="x"', Matcher("éé", "=", "x")),
    ],
)
def test_t20_a_quoted_name_follows_the_rules_of_go_strings(text: str, expected: Matcher) -> None:
    assert parse_matcher(text) == expected


@pytest.mark.parametrize(
    ("text", "column", "words"),
    [
        ("", 1, "the matcher is empty"),
        ('{a="b"}', 1, "leave the braces out"),
        ('sev-erity="x"', 4, "needs double quotes"),
        ('9.severity="x"', 2, "needs double quotes"),
        (r'a.b="\d"', 6, "two backslashes"),
        ("severity", 9, "one of = != =~ !~"),
        ("=x", 1, "this is no matcher"),
        ('a="b', 5, "closing double quote of the value is missing"),
        ('a="b", c="d"', 5, "a second matcher is an entry of its own"),
        ('  a=~"("', 6, "missing )"),
        ('a=~"(?=x)"', 4, "RE2"),
        ('"a"=~"("', 6, "missing )"),
        (r'"a"="\d"', 6, "two backslashes"),
        (r'"a"="\ud800"', 6, "no escape"),
        (r'"a\xff"="x"', 1, "not valid UTF-8"),
        ('""="x"', 1, "name is empty"),
        ('"a"=', 1, "this is no matcher"),
        ('"a"="x",', 1, "this is no matcher"),
    ],
)
def test_what_is_no_matcher_is_refused_with_its_place_and_what_to_do(text: str, column: int, words: str) -> None:
    with pytest.raises(BadMatcher, match=f"^character {column}: ") as refused:
        parse_matcher(text)

    assert words in refused.value.reason
    assert refused.value.column == column


@pytest.mark.parametrize(
    ("op", "value", "matches"),
    [
        ("=", "", True),
        ("=", "x", False),
        ("!=", "x", True),
        ("!=", "", False),
        ("=~", ".*", True),
        ("=~", ".+", False),
        ("!~", ".+", True),
        ("!~", "x?", False),
    ],
)
def test_a_missing_label_is_an_empty_one(op: Op, value: str, matches: bool) -> None:
    assert Matcher("absent", op, value).matches({"other": "x"}) is matches
    assert Matcher("absent", op, value).matches({"absent": ""}) is matches


def test_a_pattern_is_matched_in_time_that_grows_with_the_text_alone() -> None:
    assert not Regex("(a+)+b").matches("a" * 100_000)


def test_a_pattern_must_match_the_whole_text_and_a_dot_no_line_break() -> None:
    assert Regex("a.c").matches("abc")
    assert not Regex("a.c").matches("xabc")
    assert not Regex("a.c").matches("abc\n")
    assert not Regex("a.c").matches("a\nc")


def test_a_pattern_that_cannot_be_compiled_says_so_and_nothing_on_stderr(capfd: pytest.CaptureFixture[str]) -> None:
    for pattern in ("(", "(?=x)", "x{1001}", "\\Z", "\ud800"):
        with pytest.raises(ValueError, match="regular expression"):
            Regex(pattern)

    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("severity='critical'", "only double quotes are quotes"),
        ('service="checkout|payments"', "=~ is for patterns"),
        ('service!="check.*"', "!~ is for patterns"),
        ('service=~"checkout|payments"', ""),
        ('service="checkout"', ""),
    ],
)
def test_a_matcher_that_is_probably_not_meant_so_is_doubted(text: str, words: str) -> None:
    assert words in doubt(parse_matcher(text))
    assert bool(doubt(parse_matcher(text))) is bool(words)


@given(NAMES, st.sampled_from(["=", "!="]), TEXTS)
def test_a_matcher_written_out_reads_back_the_same(name: str, op: Op, value: str) -> None:
    matcher = Matcher(name, op, value)

    assert parse_matcher(str(matcher)) == matcher


@given(TEXTS | st.text(max_size=30))
def test_any_text_is_a_matcher_or_a_bad_matcher(text: str) -> None:
    with suppress(BadMatcher):
        parse_matcher(text).matches({"a": text})


@given(TEXTS, st.sampled_from(["=", "=~"]), TEXTS)
def test_a_negated_matcher_says_the_opposite(value: str, op: Op, found: str) -> None:
    negated: Op = "!=" if op == "=" else "!~"
    with suppress(BadMatcher):
        assert Matcher("a", op, value).matches({"a": found}) is not Matcher("a", negated, value).matches({"a": found})

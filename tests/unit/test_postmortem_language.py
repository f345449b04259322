"""The check of a postmortem's language: each rule finds what it should and leaves alone what only looks like it."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from incidentd.postmortem import RULES, Finding, Level, Page, check, language
from incidentd.postmortem.rules import Part
from incidentd.text import plain

PEOPLE = ("ana", "ben", "dylan.four", "Cho Park")
FOUND = {
    "person-as-cause": (
        "ana ignored the alert.", "@ben completely forgot it.", "dylan.four@ never looked.", "On-call did not look.",
        "The on-call engineer simply\nfailed the drill.", "**Ana** broke it.", "The operator on duty missed it.",
        "one of the engineers caused it", "Cho then panicked", "On call didn\u2019t answer.",
        "The duty manager forgot it.",
    ),
    "judgement": ("A careless change.", "It was negligent.", "Obviously it broke.", "Any competent team sees it."),
    "human-error": ("Cause: human error.", "It was mistakenly deleted.", "ana mistakenly sent it.",
        "fat-fingered", "The key went by mistake."),
    "blame": ("It was the fault of the network team.", "The culprit:", "responsible for the outage"),
    "people-fix": ("Train the engineers.", "We need to be more\ncareful.", "Remember to drain it first."),
    "counterfactual": ("It should have paged.", "We couldn't have known.", "If only it had.",
        "ben should have.", "It would\nnot have quickly been seen.", "It could've led there", "it should have",
    ),
    "failed-to": ("The pod failed to start.", "It neglected to say so."),
    "who-why": ("Why was it deployed on a Friday?", "And who approved\nthis change?"),
    "animated": ("It broke!!", "I can't believe it.", "A disaster.", "a terrible day"),
    "single-cause": ("The root cause is a typo.", "Root cause was DNS.", "the one root cause"),
    "outage": ("The outage began.", "Two outages."),
}  # fmt: skip
"""What each rule finds."""
LEFT = {
    "person-as-cause": (
        "The automation caused a restart.", "This failed.", "The page to the on-call engineer failed.",
        "ana's script broke the table.", "On-call did not have the address.", "The responders never got the page.",
        "ana said that\n\nfailed requests rose", "The cluster manager failed.", "A call to ben\n- missed the queue",
        "Paging on call did not work.", "ana, failed", "Banana ignored it", "a post on Teams easily missed",
        "the load of the team caused it",
    ),
    "judgement": ("A carefully made change.", "It is obvious from the graph.", "Lazy loading."),
    "human-error": ("The error rate rose.", "Humans read it.", "The job had mistakenly sent it.",
        "The user error rate is 3 %."),
    "blame": ("We write blame-free.", "`git blame` shows it, git blame too.", "A page fault.", "at faultless"),
    "people-fix": ("Add a train schedule.", "Remind the job queue to drain.", "Teach the parser UTF-8."),
    "counterfactual": ("It should page.", "It could be seen.", "It should have a limit.", "if the only disk is full"),
    "failed-to": ("It failed twice.", "fails together"),
    "who-why": ("Those who answered had the link.", "That is why it was slow. Did it stop?", "why\n\nis it so?"),
    "animated": ("It broke!", "The disaster recovery plan.", "![graph](x.png)"),
    "single-cause": ("Root causes and contributing factors.", "the cause is"),
    "outage": ("A total outage of search.", "outaged"),
}  # fmt: skip
"""What each rule leaves alone."""


def found(text: str) -> list[Finding]:
    return language(Page(text), PEOPLE)


def names(text: str) -> set[str]:
    return {it.rule for it in found(text)}


def test_each_rule_of_the_language_has_both_kinds_of_cases() -> None:
    rules = {rule.name for rule in RULES.values() if rule.part is Part.LANGUAGE} | {"people-fix"}
    assert rules == set(FOUND) == set(LEFT)
    assert len(rules) == 11


@pytest.mark.parametrize(("rule", "text"), [(rule, text) for rule, texts in FOUND.items() for text in texts])
def test_a_rule_finds_what_it_is_there_for(rule: str, text: str) -> None:
    assert rule in names(text)


@pytest.mark.parametrize(("rule", "text"), [(rule, text) for rule, texts in LEFT.items() for text in texts])
def test_a_rule_leaves_alone_what_only_looks_like_it(rule: str, text: str) -> None:
    assert rule not in names(text)


BAD = "ana ignored it"


@pytest.mark.parametrize(
    "text",
    [
        f"```\n{BAD}\n```", f"~~~text\n{BAD}\n```\n{BAD}\n~~~", f"```\n{BAD}", f"see `{BAD}` here", f"> {BAD}",
        f'They wrote "{BAD}" on the page.', f"They wrote \u201c{BAD}\u201d.", f"<!-- {BAD} -->", f"a\n\n    {BAD}\n",
        f"---\ntitle: {BAD}\n---\n", "[open](https://x.example/ana-never)", f'"it was\n{BAD}"',
        f"## Timeline\n\n| Time | Event | Source link |\n| --- | --- | --- |\n| 1 | {BAD} | recorded |\n",
        f"## Supporting information\n\n### Automation\n\n- 14:00: {BAD}\n",
    ],
)  # fmt: skip
def test_what_nobody_wrote_as_prose_is_not_looked_at(text: str) -> None:
    assert found(text) == []


@pytest.mark.parametrize(
    "text",
    [
        f"```\nx\n```\n{BAD}", f"- a\n\n    {BAD}", f'an inch (") and {BAD}', f"<!-- never closed {BAD}",
        f"---\n{BAD}\n",
        f"## Timeline\n\n| Time | Event | Source link |\n| --- | --- | --- |\n| 1 | {BAD} | observed |\n",
        f"`open {BAD}",
        f"### Automation\n\nx\n\n### Next\n\n{BAD}", f"`a` {BAD} `b`",
    ],
)  # fmt: skip
def test_what_stands_beside_it_is(text: str) -> None:
    assert [it.rule for it in found(text)] == ["person-as-cause"]


def test_a_finding_says_where_what_why_and_what_instead() -> None:
    [finding] = found("All was well.\nThen ana completely\nignored the page.")
    assert str(finding) == (
        "2:6: error: person-as-cause: `ana completely ignored`: A person is written as the cause. "
        "Say what they saw and had at hand, and what let the step do harm."
    )


def test_words_that_two_rules_find_are_said_once_and_by_the_heavier() -> None:
    assert [(it.rule, it.level) for it in found("ana failed to look.")] == [("person-as-cause", Level.ERROR)]


def test_only_people_of_the_incident_are_people() -> None:
    assert language(Page("hal ignored the door.")) == []
    assert language(Page("hal ignored the door."), ["hal"]) != []
    text = "## Date and people\n\n| What | Who |\n| --- | --- |\n| Paged | hal \\_9000, dia (since 9; then ben) |\n\n"
    assert "person-as-cause" in {it.rule for it in check(text + "dia ignored the door.")}


def test_asking_people_to_be_different_is_an_error_among_the_action_items_only() -> None:
    levels = [it.level for it in found("Be more careful.\n\n## Action items\n\nBe more careful.\n\n## Next\n\nx")]
    assert levels == [Level.WARNING, Level.ERROR]


PIECES = st.sampled_from(
    [
        "ana", "never", "failed to", "who", "?", "\n", "\n\n", "| ", "|", "---", "```", "`", '"', "\u201c", "> ", "# ",
        "## Action items\n", "## Timeline\n", "## Date and people\n", "## Executive summary\n", "!!", "<!--", "-->",
        "_?_",
        "    ", "- ", "\\", "\ud800", "\u00a0", "\U0001f600", "\r\n", "](", "http://", "should have", "human error",
        "\0",
        "| Action | Owner | Due |\n|-|-|-|\n| improve it | ana, ben | |\n", "- Contributing factors: x",
    ]
)  # fmt: skip


@settings(deadline=None, max_examples=100)
@given(st.text(max_size=60) | st.lists(PIECES | st.text(max_size=5), max_size=40).map("".join))
def test_of_any_text_the_findings_lie_inside_of_it(text: str) -> None:
    lines = text.split("\n")
    findings = check(text, PEOPLE)
    for it in findings:
        assert 1 <= it.line <= len(lines)
        assert 1 <= it.column <= len(lines[it.line - 1]) + 1
        assert it.rule in RULES
        assert plain(str(it), 1000) == str(it)
    assert findings == sorted(findings, key=lambda it: (it.line, it.column, -it.level.weight, it.rule))


@settings(deadline=None, max_examples=50)
@given(st.text(max_size=60) | st.lists(PIECES, max_size=40).map("".join))
def test_the_prose_is_as_long_as_the_text(text: str) -> None:
    prose = Page(text).prose
    assert [len(line) for line in prose.split("\n")] == [len(line) for line in text.split("\n")]


@pytest.mark.parametrize(
    "unit",
    [
        '" \u201cx ',
        "`a ",
        '<!-- "x" ',
        "who why ",
        "ana failed ",
        "_?_ ",
        "](",
        "# x\n",
        "!",
        "a",
        " ",
        "\n",
        "|",
        "``` ",
    ],
)
def test_a_long_text_of_whatever_kind_is_read_once(unit: str) -> None:
    """Fifty thousand characters: what grows with their square would not end."""
    assert len(check(unit * (50_000 // len(unit)), PEOPLE)) <= 500

"""The gate of a postmortem: sections filled in, numbers, sources, and action items that get done."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from incidentd.actionitems import ActionItem, ItemState
from incidentd.postmortem import RULES, Level, Proposal, check, counts, draft, passes, prompts, quality, quick_review
from incidentd.postmortem.rules import Part
from incidentd.postmortem.sections import KEYS, MANDATORY
from tests.unit import incident_facts as story

DATA = Path(__file__).parent.parent / "data" / "postmortems"
BAD = (DATA / "bad.md").read_text(encoding="utf-8")
GOOD = (DATA / "good.md").read_text(encoding="utf-8")
TIMELINE = "Timeline (UTC, from before the trigger, oldest first)"
GOOD_ITEM = Proposal(
    title="Refuse a mapping in CI when it lacks a field", owner="eli", priority="P1", due="2026-12-24"
)  # fmt: skip


def rules(text: str) -> list[str]:
    return [it.rule for it in check(text)]


def changed(old: str, new: str) -> list[str]:
    assert old in GOOD
    return rules(GOOD.replace(old, new))


def test_a_bad_postmortem_has_errors_enough() -> None:
    found = check(BAD)
    language = [it for it in found if RULES[it.rule].part is Part.LANGUAGE or it.rule == "people-fix"]
    assert sum(it.level is Level.ERROR for it in language) >= 8
    assert not passes(found)
    assert counts(found)["person-as-cause"] == 4
    assert {RULES[name].part for name in counts(found)} == set(Part)


def test_a_good_postmortem_has_no_finding_at_all() -> None:
    assert check(GOOD) == []
    assert passes(check(GOOD))


def test_counts_name_rules_and_nobody() -> None:
    assert set(counts(check(BAD))) <= set(RULES)


# -- sections ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", KEYS)
def test_a_head_without_a_key_is_found(key: str) -> None:
    assert "head" in changed(f"\n{key}:", f"\nx_{key}:")


def test_a_postmortem_without_a_head_is_found() -> None:
    assert rules(GOOD.removeprefix("---\n"))[0] == "head"


@pytest.mark.parametrize("title", MANDATORY)
def test_a_mandatory_section_that_is_missing_is_found(title: str) -> None:
    assert "missing-section" in changed(f"# {title}", "# Other things")


@pytest.mark.parametrize(
    "title", ["What went well", "Technical issue", "Timeline (UTC, from before the trigger, oldest first)"]
)
def test_a_section_that_is_empty_is_found(title: str) -> None:
    start = GOOD.index(f"# {title}") + len(title) + 2
    end = GOOD.index("\n#", start)
    assert "unfilled" in rules(GOOD[:start] + "\n" + GOOD[end:])


@pytest.mark.parametrize("title", [one for one in MANDATORY if one != "Lessons learned"])
def test_a_section_that_holds_only_a_comment_is_empty(title: str) -> None:
    start = GOOD.index("\n", GOOD.index(f"# {title}"))
    end = GOOD.find("\n#", start)
    text = f"{GOOD[:start]}\n\n<!-- to be written, with what is known of it -->\n{GOOD[end:]}"
    [found] = [it for it in check(text) if it.rule == "unfilled"]
    assert found.reason.startswith(f"The section `{title}` is empty.")
    assert not passes(check(text))


def test_a_section_that_holds_only_a_prompt_is_found_once() -> None:
    start = GOOD.index("\n", GOOD.index("# What went well"))
    text = f"{GOOD[:start]}\n\n{prompts.WENT_WELL}\n{GOOD[GOOD.index(chr(10) + '#', start) :]}"
    assert [it.words for it in check(text) if it.rule == "unfilled"] == [prompts.WENT_WELL]


@pytest.mark.parametrize("prompt", prompts.PROMPTS)
def test_each_prompt_of_the_draft_that_stands_there_still_is_found(prompt: str) -> None:
    assert "unfilled" in changed("61 % of searches", prompt)


def test_the_draft_has_no_italics_but_prompts_and_every_one_is_found() -> None:
    page = draft(story.STORY, owner="", due=None) + quick_review(story.bare(), owner="")
    rest = page
    for prompt in sorted(prompts.PROMPTS, key=len, reverse=True):
        rest = rest.replace(prompt, "")
    assert " _" not in rest
    assert "\n_" not in rest


@pytest.mark.parametrize(
    ("text", "good"),
    [
        ("Search was empty for 52 minutes because a field was dropped; it is back.", True),
        ("Search, e.g. Jira's, was empty for approx. 52 minutes.", True),
        ("Search was empty for 1.5 hours, ca. 3 % of it", True),
        ("Search was empty. It is back.", False),
        ("Search was empty! Why?", False),
        ("word " * 40, True),
        ("word " * 41, False),
        ("Suggestion: Search returns nothing, for 52m.", False),
    ],
)
def test_an_executive_summary_is_one_sentence_of_at_most_forty_words(text: str, good: bool) -> None:
    start, end = GOOD.index("Shoppers in all"), GOOD.index("\n\n## Problem summary")
    assert ("executive-summary" not in rules(GOOD[:start] + text + GOOD[end:])) is good


@pytest.mark.parametrize(
    ("text", "good"),
    [
        ("12 orders", True), ("none", True), ("estimate: half of them", True), ("Nobody", True), ("no", True),
        ("many", False), ("estimate:", False), ("", False), ("notable", False), ("_we do not know_", False),
        ("_12 orders_", True),
    ],
)  # fmt: skip
def test_impact_is_a_number_or_an_estimate(text: str, good: bool) -> None:
    assert ("impact-numbers" not in changed("| 61 % of searches |", f"| {text} |")) is good


@pytest.mark.parametrize("prompt", [prompts.PERCENT, prompts.USERS, prompts.REVENUE])
def test_a_prompt_in_place_of_a_number_is_found_once(prompt: str) -> None:
    assert changed("| 61 % of searches |", f"| {prompt} |") == ["unfilled"]


def test_a_row_of_the_impact_that_is_gone_is_found() -> None:
    assert "impact-numbers" in changed("| % affected | 61 % of searches |\n", "")


@pytest.mark.parametrize(
    ("text", "good"),
    [
        ("one; another", True), ("one, and there is only one since ...", True), ("one", False),
        ("\n  - one\n  - another", True), ("\n  - one", False),
    ],
)  # fmt: skip
def test_one_factor_alone_is_doubted(text: str, good: bool) -> None:
    old = "a mapping is not compared with the fields that queries use; regions are updated together"
    assert ("factors" not in changed(old, text)) is good


@pytest.mark.parametrize(
    ("source", "good"), [("observed", True), ("[open](https://x.example)", True), ("ben said so", False), ("", False)]
)
def test_a_row_of_the_timeline_has_a_source(source: str, good: bool) -> None:
    assert ("timeline-source" not in changed("commit that renamed it. | observed |", f"commit. | {source} |")) is good


def test_a_quick_review_is_not_asked_for_the_sections_of_a_postmortem() -> None:
    page = quick_review(story.bare(), owner="ana")
    assert set(rules(page)) == {"unfilled"}
    for prompt in prompts.PROMPTS:
        page = page.replace(prompt, "the threshold was low")
    assert rules(page) == []


def test_a_flood_of_findings_is_cut_and_errors_stay() -> None:
    found = check("The outage. " * 600 + "\n\nIt was human error.")
    assert len(found) == 500
    assert "human-error" in counts(found)


# -- action items --------------------------------------------------------------------------------------------------


def doubts(**changes: Any) -> list[str]:
    fields = {"title": GOOD_ITEM.title, "owner": "eli", "priority": "P1", "due": "2026-12-24", **changes}
    return [it.rule for it in quality(Proposal(**fields))]


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"owner": ""}, "no-owner"),
        ({"owner": " tbd "}, "no-owner"),
        ({"owner": "ana, ben"}, "several-owners"),
        ({"owner": "ana and ben"}, "several-owners"),
        ({"owner": "ana/ben"}, "several-owners"),
        ({"due": ""}, "no-due"),
        ({"due": "soon"}, "no-due"),
        ({"priority": ""}, "no-priority"),
        ({"priority": "high"}, "no-priority"),
        ({"title": "Be more careful with rm after 5 p.m."}, "people-fix"),
        ({"title": "Train humans not to run unsafe commands when tired"}, "people-fix"),
        ({"end_state": "The team needs to learn SQL."}, "people-fix"),
        ({"title": "Improve the alert so that it fires within 5m"}, "vague-verb"),
        ({"title": "Look into the 3 slow queries"}, "vague-verb"),
        ({"title": "Ensure that 2 replicas run"}, "vague-verb"),
        ({"title": "Add better checks before 2027"}, "vague-verb"),
        ({"title": "The alert fires within 5m"}, "verb-first"),
        ({"title": "Add a dashboard"}, "no-end-state"),
    ],
)
def test_what_keeps_an_item_from_getting_done_is_found(changes: dict[str, Any], rule: str) -> None:
    assert doubts(**changes) == [rule]


@pytest.mark.parametrize(
    "title",
    [
        "Add a train schedule for 2027", "Remind the job queue to drain every hour", "Teach the parser UTF-8",
        "Alert when the queue is older than 10 minutes", "Refuse to delete a bucket that is not empty without a ticket",
        "Automate the failover, done when a drill takes less than 5 minutes", "Run the restore test every month",
    ],
)  # fmt: skip
def test_a_good_item_gets_no_advice(title: str) -> None:
    assert doubts(title=title) == []


def test_an_end_may_be_said_apart_from_the_title() -> None:
    assert doubts(title="Add a dashboard", end_state="It shows empty answers by language, within 1 minute.") == []


def test_of_what_is_only_proposed_owner_day_and_priority_may_be_open() -> None:
    proposed = Proposal(title=GOOD_ITEM.title, decided=False)
    assert {it.level for it in quality(proposed)} == {Level.WARNING}
    careful = Proposal(title="Remember to drain it within 5m", decided=False)
    assert Level.ERROR in {it.level for it in quality(careful)}


def test_an_item_that_is_stored_is_checked_alike() -> None:
    stored = ActionItem(
        id=1, uuid="u", subject="INC-1", title=GOOD_ITEM.title, priority="P1", owner="eli", due=date(2026, 12, 24),
        created_at=datetime(2026, 11, 24, tzinfo=UTC), state=ItemState.OPEN,
    )  # fmt: skip
    assert Proposal.of(stored) == GOOD_ITEM
    assert list(quality(Proposal.of(stored))) == []


def test_more_than_ten_items_are_too_many() -> None:
    row = next(line for line in GOOD.split("\n") if line.startswith("| AI-8"))
    assert rules(GOOD.replace(row, "\n".join([row] * 8))) == ["too-many-items"]
    assert rules(GOOD.replace(row, "\n".join([row] * 7))) == []


def test_a_finding_of_an_item_stands_where_its_cell_is() -> None:
    [finding] = [it for it in check(GOOD.replace("| P0 | eli |", "| P0 | eli, ben |"))]
    line = GOOD.split("\n")[finding.line - 1]
    assert (finding.rule, line[finding.column - 1 :][:3]) == ("several-owners", "eli")


def test_a_column_that_is_missing_is_found_and_breaks_nothing() -> None:
    short = "## Action items\n\n| Action |\n| --- |\n| Add 2 disks |\n\n| Other |\n| --- |\n| x |\n"
    assert {"no-owner", "no-due", "no-priority"} <= set(rules(short))

"""The postmortem's draft: its template, what is filled in from data, and that strangers' values stay in their place."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from incidentd.document import IncidentFacts
from incidentd.incidents import Trigger
from incidentd.playbooks import RunState
from incidentd.postmortem import check as findings_in
from incidentd.postmortem import draft, due_for
from incidentd.records import Hypothesis, Records
from incidentd.rules import SEVERITIES, Severity
from incidentd.timeline import Entry
from tests.unit import incident_facts as story
from tests.unit.markdown_checks import HOSTILE, check, headings, tables

GOLDEN = Path(__file__).parent.parent / "data" / "golden"
DUE = due_for(SEVERITIES["sev2"], story.at("15:30"))
KEYS = [
    "incident", "title", "status", "severity", "peak", "service", "faulty_service", "teams", "impact_started",
    "detected", "declared", "acknowledged", "identified", "mitigated", "resolved", "detection", "alert", "trigger",
    "cause_class", "repeat_of", "automation",
]  # fmt: skip


def drafted(facts: IncidentFacts = story.STORY) -> str:
    return draft(facts, owner="ana", due=DUE)


def head(page: str) -> dict[str, Any]:
    start, text, _ = re.split(r"^---$", page, maxsplit=2, flags=re.MULTILINE)
    assert start == ""
    read = yaml.safe_load(text)
    assert isinstance(read, dict)
    return read


def reply(page: str, question: str) -> str:
    """The answer to one of the feedback questions."""
    return next(line.split(" | ")[1] for line in page.split("\n") if line.startswith(f"| {question}"))


def test_the_draft_of_the_story_reads_as_it_should() -> None:
    assert drafted() == (GOLDEN / "postmortem.md").read_text(encoding="utf-8")


def test_the_template_is_there_whatever_is_known() -> None:
    expected = [
        "## Date and people",
        "## Executive summary",
        "## Problem summary",
        "### Technical issue",
        "### Root cause and contributing factors",
        "## Action items",
        "## Lessons learned",
        "### What went well",
        "### What could be improved",
        "### Where we got lucky",
        "## Feedback on our practice",
        "## Timeline (UTC, from before the trigger, oldest first)",
        "## Supporting information, glossary, external message",
        "### Alerts",
        "### Automation",
        "### Messages sent",
        "### Similar incidents",
        "### Glossary",
        "### External message",
    ]

    for facts in (story.STORY, story.bare(), story.live()):
        assert headings(drafted(facts))[1:] == expected
        check(drafted(facts))


def test_the_head_is_read_by_machines() -> None:
    read = head(drafted())

    assert list(read) == KEYS
    assert read["incident"] == "INC-12"
    assert read["teams"] == ["platform", "payments"]
    assert read["resolved"] == "2026-11-24T15:30:00Z"
    assert read["identified"] == ""
    assert (read["detection"], read["alert"]) == ("alert", "QueueLag")
    assert read["automation"] == "tried_failed"


@pytest.mark.parametrize("value", HOSTILE)
def test_a_strangers_value_stays_in_its_place(value: str) -> None:
    page = drafted(story.hostile(value))

    check(page)
    assert list(head(page)) == KEYS
    assert isinstance(head(page)["title"], str)
    assert headings(page)[1:] == headings(drafted())[1:]
    assert [len(lines) for lines in tables(page)][:2] == [len(lines) for lines in tables(drafted())][:2]


@settings(deadline=None, max_examples=60)
@given(st.text(max_size=30) | st.text(alphabet="'\":{}[]#&*!|>%@`\\\n\t\x85\u2028\ufeff\ud800\U0001f600", max_size=20))
def test_any_title_makes_a_head_that_says_the_title(value: str) -> None:
    title = head(drafted(story.live(title=value)))["title"]

    assert isinstance(title, str)
    if value.isprintable():
        assert title == value


@pytest.mark.parametrize(
    ("states", "word"),
    [
        ([], "none"),
        ([RunState.VERIFIED], "helped"),
        ([RunState.FAILED, RunState.VERIFIED], "helped"),
        ([RunState.FAILED], "tried_failed"),
        ([RunState.INTERRUPTED], "tried_failed"),
        ([RunState.PROPOSED], "possible"),
        ([RunState.REFUSED], "possible"),
        ([RunState.DONE], "possible"),
    ],
)
def test_automation_counts_as_help_only_when_it_was_verified(states: list[RunState], word: str) -> None:
    runs = tuple(replace(story.RUN, id=n, state=state) for n, state in enumerate(states))

    assert head(drafted(replace(story.STORY, runs=runs)))["automation"] == word


def test_the_feedback_questions_are_answered_from_the_data() -> None:
    page = drafted()

    assert reply(page, "Is the monitoring good?") == "yes: detected 2m after the impact began"
    assert reply(page, "Should something be automated?") == (
        "playbooks: drain-queue ran, and its verification failed; by hand: C1 rate limit off"
    )
    assert reply(page, "Was the hold decision right?") == (
        "held for 40m; progress was seen 1 time; declared because: No progress for 30m"
    )
    assert reply(page, "Did response times") == (
        "PAGE-9 response time of 5m missed: ben after 7m, late; Incident Commander: ana; 1 handover"
    )
    assert reply(page, "Was the runbook") == "present and used, and it did not help"


def test_an_incident_that_people_saw_first_says_that_monitoring_missed_it() -> None:
    by_hand = story.live(trigger=Trigger.MANUAL, declared_at=story.at("13:50"), declared_by="ana")

    assert reply(drafted(by_hand), "Is the monitoring good?") == ("missing: people saw it 8m before the first alert")
    assert head(drafted(by_hand))["detection"] == "employee"
    assert head(drafted(by_hand))["alert"] == ""


def test_an_alert_that_came_late_or_again_and_again_is_said_to() -> None:
    noisy = replace(story.STORY, alerts=story.STORY.alerts * 2)
    late = replace(noisy, incident=replace(story.INCIDENT, impact_started_at=story.at("13:30")))

    answer = reply(drafted(late), "Is the monitoring good?")
    assert answer.startswith("late: detected 30m after the impact began; noisy: QueueLag")
    assert "WorkerStuck came 2 times" in answer


def test_an_incident_declared_at_once_was_not_held() -> None:
    at_once = story.live(trigger=Trigger.RULE, rule="checkout-bleeding")

    assert reply(drafted(at_once), "Was the hold") == "it was not held: the rule checkout-bleeding declares at once"


def test_todos_become_proposed_action_items_beside_those_that_are_filed() -> None:
    page = drafted()

    assert (
        "| AI-4 | Alert on the queue's growth, not its size | detect | P1 | cho | 2026-12-24 | [OPS-41](https" in page
    )
    assert "| - | put a limit on the mail queue |  |  | ben |  | proposed: a TODO of the incident |" in page


def test_the_timeline_begins_with_the_impact_and_is_oldest_first() -> None:
    rows = drafted().split("oldest first)\n\n")[1].split("\n\n## ")[0].split("\n\n")[1].split("\n")[2:]

    assert rows[0] == "| 2026-11-24 13:58:00 | The impact began (estimated). | recorded |"
    assert rows == sorted(rows, key=lambda row: row[:21])
    told = [entry for entry in story.STORY.entries if entry.kind != "page.sent"]
    assert len(rows) == 1 + len(told), "that a message was sent stands with the messages"


@pytest.mark.parametrize(("name", "days"), [("sev1", 3), ("sev2", 7), ("sev3", None), ("sev4", None)])
def test_only_a_full_postmortem_has_a_date(name: str, days: int | None) -> None:
    resolved_at = story.at("15:30")
    expected = None if days is None else resolved_at + timedelta(days=days)

    assert due_for(SEVERITIES[name], resolved_at) == expected


def test_a_severity_that_names_no_time_has_no_date() -> None:
    odd = Severity(name="sev1", rank=1, means="", urgency="urgent", postmortem="full")

    assert due_for(odd, story.at("15:30")) is None


def test_a_run_that_ended_it_with_nobodys_help_resolved_it() -> None:
    verified = replace(story.RUN, state=RunState.VERIFIED)
    alone = tuple(entry for entry in story.STORY.entries if entry.kind != "incident.resolved")
    facts = replace(story.STORY, runs=(verified,), entries=alone, records=Records())

    assert head(drafted(facts))["automation"] == "resolved_it"
    assert "- What limited it: RUN-3 drain-queue helped: verified\n" in drafted(facts)
    assert head(drafted(replace(facts, entries=story.STORY.entries)))["automation"] == "helped"
    assert head(drafted(replace(facts, records=story.RECORDS)))["automation"] == "helped"


def test_a_row_of_the_timeline_says_where_it_is_from() -> None:
    page = drafted()

    assert "| RUN-3 restart-worker: exit 0 after 1.2s | recorded, [open](http://prom.example/graph) |" in page
    assert "TODO: put a limit on the mail queue | observed |" in page
    assert {it.rule for it in findings_in(page)} & {
        "timeline-source",
        "person-as-cause",
        "missing-section",
        "head",
    } == set()


def test_what_people_wrote_down_is_suggested() -> None:
    incident = replace(story.INCIDENT, cause="a queue without a limit", recurrence_of=7, reopened=1)
    page = drafted(replace(story.STORY, incident=incident))

    assert "| User impact (numbers) | 4,000 customers wait for mail. |" in page
    assert "The document says: Mail is an hour late.\n" in page
    assert "Suggestion: a queue without a limit; H1, supported: a worker holds the lock\n" in page
    assert "INC-7 was the same before it. It came back 1 time after it was resolved." in page


def test_a_hold_that_saw_no_progress_or_an_impact_that_ended_soon_makes_the_hold_doubtful() -> None:
    still = tuple(entry for entry in story.STORY.entries if entry.kind != "hold.progress")
    soon = replace(story.INCIDENT, mitigated_at=story.at("14:45"))

    assert reply(drafted(replace(story.STORY, entries=still)), "Was the hold").endswith(
        "perhaps too long: nothing got better while it was held"
    )
    assert reply(drafted(replace(story.STORY, incident=soon)), "Was the hold").endswith(
        "perhaps too short: the impact ended 5m after it was declared"
    )


def test_an_alert_that_never_came_a_wrong_severity_and_a_guess_without_a_graph_are_said() -> None:
    incident = replace(story.INCIDENT, trigger=Trigger.MANUAL, declared_severity="sev3")
    guess = Hypothesis(number=3, by="ana", at=story.at("15:03"), text="the network")
    told = Entry(
        subject="INC-12", seq=99, at=story.at("15:00"), actor=story.ANA, kind="update.sent", text="x", data={},
        prev_hash="", hash="",
    )  # fmt: skip
    records = Records(hypotheses=(guess,))
    page = drafted(replace(story.STORY, incident=incident, alerts=(), records=records, entries=(told,)))

    assert reply(page, "Is the monitoring good?") == (
        "missing: people saw it, and no alert ever fired; wrong severity: declared as sev3, and sev2 at its peak"
    )
    assert reply(page, "Do we need more") == "yes: nothing to look at was named for H3 the network"
    assert "1 update sent, 0 reminders that one was late" in reply(page, "Did response times")

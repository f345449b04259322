"""The incident document: what stands where, and that nothing a stranger writes gets out of its place."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from incidentd.document import NOTHING, VERDICTS, link, render, todos
from incidentd.document.words import prose
from incidentd.incidents import ACTIVE, Merge, Status
from incidentd.pages import PageState
from incidentd.playbooks import RunState
from incidentd.playbooks.questions import Question
from incidentd.roles import Assignment, Role
from incidentd.timeline import INCIDENTD, Actor
from incidentd.updates import Audience, Promise
from tests.unit import incident_facts as story
from tests.unit.markdown_checks import HOSTILE, check, headings, tables

Told = tuple[str, Actor, str, str, dict[str, Any]]
GOLDEN = Path(__file__).parent.parent / "data" / "golden"


def section(markdown: str, title: str) -> str:
    _, after = markdown.split(f"## {title}\n\n")
    return re.split(r"\n\n(?:## |Made from)", after)[0]


def test_the_document_of_a_resolved_incident_reads_as_it_should() -> None:
    assert render(story.STORY) == (GOLDEN / "document.md").read_text(encoding="utf-8")


def test_an_incident_of_which_nothing_is_known_says_so_in_one_line_a_section() -> None:
    page = render(story.bare())

    assert headings(page) == [
        "# INC-12 Mail queue grows",
        "## Summary",
        "## Impact now",
        "## Current actions",
        "## Hypotheses",
        "## Changes made to production",
        "## Exit criteria",
        "## Decisions",
        "## Alerts",
        "## Automation",
        "## People paged and joined",
        "## Communication log",
        "## TODO for later",
        "## Timeline",
    ]
    assert page.count(NOTHING) == 11
    assert "Incident Commander nobody yet" in page
    assert "Nobody has acknowledged it yet." in section(page, "Summary")


def test_the_timeline_is_newest_first_while_live_and_oldest_first_once_over() -> None:
    def times(page: str) -> list[str]:
        return [line.split(" | ")[0] for line in section(page, "Timeline").split("\n")[2:]]

    going_on, over = times(render(story.live())), times(render(story.STORY))

    assert over == sorted(over)
    assert going_on == over[::-1]


def test_what_happened_at_one_instant_stays_in_the_order_in_which_it_came() -> None:
    lines = section(render(story.STORY), "Timeline").split("\n")
    at_declaration = [line for line in lines if "14:40:00" in line]

    assert "no progress for 30m; 2 firing" in at_declaration[0]
    assert "Declared sev2" in at_declaration[1]


def test_a_page_that_waits_and_a_run_that_runs_are_the_current_actions() -> None:
    page = replace(story.PAGE, state=PageState.OPEN, acked_at=None, acked_by="", breached=False)
    run = replace(story.RUN, state=RunState.RUNNING, finished_at=None, ends_at=story.at("14:30"))
    text = section(render(replace(story.live(), pages=(page,), runs=(run,))), "Current actions")

    assert "| Answer PAGE-9 | ana, ben | 2026-11-24 14:40:00 UTC | 2026-11-24 14:45:00 UTC | nobody yet |" in text
    assert "| RUN-3 drain-queue | playbook | 2026-11-24 14:12:00 UTC | 2026-11-24 14:30:00 UTC | running |" in text

    question = Question(key="steps/1", text="Drain?", people=("ana",), expires_at=story.at("14:50"))
    asking = replace(run, ends_at=None, question=question)
    text = section(render(replace(story.live(), runs=(asking,))), "Current actions")
    assert "| 2026-11-24 14:50:00 UTC | waits for an answer: ana |" in text


def test_the_commander_holds_every_role_that_is_not_delegated() -> None:
    commander = Assignment(role=Role.INCIDENT_COMMANDER, person="ana", since=story.at("14:47"))
    page = render(story.live(roles=(commander,)))

    assert "Incident Commander ana (since 2026-11-24 14:47:00 UTC)" in page
    assert "Operations Lead ana (not delegated)" in page


def test_lines_of_notes_that_begin_with_todo_are_kept_for_later() -> None:
    text = "ana: TODO: raise the limit\n  TODO: and alert on it\nnot a TODO: really\nTODO:\nTODO: \n"
    entries = story.chain(
        "INC-12", [("14:50", story.ANA, "note", text, {}), ("14:51", story.ANA, "run.step", "TODO: no note", {})]
    )
    found = todos(replace(story.bare(), entries=entries))

    assert [(todo.by, todo.text) for todo in found] == [("ana", "raise the limit"), ("ana", "and alert on it")]


def test_a_document_that_was_cut_short_can_be_told_by_its_end() -> None:
    end = f"; the last one is `{story.OWN[-1].hash}`. End of document.\n"

    assert render(story.STORY).endswith(end)


@pytest.mark.parametrize("status", list(Status))
def test_every_state_can_be_shown(status: Status) -> None:
    page = render(story.live(status=status))

    check(page)
    named = "resolved" if status is Status.POSTMORTEM else status.value.replace("_", " ")
    assert f"State {named}" in page
    assert ("Going on since" in page) is (status in ACTIVE - {Status.MITIGATED})


def test_every_state_of_a_run_has_a_verdict_and_only_one_is_a_success() -> None:
    assert set(VERDICTS) == set(RunState)
    assert [state for state, words in VERDICTS.items() if "helped" in words] == [RunState.VERIFIED]


@pytest.mark.parametrize("value", HOSTILE)
def test_a_strangers_value_stays_in_its_place(value: str) -> None:
    page = render(story.hostile(value))

    check(page)
    assert [line for line in headings(page) if line.startswith("## ")] == [
        line for line in headings(render(story.STORY)) if line.startswith("## ")
    ]
    assert [len(lines) for lines in tables(page)] == [len(lines) for lines in tables(render(story.STORY))]


@settings(deadline=None, max_examples=60)
@given(st.text(alphabet="ab|\\\n\r`*_[]()<>&#-:/!\u2028\u202e\ud800\x00 hTODO", max_size=40))
def test_no_mixture_of_odd_characters_breaks_a_table(value: str) -> None:
    check(render(story.hostile(value)))


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://prom.example/graph?g0.expr=up&t=1", "[open](http://prom.example/graph?g0.expr=up&amp;t=1)"),
        ("https://prom.example/a(b)|c", "[open](https://prom.example/a%28b%29%7Cc)"),
        ("https://prom.example/%28x%29", "[open](https://prom.example/%28x%29)"),
        ("javascript:alert(1)", "open"),
        ("JAVASCRIPT:alert(1)", "open"),
        ("data:text/html,x", "open"),
        ("//prom.example", "open"),
        ("http:///x", "open"),
        ("http://[::1", "open"),
        ("https://prom.example/\n| x |", "open"),
        ("", "open"),
    ],
)
def test_only_web_addresses_become_links(url: str, shown: str) -> None:
    assert link("open", url) == shown


def test_a_page_answered_before_its_hold_was_declared_took_no_time() -> None:
    early = story.INCIDENT.declared_at - timedelta(minutes=5)

    assert "acknowledged after 0s" in render(story.live(acknowledged_at=early))


@pytest.mark.parametrize(
    "line", ["---", "===", "- one", "# head", "1. one", "12) one", "> quote", "    code", ": def", "+ x"]
)
def test_what_somebody_wrote_over_several_lines_makes_no_markdown_of_its_own(line: str) -> None:
    written = prose(f"text\n{line}\n\n\n{line}")
    check(f"# INC-1\n\n## Summary\n\n{written}\n")
    assert not re.search(r"^(?:[-=+:>#]|[ \t]+\S|\d+[.)])", written, re.MULTILINE)


def test_a_flood_of_entries_is_counted_and_the_newest_are_shown() -> None:
    one = story.OWN[0]
    flood = tuple(replace(one, seq=n, at=one.at + timedelta(seconds=n), text=f"n{n}") for n in range(1, 2001))
    page = render(replace(story.live(), entries=flood))
    rows = section(page, "Timeline")
    assert "| n2000 |" in rows
    assert "| n1501 |" in rows
    assert "| n1500 |" not in rows
    assert rows.endswith("1500 rows more than these are left out.")
    over = section(render(replace(story.STORY, entries=flood)), "Timeline")
    assert "| n2000 |" in over
    assert over.endswith("1500 rows older than these are left out.")


# -- everything once, and as it is now -------------------------------------------------------------------------------


def test_why_it_was_declared_stands_once() -> None:
    why = "Declared: no progress for 30m; 2 firing at the best, 2 firing now."
    told: list[Told] = [("14:40", INCIDENTD, "incident.declared", f"{why} It was HOLD-7 before.", {})]
    facts = replace(story.live(reason=why), entries=story.HOLD + story.chain("INC-12", told))
    page = render(facts)

    assert page.count("no progress for 30m") == 1
    assert "by time: Declared: no progress for 30m; 2 firing at the best, 2 firing now.  \n" in page
    lines = section(page, "Timeline")
    assert "Declared sev2, for the reason at the top. It was HOLD-7 before." in lines
    assert "HOLD-7 is declared, for the reason at the top." in lines


def test_the_head_says_who_is_next_who_hears_when_and_where_it_is_followed() -> None:
    promises = (
        Promise(incident_id=12, audience=Audience.INTERNAL, due_at=story.at("15:40")),
        Promise(incident_id=12, audience=Audience.EXTERNAL, due_at=story.at("15:20")),
        Promise(incident_id=12, audience=Audience.EXECUTIVES, due_at=None),
    )
    page = render(replace(story.live(), promises=promises, rooms=("ops", "shop-room"), next_commander="dia"))

    assert "Next update: external by 2026-11-24 15:20:00 UTC, internal by 2026-11-24 15:40:00 UTC  \n" in page
    assert "| Next Incident Commander, asked and not yet there: dia  \n" in page
    assert "| Followed in ops, shop-room |" in page
    assert "Detected 2026-11-24 14:00:00 UTC by an alert |" in page
    assert "by ana |" in render(story.bare())


def test_what_was_sent_says_to_whom_in_which_words_and_who_let_it_go() -> None:
    sent = {"update": "UPD-1", "audience": "external", "by": "cho", "approved_by": "ana"}
    instead = "in place of ben/push, which has not taken it"
    told: list[Told] = [
        ("14:41", INCIDENTD, "page.sent", "PAGE-9: sent to ana/mail.", {"channel": "ana/mail"}),
        ("14:42", INCIDENTD, "page.sent", f"PAGE-9: sent to ben/sms, {instead}.",
         {"channel": "ben/sms"}),
        ("14:43", INCIDENTD, "page.sent", "Sent to dia/mail: T1 is yours", {"channel": "dia/mail"}),
        ("14:43", INCIDENTD, "page.sent", "Sent to cho/mail: T1 is yours", {"channel": "cho/mail"}),
        ("14:44", story.ANA, "update.waiting", "UPD-1 to external by cho waits for ana to approve it: Mail: late.",
         {"update": "UPD-1", "audience": "external"}),
        ("14:50", story.ANA, "update.sent",
         "cho told external, approved by ana, late: Mail: late. Next update by 15:00:00 UTC.", sent),
    ]  # fmt: skip
    page = render(replace(story.live(), entries=story.chain("INC-12", told)))
    rows = section(page, "Communication log").split("\n")[2:]

    assert rows == [
        "| 2026-11-24 14:41:00 | message | ana/mail | PAGE-9: Mail queue grows | incidentd | - |",
        f"| 2026-11-24 14:42:00 | message | ben/sms | PAGE-9: Mail queue grows \\({instead}\\) | incidentd | - |",
        "| 2026-11-24 14:43:00 | message | cho/mail, dia/mail | T1 is yours | incidentd | - |",
        "| 2026-11-24 14:44:00 | update, not sent yet | external | Mail: late. | ana | - |",
        "| 2026-11-24 14:50:00 | update, late | external | Mail: late. Next update by 15:00:00 UTC. | cho | ana |",
    ]
    short = "cho told external, approved by ana, late. Next update by 15:00:00 UTC."
    assert f"| 2026-11-24 14:50:00 | ana (api) | {short} |  |" in section(page, "Timeline")


def test_what_was_written_long_before_the_last_that_happened_says_so_while_it_goes_on() -> None:
    later = story.chain("INC-12", [("16:40", story.ANA, "note", "ana: worse", {})])
    going_on = render(replace(story.live(), entries=(*story.STORY.entries, *later)))

    old = "Written by cho, 2026-11-24 15:00:00 UTC; that was 1h40m before the newest entry below."
    assert old in section(going_on, "Impact now")
    assert "before the newest" not in render(story.STORY)


def test_what_is_over_has_no_now_and_waits_for_nothing() -> None:
    page = render(replace(story.bare(), incident=replace(story.bare().incident, status=Status.RESOLVED)))

    assert "Who was affected, and how, nobody has written." in section(page, "Impact")
    assert section(page, "Actions") == "Nothing recorded."
    assert NOTHING not in page


def test_what_is_to_be_done_later_says_of_which_day() -> None:
    noted = story.chain("INC-12", [("26:10", story.ANA, "note", "TODO: sleep", {})])

    assert "- 2026-11-25 02:10:00 UTC, ana: sleep" in render(replace(story.live(), entries=noted))


def test_the_impact_of_what_was_merged_is_told_where_it_goes_on() -> None:
    merged = Merge(into=4, at=story.at("15:10"), by="ana", was=Status.INVESTIGATING)
    impact = section(render(story.live(status=Status.MERGED, merge=merged, ended_at=merged.at)), "Impact")
    assert "Part of INC-4 since 2026-11-24 15:10:00 UTC; whether the impact goes on stands there." in impact
    assert "Over" not in impact

    before = replace(merged, was=Status.MITIGATED)
    facts = story.live(status=Status.MERGED, merge=before, ended_at=merged.at, mitigated_at=story.at("15:00"))
    assert "Over since 2026-11-24 15:00:00 UTC; it lasted" in section(render(facts), "Impact")


@pytest.mark.parametrize("kind", ["refuted", "refired", "reopened", "unmerged"])
def test_what_is_investigated_again_is_so_since_then_whoever_answered_before(kind: str) -> None:
    told: list[Told] = [
        ("15:31", story.ANA, f"incident.{kind}", "again", {}), ("15:40", story.ANA, f"incident.{kind}", "again", {}),
        ("15:41", story.ANA, "copied", "from INC-4: again", {"kind": f"incident.{kind}"}),
    ]  # fmt: skip
    facts = replace(story.live(), entries=(*story.HOLD, *story.chain("INC-12", told)))
    assert "State investigating since 2026-11-24 15:40:00 UTC" in render(facts)
    nobody = replace(facts, incident=replace(facts.incident, acknowledged_at=None))
    assert "State investigating since 2026-11-24 15:40:00 UTC" in render(nobody)
    assert "State investigating since 2026-11-24 14:47:00 UTC" in render(story.live())

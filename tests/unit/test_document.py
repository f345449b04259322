"""The incident document: what stands where, and that nothing a stranger writes gets out of its place."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from incidentd.document import NOTHING, VERDICTS, link, render, todos
from incidentd.incidents import ACTIVE, Status
from incidentd.pages import PageState
from incidentd.playbooks import RunState
from incidentd.roles import Assignment, Role
from tests.unit import incident_facts as story
from tests.unit.markdown_checks import HOSTILE, check, headings, tables

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
        "## Alerts",
        "## Automation",
        "## People paged and joined",
        "## Communication log",
        "## TODO for later",
        "## Timeline",
    ]
    assert page.count(NOTHING) == 7
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
    assert f"State {status.value}" in page
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

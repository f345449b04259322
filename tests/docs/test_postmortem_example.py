"""The draft of the story of a night: what people have to write in it, by count, and that it reads as Markdown."""

from __future__ import annotations

import re

import pytest
import yaml
from markdown_it import MarkdownIt

from incidentd.postmortem import HUMAN, Level, Page, check, passes
from tests.docs.night_page import DRAFT
from tests.engine.night import PEOPLE
from tests.unit.markdown_checks import headings

TEXT = DRAFT.read_text()
WRITTEN: dict[str, str | dict[str, str]] = {
    "Executive summary": "Up to 42 % of all payments failed for 3h10m because release 4.2 left the payment client too "
    "few connections; release 4.2.1 has enough of them.",
    "Problem summary": {"Revenue impact": "estimate: 61,000 euros", "Data loss": "none"},
    "Technical issue": "Each instance of the payment client had 5 connections where the load needs 50, so most "
    "payments waited for one until they timed out.",
    "Root cause and contributing factors": "- Trigger: release 4.2, at 03:02\n"
    "- Contributing factors: the release set the pool from 50 to 5; no test runs with the load of a day\n"
    "- What made it worse: two instances could not start, since their disks were full of logs\n"
    "- What limited it: the pool was set by hand on the other four",
    "What went well": "- The alert fired 5 minutes after the impact began, and somebody answered within 2.",
    "What could be improved": "- It took 26 minutes to look at the release.",
    "Where we got lucky": "- It was night: at noon there are ten times as many payments.",
}
"""What people write, by the section; of a table its rows."""


def filled(text: str, *, without: str = "") -> str:
    """Write what people write, and nothing else."""
    for title, words in WRITTEN.items():
        if title == without:
            continue
        if isinstance(words, dict):
            for row, value in words.items():
                text, times = re.subn(rf"(?m)^\| {row} \| .* \|$", f"| {row} | {value} |", text)
                assert times == 1, row
        else:
            begin = text.index(f"# {title}\n\n") + len(title) + 4
            end = text.index("\n\n#", begin)
            text = text[:begin] + words + text[end:]
    return text


def test_people_write_the_seven_sections_that_only_they_can_and_the_gate_opens() -> None:
    assert tuple(WRITTEN) == HUMAN
    assert len(HUMAN) == 7
    page = Page(TEXT)
    asked = {
        next(one.title for one in reversed(page.sections) if one.number < finding.line)
        for finding in check(TEXT, PEOPLE)
        if finding.level is Level.ERROR
    }
    assert asked == set(HUMAN)

    found = check(filled(TEXT), PEOPLE)
    assert passes(found), [str(one) for one in found if one.level is Level.ERROR]


@pytest.mark.parametrize("title", HUMAN)
def test_each_of_them_is_asked_for(title: str) -> None:
    assert not passes(check(filled(TEXT, without=title), PEOPLE))


@pytest.mark.parametrize("text", [TEXT, filled(TEXT)])
def test_every_table_is_one_and_each_of_its_rows_has_as_many_cells_as_its_head(text: str) -> None:
    body = text.split("\n---\n", 1)[1]
    tokens = MarkdownIt("commonmark").enable("table").parse(body)
    rows, widths = 0, []
    for token in tokens:
        if token.type == "tr_open":
            widths.append(0)
        elif token.type in ("th_open", "td_open"):
            widths[-1] += 1
            rows += token.type == "td_open" and widths[-1] == 1
        elif token.type == "table_close":
            assert len(set(widths)) == 1, widths
            widths = []
    lines = [line for line in body.split("\n") if line.startswith("|")]
    tables = sum(token.type == "table_open" for token in tokens)
    assert rows == len(lines) - 2 * tables, "no row is left outside of a table, and none is cut"
    assert not [one for one in tokens if one.type == "inline" and one.content.startswith("|")]
    # a row with more cells than its head is cut by the parser, so they are counted as they stand too
    of_lines = [len(re.findall(r"(?<!\\)\|", line)) for line in lines]
    breaks = [at for at, line in enumerate(lines) if re.fullmatch(r"\|( --- \|)+", line)]
    for begin, end in zip([at - 1 for at in breaks], [*(at - 1 for at in breaks[1:]), len(lines)], strict=True):
        assert len(set(of_lines[begin:end])) == 1


def test_the_template_is_the_one_that_the_process_asks_for() -> None:
    assert headings(TEXT)[1:] == [
        "## Date and people", "## Executive summary", "## Problem summary", "### Technical issue",
        "### Root cause and contributing factors", "## Action items", "## Lessons learned", "### What went well",
        "### What could be improved", "### Where we got lucky", "## Feedback on our practice",
        "## Timeline (UTC, from before the trigger, oldest first)",
        "## Supporting information, glossary, external message", "### Alerts", "### Automation", "### Messages sent",
        "### Similar incidents", "### Glossary", "### External message",
    ]  # fmt: skip
    head = yaml.safe_load(TEXT.split("---\n")[1])
    assert (head["incident"], head["status"], head["severity"], head["alert"]) == (
        "INC-1", "draft", "sev1", "CheckoutErrors",
    )  # fmt: skip


def test_it_tells_how_it_ended_and_of_nothing_that_was_only_posted_or_sent() -> None:
    assert "| User impact (numbers) | 42% of all payments failed from 03:07 to 04:01, and one in fifty until" in TEXT
    assert "| - | alert when a connection pool is used up |" in TEXT
    timeline = TEXT.split("oldest first)")[1].split("\n## ")[0]
    assert not re.search(r"Sent to|were posted to|Postmortem drafted", timeline)
    times = re.findall(r"(?m)^\| (2026-11-25 \d\d:\d\d:\d\d) \|", timeline)
    assert times == sorted(times)
    assert times[0] == "2026-11-25 03:07:00"

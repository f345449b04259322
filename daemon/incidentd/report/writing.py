"""The report as Markdown, as data and as the words of a message; strangers' words are harmless in each of them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from incidentd.durations import about
from incidentd.report import Report
from incidentd.report.finding import Finding, Kind, Table
from incidentd.text import count, instant, iso, markdown, plain

TITLES = {
    Kind.AUTOMATE: "Automation candidates", Kind.NOISY: "Noisy alerts",
    Kind.BARE: "Pages without a runbook or playbook",
    Kind.DETECTION: "Detection gaps", Kind.LEAD_TIME: "Where the minutes go", Kind.REPEAT: "Repeat incidents",
    Kind.KNOWN: "Known issues", Kind.HOLD: "Tuning of holds", Kind.ON_CALL: "On-call health",
    Kind.ROT: "Playbooks that rot", Kind.EFFECT: "Action items without effect", Kind.TOIL: "Toil",
    Kind.RULES: "Decisions that today's rules would not make",
}  # fmt: skip
_PLACES = {"INC": "incidents", "HOLD": "holds", "PAGE": "pages"}
_KEY = re.compile(r"(INC|HOLD|PAGE)-[0-9]{1,15}")
_LONGEST = 1000
_IN_A_MESSAGE = 40
_NOTHING = "Nothing was found that needs a change."


@dataclass(frozen=True, slots=True)
class Part:
    """One of the reports, with its findings."""

    title: str
    findings: tuple[Finding, ...]


def parts(found: Report) -> tuple[Part, ...]:
    """Sort the findings by report; a report without any is left out."""
    sorted_ = (Part(title, tuple(it for it in found.findings if it.kind is kind)) for kind, title in TITLES.items())
    return tuple(part for part in sorted_ if part.findings)


def place_of(key: str) -> str:
    """Give the place on the console where evidence is shown; '' when it is shown nowhere."""
    return f"{_PLACES[key.partition('-')[0]]}/{key}" if _KEY.fullmatch(key) else ""


def headline(found: Report) -> str:
    """Say what the report looked at, and how much it found."""
    seen = ", ".join(
        (count(found.pages, "page"), count(found.holds, "hold"), count(found.incidents, "incident"))
    )  # fmt: skip
    return (
        f"From {instant(found.since)} to {instant(found.until)} ({about(found.until - found.since)}): {seen}; "
        f"{count(len(found.findings), 'finding')}. Drills are left out."
    )


def to_markdown(found: Report, base: str) -> str:
    """Write all of it as Markdown; `base` is the address of the console."""
    lines = ["# What there is to improve", "", headline(found), ""]
    lines += [f"There was more than is read: {text}." for text in found.cut]
    for part in parts(found):
        lines += [f"## {part.title}", ""]
        for it in part.findings:
            lines += _finding(it, base)
    if not found.findings:
        lines += [_NOTHING, ""]
    for table in found.tables:
        lines += [f"## {table.title}", "", *_table(table), ""]
    return "\n".join(lines)


def _finding(it: Finding, base: str) -> Iterator[str]:
    yield f"- **{markdown(it.about, 200)}** ({', '.join(why.replace('_', ' ') for why in it.why)}): {_said(it.says)}"
    yield f"  Proposed: {_said(it.propose)}"
    if it.evidence:
        yield f"  Evidence: {', '.join(_link(key, base) for key in it.evidence)}"
    yield ""
    if it.draft:
        yield from ("  ```yaml", *(f"  {line}" for line in it.draft.splitlines()), "  ```", "")


def _said(text: str) -> str:
    return markdown(text, _LONGEST)


def _link(key: str, base: str) -> str:
    place = place_of(key)
    return f"[{key}]({base}/{place})" if place else markdown(key, 200)


def _table(table: Table) -> Iterator[str]:
    yield _row(table.head)
    yield _row("---" for _ in table.head)
    yield from (_row(markdown(cell, 100) for cell in row) for row in table.rows)


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def as_data(found: Report) -> dict[str, Any]:
    """Write all of it for machines."""
    return {
        "since": iso(found.since), "until": iso(found.until), "pages": found.pages, "holds": found.holds,
        "incidents": found.incidents, "cut": list(found.cut),
        "findings": [
            {
                "report": it.kind.value, "about": it.about, "why": list(it.why), "says": it.says,
                "evidence": list(it.evidence), "propose": it.propose, "draft": it.draft,
            }
            for it in found.findings
        ],
        "tables": [
            {"name": it.name, "title": it.title, "head": list(it.head), "rows": [list(row) for row in it.rows]}
            for it in found.tables
        ],
    }  # fmt: skip


def message(found: Report, base: str) -> tuple[str, str]:
    """Write the weekly message: its title, and what costs most of each report in plain words."""
    title = f"Report on practice: {count(len(found.findings), 'finding')} in {about(found.until - found.since)}"
    lines = [headline(found), ""]
    shown = found.findings[:_IN_A_MESSAGE]
    for part in parts(found):
        lines += _words(part.title, [it for it in part.findings if it in shown])
    if not found.findings:
        lines += [_NOTHING, ""]
    if len(found.findings) > len(shown):
        lines += [f"{len(found.findings) - len(shown)} more are in the whole report.", ""]
    return title, "\n".join([*lines, f"All of it: {base}/report?since={_days(found)}d"])


def _words(title: str, its: Sequence[Finding]) -> Iterator[str]:
    if its:
        yield from (title, "-" * len(title))
        for it in its:
            yield f"* {plain(it.about, 200)}: {plain(it.says, _LONGEST)}"
            yield f"  -> {plain(it.propose, _LONGEST)}"
        yield ""


def _days(found: Report) -> int:
    return max(round((found.until - found.since).total_seconds() / 86400), 1)

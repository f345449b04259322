"""What people do by hand again and again: candidates for a playbook, and where the hours go."""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from datetime import timedelta

from incidentd.durations import about
from incidentd.report.calls import Call, by_alertname
from incidentd.report.finding import Finding, Kind, Table, keys, median, percent
from incidentd.report.history import Deed
from incidentd.report.limits import (
    BUILD,
    ENOUGH,
    MONTH,
    PAYS_WITHIN,
    PER,
    SAME_FIRST_STEP,
    TOIL,
    WORKS_WITHIN,
)
from incidentd.settings import Settings
from incidentd.text import count, plain

_HAS_DIGIT = re.compile(r"\S*\d\S*")
_NO_NAME = re.compile(r"[^a-z0-9]+")
_NO_TEMPLATE = str.maketrans("{}%", "()/")
_ESCAPED = "<>&`"
_MOST_STEPS = 20
_HOUR, _DAY = timedelta(hours=1), timedelta(days=1)
_MINUTE = timedelta(minutes=1)


def same(text: str) -> str:
    """Give what makes two texts the same step: no case, and neither numbers nor names that have some."""
    return " ".join(_HAS_DIGIT.sub("#", text.casefold()).split()).strip(" .!")


def candidates(found: Sequence[Call], known: timedelta) -> Iterator[Finding]:
    """Find alerts that people answer with the same first step each time, and where a playbook pays within a year.

    `found` is all that came in the time that is `known`. What came in less than a month counts as if it were all of
    the month: a week with five pages does not make a year with 260.
    """
    for name, its in by_alertname(found).items():
        handled = [call for call in its if call.hands_on is not None and call.deeds and not call.healed]
        if len(handled) < ENOUGH:
            continue
        (first, times), *_ = Counter(same(call.deeds[0].text) for call in handled).most_common(1)
        alike = [call for call in handled if same(call.deeds[0].text) == first]
        if times / len(handled) >= SAME_FIRST_STEP:
            yield from _candidate(name, handled, alike, known)


def _candidate(name: str, handled: list[Call], alike: list[Call], known: timedelta) -> Iterator[Finding]:
    share = len(alike) / len(handled)
    minutes = median([call.hands_on for call in handled if call.hands_on is not None])
    works = sum(call.hands_on is not None and call.hands_on <= WORKS_WITHIN for call in alike) / len(alike)
    rate = len(handled) / (max(known, MONTH) / PER)
    pages = BUILD / max(minutes, _MINUTE)
    if rate * (PAYS_WITHIN / PER) < pages:
        return
    blast = max(sorted(call.alerts for call in alike)[len(alike) // 2], 1)
    first = plain(alike[-1].deeds[0].text, 100)
    comes = f"{rate:.0f} come in 90 days" if known >= MONTH else f"{len(handled)} came in {_days(known)}"
    score = rate * (minutes / _MINUTE) * share * works / blast
    yield Finding(
        kind=Kind.AUTOMATE, about=name, why=("same_first_step", "pays_within_a_year"),
        says=(
            f"{count(len(handled), 'page')} were handled by hand, {about(minutes)} each (median); {percent(share)} "
            f"began with the same step ({first}), {percent(works)} of these were over within "
            f"{about(WORKS_WITHIN)}. A playbook that takes {about(BUILD)} to build pays after "
            f"{count(-(-BUILD // max(minutes, _MINUTE)), 'page')}; {comes}."
        ),
        evidence=keys(call.page.key for call in alike),
        propose=f"Make a playbook of what is done by hand for {plain(name, 80)}; a draft is below.",
        weight=score, draft=skeleton(name, alike[-1].deeds),
    )  # fmt: skip


def skeleton(alertname: str, deeds: Sequence[Deed]) -> str:
    """Write a playbook that says the recorded steps and does none: whoever owns it replaces each by a real one.

    What people wrote is never a template, and never anything but text.
    """
    name = f"by-hand-{_NO_NAME.sub('-', alertname.lower()).strip('-')[:60] or 'alert'}"
    lines = [
        "kind: playbook",
        f"name: {name}",
        f"title: {_text(f'What is done by hand for {alertname}', 100)}",
        "mode: suggest",
        f"match: [{_quoted(f'alertname={json.dumps(plain(alertname, 200))}')}]",
        "inputs:",
        '  instance: {from: labels.instance, pattern: "[A-Za-z0-9.:_-]{1,100}"}',
        'target: "{{ inputs.instance }}"',
        "risk: low",
        "manual_minutes: 10",
        "steps:",
    ]
    for number, deed in enumerate(deeds[:_MOST_STEPS], start=1):
        lines += [f"  - name: step {number}", f"    note: {_text(f'by hand: {deed.text}', 300)}"]
    return "\n".join([*lines, "on_failure: note", ""])


def _text(words: str, limit: int) -> str:
    """Write words as a string of YAML that is no template and, in a page or a message, nothing but text."""
    return _quoted(plain(words, limit).translate(_NO_TEMPLATE))


def _quoted(text: str) -> str:
    written = json.dumps(text, ensure_ascii=True)
    return "".join(f"\\u{ord(char):04x}" if char in _ESCAPED else char for char in written)


def ledger(found: Sequence[Call], settings: Settings) -> Table:
    """Add up month by month what each alert cost people, and what playbooks spared them."""
    spent: dict[tuple[str, str], timedelta] = defaultdict(timedelta)
    saved: dict[tuple[str, str], timedelta] = defaultdict(timedelta)
    pages: Counter[tuple[str, str]] = Counter()
    for name, its in by_alertname(found).items():
        for call in its:
            cell = (f"{call.page.started_at:%Y-%m}", name)
            pages[cell] += 1
            spent[cell] += call.hands_on or timedelta(0)
            saved[cell] += _saved(call, settings)
    rows = tuple(
        (month, plain(name, 80), str(pages[month, name]), _hours(spent[month, name]), _hours(saved[month, name]))
        for month, name in sorted(pages)
    )
    head = ("Month", "Alert", "Pages", "Hours by hand", "Hours spared by playbooks")
    return Table(name="toil", title="Toil, month by month", head=head, rows=rows)


def _saved(call: Call, settings: Settings) -> timedelta:
    known = (settings.playbooks.get(run.playbook) for run in call.runs if run.state == "verified")
    return sum((timedelta(minutes=playbook.manual_minutes) for playbook in known if playbook), timedelta(0))


def _hours(time: timedelta) -> str:
    return f"{time / _HOUR:.1f}"


def toil(found: Sequence[Call], known: timedelta, ever: Sequence[Call]) -> Iterator[Finding]:
    """Find alerts that cost people half a day a month; `found` is all that came in the time that is `known`.

    What a playbook changed is told of all that was `ever` seen: each median stands for itself.
    """
    months, all_of = max(known / MONTH, 1.0), by_alertname(ever)
    for name, its in by_alertname(found).items():
        handled = [(call, time) for call in its if (time := call.hands_on) is not None]
        total = sum((time for _, time in handled), timedelta(0))
        if len(handled) < ENOUGH or total / months < TOIL:
            continue
        before, after = _around(all_of[name])
        effect = (
            f" With a verified playbook it takes {about(median(after))}, without one {about(median(before))} (medians)."
            if before and after
            else ""
        )
        monthly = f", {total / months / _HOUR:.1f} in 30 days" if known >= MONTH else f" in {_days(known)}"
        yield Finding(
            kind=Kind.TOIL, about=name, why=("hours_a_month",),
            says=(
                f"{count(len(handled), 'page')} took {total / _HOUR:.0f} hours of people's time{monthly}.{effect}"
            ),
            evidence=keys(call.page.key for call, _ in handled),
            propose=f"Give the cause of {plain(name, 80)} a place in the backlog, with these hours as its price.",
            weight=total / _HOUR,
        )  # fmt: skip


def _days(known: timedelta) -> str:
    return count(max(round(known / _DAY), 1), "day")


def _around(its: Sequence[Call]) -> tuple[list[timedelta], list[timedelta]]:
    handled = [(call, time) for call in its if (time := call.hands_on) is not None]
    return [time for call, time in handled if not call.healed], [time for call, time in handled if call.healed]

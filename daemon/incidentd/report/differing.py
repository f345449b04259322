"""What the rules of today would make of the alerts that were decided: a back-test of a change to them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from incidentd import triage
from incidentd.report.finding import Finding, Kind, keys
from incidentd.report.history import History, KnownAlert
from incidentd.settings import Settings
from incidentd.text import count, labels_line, plain


def differs(history: History, settings: Settings) -> Iterator[Finding]:
    """Find alerts that the rules in force would decide otherwise than they were decided.

    Rules that ask live data cannot be asked afterwards: what such a rule could decide is left out, and so is what was
    set aside for maintenance or a drill.
    """
    book = triage.book_of(settings, history.until)
    found: dict[tuple[str, str, str], list[KnownAlert]] = defaultdict(list)
    for alert in history.alerts.values():
        if not alert.decision or alert.rule in triage.ASIDE:
            continue
        if any(rule.when for rule in book.index.matching(alert.labels)):
            continue
        now = triage.triage(alert.labels, alert.annotations, book)
        if now.decide.value != alert.decision:
            found[alert.labels.get("alertname", ""), alert.decision, now.decide.value].append(alert)
    for (name, was, now_), its in sorted(found.items()):
        yield Finding(
            kind=Kind.RULES, about=name, why=(f"{was}_to_{now_}",),
            says=f"{count(len(its), 'alert')} of this name, decided as {was} the last time, would be {now_} now.",
            evidence=keys(labels_line(dict(alert.labels), 200) for alert in its), weight=len(its),
            propose=f"If that is not meant, look at `incidentd explain` for {plain(name, 80)}.",
        )  # fmt: skip

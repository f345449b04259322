"""Decisions a second by 100 and by 1,000 rules, reasons built, on one core.

Of the rules 30 % have patterns only, 10 % match almost every alert but for one condition on a label that few alerts
have, and the others name an alert or a service. They stand in three orders: mixed; those that match almost everything
at the end, where most alerts get past all the others; and by alerts that no rule but the last one knows. Each alert has
label values that were never seen before (an instance, a pod), and its service is one of 500.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from statistics import median

from incidentd.matchers import parse_matcher
from incidentd.rules import CATCH_ALL, Decide, SeverityRule
from incidentd.settings import Settings
from incidentd.triage import book_of, triage
from tests.bench.figures import Figure, Line, Section, Size

NOW = datetime(2026, 11, 24, 14, 0, tzinfo=UTC)
SERVICES = 500
LEAST, COSTS = 10_000, 10
"""Decisions a second on one core, and less than linear growth over ten times the rules."""


def report(size: Size) -> Iterator[Line]:
    """Measure each order of the rules."""
    for order in ("mixed", "broad last", "unknown alerts"):
        few, many = (_rate(count, order, size) for count in (100, 1000))
        yield Figure(what=f"By 1,000 rules, {order}, decisions", value=many, unit="/s", least=LEAST)
        cost = few / many
        yield Figure(what="One costs so many times that by 100", value=cost, unit="x", digits=2, most=COSTS)


def _rate(count: int, order: str, size: Size) -> float:
    """Give the median of decisions per second of processor time; no alert is decided twice."""
    source = random.Random(count)  # noqa: S311 - nothing secret
    book = book_of(Settings(rules=(*rules(count, source, mixed=order != "broad last"), CATCH_ALL)), NOW)
    rates = []
    for _ in range(size.rounds):
        spent, decided = 0.0, 0
        while spent < size.seconds:
            alerts = [_alert(source, number, known=order != "unknown alerts") for number in range(size.few)]
            began = time.process_time()
            for labels in alerts:
                triage(labels, {"summary": "it is slow"}, book)
            spent += time.process_time() - began
            decided += len(alerts)
        rates.append(decided / spent)
    return median(rates)


def rules(count: int, source: random.Random, *, mixed: bool) -> list[SeverityRule]:
    """Make so many rules, in a random order or with those that match almost everything at the end."""
    made = [_rule(number, source) for number in range(count)]
    if mixed:
        source.shuffle(made)
    else:
        made.sort(key=lambda rule: rule.name.startswith("broad"))
    return made


def _rule(number: int, source: random.Random) -> SeverityRule:
    service = source.randrange(SERVICES)
    kind = number % 10
    if kind < 3:
        name = "pattern"
        match = [f'service=~"(svc|app)-{service}(-[a-z]+)?"', 'alertname=~".*(Latency|Errors|Lag).*"', 'env=~"prod.*"']
    elif kind == 3:
        name = "broad"
        match = ['env=~".+"', 'severity=~"critical|warning|page"', f'tenant!="t-{number}"', f'zone="z-{number}"']
    elif kind < 7:
        name, match = "alert", [f'alertname="Alert{number}"', 'env="prod"', 'severity!="info"']
    else:
        name, match = "service", ['env="prod"', f'service="svc-{service}"', 'severity="critical"']
    return SeverityRule(
        name=f"{name}-{number}", match=tuple(parse_matcher(one) for one in match), decide=Decide.HOLD, severity="sev3",
        urgency="urgent", page="default", because="Somebody has to look.",
    )  # fmt: skip


def _alert(source: random.Random, number: int, *, known: bool) -> dict[str, str]:
    service = source.randrange(SERVICES)
    return {
        "alertname": f"Alert{source.randrange(1000)}" if known else "Strange",
        "env": "prod",
        "instance": f"host-{source.random()}:9100",
        "pod": f"worker-{number}-{source.random()}",
        "service": f"svc-{service}-canary" if known else f"legacy-{source.random()}",
        "severity": source.choice(("critical", "warning")),
        "team": "payments",
        "tenant": f"t-{source.randrange(50)}",
        "zone": f"z-{source.randrange(2000)}",
    }


SECTION = Section(
    about="decisions a second by 100 and by 1,000 rules, reasons built, on one core", report=report,
    takes=lambda size: 6 * size.rounds * size.seconds * 1.5,
)  # fmt: skip

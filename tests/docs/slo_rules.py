"""Writes deploy/prometheus/slo.yaml, incidentd's own objectives and how fast their budgets burn: `make docs`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

FILE = Path(__file__).parents[2] / "deploy" / "prometheus" / "slo.yaml"
WINDOWS = ("5m", "30m", "1h", "2h", "6h", "1d", "3d", "30d")


@dataclass(frozen=True, slots=True, kw_only=True)
class Slo:
    """One objective over 30 days; WINDOW in the expressions is what they are asked over."""

    name: str
    alert: str
    objective: float
    what: str
    """What does not go as it should, in a sentence that goes on with how fast."""
    bad: str
    all: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Burn:
    """A pair of windows, and how many times as fast as allowed both must burn (the SRE Workbook, chapter 5)."""

    long: str
    short: str
    factor: float
    severity: str


BURNS = (
    Burn(long="1h", short="5m", factor=14.4, severity="critical"),
    Burn(long="6h", short="30m", factor=6, severity="critical"),
    Burn(long="1d", short="2h", factor=3, severity="warning"),
    Burn(long="3d", short="6h", factor=1, severity="warning"),
)


def _late(histogram: str, bound: str, matching: str = "") -> tuple[str, str]:
    labels = f"{{{matching}}}" if matching else ""
    every = f"sum by (job) (rate({histogram}_count{labels}[WINDOW]))"
    within = ",".join(part for part in (matching, f'le="{bound}"') if part)
    return f"{every} - sum by (job) (rate({histogram}_bucket{{{within}}}[WINDOW]))", every


def _deliveries(result: str) -> str:
    return f"sum by (job) (rate(incidentd_webhook_requests_total{{result{result}}}[WINDOW]))"


_SLOW, _RECEIVED = _late("incidentd_webhook_duration_seconds", "1.0")
_LATE_PAGES, _PAGES = _late("incidentd_notification_lag_seconds", "60.0", 'purpose=~"page|escalation"')
_LATE_DEADLINES, _DEADLINES = _late("incidentd_timer_lag_seconds", "5.0")

SLOS = (
    Slo(
        name="webhook_errors", alert="IncidentdWebhooksRefused", objective=0.999,
        what="incidentd takes no deliveries now, and Alertmanager has to try again",
        bad=_deliveries('="unavailable"'), all=_deliveries('=~"accepted|unavailable"'),
    ),
    Slo(
        name="webhook_slow", alert="IncidentdWebhooksSlow", objective=0.99,
        what="deliveries take more than a second to be durable", bad=_SLOW, all=_RECEIVED,
    ),
    Slo(
        name="page_late", alert="IncidentdPagesLate", objective=0.999,
        what="pages reach their channel more than a minute after they are due", bad=_LATE_PAGES, all=_PAGES,
    ),
    Slo(
        name="deadline_late", alert="IncidentdDeadlinesLate", objective=0.99,
        what="deadlines are acted on more than five seconds late", bad=_LATE_DEADLINES, all=_DEADLINES,
    ),
)  # fmt: skip

HEAD = """\
# What incidentd promises of itself over 30 days, with alerts when a budget burns too fast: by pairs of windows, as
# the SRE Workbook has them in chapter 5. Written by `make docs`; change tests/docs/slo_rules.py.
groups:
"""


def page() -> str:
    """Give the file as it should be."""
    return HEAD + _recorded() + _alerted()


def recorded(slo: Slo, window: str) -> str:
    """Name the series of the bad share within a window."""
    return f"job:incidentd_{slo.name}:ratio_rate{window}"


def _recorded() -> str:
    lines = ["  - name: incidentd-slo-recording", "    rules:"]
    for slo in SLOS:
        for window in WINDOWS:
            lines += [
                f"      - record: {recorded(slo, window)}",
                "        expr: >-",
                f"          ({slo.bad.replace('WINDOW', window)})",
                f"          / {slo.all.replace('WINDOW', window)}",
            ]
    return "\n".join(lines) + "\n"


def _alerted() -> str:
    lines = ["", "  - name: incidentd-slo", "    rules:"]
    for slo in SLOS:
        for burn in BURNS:
            limit = f"{burn.factor * (1 - slo.objective):.6g}"
            lines += [
                f"      - alert: {slo.alert}",
                "        expr: >-",
                f"          {recorded(slo, burn.long)} > {limit}",
                f"          and {recorded(slo, burn.short)} > {limit}",
                f"        labels: {{severity: {burn.severity}, window: {burn.long}}}",
                "        annotations:",
                f"          summary: '{{{{ $value | humanizePercentage }}}} within {burn.long}: {slo.what}.'",
                f"          description: At most {1 - slo.objective:.2%} over 30 days is the objective; its budget is"
                f" spent {burn.factor:g} times as fast as that. What to look at stands in the runbook.",
                f"          runbook_url: docs/runbooks/objectives.md#{slo.alert.lower()}",
            ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    FILE.write_text(page())
    print(f"wrote {FILE}")

"""Writes docs/metrics.md from the metrics themselves: `make docs`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from incidentd.metrics import families
from incidentd.metrics.family import LIMIT, Family

PAGE = Path(__file__).parents[2] / "docs" / "metrics.md"

HEAD = f"""# Metrics

`GET /metrics` gives these, as text or as OpenMetrics, beside `process_*` and `python_info`. This page is written from
the code (`make docs`).

- Every series whose labels are known from the start or from your files is exported as zero before anything happens, so
  that `rate()` and `increase()` see the first event too.
- Labels have bounded values: after {LIMIT} different ones, or past 100 characters, a value counts as `other`; what your
  files name always fits.
- No label holds a person, an incident or a fingerprint. `channel` is the name of a shared channel, or the kind (`mail`,
  `push`, ...) of a person's own. `team` is the escalation policy that is paged, and for `incidentd_oncall_*` the
  schedule.
- Of several replicas, each counts what it did itself, so counters and histograms are summed. Gauges of what lasts are
  read from the one store by every replica: the greatest counts, or the least where that is what matters.
- Times are histograms. Look at the median and the 90th percentile together with their count; a mean of incident
  durations misleads.

| Metric | Type | Labels | Replicas | Meaning |
|---|---|---|---|---|
"""

VALUES = """
## Label values

| Metric | Label | Values |
|---|---|---|
"""


def page() -> str:
    """Give the page as it should be."""
    rows = [f"| `{f.name}` | {f.type} | {_labels(f)} | {f.over} | {f.text} |\n" for f in families()]
    values = [
        f"| `{family.name}` | `{label}` | {', '.join(f'`{value}`' for value in of)} |\n"
        for family in families()
        for label, of in family.labels.items()
        if not isinstance(of, str)
    ]
    return "".join([HEAD, *rows, VALUES, *values])


def _labels(family: Family[Any]) -> str:
    return ", ".join(f"`{label}`" for label in family.labels) or "-"


if __name__ == "__main__":
    PAGE.write_text(page())
    print(f"wrote {PAGE}")

"""What is written of the dashboards: a JSON file each, and the page that says what they show."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from tests.docs.dashboards import automation, grafana, holds, incidents, itself, learning, now, response
from tests.docs.dashboards.board import Board, Panel

ROOT = Path(__file__).parents[3]
FOLDER = ROOT / "deploy" / "grafana" / "dashboards"
PAGE = ROOT / "docs" / "dashboards.md"
PICTURES = ROOT / "docs" / "pictures"
BOARDS = (now.BOARD, incidents.BOARD, response.BOARD, holds.BOARD, automation.BOARD, learning.BOARD, itself.BOARD)

HEAD = """# Dashboards

Seven dashboards for Grafana 10.1 or newer lie in [deploy/grafana](../deploy/grafana/dashboards). They need nothing but
a Prometheus that scrapes incidentd and has its rules: no plugin, and no account that may read incidentd. This page is
written from the code (`make docs`).

| Dashboard | For | Says |
|---|---|---|
"""

AFTER = f"""
## Install

1. Let Prometheus scrape incidentd and read `recording.yaml`, `slo.yaml` and `alerts.yaml`, as
   [the runbooks](runbooks/README.md) show. Panels about 7 or 30 days and about objectives read what these record.
2. Put the JSON files where Grafana can read them, and tell Grafana so:

   ```console
   # mkdir -p /var/lib/grafana/dashboards/incidentd
   # cp deploy/grafana/dashboards/*.json /var/lib/grafana/dashboards/incidentd/
   # cp deploy/grafana/provisioning/dashboards/incidentd.yaml /etc/grafana/provisioning/dashboards/
   # cp deploy/grafana/provisioning/datasources/prometheus.yaml /etc/grafana/provisioning/datasources/
   # systemctl restart grafana-server
   ```

   Leave the last copy out when Grafana knows your Prometheus already. Without files: *Dashboards*, *New*, *Import*, and
   choose a JSON file.
3. Open *incidentd: Now*, and write the address of your incidentd into the field at the top (`{grafana.CONSOLE}` until
   then): the links to what is open, to postmortems, to the report and to contacts lead there. Grafana keeps it in the
   address of the page, so a bookmark has it.

Dashboards that Grafana reads from files cannot be changed in Grafana. Save a copy under another name, or change the
boards in `tests/docs/dashboards` and run `make docs`.

## Read them

- Above each dashboard stand the Prometheus, the job, and what this dashboard can be narrowed by (severity, team,
  playbook, replica).
- Red, yellow and blue marks on every time axis are incidents declared, holds opened and playbook runs. Metrics hold no
  number of an incident, so a mark says its severity and who noticed; the console says which one it was.
- Numbers and horizontal bars are about the whole time that is looked at, upright bars about an hour each.
- Times are medians and 90th percentiles. They say little of three incidents: look at the counts beside them.
- Counters are summed over replicas. Gauges of what lasts (holds, incidents, items, outboxes) are read from the same
  store by every replica, so the greatest of them counts.
- A ratio of nothing is shown as *nothing yet*.
- Nothing is older than what Prometheus keeps: 15 days, unless its `--storage.tsdb.retention.time` says more. Incidents
  and what is learned from them want 90 days (`90d`); incidentd itself keeps them longer, for its [report](report.md).
- Which metric is what: [metrics.md](metrics.md).

The pictures below are our own rendering, not Grafana's: its grid, titles, units and colours, drawn from what a real
Prometheus answered to these panels' queries about some busy days that were pressed into a minute and a half. Bars
are of five seconds there instead of an hour, and the marks are left out. A percentile is guessed within the step of its
histogram, so 30 s and 54 s beside each other mean no more than *within a minute*. `make pictures` lets the days pass
anew.
"""


def pages() -> dict[Path, str]:
    """Give the files as they should be."""
    return {FOLDER / f"{board.name}.json": grafana.document(board) for board in BOARDS} | {PAGE: page()}


def page() -> str:
    """Write what each dashboard shows, and how to install them."""
    rows = [f"| [{board.title}](#{_anchor(board)}) | {board.reader} | {board.about} |\n" for board in BOARDS]
    return "".join([HEAD, *rows, AFTER, *(line for board in BOARDS for line in _board(board))])


def _board(board: Board) -> Iterator[str]:
    yield f"\n## {board.title}\n\n{board.about} Opens with `{board.since}`; file "
    yield f"[{board.name}.json](../deploy/grafana/dashboards/{board.name}.json).\n\n"
    yield f"![{board.title}, as it was at the end of busy days](pictures/{board.name}.png)\n\n"
    yield "| Row | Panel | Shows |\n|---|---|---|\n"
    for row in board.rows:
        yield from (_line(row.title if number == 0 else "", panel) for number, panel in enumerate(row.panels))


def _line(row: str, panel: Panel) -> str:
    return f"| {row} | {panel.title} | {panel.about} |\n"


def _anchor(board: Board) -> str:
    return board.title.lower().replace(" ", "-")

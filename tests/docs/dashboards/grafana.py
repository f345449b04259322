"""Makes a dashboard of Grafana of a board; its JSON is what Grafana reads from a file."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from grafana_foundation_sdk.builders import bargauge, common, dashboard, prometheus, stat, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import common as kinds
from grafana_foundation_sdk.models import dashboard as models

from tests.docs.dashboards.board import HERE, Board, Look, Panel, Variable

PREFIX = "incidentd-"
JOB = 'job=~"$job"'
CONSOLE = "http://127.0.0.1:9720"
"""Where the links lead to until somebody writes another address into the field at the top."""
_SOURCE = models.DataSourceRef(type_val="prometheus", uid="${datasource}")
_HEIGHTS = {Look.NUMBER: 4, Look.LINES: 8, Look.BARS: 8, Look.RANKED: 8}
_PAGES = (("What is open now", "/"), ("Postmortems", "/postmortems"), ("Report", "/report"), ("Contacts", "/contacts"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """What is marked on every time axis. Metrics know no number of an incident, so labels say which it was."""

    name: str
    colour: str
    metric: str
    labels: tuple[str, ...]
    title: str
    text: str

    @property
    def query(self) -> str:
        """Ask whether it happened within the last two minutes: a scrape a minute is enough for that."""
        return f"sum by ({', '.join(self.labels)}) (increase({self.metric}{{{JOB}}}[2m])) > 0"


MARKS = (
    Mark(
        name="Incidents", colour="red", metric="incidentd_incident_detections_total", labels=("severity", "method"),
        title="Incident declared", text="{{severity}}, noticed by: {{method}}",
    ),
    Mark(
        name="Holds", colour="yellow", metric="incidentd_holds_opened_total", labels=("severity", "rule"),
        title="Hold opened", text="{{severity}}, by the rule {{rule}}",
    ),
    Mark(
        name="Playbook runs", colour="blue", metric="incidentd_playbook_runs_total", labels=("playbook", "result"),
        title="Playbook ran", text="{{playbook}}: {{result}}",
    ),
)  # fmt: skip

Builder = stat.Panel | timeseries.Panel | bargauge.Panel


def document(board: Board) -> str:
    """Write the JSON of a dashboard."""
    made = (
        dashboard.Dashboard(f"incidentd: {board.title}" if not board.title.startswith("incidentd") else board.title)
        .uid(PREFIX + board.name)
        .description(board.about)
        .tags(["incidentd"])
        .readonly()
        .time(board.since, "now")
        .refresh("30s" if board.since.endswith("h") else "5m")
        .timezone("browser")
        .tooltip(models.DashboardCursorSync.CROSSHAIR)
    )
    for variable in _variables(board):
        made.with_variable(variable)
    for link in _links():
        made.link(link)
    for row in board.rows:
        made.with_row(dashboard.Row(row.title))
        for panel in row.panels:
            made.with_panel(_panel(panel))
    plain = json.loads(json.dumps(made.build(), cls=JSONEncoder))
    plain["annotations"] = {"list": [_mark(mark) for mark in MARKS]}
    for number, panel in enumerate(plain["panels"], 1):
        panel["id"] = number
    return json.dumps(plain, indent=2, sort_keys=True) + "\n"


def _variables(board: Board) -> list[Any]:
    source = dashboard.DatasourceVariable("datasource").label("Prometheus").type("prometheus")
    job = Variable(name="job", label="Job", of="incidentd_build_info")
    console = dashboard.TextBoxVariable("console").label("incidentd's address").default_value(CONSOLE)
    return [source, _variable(job, ""), *(_variable(one, f"{{{JOB}}}") for one in board.variables), console]


def _variable(variable: Variable, where: str) -> dashboard.QueryVariable:
    query = f"label_values({variable.of}{where}, {variable.name})"
    made = (
        dashboard.QueryVariable(variable.name)
        .label(variable.label)
        .datasource(_SOURCE)
        .query({"query": query, "refId": variable.name})
        .refresh(models.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(models.VariableSort.ALPHABETICAL_ASC)
        .multi(True)
        .include_all(True)
        .current(models.VariableOption(selected=True, text="All", value="$__all"))
    )
    # all of these is what the query found: other jobs have an `up` and processes, too
    return made if variable.name in ("job", "instance") else made.all_value(".*")


def _links() -> list[dashboard.DashboardLink]:
    others = dashboard.DashboardLink("Dashboards").type(models.DashboardLinkType.DASHBOARDS)
    others.tags(["incidentd"]).as_dropdown(True).keep_time(True).include_vars(True)
    pages = [
        dashboard.DashboardLink(title).type(models.DashboardLinkType.LINK).url("${console}" + path).target_blank(True)
        for title, path in _PAGES
    ]
    return [others, *pages]


def _mark(mark: Mark) -> dict[str, Any]:
    """Make an annotation; the builders know none of the fields in which Prometheus' own are written."""
    return {
        "datasource": {"type": "prometheus", "uid": "${datasource}"}, "enable": True, "expr": mark.query,
        "hide": False, "iconColor": mark.colour, "name": mark.name, "step": "60s", "tagKeys": ",".join(mark.labels),
        "textFormat": mark.text, "titleFormat": mark.title,
    }  # fmt: skip


def _panel(panel: Panel) -> Builder:
    made = _looks(panel)
    made.title(panel.title).description(panel.about).datasource(_SOURCE).unit(panel.unit)
    made.span(panel.width).height(_HEIGHTS[panel.look]).no_value("nothing yet")
    if panel.look is not Look.LINES:
        made.min(0)
    if panel.most is not None:
        made.max(panel.most)
    if panel.unit == "short" and not panel.fractions:
        made.decimals(0)
    made.thresholds(_limits(panel))
    if panel.names:
        words = {value: models.ValueMappingResult(text=word) for value, word in panel.names.items()}
        made.mappings([models.ValueMap(words)])
    for letter, (expression, legend) in zip("ABCDEFGH", panel.asks, strict=False):
        made.with_target(_query(panel.look, letter, expression, legend))
    return made


def _looks(panel: Panel) -> Builder:
    match panel.look:
        case Look.NUMBER:
            newest = common.ReduceDataOptions().calcs(["lastNotNull"]).values(False)
            figure = stat.Panel().reduce_options(newest).graph_mode(kinds.BigValueGraphMode.NONE)
            return figure.text_mode(_text(panel))
        case Look.RANKED:
            newest = common.ReduceDataOptions().calcs(["lastNotNull"]).values(False)
            lying = bargauge.Panel().reduce_options(newest).orientation(kinds.VizOrientation.HORIZONTAL)
            return _always_named(panel, lying.display_mode(kinds.BarGaugeDisplayMode.BASIC))
        case Look.LINES:
            return timeseries.Panel().fill_opacity(10).show_points(kinds.VisibilityMode.NEVER)
        case Look.BARS:
            upright = timeseries.Panel().draw_style(kinds.GraphDrawStyle.BARS).fill_opacity(80).interval("1h")
            return upright.stacking(common.StackingConfig().mode(kinds.StackingMode.NORMAL))


def _text(panel: Panel) -> kinds.BigValueTextMode:
    """Say whether names are shown. Left to itself, Grafana leaves the name out where there is one series only."""
    if panel.named:
        return kinds.BigValueTextMode.NAME
    legends = any(legend for _, legend in panel.asks)
    return kinds.BigValueTextMode.VALUE_AND_NAME if legends else kinds.BigValueTextMode.VALUE


def _always_named(panel: Panel, made: bargauge.Panel) -> bargauge.Panel:
    """Have Grafana name a bar also when it is the only one; two questions give two bars, which it names anyway."""
    if len(panel.asks) > 1:
        return made
    (_, legend), *_ = panel.asks
    return made.display_name(re.sub(r"\{\{(\w+)\}\}", r"${__field.labels.\1}", legend))


def _limits(panel: Panel) -> dashboard.ThresholdsConfig:
    steps = [models.Threshold(color="green", value=None)]
    steps += [models.Threshold(color=colour, value=limit) for limit, colour in panel.limits]
    return dashboard.ThresholdsConfig().mode(models.ThresholdsMode.ABSOLUTE).steps(steps)


def _query(look: Look, letter: str, expression: str, legend: str) -> prometheus.Dataquery:
    if look is Look.RANKED:
        expression = f"sort_desc({expression})"
    made = prometheus.Dataquery().expr(expression.replace(HERE, JOB)).legend_format(legend or "__auto")
    made.ref_id(letter).datasource(_SOURCE)
    return made.range() if look in (Look.LINES, Look.BARS) else made.instant()

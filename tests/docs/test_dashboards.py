"""The dashboards of deploy/grafana: up to date, readable, and asking for what is exported, all of it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml

from incidentd.metrics import families
from tests.docs.dashboards import board, files
from tests.docs.dashboards.grafana import MARKS
from tests.docs.test_alerts import rules

PROVISIONING = files.ROOT / "deploy" / "grafana" / "provisioning"
FAMILIES = {family.name: family for family in families()}
RECORDED = {rule["record"]: rule["expr"] for rule in rules() if "record" in rule}
OTHERS = {
    "up": "gauge", "process_start_time_seconds": "gauge", "process_resident_memory_bytes": "gauge",
    "process_cpu_seconds_total": "counter", "process_open_fds": "gauge", "process_max_fds": "gauge",
}  # fmt: skip
"""What every exporter has beside its own."""
AD_HOC: dict[str, str] = {}
"""Metrics that no dashboard, alert or recording rule asks for, each with what it is for."""
_MACROS = {
    "$__rate_interval": "5m",
    "$__range_s": "21600",
    "$__range": "6h",
    "$__interval_ms": "3600000",
    "$__interval": "1h",
}


def asked() -> Iterator[tuple[str, str]]:
    """Give the name of each panel and mark with an expression, as Prometheus would get it."""
    for one in files.BOARDS:
        for panel in one.panels:
            for expression, _ in panel.asks:
                yield f"{one.name}/{panel.title}", plain(expression)
    for mark in MARKS:
        yield mark.name, plain(mark.query)


def plain(expression: str) -> str:
    """Put something into the places that a reader's choice fills."""
    for macro, value in _MACROS.items():
        expression = expression.replace(macro, value)
    return re.sub(r'"\$\w+"', '".*"', expression.replace(board.HERE, 'job=~".*"'))


def named(expression: str) -> set[str]:
    """Give the metrics that an expression asks for."""
    found = re.findall(r"(?<![\w:])(?:[a-z_]+:)?[a-z]\w*(?::\w+)?(?=\{)", re.sub(r'"[^"]*"', "", expression))
    return set(found)


def family_of(name: str) -> str:
    """Name the metric that a series of a histogram belongs to."""
    return re.sub(r"_(bucket|count|sum)$", "", name) if name not in FAMILIES else name


ASKED = tuple(asked())


@pytest.mark.parametrize("file", files.pages(), ids=lambda file: file.name)
def test_what_is_written_is_what_the_boards_say(file: Path) -> None:
    assert file.read_text() == files.pages()[file], "run `make docs`"


def test_no_dashboard_is_left_of_a_board_that_is_gone() -> None:
    assert {path.stem for path in files.FOLDER.iterdir()} == {one.name for one in files.BOARDS}


@pytest.mark.parametrize("one", files.BOARDS, ids=lambda one: one.name)
def test_each_panel_says_what_it_shows_and_has_a_place_of_its_own(one: board.Board) -> None:
    made = json.loads((files.FOLDER / f"{one.name}.json").read_text())
    panels = [panel for panel in made["panels"] if panel["type"] != "row"]
    titles = [panel["title"] for panel in panels]
    assert len(set(titles)) == len(titles)
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        assert panel["description"].endswith((".", "?")), panel["title"]
        assert panel["fieldConfig"]["defaults"]["unit"]
        place = panel["gridPos"]
        across, down = range(place["x"], place["x"] + place["w"]), range(place["y"], place["y"] + place["h"])
        mine = set(product(across, down))
        assert not mine & taken, panel["title"]
        assert across.stop <= 24, panel["title"]
        taken |= mine
    assert len({panel["id"] for panel in made["panels"]}) == len(made["panels"])


@pytest.mark.parametrize("one", files.BOARDS, ids=lambda one: one.name)
def test_rows_are_full(one: board.Board) -> None:
    for row in one.rows:
        width = 0
        for panel in row.panels:
            width = (width + panel.width) % 24 if width + panel.width <= 24 else -1
            assert width >= 0, panel.title
        assert width == 0, row.title


@pytest.mark.parametrize("one", files.BOARDS, ids=lambda one: one.name)
def test_all_jobs_are_those_of_incidentd_alone(one: board.Board) -> None:
    made = json.loads((files.FOLDER / f"{one.name}.json").read_text())
    (job,) = (it for it in made["templating"]["list"] if it["name"] == "job")
    assert (job["query"]["query"], job.get("allValue")) == ("label_values(incidentd_build_info, job)", None)
    assert all('job=~"$job"' in target["expr"] for panel in made["panels"] for target in panel.get("targets", []))


def test_what_is_asked_is_promql() -> None:
    for where, expression in ASKED:
        try:
            promql_parser.parse(expression)
        except ValueError as error:
            pytest.fail(f"{where}: {error}: {expression}")


def test_what_is_asked_for_is_exported() -> None:
    known = {*FAMILIES, *RECORDED, *OTHERS}
    for where, expression in ASKED:
        assert named(expression), where
        assert {family_of(name) for name in named(expression)} <= known, (where, expression)


def test_only_counters_are_asked_for_their_growth() -> None:
    for where, expression in ASKED:
        for name in re.findall(r"\b(?:rate|increase)\((\w+)", expression):
            kind = OTHERS.get(name) or FAMILIES[family_of(name)].type
            assert kind == "counter" or (kind == "histogram" and name.endswith(("_bucket", "_count", "_sum"))), where


def test_figures_of_replicas_are_put_together_as_the_page_of_metrics_says() -> None:
    for where, expression in ASKED:
        for how, name in re.findall(r"\b(\w+)(?: by \([^)]*\))? ?\((incidentd_\w+)\{[^}]*\}", expression):
            if name in FAMILIES and FAMILIES[name].type == "gauge" and "oldest" not in name:  # 0 is none of them
                assert how in (FAMILIES[name].over, "changes"), (where, name, how)


def test_labels_that_are_asked_for_exist() -> None:
    for where, expression in ASKED:
        texts = [expression, *(RECORDED.get(name, "") for name in named(expression))]
        of = {family_of(name) for text in texts for name in re.findall(r"\bincidentd_\w+", text)}
        labels = {label for name in of & set(FAMILIES) for label in FAMILIES[name].labels}
        labels |= {"", "job", "instance", "le"}
        used = {it.strip() for group in re.findall(r"by \(([^)]*)\)", expression) for it in group.split(",")}
        used |= set(re.findall(r"[{,](\w+)(?==)", re.sub(r'"[^"]*"', "", expression)))
        assert used <= labels, (where, used - labels)


def test_names_of_series_use_labels_that_are_kept() -> None:
    for one in files.BOARDS:
        for panel in one.panels:
            for expression, legend in panel.asks:
                kept = {it.strip() for group in re.findall(r"by \(([^)]*)\)", expression) for it in group.split(",")}
                assert set(re.findall(r"\{\{(\w+)\}\}", legend)) <= kept | {"instance"}, panel.title


def test_each_metric_is_asked_for_somewhere_or_says_what_it_is_for() -> None:
    expressions = [expression for _, expression in ASKED] + [rule["expr"] for rule in rules()]
    seen = {family_of(name) for text in expressions for name in re.findall(r"incidentd_\w+", text)}
    assert {name for name in FAMILIES if name not in seen} == set(AD_HOC)


def test_what_the_page_of_metrics_lists_is_what_is_exported() -> None:
    from incidentd.metrics import Metrics

    text = (files.ROOT / "docs" / "metrics.md").read_text()
    listed = set(re.findall(r"^\| `(incidentd_\w+)` \| (?:counter|gauge|histogram) \|", text, re.MULTILINE))
    exported = Metrics(version="test").render("")[0].decode()
    assert listed == set(re.findall(r"^# TYPE (incidentd_\w+)", exported, re.MULTILINE))


def test_no_page_names_a_metric_that_there_is_not() -> None:
    recorded = "".join(RECORDED)
    for path in (*files.ROOT.glob("*.md"), *files.ROOT.glob("docs/**/*.md"), *files.ROOT.glob("deploy/**/*.yaml")):
        for name in re.findall(r"(?<![\w/:.-])incidentd_[a-z_]+[a-z]\b(?!\*|_\*)", path.read_text()):
            assert family_of(name) in FAMILIES or f":{name}:" in recorded, (path.name, name)


def test_provisioning_names_a_source_of_the_kind_that_is_asked() -> None:
    (provider,) = read("dashboards/incidentd.yaml")["providers"]
    (source,) = read("datasources/prometheus.yaml")["datasources"]
    assert (provider["type"], provider["options"]["path"]) == ("file", "/var/lib/grafana/dashboards/incidentd")
    for path in files.FOLDER.iterdir():
        made = json.loads(path.read_text())
        (chosen,) = (one for one in made["templating"]["list"] if one["name"] == "datasource")
        assert chosen["query"] == source["type"]
        assert made["uid"] == f"incidentd-{path.stem}"


def read(name: str) -> Any:
    """Read a file of the provisioning."""
    return yaml.safe_load((PROVISIONING / name).read_text())

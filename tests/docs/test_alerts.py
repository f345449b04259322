"""The alerts of deploy/prometheus: what promtool says, what they ask, and where they lead to."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from incidentd.metrics import families
from tests.docs import slo_rules
from tests.programs import path_of

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deploy" / "prometheus"
RULES = ("recording.yaml", "slo.yaml", "alerts.yaml")
TESTS = ("alerts_test.yaml", "slo_test.yaml")


def rules() -> list[dict[str, Any]]:
    return [
        rule
        for name in RULES
        for group in yaml.safe_load((FOLDER / name).read_text())["groups"]
        for rule in group["rules"]
    ]


ALERTS = [rule for rule in rules() if "alert" in rule]


@pytest.mark.slow
@pytest.mark.needs("promtool")
def test_promtool_finds_nothing_in_the_rules_and_their_stories_come_true() -> None:
    for words in (("check", "rules", "--lint=all", "--lint-fatal", *RULES), ("test", "rules", *TESTS)):
        found = subprocess.run([path_of("promtool"), *words], cwd=FOLDER, capture_output=True, text=True, check=False)
        assert found.returncode == 0, found.stdout + found.stderr


def test_each_alert_has_a_story_in_which_it_fires_and_one_in_which_it_does_not() -> None:
    fires, quiet = set(), set()
    for name in TESTS:
        for story in yaml.safe_load((FOLDER / name).read_text())["tests"]:
            for told in story["alert_rule_test"]:
                names = {
                    (told["alertname"], fired["exp_labels"]["severity"], fired["exp_labels"].get("window", ""))
                    for fired in told["exp_alerts"]
                }
                fires |= names
                quiet |= {told["alertname"]} if not names else set()
    assert fires == {(it["alert"], it["labels"]["severity"], it["labels"].get("window", "")) for it in ALERTS}
    assert quiet == {it["alert"] for it in ALERTS}


@pytest.mark.parametrize("rule", ALERTS, ids=lambda rule: f"{rule['alert']}-{rule['labels'].get('window', '')}")
def test_an_alert_says_what_to_do_and_leads_to_its_runbook(rule: dict[str, Any]) -> None:
    words = rule["annotations"]
    assert set(words) == {"summary", "description", "runbook_url"}
    page, anchor = words["runbook_url"].split("#")
    headings = re.findall(r"^## (\S+)$", (ROOT / page).read_text(), re.MULTILINE)
    assert rule["alert"] in headings
    assert anchor == rule["alert"].lower()


def test_a_runbook_is_for_an_alert_that_there_is() -> None:
    headings = {
        heading
        for page in (ROOT / "docs" / "runbooks").glob("*.md")
        for heading in re.findall(r"^## (\S+)$", page.read_text(), re.MULTILINE)
    }
    assert headings == {rule["alert"] for rule in ALERTS}


def test_the_rules_ask_for_metrics_that_there_are() -> None:
    exported = {
        name + suffix for name in (family.name for family in families()) for suffix in ("", "_bucket", "_count", "_sum")
    }
    recorded = {rule["record"] for rule in rules() if "record" in rule}
    asked = {
        name
        for rule in rules()
        for name in re.findall(r"\b(?:job\w*:)?incidentd_\w+(?::\w+)?", re.sub(r'"[^"]*"', "", rule["expr"]))
    }
    assert asked <= exported | recorded


def test_the_objectives_are_written_by_the_code() -> None:
    assert slo_rules.FILE.read_text() == slo_rules.page(), "run `make docs`"

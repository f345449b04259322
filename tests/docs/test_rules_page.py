"""The page of rules: each piece of YAML on it is right, and what it says of reasons is what the reasons say."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from incidentd import config
from incidentd.rules import Decide, Facts, Measured
from incidentd.triage import book_of, needs, triage

PAGE = (Path(__file__).parents[2] / "docs" / "rules.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```yaml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
LAST = "- {name: everything-else, match: [], severity: sev3, page: default}\n"
NOW = datetime(2026, 11, 24, 14, 0, tzinfo=UTC)


def whole(block: str) -> str:
    """Make a configuration of a piece: with rules, with what a rule needs round a condition."""
    if block.startswith("kind: config"):
        return f"{block}---\nkind: rules\nrules:\n{LAST}"
    if block.startswith("when:"):
        rule = "- name: asks\n  match: ['env=\"prod\"']\n  severity: sev1\n  page: default\n"
        block = rule + "".join(f"  {line}\n" for line in block.splitlines())
    if block.startswith("- name:"):
        block = f"kind: rules\nrules:\n{block}{LAST}"
    last = "" if block.startswith("kind: rules") else f"---\nkind: rules\nrules:\n{LAST}"
    return f"kind: config\n{last}---\n{block}"


@pytest.mark.parametrize("block", BLOCKS[2:], ids=lambda block: block.split("\n")[1].strip(" -"))
def test_each_piece_of_yaml_is_right(block: str, tmp_path: Path) -> None:
    (tmp_path / "incidentd.yaml").write_text(whole(block))
    config.load(tmp_path / "incidentd.yaml", env={})


def test_the_first_set_is_right_without_a_doubt_and_does_what_the_page_says(tmp_path: Path) -> None:
    (tmp_path / "incidentd.yaml").write_text(BLOCKS[0])
    (tmp_path / "rules.yaml").write_text(BLOCKS[1])
    settings = config.load(tmp_path / "incidentd.yaml", env={})
    assert settings.warnings == ()

    book = book_of(settings, NOW)
    shop = {"alertname": "Slow", "env": "prod", "service": "shop", "severity": "warning"}
    [query] = needs(shop, book).queries

    def decided(labels: dict[str, str], lost: float | None = 0) -> tuple[str, Decide, str]:
        facts = Facts(measured={query: Measured(lost, "Prometheus did not answer within 5s")})
        decision = triage(labels, {}, book, facts)
        return decision.rule, decision.decide, decision.reason

    assert decided({"alertname": "CheckoutDown", "env": "prod"})[:2] == ("checkout-bleeding", Decide.DECLARE)
    assert decided({"alertname": "QueueLagHigh", "env": "prod"})[:2] == ("queue-lag", Decide.HOLD)
    assert decided({"severity": "critical"})[:2] == ("as-the-alert-says", Decide.DECLARE)
    assert decided({"severity": "info"})[:2] == ("as-the-alert-says", Decide.TICKET)
    assert decided({"alertname": "Odd"})[:2] == ("everything-else", Decide.HOLD)
    for labels, lost in ((shop, 340), (shop | {"severity": ""}, 40), (shop, None)):
        assert f"{decided(labels, lost)[2]}\n" in PAGE

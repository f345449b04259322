"""Rows of the contract with Alertmanager whose tests carry their number, so that none is lost when tests move."""

from __future__ import annotations

import re
from pathlib import Path

TESTS = Path(__file__).parents[1]
ROWS = {
    "t01": "every captured body leaves the sets that are expected",
    "t01b": "an alert that fires again with the same start",
    "t02": "repeats, and two replicas",
    "t03": "peers that contradict each other",
    "t04": "groups that are cut",
    "t05": "alerts that vanish",
    "t06": "odd times",
    "t07": "Prometheus dies",
    "t08": "odd severities, and alerts without names",
    "t09": "strangers' words on every way out",
    "t10": "large bodies hold nobody up",
    "t11": "bodies written by hand",
    "t12": "the receiver was down",
    "t13": "the store cannot write",
    "t14": "kill -9 under a stream of bodies",
    "t15": "a storm",
    "t16": "no redirects",
    "t17": "who delivers",
    "t18": "slow and broken clients",
    "t19": "silences",
    "t20": "matchers",
    "t21": "a real Prometheus and Alertmanager",
    "t22": "a graceful restart under load",
    "t23": "what fired while the daemon was down",
    "t24": "the API of Alertmanager is down",
}


def test_no_row_of_the_contract_loses_its_tests() -> None:
    names = re.findall(r"def test_(\w+)", "".join(path.read_text() for path in TESTS.rglob("test_*.py")))
    found = {part for name in names for part in name.split("_") if re.fullmatch(r"t\d\db?", part)}
    assert found == set(ROWS)

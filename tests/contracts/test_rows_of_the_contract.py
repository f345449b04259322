"""Rows of the contract with Alertmanager, and edge cases of paging, whose tests carry their number: none is lost."""

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

EDGE_CASES = {
    "b5_01": "handoffs across daylight saving time",
    "b5_02": "local times that do not exist, or come twice",
    "b5_03": "arithmetic on the wall clock",
    "b5_04": "hours that nobody covers, or two do",
    "b5_05": "a handoff while a page waits for its answer",
    "b5_06": "the same person on two levels",
    "b5_07": "people without channels, and channels that fail",
    "b5_08": "a restart in the middle of a chain",
    "b5_09": "two replicas",
    "b5_10": "an answer before an escalation was sent",
    "b5_11": "links that are fetched in advance",
    "b5_12": "what resolves just in time",
    "b5_13": "two hundred alerts at once",
    "b5_14": "holidays",
    "b5_15": "quiet hours",
    "b5_16": "maintenance that ends while an alert fires",
    "b5_17": "time zones whose rules change",
    "b5_18": "odd schedules",
    "b5_19": "clocks that disagree",
    "b5_20": "one person, several teams",
    "b5_21": "a rotation with nobody",
    "b5_22": "contacts that nobody tested",
}
"""Of paging and schedules, in which naive implementations break."""


def names_of_tests() -> list[str]:
    return re.findall(r"def test_(\w+)", "".join(path.read_text() for path in TESTS.rglob("test_*.py")))


def test_no_row_of_the_contract_loses_its_tests() -> None:
    found = {part for name in names_of_tests() for part in name.split("_") if re.fullmatch(r"t\d\db?", part)}
    assert found == set(ROWS)


def test_no_edge_case_of_paging_loses_its_tests() -> None:
    assert {name[:5] for name in names_of_tests() if re.match(r"b5_\d\d_", name)} == set(EDGE_CASES)

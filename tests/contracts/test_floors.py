"""The floors: the import contracts hold, and each of them notices what it is there for."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent

# What is planted, and what the contracts must say about it.
PLANTED = {
    "a clock in triage": ("triage.py", "import time", "triage is not allowed to import time"),
    "apprise outside notify": ("engine/planted.py", "import apprise", "engine.planted -> apprise"),
    "jira outside tickets": ("engine/planted.py", "import jira", "engine.planted -> jira"),
    "SQL outside the store": ("web/planted.py", "import sqlalchemy", "web.planted -> sqlalchemy"),
    "YAML outside config": ("web/planted.py", "import yaml", "web.planted -> yaml"),
    "metrics made elsewhere": ("web/planted.py", "import prometheus_client", "web.planted -> prometheus_client"),
    "an arrow that goes up": ("holds.py", "import incidentd.store", "holds is not allowed to import incidentd.store"),
    "a door that knows a door": (
        "prometheus.py",
        "import incidentd.tickets",
        "prometheus is not allowed to import incidentd.tickets",
    ),
    "a room on no floor": ("attic.py", '"""Planted."""', "are not listed as layers:\n\n- incidentd.attic"),
}
CLOCKS = {
    "from datetime import UTC, datetime\nat = datetime.now(UTC)": "datetime.datetime.now",
    "import datetime as d\nat = d.datetime.now(d.UTC)": "datetime.datetime.now",
    "from datetime import date\nday = date.today()": "datetime.date.today",
    "import time\nat = time.time()": "time.time",
    "from time import monotonic\nat = monotonic()": "time.monotonic",
    "from time import perf_counter as tick\nat = tick()": "time.perf_counter",
}


def copy_of_the_house(to: Path) -> Path:
    """Copy the package and its settings, to plant faults in; give the package's folder."""
    shutil.copytree(ROOT / "daemon", to / "daemon", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", to)
    return to / "daemon" / "incidentd"


def plant(package: Path, file: str, line: str) -> None:
    """Write a line at the end of a file, which is made when there is none."""
    with (package / file).open("a") as out:
        out.write(f"\n{line}\n")


def lint_imports(house: Path) -> tuple[int, str]:
    """Check the import contracts of a house."""
    done = subprocess.run(
        [BIN / "lint-imports", "--no-cache", "--no-logo"],
        cwd=house, env={**os.environ, "PYTHONPATH": str(house / "daemon"), "COLUMNS": "200"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    return done.returncode, done.stdout


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What the contracts say about a house with every fault in it."""
    house = tmp_path_factory.mktemp("house")
    package = copy_of_the_house(house)
    for file, line, _ in PLANTED.values():
        plant(package, file, line)
    code, said = lint_imports(house)
    assert code == 1, said
    return said


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """A copy of the house without faults."""
    copy_of_the_house(tmp_path)
    return tmp_path


@pytest.mark.slow
def test_the_import_contracts_hold(house: Path) -> None:
    code, said = lint_imports(house)
    assert code == 0, said
    assert re.search(r"Contracts: \d+ kept, 0 broken", said)


@pytest.mark.slow
@pytest.mark.parametrize("fault", PLANTED)
def test_the_contracts_notice(planted: str, fault: str) -> None:
    assert PLANTED[fault][2] in planted, planted


@pytest.mark.slow
def test_the_contracts_notice_a_circle(house: Path) -> None:
    plant(house / "daemon/incidentd", "alerts.py", "import incidentd.rules")
    plant(house / "daemon/incidentd", "rules.py", "import incidentd.alerts")
    code, said = lint_imports(house)
    assert code == 1
    assert "No circles, on any floor BROKEN" in said
    assert re.search(r"- \.(alerts -> \.rules|rules -> \.alerts)", said), said


@pytest.mark.parametrize("source", CLOCKS)
@pytest.mark.parametrize("file", ["triage.py", "engine/planted.py"])
def test_ruff_notices_whoever_reads_the_clock(tmp_path: Path, file: str, source: str) -> None:
    said = _ruff(tmp_path, file, source)
    assert f"`{CLOCKS[source]}` is banned: time is an argument; only app/clock.py reads the clock" in said, said


def test_ruff_lets_the_app_read_the_clock(tmp_path: Path) -> None:
    assert "banned" not in _ruff(tmp_path, "app/clock.py", "import time\nat = time.time()")


def _ruff(house: Path, file: str, source: str) -> str:
    path = house / "daemon" / "incidentd" / file
    path.parent.mkdir(parents=True)
    path.write_text(source + "\n")
    shutil.copy(ROOT / "pyproject.toml", house)
    done = subprocess.run(
        [BIN / "ruff", "check", "--no-cache", "."], cwd=house, capture_output=True, text=True, check=False
    )
    return done.stdout

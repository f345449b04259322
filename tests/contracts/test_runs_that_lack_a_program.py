"""The test run itself: a program that is missing is said aloud, and nothing leaks unseen."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
PROGRAM = "no-such-program"
LACKING = f"""
import pytest

@pytest.mark.needs("{PROGRAM}")
def test_a_page_arrives():
    pass

@pytest.mark.needs("python3", "{PROGRAM}")
@pytest.mark.parametrize("n", [1, 2])
def test_two(n):
    '''Mail is delivered by a real server.

    And more.
    '''

@pytest.mark.needs("{PROGRAM}")
@pytest.mark.slow
def test_nobody_asked_for():
    pass

def test_this_one_runs():
    pass
"""


def run(folder: Path, source: str, *options: str, require_all: bool = False) -> subprocess.CompletedProcess[str]:
    """Run a file of tests with the house's own conftest and settings."""
    (folder / "test_it.py").write_text(source)
    (folder / "conftest.py").write_text("from tests.conftest import *\n")
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("INCIDENTD_", "PYTEST_"))}
    settings = ["-c", str(ROOT / "pyproject.toml"), f"--rootdir={ROOT}", "-p", "no:cacheprovider"]
    return subprocess.run(
        [sys.executable, "-m", "pytest", *settings, *options, str(folder / "test_it.py")],
        cwd=ROOT, env=environ | ({"INCIDENTD_REQUIRE_ALL": "1"} if require_all else {}),
        capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_what_a_missing_program_would_have_shown_is_listed(tmp_path: Path) -> None:
    done = run(tmp_path, LACKING, "-m", "not slow")
    assert done.returncode == 0
    assert "1 passed, 4 deselected" in done.stdout
    assert "A page arrives\n" in done.stdout
    assert "Mail is delivered by a real server.\n" in done.stdout
    assert f"apt-get install {PROGRAM}\n" in done.stdout
    assert "nobody_asked_for" not in done.stdout


@pytest.mark.parametrize("workers", ["0", "2"])
def test_a_run_that_must_show_everything_fails_for_want_of_a_program(tmp_path: Path, workers: str) -> None:
    done = run(tmp_path, LACKING, "--numprocesses", workers, require_all=True)
    assert done.returncode == 1
    assert done.stdout.count("A page arrives\n") == 1
    assert "INCIDENTD_REQUIRE_ALL=1: that fails the run." in done.stdout


def test_a_run_that_must_show_everything_passes_with_all_programs(tmp_path: Path) -> None:
    done = run(tmp_path, LACKING.replace(PROGRAM, "python3"), require_all=True)
    assert done.returncode == 0, done.stdout


LEAKS = {
    "socket": """
        import socket
        def test_it():
            socket.socket()
        """,
    "task": """
        import asyncio
        async def fail():
            raise ValueError
        async def test_it():
            asyncio.create_task(fail())
            await asyncio.sleep(0)
        """,
    "thread": """
        import threading
        def test_it():
            thread = threading.Thread(target=lambda: 1 / 0)
            thread.start()
            thread.join()
        """,
    "warning": """
        import warnings
        def test_it():
            warnings.warn("old")
        """,
}


@pytest.mark.parametrize("leak", LEAKS)
def test_a_leak_fails_the_run(tmp_path: Path, leak: str) -> None:
    done = run(tmp_path, textwrap.dedent(LEAKS[leak]))
    assert done.returncode != 0, done.stdout

"""Pages that are made from the code are the code's own; pages written by hand name what exists."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from tests.docs import lifecycle_page, metrics_page

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
TARGETS = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)


def name(path: Path) -> str:
    """Name a page as its test's id."""
    return str(path.relative_to(ROOT))


def test_the_page_of_metrics_is_up_to_date() -> None:
    assert metrics_page.PAGE.read_text() == metrics_page.page(), "run `make docs`"


def test_the_table_and_the_diagram_of_the_lifecycle_are_those_of_the_code() -> None:
    text = lifecycle_page.PAGE.read_text()
    assert text == lifecycle_page.page(), "run `make docs`"
    assert (text.count(" --> ") - 2, text.count("\n| `declared` |")) == (25, 4)  # without the begin and the end


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text()):
        assert "://" in target or (page.parent / target).exists(), target


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_commands_of_make_exist(page: Path) -> None:
    for target in re.findall(r"`make ([a-z-]+)", page.read_text()):
        assert target in TARGETS, target


def test_every_dependency_says_why_it_is_here() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = project["dependencies"] + project["optional-dependencies"]["dev"]
    explained = re.findall(r"^\| `([^`]+)` \|", (ROOT / "docs" / "dependencies.md").read_text(), re.MULTILINE)
    assert sorted(explained) == sorted(re.split(r"[<>=~!]", one)[0] for one in wanted)


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-dev.lock"])
def test_locks_name_hashes_and_no_hosts(lock: str) -> None:
    text = (ROOT / lock).read_text()
    assert "://" not in text
    pinned = re.findall(r"^([A-Za-z0-9._-]+)==\S+ \\\n    --hash=sha256:[0-9a-f]{64}", text, re.MULTILINE)
    assert len(pinned) == len(re.findall(r"^[A-Za-z0-9]", text, re.MULTILINE))


def test_both_locks_agree() -> None:
    """What is tested is what is installed: every runtime pin is the same in the lock of the tests."""
    pins = {
        lock: set(re.findall(r"^\S+==\S+", (ROOT / lock).read_text(), re.MULTILINE))
        for lock in ("requirements.lock", "requirements-dev.lock")
    }
    assert pins["requirements.lock"] <= pins["requirements-dev.lock"]


def test_each_version_is_in_the_changelog() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert f"\n## {version} " in (ROOT / "CHANGELOG.md").read_text()
    assert f'__version__ = "{version}"' in (ROOT / "daemon/incidentd/__init__.py").read_text()

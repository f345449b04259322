"""The page of playbooks: it is up to date, and each piece of YAML on it is right and goes as it says."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from incidentd import config
from incidentd.cli import main
from incidentd.config import kinds
from incidentd.guards import GUARDS
from incidentd.templates import FILTERS
from tests.docs import playbooks_page

BLOCKS = re.findall(r"^```yaml\n(.*?)^```$", playbooks_page.PAGE.read_text(), re.MULTILINE | re.DOTALL)


def block(beginning: str) -> str:
    """Give the piece of YAML that begins with these words."""
    found: list[str] = [it for it in BLOCKS if it.startswith(beginning)]
    assert len(found) == 1
    return found[0]


BOOK, CASES = block("kind: playbook  "), block("kind: playbook_test  ")


def test_the_page_is_up_to_date() -> None:
    assert playbooks_page.PAGE.read_text() == playbooks_page.page(), "run `make docs`"
    assert set(playbooks_page.MEANING) == set(GUARDS)
    assert set(playbooks_page.FILTER) == set(FILTERS)


def test_the_page_says_what_each_key_means_and_how_it_is_written() -> None:
    rows = [line.split(" | ") for line in playbooks_page.PAGE.read_text().splitlines() if line.startswith("| `")]
    assert [row[0] for row in rows if row[-1].strip(" |") == ""] == []
    formats = {row[1].partition(": ")[2] for row in rows if re.match(r"text(?: or list)?: ", row[1])}
    assert formats <= set(playbooks_page.FORMAT)


CONSOLE = re.findall(r"^```console\n(.*?)^```$", playbooks_page.PAGE.read_text(), re.MULTILINE | re.DOTALL)


def typed(console: str, folder: Path) -> list[str]:
    """Type what stands in a block of the page, word for word, and give what it prints."""
    env = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    said = []
    for line in re.split(r"^\$ ", console, flags=re.MULTILINE)[1:]:
        done = subprocess.run(["sh", "-c", line], cwd=folder, env=env, capture_output=True, text=True, check=False)
        assert done.returncode == 0, (line, done.stdout, done.stderr)
        said.append(done.stdout)
    return said


@pytest.mark.slow
def test_the_first_playbook_is_made_by_typing_what_the_page_says(tmp_path: Path) -> None:
    begun = typed(CONSOLE[0], tmp_path)
    assert "2 passed, 0 failed" in begun[-1]
    (tmp_path / "playbooks" / "restart-web.yaml").write_text(BOOK)
    (tmp_path / "playbooks" / "restart-web_test.yaml").write_text(CASES)
    checked, tested, planned = typed(CONSOLE[1], tmp_path)
    assert "good: 1 playbook, 5 cases" in checked
    assert "0 failed" in tested
    assert "restart: command ssh -o BatchMode=yes -- web-3 sudo systemctl restart web.service" in planned


def test_the_first_playbook_passes_its_cases(tmp_path: Path) -> None:
    file = tmp_path / "incidentd.yaml"
    file.write_text(f"kind: config\n---\n{BOOK}---\n{CASES}")
    done = CliRunner().invoke(main, ["test", str(file)])
    assert (done.exit_code, "5 passed, 0 failed" in done.output) == (0, True), done.output


def test_an_instance_with_a_port_is_taken_as_the_page_says(tmp_path: Path) -> None:
    pattern, without = (
        re.findall(rf"`({one}[^`]*)`", playbooks_page.PAGE.read_text())[0]
        for one in ("pattern: ", "{{ inputs.host . replace")
    )
    book = BOOK.replace('pattern: "web-[0-9]+"', pattern).replace("{{ inputs.host }}", without)
    cases = CASES.replace("instance: web-3}", 'instance: "web-3:9100"}')
    file = tmp_path / "incidentd.yaml"
    file.write_text(f"kind: config\n---\n{book}---\n{cases}")
    done = CliRunner().invoke(main, ["test", str(file)])
    assert (done.exit_code, "5 passed, 0 failed" in done.output) == (0, True), done.output


def test_the_playbook_that_asks_people_passes_its_cases(tmp_path: Path) -> None:
    file = tmp_path / "incidentd.yaml"
    file.write_text(f"kind: config\n---\n{block('kind: people')}")
    done = CliRunner().invoke(main, ["test", str(file)])
    assert (done.exit_code, "5 passed, 0 failed" in done.output) == (0, True), done.output


def test_what_is_done_when_something_fails_is_as_the_page_says(tmp_path: Path) -> None:
    file = tmp_path / "incidentd.yaml"
    file.write_text(f"kind: config\n---\n{block('kind: playbook #')}")
    done = CliRunner().invoke(main, ["test", str(file)])
    assert (done.exit_code, "4 passed, 0 failed" in done.output) == (0, True), done.output


def test_the_step_of_ones_own_is_a_kind_that_is_taken() -> None:
    page = playbooks_page.PAGE.read_text()
    code, step = (
        re.findall(rf"^```{word}\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)[0] for word in ("python", "text")
    )
    brought: dict[str, Any] = {}
    exec(code, brought)  # noqa: S102 - our own page
    assert list(kinds.faults(brought["drain"], "drain")) == []
    assert kinds.refused(brought["drain"], {"queue": "q-1", "at_once": 5}) == ""
    assert "drain: {queue:" in step


def test_the_steps_of_the_page_are_right(tmp_path: Path) -> None:
    head = "kind: playbook\nname: x\ntitle: X\nmode: approve\ntarget: x\nsteps:\n"
    steps = "".join(f"  {line}\n" for line in block("- name: make room").splitlines())
    (tmp_path / "incidentd.yaml").write_text(f"kind: config\n---\n{head}{steps}")
    settings = config.load(tmp_path / "incidentd.yaml", env={})
    assert len(settings.playbooks["x"].steps) == 24

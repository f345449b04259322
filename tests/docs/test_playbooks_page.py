"""The page of playbooks: it is up to date, and each piece of YAML on it is right and goes as it says."""

from __future__ import annotations

import re
from pathlib import Path

from click.testing import CliRunner

from incidentd import config
from incidentd.cli import main
from incidentd.guards import GUARDS
from tests.docs import playbooks_page

BLOCKS = re.findall(r"^```yaml\n(.*?)^```$", playbooks_page.PAGE.read_text(), re.MULTILINE | re.DOTALL)


def test_the_page_is_up_to_date() -> None:
    assert playbooks_page.PAGE.read_text() == playbooks_page.page(), "run `make docs`"
    assert set(playbooks_page.MEANING) == set(GUARDS)


def test_the_first_playbook_passes_its_cases(tmp_path: Path) -> None:
    file = tmp_path / "incidentd.yaml"
    file.write_text(f"kind: config\n---\n{BLOCKS[0]}---\n{BLOCKS[1]}")
    done = CliRunner().invoke(main, ["test", str(file)])
    assert (done.exit_code, "4 passed, 0 failed" in done.output) == (0, True), done.output
    done = CliRunner().invoke(
        main, ["playbook", "plan", "restart-web", "alertname=WebDown", "instance=web-3", "--config.file", str(file)]
    )
    assert done.exit_code == 0, done.output


def test_the_steps_of_the_page_are_right(tmp_path: Path) -> None:
    head = "kind: playbook\nname: x\ntitle: X\nmode: approve\ntarget: x\nsteps:\n"
    steps = "".join(f"  {line}\n" for line in BLOCKS[2].splitlines())
    (tmp_path / "incidentd.yaml").write_text(f"kind: config\n---\n{head}{steps}")
    settings = config.load(tmp_path / "incidentd.yaml", env={})
    assert len(settings.playbooks["x"].steps) == 24

"""The page about on call: a newcomer follows it in a fresh folder, and each piece of YAML on it is right."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from incidentd import config
from incidentd.cli import main

PAGE = (Path(__file__).parents[2] / "docs" / "oncall.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```yaml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
FILES = {found[1]: block for block in BLOCKS if (found := re.match(r"# (\S+\.yaml)\n", block))}
PIECES = [block for block in BLOCKS if block not in FILES.values()]
PEOPLE = ("ana", "ben", "cho", "dia", "eli", "fay")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    (tmp_path / "secrets").mkdir()
    for person in PEOPLE:
        (tmp_path / "secrets" / f"{person}.url").write_text(f"mailtos://x:y@mail.example.org?to={person}@example.org\n")
    return tmp_path


def test_a_newcomer_proves_a_rotation_of_six_a_swap_and_an_escalation(folder: Path) -> None:
    checked = CliRunner().invoke(main, ["check", str(folder / "incidentd.yaml")])
    assert (checked.exit_code, "warning" in checked.output.lower()) == (0, False), checked.output
    told = CliRunner().invoke(main, ["test", str(folder / "incidentd.yaml")])
    assert told.exit_code == 0, told.output
    assert "3" in told.output


def test_the_stories_of_the_page_fail_when_the_swap_is_taken_away(folder: Path) -> None:
    schedules = folder / "schedules.yaml"
    schedules.write_text(re.sub(r"    overrides:\n(?:      - .*\n)+", "", schedules.read_text()))
    told = CliRunner().invoke(main, ["test", str(folder / "incidentd.yaml")])
    assert told.exit_code == 1
    assert told.output.count("FAILED") == 2


@pytest.mark.parametrize("number", range(len(PIECES)))
def test_each_piece_of_yaml_is_right(folder: Path, number: int) -> None:
    piece = PIECES[number]
    if "  payments:" not in piece:
        piece += FILES["schedules.yaml"].partition("schedules:\n")[2]
    (folder / "schedules.yaml").write_text(piece)
    assert config.load(folder / "incidentd.yaml", env={}).roster.schedules


def test_each_command_of_the_page_is_one_and_knows_its_options() -> None:
    group = main.commands["oncall"]
    assert isinstance(group, click.Group)
    for name, rest in re.findall(r"incidentd oncall ([a-z]+)([^`\n]*)", PAGE):
        options = {option for one in group.commands[name].params for option in one.opts}
        assert set(re.findall(r"--[a-z-]+", rest)) <= options, name

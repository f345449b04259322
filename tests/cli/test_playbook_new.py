"""`playbook new`: what it writes is right from the start, whatever strangers wrote into what it is made of."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from incidentd import config
from incidentd.cli import main
from incidentd.rehearsal.cases import try_case
from incidentd.rehearsal.skeleton import MOST, skeleton
from tests.cli.conftest import Type
from tests.doors.hostile import EVERY
from tests.web.small_house import SmallHouse, insert_hold


def begun(folder: Path, *words: str) -> Result:
    return CliRunner().invoke(main, ["playbook", "new", "heal", "--folder", str(folder), *words])


def read(folder: Path) -> str:
    return (folder / "heal.yaml").read_text()


def test_what_is_made_of_labels_passes_check_and_its_own_cases(tmp_path: Path) -> None:
    done = begun(tmp_path, "alertname=WorkerStuck", "instance=w-3:9100", "team=platform")
    assert done.exit_code == 0, done.output
    text = read(tmp_path)
    assert 'instance: {from: labels.instance, pattern: "[a-z0-9:-]{1,100}"}' in text
    assert "mode: suggest" in text
    files = [str(tmp_path / "heal.yaml"), str(tmp_path / "heal_test.yaml")]
    checked = CliRunner().invoke(main, ["playbook", "check", *files])
    assert (checked.exit_code, "1 playbook, 2 cases" in checked.output) == (0, True), checked.output
    tried = CliRunner().invoke(main, ["test", *files])
    assert (tried.exit_code, "2 passed, 0 failed" in tried.output) == (0, True), tried.output


def test_a_file_that_is_there_is_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "heal_test.yaml").write_text("mine")
    done = begun(tmp_path, "alertname=A")
    assert (done.exit_code, "is there already" in done.output) == (1, True)
    assert os.listdir(tmp_path) == ["heal_test.yaml"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "give the labels of an alert"),
        (("a=b", "--from", "INC-1"), "give the labels of an alert"),
        (("--from", "RUN-1"), "no incident or hold"),
        (("nothing",), "NAME=VALUE"),
    ],
)
def test_what_it_cannot_be_made_of_is_said(tmp_path: Path, words: tuple[str, ...], said: str) -> None:
    done = begun(tmp_path, *words)
    assert (done.exit_code, said in done.output) == (2, True), done.output
    assert os.listdir(tmp_path) == []


async def test_what_people_did_by_hand_becomes_steps(house: SmallHouse, typed: Type, tmp_path: Path) -> None:
    await house.store.write(insert_hold)
    await typed("declare", "HOLD-1", "--by", "ana")
    await typed("note", "INC-1", "restarted the consumer {{ 7 * 7 }}", "--by", "ana")
    await typed("note", "INC-1", "drained it by hand", "--by", "ben")
    done = await typed("playbook", "new", "heal", "--from", "INC-1", "--folder", str(tmp_path))
    assert done.exit_code == 0, done.output
    text = read(tmp_path)
    assert "  # ana: restarted the consumer {{ 7 * 7 }}\n  - name: step 1\n" in text
    assert "  # ben: drained it by hand\n  - name: step 2\n" in text
    files = [tmp_path / "heal.yaml", tmp_path / "heal_test.yaml"]
    settings = config.load(None, env={}, more=files)
    assert [step.name for step in settings.playbooks["heal"].steps] == ["step 1", "step 2"]


async def test_no_hostile_value_breaks_what_is_written_or_gets_into_a_step(tmp_path: Path) -> None:
    files = [tmp_path / "heal.yaml", tmp_path / "heal_test.yaml"]
    pieces = [EVERY[start : start + 20] for start in range(0, len(EVERY), 20)]
    for values in pieces:
        labels = (
            {"alertname": values[0]}
            | {f"l{n}": value for n, value in enumerate(values)}
            | dict.fromkeys(values[1:], "x")
        )
        made = skeleton("heal", labels, values)
        files[0].write_text(made.playbook)
        files[1].write_text(made.cases)
        settings = config.load(None, env={}, more=files)
        book = settings.playbooks["heal"]
        assert 1 <= len(book.steps) <= MOST
        assert {step.kind for step in book.steps} == {"note"}
        assert len({step.args for step in book.steps}) == 1
        for case in settings.cases:
            assert (await try_case(case, book)).failures == (), values

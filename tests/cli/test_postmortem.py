"""`postmortem check` and `postmortem show`: files without a daemon, and the text that a daemon has."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from incidentd.cli import main
from tests.cli.conftest import Type
from tests.drafts import put_draft
from tests.web.small_house import SmallHouse

DATA = Path(__file__).parents[1] / "data" / "postmortems"


def typed_alone(*words: str, stdin: bytes = b"") -> Result:
    """Type a command where no daemon is."""
    return CliRunner().invoke(main, ["postmortem", *words], input=stdin, env={"INCIDENTD_URL": "http://127.0.0.1:9"})


def test_a_good_file_passes() -> None:
    done = typed_alone("check", str(DATA / "good.md"))
    assert (done.exit_code, done.stdout) == (0, "")
    assert done.stderr == f"{DATA / 'good.md'}: nothing to look at\n"


def test_a_bad_file_fails_and_each_finding_has_its_place() -> None:
    done = typed_alone("check", str(DATA / "bad.md"))
    assert done.exit_code == 1
    assert f"{DATA / 'bad.md'}:56:1: error: person-as-cause: `ben@ ignored`: A person is written as" in done.stdout
    assert done.stderr.endswith("errors, 11 warnings, 1 remark\n")


def test_warnings_alone_pass_and_json_says_the_same() -> None:
    text = (DATA / "good.md").read_text() + "\nIt should have paged.\n"
    done = typed_alone("check", "-", "--json", stdin=text.replace("\n", "\r\n").encode())
    found = json.loads(done.stdout)
    assert (done.exit_code, found["passes"], found["counts"]) == (0, True, {"counterfactual": 1})
    assert found["findings"][0]["instead"] == "Say what was done, and what made it look right then."
    assert typed_alone("check", "-", stdin=text.encode()).stderr == "<stdin>: 1 warning\n"


def test_a_person_whom_the_text_does_not_name_can_be_named() -> None:
    text = b"# Quick review: x\n\nhal ignored the door.\n"
    assert typed_alone("check", "-", stdin=text).exit_code == 0
    assert typed_alone("check", "-", "--person", "hal", stdin=text).exit_code == 1


@pytest.mark.parametrize(
    ("data", "said"),
    [(None, "No such file"), (b"\xff\xfe", "is no text in UTF-8"), (b"x" * 4194305, "longer than 4 MiB")],
)
def test_a_file_that_cannot_be_read_is_said(tmp_path: Path, data: bytes | None, said: str) -> None:
    file = tmp_path / "text.md"
    if data is not None:
        file.write_bytes(data)
    done = typed_alone("check", str(file))
    assert (done.exit_code, said in done.stderr) == (2, True)
    assert typed_alone("check", str(tmp_path)).exit_code == 2
    assert typed_alone("check", "INC-1", "--person", "hal").exit_code == 2
    assert typed_alone("check", "INC-1").exit_code == 1


async def test_the_daemons_text_is_checked_with_whom_it_is_about(house: SmallHouse, typed: Type) -> None:
    assert (await typed("declare", "--title", "Down", "--severity", "sev1", "--by", "hal")).exit_code == 0
    missing = await typed("postmortem", "check", "INC-1")
    assert (missing.exit_code, "INC-1 has no postmortem" in missing.stderr) == (1, True)

    text = "# Quick review: INC-1\n\nhal ignored the door.\n"
    await house.store.write(put_draft, 1, owner="ana", markdown=text)
    done = await typed("postmortem", "check", "INC-1")
    assert done.exit_code == 1
    assert done.stdout.startswith("INC-1:3:1: error: person-as-cause: `hal ignored`: ")
    assert json.loads((await typed("postmortem", "check", "INC-1", "--json")).stdout)["incident"] == "INC-1"
    assert (await typed("postmortem", "show", "INC-1")).stdout == text
    assert json.loads((await typed("postmortem", "show", "INC-1", "--json")).stdout)["owner"] == "ana"

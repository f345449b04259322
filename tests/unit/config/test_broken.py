"""Broken files: one defect each, and exactly one mistake said, at its line, with what to do."""

import re
from pathlib import Path

import pytest

from incidentd import config
from incidentd.errors import ConfigError

DATA = Path(__file__).parents[2] / "data"
FILES = sorted((DATA / "broken").glob("*.yaml"))
DOUBTFUL = sorted((DATA / "doubtful").glob("*.yaml"))
# the first two lines of each file say what is expected of it
EXPECTED = re.compile(rb"# line (?P<line>\d+): (?P<message>.*)\n# hint: (?P<hint>.*)\n")


def test_there_are_many_of_them() -> None:
    assert len(FILES) >= 45
    assert len(DOUBTFUL) >= 6


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_broken_file_is_refused_with_one_mistake_at_its_line(path: Path) -> None:
    expected = EXPECTED.match(path.read_bytes())
    assert expected, "say in the first two lines what is expected"
    with pytest.raises(ConfigError) as refused:
        config.load(path, env={})

    [problem] = refused.value.problems
    assert (problem.at.file, problem.at.line) == (str(path), int(expected["line"]))
    assert expected["message"].decode() in problem.message
    assert expected["hint"].decode() in problem.hint


@pytest.mark.parametrize("path", DOUBTFUL, ids=lambda path: path.stem)
def test_a_doubtful_file_is_taken_with_one_warning_at_its_line(path: Path) -> None:
    expected = EXPECTED.match(path.read_bytes())
    assert expected, "say in the first two lines what is expected"

    [warning] = config.load(path, env={}).warnings
    assert (warning.at.file, warning.at.line) == (str(path), int(expected["line"]))
    assert expected["message"].decode() in warning.message
    assert expected["hint"].decode() in warning.hint

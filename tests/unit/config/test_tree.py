"""The tree: what is included and in which order, how files are called, and mistakes of several files at once."""

import os
from pathlib import Path

import pytest

from incidentd import config
from incidentd.errors import ConfigError
from tests.unit.config.trees import CATCH_ALL, RULES, loaded, problems, written


def test_files_are_read_in_the_order_of_include_and_those_of_a_pattern_by_name(tmp_path: Path) -> None:
    rule = "kind: rules\nrules: [{{name: {0}, match: ['a=\"{0}\"'], severity: sev3, decide: record}}]\n"
    last = f"kind: rules\nrules: [{CATCH_ALL}]\n"
    files = {"rules/b.yaml": rule.format("b"), "rules/a.yaml": rule.format("a"), "first.yaml": rule.format("first")}
    settings = config.load(
        written(tmp_path, {
            "incidentd.yaml": "kind: config\ninclude: [first.yaml, rules/*.yaml, ./rules/a.yaml, z.yaml]",
            **files, "z.yaml": last, "rules/ignored.txt": "{", "not-named.yaml": "{",
        }),
        env={},
    )  # fmt: skip

    assert [rule.name for rule in settings.rules] == ["first", "a", "b", "everything-else"]
    assert [path.name for path in settings.files] == ["incidentd.yaml", "first.yaml", "a.yaml", "b.yaml", "z.yaml"]


def test_all_mistakes_of_all_files_are_said_at_once_and_in_order(tmp_path: Path) -> None:
    found = problems(
        tmp_path, "kind: config\ninclude: [people.yaml, teams.yaml, rules.yaml]\nlisten: nowhere\n",
        rules_yaml=f"kind: rules\nrules:\n  - {{name: a, match: [], severity: sev9, decide: hold}}\n  - {CATCH_ALL}\n",
        people_yaml="kind: people\npeople:\n  ana: {name: Ana, time_zone: Mars}\n",
        teams_yaml="kind: teams\nteams:\n  payments: {people: [ana], lead: ana, led: ana}\n",
    )  # fmt: skip

    assert [(problem.at.file, problem.at.line, problem.message.split("`")[1]) for problem in found] == [
        (str(tmp_path / "incidentd.yaml"), 3, "listen"),
        ("people.yaml", 3, "time_zone"),
        ("teams.yaml", 3, "led"),
        ("rules.yaml", 4, "everything-else"),
    ]


def test_a_name_is_not_called_missing_when_it_may_be_in_a_file_that_could_not_be_read(tmp_path: Path) -> None:
    found = problems(
        tmp_path, "kind: config\ninclude: [people.yaml, teams.yaml]\n" + RULES,
        people_yaml="kind: people\npeople: {ana: {nam: Ana}}\n",
        teams_yaml="kind: teams\nteams: {payments: {people: [ana], channel: nowhere}}\n",
    )  # fmt: skip

    assert [problem.message for problem in found] == ["unknown key `nam`", "there is no channel `nowhere`"]


def test_a_file_is_called_as_it_is_found_from_here_when_that_reads_better(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    main = written(tmp_path, {"conf/x/incidentd.yaml": "kind: config\ninclude: [../rules.yaml]", "conf/rules.yaml": ""})
    with pytest.raises(ConfigError) as refused:
        config.load(main.parent.relative_to(tmp_path) / "conf/x/incidentd.yaml", env={})

    assert [problem.at.file for problem in refused.value.problems] == ["conf/rules.yaml"]


def test_a_file_is_not_called_as_another_one_is_found_from_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A deployed rules/a.yaml, with one of that name in the working directory."""
    story = "kind: rules_test\nstories: [{name: NAME, at: {0m: {fires: [{alertname: B}]}}, expect: {0m: {holds: 1}}}]\n"
    main = {"deploy/incidentd.yaml": "kind: config\ninclude: [rules/*.yaml]\n" + RULES}
    rules = {"deploy/rules/a.yaml": story.replace("NAME", "deployed"), "rules/a.yaml": story.replace("NAME", "mine")}
    written(tmp_path, {**main, **rules})
    monkeypatch.chdir(tmp_path)
    settings = config.load(Path("deploy/incidentd.yaml"), env={}, more=[Path("rules/a.yaml")])

    assert [(it.name, it.where.file, it.file) for it in settings.stories] == [
        ("deployed", "deploy/rules/a.yaml", str(tmp_path / "deploy/rules/a.yaml")),
        ("mine", "rules/a.yaml", str(tmp_path / "rules/a.yaml")),
    ]
    monkeypatch.chdir("deploy")
    settings = config.load(Path("incidentd.yaml"), env={})
    assert [it.where.file for it in settings.stories] == ["rules/a.yaml"]


def test_a_configuration_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as refused:
        config.load(tmp_path / "incidentd.yaml", env={})

    assert str(refused.value).endswith("incidentd.yaml` cannot be read (there is no such file)")
    assert len(refused.value.problems) == 1


def test_a_pipe_is_no_file_and_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "people.yaml")
    [problem] = problems(tmp_path, "kind: config\ninclude: [people.yaml]\n")

    assert "it is no file" in problem.hint


def test_a_name_that_is_not_utf_8_can_still_be_printed(tmp_path: Path) -> None:
    (tmp_path / os.fsdecode(b"people-\xff.yaml")).write_text("{")
    [problem] = problems(tmp_path, "kind: config\ninclude: ['*.yaml']\n" + RULES)

    assert str(problem).encode().startswith(b"people-?.yaml:1:1: this is not YAML")


def test_mistakes_elsewhere_in_the_configuration_do_not_hide_those_of_included_files(tmp_path: Path) -> None:
    found = problems(tmp_path, "kind: config\nlistn: x\ninclude: [people.yaml]\n", people_yaml="kind: poeple\n")

    assert [problem.message for problem in found] == ["unknown key `listn`", "unknown kind `poeple`"]


def test_without_rules_everything_is_held_and_that_is_doubted(tmp_path: Path) -> None:
    settings = loaded(tmp_path, "kind: config\n")

    assert [rule.name for rule in settings.rules] == ["everything-else"]
    assert [warning.message for warning in settings.warnings] == [
        "there are no rules, so every alert is held and paged"
    ]

"""What `check` doubts of a playbook that may be meant, and seldom is."""

from __future__ import annotations

from pathlib import Path

import pytest

from incidentd import config
from incidentd.errors import ConfigError

HEAD = """
kind: config
---
kind: people
people: {ana: {name: Ana, role: viewer}, ben: {name: Ben, channels: {mail: {url_env: BEN}}}}
---
kind: teams
teams: {quiet: {people: [ana]}, both: {people: [ana, ben]}}
---
kind: playbook
name: x
title: X
mode: MODE
target: w-3
"""


def doubts(tmp_path: Path, rest: str, *, mode: str = "approve") -> list[str]:
    """Give what is doubted of the playbook."""
    (tmp_path / "incidentd.yaml").write_text(HEAD.replace("MODE", mode) + rest)
    found = config.load(tmp_path / "incidentd.yaml", env={"BEN": "mailto://ben@example.org"}).warnings
    return [f"{one.message} ({one.hint})" for one in found if one.at.line > 9]


@pytest.mark.parametrize(
    ("who", "said"),
    [
        (
            "{teams: [quiet]}",
            "this asks team quiet, of whom nobody has a channel, so the question goes to the log alone",
        ),
        ("{people: [ana]}", "this asks ana, of whom nobody has a channel"),
        ("{roles: [operator]}", "this asks a operator, of whom nobody is among the people of this configuration"),
        ("{teams: [both]}", ""),
        ("{people: [ben]}", ""),
    ],
)
def test_a_question_of_which_nobody_hears_is_doubted(tmp_path: Path, who: str, said: str) -> None:
    steps = f'steps: [{{name: ask, approve: {{question: "May I?", who: {who}, expires: 5m}}}}]\n'
    found = doubts(tmp_path, steps)
    assert len(found) == bool(said), found
    assert all(said in one for one in found)
    assert doubts(tmp_path, steps, mode="'off'") == []


STEP = "steps: [{{name: act, {}}}]\n"
TAKES = "inputs: {{host: {{from: labels.instance, {}}}}}\n"


@pytest.mark.parametrize(
    ("step", "said"),
    [
        ('command: [sh, -c, "systemctl restart {{ inputs.host }}"]', "a value stands inside the script of a shell"),
        ('command: [sudo, /bin/bash, -ec, "x {{ inputs.host }}"]', "a value stands inside the script of a shell"),
        ("command: [sh, -c, 'systemctl restart \"$1\"', sh, '{{ inputs.host }}']", ""),
        ('command: [sh, -c, "uptime"]', ""),
        ('http: {url: "http://a/", headers: {Authorization: "Bearer abc"}}', "`Authorization` holds a secret in clear"),
        ('http: {url: "http://a/", headers: {Accept: "text/plain"}}', ""),
        ('for_each: {lines: "a", pattern: ".*", most: 2}, note: x', "the pattern '.*' matches anything"),
        ('for_each: {lines: "a", pattern: "/var/.*", most: 2}, note: x', ""),
    ],
)
def test_what_gives_a_value_away_to_a_shell_or_shows_a_secret_is_doubted(tmp_path: Path, step: str, said: str) -> None:
    found = doubts(tmp_path, TAKES.format('pattern: "web-[0-9]+"') + STEP.format(step))
    assert len(found) == bool(said), found
    assert all(said in one for one in found)


@pytest.mark.parametrize(
    ("wanted", "is_doubted"),
    [
        ('pattern: ".*"', True), ('pattern: ".+"', True), ('pattern: "[^0]*"', True), ('pattern: "[a-z]+"', False),
        ('pattern: ".*", type: hostname', False), ('pattern: "web-.*"', False),
    ],
)  # fmt: skip
def test_a_pattern_that_matches_anything_is_doubted(tmp_path: Path, wanted: str, is_doubted: bool) -> None:
    found = doubts(tmp_path, TAKES.format(wanted) + STEP.format("note: x"))
    assert ["matches anything" in one for one in found] == [True] * is_doubted


def test_a_message_to_the_log_is_sent_there_and_a_channel_that_is_not_there_says_where_it_would_be(
    tmp_path: Path,
) -> None:
    assert doubts(tmp_path, STEP.format("notify: {channel: log, title: x}")) == []
    with pytest.raises(ConfigError, match=r"there is no channel `room` .*`log`"):
        doubts(tmp_path, STEP.format("notify: {channel: room, title: x}"))
    (tmp_path / "incidentd.yaml").write_text("kind: config\nchannels: {room: {url_env: ROOM}}\n")
    with pytest.raises(ConfigError, match="add `kind:`, one of push, sms, call, mail, chat, log"):
        config.load(tmp_path / "incidentd.yaml", env={})


@pytest.mark.parametrize(
    ("steps", "said"),
    [
        ("[{name: one, command: [x]}, {name: two, note: x, when: one.ok}]", "the step `one` has no `register: one`"),
        ("[{name: one, note: x}, {name: one, note: x}]", r"the other one is at .*incidentd.yaml:\d+:\d+; rename one"),
        ("[{name: one, note: x, when: 'inputs.a or inputs.b'}]", "write a list"),
        ("[{name: one, wait: {{ inputs.host }}}]", "begins with `{{` needs quotes round it"),
    ],
)
def test_a_mistake_says_what_to_do_about_it(tmp_path: Path, steps: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        doubts(tmp_path, f"steps: {steps}\n")


def test_a_mode_above_the_ceiling_of_the_configuration_is_doubted(tmp_path: Path) -> None:
    steps = STEP.format("note: x") + "verify: {command: [uptime], within: 1m}\n"
    assert ["`mode: auto` counts as `approve`" in one for one in doubts(tmp_path, steps, mode="auto")] == [True]
    raised = HEAD.replace("kind: config", "kind: config\nautomation: {mode: auto}", 1).replace("MODE", "auto")
    (tmp_path / "incidentd.yaml").write_text(raised + steps)
    found = config.load(tmp_path / "incidentd.yaml", env={"BEN": "mailto://ben@example.org"}).warnings
    assert not [one for one in found if "counts as" in one.message]

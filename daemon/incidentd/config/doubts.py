"""What may be meant in a playbook but seldom is: a question that nobody hears, a value that a shell would read."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import PurePosixPath

from incidentd.config.parts import Part
from incidentd.config.report import Report, shown
from incidentd.config.steps import every_step
from incidentd.config.tree import Tree
from incidentd.matchers import Regex
from incidentd.oncall import Roster
from incidentd.playbooks import InputKind, Mode, questions
from incidentd.settings import Automation
from incidentd.templates import compile_template

_SHELLS = ("sh", "bash", "dash", "ash", "zsh", "ksh", "fish")
_RUNS_SCRIPT = Regex("-[a-z]*c[a-z]*")
_ODD = ("; reboot #", "$(reboot) | `x` & 'y' \"z\"", "../../etc <a>")
"""What an honest pattern does not match all of."""
_SECRET_HEADERS = ("authorization", "proxy-authorization", "cookie", "x-api-key", "private-token", "x-auth-token")
_ANY_TIME = datetime(2000, 1, 1, tzinfo=UTC)


def doubt_playbooks(tree: Tree, roster: Roster, report: Report) -> None:
    """Warn of what is probably not meant in the playbooks of all files that are not switched off."""
    for document in (it for it in tree.documents["playbook"] if it.value["mode"] != "off"):
        _ceiling(document, tree, report)
        for step in (*every_step(document), *([document["verify"]] if "verify" in document else [])):
            _step(step, roster, report)
        for _, wanted in document.items("inputs"):
            if wanted.get("type", InputKind.TEXT) == InputKind.TEXT:
                _loose(wanted["pattern"], report)


def _ceiling(document: Part, tree: Tree, report: Report) -> None:
    """Doubt a playbook that would begin by itself where the configuration lets none."""
    ceiling = next((it.get("automation", {}).get("mode") for it in tree.configs), None) or Automation().mode.value
    if document.value["mode"] == Mode.AUTO and ceiling in (Mode.SUGGEST, Mode.APPROVE):
        report.doubt(
            document["mode"].at, f"`mode: auto` counts as `{ceiling}`, which is the configuration's ceiling for all",
            f"write `automation: {{mode: auto}}` in the configuration, or `mode: {ceiling}` here",
        )  # fmt: skip


def _step(step: Part, roster: Roster, report: Report) -> None:
    if "approve" in step:
        _heard(step["approve"], roster, report)
    if "command" in step:
        _shell(step, report)
    if "http" in step:
        _literal_secrets(step["http"], report)
    if "pattern" in step.get("for_each", {}):
        _loose(step["for_each"]["pattern"], report)


def _heard(part: Part, roster: Roster, report: Report) -> None:
    """Doubt a question of which nobody who may answer it hears."""
    question = questions.ask({**part.value, "question": ""}, {}, key="", now=_ANY_TIME)
    if questions.asks_anybody(question):
        return
    asked = questions.asked(question, roster)
    if any(roster.people[handle].channels for handle in asked):
        return
    who = questions.who(question)
    why = "has a channel" if asked else "is among the people of this configuration"
    report.doubt(
        part.key_at, f"this asks {who}, of whom nobody {why}, so the question goes to the log alone",
        "write `channels:` at one of them, or ask somebody else",
    )  # fmt: skip


def _shell(step: Part, report: Report) -> None:
    """Doubt a value inside the script of a shell, where it may be a command."""
    words = list(step.entries("command"))
    for shell, option, script in zip(words, words[1:], words[2:], strict=False):
        is_script = PurePosixPath(shell.value).name in _SHELLS and _RUNS_SCRIPT.matches(option.value)
        if is_script and compile_template(script.value).variables():
            report.doubt(
                script.at, "a value stands inside the script of a shell, which reads it as a part of its commands",
                "run the program itself, or hand the value over: [sh, -c, 'restart \"$1\"', sh, \"{{ ... }}\"]",
            )  # fmt: skip


def _loose(part: Part, report: Report) -> None:
    """Doubt a pattern that takes what nobody would name anything."""
    pattern = Regex(part.value)
    if all(pattern.matches(odd) for odd in _ODD):
        report.doubt(
            part.at, f"the pattern {shown(part.value)!r} matches anything, so any text of an alert comes through",
            "write what such a value looks like: 'web-[0-9]+', '[a-z0-9.-]+'",
        )  # fmt: skip


def _literal_secrets(part: Part, report: Report) -> None:
    """Doubt a header that holds a secret in clear."""
    for name, value in part.items("headers"):
        if name.lower() in _SECRET_HEADERS and not compile_template(value.value).variables():
            report.doubt(
                value.at, f"the header `{shown(name)}` holds a secret in clear: every run keeps a copy of its playbook",
                "take a `command` whose program reads the secret from a file of its own, such as curl --config FILE",
            )  # fmt: skip

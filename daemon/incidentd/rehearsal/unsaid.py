"""What a story does not say of the steps of a playbook, and what it would need to know to tell how a run goes on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from incidentd.engine.course.busy import definition_of
from incidentd.playbooks import Playbook, Run, Scope, Step, StepState, scopes
from incidentd.playbooks.when import parse_test
from incidentd.runner.web_request import expected_status
from incidentd.store import Tx, things
from incidentd.templates import compile_template

NOT_SAID = "?"
"""Stands for the number of a query, and is none: a message may have it in its text, no condition can be told by it."""
_NOTHING = ("", NOT_SAID)
_Name = tuple[Scope | None, str, str]
"""Where something is named, such as `before.value`, and in which words."""


def given(step: Step) -> dict[str, Any]:
    """Give what a step registers when it succeeds, as far as that is known of every step of its kind."""
    match step.kind:
        case "command":
            return {"exit": 0, "stdout": "", "stderr": ""}
        case "http":
            return {"status": expected_status(step.args.get("expect") or {}), "body": ""}
        case "promql":
            return {"value": NOT_SAID}
        case "alertmanager":
            return {"id": "a-silence"}
        case "ticket":
            return {"key": "OPS-1", "url": "https://jira.example.org/browse/OPS-1"}
        case _:
            return {}


def unsaid(tx: Tx, run: Run) -> list[str]:
    """Say what a run came upon that depends on what its steps gave, and that the story does not say."""
    book = definition_of(run)
    found = [
        text
        for phase, row in (("steps", book.steps), ("rollback", book.rollback))
        for at, step in enumerate(row)
        if (state := things.step_state(tx, replace(run, phase=phase), at)) is not None
        for text in _missing(run, book, step, failed=state is StepState.FAILED)
    ]
    return list(dict.fromkeys(found))


def _missing(run: Run, book: Playbook, step: Step, *, failed: bool) -> Iterator[str]:
    for scope, name, words in _looked_at(step, failed=failed):
        register, _, key = name.partition(".")
        kept = run.registers.get(scopes.register(scope, register))
        if kept is None or scopes.WHY in kept or kept.get(key, "") not in _NOTHING:
            continue
        gives = next((it for it in (*book.steps, *book.rollback) if (it.scope, it.register) == (scope, register)), None)
        if gives is None or key == "ok" or (gives.kind not in _TELLS and given(gives)):
            continue
        how = "say with `promql:` what its query gives, or " if gives.kind == "promql" else ""
        yield (
            f"the story does not say what the step `{gives.name}` of {run.key} gives, and `{step.name}` depends on it "
            f"({words}): {how}try `{run.playbook}` with a case (`kind: playbook_test`)"
        )


_TELLS = ("command", "http", "promql")
"""Kinds of steps whose result has words or numbers in it that nobody knows beforehand; so have those of one's own."""


def _looked_at(step: Step, *, failed: bool) -> Iterator[_Name]:
    """Give what decides how it goes on with a step; of one that failed, also what it could not be filled in with."""
    for condition in step.when:
        yield condition.scope, parse_test(condition.text).name, f"`{condition.text}`"
    for each in scopes.repetitions(step):
        yield from ((each.scope, name, "`for_each`") for one in each.items for name in _named(one))
    if failed:
        yield from ((step.scope, name, f"`{name}`") for name in _named(step.args))


def _named(args: Any) -> Iterator[str]:
    match args:
        case str():
            yield from sorted(compile_template(args).variables())
        case Mapping():
            for value in args.values():
                yield from _named(value)
        case list() | tuple():
            for value in args:
                yield from _named(value)
        case _:
            pass

"""Cases that playbooks are tried with: from documents to values, and whether the steps that they name are there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from incidentd.config.kinds import installed
from incidentd.config.names import Names
from incidentd.config.parts import Part
from incidentd.config.report import Report, instead, shown
from incidentd.config.tree import Tree
from incidentd.playbooks import Playbook
from incidentd.playbooks.cases import VERIFY, Case, Expected, Gives

_GIVE: Mapping[str, tuple[str, ...]] = {
    "command": ("exit", "stdout", "stderr"), "http": ("status", "body"), "promql": ("value",),
    "alertmanager": ("id",), "ticket": ("registers",), "approve": ("answer", "by"),
    "note": (), "notify": (), "wait": (),
}  # fmt: skip
_ALL_GIVE = ("timed_out", "fails")
_BY_STEP = ("command", "http", "promql", "alertmanager", "ticket", "approve", "arguments", "note")


def cases(tree: Tree, names: Names, playbooks: Mapping[str, Playbook]) -> tuple[Case, ...]:
    """Read the cases of all files."""
    return tuple(
        case
        for document in tree.documents["playbook_test"]
        for case in _cases(document, names, playbooks)
    )  # fmt: skip


def _cases(document: Part, names: Names, playbooks: Mapping[str, Playbook]) -> Iterator[Case]:
    names.refer("playbook", document["playbook"])
    playbook = playbooks.get(document.value["playbook"])
    for part in document.entries("cases"):
        if playbook is not None:
            _check_names(part, playbook, names)
            _check_given(part, playbook, names.report)
            yield _case(part, playbook, names)


def _case(part: Part, playbook: Playbook, names: Names) -> Case:
    return Case(
        name=part.value["name"],
        playbook=playbook.name,
        where=part["name"].at,
        file=names.tree.path_of(part.at.file),
        labels=part.value["alert"].get("labels", {}),
        annotations=part.value["alert"].get("annotations", {}),
        given={name: _gives(one.value) for name, one in part.items("given")},
        expected=_expected(part["expect"]),
    )


def _gives(written: Any) -> tuple[Gives, ...]:
    tries = written if isinstance(written, list) else [written]
    return tuple(Gives(**one) for one in tries)


def _expected(part: Part) -> Expected:
    given: dict[str, Any] = {}
    for key, value in part.value.items():
        match key:
            case "ran" | "skipped":
                given[key] = tuple(value)
            case "command":
                given[key] = {name: tuple(argv) for name, argv in value.items()}
            case _:
                given[key] = value
    return Expected(**given, where={key: part.at_key(key) for key in part.value})


def _check_names(part: Part, playbook: Playbook, names: Names) -> None:
    """Check that a case speaks of steps that there are: one about nothing proves nothing."""
    row = [step.name for step in (*playbook.steps, *playbook.rollback)]
    known = [*row, *([VERIFY] if playbook.verify else [])]
    spoken = [(name, one.key_at, [*known, *map(common, row)]) for name, one in part.items("given")]
    expect = part["expect"]
    spoken += [(one.value, one.at, known) for key in ("ran", "skipped") for one in expect.entries(key)]
    spoken += [(name, one.key_at, known) for key in _BY_STEP for name, one in expect.items(key)]
    for name, at, those in spoken:
        if name in those:
            continue
        if any(common(one) == name for one in row):
            names.report.wrong(
                at, f"`{shown(name)}` is done once for each item, so there are several of this name",
                f"write `{shown(name)} (1)`, `{shown(name)} (2)` and so on",
            )  # fmt: skip
        else:
            hint = instead(name, list(dict.fromkeys(those)))
            names.report.wrong(at, f"`{shown(playbook.name)}` has no step `{shown(name)}`", hint)


def _check_given(part: Part, playbook: Playbook, report: Report) -> None:
    """Check that a case says of each step what a step of its kind can give: nothing else would be looked at."""
    row = [*playbook.steps, *playbook.rollback]
    kinds = {common(step.name): step.kind for step in row} | {step.name: step.kind for step in row}
    if playbook.verify:
        kinds[VERIFY] = playbook.verify.step.kind
    for name, one in part.items("given"):
        kind = kinds.get(name, "")
        can = ("registers",) if kind in installed().kinds else _GIVE.get(kind)
        tries = [one[number] for number in range(len(one.value))] if isinstance(one.value, list) else [one]
        for key, at in ((key, gives.at_key(key)) for gives in tries for key in gives.value if can is not None):
            if not can:
                report.wrong(at, f"a step of kind `{kind}` gives nothing that a case could say", "leave it out")
            elif key not in (*can, *_ALL_GIVE):
                hint = instead(key, [*can, *_ALL_GIVE])
                report.wrong(at, f"`{shown(name)}` is of kind `{kind}`, which does not give `{key}`", hint)


def common(name: str) -> str:
    """Give the name that all repetitions of a step share."""
    before, bracket, number = name.rpartition(" (")
    return before if bracket and number.endswith(")") and number[:-1].isdigit() else name

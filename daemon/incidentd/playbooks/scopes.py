"""What the steps of a playbook may name: its inputs, what was registered before them, and the item of `for_each`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from incidentd import text
from incidentd.durations import parse_duration
from incidentd.matchers import Regex
from incidentd.playbooks import Each, Input, InputKind, Playbook, Run, Scope, Step
from incidentd.templates import Partly, compile_template

_LONGEST_INPUT = 1024
_INTEGER = Regex("[+]?[0-9]{1,18}")
_LABEL = "[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
WHY = "?"
"""In what a run keeps of a step, the key of why the rest is not known; no step registers such a name."""
_OTHERWISE = "to go on all the same, put the steps into a `block` with a `rescue`"
_HOSTNAME = Regex(rf"{_LABEL}([.]{_LABEL}){{0,10}}(:[0-9]{{1,5}})?")


class NotRunnable(ValueError):
    """The playbook cannot run for this alert; the message is one sentence for people."""


def inputs_for(playbook: Playbook, labels: Mapping[str, str], annotations: Mapping[str, str]) -> dict[str, str]:
    """Take the playbook's inputs from an alert; raise NotRunnable when one is missing or not what it has to be."""
    if playbook.refused:
        raise NotRunnable(playbook.refused)
    return {name: _input(name, wanted, labels, annotations) for name, wanted in playbook.inputs.items()}


def _input(name: str, wanted: Input, labels: Mapping[str, str], annotations: Mapping[str, str]) -> str:
    where, _, key = wanted.source.partition(".")
    value = (annotations if where == "annotations" else labels).get(key, "") or wanted.default
    if not value:
        whence = f"the alert has no {wanted.source}" if wanted.source else "a playbook that calls this one gives it"
        raise NotRunnable(f"the input `{name}` has no value: {whence}")
    return checked(name, wanted, value)


def checked(name: str, wanted: Input, value: str) -> str:
    """Give a value back when it is what an input has to be; else raise NotRunnable."""
    if value.startswith("-"):
        raise NotRunnable(
            f"the input `{name}` begins with a minus, so a program could take it for an option: {_shown(value)}"
        )
    if len(value) > _LONGEST_INPUT:
        raise NotRunnable(
            f"the input `{name}` has {len(value)} characters, and at most {_LONGEST_INPUT} may be: {_shown(value)}"
        )
    if not _matches(name, wanted.pattern, value):
        raise NotRunnable(f"the input `{name}` does not match {wanted.pattern!r} as a whole: {_shown(value)}")
    if not _is(wanted.kind, value):
        raise NotRunnable(f"the input `{name}` is no {wanted.kind}: {_shown(value)}")
    return value


def _is(kind: InputKind, value: str) -> bool:
    match kind:
        case InputKind.TEXT:
            return True
        case InputKind.INTEGER:
            return _INTEGER.matches(value)
        case InputKind.HOSTNAME:
            return _HOSTNAME.matches(value)
        case InputKind.DURATION:
            try:
                parse_duration(value)
            except ValueError:
                return False
            return True


def _matches(name: str, pattern: str, value: str) -> bool:
    try:
        return Regex(pattern).matches(value)
    except ValueError as error:
        raise NotRunnable(f"the pattern of the input `{name}` cannot be read: {error}") from None


def _shown(value: str) -> str:
    return repr(text.plain(value, 60))


def register(scope: Scope | None, name: str) -> str:
    """Give the key under which a run keeps what a step registers; a `/` stands in none that a file can write."""
    return f"{scope.path}/{name}" if scope else name


def names(run: Run, scope: Scope | None, each: Each | None) -> dict[str, object]:
    """Give what may be named in a scope, from what the run has stored. Raises NotRunnable and BadTemplate."""
    found = {**_registered(run, scope), "inputs": _inputs(run, scope)}
    if each is not None and (here := item(run, each)) is not None:
        found["item"] = here
    return found


def repetitions(step: Step) -> Iterator[Each]:
    """Give every repetition of `for_each` that a step stands in: its own, and those of the calls that lead to it."""
    if step.each is not None:
        yield step.each
    scope = step.scope
    while scope is not None:
        if scope.each is not None:
            yield scope.each
        scope = scope.outer


def item(run: Run, each: Each) -> str | None:
    """Give the item of a repetition; None when there are not so many. Raises NotRunnable for more than were allowed."""
    outside = names(run, each.scope, None)
    found = [compile_template(one).render(outside) for one in each.items]
    if each.pattern:
        found = [line.strip() for line in found[0].split("\n") if line.strip()]
    if len(found) > each.most:
        raise NotRunnable(f"`for_each` has {len(found)} items, and at most {each.most} may be")
    if each.number >= len(found):
        return None
    if each.pattern:  # all of them, before anything is done for the first: an odd line means odd output
        found = [checked("item", Input(source="", pattern=each.pattern), line) for line in found]
    return found[each.number]


def _registered(run: Run, scope: Scope | None) -> dict[str, object]:
    path = scope.path if scope else ""
    keys = ((key.rpartition("/"), value) for key, value in run.registers.items())
    return {name: _partly(value) for (where, _, name), value in keys if where == path}


def _partly(kept: Mapping[str, object]) -> object:
    if WHY not in kept:
        return kept
    values = {name: value for name, value in kept.items() if name != WHY}
    return Partly(values=values, why=str(kept[WHY]), otherwise=_OTHERWISE)


def _inputs(run: Run, scope: Scope | None) -> Mapping[str, str]:
    if scope is None:
        return run.inputs
    outside = names(run, scope.outer, scope.each)
    given = {name: compile_template(value).render(outside) for name, value in scope.inputs.items()}
    return {name: checked(name, wanted, given.get(name) or wanted.default) for name, wanted in scope.wanted.items()}

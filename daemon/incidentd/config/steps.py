"""The steps of a playbook, checked: each template names only what will be there when it is filled in."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from datetime import UTC, datetime, timedelta

from incidentd.config.kinds import installed
from incidentd.config.names import Names
from incidentd.config.parts import Part
from incidentd.config.report import Report, instead, shown
from incidentd.config.row import KINDS, kind_of
from incidentd.durations import parse_duration
from incidentd.errors import Location
from incidentd.matchers import parse_matcher
from incidentd.oncall import LOG_CHANNEL
from incidentd.playbooks import Input
from incidentd.playbooks.questions import YES_OR_NO, ask, refused
from incidentd.playbooks.when import parse_test
from incidentd.templates import Template, compile_template

# what each kind of step registers, as playbooks.StepResult has it
_REGISTERED = {
    "command": ("exit", "ok", "stdout", "stderr"), "http": ("body", "ok", "status"), "promql": ("ok", "value"),
    "alertmanager": ("id", "ok"), "ticket": ("key", "ok", "url"), "approve": ("answer", "by", "ok"),
}  # fmt: skip
_RESERVED = ("inputs", "labels", "annotations", "item")
_OF_ONE = ("register", "until", "retries", "delay", "timeout", "idempotent", "ignore_errors")
"""What belongs to a step that does something itself."""
_OF_DOING = ("register", "until", "retries", "timeout", "idempotent")
_NO_TEMPLATES = ("is", "expect", "method", "pattern", "silence", "for", "who", "choices", "default", "project")
_LONGEST_WAIT = timedelta(hours=1)
_LONGEST_QUESTION = timedelta(days=1)
_LONGEST_SILENCE = timedelta(days=1)
_DEEPEST_CALL = 5
_ANY_TIME = datetime(2000, 1, 1, tzinfo=UTC)


class Checking:
    """Checks the steps of one playbook, in the order in which they are done."""

    def __init__(self, inputs: Mapping[str, Input], report: Report, names: Names | None = None) -> None:
        self.report = report
        self._inputs = inputs
        self._known_names = names
        self._registers: dict[str, str] = {}
        self._names: dict[str, Location] = {}
        self._in_each = False

    def steps(self, whole: Part, key: str) -> None:
        """Check the steps under a key; the registers of each are known to those after it."""
        for part in whole.entries(key):
            self._step(part)

    def _step(self, part: Part) -> None:
        name = part.value["name"]
        if name in self._names:
            first = self._names[name]
            self.report.wrong(
                part["name"].at, f"there are two steps `{shown(name)}`", f"the other one is at {first}; rename one"
            )
        self._names.setdefault(name, part["name"].at)
        outside = self._in_each
        self._repeated(part)
        for condition in _listed(part, "when"):
            self._condition(condition)
        kind = kind_of(part)
        self._fits(part, kind)
        self.does(part, kind)
        if "register" in part:
            self._register(part, kind)
        for condition in _listed(part, "until"):
            self._condition(condition)
        self._in_each = outside

    def _repeated(self, part: Part) -> None:
        if "for_each" not in part:
            return
        each = part["for_each"]
        for template in (text for key in ("items", "lines") if key in each for text in _templates(each[key])):
            self.check(template)
        if ("items" in each) is ("lines" in each):
            self.report.wrong(each.key_at, "`for_each` takes either `items` or `lines`", "write one of them")
        for key in ("pattern", "most"):
            if "lines" in each and key not in each:
                self.report.wrong(
                    each.key_at, f"`for_each` needs `{key}` with `lines`, since nobody knows yet what they are",
                    f"add `{key}:`",
                )  # fmt: skip
        if "pattern" in each and "lines" not in each:
            self.report.wrong(each["pattern"].at, "`pattern` belongs to `lines`", "leave it out")
        if self._in_each:
            self.report.wrong(
                each.key_at, "a `for_each` stands inside another one", "make a playbook of the inner one, and call that"
            )
        self._in_each = True

    def _fits(self, part: Part, kind: str) -> None:
        """Check that the words around a step are of its kind."""
        none_of = {
            "block": _OF_ONE, "playbook": _OF_ONE, "note": _OF_DOING, "notify": _OF_DOING, "wait": _OF_DOING,
            "approve": _OF_DOING[1:],
        }  # fmt: skip
        for key in none_of.get(kind, ()):
            if key in part:
                hint = "write it at the steps inside" if kind in ("block", "playbook") else "leave it out"
                self.report.wrong(part[key].key_at, f"`{key}` does not belong to a step of kind `{kind}`", hint)
        for key in ("rescue", "always"):
            if key in part and kind != "block":
                self.report.wrong(part[key].key_at, f"`{key}` belongs to a block", "add `block:`")

    def does(self, part: Part, kind: str) -> None:
        """Check what a step does."""
        match kind:
            case "block":
                for key in ("block", "rescue", "always"):
                    self.steps(part, key)
            case "playbook":
                for _, value in part["playbook"].items("inputs"):
                    self.check(value)
            case _ if kind in KINDS:
                self._whither(part, kind)
                for template in _templates(part[kind]):
                    self.check(template)
            case _:
                self._installed(part, kind)

    def _installed(self, part: Part, kind: str) -> None:
        """Check what a step of an installed kind takes; its shape the schema has checked."""
        broken = installed().broken
        if kind in broken:
            self.report.doubt(
                part[kind].key_at, f"`{kind}` cannot be used, so this playbook does not run here",
                f"mend or remove it: {broken[kind]}",
            )  # fmt: skip
            return
        for template in _templates(part[kind], but=()):
            self.check(template)

    def _whither(self, part: Part, kind: str) -> None:
        """Check that it is bound, and that no value says which program runs, where a request goes, or who is told."""
        match kind:
            case "command":
                self._program(part["command"][0])
            case "http":
                self._address(part["http"]["url"])
            case "notify":
                self._channel(part["notify"]["channel"])
            case "wait":
                self._bound(part["wait"], _LONGEST_WAIT, "a step may wait 1h at most")
            case "alertmanager":
                self._silence(part["alertmanager"])
            case "approve":
                self._question(part["approve"])
            case _:
                pass

    def _silence(self, part: Part) -> None:
        """Check that a silence is bound, in what it mutes and for how long."""
        found = []
        for one in part.entries("silence"):
            found.append(parse_matcher(one.value))
            self.check(Part(found[-1].value, one.at, one.key_at))
        if not any(matcher.op == "=" and matcher.value for matcher in found):
            self.report.wrong(
                part["silence"].at, "patterns and exclusions alone silence what nobody thought of",
                'add a matcher with `=`, such as \'alertname="WebDown"\'',
            )  # fmt: skip
        self._bound(part["for"], _LONGEST_SILENCE, "a silence may last 1d at most")

    def _program(self, part: Part) -> None:
        if compile_template(part.value).variables():
            self.report.wrong(part.at, "the program itself may not come from a value", "write it out")

    def _bound(self, part: Part, most: timedelta, otherwise: str) -> None:
        if parse_duration(part.value) > most:
            self.report.wrong(part.at, otherwise, "look at the unit")

    def _question(self, part: Part) -> None:
        """Check that a question can be answered, by somebody who is there."""
        if "choices" in part and "pattern" in part:
            self.report.wrong(part["pattern"].key_at, "a question has either `choices` or a `pattern`", "write one")
        elif "default" in part:
            made = ask({**part.value, "question": ""}, {}, key="", now=_ANY_TIME)
            if why := refused(made, part.value["default"]):
                self.report.wrong(part["default"].at, f"nobody could answer with this default: {why}", "write one")
            elif made.choices == YES_OR_NO and part.value["default"] == "no":
                self.report.wrong(
                    part["default"].at, "`no` fails the step, as it does when nobody answers", "leave `default` out"
                )
        self._bound(part["expires"], _LONGEST_QUESTION, "a run may wait 1d at most for an answer")
        if "who" in part and self._known_names is not None:
            self._known_names.refer_all("person", part["who"], "people")
            self._known_names.refer_all("team", part["who"], "teams")

    def _channel(self, part: Part) -> None:
        if self._known_names is not None:
            self._known_names.refer("channel", part, LOG_CHANNEL)

    def _register(self, part: Part, kind: str) -> None:
        name = part.value["register"]
        if name in _RESERVED or name in self._registers:
            taken = "is a name that every playbook has" if name in _RESERVED else "is registered by an earlier step"
            self.report.wrong(part["register"].at, f"`{name}` {taken}", "choose another name")
        if name not in _RESERVED:
            self._registers.setdefault(name, kind)

    def _address(self, part: Part) -> None:
        if not part.value.startswith(("http://", "https://")):
            self.report.wrong(part.at, "this url does not begin with http:// or https://", "write the beginning out")
        if "urlencode" in compile_template(part.value).filters():
            self.report.wrong(
                part.at, "values in a url are percent-encoded by themselves", "leave the filter `urlencode` out"
            )

    def _condition(self, part: Part) -> None:
        try:
            self._name(part, parse_test(part.value).name)
        except ValueError:  # the schema has said it
            return

    def check(self, part: Part, *, labels: bool = False) -> None:
        """Check that a template names only what will be there when it is filled in."""
        for name in sorted(_compiled(part, self.report)):
            self._name(part, name, labels=labels)

    def _name(self, part: Part, name: str, *, labels: bool = False) -> None:
        first, _, rest = name.partition(".")
        if first == "inputs":
            self._known(part, name, rest, list(self._inputs), "declare it under `inputs`")
        elif first in self._registers:
            kind = self._registers[first]
            if kind not in KINDS and kind not in installed().kinds:
                return  # what its package would register nobody knows
            self._known(part, name, rest, _registered(kind), f"a {kind} step registers these")
        elif not (labels and first == "labels" and rest) and not (name == "item" and self._in_each):
            self._unknown(part, name, first, labels=labels)

    def _known(self, part: Part, name: str, rest: str, known: list[str], otherwise: str) -> None:
        if rest not in known:
            self.report.wrong(part.at, f"`{shown(name)}` is not known here", instead(rest, known) or otherwise)

    def _unknown(self, part: Part, name: str, first: str, *, labels: bool) -> None:
        if first in ("labels", "annotations"):
            hint = (
                f"labels are strangers' texts; declare an input `{{from: {shown(name)}, pattern: ...}}` and name that"
            )
        elif first == "item":
            hint = "`item` is known to a step with `for_each`, and inside a block with it"
        else:
            near = instead(first, ["inputs", *(["labels"] if labels else []), *self._registers])
            without = first in self._names and first not in self._registers
            hint = f"the step `{shown(first)}` has no `register: {shown(first)}`" if without else near
        self.report.wrong(part.at, f"`{shown(name)}` is not known here", hint)


def _registered(kind: str) -> list[str]:
    own = installed().kinds.get(kind)
    return sorted((*own.registers, "ok")) if own else list(_REGISTERED.get(kind, ()))


def check_calls(document: Part, library: Mapping[str, Part], names: Names) -> None:
    """Check that what a playbook calls is there, takes what it is given, and never leads back to it."""
    for part in every_step(document):
        if "playbook" not in part:
            continue
        call = part["playbook"]
        names.refer("playbook", call["name"])
        if call.value["name"] not in library:
            continue
        way = _way_back(call.value["name"], library, (document.value["name"],))
        if way:
            names.report.wrong(call["name"].at, way, "playbooks call each other in one direction only")
        _check_given(call, library[call.value["name"]], names.report)


def _check_given(call: Part, called: Part, report: Report) -> None:
    wanted = called.get("inputs", {})
    for name, given in call.items("inputs"):
        if name not in wanted:
            hint = instead(name, list(wanted)) or "it takes none"
            report.wrong(given.key_at, f"`{shown(call.value['name'])}` has no input `{shown(name)}`", hint)
    for name, one in wanted.items():
        if name not in call.get("inputs", {}) and "default" not in one:
            report.wrong(
                call["name"].at, f"`{shown(call.value['name'])}` needs the input `{shown(name)}`",
                "add it under `inputs:`; a called playbook takes nothing from the alert by itself",
            )  # fmt: skip


def _way_back(name: str, library: Mapping[str, Part], way: tuple[str, ...]) -> str:
    """Say how calls lead round in a circle, or too deep; '' when they do not."""
    if name in way:
        return f"this call leads back to itself: {' -> '.join([*way, name])}"
    if len(way) > _DEEPEST_CALL:
        return f"calls are more than {_DEEPEST_CALL} deep here: {' -> '.join([*way, name])}"
    called = (it.value["playbook"]["name"] for it in every_step(library[name]) if "playbook" in it)
    return next((found for one in called if one in library and (found := _way_back(one, library, (*way, name)))), "")


def every_step(document: Part) -> Iterator[Part]:
    """Give every step that is written in a playbook, those of blocks and of the rollback too."""
    waiting = [*document.entries("steps"), *document.entries("rollback")]
    while waiting:
        part = waiting.pop(0)
        yield part
        waiting = [*(inner for key in ("block", "rescue", "always") for inner in part.entries(key)), *waiting]


def _listed(part: Part, key: str) -> Iterator[Part]:
    if key in part:
        yield from [part[key]] if isinstance(part.value[key], str) else part.entries(key)


def _compiled(part: Part, report: Report) -> frozenset[str]:
    """Give the names that a template looks up; texts inside a JSON body come here unread."""
    try:
        template: Template = compile_template(part.value)
    except ValueError as error:
        report.wrong(part.at, str(error))
        return frozenset()
    return template.variables()


def _templates(part: Part, but: Collection[str] = _NO_TEMPLATES) -> Iterator[Part]:
    """Give every text of a step's arguments, as deep as they go; conditions and patterns are none."""
    match part.value:
        case str():
            yield part
        case dict() as value:
            for key in value:
                if key not in but:
                    yield from _templates(part[key], but)
        case list() as value:
            for number in range(len(value)):
                yield from _templates(part[number], but)
        case _:
            pass

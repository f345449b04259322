"""Stories that rules are tried with: from documents to values, and whether what they name is there."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from incidentd.config.names import DEFAULT_POLICY, Names
from incidentd.config.parts import Part
from incidentd.config.report import instead, shown
from incidentd.config.tree import Tree
from incidentd.config.values import wall_time
from incidentd.durations import format_duration, parse_duration
from incidentd.rules import CATCH_ALL
from incidentd.settings import DEFAULT_SOURCE
from incidentd.stories import Event, Expectation, Expects, Happens, Labels, Story, has

_STARTS = datetime(2026, 11, 24, 14, 0, tzinfo=UTC)
LONGEST = timedelta(days=31)
"""A story that is longer was not meant so: a unit is wrong."""
_PEOPLE = frozenset(
    {
        Happens.ACKNOWLEDGED_BY,
        Happens.TAKEN_BY,
        Happens.HELPED_BY,
        Happens.DECLARED_BY,
        Happens.STOOD_DOWN_BY,
        Happens.RESOLVED_BY,
        Happens.APPROVED_BY,
    }
)
_OF_RULES = frozenset({Expects.HOLD, Expects.RULE, Expects.TICKET, Expects.RECORDED})
_REASONED = frozenset({Happens.DECLARED_BY, Happens.STOOD_DOWN_BY, Happens.RESOLVED_BY})


def stories(tree: Tree, names: Names) -> tuple[Story, ...]:
    """Read the stories of all files."""
    found = [_Reader(names, part) for document in tree.documents["rules_test"] for part in document.entries("stories")]
    return tuple(reader.story() for reader in found)


class _Reader:
    """Reads one story."""

    def __init__(self, names: Names, part: Part) -> None:
        self._names = names
        self._report = names.report
        self._part = part
        self._firing: list[Labels] = []
        self._silenced: list[Labels] = []

    def story(self) -> Story:
        """Read it."""
        part = self._part
        events = [event for at, of in self._in_time("at") for event in self._events(at, of)]
        expectations = [it for at, of in self._in_time("expect") for it in self._expectations(at, of)]
        starts = part.get("starts")
        return Story(
            name=part.value["name"],
            where=part["name"].at,
            file=self._names.tree.path_of(part.at.file),
            starts=datetime.combine(*wall_time(starts), tzinfo=UTC) if starts else _STARTS,
            source=self._source(),
            events=tuple(events),
            expectations=tuple(expectations),
        )

    def _source(self) -> str:
        source: str = self._part.get("source", "")
        tree = self._names.tree
        known = [it.value["name"] for config in tree.documents["config"] for it in config.entries("sources")]
        if source and source not in [*known, DEFAULT_SOURCE] and "config" not in tree.broken:
            hint = instead(source, [*known, DEFAULT_SOURCE])
            self._report.wrong(self._part["source"].at, f"there is no source `{shown(source)}`", hint)
        return source

    def _in_time(self, key: str) -> list[tuple[timedelta, Part]]:
        found = [(parse_duration(at), part) for at, part in self._part.items(key)]
        for at, part in found:
            if at > LONGEST:
                longest = format_duration(LONGEST)
                self._report.wrong(part.key_at, f"a story may last {longest} at most", "look at the unit")
        return sorted((it for it in found if it[0] <= LONGEST), key=lambda it: it[0])

    # -- what happens ------------------------------------------------------------------------------------------------

    def _events(self, at: timedelta, of: Part) -> Iterator[Event]:
        if "annotations" in of and not ("fires" in of or "refires" in of):
            self._report.wrong(of.at_key("annotations"), "`annotations` belongs to alerts that fire", "add `fires:`")
        if "because" in of and not any(kind.value in of for kind in _REASONED):
            self._report.wrong(
                of.at_key("because"), "`because` belongs to what a person does",
                "add `declared_by:`, `stood_down_by:` or `resolved_by:`",
            )  # fmt: skip
        for kind in Happens:
            if kind.value in of:
                yield self._event(kind, at, of)

    def _event(self, kind: Happens, at: timedelta, of: Part) -> Event:
        part = of[kind.value]
        given: dict[str, Any] = {}
        match kind:
            case Happens.FIRES | Happens.REFIRES:
                given = {"alerts": self._fires(part, again=kind is Happens.REFIRES)}
                given["annotations"] = of.get("annotations", {})
            case Happens.RESOLVES | Happens.SILENCED | Happens.UNSILENCED:
                given = {"alerts": self._those(kind, part)}
            case Happens.NOTE | Happens.PROGRESS:
                self._names.refer("person", part["by"])
                given = {name: part.value[name] for name in ("by", "text", "customer") if name in part}
            case Happens.EXTENDED | Happens.RUN_BY | Happens.SWITCHED_OFF | Happens.SWITCHED_ON:
                given = self._by(part)
            case Happens.PLAYBOOK:
                given = {"text": part.value}
            case Happens.PROMQL:
                given = {"values": part.value}
            case _:
                self._names.refer("person", part)
                given = {"by": part.value, "text": of.get("because", "")}
        return Event(kind=kind, at=at, where=part.key_at, **given)

    def _by(self, part: Part) -> dict[str, Any]:
        """Read what somebody does for a reason: gives more time, runs a playbook, or switches one."""
        self._names.refer("person", part["by"])
        given: dict[str, Any] = {"by": part.value["by"], "text": part.get("because", "")}
        if "approved_by" in part:
            self._names.refer("person", part["approved_by"])
            given |= {"approver": part.value["approved_by"], "length": parse_duration(part.value["for"])}
        if "playbook" in part:
            self._names.refer("playbook", part["playbook"])
            given["playbook"] = part.value["playbook"]
        if "labels" in part:
            given["alerts"] = (part.value["labels"],)
        return given

    def _fires(self, part: Part, *, again: bool) -> tuple[Labels, ...]:
        for number, labels in enumerate(part.value):
            if again and labels not in self._firing:
                self._report.wrong(part[number].at, "this alert does not fire yet", "let it fire first with `fires:`")
            if labels not in self._firing:
                self._firing.append(labels)
        return tuple(part.value)

    def _those(self, kind: Happens, part: Part) -> tuple[Labels, ...]:
        """Read which alerts are meant, and check that there are such: a story about nothing proves nothing."""
        pool = self._silenced if kind is Happens.UNSILENCED else self._firing
        wanted: tuple[Labels, ...] = () if isinstance(part.value, str) else tuple(part.value)
        nothing = "is silenced" if kind is Happens.UNSILENCED else "fires"
        for number, labels in enumerate(wanted):
            if not any(has(it, labels) for it in pool):
                self._report.wrong(part[number].at, f"nothing with these labels {nothing} at this time")
        if not wanted and not pool:
            self._report.wrong(part.at, f"nothing {nothing} at this time")
        those = [it for it in pool if not wanted or any(has(it, labels) for labels in wanted)]
        if kind is Happens.SILENCED:
            self._silenced += those
        else:
            self._silenced = [it for it in self._silenced if it not in those]
        if kind is Happens.RESOLVES:
            self._firing = [it for it in self._firing if it not in those]
        return wanted

    # -- what is expected --------------------------------------------------------------------------------------------

    def _expectations(self, at: timedelta, of: Part) -> Iterator[Expectation]:
        for kind in Expects:
            if kind.value in of:
                yield self._expectation(kind, at, of[kind.value])

    def _expectation(self, kind: Expects, at: timedelta, part: Part) -> Expectation:
        given: dict[str, Any] = {}
        match part.value:
            case bool() as yes:
                given = {"number": int(yes)}
            case int() as number:
                given = {"number": number}
            case list() as words:
                given = {"words": tuple(words)}
            case dict() as people:
                given = {"by": tuple((name, tuple(kinds)) for name, kinds in people.items())}
            case word:
                given = {"word": word}
        if kind is Expects.DECLARES_AT:
            given = {"after": parse_duration(str(part.value))}
        self._there(kind, part)
        return Expectation(kind=kind, at=at, where=part.key_at, **given)

    def _there(self, kind: Expects, part: Part) -> None:
        """Check that what is expected can be there at all."""
        if kind in _OF_RULES:
            extra = () if self._names.given["rule"] else (CATCH_ALL.name,)
            self._names.refer("rule", part, *extra)
        elif kind in (Expects.SEVERITY, Expects.URGENCY):
            self._names.refer(kind.value, part)
        elif kind in (Expects.PAGED, Expects.NOT_PAGED):
            self._reachable(part)

    def _reachable(self, part: Part) -> None:
        if isinstance(part.value, dict):
            for name in part.value:
                self._names.refer("person", Part(name, part[name].key_at, part[name].key_at))
            return
        given = self._names.given
        known = [*given["escalation"], DEFAULT_POLICY, *given["person"], *given["channel"]]
        if {"escalations", "people", "config"} & self._names.tree.broken:
            return
        for number, name in enumerate(part.value):
            person, _, channel = name.partition("/")
            if name not in known and not (channel and person in given["person"]):
                there = f"there is no escalation, person or channel `{shown(name)}`"
                self._report.wrong(part[number].at, there, instead(name, known))

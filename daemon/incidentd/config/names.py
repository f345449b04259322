"""The names that the files give to things, and whether what a file names is there."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

from incidentd.config.parts import Part
from incidentd.config.report import Report, instead, shown
from incidentd.config.tree import Tree
from incidentd.errors import Location
from incidentd.rules import SEVERITIES, URGENCIES

EVERYBODY = "*"
"""The team of everybody, which exists without being written."""
DEFAULT_POLICY = "default"
"""The escalation policy that exists without being written."""

# what is named, the kind of document that names it, and under which key
_NAMED = (
    ("person", "people", "people"),
    ("team", "teams", "teams"),
    ("schedule", "schedules", "schedules"),
    ("site", "schedules", "holidays"),
    ("escalation", "escalations", "escalations"),
    ("channel", "config", "channels"),
    ("urgency", "config", "urgencies"),
)
_HOME = {noun: kind for noun, kind, _ in _NAMED} | {
    "severity": "config", "playbook": "playbook", "rule": "rules", "window": "maintenance",
}  # fmt: skip
_LISTED = {"rules": "rules", "maintenance": "windows"}
_PLURALS = {"person": "people"}


@dataclass(slots=True)
class Names:
    """Which names there are, by noun, and where each is given."""

    tree: Tree
    report: Report
    given: dict[str, dict[str, Location]] = field(default_factory=lambda: defaultdict(dict))

    def give(self, noun: str, name: str, at: Location) -> None:
        """Take in a name; the same name twice is a mistake."""
        first = self.given[noun].setdefault(name, at)
        if first is not at:
            self.report.wrong(
                at,
                f"there are two {_PLURALS.get(noun, noun + 's')} `{shown(name)}`",
                f"the other one is at {first}; rename one",
            )

    def refer(self, noun: str, part: Part, *extra: str) -> None:
        """Check that what a file names is there; `extra` are names that need not be given."""
        known = [*self.given[noun], *extra]
        # where not everything could be read, a name that seems to be missing may be in what could not be
        if part.value not in known and _HOME[noun] not in self.tree.broken:
            there = (
                instead(str(part.value), known)
                or f"there is none at all; it would be{_under(noun)} in a document of `kind: {_HOME[noun]}`"
            )
            self.report.wrong(part.at, f"there is no {noun} `{shown(part.value)}`", there)

    def refer_all(self, noun: str, whole: Part, key: str, *extra: str) -> None:
        """Check a key's name, or each of its names when it is a list; a key that is not there is right."""
        if key in whole:
            parts = list(whole.entries(key)) if isinstance(whole.value[key], list) else [whole[key]]
            for part in parts:
                self.refer(noun, part, *extra)


def _under(noun: str) -> str:
    key = next((key for one, _, key in _NAMED if one == noun), "")
    return f" under `{key}:`" if key else ""


def gather(tree: Tree, report: Report) -> Names:
    """Find every name that the tree gives."""
    names = Names(tree, report)
    for noun, kind, key in _NAMED:
        for name, part in tree.of(kind, key):
            names.give(noun, name, part.key_at)
    for document in tree.documents["playbook"]:
        names.give("playbook", document.value["name"], document["name"].at)
    for noun, kind in (("rule", "rules"), ("window", "maintenance")):
        for one in (one for document in tree.documents[kind] for one in document.entries(_LISTED[kind])):
            names.give(noun, one.value["name"], one["name"].at)
    built_in = Location("(built in)", 1)
    for name in URGENCIES:
        names.given["urgency"].setdefault(name, built_in)
    for name in severity_names(tree):
        names.given["severity"].setdefault(name, built_in)
    return names


def severity_names(tree: Tree) -> list[str]:
    """Give the severities, worst first.

    Those of the file keep its order. With a built-in one among them, the built-in ones that are missing go where they
    stand in the built-in order; with none of them, the file replaces them all.
    """
    written = [name for name, _ in tree.of("config", "severities")]
    if not written:
        return list(SEVERITIES)
    if not set(written) & set(SEVERITIES):
        return written
    order, built_in = list(written), list(SEVERITIES)
    for place, name in enumerate(built_in):
        if name in order:
            continue
        if place and built_in[place - 1] in order:
            order.insert(order.index(built_in[place - 1]) + 1, name)
        else:
            order.insert(next(order.index(later) for later in built_in[place:] if later in order), name)
    return order

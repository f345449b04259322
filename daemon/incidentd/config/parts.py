"""A value of a document together with the place where it stands, so that whoever reads it can point at it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from incidentd.config.yaml12 import Mapping, Node, Sequence
from incidentd.errors import Location


@dataclass(frozen=True, slots=True)
class Part:
    """A value, checked for its shape, and where it stands. Without a node all of it stands at `at`."""

    value: Any
    at: Location
    key_at: Location
    """Where its key stands; for the entry of a list, where the entry begins."""
    node: Node | None = None

    def __getitem__(self, key: str | int) -> Part:
        at, key_at, node = self.at, self.at, None
        match self.node:
            case Mapping(entries=entries, keys=keys) if isinstance(key, str):
                node, key_at = entries[key], keys[key]
                at = node.at
            case Sequence(items=items) if isinstance(key, int):
                node = items[key]
                at = key_at = node.at
            case _:
                pass
        return Part(self.value[key], at, key_at, node)

    def __contains__(self, key: str) -> bool:
        return key in self.value

    def at_key(self, key: str) -> Location:
        """Say where a key stands; where the whole stands when it has no such key."""
        return self.node.keys.get(key, self.at) if isinstance(self.node, Mapping) else self.at

    def get(self, key: str, default: Any = None) -> Any:
        """Give the plain value under a key."""
        return self.value.get(key, default)

    def entries(self, key: str) -> Iterator[Part]:
        """Give each entry of the list under a key; nothing when it is not there."""
        if key in self.value:
            part = self[key]
            yield from (part[number] for number in range(len(part.value)))

    def items(self, key: str) -> Iterator[tuple[str, Part]]:
        """Give each key and value of the mapping under a key; nothing when it is not there."""
        if key in self.value:
            part = self[key]
            yield from ((name, part[name]) for name in part.value)

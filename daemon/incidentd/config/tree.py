"""The tree of files: the configuration and every file that it includes, as documents of known kinds and right shape."""

from __future__ import annotations

import glob
import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from incidentd.config import shape, words, yaml12
from incidentd.config.parts import Part
from incidentd.config.report import Report, instead, shown
from incidentd.config.yaml12 import Mapping, Node, Scalar
from incidentd.errors import Location

MOST_FILES = 2000
"""A pattern that finds more was not meant so: the root of a disk, or the wrong folder."""


@dataclass(slots=True)
class Tree:
    """What was read: the sound documents by kind, in the order of reading."""

    main: Path
    documents: dict[str, list[Part]] = field(default_factory=lambda: defaultdict(list))
    broken: set[str] = field(default_factory=set)
    """Kinds of which a document is not sound, so that not everything of that kind is known."""
    files: list[Path] = field(default_factory=list)
    configs: list[Part] = field(default_factory=list)
    """Those of `kind: config`, sound or not."""
    names: list[str] = field(default_factory=list)
    """How each file is called in messages."""

    @property
    def folder(self) -> Path:
        """Where paths in the configuration start from."""
        return self.main.parent

    def path_of(self, name: str) -> str:
        """Give the whole path of a file that messages call so; '' when there is none."""
        return next((str(path) for path, its in zip(self.files, self.names, strict=True) if its == name), "")

    def name_of(self, path: Path) -> str:
        """Say how messages call a file that was read; '' when it was not."""
        whole = os.path.realpath(path)
        return next((its for its, read in zip(self.names, self.files, strict=True) if str(read) == whole), "")

    def of(self, kind: str, key: str) -> Iterator[tuple[str, Part]]:
        """Give every named thing of a kind whose documents map names to things."""
        for document in self.documents[kind]:
            yield from document.items(key)


def read_tree(main: Path | None, report: Report, *, more: Iterable[Path] = (), instead_of: Sequence[str] = ()) -> Tree:
    """Read the configuration and what it includes, and `more` files; mistakes are in the report.

    Documents of the kinds `instead_of` count only where they stand in those other files, also in one that is included.
    """
    tree = Tree(main or Path())
    if main is not None:
        _read_main(main, tree, report)
    set_aside = {kind: tree.documents.pop(kind, []) for kind in instead_of}
    tree.broken.difference_update(instead_of)
    for path in more:
        name = printable(str(path))
        known_as = tree.name_of(path)
        for kind, documents in set_aside.items():  # a file is read once, so what an included one holds is brought back
            tree.documents[kind] += [document for document in documents if document.at.file == known_as]
            set_aside[kind] = [document for document in documents if document.at.file != known_as]
        _read_file(path, name, Location(name, 1), tree, report)
    for config in tree.configs[1:]:
        report.wrong(config.at, "there is a second document of `kind: config`", "keep one")
    return tree


def tree_of(path: Path) -> Tree:
    """Read one file alone, whatever is wrong with it."""
    tree = Tree(path)
    _read_file(path, printable(str(path)), Location(printable(str(path)), 1), tree, Report())
    return tree


def _read_main(main: Path, tree: Tree, report: Report) -> None:
    _read_file(main, printable(str(main)), Location(printable(str(main)), 1), tree, report)
    if not tree.configs and not report.problems:
        at = Location(tree.names[0], 1)
        report.wrong(at, "this file has no document of `kind: config`", "begin it with `kind: config`")
    for config in tree.configs[:1]:
        for pattern in _patterns(config):
            for path in _included(pattern, tree, report):
                _read_file(path, _called(path, tree), pattern.at, tree, report)


def _patterns(config: Part) -> Iterator[Part]:
    """Give the patterns of `include`, also of a configuration that holds mistakes elsewhere."""
    if isinstance(config.get("include"), list):
        yield from (pattern for pattern in config.entries("include") if isinstance(pattern.value, str))


def _included(pattern: Part, tree: Tree, report: Report) -> list[Path]:
    found = sorted(glob.glob(os.path.join(glob.escape(str(tree.folder)), pattern.value)))
    if not found:
        report.wrong(
            pattern.at,
            f"there is no file `{shown(pattern.value)}`",
            f"it is looked for in {printable(os.path.abspath(tree.folder))}",
        )
        tree.broken.update(shape.KINDS)
    if len(found) > MOST_FILES:
        report.wrong(pattern.at, f"`{shown(pattern.value)}` finds more than {MOST_FILES} files", "name the folder")
        return []
    return [Path(os.path.normpath(path)) for path in found]


def _called(path: Path, tree: Tree) -> str:
    """Name a file as it is found from here or from the configuration's folder, whichever reads better.

    A name by which another file is found from here would not say which one it is.
    """
    names = [os.path.relpath(path)]
    from_folder = os.path.relpath(path, tree.folder)
    if not os.path.exists(from_folder) or os.path.realpath(from_folder) == os.path.realpath(path):
        names.append(from_folder)
    return printable(min(names, key=lambda name: (name.startswith(".."), len(name))))


def printable(name: str) -> str:
    """Make a file's name one that every terminal and log can take: names are bytes, and need not be UTF-8."""
    return name.encode(errors="replace").decode()


def raw_of(path: Path) -> bytes:
    """Read a file, and no more of it than is looked at. Raises OSError."""
    if not path.is_file():
        raise IsADirectoryError(0, "it is no file" if path.exists() else "there is no such file")
    with path.open("rb") as file:
        return file.read(yaml12.LARGEST + 1)


def _read_file(path: Path, name: str, wanted_at: Location, tree: Tree, report: Report) -> None:
    try:
        resolved = Path(os.path.realpath(path))
        if resolved in tree.files:
            return
        raw = raw_of(path)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        report.wrong(wanted_at, f"`{shown(name, 500)}` cannot be read", reason.lower())
        tree.broken.update(shape.KINDS)
        return
    tree.files.append(resolved)
    tree.names.append(name)
    nodes = yaml12.read(raw, name, report)
    if nodes is None:
        tree.broken.update(shape.KINDS)
        return
    if not nodes:
        report.wrong(Location(name, 1), "the file is empty", f"write one of {_kinds()}, or take the file away")
    for node in nodes:
        _sort_in(node, tree, report)


def _sort_in(node: Node, tree: Tree, report: Report) -> None:
    kind = _kind(node, report)
    if kind is None:
        tree.broken.update(shape.KINDS)
        return
    value = shape.value_of(node, shape.schema_of(kind))
    document = Part(value, node.at, node.at, node)
    if kind == "config":
        tree.configs.append(document)
    errors = shape.errors_of(kind, value)
    if errors:
        tree.broken.add(kind)
        words.tell(errors, document, report)
    else:
        tree.documents[kind].append(document)


def _kind(node: Node, report: Report) -> str | None:
    match node:
        case Mapping(entries={"kind": Scalar(text=kind)}) if kind in shape.KINDS:
            return kind
        case Mapping(entries={"kind": Scalar(text=kind)} as entries):
            hint = instead(kind, shape.KINDS)
            report.wrong(entries["kind"].at, f"unknown kind `{shown(kind)}`", hint)
        case Mapping():
            report.wrong(node.at, "this document does not say its `kind`", f"write one of {_kinds()}")
        case _:
            report.wrong(node.at, "this document is no mapping of keys to values", f"write one of {_kinds()}")
    return None


def _kinds() -> str:
    return ", ".join(f"`kind: {kind}`" for kind in shape.KINDS)

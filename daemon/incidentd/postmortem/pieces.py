"""A postmortem's text as the pieces that people write one by one: taken apart at its headings, and put together again.

What incidentd writes by itself is written anew as long as it is a draft; what a person wrote stays as they wrote it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from incidentd.errors import BadRequest, NotFound
from incidentd.postmortem.markup import Page
from incidentd.postmortem.prompts import RECORDED
from incidentd.postmortem.sections import is_quick_review
from incidentd.text import markdown, plain

LONGEST = 50_000
"""Characters of one piece."""
HEAD, BEFORE, TIMELINE, DRAFTED, REVIEW, WHOLE = "head", "before", "timeline", "drafted", "review", "text"
TRIGGERS = (
    "binary_push", "config_push", "user_behaviour", "pipeline", "provider_change", "performance_decay", "capacity",
    "hardware", "unknown",
)  # fmt: skip
CAUSES = (
    "software", "development_process", "complex_behaviour", "deployment_planning", "network", "other",
)  # fmt: skip
KEYS: Mapping[str, tuple[str, ...]] = {"trigger": TRIGGERS, "cause_class": CAUSES, "faulty_service": ()}
"""What of the head people say, and the words that there are for it (the SRE Workbook's); () is any name."""
BY_ITSELF = frozenset(
    {
        HEAD, TIMELINE, DRAFTED, "lessons", "support", "alerts", "automation", "messages-sent", "similar-incidents",
    }
)  # fmt: skip
"""What incidentd alone writes."""
_SHORT = {
    "date and people": "people", "executive summary": "summary", "problem summary": "problem",
    "technical issue": "issue", "root cause": "causes", "action items": "items", "lessons learned": "lessons",
    "what went well": "well", "what could be improved": "improve", "where we got lucky": "lucky",
    "feedback on our practice": "feedback", "timeline": TIMELINE, "supporting information": "support",
    "external message": "external", "quick review": REVIEW,
}  # fmt: skip
_NOT_IN_NAMES = re.compile("[^a-z0-9]+")
_LAST = re.compile(r"^Drafted from [0-9].*$", re.MULTILINE)
_DEEPEST = 3
"""Headings of this level and above are the postmortem's own."""
_FENCE = re.compile(r"^ {0,3}(`{3,}|~{3,})", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """One piece of a postmortem: its name for commands, its heading's whole line ('' for none), its text."""

    name: str
    heading: str = ""
    text: str = ""

    @property
    def by_itself(self) -> bool:
        """Whether incidentd alone writes it."""
        return self.name in BY_ITSELF

    @property
    def title(self) -> str:
        """Its heading without marks; its name where it has none."""
        return self.heading.lstrip("# ") or self.name.replace("_", " ").capitalize()


def split(text: str) -> tuple[Piece, ...]:
    """Take a postmortem apart; whatever its template, `joined` makes the same text of the pieces."""
    page = Page(text)
    own = [it for it in page.sections if it.level <= _DEEPEST]
    if is_quick_review(page):
        first = own[0]
        return (Piece(name=REVIEW, heading=page.lines[first.number], text=_between(page, first.number + 1, None)),)
    below = [it for it in own if it.level > 1]
    if not below:
        return (Piece(name=WHOLE, text=page.text.strip("\n")),)
    found = [Piece(name=HEAD, text=_between(page, 0, below[0].number))]
    ends = [*(it.number for it in below[1:]), None]
    for section, end in zip(below, ends, strict=True):
        heading, body = page.lines[section.number], _between(page, section.number + 1, end)
        found += _pieces(_named(section.title), heading, body)
    return tuple(_unique(found))


def _between(page: Page, begin: int, end: int | None) -> str:
    return "\n".join(page.lines[begin:end]).strip("\n")


def _named(title: str) -> str:
    low = title.casefold()
    short = next((name for begin, name in _SHORT.items() if low.startswith(begin)), "")
    return short or _NOT_IN_NAMES.sub("-", low).strip("-")[:60] or "section"


def _pieces(name: str, heading: str, body: str) -> list[Piece]:
    if name == TIMELINE:
        lines = body.split("\n")
        table = _recorded_from(lines)
        mine, rows = ("\n".join(part).strip("\n") for part in (lines[:table], lines[table:]))
        return [Piece(name=BEFORE, heading=heading, text=mine), Piece(name=TIMELINE, text=rows)]
    if last := _LAST.search(body):
        rest = (body[: last.start()] + body[last.end() :]).strip("\n")
        return [Piece(name=name, heading=heading, text=rest), Piece(name=DRAFTED, text=last.group())]
    return [Piece(name=name, heading=heading, text=body)]


def _recorded_from(lines: Sequence[str]) -> int:
    """Find where the table of what incidentd recorded begins: the last one, since people may write tables above it.

    A layout of one's own may have a table below it, which says nothing of what was recorded.
    """
    tables: list[int] = []
    recorded = len(lines)
    for at, line in enumerate(lines):
        if not line.startswith("|"):
            continue
        if at == 0 or not lines[at - 1].startswith("|"):
            tables.append(at)
        if f"| {RECORDED}" in line:
            recorded = tables[-1]
    return recorded if recorded < len(lines) or not tables else tables[-1]


def _unique(pieces: Iterable[Piece]) -> Iterable[Piece]:
    seen: dict[str, int] = {}
    for it in pieces:
        seen[it.name] = number = seen.get(it.name, 0) + 1
        yield it if number == 1 else replace(it, name=f"{it.name}-{number}")


def joined(pieces: Iterable[Piece]) -> str:
    """Put a postmortem together."""
    return "\n\n".join(part for it in pieces for part in (it.heading, it.text) if part) + "\n"


def find(pieces: Iterable[Piece], name: str) -> Piece:
    """Find the piece of a name. Raises NotFound, with the names that there are."""
    known = tuple(pieces)
    wanted = (name.casefold().replace("_", "-"), _named(name))
    found = next((it for one in wanted for it in known if it.name == one), None)
    if found is not None:
        return found
    mine = [it.name for it in known if not it.by_itself] + (list(KEYS) if known[0].name == HEAD else [])
    raise NotFound(f"there is no {plain(name, 40)!r} in this postmortem; people write {', '.join(mine)}")


def key_of(name: str) -> str:
    """Name the key of the head that is meant; '' when none is."""
    wanted = name.casefold().replace("-", "_")
    return wanted if wanted in KEYS else ""


def said_in_head(pieces: Iterable[Piece], key: str) -> str:
    """Read what the head says of a key."""
    head = next((it.text for it in pieces if it.name == HEAD), "")
    found = re.search(rf'^{key}: "?([^"\n]*)"?$', head, re.MULTILINE)
    return found[1] if found else ""


def with_head(pieces: Iterable[Piece], values: Mapping[str, str]) -> tuple[Piece, ...]:
    """Write these keys of the head anew; a value is one word, or a name that gets quotes."""
    return tuple(replace(it, text=_head_with(it.text, values)) if it.name == HEAD else it for it in pieces)


def _head_with(text: str, values: Mapping[str, str]) -> str:
    lines = []
    for line in text.split("\n"):
        key = line.partition(":")[0]
        said = values.get(key)
        if said is not None and line.startswith(f"{key}: "):
            line = f"{key}: {said}" if re.fullmatch("[a-z_]+", said) else f'{key}: "{said}"'  # noqa: PLW2901 - as said
        lines.append(line)
    return "\n".join(lines)


def with_text(pieces: Iterable[Piece], texts: Mapping[str, str]) -> tuple[Piece, ...]:
    """Put these texts in the place of what stands in the pieces of their names."""
    return tuple(replace(it, text=texts.get(it.name, it.text)) for it in pieces)


def refreshed(
    fresh: Sequence[Piece], written: Mapping[str, str], before: Sequence[Piece] = ()
) -> tuple[Piece, ...]:  # fmt: skip
    """Give a fresh draft with everything that people wrote; what the template has no place for any more stays, too."""
    names = {it.name for it in fresh}
    kept = [
        replace(it, heading=f"## {it.title}") if it.heading.startswith("# ") else it
        for it in before
        if it.name in written and it.name not in names
    ]
    at = next((at for at, it in enumerate(fresh) if it.name == "support"), len(fresh))
    return with_text((*fresh[:at], *kept, *fresh[at:]), written)


def with_people(pieces: Iterable[Piece], *, authors: Sequence[str], reviewers: Sequence[str]) -> tuple[Piece, ...]:
    """Name the authors and the reviewers in their rows."""
    rows = (("Authors", authors), ("Reviewers", reviewers))
    done = []
    for it in pieces:
        text = it.text
        for row, people in rows if it.name == "people" else ():
            if people:
                named = ", ".join(markdown(one, 100) for one in people)
                line = f"| {row} | {named} |"
                text = "\n".join(line if old.startswith(f"| {row} |") else old for old in text.split("\n"))
        done.append(replace(it, text=text))
    return tuple(done)


def fitting(name: str, text: str) -> str:
    """Check a text for its piece. Raises BadRequest for one that would break the text around it, or is too long."""
    if key := key_of(name):
        return _fitting_key(key, text.strip())
    text = text.strip("\n").rstrip()
    if not text.strip():
        raise BadRequest(f"the text of `{name}` is empty; say why there is nothing, or leave the prompt")
    if len(text) > LONGEST:
        raise BadRequest(f"the text of `{name}` has {len(text)} characters; the most is {LONGEST}")
    heading = next((it for it in Page(text).sections if it.level <= _DEEPEST), None)
    if heading is not None:
        raise BadRequest(
            f"line {heading.number + 1} of `{name}` is a heading, {plain(heading.title, 40)!r}, and those of "
            "# to ### are the postmortem's own; use #### or deeper"
        )
    if Page(f"{text}\n\n## x").section("x") is None:
        raise BadRequest(f"a block of code in `{name}` is not closed; end it with the marks with which it begins")
    if "<!--" in text[text.rfind("-->") + 1 :]:
        raise BadRequest(f"a comment in `{name}` is not closed; end it with -->")
    return text


def _fitting_key(key: str, text: str) -> str:
    words = KEYS[key]
    if words and text not in words:
        raise BadRequest(f"`{key}` is one of {', '.join(words)}, not {plain(text, 40)!r}")
    if not words and not re.fullmatch(r"[\w .:/@+-]{1,100}", text, re.ASCII):
        raise BadRequest(f"`{key}` is a name of 1 to 100 letters, digits and . : / @ + -")
    return text

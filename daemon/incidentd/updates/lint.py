"""What to look at before a text goes to people outside: each finding with its place and what to write instead."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from incidentd.updates.drafts import Phase

# PagerDuty's customer liaison: never an estimate of when it is over; the promise of the next update is none
_ESTIMATE = re.compile(
    r"\bETA\b|\b(?:should|will|expect(?:ed)?|hope|aim|plan)\b[^.\n]{0,60}?"
    r"\b(?:resol\w+|fix\w*|restor\w+|back|over|recover\w*|repaired|solved)\b[^.\n]{0,40}?"
    r"\b(?:in|within|by|before|at|until|soon|shortly|tonight|today|tomorrow)\b"
    r"|\b(?:resol\w+|fixed|restored|repaired|solved|back)\s+(?:in|within|by|before)\s+(?:about\s+|the\s+next\s+)?"
    r"(?:\d+|an?|one|two|a few|few)\b",
    re.IGNORECASE,
)
_HOST = re.compile(
    r"\b\d{1,3}(?:\.\d{1,3}){3}\b"
    r"|\b(?:[a-z0-9-]+\.)+(?:internal|local|lan|corp|intra|svc|cluster\.local|localdomain)\b"
    r"|\b[a-z][a-z0-9]*(?:-[a-z0-9]+)*-\d+\b"
    r"|\b[a-z][a-z0-9]*(?:-[a-z0-9]+)*-[a-f0-9]{8,10}-[a-z0-9]{5}\b"
)
_OUTAGE = re.compile(r"\boutages?\b", re.IGNORECASE)
_TOTAL = re.compile(r"\b(?:total|complete|full)\s+$", re.IGNORECASE)
_SURE = re.compile(
    r"\b(?:guarantee\w*|definitely|certainly|100\s?%|no impact whatsoever|nothing to worry about|will never)",
    re.IGNORECASE,
)
_OPEN = re.compile(
    r"not (?:yet )?(?:known|clear|found)|unknown|do(?:n't| not) (?:yet )?know|unclear|still looking|investigat", re.I
)
_DATA = re.compile(r"\bdata\b|\b(?:lost|loss|lose)\b", re.IGNORECASE)
_PERSISTS = re.compile(r"\b(?:if|still|persist\w*|again|contact|tell us|report)\b", re.IGNORECASE)
# process: what has to be said in a phase (PagerDuty's guides for stakeholders), and what to write where it is missing
_MISSING = {
    Phase.INVESTIGATING: ("unknowns", _OPEN, "say what is not known yet"),
    Phase.MONITORING: ("persists", _PERSISTS, "say what to do if it persists"),
    Phase.RESOLVED: ("data_loss", _DATA, "say whether data were lost, also when none were"),
}
_TO_FILL = re.compile(r"\[say: [^\]\n]*\]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing to look at in a text."""

    rule: str
    """unfilled | estimate | host | internal_name | outage | certainty | unknowns | persists | data_loss"""
    line: int
    column: int
    words: str
    """The words that are meant; '' when something is missing."""
    hint: str

    def __str__(self) -> str:
        said = f"`{self.words}`: " if self.words else ""
        return f"{self.line}:{self.column}: {said}{self.hint}"


def unfilled(text: str) -> list[Finding]:
    """Find what a draft left to fill in."""
    return [_at(text, it, "unfilled", "fill this in, or take it out") for it in _TO_FILL.finditer(text)]


def lint(text: str, *, phase: Phase, internal: Iterable[str] = ()) -> list[Finding]:
    """Find what people outside should not read, in the order of the text; `internal` are names that stay inside."""
    found = [*_found(text), *_names(text, internal)]
    rule, said, hint = _MISSING.get(phase, ("", None, ""))
    if said is not None and not said.search(text):
        found.append(Finding(rule=rule, line=1, column=1, words="", hint=hint))
    return sorted([*unfilled(text), *found], key=lambda it: (it.line, it.column, it.rule))


def _found(text: str) -> Iterator[Finding]:
    for it in _ESTIMATE.finditer(text):
        if "next update" not in _sentence_before(text, it):
            yield _at(text, it, "estimate", "promise the next update, never when it is over")
    for it in _HOST.finditer(text):
        yield _at(text, it, "host", "say what customers call it, no host or address")
    for it in _OUTAGE.finditer(text):
        if not _TOTAL.search(text[: it.start()]):
            yield _at(text, it, "outage", "say what does not work; an outage is total, and says so")
    for it in _SURE.finditer(text):
        yield _at(text, it, "certainty", "say what is known, and from when")


def _names(text: str, internal: Iterable[str]) -> Iterator[Finding]:
    for name in sorted({name for name in internal if len(name) > 2 and not _HOST.fullmatch(name)}):
        for it in re.finditer(rf"(?<![\w-]){re.escape(name)}(?![\w-])", text):
            yield _at(text, it, "internal_name", "say what customers call it; this name stays inside")


def _sentence_before(text: str, it: re.Match[str]) -> str:
    start = max(text.rfind(end, 0, it.start()) for end in (". ", "\n", "! ", "? "))
    return text[start + 1 : it.end()].casefold()


def _at(text: str, it: re.Match[str], rule: str, hint: str) -> Finding:
    line = text.count("\n", 0, it.start()) + 1
    column = it.start() - (text.rfind("\n", 0, it.start()) + 1) + 1
    return Finding(rule=rule, line=line, column=column, words=it.group()[:60], hint=hint)

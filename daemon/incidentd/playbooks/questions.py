"""Questions that a run asks people and waits for: what may be answered, by whom, and what comes of it. Pure values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from incidentd.durations import parse_duration
from incidentd.matchers import Regex
from incidentd.oncall import Roster
from incidentd.templates import compile_template
from incidentd.text import plain

YES_OR_NO = ("yes", "no")
LONGEST = 200
"""Characters of an answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A question that was asked."""

    key: str
    """Which step of its run asks: `steps/2`."""
    text: str
    choices: tuple[str, ...] = ()
    """`yes` and `no` when the playbook names none; empty with a pattern."""
    pattern: str = ""
    """What the whole of an answer in words of one's own has to match."""
    roles: tuple[str, ...] = ()
    people: tuple[str, ...] = ()
    teams: tuple[str, ...] = ()
    """With neither of the three, whoever may approve runs answers."""
    expires_at: datetime
    default: str = ""
    """What it goes on with when nobody answers in time; '' fails."""
    answer: str = ""
    by: str = ""
    """Who answered; '' when nobody did in time."""
    closed: bool = False
    closed_at: datetime | None = None
    """When it was answered, or its time was over."""


def filled(args: Mapping[str, Any], context: Mapping[str, object]) -> str:
    """Fill in the words of a question. Raises BadTemplate."""
    return plain(compile_template(args["question"]).render(context), 1000)


def ask(args: Mapping[str, Any], context: Mapping[str, object], *, key: str, now: datetime) -> Question:
    """Make a question of a step's arguments. Raises BadTemplate."""
    who, pattern = args.get("who", {}), args.get("pattern", "")
    return Question(
        key=key, text=filled(args, context), choices=() if pattern else tuple(args.get("choices", YES_OR_NO)),
        pattern=pattern, default=args.get("default", ""), expires_at=now + parse_duration(args["expires"]),
        roles=tuple(who.get("roles", ())), people=tuple(who.get("people", ())), teams=tuple(who.get("teams", ())),
    )  # fmt: skip


def refused(question: Question, answer: str) -> str:
    """Say why this is no answer to a question; '' when it is one."""
    if question.choices:
        wanted = ", ".join(question.choices)
        return "" if answer in question.choices else f"the answer is one of {plain(wanted, 500)}, not {_shown(answer)}"
    if 0 < len(answer) <= LONGEST and not answer.startswith("-") and Regex(question.pattern).matches(answer):
        return ""
    return f"the answer has to match {plain(question.pattern, 200)!r} as a whole, and {_shown(answer)} does not"


def _shown(answer: str) -> str:
    return repr(plain(answer, 60))


def asks_anybody(question: Question) -> bool:
    """Say whether it names nobody who is to answer."""
    return not (question.roles or question.people or question.teams)


def may_answer(question: Question, roster: Roster, name: str) -> bool:
    """Say whether somebody is among those who are asked."""
    if asks_anybody(question):
        return True
    person = roster.people.get(name)
    in_team = any(name in roster.teams[team].people for team in question.teams if team in roster.teams)
    return name in question.people or in_team or (person is not None and person.role in question.roles)


def asked(question: Question, roster: Roster) -> list[str]:
    """List the people who are asked by name, team or role; nobody when it is not said whom."""
    names = [name for name in roster.people if may_answer(question, roster, name)]
    return [] if asks_anybody(question) else names


def who(question: Question) -> str:
    """Say in words who may answer."""
    parts = [*question.people, *(f"team {team}" for team in question.teams), *(f"a {role}" for role in question.roles)]
    return plain(", ".join(parts), 300) or "whoever may approve runs"


def outcome(question: Question) -> tuple[bool, str]:
    """Say of a closed question whether the step went well, and in one line how it was answered."""
    if not question.answer:
        return False, "nobody answered in time"
    said = f"`{plain(question.answer, LONGEST)}` by {plain(question.by, 100)}"
    if not question.by:
        said = f"nobody answered in time, so it goes on with `{plain(question.answer, LONGEST)}`"
    return not (question.choices == YES_OR_NO and question.answer == "no"), said

"""The auditor's judgement: which of our own promises are not kept at this moment, and whom to tell of it when. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from incidentd.durations import about


class Promise(StrEnum):
    """What incidentd promises about itself."""

    STORE = "store"
    """What happens can be written down."""
    INBOX = "inbox"
    """Deliveries are looked at soon after they came."""
    DEADLINE = "deadline"
    """What falls due is acted on."""
    PAGE = "page"
    """A page goes out when it is due."""
    MESSAGE = "message"
    """So does every other message."""
    PLAYBOOK = "playbook"
    """A playbook goes on."""
    DISPATCHER = "dispatcher"
    """The engine's loops go round."""


LATEST: Mapping[Promise, timedelta] = {
    Promise.INBOX: timedelta(seconds=30),
    Promise.DEADLINE: timedelta(minutes=1),
    Promise.PAGE: timedelta(minutes=2),
    Promise.MESSAGE: timedelta(minutes=15),
    Promise.PLAYBOOK: timedelta(minutes=5),
    Promise.DISPATCHER: timedelta(minutes=1),
}
"""How late each may be. A page's covers a lease of a dead worker (30 s) and another try; what is tried again later
because the other side does not take it is not late, as long as something of the page was delivered."""
TELL_AFTER = timedelta(seconds=60)
"""Trouble that ends sooner is nobody's business."""
AGAIN_AFTER = timedelta(minutes=15)
"""Between two messages about trouble."""
_WORDS = {
    Promise.INBOX: "the oldest delivery waits to be looked at",
    Promise.DEADLINE: "a deadline passed and was not acted on",
    Promise.PAGE: "a page is due and was not delivered",
    Promise.MESSAGE: "a message is due and was not sent",
    Promise.PLAYBOOK: "a playbook step is due and was not done",
    Promise.DISPATCHER: "a part of the engine stands still",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What the auditor found."""

    store: str = ""
    """Why the store cannot be used; '' when it can."""
    late_by: Mapping[Promise, timedelta] = field(default_factory=dict)
    """How long the oldest of each has been due, where anything is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Broken:
    """A promise that is not kept."""

    promise: Promise
    why: str


def judge(seen: Seen) -> tuple[Broken, ...]:
    """Name the promises that are not kept."""
    found = [Broken(promise=Promise.STORE, why=f"the store cannot be used: {seen.store}")] if seen.store else []
    for promise, most in LATEST.items():
        late = seen.late_by.get(promise, timedelta(0))
        if late > most:
            found.append(Broken(promise=promise, why=f"{_WORDS[promise]} for {about(late)}"))
    return tuple(found)


class Word(StrEnum):
    """What there is to tell people."""

    NOTHING = "nothing"
    TROUBLE = "trouble"
    WELL = "well"


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """What the auditor remembers between two looks."""

    since: datetime | None = None
    """Since when promises are not kept."""
    told_at: datetime | None = None
    """When people were told of trouble last."""
    owes: bool = False
    """They were told of trouble, and not yet that it is over."""


def next_word(watch: Watch, broken: bool, now: datetime) -> tuple[Watch, Word]:
    """Say what to tell people after a look, at most once in 15 minutes, and when all is well again."""
    if not broken:
        word = Word.WELL if watch.owes else Word.NOTHING
        return replace(watch, since=None, owes=False), word
    since = watch.since or now
    told_lately = watch.told_at is not None and now - watch.told_at < AGAIN_AFTER
    if now - since < TELL_AFTER or told_lately:
        return replace(watch, since=since), Word.NOTHING
    return Watch(since=since, told_at=now, owes=True), Word.TROUBLE


def trouble_message(broken: tuple[Broken, ...], host: str) -> tuple[str, str]:
    """Write what people are told when promises are not kept: a title and a body."""
    why = [f"- {one.why}" for one in broken]
    lines = (
        "incidentd cannot keep its promises: alerts may be taken late, and pages may not go out.", *why, "",
        f"Look at the log of incidentd on {host}, at its disk and its database; until it is well, watch Alertmanager.",
    )  # fmt: skip
    return f"incidentd cannot keep its promises: {broken[0].why}", "\n".join(lines)


def well_message(host: str) -> tuple[str, str]:
    """Write what people are told when all is well again."""
    return "incidentd is well again", f"incidentd on {host} keeps its promises again; what was late is being done."

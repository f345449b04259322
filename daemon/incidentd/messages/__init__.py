"""What messages say to people: the words about a page, filled into a template, harmless for where they go.

defaults    the templates that are shipped      templating  how a template is read and filled
escaping    strangers' words in chats           samples     facts that prove a template
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from incidentd.durations import about
from incidentd.messages.defaults import STYLES, TEMPLATES, Style
from incidentd.messages.escaping import chat_address, chat_words
from incidentd.messages.templating import TITLE_LIMIT, BadMessage, MessageTemplate, Values, read_message
from incidentd.oncall import ChannelKind, Person, Target
from incidentd.pages import Facts, Occasion, Page
from incidentd.text import count, instant, plain

__all__ = [
    "ANSWER", "DETAILS", "NAMED", "NAMED_IN_SHORT", "STYLES", "TEMPLATES", "TITLE_LIMIT", "BadMessage",
    "MessageTemplate", "Style", "Telling", "for_chat", "for_reader", "is_web_link", "read_message", "together", "write",
]  # fmt: skip

NAMED, NAMED_IN_SHORT = 20, 5
"""Of so many pages in one message the answer links are in it: twenty are a screen, five are what an SMS can carry."""
ANSWER = "I have it"
DETAILS = "Details"
"""The names of the two links that a message may have for itself."""
_ENDS = frozenset({Occasion.SELF_RESOLVED, Occasion.STOOD_DOWN})


@dataclass(frozen=True, slots=True, kw_only=True)
class Telling:
    """What one message about a page has to say, to whom, and when."""

    page: Page
    facts: Facts
    occasion: Occasion
    now: datetime
    person: Person | None = None
    """Who reads it, for the time zone."""
    target: Target | None = None
    """The level's."""
    said: str = ""
    """What somebody said about it."""
    copy: bool = False
    """For somebody who shadows."""


def write(
    telling: Telling, kind: ChannelKind, templates: Mapping[Style, MessageTemplate] = TEMPLATES
) -> tuple[str, str]:
    """Write a message about a page for a kind of channel: its title and its body, every stranger's value harmless."""
    style = STYLES[kind]
    return templates[style].fill(_values(telling, chat=style is Style.CHAT))


def for_chat(text: str) -> str:
    """Make words of ours that hold strangers' words harmless for a chat: the addresses in it stay addresses."""
    words = text.split(" ")
    return " ".join(
        "\n".join(chat_address(part) if is_web_link(part) else chat_words(part) for part in word.split("\n"))
        for word in words
    )


def together(
    first: tuple[str, str], others: Sequence[tuple[str, str]], *, beyond: Sequence[str] = (), short: bool = False,
    elsewhere: str = "",
) -> tuple[str, str]:  # fmt: skip
    """Put several messages into one: the first as it is, of each other one its title and what answers it.

    Those `beyond` are only named, in a `short` one counted; they are answered `elsewhere`.
    """
    if not others:
        return first
    title, body = first
    mark = f" (+{count(len(others) + len(beyond), 'page')})"
    lines = [f"- {of}" + (f" {address}" if address else "") for of, address in others]
    if beyond:
        names = "" if short else f": {', '.join(beyond)}"
        lines.append(f"- and {len(beyond)} more{names} {elsewhere}".rstrip())
    return plain(title, TITLE_LIMIT - len(mark)) + mark, "\n".join([body, "", "Also waiting for you:", *lines])


def is_web_link(address: str) -> bool:
    """Say whether a stranger's address may be shown as a link: http or https with a host, in one harmless line."""
    if plain(address, 2000) != address or any(character in address for character in ' <>"\\'):
        return False
    try:
        parts = urlsplit(address)
        return parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        return False


def _values(it: Telling, *, chat: bool) -> Values:
    """Gather every word that a template may name."""
    words, address = (chat_words, chat_address) if chat else (str, str)
    facts, page = it.facts, it.page
    links = [(name, address(url)) for name, url in facts.links if is_web_link(url)]
    before = page.paged if it.occasion not in (Occasion.FIRST, *_ENDS) else ()
    single = {
        "severity": plain(facts.severity, 20), "means": plain(facts.means),
        "how_bad": plain(facts.severity + (f": {facts.means}" if facts.means else "")),
        "lead": _lead(it), "what": plain(page.title), "subject": plain(page.subject),
        "page": page.key, "since": for_reader(facts.since, it.person),
        "ago": about(max(it.now - facts.since, timedelta(0))), "held": _held(facts, it.person),
        "why": "" if it.occasion in _ENDS else plain(facts.because),
        "why_you": "" if it.occasion in _ENDS else _why_you(it.target, copy=it.copy), "asked": _asked(it),
        "paged": plain(", ".join(before)), "said": plain(it.said),
        "before": "" if it.occasion in _ENDS else plain(facts.before),
    }  # fmt: skip
    first = dict(reversed(links))
    return Values(
        single={
            **{name: words(value) for name, value in single.items()},
            "answer": first.get(ANSWER, ""), "details": first.get(DETAILS, ""),
        },
        lists={
            "tried": tuple({"tried": words(plain(what))} for what in facts.tried),
            "link": tuple({"link": {"name": words(plain(name, 40)), "url": url}} for name, url in links),
        },
    )  # fmt: skip


def _lead(it: Telling) -> str:
    return ("Copy: " if it.copy else "") + _news(it.page, it.occasion, it.now)


def _news(page: Page, occasion: Occasion, now: datetime) -> str:
    match occasion:
        case Occasion.FIRST:
            return ""
        case Occasion.ESCALATION:
            return f"Unanswered for {about(now - page.started_at)}: "
        case Occasion.AGAIN if page.lapsed_by:
            return f"Still going on, {plain(page.lapsed_by, 30)} has it: "
        case Occasion.AGAIN:
            return "Still unanswered: "
        case Occasion.DECLARED:
            return "Declared: "
        case Occasion.SELF_RESOLVED:
            return "Resolved by itself: "
        case Occasion.STOOD_DOWN:
            return "Stood down: "


def _why_you(target: Target | None, *, copy: bool) -> str:
    if copy:
        return "you shadow whoever is on call"
    if target is None:
        return ""
    if target.on_call:
        return f"you are {plain(str(target))}"
    if target.team == "*":
        return "everybody is paged now"
    if target.team:
        return f"all of {plain(str(target))} is paged now"
    return "the escalation names you" if target.person else ""


def _asked(it: Telling) -> str:
    """Say what the reader is asked to do."""
    if it.occasion is Occasion.SELF_RESOLVED:
        return "Asked of you: nobody answered before it went away; please look when you can"
    if it.occasion is Occasion.STOOD_DOWN:
        return "Asked of you: nothing any more"
    if it.copy:
        return "Asked of you: nothing; read along, since an answer of yours would stop nothing"
    if it.page.lapsed_by:
        heard = f"nothing was heard of it for {about(it.page.renotify)}"
        return f"Asked of you: note how it goes and answer again; {heard}"
    until = it.page.counts_from + it.page.respond_within
    late = f"; that was {about(it.now - until)} ago, please answer now" if it.now > until else ""
    return f"Answer by: {for_reader(until, it.person)}{late}"


def _held(facts: Facts, person: Person | None) -> str:
    if facts.declares_at is None:
        return ""
    return f"declares at {for_reader(facts.declares_at, person)} unless there is progress"


def for_reader(at: datetime, person: Person | None) -> str:
    """Write an instant in UTC, and in the reader's zone beside it."""
    if person is None or person.time_zone == "UTC":
        return instant(at)
    return f"{instant(at)} ({at.astimezone(ZoneInfo(person.time_zone)):%a %H:%M} in {person.time_zone})"

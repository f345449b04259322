"""Every hostile string on every page of the console: it adds no element, no attribute and no address."""

from __future__ import annotations

from collections.abc import Sequence
from html.parser import HTMLParser
from typing import Any

from incidentd.store import Tx, chain
from incidentd.timeline import Actor, Draft
from tests.doors.hostile import BENIGN, EVERY
from tests.web.asking import Ask
from tests.web.small_house import SmallHouse, insert_hold, insert_page

BROWSER = {"Accept": "text/html"}


class Shape(HTMLParser):
    """The elements of a page with their attributes, in their order; numbers of our own are left out of them."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[Any] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep an element."""
        self.found.append((tag, [(name, (value or "").rstrip("0123456789")) for name, value in attrs]))

    def handle_comment(self, data: str) -> None:
        """Keep a comment; there is none of ours."""
        self.found.append(("comment", data))


def insert_one(tx: Tx, /, value: str) -> int:
    hold = insert_hold(tx, title=value, key=value[:100] or "-", reason=value, rule=value)
    insert_page(tx, hold.key, title=value)
    return hold.id


def insert_all(tx: Tx, /, values: Sequence[str]) -> int:
    """Put a hold in for each value, and another one whose timeline says all of them."""
    for value in values:
        insert_one(tx, value)
    hold = insert_hold(tx, key="timeline")
    for value in values:
        chain.append(tx, hold.key, Actor(name=value[:200], via="alertmanager"), [Draft("note", value)])
    return hold.id


async def shape_of(ask: Ask, path: str) -> list[Any]:
    return Shape((await ask("GET", path, headers=BROWSER)).text).found


_NOTHING_TO_SHOW: list[tuple[str, list[tuple[str, str | None]]]] = [("li", [("class", "soft")])] * 2
"""No alert of the hold names a place to look at, and nobody says what is silenced."""


async def test_no_hostile_string_is_more_than_text_on_a_page(house: SmallHouse, ask: Ask) -> None:
    usual = await shape_of(ask, f"/holds/{await house.store.write(insert_one, BENIGN)}")
    # a half of a character stands in no store: its words are made whole where bodies are read
    values = [value for value in EVERY if value.encode("utf-8", "replace").decode() == value]
    alone = [value for value in values if any(sign in value for sign in "<>&\"'")]
    number = await house.store.write(insert_all, values)
    for at, value in enumerate(values, start=2):
        if value in alone:
            assert await shape_of(ask, f"/holds/{at}") == usual, value
    entry = [tag for tag in usual if tag[0] in {"li", "time", "span", "p"}][-4:]
    told = await shape_of(ask, f"/holds/{number}")
    items = [tag for tag in told if tag[0] == "li"]
    assert len(items) == len(values) + 1 + len(_NOTHING_TO_SHOW)
    assert items[: len(_NOTHING_TO_SHOW)] == _NOTHING_TO_SHOW
    assert told[-4 * len(values) :] == entry * len(values)
    first = await shape_of(ask, "/")
    assert {tag for tag, _ in first} <= {
        "html", "head", "meta", "title", "link", "body", "header", "nav", "main", "a", "h2", "ul", "li", "p",
        "span", "time", "footer",
    }  # fmt: skip
    assert {name for _, attributes in first for name, _ in attributes} <= {
        "lang",
        "charset",
        "name",
        "content",
        "rel",
        "href",
        "class",
    }

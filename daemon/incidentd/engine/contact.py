"""Contact tests as units of work: send a test to every channel of a person, and take the word that it arrived."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from incidentd import contacts
from incidentd.contacts import Contact
from incidentd.engine import paging
from incidentd.errors import BadRequest, Conflict, NotFound
from incidentd.oncall import Channel, Person
from incidentd.settings import Settings
from incidentd.store import Tx, chain, jobs
from incidentd.store import contacts as kept
from incidentd.text import plain
from incidentd.timeline import SYSTEM, Actor, Draft

KIND = "contact"
"""The kind of the jobs that send test messages."""
AT_MOST_EVERY = timedelta(minutes=1)
"""One test of a person: who types it twice gets one message."""


def send_test(tx: Tx, settings: Settings, handle: str, *, actor: Actor, key: bytes) -> tuple[str, ...]:
    """Send a test message to every channel of a person; gives the channels' names.

    Raises NotFound for a stranger, BadRequest for somebody without a channel, Conflict when a test has just gone out.
    """
    person = settings.roster.people.get(handle)
    if person is None:
        raise NotFound(f"there is nobody called {plain(handle, 40)!r}; people stand in the documents of `kind: people`")
    if not person.channels:
        raise BadRequest(f"{handle} has no channel, so no page can arrive; add one under `channels` and reload")
    for channel in person.channels:
        _send(tx, person, channel, contacts.mark_of(key, channel))
    names = tuple(channel.name for channel in person.channels)
    text = f"{actor.name} sends a test to {handle}: {', '.join(names)}."
    chain.append(tx, SYSTEM, actor, [Draft("contact.tested", text, {"person": handle, "channels": list(names)})])
    return names


def _send(tx: Tx, person: Person, channel: Channel, mark: str) -> None:
    known = kept.confirmation(tx, channel.name)
    if known is not None and known.mark == mark and tx.now - known.sent_at < AT_MOST_EVERY:
        raise Conflict(f"a test was sent to {person.handle} less than a minute ago; look whether it arrived")
    kept.sent(tx, channel.name, mark)
    payload = {"person": person.handle, "channel": channel.name, "purpose": "update", "mark": mark}
    jobs.schedule(
        tx, queue=jobs.NOTIFY, kind=KIND, subject=SYSTEM, ukey=f"contact/{channel.name}/{tx.now.isoformat()}",
        due_at=tx.now, payload=payload, give_up_at=tx.now + paging.UNDELIVERABLE_AFTER,
    )  # fmt: skip


def message(person: Person, channel: str, link: str) -> tuple[str, str]:
    """Write a test message: its title and its body."""
    lines = (
        f"This is a test of {plain(channel, 60)}, one of the ways in which incidentd pages {plain(person.name, 60)}.",
        "Nothing is wrong. Press the link, so that it is known that this arrives:",
        "",
        f"It arrived: {link}",
    )
    return f"Test: pages reach you here ({plain(channel, 60)})", "\n".join(lines)


def confirm(tx: Tx, settings: Settings, subject: str, *, actor: Actor, key: bytes) -> str:
    """Take the word that a test arrived; gives the channel's name.

    `subject` is what the test's link is about. Raises Conflict when the channel has gone or has another address now.
    """
    channel = tested(settings, subject, key)
    known = kept.confirmation(tx, channel.name)
    if known is None or subject_of(channel.name, known.mark) != subject:
        raise Conflict(f"the test of {channel.name} is not known here any more; send another one")
    kept.confirmed(tx, channel.name)
    text = f"{actor.name} confirms that {channel.name} works."
    chain.append(tx, SYSTEM, actor, [Draft("contact.confirmed", text, {"channel": channel.name})])
    return channel.name


def tested(settings: Settings, subject: str, key: bytes) -> Channel:
    """Find the channel that a test's link is about, if it still has the address. Raises Conflict."""
    name = subject.rpartition("#")[0]
    channel = settings.all_channels().get(name)
    if channel is None or subject_of(name, contacts.mark_of(key, channel)) != subject:
        raise Conflict(f"{plain(name, 60)} has gone or has another address by now; run: incidentd oncall test PERSON")
    return channel


def subject_of(channel: str, mark: str) -> str:
    """Name what the link of a test is about: the channel at this one address."""
    return f"{channel}#{mark}"


def listed(tx: Tx, settings: Settings, *, key: bytes) -> tuple[Contact, ...]:
    """List every channel of every person, and whether it is known to work."""
    marks: Mapping[str, str] = {
        channel.name: contacts.mark_of(key, channel)
        for person in settings.roster.people.values()
        for channel in person.channels
    }
    return contacts.contacts(settings.roster, kept.confirmations(tx), marks, tx.now)

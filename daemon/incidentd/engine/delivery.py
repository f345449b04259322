"""Delivering: one claimed message is written from what is true now, sent, and what came of it is written down."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Protocol

from incidentd import holds, links, messages, pages
from incidentd.engine import outbox, waits
from incidentd.engine.fallback import since
from incidentd.errors import PermanentError, TemporaryError
from incidentd.messages import Telling
from incidentd.metrics import Metrics
from incidentd.oncall import ChannelKind
from incidentd.pages import Notification
from incidentd.settings import Settings
from incidentd.store import Store
from incidentd.store.jobs import Job
from incidentd.text import plain

_LINKS_WORK_FOR = timedelta(hours=24)


class Notifier(Protocol):
    """The door to people."""

    async def send(self, n: Notification) -> None:
        """Deliver one message. Raises TemporaryError and PermanentError."""


class Delivery:
    """Knows what to do with a message of the outbox, and what to write afterwards."""

    def __init__(
        self, store: Store, *, settings: Callable[[], Settings], notifier: Callable[[], Notifier],
        link_key: Callable[[], bytes], metrics: Metrics, now: Callable[[], datetime],
    ) -> None:  # fmt: skip
        self._store = store
        self._settings = settings
        self._notifier = notifier
        self._link_key = link_key
        self._metrics = metrics
        self._now = now

    async def act(self, job: Job) -> None:
        """Send one message, with those that wait for the same people."""
        others: Sequence[Job] = ()
        if job.kind == "page" and await self._store.read(outbox.has_company, job):  # a first look costs no commit
            gathered = await self._store.write(outbox.gather, job)
            if gathered is None:
                return
            job, others = gathered
        message = await self._message(job, others)
        if message is None:
            await self._store.write(outbox.not_needed, job, others)
            return
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            await self._notifier().send(message)
        except TemporaryError as error:
            await self._failed(job, others, message, error, took=loop.time() - began)
        except PermanentError as error:
            self._tried(message, "given_up", loop.time() - began)
            await self._refused(job, others, message, str(error))
        else:
            self._tried(message, "ok", loop.time() - began)
            self._metrics.notification_last_success_timestamp_seconds.labels(channel=message.channel).set(
                self._now().timestamp()
            )
            await self._store.write(outbox.sent, job, others, channel=message.channel, repeat=message.repeat)

    async def _failed(
        self, job: Job, others: Sequence[Job], message: Notification, error: TemporaryError, *, took: float
    ) -> None:
        if error.tried:
            self._tried(message, "failed", took)
        now = self._now()
        over = [it for it in (job, *others) if (end := outbox.gives_up_at(it)) is not None and now >= end]
        again = [it for it in (job, *others) if it not in over]
        await self._given_up(over, message, f"undeliverable, nobody took it for a day: {error}", aloud=True)
        at = waits.next_try(job, now, error)
        await self._store.write(outbox.put_back, self._settings(), again, at=at, error=error)

    async def _refused(self, job: Job, others: Sequence[Job], message: Notification, why: str) -> None:
        if others:
            await self._store.write(outbox.put_back_alone, (job, *others), why=why)
        else:
            await self._given_up([job], message, why)

    def _tried(self, message: Notification, result: str, took: float) -> None:
        self._metrics.notifications_total.labels(channel=message.channel, purpose=message.purpose, result=result).inc()
        self._metrics.notification_duration_seconds.labels(channel=message.channel).observe(took)

    async def _given_up(
        self, given_up: Sequence[Job], message: Notification, why: str, *, aloud: bool = False
    ) -> None:  # fmt: skip
        for job in given_up:
            await self._store.write(
                outbox.given_up, self._settings(), job, channel=message.channel, why=plain(why), aloud=aloud
            )

    # -- the words ---------------------------------------------------------------------------------------------------

    async def _message(self, job: Job, others: Sequence[Job]) -> Notification | None:
        """Write the words of a message from what is true now; None when nobody needs it any more."""
        if job.kind == "ask":
            return await self._ask(job)
        if job.kind != "page":
            return self._notification(job, (job.payload["title"], job.payload["body"]))
        settings = self._settings()
        told = [(it, known) for it in (job, *others) if (known := await self._known(settings, it)) is not None]
        if not told:
            return None
        (first, known), *rest = told
        more = [
            (self._written(settings, it, other)[0], dict(self._links(settings, it, other)).get(messages.ANSWER, ""))
            for it, other in rest
        ]
        words = messages.together(self._written(settings, first, known), more)
        notification = self._notification(first, words, plain_words=False)
        uncertain = any(_may_be_repeat(it) for it, _ in told)
        return replace(
            notification, page=known.page.key, also=tuple(it.ukey for it, _ in rest), repeat=uncertain,
            late_by=max(self._late_by(it) for it, _ in told),
        )  # fmt: skip

    async def _known(self, settings: Settings, job: Job) -> outbox.PageMessage | None:
        return await self._store.read(outbox.page_message, settings, job)

    def _written(self, settings: Settings, job: Job, known: outbox.PageMessage) -> tuple[str, str]:
        facts = known.with_links(self._links(settings, job, known))
        telling = Telling(
            page=known.page, facts=facts, occasion=known.occasion, now=self._now(), target=known.target,
            person=settings.roster.people.get(job.payload["person"]),
        )  # fmt: skip
        return messages.write(telling, settings.kind_of(job.payload["channel"]), settings.templates)

    def _links(self, settings: Settings, job: Job, known: outbox.PageMessage) -> list[tuple[str, str]]:
        base = settings.external_url
        place = "incidents" if known.page.subject.startswith("INC-") else "holds"
        found = [(messages.DETAILS, f"{base}/{place}/{known.page.subject}"), *known.links]
        person = job.payload["person"]
        if pages.needs_ack(known.page) and person and _may_hold_links(settings, job):
            # the nonce is the message's own name: a repeat carries the same link, and each link acts once
            token = links.make(
                self._link_key(), action="ack", subject=known.page.key, person=person, nonce=job.ukey,
                expires=known.page.started_at + _LINKS_WORK_FOR,
            )  # fmt: skip
            found.insert(0, (messages.ANSWER, f"{base}/a/{token}"))
        return found

    async def _ask(self, job: Job) -> Notification | None:
        """Write the words that ask somebody before a hold declares."""
        settings = self._settings()
        hold = await self._store.read(outbox.held, job)
        person = settings.roster.people.get(job.payload["person"])
        words = holds.ask_message(hold, person=person, url=settings.external_url, now=self._now())
        return None if words is None else self._notification(job, words)

    def _notification(self, job: Job, words: tuple[str, str], *, plain_words: bool = True) -> Notification:
        """Make a message of its words; plain ones are not written for a chat yet."""
        if plain_words and self._settings().kind_of(job.payload["channel"]) is ChannelKind.CHAT:
            words = (messages.for_chat(words[0]), messages.for_chat(words[1]))
        return Notification(
            key=job.ukey, channel=job.payload["channel"], purpose=job.payload["purpose"], title=words[0], body=words[1],
            repeat=_may_be_repeat(job), late_by=self._late_by(job), attempt=outbox.tries(job),
        )  # fmt: skip

    def _late_by(self, job: Job) -> timedelta:
        return max(self._now() - since(job), timedelta(0))


def _may_be_repeat(job: Job) -> bool:
    """Say whether a try before the one in hand may have reached somebody."""
    return outbox.may_be_repeat(replace(job, attempt=job.attempt - 1))


def _may_hold_links(settings: Settings, job: Job) -> bool:
    """Say whether a message may hold what answers the page: the log does only where there is nothing else to read."""
    if settings.kind_of(job.payload["channel"]) is not ChannelKind.LOG:
        return True
    return all(channel.kind is ChannelKind.LOG for channel in settings.all_channels().values())

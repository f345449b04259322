"""Delivering: one claimed message is written from what is true now, sent, and what came of it is written down."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Protocol

from incidentd import holds, messages
from incidentd.engine import (
    approving,
    attaching,
    communication,
    contact,
    handoff,
    handover,
    offers,
    outbox,
    questions,
    records,
    reporting,
    roles,
    waits,
)
from incidentd.engine.fallback import since
from incidentd.engine.joined import place_of
from incidentd.errors import NotFound, PermanentError, TemporaryError
from incidentd.handoff import Silence, report
from incidentd.messages import STYLES, Style, Telling
from incidentd.metrics import Metrics
from incidentd.oncall import ChannelKind
from incidentd.pages import Notification
from incidentd.settings import Settings
from incidentd.store import Store, jobs, things
from incidentd.store.jobs import Job
from incidentd.text import plain


class Notifier(Protocol):
    """The door to people."""

    async def send(self, n: Notification) -> None:
        """Deliver one message. Raises TemporaryError and PermanentError."""


class Delivery:
    """Knows what to do with a message of the outbox, and what to write afterwards."""

    def __init__(
        self, store: Store, *, settings: Callable[[], Settings], notifier: Callable[[], Notifier],
        link_key: Callable[[], bytes], silences: Callable[[], Awaitable[Sequence[Silence] | None]], metrics: Metrics,
        now: Callable[[], datetime],
    ) -> None:  # fmt: skip
        self._store = store
        self._settings = settings
        self._notifier = notifier
        self._link_key = link_key
        self._silences = silences
        self._metrics = metrics
        self._now = now

    async def act(self, job: Job) -> None:
        """Send one message, with those that wait for the same people."""
        others: Sequence[Job] = ()
        if job.kind == "page" and await self._store.read(
            outbox.has_company, self._settings(), job
        ):  # a first look costs no commit
            gathered = await self._store.write(outbox.gather, self._settings(), job)
            if gathered is None:
                return
            job, others = gathered
        message = await self._message(job, others)
        if message is None:
            await self._store.write(outbox.not_needed, job, others)
            return
        message = await self._with_pictures(job, message)
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            await self._notifier().send(message)
        except TemporaryError as error:
            await self._let_go(job, message, known_undone=not error.maybe_done)
            await self._failed(job, others, message, error, took=loop.time() - began)
        except PermanentError as error:
            await self._let_go(job, message)
            self._tried(message, "given_up", loop.time() - began)
            await self._refused(job, others, message, str(error))
        else:
            self._tried(message, "ok", loop.time() - began)
            self._delivered((job, *others), message)
            if job.kind == jobs.POST:
                await self._store.write(communication.sent, job, channel=message.channel, repeat=message.repeat)
            else:
                await self._store.write(
                    outbox.sent, job, others, channel=message.channel, repeat=message.repeat, title=message.title
                )

    async def _with_pictures(self, job: Job, message: Notification) -> Notification:
        """Give a message with the graphs that go with it; most have none, and that costs no commit."""
        if message.key != job.ukey or not attaching.may_show(self._settings(), job):
            return message
        due = await self._store.read(attaching.due, self._settings(), job)
        if due is None:
            return message
        return replace(message, pictures=await self._store.write(attaching.claim, job, due))

    async def _let_go(self, job: Job, message: Notification, *, known_undone: bool = True) -> None:
        if message.pictures and known_undone:
            await self._store.write(attaching.let_go, job)

    def _delivered(self, told: Sequence[Job], message: Notification) -> None:
        now = self._now()
        self._metrics.notification_last_success_timestamp_seconds.labels(channel=message.channel).set(now.timestamp())
        for it in told:
            late = max((now - since(it)).total_seconds(), 0)
            self._metrics.notification_lag_seconds.labels(purpose=message.purpose).observe(late)

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
            if job.kind == jobs.POST:
                await self._store.write(communication.given_up, job, channel=message.channel, why=plain(why))
                continue
            await self._store.write(
                outbox.given_up, self._settings(), job, channel=message.channel, why=plain(why), aloud=aloud
            )

    # -- the words ---------------------------------------------------------------------------------------------------

    async def _message(self, job: Job, others: Sequence[Job]) -> Notification | None:
        """Write the words of a message from what is true now; None when nobody needs it any more."""
        match job.kind:
            case "page":
                return await self._page(job, others)
            case "ask":
                return await self._ask(job)
            case questions.KIND:
                return await self._question(job)
            case approving.KIND:
                return await self._approval(job)
            case contact.KIND:
                return self._test(job)
            case _:
                return await self._word(job)

    async def _word(self, job: Job) -> Notification | None:
        """Write the words of a message that asks for no answer."""
        match job.kind:
            case handoff.KIND:
                return await self._report(job)
            case records.TASK:
                return await self._task(job)
            case roles.OFFERED:
                return await self._offer(job)
            case handover.KIND:
                return await self._handover(job)
            case jobs.POST:
                return await self._post(job)
            case reporting.KIND:
                words = await self._store.read(reporting.message, self._settings(), job.payload["span"])
                return self._notification(job, words)
            case _:
                return self._notification(job, (job.payload["title"], job.payload["body"]))

    async def _page(self, job: Job, others: Sequence[Job]) -> Notification | None:
        """Write the words about a page, and in short about those that go along."""
        settings = self._settings()
        told = [(it, known) for it in (job, *others) if (known := await self._known(settings, it)) is not None]
        if not told:
            return None
        (first, known), *rest = told
        short = STYLES[settings.kind_of(jobs.lane_of(first))] is Style.SHORT
        named = messages.NAMED_IN_SHORT if short else messages.NAMED
        more = [
            (self._written(settings, it, other)[0], dict(self._links(settings, it, other)).get(messages.ANSWER, ""))
            for it, other in rest[:named]
        ]
        words = messages.together(
            self._written(settings, first, known), more, beyond=[other.page.subject for _, other in rest[named:]],
            short=short, elsewhere=f"{settings.external_url}/",
        )  # fmt: skip
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
            person=settings.roster.people.get(job.payload["person"]), copy=bool(job.payload.get("copy")),
        )  # fmt: skip
        return messages.write(telling, settings.kind_of(job.payload["channel"]), settings.templates)

    def _links(self, settings: Settings, job: Job, known: outbox.PageMessage) -> list[tuple[str, str]]:
        base = settings.external_url
        found = [(messages.DETAILS, f"{base}/{place_of(known.page.subject)}"), *known.links]
        # whoever learns beside the one who is called has nothing to answer
        if job.payload.get("copy") or not _may_hold_links(settings, job):
            return found
        return [*offers.of_page(known.page, known.runs, self._reader(job)), *found]

    def _reader(self, job: Job) -> offers.Reader:
        return offers.Reader(
            key=self._link_key(), base=self._settings().external_url, person=job.payload["person"], message=job.ukey,
            made=job.created_at, now=self._now(),
        )  # fmt: skip

    async def _ask(self, job: Job) -> Notification | None:
        """Write the words that ask somebody before a hold declares."""
        settings = self._settings()
        hold = await self._store.read(outbox.held, job)
        person = settings.roster.people.get(job.payload["person"])
        words = holds.ask_message(hold, person=person, url=settings.external_url, now=self._now())
        if words is None:
            return None
        answers = "".join(f"\n{name}: {url}" for name, url in offers.of_ask(hold, self._reader(job)))
        return self._notification(job, (words[0], words[1] + answers))

    async def _question(self, job: Job) -> Notification | None:
        """Write the words of a question that a run asks."""
        run = await self._store.read(things.get_run, int(job.payload["run"]))
        key = job.payload["question"]
        words = questions.message(run, key, self._now(), self._settings().external_url)
        if words is None:
            return None
        may = _may_hold_links(self._settings(), job)
        link = f"\nOr here: {offers.of_question(run.key, key, self._reader(job))}" if may else ""
        return self._notification(job, (words[0], words[1] + link))

    async def _approval(self, job: Job) -> Notification | None:
        """Write the words that ask whoever leads an incident to let a run begin."""
        settings, run = self._settings(), int(job.payload["run"])
        found = await self._store.read(approving.message, settings, run, job.payload["person"])
        if found is None:
            return None
        may = _may_hold_links(settings, job)
        link = f"\nOr here: {offers.of_approval(found[0].key, self._reader(job))}" if may else ""
        return self._notification(job, (found[1][0], found[1][1] + link))

    async def _task(self, job: Job) -> Notification | None:
        """Write the words to whoever was given a task."""
        known = await self._store.read(records.known, job)
        if known is None:
            return None
        return self._notification(job, records.message(known, job.payload["why"], self._settings().external_url))

    async def _handover(self, job: Job) -> Notification | None:
        """Write the words to whoever is to take roles over."""
        known = await self._store.read(handover.known, job)
        if known is None:
            return None
        may = _may_hold_links(self._settings(), job)
        link = offers.of_handover(known.key, self._reader(job)) if may else ""
        return self._notification(job, handover.message(known, link))

    async def _offer(self, job: Job) -> Notification | None:
        """Write the words that ask somebody about a role, with the link to answer."""
        known = await self._store.read(roles.offer_message, job)
        if known is None:
            return None
        title, body = roles.message(known, self._settings().external_url)
        may = _may_hold_links(self._settings(), job)
        link = f"\nOr here: {offers.of_role(known.offer.key, self._reader(job))}" if may else ""
        return self._notification(job, (title, body + link))

    async def _post(self, job: Job) -> Notification | None:
        """Write the words to a channel that follows a hold or incident."""
        settings = self._settings()
        known = await self._store.read(communication.known, settings, job)
        if known is None:
            return None
        return self._notification(job, communication.message(known, settings, job, self._now()))

    def _test(self, job: Job) -> Notification | None:
        """Write the words of a contact test."""
        person, channel = self._settings().roster.people.get(job.payload["person"]), job.payload["channel"]
        if person is None:
            return None
        link = offers.of_test(contact.subject_of(channel, job.payload["mark"]), self._reader(job))
        return self._notification(job, contact.message(person, channel, link))

    async def _report(self, job: Job) -> Notification | None:
        """Write the words of a handoff report."""
        settings, at = self._settings(), datetime.fromisoformat(job.payload["at"])
        try:
            known = await self._store.read(handoff.known, settings, job.payload["schedule"], at, await self._silences())
        except NotFound:
            return None  # the configuration has the schedule no longer
        person = settings.roster.people.get(job.payload["person"])
        return self._notification(job, report(known, now=self._now(), person=person, url=settings.external_url))

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

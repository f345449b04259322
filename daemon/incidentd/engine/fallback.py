"""Where a page goes that its channel does not take: to another one as well, while the first is still tried."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from incidentd.engine import paging
from incidentd.engine.joined import place_of
from incidentd.oncall import ChannelKind
from incidentd.pages import Occasion
from incidentd.settings import Settings
from incidentd.store import Tx, jobs, together
from incidentd.store.jobs import Job

AFTER = timedelta(minutes=2)
"""How long a page waits for its channel before it goes to another one too."""
NEEDS_AN_ANSWER = frozenset({Occasion.FIRST, Occasion.ESCALATION, Occasion.AGAIN, Occasion.DECLARED})


def is_one(job: Job) -> bool:
    """Say whether a message went to a fallback."""
    return "instead_of" in job.payload


def in_words(job: Job) -> str:
    """Say on the timeline why it went where it went."""
    return f", in place of {job.payload['instead_of']}, which has not taken it" if is_one(job) else ""


def since(job: Job) -> datetime:
    """Say since when somebody was to be told what a message says."""
    text = job.payload.get("since")
    return job.created_at if text is None else datetime.fromisoformat(text)


def plan(tx: Tx, settings: Settings, job: Job, *, due_at: datetime) -> Job:
    """Have a page that its channel did not take go to another one at that time, unless it was taken by then.

    Gives the message as it has to be kept: a page falls back once.
    """
    if (
        job.kind != "page"
        or is_one(job)
        or job.payload.get("copy")
        or Occasion(job.payload["occasion"]) not in NEEDS_AN_ANSWER
    ):
        return job
    key = job.payload.get("fallback")
    if key is None:
        return _planned(tx, settings, job, due_at)
    waiting = jobs.live(tx, key) if key else None
    # one that was tried already waits as long as its own channel wants: two that fall back on each other would spin
    if waiting is not None and waiting.leased_by is None and not waiting.attempt and due_at < waiting.due_at:
        jobs.put_off(tx, waiting.id, due_at)
    return job


def not_needed(tx: Tx, job: Job) -> None:
    """Cancel the fallback of a message that was taken."""
    if job.payload.get("fallback"):
        jobs.cancel(tx, job.payload["fallback"])


def of_either(job: Job, others: Sequence[Job]) -> dict[str, Any]:
    """Give what a message keeps of the fallbacks of those that it stands for."""
    keys = [it.payload["fallback"] for it in (job, *others) if it.payload.get("fallback")]
    return {"fallback": keys[0]} if keys else {}


def say_aloud(tx: Tx, settings: Settings, job: Job, text: str) -> None:
    """Tell another channel that a page could not be delivered."""
    channel = next(_candidates(settings, job), None)
    if channel is None:
        return
    page = f"PAGE-{job.payload['page']}"
    paging.tell(
        tx, subject=job.subject, channel=channel, purpose="trouble", key=f"{job.ukey}/undeliverable",
        title=f"{page} is undeliverable: {jobs.lane_of(job)} took nothing for a day ({job.subject})",
        body=f"{text}\nAsk whether somebody has it.\n\n{settings.external_url}/{place_of(job.subject)}",
    )  # fmt: skip


def _planned(tx: Tx, settings: Settings, job: Job, due_at: datetime) -> Job:
    told = (it for it in _candidates(settings, job) if not together.has_told(tx, job, it, since(job)))
    channel = next(told, None)
    key = f"{job.ukey}/fallback" if channel is not None else ""
    if channel is not None:
        kept = {name: job.payload[name] for name in ("page", "occasion", "person", "purpose")}
        payload = {
            **kept, "channel": channel, "of_step": job.payload["step"], "instead_of": jobs.lane_of(job),
            "since": since(job).isoformat(),
        }  # fmt: skip
        jobs.schedule(
            tx, queue=jobs.NOTIFY, kind="page", subject=job.subject, ukey=key, due_at=max(due_at, tx.now),
            payload=payload, give_up_at=job.give_up_at,
        )  # fmt: skip
    return replace(job, payload={**job.payload, "fallback": key})


def _candidates(settings: Settings, job: Job) -> Iterator[str]:
    """Name the channels to turn to, the person's own wish first."""
    known = settings.all_channels()
    person = settings.roster.people.get(job.payload["person"])
    wished = [person.fallback_channel] if person else []
    own = [channel.name for channel in person.channels] if person else []
    for name in dict.fromkeys([*wished, settings.fallback_channel, *own]):
        if name != jobs.lane_of(job) and name in known and known[name].kind is not ChannelKind.LOG:
            yield name

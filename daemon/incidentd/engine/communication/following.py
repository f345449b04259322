"""Following: entries wait for those that come after them, and then each channel gets all that is new as one message.

What a channel was told is a number of the timeline, which moves in the transaction that puts the message into the
outbox. Of one hold or incident a channel has one message under way: while it does not get through, what happens
meanwhile becomes part of it, or waits until it arrived. So nothing is posted twice, nothing is left out, and a channel
that was away for hours gets one message.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from incidentd.communication import POSTED
from incidentd.engine import outbox, paging
from incidentd.holds import OPEN, Hold
from incidentd.incidents import ACTIVE, Incident
from incidentd.settings import Settings
from incidentd.store import Tx, chain, followers, jobs, subjects
from incidentd.store.followers import Follower
from incidentd.store.jobs import Job
from incidentd.timeline import INCIDENTD, Draft

PURPOSE = "timeline"
"""The purpose of the messages."""
DECLARED = "incident.declared"
"""The kind of the entry that an incident begins with."""


def begin(tx: Tx, settings: Settings, about: Incident | Hold) -> None:
    """Have the channels that the files name follow what has just begun; the first message goes out at once.

    Those that followed a hold follow the incident that it became.
    """
    goes_on = _take_over(tx, about) if isinstance(about, Incident) and about.hold_id is not None else False
    if goes_on or channels_of(settings, about):
        hurry(tx, settings, about.key)


def channels_of(settings: Settings, about: Incident | Hold) -> tuple[str, ...]:
    """Name the channels that the files give to a hold or incident: by the routes, of a hold also its teams' rooms."""
    found = settings.communication.channels_of(about)
    if isinstance(about, Hold) and settings.communication.holds:
        teams = (settings.roster.teams.get(name) for name in about.teams)
        found += tuple(team.channel for team in teams if team is not None and team.channel in settings.channels)
    return tuple(dict.fromkeys(found))


def will_follow(tx: Tx, settings: Settings, new: Incident, channel: str) -> bool:
    """Say whether a channel follows an incident that is being declared, and so learns of that without being told."""
    held = followers.of(tx, f"HOLD-{new.hold_id}").get(channel) if new.hold_id is not None else None
    follows = channel in channels_of(settings, new) or (held is not None and held.is_on)
    return follows and settings.communication.posts(DECLARED)


def _take_over(tx: Tx, incident: Incident) -> bool:
    """Let the channels of a hold go on with what it became; what they were not told yet is part of what they hear next.

    Says whether there are any.
    """
    hold = f"HOLD-{incident.hold_id}"
    rows = [it for it in followers.of(tx, hold).values() if it.is_on]
    under_way = followers.posts(tx, hold) if rows else {}
    for it in rows:
        seq, waiting = it.seq, under_way.get(it.channel)
        if waiting is not None and _waits_for_a_try(waiting):
            jobs.cancel(tx, waiting.ukey)  # or it would come after what it led to
            seq = int(waiting.payload["after"])
        followers.save(tx, replace(it, seq=seq, is_on=False, waits=False))
        followers.save(tx, Follower(subject=incident.key, channel=it.channel))
    return bool(rows)


def changed(tx: Tx, settings: Settings, after: Incident) -> None:
    """Take that an incident changed: other routes may match it, and what was over may have begun again or ended."""
    rows = followers.of(tx, after.key)
    if any(it.is_on for it in rows.values()) or channels_of(settings, after):
        wait = settings.communication.interval
        chain.follow(tx, after.key, wait)
        chain.told(tx, after.key, tx.now + wait)


def to_resume(tx: Tx, settings: Settings) -> list[str]:
    """Name what is open and goes to other channels than it went until now, by the files of this start or reload."""
    plan = settings.communication
    keys = [f"INC-{number}" for number in subjects.open_incidents(tx)]
    if plan.holds:
        keys += [f"HOLD-{number}" for number in subjects.open_holds(tx)]
    if not plan.routes and not any(team.channel for team in settings.roster.teams.values()):
        followed = followers.subjects(tx)
        keys = [key for key in keys if key in followed]
    return [key for key in keys if _differs(settings, read(tx, key), followers.of(tx, key))]


def _differs(settings: Settings, about: Incident | Hold | None, rows: Mapping[str, Follower]) -> bool:
    """Say whether the files send something elsewhere than it went, or a channel did not take something."""
    if about is None or is_over(about):
        return False
    new = any(name not in rows for name in channels_of(settings, about))
    return new or any(it.is_on and (it.refused > it.seq or it.channel not in settings.channels) for it in rows.values())


def resume(tx: Tx, settings: Settings, subject: str) -> None:
    """Look at a hold or incident again, since the files may send it elsewhere now."""
    about = read(tx, subject)
    rows = followers.of(tx, subject)
    if not _differs(settings, about, rows):
        return
    for it in rows.values():
        if it.refused:
            followers.save(tx, replace(it, refused=0))  # whoever starts anew may have mended it
    hurry(tx, settings, subject)


def hurry(tx: Tx, settings: Settings, subject: str) -> None:
    """Have a hold or incident followed from here on, and its channels told now."""
    chain.follow(tx, subject, settings.communication.interval)
    jobs.schedule(
        tx, queue=jobs.TIMER, kind=chain.FOLLOWED, subject=subject, ukey=f"{chain.FOLLOWED}:{subject}", due_at=tx.now
    )


def time_came(tx: Tx, settings: Settings, job: Job) -> None:
    """Tell each channel what is new, and follow no more what is over."""
    about = read(tx, job.subject)
    if about is None:
        return
    rows = followers.of(tx, about.key)
    if not is_over(about):
        for name in channels_of(settings, about):
            rows.setdefault(name, Follower(subject=about.key, channel=name))
    told = [it for it in rows.values() if it.is_on]
    if told:
        _tell_all(tx, settings, told)
    chain.follow(tx, about.key, None if is_over(about) or not told else settings.communication.interval)


def _tell_all(tx: Tx, settings: Settings, told: Sequence[Follower]) -> None:
    subject = told[0].subject
    kinds = chain.kinds_after(tx, subject, min(it.seq for it in told))
    under_way = followers.posts(tx, subject)
    for it in told:
        if it.channel not in settings.channels:
            followers.save(tx, replace(it, is_on=False))
            text = f"{it.channel} is told no more: the files have no such channel."
            chain.append(tx, subject, INCIDENTD, [Draft("channel.dropped", text, {"channel": it.channel})])
            continue
        after = _told(tx, settings, it, kinds, under_way.get(it.channel))
        if after != it:
            followers.save(tx, after)


def _told(
    tx: Tx, settings: Settings, it: Follower, kinds: Sequence[tuple[int, str]], under_way: Job | None
) -> Follower:  # fmt: skip
    """Put what is new into the outbox, and say up to where the channel is told."""
    to = max((seq for seq, _ in kinds), default=it.seq)
    known = max(it.seq, it.refused)
    if not any(seq > known and settings.communication.posts(kind) for seq, kind in kinds):
        return replace(it, seq=to) if known == it.seq > 0 else it
    if under_way is None:
        _post(tx, it, to)
        return replace(it, seq=to, waits=False)
    if _waits_for_a_try(under_way) and _says_more(tx, it, under_way, to):
        return replace(it, seq=to, waits=False)
    return replace(it, waits=True)


def _post(tx: Tx, it: Follower, to: int) -> None:
    jobs.schedule(
        tx, queue=jobs.NOTIFY, kind=jobs.POST, subject=it.subject, ukey=_key(it, it.seq, to), due_at=tx.now,
        payload={"channel": it.channel, "purpose": PURPOSE, "after": it.seq, "to": to},
        give_up_at=tx.now + paging.UNDELIVERABLE_AFTER,
    )  # fmt: skip


def _waits_for_a_try(job: Job) -> bool:
    """Say whether nobody has a message in hand, and no try may have arrived: it may still become another one."""
    return job.leased_by is None and not outbox.may_be_repeat(job)


def _says_more(tx: Tx, it: Follower, waiting: Job, to: int) -> bool:
    payload = {**waiting.payload, "to": to}
    return followers.widen(tx, waiting, ukey=_key(it, int(payload["after"]), to), payload=payload)


def _key(it: Follower, after: int, to: int) -> str:
    return f"{it.subject}/{it.channel}/{after + 1}-{to}"


# -- what became of a message ----------------------------------------------------------------------------------------


def sent(tx: Tx, job: Job, *, channel: str, repeat: bool) -> bool:
    """Note that a channel took a message, and let what waited for that follow; False when the lease was lost."""
    if not jobs.complete(tx, job):
        return False
    after, to = int(job.payload["after"]) + 1, int(job.payload["to"])
    again = ", perhaps for the second time" if repeat else ""
    text = f"Entries {after} to {to} were posted to {channel}{again}."
    chain.append(tx, job.subject, INCIDENTD, [Draft(POSTED, text, {"key": job.ukey, "channel": channel})])
    it = followers.of(tx, job.subject).get(channel)
    if it is not None and it.waits:
        followers.save(tx, replace(it, waits=False))
        chain.told(tx, job.subject, tx.now)
    return True


def given_up(tx: Tx, job: Job, *, channel: str, why: str) -> bool:
    """Say that a channel did not take a message; what it said is part of the next one, whenever there is one."""
    if not jobs.bury(tx, job, why):
        return False
    tx.count(lambda m: m.notifications_undeliverable_total.labels(channel=channel, purpose=PURPOSE).inc())
    text = f"Could not post to {channel}: {why}. It is told with what happens next."
    chain.append(tx, job.subject, INCIDENTD, [Draft("channel.failed", text, {"key": job.ukey, "channel": channel})])
    it = followers.of(tx, job.subject).get(channel)
    if it is not None:
        followers.save(tx, replace(it, seq=int(job.payload["after"]), refused=int(job.payload["to"]), waits=False))
        if it.waits:  # what came meanwhile is the next message, and perhaps nothing happens any more
            chain.told(tx, job.subject, tx.now)
    return True


def read(tx: Tx, subject: str) -> Incident | Hold | None:
    """Read what is followed; None when it is gone."""
    return subjects.find(tx, subject)


def is_over(about: Incident | Hold) -> bool:
    """Say whether a hold or incident has ended."""
    return about.state not in OPEN if isinstance(about, Hold) else about.status not in ACTIVE

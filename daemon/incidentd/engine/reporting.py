"""The report on practice as units of work: read and found in one read, and sent once a week to whoever is to have it.

The deadline is a row like any other: a restart forgets none, and one that passed meanwhile is kept late, once. The
words are found when the message is sent, on a thread of the store's readers: a report of a year takes a second.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from incidentd.durations import about, format_duration, parse_duration
from incidentd.engine import paging
from incidentd.errors import BadRequest
from incidentd.oncall import first_instant
from incidentd.report import Report, report, writing
from incidentd.report.limits import LONGEST, SHORTEST
from incidentd.settings import ReportSettings, Settings
from incidentd.store import Tx, chain, jobs, practice
from incidentd.store.jobs import Job
from incidentd.timeline import INCIDENTD, SYSTEM, Draft

KIND = "report"
"""The kind of the deadline, and of the messages."""
_KEY = "report:digest"
USUAL = timedelta(days=30)


def span(text: str) -> timedelta:
    """Read how far back a report looks. Raises BadRequest for what is no duration, too short or too long."""
    try:
        asked = parse_duration(text) if text else USUAL
    except ValueError as error:
        raise BadRequest(f"`since`: {error}") from None
    if not SHORTEST <= asked <= LONGEST:
        raise BadRequest(f"`since` is {about(SHORTEST)} to {about(LONGEST)} long: alerts are not kept for longer")
    return asked


def found(tx: Tx, settings: Settings, since: timedelta) -> Report:
    """Find what there is to improve in the time up to now."""
    return report(practice.history(tx, settings.roster, tx.now - since), settings)


# -- once a week -----------------------------------------------------------------------------------------------------


def begin(tx: Tx, settings: Settings) -> None:
    """Set the clock of the weekly message; one that ran out is left to be sent, late."""
    if not settings.report.channels:
        jobs.cancel(tx, _KEY)
        return
    job = jobs.live(tx, _KEY)
    if job is None or job.due_at > tx.now:
        _schedule(tx, settings.report)


def time_came(tx: Tx, settings: Settings, job: Job) -> None:
    """Put the message into the outbox, once for each channel, and wait for the next week."""
    week, channels = str(job.payload["at"]), settings.report.channels
    for channel in channels:
        payload = {"channel": channel, "purpose": "update", "span": format_duration(settings.report.since)}
        paging.put(tx, subject=SYSTEM, kind=KIND, key=f"report/{week}/{channel}", payload=payload)
    if channels:
        text = f"The report on practice goes to {', '.join(channels)}."
        chain.append(tx, SYSTEM, INCIDENTD, [Draft("report.sent", text, {"channels": list(channels)})])
        _schedule(tx, settings.report)


def _schedule(tx: Tx, wanted: ReportSettings) -> None:
    at = next_time(wanted, tx.now)
    payload = {"at": at.isoformat()}
    jobs.schedule(tx, queue=jobs.TIMER, kind=KIND, subject=SYSTEM, ukey=_KEY, due_at=at, payload=payload)


def next_time(wanted: ReportSettings, now: datetime) -> datetime:
    """Say when the message is due next, by the clock on the wall of its zone; always later than now."""
    zone = ZoneInfo(wanted.time_zone)
    today = now.astimezone(zone).date()
    days = (today + timedelta(days=ahead) for ahead in range(9))
    times = (first_instant(day, wanted.at, zone) for day in days if day.weekday() == wanted.weekday)
    return next(at for at in times if at > now)


def message(tx: Tx, settings: Settings, since: str) -> tuple[str, str]:
    """Write the words of the weekly message."""
    return writing.message(found(tx, settings, span(since)), settings.external_url)

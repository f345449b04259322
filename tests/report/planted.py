"""What is planted in the year, report by report: what has to be found, and what just is not enough."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from incidentd.actionitems import ItemState, ItemType
from incidentd.holds import Outcome
from incidentd.incidents import Incident, StandDown, Trigger
from incidentd.pages import Ending, Verdict
from incidentd.playbooks import RunState
from incidentd.report import Kind
from tests.report.year import ALERTS, INCIDENTS, NOW, SINCE, Trouble, Year, day, incident, minutes

Truth = tuple[Kind, str, tuple[str, ...]]
"""A finding: its report, what it is about, and which rules it meets."""
_NOTES = (
    "looked at the dashboard", "moved the archive", "asked the vendor", "emptied the spool", "grew the volume",
    "dropped the index", "paused the import", "rotated by hand",
)  # fmt: skip


def plant(year: Year) -> set[Truth]:
    """Write the whole year, and say what there is to find in it."""
    year.shifts()
    parts = (
        _automation, _toil, _precision, _by_itself, _nights, _fan_out, _flapping, _bare, _detection, _lead_time,
        _repeats, _known, _holds, _on_call, _playbooks, _effects, _rules,
    )  # fmt: skip
    truths = {truth for part in parts for truth in part(year)}
    _drills(year)
    _nothing(year)
    return truths


def _spread(number: int, first: int = 3, last: int = 360) -> list[datetime]:
    """Give the times of so many troubles, spread over the year, at noon."""
    return [day(first + (last - first) * n // max(number - 1, 1)) for n in range(number)]


def _automation(year: Year) -> Iterator[Truth]:
    for n, at in enumerate(_spread(40)):
        year.trouble(Trouble(alertname="QueueStuck", at=at, deeds=(f"restarted worker-{n}", "watched it")))
    # 21 of 40 begin alike; it pays only after more than a year; it came four times
    for n, at in enumerate(_spread(40)):
        first = "flushed the cache" if n < 21 else f"{_NOTES[n % 8]} {'again ' * (n // 8)}"
        year.trouble(Trouble(alertname="CacheCold", at=at, deeds=(first,)))
    for at in _spread(20):
        year.trouble(Trouble(alertname="SlotLeak", at=at, deeds=("dropped the slot",)))
    for at in _spread(4):
        year.trouble(Trouble(alertname="RareFix", at=at, lasts=minutes(300), deeds=("rebuilt the replica",)))
    yield Kind.AUTOMATE, "QueueStuck", ("same_first_step", "pays_within_a_year")


def _toil(year: Year) -> Iterator[Truth]:
    for name, number in (("DiskJuggling", 26), ("LogRotation", 24)):  # 4.3 and 3.9 hours in 30 days
        for n, at in enumerate(_spread(number)):
            year.trouble(Trouble(alertname=name, at=at, lasts=minutes(120), deeds=(_NOTES[n % 8],)))
    yield Kind.TOIL, "DiskJuggling", ("hours_a_month",)


def _precision(year: Year) -> Iterator[Truth]:
    yes, no = Verdict.ACTIONABLE, Verdict.FALSE_POSITIVE
    told = {"CpuHigh": (yes, yes, no, no, no), "MemHigh": (yes, yes, no, no), "LoadHigh": (no, no, no)}
    for name, verdicts in told.items():
        for verdict, at, note in zip(verdicts, _spread(len(verdicts)), _NOTES, strict=False):
            year.trouble(Trouble(alertname=name, at=at, verdict=verdict, deeds=(note,)))
    yield Kind.NOISY, "CpuHigh", ("precision",)


def _by_itself(year: Year) -> Iterator[Truth]:
    for name, alone in (("PodRestart", 4), ("PodPending", 3)):
        for n, at in enumerate(_spread(6)):
            if n < alone:
                year.trouble(
                    Trouble(alertname=name, at=at, lasts=minutes(4), acked=None, outcome=Outcome.SELF_RESOLVED)
                )
            else:
                year.trouble(Trouble(alertname=name, at=at, deeds=(_NOTES[n],)))
    yield Kind.NOISY, "PodRestart", ("self_resolved",)


def _nights(year: Year) -> Iterator[Truth]:
    for name, idle in (("CertSoon", 3), ("QuotaSoon", 2)):
        for n in range(idle):
            year.trouble(Trouble(alertname=name, at=day(40 + 60 * n, 23.5)))
        year.trouble(Trouble(alertname=name, at=day(300, 3), deeds=(_NOTES[0],)))
    yield Kind.NOISY, "CertSoon", ("night",)


def _fan_out(year: Year) -> Iterator[Truth]:
    for name, joined, number in (("ReplicaLag", 3, 5), ("ReplicaGone", 3, 6)):
        for n, at in enumerate(_spread(number)):
            ending = Ending.MERGED if n < joined else None
            year.trouble(Trouble(alertname=name, at=at, ending=ending, deeds=(_NOTES[n],)))
    yield Kind.NOISY, "ReplicaLag", ("fan_out",)


def _flapping(year: Year) -> Iterator[Truth]:
    for name, days in (("LinkFlap", 3), ("PortFlap", 2)):
        for n in range(9):
            times = 3 if n < days else 2
            for again in range(times):
                at = day(20 + 30 * n, 11) + minutes(45 * again)
                year.trouble(Trouble(alertname=name, at=at, lasts=minutes(10), deeds=(_NOTES[(n + again) % 8],)))
    yield Kind.NOISY, "LinkFlap", ("flapping",)


def _bare(year: Year) -> Iterator[Truth]:
    for name, number in (("NoRunbook", 2), ("NoRunbookOnce", 1), ("HasPlaybook", 3)):
        for n, at in enumerate(_spread(number)):
            year.trouble(Trouble(alertname=name, at=at, annotations={}, team="storage", deeds=(_NOTES[n],)))
    yield Kind.BARE, "NoRunbook", ("no_runbook", "no_playbook")


# -- incidents -------------------------------------------------------------------------------------------------------


def _declared(year: Year, name: str, at: datetime, service: str, **how: object) -> Incident:
    """Let a trouble be declared after five minutes, and nobody be called for it by its alert's name."""
    it = Trouble(
        alertname=name, at=at, lasts=minutes(95), service=service, declared=minutes(5), paged=False, decision="declare",
        held=False,
    )  # fmt: skip
    made = year.trouble(replace(it, decision="hold"), incident(it, **how))  # type: ignore[arg-type]
    assert made is not None
    return made


def _by_people(year: Year, service: str, at: datetime, fires_after: float | None) -> None:
    it = Trouble(alertname=f"{service.title()}Errors", at=at, service=service, declared=timedelta(0))
    keys = []
    if fires_after is not None:
        keys.append(year.fires(it, f"{at:%j}", at + minutes(fires_after), at + minutes(90)))
    what = incident(it, trigger=Trigger.MANUAL)
    year.declares(replace(what, cause=f"{_word(at)}"), keys)


def _word(at: datetime) -> str:
    """Give a cause that no other day has, without a digit."""
    return "cause " + "".join(chr(97 + int(digit)) for digit in f"{at:%j}")


def _detection(year: Year) -> Iterator[Truth]:
    for service, number, after in (
        ("payments", 2, None), ("search", 1, None), ("checkout", 2, 10.0), ("basket", 1, 10.0), ("login", 3, -5.0),
    ):  # fmt: skip
        for at in _spread(number):
            _by_people(year, service, at, after)
    for service, number, late in (("ledger", 2, 5.0), ("mail", 2, 4.9), ("chat", 1, 30.0)):
        for n, at in enumerate(_spread(number)):
            _declared(year, f"Late{service.title()}{n}", at, service, began=minutes(late))
    yield Kind.DETECTION, "payments", ("no_alert",)
    yield Kind.DETECTION, "checkout", ("people_first",)
    yield Kind.DETECTION, "ledger", ("late_alert",)


def _lead_time(year: Year) -> Iterator[Truth]:
    # sev2: 40 of the 40 + 5 + 1 + 10 minutes until it was mitigated; sev1: too few; sev4: exactly half of it
    for severity, number, answered, mended in (("sev2", 5, 40, 51), ("sev1", 4, 40, 51), ("sev4", 5, 16, 27)):
        for n, at in enumerate(_spread(number)):
            _declared(
                year, f"Slow{severity}{n}", at, f"slow-{severity}-{n}", severity=severity,
                acknowledged=minutes(answered), mitigated=minutes(mended),
            )  # fmt: skip
    yield Kind.LEAD_TIME, "sev2", ("acknowledge",)


def _family(year: Year, name: str, service: str, causes: Sequence[str], fixes: Sequence[str] = ()) -> list[Incident]:
    times = zip(causes, fixes or [""] * len(causes), _spread(len(causes)), strict=True)
    return [_declared(year, name, at, service, cause=cause, resolution=fix) for cause, fix, at in times]


def _repeats(year: Year) -> Iterator[Truth]:
    _family(year, "BrokenPipe", "feed", ["a full pipe"] * 3)
    _family(year, "BrokenPump", "feed", ["a full pump", "", "an empty pump"])  # 2 and 1
    _family(year, "BrokenValve", "feed", ["rust"] * 2)
    owed = _family(year, "LeakyPool", "pool", ["a leak"] * 2)
    year.item(owed[0], due=NOW.date() - timedelta(days=41))
    for name, due in (("LeakyTap", NOW.date()), ("LeakyRoof", None)):
        year.item(_family(year, name, "pool", ["a leak"] * 2)[0], due=due)
    for name, state in (("LeakyCup", ItemState.PROPOSED), ("LeakyJar", ItemState.DECLINED)):  # nobody promised it
        item = _family(year, name, "pool", ["a leak"] * 2)[0]
        year.item(item, due=NOW.date() - timedelta(days=41), state=state)
    last = _family(year, "LeakyBoat", "pool", ["a leak"] * 2)[1]
    year.item(last, due=NOW.date() - timedelta(days=41))  # it was promised after the last time
    yield Kind.REPEAT, "BrokenPipe (feed)", ("times",)
    yield Kind.REPEAT, "LeakyPool (pool)", ("overdue_item",)


def _known(year: Year) -> Iterator[Truth]:
    _family(year, "StaleLock", "locks", ["a lock"] * 3, ["Deleted lock 17.", "deleted lock 4", "Deleted lock 99"])
    _family(year, "StaleLease", "locks", ["a lease"] * 3, ["Deleted it", "Deleted it", "Waited"])
    _family(year, "StaleCache", "locks", ["a cache"] * 2, ["Flushed it"] * 2)
    yield Kind.KNOWN, "StaleLock (locks)", ("same_fix",)
    yield Kind.REPEAT, "StaleLock (locks)", ("times",)
    yield Kind.REPEAT, "StaleLease (locks)", ("times",)


# -- holds -----------------------------------------------------------------------------------------------------------


def _held(year: Year, rule: str, name: str, at: datetime, lasts: float) -> None:
    """Let a hold close by itself."""
    it = Trouble(alertname=name, at=at, lasts=minutes(lasts), rule=rule, paged=False, outcome=Outcome.SELF_RESOLVED)
    year.trouble(it)


def _held_and_declared(year: Year, it: Trouble, *, real: bool = True) -> None:
    """Let a hold be declared; one that was for nothing was stood down."""
    stood = None if real else StandDown.FALSE_POSITIVE
    year.trouble(it, incident(it, stand_down=stood, mitigated=it.lasts))


def _holds(year: Year) -> Iterator[Truth]:
    # what is real burns on, and what is not is over after 8 minutes: half of the wait is enough
    for n, at in enumerate(_spread(5)):
        it = Trouble(
            alertname="QueueLag", at=at, lasts=minutes(100), service=f"queue-{n}", rule="queue-lag", paged=False,
            declared=minutes(30),
        )  # fmt: skip
        _held_and_declared(year, it)
        _held(year, "queue-lag", "QueueLag", at + timedelta(hours=4), 8)
    # what is real grows at once, and what is not takes 25 minutes: five more minutes of waiting spare them
    for n, at in enumerate(_spread(6)):
        it = Trouble(
            alertname="BatchLag", at=at, lasts=minutes(24), service=f"batch-{n}", rule="batch-lag", paged=False,
            declared=minutes(20),
        )  # fmt: skip
        _held_and_declared(year, it, real=False)
    for n, at in enumerate(_spread(3)):
        it = Trouble(
            alertname="BatchLag", at=at + timedelta(hours=5), lasts=minutes(100), service=f"grown-{n}",
            rule="batch-lag", paged=False, declared=minutes(2), grows=minutes(2),
        )  # fmt: skip
        _held_and_declared(year, it)
    # any shorter wait would declare what is over by itself, and a longer one only declares later
    for n, at in enumerate(_spread(5)):
        it = Trouble(
            alertname="SteadyLag", at=at, lasts=minutes(100), service=f"steady-{n}", rule="steady-lag", paged=False,
            declared=minutes(30),
        )  # fmt: skip
        _held_and_declared(year, it)
        _held(year, "steady-lag", "SteadyLag", at + timedelta(hours=4), 26)
    yield Kind.HOLD, "queue-lag", ("sooner",)
    yield Kind.HOLD, "batch-lag", ("fewer_false",)


# -- on call ---------------------------------------------------------------------------------------------------------


def _called(year: Year, who: str, at: datetime) -> None:
    """Let somebody be called for something that is about no alert."""
    it = Trouble(alertname="", at=at, to=(who,))
    year.tx.now = at
    hold = year._hold(it, [])
    year.pages(it, hold.key)


def _on_call(year: Year) -> Iterator[Truth]:
    mondays = [at for n in range(0, 350) if (at := day(n, 9)).weekday() == 0]
    whose = {name: year.settings.roster.schedules[name].layers[0].people for name in ("busy", "owls", "brisk")}
    first = (mondays[0].date() - year.settings.roster.schedules["busy"].layers[0].start).days // 7

    def on(name: str, week: int) -> str:
        return whose[name][(first + week) % 2]

    for week in (10, 12):  # three in ten hours, in two shifts in a row of the same person
        for hours in (26, 30, 36):
            _called(year, on("busy", week), mondays[week] + timedelta(hours=hours))
    for night in (1, 2, 4):  # at three in the morning in Seoul
        _called(year, on("owls", 20), mondays[20] + timedelta(days=night, hours=9))
    # one shift over the budget; two in twelve hours; three in exactly that; two nights
    for hours in (2, 5, 8):
        _called(year, on("brisk", 10), mondays[10] + timedelta(hours=hours))
    for hours in (2, 5, 14, 26):
        _called(year, on("brisk", 11), mondays[11] + timedelta(hours=hours))
    for night in (1, 2):
        _called(year, on("brisk", 20), mondays[20] + timedelta(days=night, hours=18))
    yield Kind.ON_CALL, "busy", ("over_budget", "back_to_back")
    yield Kind.ON_CALL, "owls", ("sleep",)


# -- playbooks, action items, rules ----------------------------------------------------------------------------------


def _playbooks(year: Year) -> Iterator[Truth]:
    year.run("forgotten", NOW - timedelta(days=90))
    year.run("in-use", NOW - timedelta(days=89))
    year.run("has-one", NOW - timedelta(days=3))
    for name, failing in (("shaky", 2), ("solid", 1)):
        for n in range(10):
            state = RunState.VERIFY_FAILED if n >= 10 - failing else RunState.VERIFIED
            year.run(name, NOW - timedelta(days=60 - 5 * n), state)
    yield Kind.ROT, "forgotten", ("unused",)
    yield Kind.ROT, "never-run", ("unused",)
    yield Kind.ROT, "shaky", ("failing",)


def _effects(year: Year) -> Iterator[Truth]:
    for name, after, type_ in (
        ("FixedOnce", 31, ItemType.PREVENT), ("FixedSoon", 29, ItemType.REPAIR), ("SeenSooner", 31, ItemType.DETECT),
    ):  # fmt: skip
        first = _declared(year, name, day(50), "fixes", cause="wear")
        done = day(60)
        item = year.item(first, due=done.date(), done=done, type_=type_)
        _declared(year, name, done + timedelta(days=after), "fixes", cause="wear")
        if name == "FixedOnce":
            yield Kind.EFFECT, item.key, ("came_again",)
    held = _declared(year, "FixedForGood", day(50), "fixes", cause="wear")
    year.item(held, done=day(60))


def _rules(year: Year) -> Iterator[Truth]:
    for name, decision in (("OldNews", "record"), ("TodoList", "ticket"), ("Measured", "hold")):
        for n, at in enumerate(_spread(3)):
            it = Trouble(alertname=name, at=at, instance=f"o-{n}", decision=decision)
            year.fires(it, it.instance, at, at + minutes(5))
    yield Kind.RULES, "OldNews", ("record_to_ticket",)


# -- what must be in no finding ----------------------------------------------------------------------------------------


def _drills(year: Year) -> None:
    """Let there be drills that would be found if they were not drills."""
    for at in _spread(4):
        it = Trouble(alertname="DrillErrors", at=at, service="drills", declared=timedelta(0), to=("ana",))
        made = year.declares(replace(incident(it, trigger=Trigger.MANUAL), drill=True))
        for hours in (0, 1, 2):
            year.tx.now = at + timedelta(hours=hours)
            year.pages(replace(it, at=year.tx.now), made.key, drill=True)


def _nothing(year: Year) -> None:
    """Fill the year up with incidents that have nothing in common, and with alerts that call nobody."""
    number = 0
    while year.incidents < INCIDENTS:
        at = day(year.random.randrange(5, 355), 8) + minutes(year.random.randrange(600))
        _declared(year, f"Once{_word(at)}{number}", at, f"once-{number}", cause=f"{number}")
        number += 1
    while year.alerts < ALERTS:
        at = SINCE + timedelta(days=2) + minutes(year.random.randrange(60 * 24 * 360))
        it = Trouble(alertname=f"Info{number % 40}", at=at, instance=f"i-{number}", decision="record")
        year.fires(it, it.instance, at, at + minutes(year.random.randrange(1, 90)))
        number += 1

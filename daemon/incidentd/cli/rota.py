"""`incidentd oncall`: who has the pager and when, overrides and swaps, gaps and fairness."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

import click

from incidentd.cli.client import Daemon, asks, printed, segment
from incidentd.cli.looking import table
from incidentd.text import plain

_from = click.option("--from", "start", default="", help="From when; now if not said. 2026-12-24 is a day in UTC.")
_until = click.option("--until", "end", default="", help="Until when; eight weeks ahead if not said.")
_because = click.option("--because", default="", help="Why, for the timeline.")


@click.group()
def oncall() -> None:
    """Look at the schedules, and change who has the pager."""


@oncall.command()
@click.argument("schedule", required=False)
@asks()
def who(daemon: Daemon, schedule: str | None) -> None:
    """Say who is on call now, for every schedule or for one."""
    found = _those(daemon.get("/api/v1/oncall")["schedules"], schedule)
    rows = [
        (
            it["schedule"], it["person"] or ", ".join(p["handle"] for p in it["paged"]), it["until"] or "-",
            it["previous"] or "-", it["because"],
        )
        for it in found
    ]  # fmt: skip
    _shown(daemon, {"schedules": found}, ("SCHEDULE", "ON CALL", "UNTIL", "TURN BEFORE", "BECAUSE"), rows)


@oncall.command("next")
@click.argument("schedule")
@_from
@_until
@asks()
def upcoming(daemon: Daemon, schedule: str, start: str, end: str) -> None:
    """List the coming shifts of SCHEDULE, each to its own end."""
    path = f"/api/v1/oncall/schedules/{segment(schedule)}/shifts"
    found = daemon.get(path, **_times(start, end))
    rows = [(it["person"] or "(nobody)", it["from"], _end(it), it["because"]) for it in found["shifts"]]
    _shown(daemon, found, ("ON CALL", "FROM", "UNTIL", "BECAUSE"), rows)


@oncall.command()
@click.argument("person")
@_from
@_until
@asks()
def when(daemon: Daemon, person: str, start: str, end: str) -> None:
    """List when PERSON is on call, in every schedule."""
    found = daemon.get(f"/api/v1/oncall/people/{segment(person)}", **_times(start, end))
    rows = [(it["schedule"], it["from"], _end(it), it["because"]) for it in found["shifts"]]
    _shown(daemon, found, ("SCHEDULE", "FROM", "UNTIL", "BECAUSE"), rows, f"{person} is not on call in that time.")


@oncall.command()
@click.argument("schedule", required=False)
@_from
@_until
@asks()
def gaps(daemon: Daemon, schedule: str | None, start: str, end: str) -> None:
    """List when nobody is on call, so that only a fallback answers. Exit code 1 when there is such a time."""
    found = _those(daemon.get("/api/v1/oncall/gaps", **_times(start, end))["schedules"], schedule)
    rows = [
        (it["schedule"], gap["from"], gap["until"], it["fallback"] or "everybody") for it in found for gap in it["gaps"]
    ]
    _shown(daemon, {"schedules": found}, ("SCHEDULE", "FROM", "UNTIL", "WHO ANSWERS"), rows, "There is no gap.")
    if rows:
        raise SystemExit(1)


@oncall.command()
@click.argument("schedule", required=False)
@_from
@_until
@asks()
def fairness(daemon: Daemon, schedule: str | None, start: str, end: str) -> None:
    """Say what each person carried: time on call, nights, weekends and pages. The last quarter if not said."""
    found = daemon.get("/api/v1/oncall/fairness", **_times(start, end))
    its = _those(found["schedules"], schedule)
    rows = [
        (
            it["schedule"], load["person"], str(load["shifts"]), load["on_call"], load["nights"], load["weekends"],
            str(load["pages"]),
        )
        for it in its
        for load in it["people"]
    ]  # fmt: skip
    head = ("SCHEDULE", "PERSON", "SHIFTS", "ON CALL", "NIGHTS", "WEEKENDS", "PAGES")
    _shown(daemon, {**found, "schedules": its}, head, rows)


@oncall.command()
@asks()
def overrides(daemon: Daemon) -> None:
    """List the overrides and swaps that are not over."""
    found = daemon.get("/api/v1/oncall/overrides")
    rows = [
        (
            it["id"], it["swap"] or "-", it["state"], it["schedule"], it["person"], it["from"], it["until"], it["by"],
            plain(it["because"], 60),
        )
        for it in found["overrides"]
    ]  # fmt: skip
    head = ("ID", "SWAP", "STATE", "SCHEDULE", "PERSON", "FROM", "UNTIL", "BY", "BECAUSE")
    _shown(daemon, found, head, rows, "There are no overrides but those of the files.")


@oncall.command()
@click.argument("schedule")
@click.argument("person")
@click.option("--from", "start", required=True, help="2026-12-24 09:00 by the schedule's clock, or RFC 3339.")
@click.option("--until", "end", required=True, help="When it ends, written alike.")
@_because
@asks(acts=True)
def override(daemon: Daemon, schedule: str, person: str, *, start: str, end: str, because: str) -> None:
    """Give PERSON the pager of SCHEDULE for a while."""
    path = f"/api/v1/oncall/schedules/{segment(schedule)}/overrides"
    _made(daemon, daemon.post(path, person=person, because=because, **_times(start, end)))


@oncall.command()
@click.argument("schedule")
@click.option("--for", "length", default="", help="How long: 2h. To the end of the shift that runs if not said.")
@click.option("--person", default="", help="Who takes it, if it is not whoever acts.")
@_because
@asks(acts=True)
def take(daemon: Daemon, schedule: str, *, length: str, person: str, because: str) -> None:
    """Take the pager of SCHEDULE now."""
    path = f"/api/v1/oncall/schedules/{segment(schedule)}/take"
    _made(daemon, daemon.post(path, length=length, person=person, because=because))


@oncall.command()
@click.argument("schedule")
@click.argument("person")
@click.argument("other")
@click.option("--at", default="", help="A time in PERSON's shift; the next one if not said.")
@click.option("--with-at", default="", help="A time in OTHER's shift; the next one if not said.")
@_because
@asks(acts=True)
def swap(
    daemon: Daemon, schedule: str, person: str, other: str, *, at: str, with_at: str, because: str
) -> None:  # fmt: skip
    """Propose that PERSON and OTHER take each other's shift in SCHEDULE. It counts once the other one accepts."""
    path = f"/api/v1/oncall/schedules/{segment(schedule)}/swaps"
    asked = {"person": person, "with": other, "at": at, "with_at": with_at, "because": because}
    done = daemon.post(path, **asked)
    _made(daemon, done, f"\nthe other one accepts it with: incidentd oncall accept {done['id']}")


@oncall.command()
@click.argument("name", metavar="SWAP-5")
@asks(acts=True)
def accept(daemon: Daemon, name: str) -> None:
    """Accept a swap that somebody proposed to you."""
    _made(daemon, daemon.post(f"/api/v1/oncall/swaps/{segment(name)}/accept"))


@oncall.command()
@click.argument("name", metavar="OVR-5|SWAP-5")
@click.option("--reason", default="", help="Why, for the timeline.")
@asks(acts=True)
def withdraw(daemon: Daemon, name: str, *, reason: str) -> None:
    """Take an override or a swap back, of a swap both halves: by those whom it concerns, or an admin."""
    kind = "swaps" if name.upper().startswith("SWAP-") else "overrides"
    done = daemon.post(f"/api/v1/oncall/{kind}/{segment(name)}/withdraw", reason=reason)
    printed(daemon, done, f"{done['id']} of {done['schedule']} is withdrawn")


@oncall.command()
@click.argument("schedule")
@click.option("--now", "at_once", is_flag=True, required=True, help="Yes, change shifts that people were told of.")
@asks(acts=True)
def publish(daemon: Daemon, schedule: str, *, at_once: bool) -> None:
    """Let what the file of SCHEDULE says count now, instead of after the published shifts."""
    if not at_once:
        raise click.UsageError("give --now: published shifts are about to change")
    done = daemon.post(f"/api/v1/oncall/schedules/{segment(schedule)}/publish")
    printed(daemon, done, f"{done['schedule']} counts as its file has it; {done['published']} shifts published anew")


@oncall.command()
@click.option("--schedule", default="", help="Of whom: everybody in this schedule ...")
@click.option("--person", default="", help="... or one person in every schedule.")
@asks(acts=True)
def calendar(daemon: Daemon, *, schedule: str, person: str) -> None:
    """Make the address of a calendar feed. Whoever has the address can read it, for a year."""
    done = daemon.post("/api/v1/oncall/calendars", schedule=schedule, person=person)
    printed(daemon, done, done["url"])


def _end(shift: dict[str, Any]) -> str:
    return shift["until"] or "goes on"


def _times(start: str, end: str) -> dict[str, str]:
    return {"from": start, "until": end}


def _those(found: Sequence[dict[str, Any]], schedule: str | None) -> list[dict[str, Any]]:
    its = [it for it in found if schedule in (None, it["schedule"])]
    if schedule is not None and not its:
        raise click.ClickException(f"there is no schedule {schedule!r}")
    return its


def _shown(
    daemon: Daemon, found: Any, head: Sequence[str], rows: Iterable[Sequence[str]], nothing: str = ""
) -> None:  # fmt: skip
    if daemon.as_json:
        click.echo(json.dumps(found, indent=2, ensure_ascii=False))
    else:
        table(head, list(rows), nothing or "There are no schedules.")


def _made(daemon: Daemon, done: dict[str, Any], more: str = "") -> None:
    lines = [f"{done['id']} in {done['schedule']} is {done['state']}"]
    lines += [f"  {it['person']} from {it['from']} to {it['until']}" for it in done["overrides"]]
    lines += [
        f"  it wins over {it['override']}: {it['person']} from {it['from']} to {it['until']}"
        for it in done["conflicts"]
    ]
    lines += [f"  note: {plain(note)}" for note in done["notes"]]
    printed(daemon, done, "\n".join(lines) + more)

"""`incidentd oncall` against a daemon's front door: who and when, overrides and swaps, gaps and fairness."""

from __future__ import annotations

import json
from datetime import date, time, timedelta

import pytest

from incidentd.oncall import Hours, Layer, Person, Roster, Schedule
from incidentd.settings import Settings
from tests.cli.conftest import Type
from tests.web.small_house import SmallHouse

PEOPLE = ("ana", "ben", "cho", "dia", "eli", "fay")


@pytest.fixture(autouse=True)
def rota(house: SmallHouse) -> None:
    use(house)


def use(house: SmallHouse, *hours: Hours, people: tuple[str, ...] = PEOPLE) -> None:
    known = {one: Person(handle=one, name=one.title()) for one in PEOPLE}
    layer = Layer(
        name="primary", people=people, turn=timedelta(weeks=1), handoff_weekday=0, handoff_time=time(9),
        start=date(2026, 11, 23), hours=hours,
    )  # fmt: skip
    schedule = Schedule(name="payments", time_zone="Europe/Madrid", layers=(layer,))
    house.settings = Settings(roster=Roster(people=known, schedules={"payments": schedule}))


async def test_who_has_the_pager_and_who_had_it_before(typed: Type) -> None:
    head, row = (await typed("oncall", "who")).output.splitlines()
    assert head.split("  ")[0] == "SCHEDULE"
    assert row.split() == ["payments", "ana", "2026-11-30T08:00:00Z", "fay", "layer", "primary"]


async def test_the_coming_shifts_and_somebodys_own(typed: Type) -> None:
    done = await typed("oncall", "next", "payments", "--until", "2026-12-14")
    assert [line.split()[0] for line in done.output.splitlines()[1:]] == ["ana", "ben", "cho"]
    done = await typed("oncall", "when", "ben")
    assert done.output.splitlines()[1].split()[:3] == ["payments", "2026-11-30T08:00:00Z", "2026-12-07T08:00:00Z"]
    assert "nobody called 'gil'" in (await typed("oncall", "when", "gil")).stderr
    loads = json.loads((await typed("oncall", "fairness", "payments", "--json")).output)
    assert {one["person"] for one in loads["schedules"][0]["people"]} >= {"ana"}


async def test_the_last_shift_of_the_list_ends_when_it_ends_or_goes_on(house: SmallHouse, typed: Type) -> None:
    last = (await typed("oncall", "next", "payments")).output.splitlines()[-1]
    assert last.split()[:3] == ["cho", "2027-01-18T08:00:00Z", "2027-01-25T08:00:00Z"]
    [_, last] = (await typed("oncall", "when", "cho", "--until", "2026-12-08")).output.splitlines()
    assert last.split()[:3] == ["payments", "2026-12-07T08:00:00Z", "2026-12-14T08:00:00Z"]
    use(house, people=("ana",))
    for words in (("next", "payments"), ("when", "ana")):
        [_, last] = (await typed("oncall", *words)).output.splitlines()
        assert "  goes on  " in last


async def test_an_override_is_made_and_withdrawn(typed: Type) -> None:
    words = ("oncall", "override", "payments", "eli", "--from", "2026-12-24 09:00", "--until", "2026-12-27 09:00")
    done = await typed(*words, "--because", "travel", "--by", "ana")
    assert done.output.splitlines() == [
        "OVR-1 in payments is active", "  eli from 2026-12-24T08:00:00Z to 2026-12-27T08:00:00Z",
    ]  # fmt: skip
    again = await typed(*words, "--by", "ben")
    assert "  it wins over OVR-1: eli from 2026-12-24T08:00:00Z" in again.output
    done = await typed("oncall", "withdraw", "OVR-1", "--by", "eli")
    assert done.output == "OVR-1 of payments is withdrawn\n"
    assert "there is nobody called that" in (await typed(*words, "--by", "gil")).stderr
    assert [line.split()[2] for line in (await typed("oncall", "overrides")).output.splitlines()[1:]] == [
        "withdrawn", "active",
    ]  # fmt: skip


async def test_a_swap_waits_for_the_other_one(typed: Type) -> None:
    done = await typed("oncall", "swap", "payments", "ana", "ben", "--by", "ana")
    assert "SWAP-1 in payments is proposed" in done.output
    assert "incidentd oncall accept SWAP-1" in done.output
    assert "SWAP-1 in payments is active" in (await typed("oncall", "accept", "SWAP-1", "--by", "ben")).output
    assert (await typed("oncall", "who")).output.splitlines()[1].split()[1] == "ben"
    done = await typed("oncall", "withdraw", "swap-1", "--by", "ben")
    assert done.output == "SWAP-1 of payments is withdrawn\n"


async def test_a_swap_of_a_part_of_a_shift_says_so(typed: Type) -> None:
    words = ("oncall", "override", "payments", "eli", "--from", "2026-12-01 09:00", "--until", "2026-12-01 10:00")
    await typed(*words, "--by", "ben")
    refused = await typed("oncall", "swap", "payments", "ana", "ben", "--by", "ana")
    assert (refused.exit_code, "which part is meant: 2026-11-30 08:00:00 UTC to" in refused.stderr) == (1, True)
    done = await typed("oncall", "swap", "payments", "ana", "ben", "--with-at", "2026-12-02", "--by", "ana")
    assert "  ana from 2026-12-01T09:00:00Z to 2026-12-07T08:00:00Z" in done.output
    assert "  note: ben has only a part of the shift 2026-11-30 08:00:00 UTC to 2026-12-07" in done.output


async def test_the_pager_is_taken_and_the_file_published_at_once(typed: Type) -> None:
    assert (
        "cho from 2026-11-24T14:07:00Z"
        in (await typed("oncall", "take", "payments", "--for", "2h", "--by", "cho")).output
    )
    assert (await typed("oncall", "publish", "payments")).exit_code == 2
    assert "5 shifts published anew" in (await typed("oncall", "publish", "payments", "--now")).output


async def test_gaps_are_an_exit_code_for_scripts(house: SmallHouse, typed: Type) -> None:
    done = await typed("oncall", "gaps")
    assert (done.exit_code, done.output) == (0, "There is no gap.\n")
    use(house, Hours(days=(0, 1, 2, 3, 4), start=time(8), end=time(20)))
    done = await typed("oncall", "gaps", "payments")
    assert done.exit_code == 1
    assert "everybody" in done.output.splitlines()[1]


async def test_the_address_of_a_calendar_is_all_that_is_printed(typed: Type) -> None:
    done = await typed("oncall", "calendar", "--person", "ana")
    assert done.output.startswith("http://127.0.0.1:9720/calendar/v1.")
    assert done.output.count("\n") == 1


async def test_a_report_that_is_asked_for_says_that_it_is_a_preview(house: SmallHouse, typed: Type) -> None:
    done = await typed("oncall", "report", "payments")
    title, _, first, second = done.output.splitlines()[:4]
    assert title == "Preview of the handoff of payments: ana to ben, nothing open"
    assert first.startswith("This is a preview, as if the pager were handed on now")
    assert second == "ana has the pager of payments; ben has it next, from 2026-11-30 08:00:00 UTC."
    use(house, people=("ana",))
    found = json.loads((await typed("oncall", "report", "payments", "--json")).output)
    assert (found["preview"], found["next_at"], found["coming"]) == (True, None, "")

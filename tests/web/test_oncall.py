"""The on-call part of the API: who and when, overrides, swaps, reports, and calendars that subscribe."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, time, timedelta
from typing import Any

import icalendar
import pytest

from incidentd.oncall import Hours, Layer, Person, Roster, Schedule, Shadow, Target
from incidentd.settings import Settings
from incidentd.store import chain
from incidentd.timeline import SYSTEM
from tests.web.asking import Answer, Ask
from tests.web.small_house import NOW, SmallHouse, bearer, insert_page

PEOPLE = ("ana", "ben", "cho", "dia", "eli", "fay")
PAYMENTS = "/api/v1/oncall/schedules/payments"


def schedule(**more: Any) -> Schedule:
    layer = Layer(
        name="primary", people=PEOPLE, turn=timedelta(weeks=1), handoff_weekday=0, handoff_time=time(9),
        start=date(2026, 11, 23),
    )  # fmt: skip
    return Schedule(name="payments", time_zone="Europe/Madrid", **{"layers": (layer,), **more})


@pytest.fixture(autouse=True)
def rota(house: SmallHouse) -> None:
    use(house, schedule())


def use(house: SmallHouse, *schedules: Schedule) -> None:
    people = {one: Person(handle=one, name=one.title(), time_zone="Europe/Madrid") for one in PEOPLE}
    house.settings = Settings(roster=Roster(people=people, schedules={one.name: one for one in schedules}))


async def post(ask: Ask, path: str, by: str = "ana", **fields: Any) -> Answer:
    return await ask("POST", path, json={**fields, "by": by})


async def test_who_is_on_call_comes_with_the_turn_before_and_the_shadows(house: SmallHouse, ask: Ask) -> None:
    shadow = Shadow(person="eli", start=NOW - timedelta(days=1), end=NOW + timedelta(days=1))
    use(house, schedule(shadows=(shadow,)))
    [found] = (await ask("GET", "/api/v1/oncall")).json["schedules"]
    assert (found["person"], found["previous"], found["because"]) == ("ana", "fay", "layer primary")
    assert found["until"] == "2026-11-30T08:00:00Z"
    assert found["shadows"] == [{"person": "eli", "reverse": False}]
    assert found["paged"] == [{"handle": "ana", "name": "Ana"}]


async def test_shifts_are_listed_for_a_schedule_and_for_a_person(ask: Ask) -> None:
    shifts = (await ask("GET", f"{PAYMENTS}/shifts?from=2026-11-30&until=2026-12-10")).json["shifts"]
    assert [(one["person"], one["from"], one["until"]) for one in shifts] == [
        ("ana", "2026-11-30T00:00:00Z", "2026-11-30T08:00:00Z"),
        ("ben", "2026-11-30T08:00:00Z", "2026-12-07T08:00:00Z"),
        ("cho", "2026-12-07T08:00:00Z", "2026-12-14T08:00:00Z"),
    ]
    when = (await ask("GET", "/api/v1/oncall/people/ben")).json["shifts"]
    assert [(one["schedule"], one["from"]) for one in when] == [
        ("payments", "2026-11-30T08:00:00Z"), ("payments", "2027-01-11T08:00:00Z"),
    ]  # fmt: skip


async def test_a_shift_that_begins_before_the_horizon_has_its_true_end_and_one_without_an_end_says_so(
    house: SmallHouse, ask: Ask
) -> None:
    for path in (f"{PAYMENTS}/shifts", "/api/v1/oncall/people/cho"):
        last = (await ask("GET", path)).json["shifts"][-1]
        assert (last["from"], last["until"]) == ("2027-01-18T08:00:00Z", "2027-01-25T08:00:00Z")
    override = {"from": "2027-01-25 09:00", "until": "2027-01-25 12:00", "person": "eli"}
    assert (await post(ask, f"{PAYMENTS}/overrides", **override)).status == 201
    alone = replace(schedule().layers[0], people=("cho",))
    use(house, schedule(layers=(alone,)))
    found = (await ask("GET", "/api/v1/oncall/people/cho?until=2027-01-20")).json["shifts"]
    assert [one["until"] for one in found] == ["2027-01-25T08:00:00Z"]
    found = (await ask("GET", "/api/v1/oncall/people/cho?until=2027-01-26")).json["shifts"]
    assert [one["until"] for one in found] == ["2027-01-25T08:00:00Z", None]


@pytest.mark.parametrize(
    ("path", "status", "words"),
    [
        ("/api/v1/oncall/schedules/nothere/shifts", 404, "there are payments"),
        ("/api/v1/oncall/people/nobody", 404, "there is nobody called 'nobody'"),
        (f"{PAYMENTS}/shifts?from=yesterday", 400, "`from` is no time"),
        (f"{PAYMENTS}/shifts?from=2026-11-30&until=2026-11-29", 400, "`until` is after `from`"),
        (f"{PAYMENTS}/shifts?from=2026-11-30&until=2029-11-29", 400, "at most 400 days"),
        ("/api/v1/oncall/gaps?weeks=3", 400, "there is no parameter 'weeks' here"),
        ("/api/v1/oncall/schedules/nothere/calendar.ics", 404, "there are payments"),
    ],
)
@pytest.mark.slow
async def test_what_is_asked_wrongly_is_answered_with_what_to_write(
    ask: Ask, path: str, status: int, words: str
) -> None:
    answer = await ask("GET", path)
    assert answer.status == status
    assert words in answer.error


@pytest.mark.parametrize(
    ("start", "end"), [("9999-12-01", "9999-12-30"), ("0001-01-02", "0001-02-01"), ("1969-12-31", "1970-02-01")]
)
async def test_a_time_that_nobody_means_is_refused_wherever_it_is_asked_about(ask: Ask, start: str, end: str) -> None:
    for path in ("/api/v1/oncall/gaps", "/api/v1/oncall/fairness", f"{PAYMENTS}/shifts", "/api/v1/oncall/people/ana"):
        answer = await ask("GET", f"{path}?from={start}&until={end}")
        assert (answer.status, "`from` is a time from 1970 to 8999" in answer.text) == (400, True), answer.text
    for key, path, fields in (
        ("at", "swaps", {"person": "ana", "with": "ben", "at": start}),
        ("with_at", "swaps", {"person": "ana", "with": "ben", "with_at": start}),
        ("from", "overrides", {"person": "eli", "from": start, "until": end}),
    ):
        answer = await post(ask, f"{PAYMENTS}/{path}", **fields)
        assert (answer.status, f"`{key}` is a time from 1970 to 8999" in answer.text) == (400, True), answer.text


async def test_gaps_name_who_answers_instead(house: SmallHouse, ask: Ask) -> None:
    assert (await ask("GET", "/api/v1/oncall/gaps")).json["schedules"][0]["gaps"] == []
    office = replace(schedule().layers[0], hours=(Hours(days=(0, 1, 2, 3, 4), start=time(8), end=time(20)),))
    use(house, schedule(layers=(office,), fallback=Target(person="fay")))
    [found] = (await ask("GET", "/api/v1/oncall/gaps?from=2026-11-27&until=2026-11-30")).json["schedules"]
    assert found["fallback"] == "fay"
    assert found["gaps"][-1] == {"from": "2026-11-27T19:00:00Z", "until": "2026-11-30T00:00:00Z"}


async def test_fairness_tells_hours_nights_weekends_and_pages(house: SmallHouse, ask: Ask) -> None:
    await house.store.write(insert_page, "INC-1")
    path = "/api/v1/oncall/fairness?from=2026-11-23T08:00:00Z&until=2026-12-07T08:00:00Z"
    [found] = (await ask("GET", path)).json["schedules"]
    assert [one["person"] for one in found["people"]] == ["ana", "ben"]
    assert found["people"][0] == {
        "person": "ana", "shifts": 1, "on_call": "7d", "nights": "2d22h", "weekends": "2d", "pages": 1,
    }  # fmt: skip


async def test_an_override_is_made_shown_and_withdrawn(house: SmallHouse, ask: Ask) -> None:
    fields = {"person": "eli", "from": "2026-12-24 09:00", "until": "2026-12-24T12:00:00+00:00", "because": "travel"}
    made = await post(ask, f"{PAYMENTS}/overrides", **fields)
    assert (made.status, made.json["id"], made.json["state"]) == (201, "OVR-1", "active")
    assert made.json["overrides"][0]["from"] == "2026-12-24T08:00:00Z"
    again = await post(ask, f"{PAYMENTS}/overrides", by="ben", **{**fields, "person": "fay"})
    assert [one["override"] for one in again.json["conflicts"]] == ["OVR-1"]

    listed = (await ask("GET", "/api/v1/oncall/overrides")).json["overrides"]
    assert [(one["id"], one["by"], one["because"], one["state"]) for one in listed] == [
        ("OVR-1", "ana", "travel", "active"), ("OVR-2", "ben", "travel", "active"),
    ]  # fmt: skip
    refused = await post(ask, "/api/v1/oncall/overrides/OVR-2/withdraw", by="cho")
    assert (refused.status, "concerns ben, fay, eli, and you are cho" in refused.error) == (403, True)
    assert (await post(ask, "/api/v1/oncall/overrides/OVR-2/withdraw", by="ben", reason="no")).status == 200
    when = (await ask("GET", "/api/v1/oncall/people/eli")).json["shifts"]
    assert [(one["from"], one["until"]) for one in when if one["because"] == "override (travel)"] == [
        ("2026-12-24T08:00:00Z", "2026-12-24T12:00:00Z")
    ]


async def test_an_admin_withdraws_what_concerns_others_and_under_their_own_name(house: SmallHouse, ask: Ask) -> None:
    times = {"from": "2026-12-24 09:00", "until": "2026-12-24 12:00"}
    assert (await post(ask, f"{PAYMENTS}/overrides", person="eli", **times)).status == 201
    assert (await post(ask, f"{PAYMENTS}/swaps", person="ana", **{"with": "ben"})).json["id"] == "SWAP-2"
    nobody = await post(ask, f"{PAYMENTS}/overrides", by="bne", person="eli", **times)
    assert (nobody.status, "nobody called that; did you mean ben?" in nobody.error) == (400, True)
    for path, fields in ((f"{PAYMENTS}/take", {"person": "eli"}), ("/api/v1/oncall/overrides/1/withdraw", {})):
        assert "nobody called that; say who acts" in (await post(ask, path, by="root", **fields)).error

    tokens = {scope: await house.token(scope) for scope in ("responder", "admin")}
    for path in ("/api/v1/oncall/overrides/OVR-1/withdraw", "/api/v1/oncall/swaps/SWAP-2/withdraw"):
        assert [(await ask("POST", path, headers=bearer(tokens[who]))).status for who in tokens] == [403, 200]


async def test_the_pager_is_taken_now(ask: Ask) -> None:
    made = await post(ask, f"{PAYMENTS}/take", by="cho", length="2h")
    assert (made.status, made.json["overrides"][0]["until"]) == (201, "2026-11-24T16:07:00Z")
    assert (await ask("GET", "/api/v1/oncall")).json["schedules"][0]["person"] == "cho"
    wrong = await post(ask, f"{PAYMENTS}/take", by="cho", length="two hours")
    assert (wrong.status, wrong.error.partition(":")[0]) == (400, "`length`")


async def test_a_swap_is_proposed_by_one_and_accepted_by_the_other(ask: Ask) -> None:
    fields = {"person": "ana", "with": "ben", "at": "2027-01-04 12:00"}
    made = await post(ask, f"{PAYMENTS}/swaps", **fields)
    assert (made.status, made.json["id"], made.json["state"]) == (201, "SWAP-1", "proposed")
    refused = await post(ask, "/api/v1/oncall/swaps/SWAP-1/accept", by="cho")
    assert (refused.status, "for ben to accept" in refused.error) == (409, True)
    done = await post(ask, "/api/v1/oncall/swaps/1/accept", by="ben")
    assert (done.status, done.json["state"]) == (200, "active")
    shifts = (await ask("GET", f"{PAYMENTS}/shifts?from=2026-12-01&until=2027-01-06")).json["shifts"]
    assert [one["person"] for one in shifts] == ["ana", "cho", "dia", "eli", "fay", "ben"]


async def test_a_body_with_other_fields_is_told_the_right_ones(ask: Ask) -> None:
    wrong = await post(ask, f"{PAYMENTS}/overrides", person="eli", start="2026-12-24 09:00", end="x")
    assert wrong.status == 400
    assert "person, from, until, because, by" in wrong.error


async def test_publishing_anew_takes_a_commander(house: SmallHouse, ask: Ask) -> None:
    tokens = {scope: await house.token(scope) for scope in ("responder", "commander")}
    refused = await ask("POST", f"{PAYMENTS}/publish", headers=bearer(tokens["responder"]))
    assert refused.status == 403
    done = await ask("POST", f"{PAYMENTS}/publish", headers=bearer(tokens["commander"]))
    assert done.json == {"schedule": "payments", "published": 5}


# --- calendars ------------------------------------------------------------------------------------------------------


def events(body: bytes) -> list[Any]:
    return list(icalendar.Calendar.from_ical(body).walk("VEVENT"))


async def test_a_calendar_has_every_shift_of_a_schedule_and_says_which_are_published(ask: Ask) -> None:
    await post(ask, f"{PAYMENTS}/publish")
    await post(ask, f"{PAYMENTS}/overrides", person="eli", **{"from": "2026-12-24 09:00", "until": "2026-12-24 12:00"})
    answer = await ask("GET", f"{PAYMENTS}/calendar.ics")
    assert answer.headers["Content-Type"] == "text/calendar; charset=utf-8"
    found = events(answer.body)
    first, second = [one for one in found if one.end.isoformat() > "2026-11-24"][:2]
    assert str(first["summary"]) == "On call for payments: Ana"
    assert (second.start.isoformat(), second.end.isoformat()) == (
        "2026-11-30T08:00:00+00:00", "2026-12-07T08:00:00+00:00",
    )  # fmt: skip
    assert [one.start for one in found[1:]] == [one.end for one in found[:-1]]
    assert len({str(one["uid"]) for one in found}) == len(found)
    assert {str(one["status"]) for one in found if one.start.isoformat() < "2026-12-28"} == {"CONFIRMED"}
    assert {str(one["status"]) for one in found if one.start.isoformat() >= "2026-12-28"} == {"TENTATIVE"}
    assert "Eli" in {str(one["summary"]).split()[-1] for one in found if one.start.isoformat().startswith("2026-12-24")}


async def test_the_name_of_a_person_cannot_write_lines_of_its_own_into_a_calendar(house: SmallHouse, ask: Ask) -> None:
    people = {one: Person(handle=one, name="Ana\r\nATTENDEE:mailto:x;y,z\\") for one in PEOPLE}
    house.settings = replace(house.settings, roster=replace(house.settings.roster, people=people))
    body = (await ask("GET", f"{PAYMENTS}/calendar.ics")).body
    assert b"\r\nATTENDEE" not in body
    assert "ATTENDEE" not in {key for event in events(body) for key in event}


async def test_a_person_subscribes_by_an_address_that_needs_no_token(house: SmallHouse, ask: Ask) -> None:
    token = await house.token("viewer")
    made = await ask("POST", "/api/v1/oncall/calendars", json={"person": "ben"}, headers=bearer(token))
    assert made.status == 201
    path = "/" + made.json["url"].split("/", 3)[3]
    answer = await ask("GET", path)
    assert answer.status == 200
    assert {str(one["summary"]) for one in events(answer.body)} == {"On call for payments: Ben"}
    entry = (await house.store.read(chain.entries, SYSTEM))[-1]
    assert (entry.kind, entry.actor.name) == ("oncall.feed_made", "viewer")
    assert path.rsplit("/", 1)[1] not in entry.text

    head, tail = path[:-9], path[-9:]
    flipped = await ask("GET", head + ("A" if tail[0] != "A" else "B") + tail[1:])
    assert flipped.status == 404
    house.at = NOW + timedelta(days=367)
    assert (await ask("GET", path)).status == 404


async def test_the_address_of_a_calendar_acts_on_nothing_and_that_of_a_page_reads_nothing(
    house: SmallHouse, ask: Ask
) -> None:
    made = await post(ask, "/api/v1/oncall/calendars", schedule="payments")
    token = made.json["url"].rsplit("/", 1)[1]
    assert (await ask("POST", f"/a/{token}")).status == 403
    use(house)
    assert (await ask("GET", f"/calendar/{token}")).status == 404


async def test_a_feed_is_of_one_schedule_or_one_person_that_there_is(ask: Ask) -> None:
    for fields, status in (
        ({}, 400), ({"schedule": "payments", "person": "ana"}, 400), ({"schedule": "x"}, 404), ({"person": "x"}, 404),
    ):  # fmt: skip
        assert (await post(ask, "/api/v1/oncall/calendars", **fields)).status == status


async def test_an_event_keeps_its_name_and_its_times_from_look_to_look(house: SmallHouse, ask: Ask) -> None:
    async def look() -> list[tuple[str, object, object]]:
        body = (await ask("GET", f"{PAYMENTS}/calendar.ics")).body
        return [(str(it["uid"]), it["dtstart"].dt, it["dtend"].dt) for it in events(body)]

    first = await look()
    house.at += timedelta(seconds=2)
    assert first == await look()

"""The door to Jira: how issues stand there, what they link to, and what else an issue is given."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest

from incidentd.actionitems import ItemSource, RemoteLink, Seen, own_label
from incidentd.errors import PermanentError, TemporaryError
from tests.doors.jira_double import CLOSED, DOING, Fault, every
from tests.doors.test_tickets import BOTH, both, door, item, jira, no_proxy

__all__ = ["no_proxy"]

DAY = timedelta(days=1)
LINK = RemoteLink(global_id="incidentd:inc-12", url="http://i.example/incidents/INC-12", title="INC-12: mail is late")


@BOTH
async def test_an_issue_carries_a_property_that_names_its_item(cloud: bool) -> None:
    async with both(cloud=cloud) as (double, tickets):
        filed = await tickets.file(item())

        assert double.properties[filed.key] == {"incidentd": {"item": item().uuid}}


async def test_a_jira_that_knows_no_properties_gets_the_issue_without() -> None:
    async with both() as (double, tickets):
        double.knows_properties = False
        filed = await tickets.file(item())

        assert list(double.issues) == [filed.key]
        assert double.properties[filed.key] == {}


async def test_what_is_about_to_be_created_is_noted_first_and_a_note_that_fails_creates_nothing() -> None:
    async with both() as (double, tickets):
        noted: list[int] = []

        async def sending() -> None:
            noted.append(double.requests["create"])
            if len(noted) == 1:
                raise TemporaryError("the lease is lost")

        with pytest.raises(TemporaryError, match="lease"):
            await tickets.file(item(), sending=sending)
        await tickets.file(item(), sending=sending)
        await tickets.file(item(), sending=sending)

        assert noted == [0, 0]
        assert double.requests["create"] == 1


@BOTH
async def test_how_issues_stand_is_read_page_after_page(cloud: bool) -> None:
    async with both(cloud=cloud) as (double, tickets):
        double.page = 3
        keys = [(await tickets.file(item(n))).key for n in range(8)]
        double.move(keys[1], DOING)
        double.move(keys[7], CLOSED, "Won't Do")
        found = {one.key: one for one in await tickets.changed(DAY)}

        assert sorted(found) == sorted(keys)
        assert found[keys[0]].category == "new"
        assert (found[keys[1]].category, found[keys[1]].status) == ("indeterminate", "In Progress")
        assert (found[keys[7]].category, found[keys[7]].resolution) == ("done", "Won't Do")
        assert own_label(item(7).uuid) in found[keys[7]].labels


@BOTH
async def test_the_day_of_an_issue_is_read_as_it_stands_there(cloud: bool) -> None:
    async with both(cloud=cloud) as (double, tickets):
        key = (await tickets.file(item())).key
        days = []
        for day in ("2026-12-24", "2027-02-28", None):
            double.put_off(key, day)
            looked = await tickets.look(key)
            [found] = await tickets.changed(DAY)
            assert looked == found
            days.append(found.due)
        assert days == [date(2026, 12, 24), date(2027, 2, 28), None]


@pytest.mark.parametrize("day", ["24.12.2026", "2026-02-30", "20261224", "9999-12-31", "", 20261224, {}])
async def test_a_day_that_is_none_is_no_news(day: object) -> None:
    async with both() as (double, tickets):
        key = (await tickets.file(item())).key
        double.issues[key]["duedate"] = day
        found = await tickets.look(key)

        assert found is not None
        assert found.due is None


async def test_a_jira_that_took_the_old_search_away_is_asked_with_the_new_one() -> None:
    async with both(cloud=True) as (double, tickets):
        double.says = "Server"
        filed = await tickets.file(item())
        [found] = await tickets.changed(DAY)

        assert found.key == filed.key
        assert double.requests["search"] == 1


async def test_one_issue_is_looked_at_and_one_that_is_gone_is_said_to_be() -> None:
    async with both() as (double, tickets):
        filed = await tickets.file(item())
        there = await tickets.look(filed.key)
        double.delete(filed.key)
        gone = await tickets.look(filed.key)
        again = await tickets.file(item())

        assert isinstance(there, Seen)
        assert gone is None
        assert again.created
        with pytest.raises(PermanentError, match="no key"):
            await tickets.look("../x")


@pytest.mark.parametrize(
    ("operation", "fault", "kind"),
    [
        (operation, fault, kind)
        for operation in ("search", "issue", "link")
        for fault, kind in (
            (Fault.DOWN, TemporaryError), (Fault.LATER_DATE, TemporaryError), (Fault.UNAUTHORIZED, PermanentError),
            (Fault.NONSENSE, TemporaryError), (Fault.CUT, TemporaryError), (Fault.ENDLESS, TemporaryError),
        )
        if (operation, fault) != ("link", Fault.NONSENSE)  # nothing of its answer is read
    ],
)  # fmt: skip
async def test_trouble_is_one_of_two_errors_here_too(operation: str, fault: Fault, kind: type[Exception]) -> None:
    async with both() as (double, tickets):
        filed = await tickets.file(item())
        double.faults = every(operation, fault)
        ask: dict[str, Any] = {
            "search": lambda: tickets.changed(DAY), "issue": lambda: tickets.look(filed.key),
            "link": lambda: tickets.link(filed.key, LINK),
        }  # fmt: skip
        with pytest.raises(kind) as caught:
            await ask[operation]()

        assert not getattr(caught.value, "maybe_done", False)


async def test_a_link_is_there_once_however_often_it_is_set() -> None:
    async with both() as (double, tickets):
        filed = await tickets.file(item())
        for _ in range(2):
            await tickets.link(filed.key, LINK)

        assert double.links[filed.key] == {
            "incidentd:inc-12": {
                "globalId": "incidentd:inc-12", "relationship": "action item of",
                "application": {"type": "org.incidentd", "name": "incidentd"},
                "object": {"url": LINK.url, "title": LINK.title, "summary": ""},
            }
        }  # fmt: skip
        with pytest.raises(PermanentError, match="no key"):
            await tickets.link("OPS-1/x", LINK)


async def test_types_priorities_and_services_go_where_the_operator_says() -> None:
    async with jira(custom=frozenset({"customfield_77"})) as double:
        double.issue_types.add("Chore")
        how: dict[str, Any] = {"issue_types": {"repair": "Chore"}, "priorities": {"P1": "Lowest"}}
        first = door(double, service_field="components", **how)
        second = door(double, service_field="customfield_77")
        await first.file(item(1, service="mail"))
        await first.file(item(2, service="unknown thing"))
        await second.file(item(3, service="mail"))
        await first.close()
        await second.close()
        found = list(double.issues.values())

        assert (found[0]["issuetype"], found[0]["priority"]) == ({"name": "Chore"}, {"id": "5"})
        assert found[0]["components"] == [{"name": "mail"}]
        assert "components" not in found[1]
        assert "service-unknown-thing" in found[1]["labels"]
        assert found[2]["customfield_77"] == "mail"


async def test_a_priority_that_jira_does_not_have_is_said_as_a_label() -> None:
    async with jira() as double:
        tickets = door(double, priorities={"P1": "Blocker"})
        filed = await tickets.file(item())
        await tickets.close()

        assert filed.left_out == ("priority",)
        assert "priority" not in double.issues[filed.key]
        assert "priority-p1" in double.issues[filed.key]["labels"]


async def test_a_jira_that_does_not_say_its_priorities_gets_their_names() -> None:
    async with both(faults=every("priorities", Fault.FORBIDDEN)) as (double, tickets):
        filed = await tickets.file(item())

        assert double.issues[filed.key]["priority"] == {"name": "High"}


async def test_what_people_write_is_markdown_and_what_a_rule_says_is_not() -> None:
    async with both() as (double, tickets):
        await tickets.file(item(1, description="**Why**: it was full", end_state="- no mail waits `5m`"))
        await tickets.file(item(2, description="**Why**", source=ItemSource.RULE))
        by_person, by_rule = (fields["description"] for fields in double.issues.values())

        assert by_person.startswith("*Why*: it was full\n\nh3. Done when\n* no mail waits {{5m}}\n\n")
        assert by_rule.startswith(r"\*\*Why\*\*")

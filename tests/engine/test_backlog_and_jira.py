"""The engine with the real door to a Jira that is stricter than Jira: what is wrong is named, kept, and filed later."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any, NamedTuple

import pytest

from incidentd.actionitems import ItemState
from incidentd.engine import commands
from incidentd.engine.backlog import commands as asked
from incidentd.engine.backlog import syncing
from incidentd.redaction import Redactor
from incidentd.store import things
from incidentd.tickets import Tickets
from tests.doors.jira_double import CLOSED, DOING, Fault, JiraDouble, every, never
from tests.doors.test_tickets import no_proxy
from tests.engine.test_backlog import ANA, SETTINGS, now
from tests.engine.world import Making, World

__all__ = ["no_proxy"]


@pytest.fixture
async def jira() -> AsyncIterator[JiraDouble]:
    double = JiraDouble(token="t0ken-of-the-test")
    await double.start()
    yield double
    await double.stop()


async def connected(w: World, jira: JiraDouble, **changes: Any) -> None:
    """Open the door anew, as a reload does."""
    if isinstance(w.doors.tickets, Tickets):
        await w.doors.tickets.close()
    assert SETTINGS.jira is not None
    w.settings = replace(SETTINGS, jira=replace(SETTINGS.jira, url=jira.url, **changes))
    assert w.settings.jira is not None
    w.doors.tickets = Tickets(w.settings.jira, redact=Redactor(), pause=0)


async def put_down(w: World, **fields: Any) -> None:
    incident = await w.do(commands.declare_incident, actor=ANA, title="Mail waits", severity="sev3")
    await w.do(
        commands.add_action_item, incident.id, actor=ANA, title="Bound the queue", owner="ana", team="pay", **fields
    )


def refusing(jira: JiraDouble) -> None:
    jira.faults = every("create", Fault.UNAUTHORIZED)


def willing(jira: JiraDouble) -> None:
    jira.faults, jira.required = never, frozenset()


class Wrong(NamedTuple):
    why: str
    begins: Callable[[JiraDouble], None] = willing
    settings: Mapping[str, Any] = {}


def asking_more(jira: JiraDouble) -> None:
    jira.required = frozenset({"customfield_10020"})


WRONG = {
    "token": Wrong("refused the token (401): renew jira.token_file", refusing),
    "project": Wrong("jira.project, or the team's, must name a project", settings={"project": "NOPE"}),
    "type": Wrong("jira.issue_type must name one of the project's", settings={"issue_type": "Wish"}),
    "field": Wrong("customfield_10020 under jira.fields", asking_more),
}


@pytest.mark.parametrize("case", WRONG)
@pytest.mark.parametrize("how", ["retry", "reload"])
async def test_what_is_wrong_is_named_kept_and_filed_once_it_is_right(
    world: Making, jira: JiraDouble, case: str, how: str
) -> None:
    wrong = WRONG[case]
    w = await world(SETTINGS)
    await connected(w, jira, **wrong.settings)
    wrong.begins(jira)
    await put_down(w)
    stuck = await w.store.read(things.get_item, 1)
    assert stuck.state is ItemState.STUCK
    assert wrong.why in stuck.trouble
    assert jira.issues == {}
    willing(jira)
    await connected(w, jira)
    if how == "retry":
        await w.do(asked.retry, 1, actor=ANA)
    else:
        await w.engine.begin()
        await w.settle()

    assert (await now(w, stuck)).jira_key == "OPS-1"
    assert list(jira.issues) == ["OPS-1"]
    assert jira.links["OPS-1"]["incidentd:inc-1"]["object"]["url"] == "http://incidentd.example.org/incidents/INC-1"
    await w.doors.tickets.close()  # type: ignore[union-attr]


async def test_an_owner_and_a_day_that_jira_does_not_take_are_told_and_the_item_is_filed(
    world: Making, jira: JiraDouble
) -> None:
    w = await world(SETTINGS)
    jira.off_screen = frozenset({"duedate"})
    await connected(w, jira)
    people = w.settings.roster.people
    elsewhere = {**people, "ana": replace(people["ana"], jira="zoe")}
    w.settings = replace(w.settings, roster=replace(w.settings.roster, people=elsewhere))
    await put_down(w)
    story = await w.story("INC-1")

    assert "needs-owner" in jira.issues["OPS-1"]["labels"]
    assert any("OPS-1 has no assignee, duedate" in line for line in story)
    assert "OPS-1 needs an owner in Jira: Jira does not know the account." in story
    assert [title for title in w.post.to("ana/mail") if "OPS-1 needs an owner" in title]
    await w.doors.tickets.close()  # type: ignore[union-attr]


async def test_what_was_deleted_in_jira_and_seen_by_another_replica_is_filed_anew_by_the_one_that_filed_it(
    world: Making, jira: JiraDouble
) -> None:
    w = await world(SETTINGS)
    await connected(w, jira)
    await put_down(w)
    assert w.settings.jira is not None
    first, other = w.doors.tickets, Tickets(w.settings.jira, redact=Redactor(), pause=0)
    jira.delete("OPS-1")
    w.doors.tickets = other
    await w.store.write(syncing.noticed, w.settings, key="OPS-1", labels=())
    await w.settle()
    gone = await w.store.read(things.get_item, 1)
    assert (gone.state, gone.jira_key) == (ItemState.STUCK, "")
    w.doors.tickets = first
    await w.do(asked.retry, 1, actor=ANA)
    filed = await w.store.read(things.get_item, 1)
    assert (filed.state, filed.jira_key) == (ItemState.FILED, "OPS-2")
    for one in (first, other):
        await one.close()  # type: ignore[union-attr]


async def test_what_people_do_on_jiras_board_is_known_here(world: Making, jira: JiraDouble) -> None:
    w = await world(SETTINGS)
    await connected(w, jira)
    await put_down(w)
    await w.engine.begin()
    await w.settle()
    states = []
    for status, resolution in ((DOING, ""), (CLOSED, "Done"), (DOING, ""), (CLOSED, "Won't Do")):
        jira.move("OPS-1", status, resolution)
        await w.until(w.now + timedelta(minutes=15))
        states.append((await w.store.read(things.get_item, 1)).state)

    assert states == [ItemState.IN_PROGRESS, ItemState.DONE, ItemState.IN_PROGRESS, ItemState.DECLINED]
    await w.doors.tickets.close()  # type: ignore[union-attr]

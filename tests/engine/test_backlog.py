"""Action items from an idea to their end: decided, carried to Jira, followed, and looked at afterwards."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest

from incidentd.actionitems import (
    ActionItem,
    Effect,
    ItemSource,
    ItemState,
    ItemType,
    JiraSettings,
    OutboxState,
    Seen,
    own_label,
)
from incidentd.actionitems.moves import Changes
from incidentd.engine import commands, learning, lifecycle
from incidentd.engine.backlog import collecting, filing, following, syncing
from incidentd.engine.backlog import commands as asked
from incidentd.errors import BadRequest, Conflict, PermanentError, TemporaryError
from incidentd.incidents import Incident
from incidentd.matchers import parse_matcher
from incidentd.oncall import Roster, Team
from incidentd.redaction import Secret
from incidentd.rehearsal.doors import Backlog, FiledAs
from incidentd.rules import CATCH_ALL, Decide, SeverityRule
from incidentd.settings import Settings
from incidentd.store import Tx, items, jobs, subjects, things
from incidentd.store.views.everything import everything as views_of_everything
from incidentd.timeline import Actor
from tests.drafts import put_draft
from tests.engine.world import START, Making, World, policy, roster

ANA = Actor(name="ana", via="api")
MONEY = SeverityRule(
    name="money", match=(parse_matcher('alertname="CheckoutDown"'),), decide=Decide.DECLARE, severity="sev1",
    urgency="business_critical", page="platform",
)  # fmt: skip
CERT = SeverityRule(
    name="cert", match=(parse_matcher('alertname=~"Cert.*"'),), decide=Decide.TICKET, severity="sev4", urgency="ticket",
)  # fmt: skip
_PEOPLE = {
    handle: replace(person, jira=handle if handle != "eli" else "") for handle, person in roster(
        "ana", "ben", "eli", "fay").people.items()
}  # fmt: skip
SETTINGS = Settings(
    external_url="http://incidentd.example.org", rules=(MONEY, CATCH_ALL),
    roster=Roster(people=_PEOPLE, teams={"pay": Team(name="pay", people=("ana", "eli"), lead="fay")}),
    escalations=policy("platform", (0, "ana"), (5, "ben")),
    jira=JiraSettings(url="http://jira", token=Secret("t0ken-of-the-test"), project="OPS"),
)  # fmt: skip
LOCAL = replace(SETTINGS, jira=None)
TITLE = "Reject mails over 10 MB"
OWNED = {"owner": "ana", "priority": "P1", "team": "pay"}
DAY, MINUTE = timedelta(days=1), timedelta(minutes=1)


async def broken(w: World, *, drill: bool = False) -> int:
    incident = await w.do(
        commands.declare_incident, actor=ANA, title="Mail waits", severity="sev1", page="platform", drill=drill
    )
    await w.do(lifecycle.resolve, incident.id, actor=ANA, admin=True)  # what is open of it would fill the time
    return int(incident.id)


async def proposed(w: World, **changes: object) -> ActionItem:
    made: ActionItem = await w.do(
        asked.propose,
        await broken(w),
        actor=ANA,
        title=TITLE,
        changes=Changes(**{**OWNED, **changes}),  # type: ignore[typeddict-item]
    )
    return made


async def decided(w: World, **changes: object) -> ActionItem:
    item = await proposed(w, **changes)
    await w.do(asked.decide, item.id, actor=ANA, why="it hurts every day")
    return await now(w, item)


async def now(w: World, item: ActionItem) -> ActionItem:
    return await w.store.read(things.get_item, item.id)


def figure(w: World, name: str) -> list[str]:
    return [line for line in w.metrics.render("")[0].decode().splitlines() if line.startswith(f"incidentd_{name}")]


async def test_an_idea_is_decided_filed_linked_and_says_so(world: Making) -> None:
    w = await world(SETTINGS)
    item = await decided(w)

    assert (item.state, item.jira_key, item.owner) == (ItemState.FILED, "OPS-1", "ana")
    assert item.due == date(2026, 12, 9)  # 15 days after a sev1
    link = w.backlog.links["OPS-1"]
    assert (link.global_id, link.title) == ("incidentd:inc-1", "INC-1: Mail waits")
    story = await w.story("INC-1")
    assert f"AI-1 is proposed: {TITLE} (repair, P1)" in story
    assert (
        f"AI-1 is decided: {TITLE} (repair, P1), ana until 2026-12-09. It could not wait: it hurts every day." in story
    )
    assert f"AI-1 is OPS-1 in Jira: {TITLE}" in story
    assert (await w.store.read(items.sending, 1)).state is OutboxState.DONE


async def test_an_idea_soaks_for_two_working_days_unless_somebody_says_why_not(world: Making) -> None:
    w = await world(LOCAL)
    item = await proposed(w)
    with pytest.raises(BadRequest, match="let it soak for two working days, until 2026-11-26 14:00:00 UTC"):
        await w.do(asked.decide, item.id, actor=ANA)
    await w.until(w.start + 2 * DAY)
    made, found = await w.do(asked.decide, item.id, actor=ANA)

    assert made.state is ItemState.OPEN
    assert found == ()


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"owner": ""}, "has no owner: name one person"),
        ({"title": "Train the team to be more careful"}, "people-fix"),
    ],
)
async def test_what_will_not_be_done_is_not_decided(world: Making, changes: dict[str, str], why: str) -> None:
    w = await world(LOCAL)
    item = await proposed(w, **changes)
    with pytest.raises(BadRequest, match=why):
        await w.do(asked.decide, item.id, actor=ANA, why="now")

    assert (await now(w, item)).state is ItemState.PROPOSED


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"owner": "ana, ben"}, "nobody called 'ana, ben'"),
        ({"owner": "zoe"}, "nobody called 'zoe'"),
        ({"priority": "P9"}, "one of P0, P1, P2, P3"),
        ({"team": "web"}, "no team 'web'"),
        ({"title": " "}, "the title is empty"),
        ({"title": "x" * 201}, "`title` has 201 characters"),
        ({"evidence": "x" * 10_001}, "`evidence` has 10001 characters"),
    ],
)
async def test_what_is_wrong_is_named(world: Making, changes: dict[str, str], why: str) -> None:
    w = await world(LOCAL)
    item = await proposed(w)
    with pytest.raises(BadRequest, match=why):
        await w.do(asked.edit, item.id, actor=ANA, changes=Changes(**changes))  # type: ignore[typeddict-item]


async def test_without_jira_an_item_lives_here_with_the_same_states(world: Making) -> None:
    w = await world(LOCAL)
    item = await decided(w)
    assert item.state is ItemState.OPEN
    await w.do(asked.edit, 1, actor=ANA, changes=Changes(end_state="no mail waits 5 minutes", type=ItemType.PREVENT))
    await w.do(asked.begin, 1, actor=ANA)
    assert (await now(w, item)).state is ItemState.IN_PROGRESS
    await w.do(asked.done, 1, actor=ANA, evidence="http://g/1")
    assert ((await now(w, item)).state, (await now(w, item)).evidence) == (ItemState.DONE, "http://g/1")
    with pytest.raises(Conflict, match="AI-1 is done already"):
        await w.do(asked.decline, 1, actor=ANA, reason="x")
    await w.do(asked.reopen, 1, actor=ANA)
    await w.do(asked.decline, 1, actor=ANA, reason="not worth it")

    it = await now(w, item)
    assert (it.state, it.reason) == (ItemState.DECLINED, "not worth it")
    assert w.backlog.issues == {}
    assert 'incidentd_action_item_closure_seconds_count{priority="P1"} 1.0' in figure(w, "action_item_closure")


async def test_of_two_who_change_the_same_version_the_second_is_told(world: Making) -> None:
    w = await world(LOCAL)
    item = await proposed(w)
    await w.do(asked.edit, 1, actor=ANA, changes=Changes(priority="P0"), expected_version=item.version)
    with pytest.raises(Conflict, match="changed meanwhile: it is version 2, and you saw 1"):
        await w.do(asked.edit, 1, actor=ANA, changes=Changes(priority="P2"), expected_version=item.version)
    with pytest.raises(Conflict, match="says that already"):
        await w.do(asked.edit, 1, actor=ANA, changes=Changes(priority="P0"))


async def test_what_is_in_jira_is_changed_there(world: Making) -> None:
    w = await world(SETTINGS)
    await decided(w)
    for command, more in (
        (asked.begin, {}), (asked.done, {}), (asked.decline, {"reason": "x"}), (asked.reopen, {}),
        (asked.edit, {"changes": Changes(title="Other")}),
    ):  # fmt: skip
        with pytest.raises(Conflict, match="AI-1 is OPS-1 in Jira"):
            await w.do(command, 1, actor=ANA, **more)
    await w.do(asked.edit, 1, actor=ANA, changes=Changes(evidence="http://g/1"))
    with pytest.raises(Conflict, match="OPS-1 in Jira; nothing is to do"):
        await w.do(asked.retry, 1, actor=ANA)


async def test_a_lost_answer_is_looked_for_when_the_search_has_had_time(world: Making) -> None:
    w = await world(SETTINGS)
    w.backlog.failure = TemporaryError("no whole answer", maybe_done=True)
    await decided(w)
    assert (await w.store.read(items.sending, 1)).state is OutboxState.UNKNOWN
    w.backlog.failure = None
    await w.at(0.2)  # 12 seconds: too early to look
    assert (await now(w, await w.store.read(things.get_item, 1))).jira_key == ""
    await w.at(1)

    assert (await w.store.read(things.get_item, 1)).jira_key == "OPS-1"


async def test_what_may_be_in_jira_is_not_ended_here_before_it_is_found(world: Making) -> None:
    w = await world(SETTINGS)
    w.backlog.failure = TemporaryError("no whole answer", maybe_done=True)
    await decided(w)
    for command, more in (
        (asked.decline, {"reason": "x"}), (asked.done, {}), (asked.edit, {"changes": Changes(title="Other")}),
    ):  # fmt: skip
        with pytest.raises(Conflict, match="may be there already; look again in a minute"):
            await w.do(command, 1, actor=ANA, **more)


async def doubtful(w: World) -> ActionItem:
    """Make an item whose issue is in Jira, of which nothing is known here, and that nobody tries to file any more."""
    w.backlog.failure = TemporaryError("no whole answer", maybe_done=True)
    item = await decided(w)
    w.backlog.issues[item.uuid] = item
    w.backlog.failure = PermanentError("Jira refused the token (401): renew jira.token_file")
    await w.at(1)
    item = await now(w, item)
    assert (item.state, item.jira_key) == (ItemState.STUCK, "")
    assert await w.store.read(jobs.live, filing.key_of(item)) is None
    return item


async def test_what_may_be_in_jira_and_is_not_tried_any_more_is_filed_before_it_is_changed_or_ended(
    world: Making,
) -> None:
    w = await world(SETTINGS)
    item = await doubtful(w)
    for command, more, what in (
        (asked.edit, {"changes": Changes(title="Other")}, "change"), (asked.decline, {"reason": "x"}, "end"),
        (asked.done, {}, "end"),
    ):  # fmt: skip
        with pytest.raises(Conflict, match=f"AI-1 may be in Jira.*`incidentd item retry AI-1`.* {what} it there"):
            await w.do(command, 1, actor=ANA, **more)
    await w.do(asked.edit, 1, actor=ANA, changes=Changes(evidence="http://g/1"))
    w.backlog.failure = None
    await w.do(asked.retry, 1, actor=ANA)

    filed = await now(w, item)
    assert (filed.title, filed.evidence, filed.jira_key) == (TITLE, "http://g/1", "OPS-1")
    assert len(w.backlog.issues) == 1


async def test_what_may_be_in_a_jira_that_is_not_in_the_configuration_any_more_is_ended_here(world: Making) -> None:
    w = await world(SETTINGS)
    item = await doubtful(w)
    w.settings = LOCAL
    await w.do(asked.edit, 1, actor=ANA, changes=Changes(title="Other"))
    await w.do(asked.decline, 1, actor=ANA, reason="not worth it")

    assert ((await now(w, item)).title, (await now(w, item)).state) == ("Other", ItemState.DECLINED)


async def test_what_was_looked_for_in_vain_and_then_refused_is_not_in_jira_and_may_be_changed_and_ended(
    world: Making,
) -> None:
    w = await world(SETTINGS)
    w.backlog.failure = TemporaryError("no whole answer", maybe_done=True)
    item = await decided(w)
    w.backlog.failure = PermanentError("customfield_10020 is required: set it under jira.fields")
    await w.at(1)
    assert (await w.store.read(items.sending, 1)).state is OutboxState.PENDING
    await w.do(asked.edit, 1, actor=ANA, changes=Changes(title="Other"))
    await w.do(asked.decline, 1, actor=ANA, reason="not worth it")

    assert (await now(w, item)).state is ItemState.DECLINED


async def test_what_is_changed_while_its_issue_is_written_is_filed_as_it_is_then(world: Making) -> None:
    w = await world(SETTINGS)

    class Meanwhile(Backlog):
        async def file(self, item: ActionItem, **how: Any) -> FiledAs:
            if item.title == TITLE:
                other = Changes(title="Other")
                await w.store.write(asked.edit, w.settings, item.id, actor=ANA, changes=other)
            return await super().file(item, **how)

    w.backlog = w.doors.tickets = Meanwhile()
    item = await decided(w)
    await w.at(1)

    assert (await now(w, item)).jira_key == "OPS-1"
    assert [issue.title for issue in w.backlog.issues.values()] == ["Other"]


async def test_whoever_lost_the_lease_sends_nothing(world: Making) -> None:
    w = await world(SETTINGS)
    w.backlog.failure = TemporaryError("Jira is away")
    await decided(w)
    w.clock[0] += timedelta(minutes=10)
    lease = timedelta(minutes=1)
    [first] = await w.store.write(jobs.claim, jobs.JIRA, me="a", lease=lease, most=9)
    w.clock[0] += timedelta(minutes=2)
    [second] = await w.store.write(jobs.claim, jobs.JIRA, me="b", lease=lease, most=9)

    item = await w.store.read(things.get_item, 1)
    assert not await w.store.write(filing.sending, first, item)
    assert (await w.store.read(items.sending, 1)).state is OutboxState.PENDING
    assert await w.store.write(filing.sending, second, item)
    await w.store.write(filing.unanswered, first, 1, OutboxState.PENDING)
    assert (await w.store.read(items.sending, 1)).state is OutboxState.SENT
    assert not await w.store.write(filing.filed, w.settings, first, 1, key="OPS-9", url="u")
    assert not await w.store.write(filing.stuck, w.settings, first, 1, "x")


async def test_of_two_who_decide_at_once_one_is_told(world: Making) -> None:
    w = await world(LOCAL)
    item = await proposed(w)
    both = [w.store.write(asked.decide, w.settings, item.id, actor=ANA, why="now") for _ in range(2)]
    results = await asyncio.gather(*both, return_exceptions=True)

    assert sum(isinstance(result, Conflict) for result in results) == 1
    assert [kind for kind in await w.kinds("INC-1") if kind == "item.opened"] == ["item.opened"]


async def test_an_item_that_was_on_its_way_before_that_was_noted_is_looked_for(world: Making) -> None:
    w = await world(SETTINGS)

    assert (await w.store.read(items.sending, 77)).state is OutboxState.UNKNOWN


async def test_a_refusal_leaves_nothing_unknown_and_retry_files_it(world: Making) -> None:
    w = await world(SETTINGS)
    w.backlog.failure = PermanentError("Jira has no project OPS: set jira.project")
    item = await decided(w)
    assert (item.state, item.trouble) == (ItemState.STUCK, "Jira has no project OPS: set jira.project")
    assert (await w.store.read(items.sending, 1)).state is OutboxState.PENDING
    assert any("is not in Jira" in title for title in w.post.to("ana/mail"))
    await w.do(asked.retry, 1, actor=ANA)
    assert (await w.story("INC-1")).count("AI-1 is not in Jira and is kept here: " + item.trouble) == 1
    w.backlog.failure = None
    await w.do(asked.retry, 1, actor=ANA)

    assert (await now(w, item)).state is ItemState.FILED


async def test_a_reload_files_what_was_stuck_or_waited_for_a_jira(world: Making) -> None:
    w = await world(LOCAL)
    item = await decided(w)
    w.settings = SETTINGS
    await w.engine.begin()
    await w.settle()

    assert (await now(w, item)).jira_key == "OPS-1"


@pytest.mark.parametrize("how", ["retry", "reload"])
async def test_what_was_begun_before_there_was_a_jira_is_filed_and_stays_in_progress(world: Making, how: str) -> None:
    w = await world(LOCAL)
    item = await decided(w)
    await w.do(asked.begin, 1, actor=ANA)
    w.settings = SETTINGS
    assert await unfiled(w) == ("AI-1",)
    if how == "retry":
        await w.do(asked.retry, 1, actor=ANA)
    await w.engine.begin()
    await w.settle()
    filed = await now(w, item)
    assert (filed.jira_key, filed.state) == ("OPS-1", ItemState.IN_PROGRESS)
    assert await unfiled(w) == ()
    states = []
    for category, status in (("new", "To Do"), ("new", "To Do"), ("indeterminate", "In Progress"), ("new", "To Do")):
        w.backlog.says["OPS-1"] = Seen(
            key="OPS-1", labels=(own_label(item.uuid),), category=category, status=status
        )  # fmt: skip
        await w.until(w.now + timedelta(minutes=11))
        states.append((await now(w, item)).state)

    assert states == [ItemState.IN_PROGRESS, ItemState.IN_PROGRESS, ItemState.IN_PROGRESS, ItemState.FILED]


async def unfiled(w: World) -> tuple[str, ...]:
    """Name the items of INC-1 that keep it from being closed."""

    def read(tx: Tx) -> tuple[str, ...]:
        return learning.known_of(tx, w.settings, subjects.get_incident(tx, 1)).unfiled

    return await w.store.read(read)


async def test_an_item_that_ended_on_its_way_is_not_created(world: Making) -> None:
    w = await world(SETTINGS)
    w.backlog.failure = TemporaryError("Jira is away")
    item = await decided(w)
    await w.do(asked.decline, 1, actor=ANA, reason="not worth it")
    w.backlog.failure = None
    await w.at(60)

    assert (await now(w, item)).state is ItemState.DECLINED
    assert (await now(w, item)).jira_key == ""


async def test_how_an_issue_stands_comes_back_and_reopened_there_is_reopened_here(world: Making) -> None:
    w = await world(SETTINGS)
    item = await decided(w)
    await w.engine.begin()
    mine = (own_label(item.uuid),)
    for category, status, resolution, state in (
        ("indeterminate", "In Review", "", ItemState.IN_PROGRESS),
        ("done", "Closed", "Fixed", ItemState.DONE),
        ("new", "To Do", "", ItemState.FILED),
        ("done", "Closed", "Won\u2019t Do", ItemState.DECLINED),
        ("odd", "Odd", "", ItemState.DECLINED),
    ):
        w.backlog.says["OPS-1"] = Seen(
            key="OPS-1", labels=mine, category=category, status=status, resolution=resolution
        )
        await w.until(w.now + timedelta(minutes=11))
        assert (await now(w, item)).state is state
    story = await w.story("INC-1")

    assert "AI-1 is in progress in Jira (OPS-1: In Review)." in story
    assert "AI-1 is filed again in Jira (OPS-1: To Do)." in story
    assert "AI-1 is declined in Jira (OPS-1: Closed, Won\u2019t Do)." in story
    assert 'incidentd_jira_requests_total{operation="sync",result="ok"}' in str(figure(w, "jira_requests_total"))
    assert await w.store.read(items.synced_at) is not None


async def test_who_puts_an_issue_off_in_jira_is_reminded_of_its_new_day(world: Making) -> None:
    w = await world(SETTINGS)
    item = await decided(w, due=date(2026, 11, 27))
    await w.until(w.start + 2 * DAY)
    w.backlog.says["OPS-1"] = Seen(key="OPS-1", category="new", status="To Do", due=date(2026, 12, 9))
    for _ in range(2):
        await w.store.write(syncing.noticed, w.settings, key="OPS-1", labels=())
        await w.settle()
    await w.until(w.start + 14 * DAY)

    assert (await now(w, item)).due == date(2026, 12, 9)
    said = [title for title in w.post.to("ana/mail") if title.startswith("AI-1")]
    assert said == [f"AI-1 is due on 2026-11-27: {TITLE}", f"AI-1 is due on 2026-12-09: {TITLE}"]
    told = [line for line in await w.story("INC-1") if "AI-1 is due on" in line]
    assert told == ["AI-1 is due on 2026-12-09 in Jira (OPS-1); it was due on 2026-11-27."]


async def test_an_issue_that_is_gone_is_told_and_filed_anew_when_somebody_asks(world: Making) -> None:
    w = await world(SETTINGS)
    item = await decided(w)
    w.backlog.says["OPS-1"] = None
    await w.store.write(syncing.noticed, w.settings, key="OPS-1", labels=())
    await w.settle()
    gone = await now(w, item)
    assert (gone.state, gone.jira_key) == (ItemState.STUCK, "")
    assert "OPS-1 is not in Jira any more" in gone.trouble
    assert any(title.startswith("OPS-1 is gone from Jira") for title in w.post.to("fay/mail"))
    w.backlog.issues.clear()
    await w.engine.begin()  # a restart or a reload is nobody who asks
    await w.settle()
    assert w.backlog.issues == {}
    assert await now(w, item) == gone
    w.backlog.says.clear()
    await w.do(asked.retry, 1, actor=ANA)

    assert (await now(w, item)).state is ItemState.FILED
    assert list(w.backlog.issues) == [item.uuid]


async def test_of_an_issue_that_was_copied_with_its_labels_people_hear_once(world: Making) -> None:
    w = await world(SETTINGS)
    item = await decided(w)
    await w.engine.begin()
    w.backlog.says["OPS-9"] = Seen(key="OPS-9", labels=(own_label(item.uuid),), category="new")
    await w.until(w.now + timedelta(minutes=35))

    said = [line for line in await w.story("INC-1") if "OPS-9 says that it is AI-1, too" in line]
    assert len(said) == 1
    assert (await now(w, item)).jira_key == "OPS-1"


async def test_an_issue_that_was_moved_keeps_its_item(world: Making) -> None:
    w = await world(SETTINGS)
    item = await decided(w)
    w.backlog.says["OPS-1"] = Seen(key="PAY-3", labels=(own_label(item.uuid),), category="new")
    await w.store.write(syncing.noticed, w.settings, key="PAY-3", labels=(own_label(item.uuid),))
    await w.settle()

    moved = await now(w, item)
    assert (moved.jira_key, moved.jira_url) == ("PAY-3", "http://jira/browse/PAY-3")
    assert "AI-1 is PAY-3 in Jira; it was OPS-1." in await w.story("INC-1")


async def test_what_jira_tells_of_others_is_no_news(world: Making) -> None:
    w = await world(SETTINGS)
    assert not await w.store.write(syncing.noticed, w.settings, key="OPS-77", labels=("incidentd-ai-nobody",))


async def test_jira_that_does_not_answer_is_asked_again(world: Making) -> None:
    w = await world(SETTINGS)
    await w.engine.begin()
    for failure in (TemporaryError("away", retry_after=timedelta(hours=1)), PermanentError("401: renew the token")):
        w.backlog.failure = failure
        await w.until(w.now + timedelta(minutes=30))
    assert await w.store.read(items.synced_at) is None
    w.backlog.failure = None
    await w.until(w.now + timedelta(hours=2))

    assert await w.store.read(items.synced_at) is not None


async def test_an_owner_whom_jira_does_not_know_is_told_with_the_lead(world: Making) -> None:
    w = await world(SETTINGS)
    await decided(w, owner="eli")

    assert [title for title in w.post.to("eli/mail") if "OPS-1 needs an owner" in title]
    assert [title for title in w.post.to("fay/mail") if "OPS-1 needs an owner" in title]
    assert "OPS-1 needs an owner in Jira: no `jira:` account is set." in await w.story("INC-1")


async def test_what_jira_would_not_take_is_said(world: Making) -> None:
    w = await world(SETTINGS)
    w.backlog.left_out = ("assignee", "duedate")
    await decided(w)
    story = await w.story("INC-1")

    assert "OPS-1 has no assignee, duedate: Jira would not take it. Its labels and its description say it." in story
    assert "OPS-1 needs an owner in Jira: Jira does not know the account." in story


async def test_ideas_are_taken_from_todos_and_the_postmortems_tables_once(world: Making) -> None:
    w = await world(LOCAL)
    number = await broken(w)
    await w.do(commands.add_note, "INC-1", actor=ANA, text="TODO: Add a limit to the queue")
    text = (
        "## Action items\n\n| # | Action (verb first) | Type | Priority | Owner (one) | Due | Jira |\n"
        "|---|---|---|---|---|---|---|\n"
        "| - | Alert on the \\*queue\\* before 5 minutes | detect | P1 | @ben | 2027-01-04 | |\n"
        "| AI-7 | Known already | repair | P1 | ana | 2027-01-04 | open |\n"
        "| - | Drop the old table | repair | P3 | ana | 9999-12-31 | |\n"
        "| - | Add a limit to the queue | | | | | proposed: a TODO of the incident |\n| - | - | | | | | |\n\n"
        "## Feedback on our practice\n\n| Question | Answer | Action item |\n|---|---|---|\n"
        "| Is it good? | no | Measure the age of the queue |\n| And? | yes | |\n"
    )
    await w.store.write(put_draft, number, owner="ana", markdown=text)
    made = await w.do(collecting.collect, number, actor=ANA)
    again = await w.do(collecting.collect, number, actor=ANA)

    assert [(it.title, it.source) for it in made] == [
        ("Add a limit to the queue", ItemSource.NOTED),
        ("Alert on the *queue* before 5 minutes", ItemSource.POSTMORTEM),
        ("Drop the old table", ItemSource.POSTMORTEM),
        ("Measure the age of the queue", ItemSource.FEEDBACK),
    ]
    assert (made[1].type, made[1].priority, made[1].owner, made[1].due) == (
        ItemType.DETECT, "P1", "ben", date(2027, 1, 4),
    )  # fmt: skip
    assert made[2].due is None  # a day that nobody means is none
    assert {it.state for it in made} == {ItemState.PROPOSED}
    assert again == []
    with pytest.raises(BadRequest, match="nothing is collected from rule"):
        await w.do(collecting.collect, number, actor=ANA, source=ItemSource.RULE)


@pytest.mark.slow
async def test_the_owner_is_reminded_and_after_a_week_the_lead_hears(world: Making) -> None:
    w = await world(LOCAL)
    await decided(w, due=date(2026, 12, 9))
    await w.until(w.start + 30 * DAY)

    said = [title for title in w.post.to("ana/mail") if title.startswith("AI-1")]
    assert said == [
        f"AI-1 is due on 2026-12-09: {TITLE}",
        f"AI-1 is overdue since 2026-12-09: {TITLE}",
    ]
    assert [title for title in w.post.to("fay/mail") if "AI-1 (P1) is overdue by 7 days" in title]
    assert "AI-1 (P1) is overdue by 7 days; fay is told." in await w.story("INC-1")


async def test_once_a_week_owners_and_leads_hear_what_is_open(world: Making) -> None:
    w = await world(LOCAL)
    await decided(w, due=date(2026, 11, 27))
    await w.engine.begin()
    await w.until(w.start + 7 * DAY)  # a Tuesday; Monday's nine o'clock is behind

    [mine] = [n for n in w.post.sent if n.channel == "ana/mail" and n.title.startswith("1 action item yours")]
    assert mine.title == "1 action item yours is open, 1 overdue"
    assert f"- P1 AI-1: {TITLE}, ana, 3 days overdue" in mine.body
    assert [n.title for n in w.post.sent if n.channel == "fay/mail" and " of pay " in n.title] == [
        "1 action item of pay is open, 1 overdue"
    ]


def test_of_many_open_items_the_most_urgent_are_named() -> None:
    some = [
        ActionItem(
            id=n, uuid=f"{n}", subject="INC-1", title="T", priority="P0" if n == 30 else "P2",
            created_at=START,
        )
        for n in range(1, 31)
    ]  # fmt: skip
    lines = following.digest_lines(some, date(2026, 11, 24))

    assert lines[0].startswith("- P0 AI-30")
    assert len(lines) == 21
    assert lines[-1] == "- and 10 more"


async def came(w: World, *, at: timedelta) -> None:
    """Let the same alert fire, be answered, and be over."""
    await w.until(w.start + at)
    await w.send(w.firing("CheckoutDown", since=at / timedelta(minutes=1), service="shop"))
    number = len(await w.store.read(everyone))
    await w.send(w.resolved("CheckoutDown", at / timedelta(minutes=1), service="shop"))
    await w.do(lifecycle.resolve, number, actor=ANA, admin=True)


def everyone(tx: Tx) -> tuple[Incident, ...]:
    return views_of_everything(tx).incidents


async def promised(w: World) -> ActionItem:
    await came(w, at=timedelta(0))
    item = await w.do(asked.propose, 1, actor=ANA, title=TITLE, changes=Changes(**OWNED))  # type: ignore[typeddict-item]
    made, _ = await w.do(asked.decide, item.id, actor=ANA, why="now")
    assert isinstance(made, ActionItem)
    return made


async def test_an_incident_that_comes_again_says_in_the_page_what_was_promised(world: Making) -> None:
    w = await world(LOCAL)
    await promised(w)
    first = w.post.sent[0].body
    await came(w, at=20 * DAY)

    assert "still open" not in first
    bodies = [n.body for n in w.post.sent if n.channel == "ana/mail" and "INC-2" in n.title + n.body]
    promise = "what was to end it is still open: P1 AI-1: Reject mails over 10 MB of INC-1, ana, 5 days overdue"
    assert any(promise in body for body in bodies), bodies


@pytest.mark.parametrize("back", [False, True], ids=["stayed-away", "came-back"])
@pytest.mark.slow
async def test_thirty_days_after_it_is_done_somebody_looks_whether_it_came_back(world: Making, back: bool) -> None:
    w = await world(LOCAL)
    item = await promised(w)
    await w.do(asked.done, item.id, actor=ANA)
    if back:
        await came(w, at=20 * DAY)
    await w.until(w.start + 31 * DAY)

    assert (await now(w, item)).effect is (Effect.INEFFECTIVE if back else Effect.VERIFIED)
    said = [line for line in await w.story("INC-1") if "30 days after it was done" in line]
    again = ": INC-2 is of the same alerts, since 2026-12-14" if back else ""
    assert said == [
        f"AI-1: {TITLE} is {'ineffective' if back else 'verified'}, 30 days after it was done{again}."
    ]  # fmt: skip
    assert bool([title for title in w.post.to("ana/mail") if "and it came back" in title]) is back


@pytest.mark.parametrize("back", [False, True], ids=["stayed-away", "came-back"])
async def test_a_ticket_of_a_rule_came_back_when_it_had_to_be_filed_anew(world: Making, back: bool) -> None:
    w = await world(replace(LOCAL, rules=(CERT, CATCH_ALL)))
    await fired(w, "a", since=0)
    await fired(w, "b", since=5)  # of the same trouble while the ticket is open: a comment
    await w.do(asked.done, 1, actor=ANA)
    await fired(w, "a", since=20 * DAY / MINUTE, alertname="CertExpires" if back else "CertExpired")
    await w.until(w.start + 31 * DAY)

    effect = Effect.INEFFECTIVE if back else Effect.VERIFIED
    assert (await w.store.read(things.get_item, 1)).effect is effect
    said = [line for line in await w.story("SYSTEM") if "30 days after it was done" in line]
    again = ": AI-2 is of the same alerts, since 2026-12-14" if back else ""
    assert [line.removeprefix(line.partition(" is ")[0]) for line in said] == [
        f" is {effect}, 30 days after it was done{again}."
    ]
    assert bool([title for title in w.post.to("fay/mail") if "and it came back" in title]) is back


async def fired(w: World, instance: str, *, since: float, alertname: str = "CertExpires") -> None:
    """Let an alert for the backlog fire, and end."""
    await w.until(w.start + since * MINUTE)
    await w.send(w.firing(alertname, since=since, service="shop", team="pay", instance=instance))
    await w.send(w.resolved(alertname, since, service="shop", team="pay", instance=instance))


async def test_items_of_drills_go_nowhere_and_count_nowhere(world: Making) -> None:
    w = await world(SETTINGS)
    number = await broken(w, drill=True)
    item = await w.do(asked.propose, number, actor=ANA, title=TITLE, changes=Changes(**OWNED))  # type: ignore[typeddict-item]
    made, _ = await w.do(asked.decide, item.id, actor=ANA, why="now")
    with pytest.raises(Conflict, match="of a drill"):
        await w.do(asked.retry, made.id, actor=ANA)
    await w.until(w.start + 30 * DAY)

    assert w.backlog.issues == {}
    assert not [line for line in figure(w, "action_items_created_total") if not line.endswith(" 0.0")]
    assert await w.store.read(jobs.next_due, jobs.JIRA) is None

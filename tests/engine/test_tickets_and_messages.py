"""Tickets on their way to the backlog, and messages that do not get through."""

import asyncio
from dataclasses import replace

import pytest
from sqlalchemy import select

from incidentd.actionitems import ItemState, JiraSettings
from incidentd.engine import commands, paging
from incidentd.engine.backlog import commands as asked
from incidentd.errors import PermanentError, TemporaryError
from incidentd.matchers import parse_matcher
from incidentd.pages import Notification
from incidentd.redaction import Secret
from incidentd.rehearsal.doors import Post
from incidentd.rules import CATCH_ALL, Decide, SeverityRule
from incidentd.settings import Settings
from incidentd.store import Tx, jobs, things
from incidentd.store.tables import job
from incidentd.timeline import Actor
from tests.engine.world import Making, World, policy, roster

ANA = Actor(name="ana", via="api")
CERT = SeverityRule(
    name="cert", match=(parse_matcher('alertname="CertExpires"'),), decide=Decide.TICKET, severity="sev4",
    urgency="ticket",
)  # fmt: skip
NOTHING = SeverityRule(
    name="info", match=(parse_matcher('severity="info"'),), decide=Decide.RECORD, severity="sev4", urgency="ticket"
)
MONEY = SeverityRule(
    name="money", match=(parse_matcher('alertname="CheckoutDown"'),), decide=Decide.DECLARE, severity="sev1",
    urgency="business_critical", page="platform",
)  # fmt: skip
SETTINGS = Settings(
    external_url="http://incidentd.example.org", rules=(CERT, NOTHING, MONEY, CATCH_ALL), roster=roster("ana", "ben"),
    escalations=policy("platform", (0, "ana"), (5, "ben")),
    jira=JiraSettings(url="http://jira", token=Secret("t0ken-of-the-test"), project="OPS"),
)  # fmt: skip


async def test_a_ticket_is_filed_once_and_commented_when_it_recurs_and_stops(world: Making) -> None:
    w = await world(SETTINGS)
    await w.send(w.firing("CertExpires", service="shop"))
    await w.at(10)
    await w.send(w.resolved("CertExpires", service="shop"))
    await w.at(20)
    await w.send(w.firing("CertExpires", since=20, service="shop"))
    await w.at(30)

    assert len(w.backlog.issues) == 1
    assert [comment.split(":")[0] for comment in w.backlog.comments] == ["It stopped", "It fires again"]
    assert w.post.sent == []


async def test_without_jira_a_ticket_is_kept_here(world: Making) -> None:
    w = await world(replace(SETTINGS, jira=None))
    await w.send(w.firing("CertExpires"))

    assert (await w.store.read(things.get_item, 1)).state is ItemState.OPEN
    assert w.backlog.issues == {}


async def test_a_ticket_that_was_declined_and_reopened_is_filed_and_hears_of_what_comes_later(world: Making) -> None:
    w = await world(SETTINGS)
    w.backlog.failure = TemporaryError("Jira is away")
    await w.send(w.firing("CertExpires", service="shop"))
    await w.do(asked.decline, 1, actor=ANA, reason="by mistake")
    await w.do(asked.reopen, 1, actor=ANA)
    assert (await w.store.read(things.get_item, 1)).state is ItemState.OPEN
    w.backlog.failure = None
    await w.at(10)
    await w.send(w.resolved("CertExpires", service="shop"))
    await w.at(20)

    assert (await w.store.read(things.get_item, 1)).jira_key == "OPS-1"
    assert [comment.split(":")[0] for comment in w.backlog.comments] == ["It stopped"]


async def test_a_proposal_takes_in_no_firing_of_the_rule(world: Making) -> None:
    w = await world(SETTINGS)
    w.backlog.failure = TemporaryError("Jira is away")
    await w.send(w.firing("CertExpires", service="shop"))
    await w.do(asked.decline, 1, actor=ANA, reason="by mistake")
    await stands(w, ItemState.PROPOSED)  # as it once became by being reopened
    w.backlog.failure = None
    await w.at(10)
    await w.send(w.resolved("CertExpires", service="shop"))
    await w.at(20)
    await w.send(w.firing("CertExpires", since=20, service="shop"))

    assert [item.key for item in w.backlog.issues.values()] == ["AI-2"]
    assert w.backlog.comments == []


async def stands(w: World, state: ItemState) -> None:
    """Have the first item stand like this."""
    item = await w.store.read(things.get_item, 1)
    await w.store.write(things.save_item, replace(item, state=state, version=item.version + 1))


@pytest.mark.parametrize("state", [ItemState.DECLINED, ItemState.DONE, ItemState.PROPOSED])
async def test_what_was_to_be_said_on_a_ticket_that_ended_before_it_was_filed_is_let_go(
    world: Making, state: ItemState
) -> None:
    w = await world(SETTINGS)
    w.backlog.failure = TemporaryError("Jira is away")
    await w.send(w.firing("CertExpires", service="shop"))
    await w.at(10)
    await w.send(w.resolved("CertExpires", service="shop"))
    assert await waiting(w) == ["comment", "file"]
    await w.do(asked.decline, 1, actor=ANA, reason="not worth it")
    await stands(w, state)
    await w.at(20)
    assert await waiting(w) == []
    await w.at(8 * 24 * 60)

    item = await w.store.read(things.get_item, 1)
    assert (item.state, item.trouble) == (state, "")


async def waiting(w: World) -> list[str]:
    """Name what is still to be done in Jira."""

    def read(tx: Tx) -> list[str]:
        kinds = select(job.c.kind).where(job.c.queue == jobs.JIRA, job.c.state == "live").order_by(job.c.kind)
        return list(tx.conn.execute(kinds).scalars())

    return await w.store.read(read)


async def test_an_item_that_jira_refuses_is_kept_with_what_to_do(world: Making) -> None:
    w = await world(SETTINGS)
    w.backlog.failure = PermanentError("Jira has no project OPS: set jira.project")
    await w.send(w.firing("CertExpires"))
    item = await w.store.read(things.get_item, 1)

    assert (item.state, item.trouble) == (ItemState.STUCK, "Jira has no project OPS: set jira.project")


async def test_jira_is_asked_again_until_it_answers(world: Making) -> None:
    w = await world(SETTINGS)
    w.backlog.failure = TemporaryError("Jira is away")
    await w.send(w.firing("CertExpires"))
    await w.at(10)
    w.backlog.failure = None
    await w.at(20)

    assert (await w.store.read(things.get_item, 1)).jira_key == "OPS-1"


async def test_what_is_recorded_only_bothers_nobody(world: Making) -> None:
    w = await world(SETTINGS)
    await w.send(w.firing("Anything", severity="info"))

    assert w.post.sent == []
    assert await w.story("HOLD-1") == []


async def test_a_message_is_tried_until_it_gets_through_and_carries_the_same_key(world: Making) -> None:
    w = await world(SETTINGS)
    w.post.failures["ana/mail"] = TemporaryError("451 try later")
    await w.send(w.firing("CheckoutDown"))
    await w.at(2)
    assert w.post.sent == []
    del w.post.failures["ana/mail"]
    await w.at(4.5)

    assert [(n.key, n.repeat) for n in w.post.sent] == [("PAGE-1/0/ana/mail", False)]


async def test_a_message_that_may_have_arrived_says_that_it_is_a_repeat(world: Making) -> None:
    w = await world(SETTINGS)
    w.post.failures["ana/mail"] = TemporaryError("no answer", maybe_done=True)
    await w.send(w.firing("CheckoutDown"))
    del w.post.failures["ana/mail"]
    await w.at(1)

    assert [n.repeat for n in w.post.sent] == [True]


async def test_b5_07_a_channel_that_cannot_deliver_hands_the_page_on_at_once(world: Making) -> None:
    w = await world(SETTINGS)
    w.post.failures["ana/mail"] = PermanentError("550 no such mailbox")
    await w.send(w.firing("CheckoutDown"))

    assert len(w.post.to("ben/mail")) == 1
    assert "Could not reach ana/mail: 550 no such mailbox" in await w.story("INC-1")
    assert 'escalations_total{reason="delivery_failure",team="platform"} 1' in w.metrics.render("")[0].decode()


async def test_nobody_is_called_for_a_page_that_was_answered_before_it_was_sent(world: Making) -> None:
    w = await world(SETTINGS)
    w.post.failures["ana/mail"] = TemporaryError("451 try later")
    await w.send(w.firing("CheckoutDown"))
    await w.do(commands.ack_page, 1, by="ana", actor=ANA)
    del w.post.failures["ana/mail"]
    await w.at(10)  # before the answer expires

    assert {n.purpose for n in w.post.sent} == {"update"}  # what a commander hears, and no page


async def test_an_incident_declared_by_hand_pages_and_is_commanded_by_who_declared_it(world: Making) -> None:
    w = await world(SETTINGS)
    incident = await w.do(
        commands.declare_incident, actor=ANA, title="Customers call", severity="sev2", page="platform"
    )

    assert incident.commander == "ana"
    assert len(w.post.to("ana/mail")) == 1


async def test_a_channel_that_hangs_keeps_only_its_own_messages_waiting(world: Making) -> None:
    w = await world(SETTINGS)
    hangs = asyncio.Event()

    class HalfDead(Post):
        async def send(self, n: Notification) -> None:
            if n.channel == "ben/mail":
                await hangs.wait()
            await super().send(n)

    w.post = w.engine._actors._doors.notifier = HalfDead()

    def tell(tx: Tx) -> None:
        for number in range(300):
            channel = "ana/mail" if number == 299 else "ben/mail"
            paging.tell(
                tx, subject="INC-1", channel=channel, purpose="update", title=f"{number}", body="", key=f"k{number}"
            )

    await w.store.write(tell)
    while not w.post.to("ana/mail"):
        await w.engine.act_one(jobs.NOTIFY)
        await asyncio.sleep(0)
    assert w.post.to("ben/mail") == []
    hangs.set()
    await w.engine.acted()
    assert w.post.to("ben/mail") == ["0", "1"]

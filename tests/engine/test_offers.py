"""What the links of real messages are for: a page offers an answer and the next level, an ask declaring and time."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta

from incidentd import links
from incidentd.engine import answering, commands
from incidentd.engine.answering import Press
from incidentd.errors import TemporaryError
from incidentd.holds import HoldPolicy
from incidentd.links import LinkAction
from incidentd.pages import PageState
from incidentd.rules import URGENCIES, Decide, SeverityRule
from incidentd.settings import Settings
from incidentd.timeline import Actor
from tests.engine.world import Making, World, policy, roster

KEY = b"k" * 32


def offered(w: World, body: str) -> dict[str, links.Claim]:
    """Read the links of a message by what they are for."""
    tokens = re.findall(r"https://x\.example/a/(\S+)", body)
    claims = [links.read({links.kid_of(KEY): KEY}, token, w.now) for token in tokens]
    return {claim.action: claim for claim in claims}


def settings(hold: HoldPolicy | None = None) -> Settings:
    return Settings(
        roster=roster("ana", "ben"), escalations=policy("default", (0, "ana"), (30, "ben")),
        external_url="https://x.example",
        rules=(
            SeverityRule(
                name="all", match=(), severity="sev3", urgency="urgent", decide=Decide.HOLD, page="default",
                hold=hold or HoldPolicy(), because="",
            ),
        ),
    )  # fmt: skip


async def test_a_page_offers_an_answer_and_the_next_level_to_its_reader_for_a_day(world: Making) -> None:
    w = await world(settings())
    await w.send(w.firing("QueueLag"))
    found = offered(w, w.post.sent[0].body)
    assert set(found) == {LinkAction.ACK, LinkAction.HELPING, LinkAction.ESCALATE}
    assert {(one.person, one.subject, one.expires) for one in found.values()} == {
        ("ana", "PAGE-1", w.start + timedelta(hours=24))
    }
    assert len({one.nonce for one in found.values()}) == len(found)


PATIENT = HoldPolicy(no_progress_after=timedelta(days=3), hard_cap=timedelta(days=3), declare_on=frozenset())


async def test_the_links_of_a_page_that_calls_again_a_day_later_work_for_a_day(world: Making) -> None:
    known = settings(PATIENT)
    day = {name: replace(it, renotify=timedelta(hours=24)) for name, it in URGENCIES.items()}
    w = await world(replace(known, urgencies=day))
    await w.send(w.firing("QueueLag"))
    await w.do(commands.ack_page, 1, by="ana", actor=Actor(name="ana", via="test"))
    await w.at(24 * 60 + 10)
    assert (await w.page()).lapsed_by == "ana"
    again = w.post.sent[-1]
    claim = offered(w, again.body)[LinkAction.ACK]  # a link that expired is refused when it is read
    assert claim.expires == w.start + timedelta(hours=48)
    await w.do(answering.press, Press(claim=claim, actor=Actor(name="ana", via="link"), key=KEY))
    assert (await w.page()).state is PageState.ACKED


async def test_another_try_of_a_message_has_the_same_links(world: Making) -> None:
    w = await world(settings(PATIENT))
    w.post.failures["ana/mail"] = TemporaryError("it does not answer")
    await w.send(w.firing("QueueLag"))
    await w.at(1)
    w.post.failures.clear()
    await w.at(5)
    late = next(n for n in w.post.sent if n.key == "PAGE-1/0/ana/mail")
    assert late.attempt > 1
    assert {one.expires for one in offered(w, late.body).values()} == {w.start + timedelta(hours=24)}


async def test_the_question_before_a_hold_declares_offers_declaring_and_more_time(world: Making) -> None:
    w = await world(settings())
    await w.send(w.firing("QueueLag"))
    await w.at(29)
    asked = [n for n in w.post.sent if "/ask/" in n.key]
    assert asked
    found = offered(w, asked[0].body)
    assert set(found) == {LinkAction.DECLARE, LinkAction.EXTEND}
    assert {one.subject for one in found.values()} == {"HOLD-1"}

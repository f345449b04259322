"""What the links of real messages are for: a page offers an answer and the next level, an ask declaring and time."""

from __future__ import annotations

import re
from datetime import timedelta

from incidentd import links
from incidentd.holds import HoldPolicy
from incidentd.links import LinkAction
from incidentd.rules import Decide, SeverityRule
from incidentd.settings import Settings
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


async def test_the_question_before_a_hold_declares_offers_declaring_and_more_time(world: Making) -> None:
    w = await world(settings())
    await w.send(w.firing("QueueLag"))
    await w.at(29)
    asked = [n for n in w.post.sent if "/ask/" in n.key]
    assert asked
    found = offered(w, asked[0].body)
    assert set(found) == {LinkAction.DECLARE, LinkAction.EXTEND}
    assert {one.subject for one in found.values()} == {"HOLD-1"}

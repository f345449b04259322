"""An incident that is over, and the words with which people finish its postmortem."""

from __future__ import annotations

from dataclasses import replace

from incidentd.engine import commands, lifecycle, postmortems
from incidentd.oncall import Team
from incidentd.settings import Settings
from incidentd.timeline import Actor
from tests.engine.test_holds_and_incidents import SETTINGS
from tests.engine.world import Making, World, roster

ANA, BEN, CHO, DIA, ELI, FAY = (Actor(name=name, via="api") for name in ("ana", "ben", "cho", "dia", "eli", "fay"))
TEAMS = {
    "shop": Team(name="shop", people=("ana", "ben"), lead="ben"),
    "mail": Team(name="mail", people=("cho", "dia"), lead="dia"),
}
PEOPLE = replace(SETTINGS, roster=replace(roster("ana", "ben", "cho", "dia", "eli", "fay"), teams=TEAMS))
WORDS = {
    "summary": "Checkout was down for all customers for 12 minutes since a pool was full, and it is fixed.",
    "problem": "| What | How much |\n|---|---|\n| Duration | 12m |\n| Products affected | checkout |\n"
    "| % affected | 100 % of orders |\n| User impact (numbers) | estimate: 4,000 orders |\n"
    "| Revenue impact | none |\n| Data loss | no |",
    "issue": "Every worker waited for a connection of the pool.",
    "causes": "- Trigger: a new release\n- Contributing factors: a pool without a limit; no alert on waiting\n"
    "- What made it worse: nothing\n- What limited it: the rollback",
    "items": "| # | Action | Type | Priority | Owner | Due | Jira |\n|---|---|---|---|---|---|---|\n"
    "| 1 | Refuse a release in CI when its pool has no limit | prevent | P1 | ana | 2026-12-24 | OPS-1 |",
    "well": "The rollback took two minutes.",
    "improve": "The graph of the pool was hard to find.",
    "lucky": "It was at night.",
    "feedback": "| Question | Answer | Action item |\n|---|---|---|\n| Is the monitoring good? | yes | - |",
    "before": "| Time | Event | Source link |\n|---|---|---|\n| 2026-11-24 13:50:00 | The release began. | observed |",
    "glossary": "Pool: connections that workers share.",
    "external": "- Summary: Orders failed for twelve minutes.\n- What happened: A store of ours was full.\n"
    "- What we are doing: It cannot fill up again.",
}  # fmt: skip
"""By the names of the pieces that people write."""


async def over(world: Making, settings: Settings = PEOPLE) -> World:
    """Let INC-1 be declared by an alert, taken by ana, and resolved twelve minutes later."""
    w = await world(settings)
    await w.send(w.firing("CheckoutDown", service="shop"))
    await w.do(commands.ack_page, 1, by="ana", actor=ANA)
    await w.at(12)
    await w.do(lifecycle.resolve, 1, actor=ANA, note="rolled back")
    return w


async def written(w: World) -> None:
    """Let ana write everything that only people know, with two reviewers of other teams."""
    for name, text in WORDS.items():
        await w.do(postmortems.edit, 1, name, text=text, actor=ANA)
    plan = postmortems.Plan(reviewers=("cho", "eli"), facilitator="fay")
    await w.do(postmortems.assign, 1, plan, actor=ANA)

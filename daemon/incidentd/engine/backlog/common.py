"""What all units about action items share: the timeline they are told on, the days they wait for, who is told."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime

from incidentd.actionitems import ActionItem, ItemState, effect_due, next_reminder
from incidentd.engine import rota
from incidentd.metrics import Metrics
from incidentd.settings import Settings
from incidentd.store import Tx, chain, jobs, things
from incidentd.text import plain
from incidentd.timeline import SYSTEM, Actor, Draft

REMIND = "item.due"
EFFECT = "item.effect"
"""The kinds of the deadlines of items."""


def of(item: ActionItem) -> str:
    """Name the timeline that an item is told on."""
    return item.subject or SYSTEM


def say(tx: Tx, item: ActionItem, actor: Actor, kind: str, text: str) -> None:
    """Write a sentence about an item on its timeline."""
    facts = {"item": item.key, **({"jira": item.jira_key} if item.jira_key else {})}
    chain.append(tx, of(item), actor, [Draft(f"item.{kind}", text, facts)])


def keep(tx: Tx, item: ActionItem) -> ActionItem:
    """Store what became of an item, and set the clocks that it has now."""
    things.save_item(tx, item)
    _set(tx, item, REMIND, reminder[1] if (reminder := next_reminder(item)) else None)
    _set(tx, item, EFFECT, effect_due(item) if item.effect is None else None)
    return item


def _set(tx: Tx, item: ActionItem, kind: str, at: datetime | None) -> None:
    key = f"{kind}:{item.id}"
    if at is None or item.drill:
        jobs.cancel(tx, key)
        return
    jobs.schedule(
        tx, queue=jobs.TIMER, kind=kind, subject=of(item), ukey=key, due_at=at, payload={"item": item.id}
    )  # fmt: skip


def measure(tx: Tx, item: ActionItem, figure: Callable[[Metrics], object]) -> None:
    """Count something about an item; those of drills are in no metric."""
    if not item.drill:
        tx.count(figure)


def lead_of(settings: Settings, item: ActionItem) -> str:
    """Name who leads the team of an item; '' when nobody does."""
    team = settings.roster.teams.get(item.team)
    return team.lead if team is not None else ""


def tell(tx: Tx, settings: Settings, item: ActionItem, whom: Iterable[str], *, title: str, body: str, key: str) -> None:
    """Tell people something about an item, by channels that ring nobody."""
    where = item.jira_url or f"{settings.external_url}/action-items/{item.key}"
    people = [one for one in dict.fromkeys(whom) if one]
    rota.tell(tx, settings, people, title=title, body=f"{body}\n\n{where}", key=f"{item.key}/{key}")


def named(item: ActionItem) -> str:
    """Name an item for a sentence: `AI-3 (PAY-7): Add a limit`."""
    issue = f" ({item.jira_key})" if item.jira_key else ""
    return f"{item.key}{issue}: {plain(item.title, 120)}"


def words_of(state: ItemState) -> str:
    """Write a state for a sentence."""
    return state.value.replace("_", " ")

"""What was stored under a correlation key that is too long by now is found by the short one."""

from __future__ import annotations

import json
import secrets
from dataclasses import replace
from importlib import import_module

import pytest
from alembic.migration import MigrationContext
from alembic.operations import Operations
from sqlalchemy import select, update

from incidentd.actionitems import ActionItem
from incidentd.holds import Hold
from incidentd.incidents import Incident
from incidentd.rules import Decide, LabelMap, SeverityRule
from incidentd.store import Tx
from incidentd.store.base import dump, load
from incidentd.store.tables import action_item, hold, incident
from incidentd.triage import correlation_key
from tests.engine.test_hostile_lengths import BY_URL, HELD
from tests.engine.world import Making, World

KINDS = {hold: Hold, incident: Incident, action_item: ActionItem}
# too long for a key, and short enough for an index
URL, OTHER = (f"https://{secrets.token_hex(800)}" for _ in range(2))


def _as_before(tx: Tx, rule: SeverityRule, *urls: str) -> None:
    """Store under whole keys what was stored under short ones, as an earlier version did."""
    for url in urls:
        short = correlation_key(rule, {"alertname": "Slow", "url": url}, LabelMap())
        whole = json.dumps([rule.name, "Slow", url], ensure_ascii=False)
        for table, kind in KINDS.items():
            for row in tx.conn.execute(select(table).where(table.c.correlation_key == short)).all():
                body = dump(replace(load(row.body, kind), correlation_key=whole))
                change = update(table).where(table.c.id == row.id)
                tx.conn.execute(change.values(correlation_key=whole, body=body))


MIGRATION = import_module("incidentd.store.migrations.versions.0030_long_keys_are_shortened")


def _migrated(tx: Tx) -> None:
    with Operations.context(MigrationContext.configure(tx.conn)):
        MIGRATION.upgrade()


def _counts(tx: Tx) -> list[int]:
    """Count holds, incidents and items."""
    return [len(tx.conn.execute(select(table.c.id)).all()) for table in KINDS]


async def _upgraded(w: World, rule: SeverityRule) -> None:
    await w.store.write(_as_before, rule, URL)
    await w.store.write(_migrated)


@pytest.mark.parametrize(
    ("decide", "there"), [(Decide.HOLD, [1, 0, 0]), (Decide.DECLARE, [0, 1, 0]), (Decide.TICKET, [0, 0, 1])]
)
async def test_what_is_open_under_a_long_key_takes_the_alerts_of_it_after_an_upgrade(
    world: Making, decide: Decide, there: list[int]
) -> None:
    rule = replace(BY_URL, decide=decide)
    w = await world(replace(HELD, rules=(rule,)))
    await w.send(w.firing("Slow", url=URL))
    await _upgraded(w, rule)
    await w.send(w.firing("Slow", url=URL), w.firing("Slow", url=URL, pod="2"))
    assert await w.store.read(_counts) == there
    await w.send(w.firing("Slow", url=OTHER))
    assert await w.store.read(_counts) == [2 * number for number in there], "another one is another one"


async def test_what_was_opened_meanwhile_under_the_short_key_stays_the_one_and_keys_are_shortened_once(
    world: Making,
) -> None:
    w = await world(HELD)
    await w.send(w.firing("Slow", url=URL))
    await w.store.write(_as_before, BY_URL, URL)
    await w.send(w.firing("Slow", url=URL, pod="2"))
    kept = [(await w.hold(number)).correlation_key for number in (1, 2)]
    assert len(set(kept)) == 2
    for _ in range(2):
        await w.store.write(_migrated)
        assert [(await w.hold(number)).correlation_key for number in (1, 2)] == kept


async def test_every_long_key_is_shortened_as_rules_shorten_it_and_no_other_is(world: Making) -> None:
    w = await world(HELD)
    urls = (URL, "x" * 1000, f'{OTHER}\\\N{LATIN SMALL LETTER E WITH ACUTE}"')
    for url in urls:
        await w.send(w.firing("Slow", url=url))
    keys = [(await w.hold(number)).correlation_key for number in (1, 2, 3)]
    await w.store.write(_as_before, BY_URL, *urls)
    assert [len((await w.hold(number)).correlation_key) > 1500 for number in (1, 2, 3)] == [True, False, True]
    await w.store.write(_migrated)
    assert [(await w.hold(number)).correlation_key for number in (1, 2, 3)] == keys


@pytest.mark.parametrize(
    "key", ["watchdog:" + "x" * 2000, '["rule' + "x" * 2000 + '"]', "7" * 2000, '["a", 7]' + " " * 2000]
)
def test_a_long_key_that_no_rule_made_stays_as_it_is(key: str) -> None:
    assert MIGRATION._short(key) == key

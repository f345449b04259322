"""History told again: out of a store that is in use, out of captured bodies, and what other rules make of it."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import delete

from incidentd.errors import BadRequest, StoreUnavailable
from incidentd.holds import HoldPolicy
from incidentd.matchers import parse_matcher
from incidentd.playbooks.numbers import parse_condition
from incidentd.rehearsal.captured import captured
from incidentd.rehearsal.difference import Difference, Differs, differences, lines
from incidentd.rehearsal.replay import Replayed, replay
from incidentd.rules import CATCH_ALL, Decide, Query, SeverityRule
from incidentd.settings import PrometheusSettings, Settings, Source
from incidentd.store import Tx
from incidentd.store.history import Received, received
from incidentd.store.tables import inbox
from incidentd.templates import compile_template
from tests.engine.world import START, Making, minutes, policy, roster

DATA = Path(__file__).parents[1] / "data" / "payloads"


def held(name: str, after: float, **more: object) -> SeverityRule:
    patience = HoldPolicy(no_progress_after=minutes(after), hard_cap=minutes(60), quiet=minutes(5))
    rule = SeverityRule(
        name=name, match=(parse_matcher(f'alertname="{name}"'),), decide=Decide.HOLD, severity="sev3",
        urgency="urgent", page="ops", hold=patience,
    )  # fmt: skip
    return replace(rule, **more)  # type: ignore[arg-type]  # the rule's own fields


def settings(*rules: SeverityRule) -> Settings:
    return Settings(rules=(*rules, CATCH_ALL), roster=roster("ana", "ben"), escalations=policy("ops", (0, "ana")))


def body(status: str, name: str, began: float, at: float) -> Received:
    starts, now = (START + minutes(began)).isoformat(), START + minutes(at)
    one = {"status": status, "labels": {"alertname": name}, "annotations": {}, "startsAt": starts}
    one["endsAt"] = now.isoformat() if status == "resolved" else "0001-01-01T00:00:00Z"
    raw = {"version": "4", "receiver": "r", "groupKey": "{}", "alerts": [one]}
    return Received(now, "default", json.dumps(raw).encode())


HISTORY = [
    body("firing", "Slow", 0, 0), body("firing", "Blip", 0, 1), body("resolved", "Blip", 0, 8),
    body("firing", "Slow", 0, 12), body("resolved", "Slow", 0, 50), body("firing", "Noise", 55, 55),
]  # fmt: skip
PRESENT = settings(held("Slow", 30), held("Blip", 20), held("Noise", 30, decide=Decide.RECORD))


async def compared(changed: Settings) -> tuple[Replayed, Replayed, list[Difference]]:
    before, after = await replay(HISTORY, PRESENT), await replay(HISTORY, changed)
    return before, after, differences(before, after)


@pytest.mark.slow
async def test_a_shorter_patience_declares_earlier_and_what_healed_before() -> None:
    before, after, found = await compared(settings(held("Slow", 20), held("Blip", 5), held("Noise", 30)))
    told = {it.labels["alertname"]: (it.kind, it.moved) for it in found}
    assert told == {
        "Slow": (Differs.EARLIER, timedelta(minutes=-10)), "Blip": (Differs.DECLARED, timedelta(0)),
        "Noise": (Differs.DECLARED, timedelta(0)),
    }  # fmt: skip
    assert (before.incidents, after.incidents) == (1, 3)
    assert after.pages > before.pages


@pytest.mark.parametrize(("unknown", "declared"), [(True, 1), (False, 0)])
async def test_a_condition_on_live_data_counts_as_its_rule_says_for_unknown(unknown: bool, declared: int) -> None:
    asks = Query(promql=compile_template("sum(lost) or vector(0)"), is_=parse_condition("> 100"), unknown=unknown)
    money = replace(held("Slow", 30), name="money", decide=Decide.DECLARE, when=(asks,))
    base = settings(money, held("Slow", 60), *PRESENT.rules[1:-1])
    source = Source(name="default", prometheus=PrometheusSettings(url="http://127.0.0.1:9"))
    told = await replay(HISTORY, replace(base, sources={"default": source}))
    assert sum(it.rule == "money" and it.declared for it in told.fates.values()) == declared


async def test_a_longer_patience_declares_nothing_of_what_heals_in_it() -> None:
    before, after, found = await compared(settings(held("Slow", 55), held("Blip", 20), PRESENT.rules[2]))
    [it] = found
    assert (it.kind, it.before.reason, it.after.reason) == (Differs.NOT_DECLARED, "no_progress", "human_resolved")
    # the incident goes on with the page of its hold
    assert (before.pages - after.pages, before.incidents, after.incidents) == (0, 1, 0)
    text = "\n".join(lines(found))
    assert "no longer declared (1)\n  Slow, firing since 2026-11-24 14:00:00 UTC" in text
    assert "declared 2026-11-24 14:30:00 UTC (no_progress, rule Slow, sev3, 1 page) -> held, human_resolved" in text


@pytest.mark.slow
async def test_the_same_rules_make_no_difference() -> None:
    assert (await compared(PRESENT))[2] == []


@pytest.mark.slow
async def test_other_decisions_and_other_pages_are_differences_too() -> None:
    ticket = held("Blip", 20, decide=Decide.TICKET)
    _, _, found = await compared(settings(held("Slow", 30, page=""), ticket, PRESENT.rules[2]))
    assert [(it.kind, it.labels["alertname"]) for it in found] == [
        (Differs.OTHERWISE, "Blip"), (Differs.PAGES, "Slow")
    ]  # fmt: skip


@pytest.mark.slow
async def test_people_who_never_answer_have_it_declared_sooner() -> None:
    patient = settings(held("Slow", 45), held("Blip", 20), PRESENT.rules[2])
    answered, late, never = [
        await replay(HISTORY, patient, answered_after=after) for after in (timedelta(0), minutes(40), None)
    ]
    reasons = [[it.reason for it in told.fates.values() if it.declared] for told in (answered, late, never)]
    assert reasons == [["no_progress"], ["ack_missed"], ["ack_missed"]]


@pytest.mark.slow
async def test_the_history_of_a_store_in_use_is_what_it_received(world: Making, store_url: str) -> None:
    w = await world(PRESENT)
    for it in HISTORY:
        await w.until(it.at)
        await w.deliver(it.source, it.body)
    assert received(store_url) == HISTORY

    await w.store.write(forget_bodies)
    again = received(store_url)
    assert [it.at for it in again] == [it.at for it in HISTORY if it is not HISTORY[3]]  # a repeat changed nothing
    assert differences(await replay(HISTORY, PRESENT), await replay(again, PRESENT)) == []


def forget_bodies(tx: Tx) -> None:
    tx.conn.execute(delete(inbox))


def test_a_store_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable, match="there is no store at"):
        received(f"sqlite:///{tmp_path}/none.db")


@pytest.mark.parametrize("scenario", ["flap_within_group_interval", "group_growth", "partial_then_full_resolve"])
async def test_what_a_real_alertmanager_sent_is_replayed_from_its_files(scenario: str) -> None:
    history = captured(DATA / scenario)
    assert [it.at for it in history] == sorted(it.at for it in history)
    told = await replay(history, settings())
    assert told.holds >= 1
    assert told.refused == 0


@pytest.mark.slow
async def test_bodies_that_no_receiver_would_take_are_counted_and_left_out() -> None:
    history = captured(DATA / "synthetic")
    told = await replay([it for it in history if it.at.year < 2030], settings())
    assert told.refused > 5
    assert told.holds >= 5


def test_lines_of_json_say_when_each_body_came(tmp_path: Path) -> None:
    first = {"at": "2026-11-24T14:05:00Z", "source": "prod", "body": json.loads(HISTORY[0].body)}
    (tmp_path / "a.jsonl").write_text(json.dumps(first) + "\n\n" + HISTORY[1].body.decode() + "\n")
    with_time, without = captured(tmp_path)
    assert (with_time.at, with_time.source) == (START + minutes(5), "prod")
    assert (without.at, without.source) == (START + minutes(5), "default")  # never before the one ahead of it


@pytest.mark.parametrize(
    ("text", "words"),
    [("{", "a.jsonl:1: "), ('{"at": "soon", "body": {}}', "a.jsonl:1: not a time"), ("", "holds no webhook bodies")],
)
def test_lines_that_are_none_are_said_with_their_place(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "a.jsonl").write_text(text)
    with pytest.raises(BadRequest, match=words):
        captured(tmp_path)

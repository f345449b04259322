"""Updates on time, over hours: promised, sent, approved, late, skipped; on each store, and by two replicas."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from incidentd.engine import commands, lifecycle, records, updates
from incidentd.engine.updates import Asking
from incidentd.errors import BadRequest, Conflict, NotFound
from incidentd.incidents import Status
from incidentd.oncall import Channel, ChannelKind
from incidentd.records import Belief, SectionName
from incidentd.redaction import Secret
from incidentd.roles import Assignment, Role
from incidentd.settings import Settings
from incidentd.store import Tx, subjects
from incidentd.store import updates as stored
from incidentd.store.views import state_counts
from incidentd.timeline import Actor
from incidentd.updates import CADENCES, Audience, AudiencePlan, UpdateSettings
from tests.engine.world import Making, World, make_world, minutes, policy, roster

ANA = Actor(name="ana", via="api")
INSIDE, OUTSIDE = Audience.INTERNAL, Audience.EXTERNAL
PLANS = {
    INSIDE: AudiencePlan(channels=("staff",), cadences=CADENCES[INSIDE]),
    OUTSIDE: AudiencePlan(
        channels=("world",), cadences=CADENCES[OUTSIDE], approval=True, first_by_itself=True, strict=True
    ),
}
SETTINGS = Settings(
    external_url="http://incidentd.example.org",
    roster=roster("ana", "ben", "cho"),
    escalations=policy("default", (0, "dia"), (600, "ana")) | policy("default", (0, "ben"), (600, "ana")),
    channels={
        name: Channel(name=name, kind=ChannelKind.CHAT, url=Secret("json://127.0.0.1:9/x"))
        for name in ("staff", "world")
    },
    updates=UpdateSettings(audiences=PLANS, services={"shop": "Checkout"}),
)


def by(name: str, **how: Any) -> Asking:
    return Asking(actor=Actor(name=name, via="api"), **how)


async def declared(w: World, severity: str = "sev1", service: str = "shop") -> None:
    """Ana declares an incident, commands it, and cho leads the communications."""
    await w.do(commands.declare_incident, actor=ANA, title="Checkout is down", severity=severity, service=service)
    await w.store.write(_communications, "cho")


def _communications(tx: Tx, person: str) -> None:
    incident = subjects.get_incident(tx, 1)
    role = Assignment(role=Role.COMMUNICATIONS_LEAD, person=person, since=tx.now)
    subjects.save_incident(tx, replace(incident, roles=(*incident.roles, role), version=incident.version + 1))


def _worse(tx: Tx, settings: Settings, severity: str) -> None:
    before = subjects.get_incident(tx, 1)
    after = replace(before, severity=severity, version=before.version + 1)
    subjects.save_incident(tx, after)
    updates.changed(tx, settings, before, after)


async def due(w: World, audience: Audience) -> float | None:
    at = (await w.store.read(stored.promises, 1))[audience].due_at
    return None if at is None else (at - w.start) / minutes(1)


async def said(w: World, kind: str) -> list[tuple[float, str]]:
    """Give when entries of a kind were written, in minutes, and whom they name."""
    return [((it.at - w.start) / minutes(1), it.text) for it in await w.entries("INC-1") if it.kind == kind]


def posts(w: World, channel: str) -> list[Any]:
    return [it for it in w.post.sent if it.channel == channel]


async def test_a_draft_takes_over_what_people_put_down(world: Making) -> None:
    w = await world(SETTINGS)
    await declared(w)

    async def drafted(audience: Audience) -> str:
        found = await w.store.read(updates.prepared, SETTINGS, 1, audience)
        return str(found["text"])

    assert "[say: who is affected, and how]" in await drafted(OUTSIDE)
    await w.do(records.write_section, 1, SectionName.IMPACT, text="Half of all\npayments fail.\n\nMore.", actor=ANA)
    assert "Half of all payments fail. The cause is not yet known." in await drafted(OUTSIDE)
    for number, text in enumerate(("the pool is full", "dns"), start=1):
        await w.do(records.add_hypothesis, 1, text=text, actor=ANA)
        await w.do(records.judge_hypothesis, 1, number, actor=ANA, state=Belief.SUPPORTED)
    await w.do(records.judge_hypothesis, 1, 2, actor=ANA, state=Belief.REFUTED)
    await w.do(records.add_task, 1, text="roll back to 4.1.", owner="ben", box=minutes(30), actor=ANA)
    await w.do(lifecycle.identify, 1, actor=ANA, admin=True)
    assert "the pool is full. What is done now: [say: " in await drafted(INSIDE), "ben did not say that he has it"
    await w.do(records.acknowledge_task, 1, 1, actor=Actor(name="ben", via="api"))
    assert "What is done now: roll back to 4.1 (ben), decided at " in await drafted(INSIDE)
    assert "What is done now: roll back to 4.1, decided at " in await drafted(OUTSIDE)
    await w.do(records.end_task, 1, 1, actor=ANA, result="done")
    assert "What is done now: [say: " in await drafted(INSIDE)


async def test_a_sev1_keeps_every_deadline_to_the_minute(world: Making) -> None:
    w = await world(SETTINGS)
    await declared(w)
    assert (await due(w, INSIDE), await due(w, OUTSIDE)) == (15, 5)

    await w.at(4.9)
    assert posts(w, "world") == []
    await w.at(5)
    (first,) = posts(w, "world")
    assert "a problem with Checkout" in first.body
    assert first.body.endswith("Next update by 14:10 UTC.")
    assert "incidentd.example.org" not in first.body
    assert await due(w, OUTSIDE) == 10

    await w.at(9)
    text = "Customers cannot pay by card. The cause is not yet known."
    waits, _ = await w.do(updates.send_update, 1, audience=OUTSIDE, asking=by("cho"), text=text)
    assert (waits.key, waits.state) == ("UPD-2", "waiting")
    with pytest.raises(Conflict, match="ana lets this update go out"):
        await w.do(updates.approve_update, 2, asking=by("cho"))
    sent = await w.do(updates.approve_update, 2, asking=by("ana"))
    assert (sent.approved_by, sent.late, await due(w, OUTSIDE)) == ("ana", False, 29)
    assert posts(w, "world")[-1].body == f"{text}\nNext update by 14:29 UTC."

    await w.at(15)
    await w.do(updates.send_update, 1, audience=INSIDE, asking=by("cho"), text="Card payments fail; ben looks.")
    assert await due(w, INSIDE) == 45
    assert "http://incidentd.example.org/incidents/INC-1" in posts(w, "staff")[-1].body
    told = [text for _, text in await said(w, "update.sent")]
    assert told[1].startswith("cho told external, approved by ana: Customers cannot pay by card.")


@pytest.mark.parametrize(
    ("move", "how"), [(lifecycle.identify, {"cause": "release 4.2"}), (lifecycle.mitigate, {"note": "rolled back"})]
)
async def test_the_first_words_do_not_go_out_by_themselves_once_more_is_known_than_they_say(
    world: Making, move: Any, how: dict[str, str]
) -> None:
    """That the cause is not yet known would not be true any more; what is, a person writes."""
    w = await world(replace(SETTINGS, updates=UpdateSettings(audiences={OUTSIDE: PLANS[OUTSIDE]})))
    await declared(w)
    await w.at(4)
    await w.do(move, 1, actor=ANA, admin=True, **how)
    await w.at(6)
    assert posts(w, "world") == []
    assert await w.store.read(updates.outside, SETTINGS) == {"incidents": []}
    ((at, text),) = await said(w, "updates.overdue")
    assert (at, text.rpartition(". ")[2]) == (5, "Reminded: cho.")

    await w.do(lifecycle.investigate, 1, actor=ANA, text="not that", admin=True)
    await w.at(10)
    (first,) = posts(w, "world")
    assert "its cause are not yet known" in first.body, "it is investigated again, and nobody was faster"


async def test_a_late_update_is_called_in_from_its_lead_then_the_commander_then_whoever_is_on_call(
    world: Making,
) -> None:
    w = await world(replace(SETTINGS, updates=UpdateSettings(audiences={INSIDE: PLANS[INSIDE]})))
    await declared(w)
    await w.at(45)
    calls = [(at, text.rpartition(". ")[2]) for at, text in await said(w, "updates.overdue")]
    assert calls == [
        (15, "Reminded: cho."), (20, "Reminded: cho, ana."), (25, "Escalated to: cho, ana, ben."),
        (40, "Escalated to: cho, ana, ben."),
    ]  # fmt: skip
    counts = await w.store.read(_counted)
    assert counts == {("internal", "sev1"): 1}

    sent, _ = await w.do(updates.send_update, 1, audience=INSIDE, asking=by("cho"), text="It is the card terminal.")
    assert sent.late
    await w.at(74)
    assert len(await said(w, "updates.overdue")) == 4
    assert await w.store.read(_counted) == {}
    assert 'incident_updates_total{audience="internal",timeliness="late"} 1.0' in w.metrics.render("")[0].decode()


def _counted(tx: Tx) -> dict[tuple[str, str], float]:
    return dict(state_counts(tx).updates_overdue)


async def test_the_holder_is_looked_up_when_an_update_is_due_and_the_commander_answers_for_an_empty_role(
    world: Making,
) -> None:
    w = await world(replace(SETTINGS, updates=UpdateSettings(audiences={INSIDE: PLANS[INSIDE]})))
    await w.do(commands.declare_incident, actor=ANA, title="Checkout is down", severity="sev2")
    await w.at(30)
    assert [text.rpartition(". ")[2] for _, text in await said(w, "updates.overdue")] == ["Reminded: ana."]
    await w.store.write(_communications, "ben")
    await w.at(35)
    assert (await said(w, "updates.overdue"))[-1][1].endswith("Reminded: ben, ana.")


async def test_a_sev2_is_told_as_its_severity_rises_and_falls(world: Making) -> None:
    w = await world(replace(SETTINGS, updates=UpdateSettings(audiences={INSIDE: PLANS[INSIDE]})))
    await declared(w, "sev3")
    assert [it.body.partition("\n")[0] for it in posts(w, "staff")] == [
        "14:00 UTC: we are investigating INC-1 Checkout is down. Its extent and its cause are not yet known."
    ]
    assert await due(w, INSIDE) == 240
    await w.at(10)
    await w.do(lambda tx, settings: _worse(tx, settings, "sev2"))
    assert await due(w, INSIDE) == 40
    await w.at(20)
    await w.do(lambda tx, settings: _worse(tx, settings, "sev3"))
    assert await due(w, INSIDE) == 40
    await w.do(updates.send_update, 1, audience=INSIDE, asking=by("cho"), text="Only some customers are affected.")
    assert await due(w, INSIDE) == 260


async def test_a_text_that_cannot_go_out_is_refused_with_what_to_do(world: Making) -> None:
    w = await world(SETTINGS)
    await declared(w)
    send = updates.send_update
    with pytest.raises(BadRequest, match=r"1:\d+: `\[say: who is affected, and how\]`: fill this in"):
        await w.do(send, 1, audience=INSIDE, asking=by("cho"))
    with pytest.raises(BadRequest, match="never when it is over"):
        await w.do(send, 1, audience=OUTSIDE, asking=by("ana"), text="Unknown cause. It will be fixed by 15:00.")
    with pytest.raises(BadRequest, match="every 30m at least"):
        await w.do(send, 1, audience=INSIDE, asking=by("cho"), text="Ben looks.", next_in=minutes(31))
    with pytest.raises(NotFound, match="nobody is told as executives"):
        await w.do(send, 1, audience=Audience.EXECUTIVES, asking=by("cho"), text="Ben looks.")
    with pytest.raises(Conflict, match="ben has no such role in INC-1: ana or cho speaks for it"):
        await w.do(send, 1, audience=INSIDE, asking=by("ben"), text="I look.")
    await w.do(send, 1, audience=INSIDE, asking=by("dia", admin=True), text="14:01: Ben looks.", next_in=minutes(10))
    with pytest.raises(Conflict, match="told the same at 14:00:00 UTC; say instead what was ruled out"):
        await w.do(send, 1, audience=INSIDE, asking=by("cho"), text="14:02:  ben looks.")
    with pytest.raises(Conflict, match="told something meanwhile: dia said at 14:00:00 UTC: 14:01: Ben looks"):
        await w.do(send, 1, audience=INSIDE, asking=by("cho", expected_version=0), text="Cho looks too.")

    skipped = await w.do(updates.skip_update, 1, audience=INSIDE, asking=by("cho"), reason="nothing new")
    assert (skipped.state, await due(w, INSIDE)) == ("skipped", 30)
    assert "cho skipped the internal update: nothing new. The next one is due at 14:30:00 UTC." in await w.story(
        "INC-1"
    )


async def test_less_often_is_a_decision_from_two_hours_on(world: Making) -> None:
    w = await world(replace(SETTINGS, updates=UpdateSettings(audiences={INSIDE: PLANS[INSIDE]})))
    await declared(w)
    how: dict[str, Any] = {"audience": INSIDE, "asking": by("cho"), "reason": "it takes long"}
    with pytest.raises(Conflict, match="from 16:00:00 UTC on, once it is 2h old"):
        await w.do(updates.change_cadence, 1, long=True, **how)
    await w.do(updates.change_cadence, 1, every=minutes(10), **how)
    assert await due(w, INSIDE) == 10
    await w.at(120)
    await w.do(updates.change_cadence, 1, long=True, **how)
    await w.do(updates.send_update, 1, audience=INSIDE, asking=by("cho"), text="Ben rebuilds the index.")
    assert await due(w, INSIDE) == 180


async def test_what_is_overdue_is_not_called_in_anew_by_whatever_leaves_it_due_at_the_same_time(world: Making) -> None:
    """Changing how often, a severity that rises, and the end of the incident itself; each reminder comes once."""
    w = await world(replace(SETTINGS, updates=UpdateSettings(audiences={INSIDE: PLANS[INSIDE]})))
    await declared(w)
    text = "Ben looks at the gateway; the cause is not yet known."
    await w.do(updates.send_update, 1, audience=INSIDE, asking=by("cho"), text=text)
    await w.at(121)
    overdue = len(await said(w, "updates.overdue"))
    how: dict[str, Any] = {"audience": INSIDE, "asking": by("cho"), "reason": "it takes long"}
    await w.do(updates.change_cadence, 1, long=True, **how)
    await w.do(_worse, "sev1")
    assert len(await said(w, "updates.overdue")) == overdue, "nothing is said before it is time"
    await w.at(180)
    await w.do(lifecycle.resolve, 1, actor=ANA, admin=True)
    await w.at(240)
    nags = [entry.data["nag"] for entry in await w.entries("INC-1") if entry.kind == "updates.overdue"]
    assert nags == list(range(len(nags)))
    keys = [it.key for it in w.post.sent]
    assert len(keys) == len(set(keys))


async def test_its_end_is_told_to_whom_was_told_and_to_nobody_else(world: Making) -> None:
    w = await world(SETTINGS)
    await declared(w)
    await w.at(6)
    await w.do(lifecycle.resolve, 1, actor=ANA, note="rolled back")
    assert (await due(w, INSIDE), await due(w, OUTSIDE)) == (None, 10)
    assert (await said(w, "updates.asked"))[0][1].endswith("cho is asked to say so.")
    text = "Checkout works since 14:06. No data were lost."
    await w.do(updates.send_update, 1, audience=OUTSIDE, asking=by("ana"), text=text)
    assert await due(w, OUTSIDE) is None
    assert (await w.incident()).status is not Status.DECLARED
    await w.at(300)
    assert await said(w, "updates.overdue") == []

    shown = await w.store.read(updates.outside, SETTINGS)
    (incident,) = shown["incidents"]
    assert (incident["id"], incident["status"], incident["next_update_by"]) == ("INC-1", "resolved", None)
    assert incident["updates"][0]["text"] == text
    assert "Checkout is down" not in str(shown)


async def test_a_restart_before_each_deadline_forgets_none_and_reminds_once(store_url: str) -> None:
    settings = replace(SETTINGS, updates=UpdateSettings(audiences={INSIDE: PLANS[INSIDE]}))
    w = await make_world(store_url, settings)
    await declared(w)
    keys = []
    for minute in (14, 15, 20, 25):
        await w.at(minute)
        keys += [it.key for it in w.post.sent if "/update/" in it.key]
        await w.store.close()
        w = await make_world(store_url, settings, clock=w.clock)
    assert [at for at, _ in await said(w, "updates.overdue")] == [15, 20, 25]
    assert len(keys) == len(set(keys)) == 1 + 2 + 3
    await w.store.close()


async def test_two_replicas_at_once_remind_once(postgres_store: str) -> None:
    settings = replace(SETTINGS, updates=UpdateSettings(audiences={INSIDE: PLANS[INSIDE]}))
    one = await make_world(postgres_store, settings, me="one")
    other = await make_world(postgres_store, settings, me="other", clock=one.clock)
    await declared(one)
    for minute in (15, 20, 25):
        one.clock[0] = one.start + minutes(minute)
        await asyncio.gather(one.settle(), other.settle())
    assert [at for at, _ in await said(one, "updates.overdue")] == [15, 20, 25]
    keys = [it.key for w in (one, other) for it in w.post.sent if "/update/" in it.key]
    assert len(keys) == len(set(keys)) == 1 + 2 + 3
    await one.store.close()
    await other.store.close()


async def test_the_all_clear_of_what_is_stood_down_is_asked_for_and_waits_for_nobody(world: Making) -> None:
    """Everybody is let go from it, so nobody is left who could approve; whoever is reminded can end it."""
    w = await world(SETTINGS)
    await declared(w)
    await w.at(6)
    n = len(w.post.sent)
    await w.do(lifecycle.stand_down, 1, actor=ANA, code="false_positive", text="a bad probe")
    assert (await w.incident()).commander == ""
    await w.at(9)
    assert (await said(w, "updates.asked"))[0][1].endswith("cho is asked to say so.")
    assert [it.channel for it in w.post.sent[n:] if "is stood down; not told yet" in it.title] == ["cho/mail"]

    await w.at(10)
    assert [text.rpartition(". ")[2] for _, text in await said(w, "updates.overdue")] == ["Reminded: ben."]
    text = "It was a false alarm; nobody was affected, and no data were lost."
    sent, _ = await w.do(updates.send_update, 1, audience=OUTSIDE, asking=by("ben"), text=text)
    assert (sent.state, sent.approved_by, await due(w, OUTSIDE)) == ("sent", "", None)
    assert posts(w, "world")[-1].body == text
    await w.at(120)
    assert len(await said(w, "updates.overdue")) == 1


async def test_what_is_resolved_and_has_a_commander_is_still_approved(world: Making) -> None:
    w = await world(SETTINGS)
    await declared(w)
    await w.at(6)
    await w.do(lifecycle.resolve, 1, actor=ANA, note="rolled back")
    text = "Checkout works since 14:06. No data were lost."
    waits, _ = await w.do(updates.send_update, 1, audience=OUTSIDE, asking=by("cho"), text=text)
    assert waits.state == "waiting"
    with pytest.raises(Conflict, match="ana lets this update go out"):
        await w.do(updates.approve_update, waits.id, asking=by("cho"))
    assert (await w.do(updates.approve_update, waits.id, asking=by("ana"))).approved_by == "ana"


@pytest.mark.parametrize("told_before", [False, True])
async def test_a_text_that_was_written_before_the_end_does_not_go_out_after_it(
    world: Making, told_before: bool
) -> None:
    """The old link promises nothing anew; and who was told before is owed another text, which its lead writes."""
    w = await world(replace(SETTINGS, updates=UpdateSettings(audiences={OUTSIDE: PLANS[OUTSIDE]})))
    await declared(w)
    text = "Card payments fail. The cause is not yet known."
    if told_before:
        await w.do(updates.send_update, 1, audience=OUTSIDE, asking=by("ana"), text=text)
    waits, _ = await w.do(updates.send_update, 1, audience=OUTSIDE, asking=by("cho"), text=f"{text} We look into it.")
    await w.at(1)
    n = len(posts(w, "world"))
    await w.do(lifecycle.resolve, 1, actor=ANA, note="rolled back")
    await w.at(21)
    refused = f"{waits.key} was written while INC-1 was investigating, and it is resolved now; write it anew"
    for asking in (by("ana"), by("dia", admin=True)):
        with pytest.raises(Conflict, match=refused):
            await w.do(updates.approve_update, waits.id, asking=asking)
    assert len(posts(w, "world")) == n
    calls = [text for _, text in await said(w, "updates.overdue")]
    whom = ["Reminded: cho.", "Reminded: cho, ana.", "Escalated to: cho, ana, ben."] if told_before else []
    assert [text.rpartition(". ")[2] for text in calls] == whom
    bodies = [it.body for it in w.post.sent if "/update/external/" in it.key]
    assert bool(bodies) is told_before
    assert not any(waits.key in text for text in (*calls, *bodies)), "it does not go out any more"

    over = "Card payments work since 14:01. No data were lost."
    new, _ = await w.do(updates.send_update, 1, audience=OUTSIDE, asking=by("cho"), text=over)
    sent = await w.do(updates.approve_update, new.id, asking=by("ana"))
    assert (sent.phase, sent.next_at, await due(w, OUTSIDE)) == ("resolved", None, None)
    await w.at(321)
    assert len(await said(w, "updates.overdue")) == len(calls)

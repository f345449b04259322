"""Every kind of action link: looking and prefetching change nothing, one press acts, and what is over stays over."""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from incidentd import contacts
from incidentd.engine import contact
from incidentd.handover import Handover, Message
from incidentd.incidents import Incident, Status, Trigger
from incidentd.links import LinkAction
from incidentd.metrics import Metrics
from incidentd.oncall import Channel, ChannelKind, Person, Roster
from incidentd.pages import PageState, Verdict
from incidentd.playbooks import Mode, Run, RunState
from incidentd.playbooks.questions import YES_OR_NO, Question
from incidentd.redaction import Secret
from incidentd.roles import Assignment, Offer, Role
from incidentd.settings import Settings
from incidentd.store import Tx, chain, open_store, role_handovers, roles, subjects, things
from incidentd.store import contacts as kept
from incidentd.store.tables import metadata
from incidentd.timeline import Actor
from incidentd.web import make_app
from tests.conftest import ENGINES
from tests.stores import sqlite_url
from tests.web.asking import Answer, Ask, asking, served
from tests.web.small_house import (
    KEY,
    NOW,
    SmallHouse,
    bearer,
    form_of,
    insert_hold,
    insert_page,
    link_to,
)
from tests.web.test_lists import insert_alert

PREFETCH: tuple[Mapping[str, str], ...] = (
    {}, {"Purpose": "prefetch"}, {"Sec-Purpose": "prefetch;prerender"}, {"X-Moz": "prefetch"},
    {"User-Agent": "Slackbot-LinkExpanding 1.0"},
)  # fmt: skip
MAIL = Channel(name="ana/mail", kind=ChannelKind.MAIL, url=Secret("json://127.0.0.1:9/ana"))
PEOPLE = {
    "ana": Person(handle="ana", name="Ana", channels=(MAIL,)),
    "ben": Person(handle="ben", name="Ben"),
}  # fmt: skip
ROSTER = Roster(people=PEOPLE)
RISKS = {"RUN-1": "low", "RUN-2": "high"}


@pytest.fixture(params=ENGINES)
async def house(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[SmallHouse]:
    """Give a house on each engine."""
    sqlite = request.param == "sqlite"
    url = sqlite_url(tmp_path / "test.db") if sqlite else str(request.getfixturevalue("postgres_store"))
    metrics = Metrics()
    store = await open_store(url, lambda: NOW, metrics)
    house = SmallHouse(store=store, metrics=metrics, settings=Settings(roster=ROSTER))
    await house.store.write(fill)
    yield house
    await store.close()


@pytest.fixture
async def ask(house: SmallHouse) -> AsyncIterator[Ask]:
    async with served(make_app(house)) as url, asking(url) as ask:
        yield ask


def fill(tx: Tx) -> None:
    """Put something of every kind into the store that a link may be about."""
    hold = insert_hold(tx)
    insert_page(tx, hold.key)
    over = insert_page(tx, hold.key)
    things.save_page(tx, replace(over, state=PageState.RESOLVED, closed_at=tx.now))
    insert_alert(tx, "f1", alertname="A", env="prod")
    for risk in RISKS.values():
        proposed(tx, hold.key, risk)
    run = proposed(tx, hold.key, "asking")
    things.save_run(tx, replace(run, playbook="ask", state=RunState.RUNNING, question=UNASKED))
    kept.sent(tx, MAIL.name, contacts.mark_of(KEY, MAIL))
    incident = subjects.insert_incident(
        tx,
        Incident(
            id=0, title="Down", status=Status.DECLARED, severity="sev1", declared_severity="sev1", peak_severity="sev1",
            urgency="urgent", trigger=Trigger.MANUAL, reason="Declared by ben.", impact_started_at=tx.now,
            detected_at=tx.now, declared_at=tx.now, declared_by="ben",
            roles=(Assignment(role=Role.INCIDENT_COMMANDER, person="ben", since=tx.now),),
        ),
    )  # fmt: skip
    new = Offer(id=0, incident_id=incident.id, role=Role.OPERATIONS_LEAD, person="ana", asked_at=tx.now, by="ben")
    assert roles.ask(tx, new).key == "OFFER-1"
    handed = Handover(
        id=0, incident_id=incident.id, roles=(Role.COMMUNICATIONS_LEAD,), sender="ben", receiver="ana",
        message=Message(head="HANDOVER", state="SEV1", lines=()), offered_by="ben", offered_at=tx.now,
        answer_by=tx.now + timedelta(minutes=10),
    )  # fmt: skip
    assert role_handovers.add(tx, handed).key == "HO-1"


def proposed(tx: Tx, subject: str, risk: str) -> Run:
    definition = {
        "kind": "playbook", "name": "restart", "title": "Restart the worker", "mode": "approve",
        "risk": "low" if risk == "asking" else risk,
        "match": ['alertname="A"'], "target": "{{ labels.env }}",
        "steps": [{"name": "restart", "command": ["true"]}],
    }  # fmt: skip
    run = Run(
        id=0, subject=subject, playbook="restart", sha256="", definition=definition, state=RunState.PROPOSED,
        mode=Mode.APPROVE, target=f"worker-{risk}", inputs={}, registers={}, source="default", started_at=tx.now,
        fingerprint="f1",
    )  # fmt: skip
    return things.insert_run(tx, run)


UNASKED = Question(key="steps/0", text="How many?", pattern="[0-9]", expires_at=NOW + timedelta(hours=1))
SUBJECTS = {
    LinkAction.ACK: "PAGE-1", LinkAction.HELPING: "PAGE-1",
    LinkAction.ESCALATE: "PAGE-1", LinkAction.DECLARE: "HOLD-1", LinkAction.EXTEND: "HOLD-1",
    LinkAction.APPROVE: "RUN-1", LinkAction.ANSWER: f"RUN-{len(RISKS) + 1}/steps/0",
    LinkAction.ROLE: "OFFER-1", LinkAction.HANDOVER: "HO-1", LinkAction.FEEDBACK: "PAGE-2",
    LinkAction.CONFIRM: contact.subject_of(MAIL.name, contacts.mark_of(KEY, MAIL)),
}  # fmt: skip
FIELDS: dict[LinkAction, dict[str, str]] = {
    LinkAction.EXTEND: {"reason": "the fix is rolling out", "approver": "ben"}, LinkAction.ANSWER: {"answer": "3"},
    LinkAction.ROLE: {"answer": "I take it"}, LinkAction.HANDOVER: {"answer": "I accept"},
    LinkAction.FEEDBACK: {"answer": "not actionable"},
}  # fmt: skip
DONE = {
    LinkAction.ACK: "page.acked", LinkAction.HELPING: "page.helping",
    LinkAction.ESCALATE: "page.hurried", LinkAction.DECLARE: "hold.declared",
    LinkAction.EXTEND: "hold.extended", LinkAction.APPROVE: "run.started",
    LinkAction.ANSWER: "run.answered", LinkAction.CONFIRM: "contact.confirmed", LinkAction.ROLE: "role.changed",
    LinkAction.HANDOVER: "handover.accepted", LinkAction.FEEDBACK: "page.feedback",
}  # fmt: skip


PLACES = ("HOLD-1", "INC-1", "SYSTEM")


def link_of(action: LinkAction, **how: Any) -> str:
    return link_to(action.value, SUBJECTS[action], **{"nonce": f"nonce/{action.value}", **how})


async def press(ask: Ask, link: str, **fields: str) -> Answer:
    return await ask("POST", link, **form_of(link, **fields))


def everything(tx: Tx) -> str:
    """Give a hash of every row of every table."""
    rows = [
        (table.name, sorted(repr(tuple(row)) for row in tx.conn.execute(select(table))))
        for table in metadata.sorted_tables
    ]
    return hashlib.sha256(repr(rows).encode()).hexdigest()


async def happened(house: SmallHouse, action: LinkAction) -> int:
    """Count how often what an action does stands on the timelines."""
    story = [entry for one in PLACES for entry in await house.store.read(chain.entries, one)]
    return sum(entry.kind == DONE[action] for entry in story)


@pytest.mark.slow
async def test_b5_11_prefetched_links_change_nothing_however_often_they_are_opened(house: SmallHouse, ask: Ask) -> None:
    before = await house.store.read(everything)
    for action in LinkAction:
        for number in range(100):
            headers = dict(PREFETCH[number % len(PREFETCH)])
            method = ("GET", "HEAD")[number % 3 == 1]
            assert (await ask(method, link_of(action), headers=headers)).status == 200, action
        assert (await ask("OPTIONS", link_of(action))).status == 405
    assert await house.store.read(everything) == before


async def test_a_press_without_the_form_of_its_page_changes_nothing(house: SmallHouse, ask: Ask) -> None:
    before = await house.store.read(everything)
    other = form_of(link_of(LinkAction.ACK, person="ben"))
    for action in LinkAction:
        for how in ({}, {"data": {"form": "x"}}, {"data": b"\xff\xfe"}, other):
            assert (await ask("POST", link_of(action), **how)).status in (400, 403)
    assert await house.store.read(everything) == before


@pytest.mark.parametrize("action", LinkAction)
async def test_a_press_acts_once_as_whom_the_link_was_sent_to(house: SmallHouse, ask: Ask, action: LinkAction) -> None:
    shown = await ask("GET", link_of(action))
    choices = {LinkAction.ROLE: 2, LinkAction.HANDOVER: 2, LinkAction.FEEDBACK: len(Verdict)}
    buttons = choices.get(action, 1)
    assert (shown.text.count("<button"), shown.text.count("<form")) == (buttons, 1)
    assert re.search(r'name="form" value="[\w-]{43}"', shown.text)
    first = await press(ask, link_of(action), **FIELDS.get(action, {}))
    again = await press(ask, link_of(action), **FIELDS.get(action, {}))
    assert (first.status, again.status) == (200, 200 if action is LinkAction.ACK else 410), first.text
    assert await happened(house, action) == 1
    entries = [entry for one in PLACES for entry in await house.store.read(chain.entries, one)]
    done = next(entry for entry in entries if entry.kind == DONE[action])
    assert (done.actor.name, done.actor.via) == ("ana", "link")


async def test_each_choice_of_a_question_is_a_button_and_what_came_of_it_is_said(house: SmallHouse, ask: Ask) -> None:
    run = await house.store.read(things.get_run, 3)
    question = replace(run.question or UNASKED, text="Drain <b>it</b>?", pattern="", choices=YES_OR_NO, people=("ana",))
    await house.store.write(things.save_run, replace(run, question=question))
    shown = (await ask("GET", link_of(LinkAction.ANSWER))).text
    assert re.findall(r'<button type="submit" name="answer" value="(\w+)">', shown) == ["yes", "no"]
    assert "Drain &lt;b&gt;it&lt;/b&gt;?" in shown

    other = link_of(LinkAction.ANSWER, person="ben", nonce="of ben")
    assert (await press(ask, other, answer="yes")).status == 403
    assert (await press(ask, link_of(LinkAction.ANSWER), answer="perhaps")).status == 400
    assert (await press(ask, link_of(LinkAction.ANSWER), answer="yes")).status == 200
    assert "ana was first, and answered `yes`" in (await ask("GET", other)).text


@pytest.mark.parametrize("action", LinkAction)
async def test_fifty_presses_at_once_act_once(house: SmallHouse, ask: Ask, action: LinkAction) -> None:
    link, fields = link_of(action), FIELDS.get(action, {})
    answers = await asyncio.gather(*(press(ask, link, **fields) for _ in range(50)))
    good = [answer for answer in answers if answer.status == 200]
    assert len(good) == (50 if action is LinkAction.ACK else 1)
    assert {answer.status for answer in answers} <= {200, 409, 410}
    assert await happened(house, action) == 1


@pytest.mark.slow
async def test_each_flipped_byte_of_each_link_is_refused(house: SmallHouse, ask: Ask) -> None:
    before = await house.store.read(everything)
    for action in LinkAction:
        good = link_of(action)
        for place in range(len("/a/"), len(good)):
            bad = good[:place] + ("A" if good[place] != "A" else "B") + good[place + 1 :]
            answer = await press(ask, bad)
            assert answer.status == 403, bad
    assert await house.store.read(everything) == before


@pytest.mark.parametrize("action", LinkAction)
async def test_an_expired_link_is_gone(house: SmallHouse, ask: Ask, action: LinkAction) -> None:
    link = link_of(action, expires=NOW + timedelta(minutes=15))
    house.at = NOW + timedelta(minutes=15)
    assert [(await ask("GET", link)).status, (await press(ask, link)).status] == [410, 410]


async def test_links_die_with_what_they_are_about(house: SmallHouse, ask: Ask) -> None:
    assert (await press(ask, link_of(LinkAction.DECLARE))).status == 200
    for action in (LinkAction.EXTEND, LinkAction.DECLARE):
        link = link_of(action, nonce="another")
        looked, pressed = await ask("GET", link), await press(ask, link, **FIELDS.get(action, {}))
        assert (looked.status, pressed.status) == (200, 409)
        assert "became INC-2" in looked.text


async def test_somebody_who_left_answers_nothing_any_more(house: SmallHouse, ask: Ask) -> None:
    link = link_of(LinkAction.ACK, person="cho")
    assert [(await ask("GET", link)).status, (await press(ask, link)).status] == [403, 403]


async def test_more_time_needs_a_reason_and_somebody_else_who_approves(house: SmallHouse, ask: Ask) -> None:
    for fields in ({}, {"reason": "x"}, {"reason": "x", "approver": "ana"}, {"reason": "x", "approver": "nobody"}):
        answer = await press(ask, link_of(LinkAction.EXTEND), **fields)
        assert answer.status == 400
        assert "Something is missing" in answer.text
    assert not await happened(house, LinkAction.EXTEND)
    assert (await press(ask, link_of(LinkAction.EXTEND), **FIELDS[LinkAction.EXTEND])).status == 200
    assert (await house.store.read(subjects.get_hold, 1)).extended_by == "ana"


async def test_a_playbook_of_high_risk_also_wants_a_login_of_the_same_person(house: SmallHouse, ask: Ask) -> None:
    link = link_to("approve", "RUN-2", nonce="high")
    tokens = {
        "": None, "cho": await house.token("viewer", name="cho"),
        "ben": await house.token("operator", name="ben"), "ana": await house.token("operator", name="ana"),
    }  # fmt: skip
    assert "the link alone does not do" in (await ask("GET", link)).text
    expected = {"": 401, "cho": 403, "ben": 403, "ana": 200}
    for who, token in tokens.items():
        how = form_of(link)
        how["headers"] |= bearer(token) if token else {}
        assert (await ask("POST", link, **how)).status == expected[who], who
    assert await happened(house, LinkAction.APPROVE) == 1
    [done] = [e for e in await house.store.read(chain.entries, "HOLD-1") if e.kind == "run.started"]
    assert "token:" in done.actor.key


async def test_of_an_incident_only_its_leads_approve_runs_and_an_admin(house: SmallHouse, ask: Ask) -> None:
    assert (await house.store.write(proposed, "INC-1", "low")).key == "RUN-4"
    ana = {"headers": bearer(await house.token("operator", name="ana"))}
    root = {"headers": bearer(await house.token("admin", name="root"))}
    path, link = "/api/v1/runs/RUN-4/approve", link_to("approve", "RUN-4", nonce="late")
    refused = await ask("POST", path, **ana)
    assert refused.status == 403
    assert "while INC-1 is active, ben (Incident Commander of INC-1) lets playbooks act there" in refused.error
    assert "This is for others to say" in (await ask("GET", link)).text
    assert (await press(ask, link)).status == 403
    assert (await ask("POST", path, **root)).status == 200


async def test_escalating_by_link_goes_on_and_leaves_the_page_open(house: SmallHouse, ask: Ask) -> None:
    assert (await press(ask, link_of(LinkAction.ESCALATE))).status == 200
    page = await house.store.read(things.get_page, 1)
    assert (page.state, page.step) == (PageState.OPEN, 1)


async def test_a_changed_address_is_not_confirmed_by_an_old_link(house: SmallHouse, ask: Ask) -> None:
    moved = Channel(name=MAIL.name, kind=MAIL.kind, url=Secret("json://127.0.0.1:9/another"))
    people = {**PEOPLE, "ana": Person(handle="ana", name="Ana", channels=(moved,))}
    house.settings = Settings(roster=Roster(people=people))
    looked, pressed = await ask("GET", link_of(LinkAction.CONFIRM)), await press(ask, link_of(LinkAction.CONFIRM))
    assert (looked.status, pressed.status) == (200, 409)
    assert "another address" in looked.text
    assert not await happened(house, LinkAction.CONFIRM)


async def test_the_headers_of_every_answer_keep_the_link_to_itself(house: SmallHouse, ask: Ask) -> None:
    for action in LinkAction:
        for answer in (await ask("GET", link_of(action)), await press(ask, link_of(action), **FIELDS.get(action, {}))):
            assert answer.headers["Referrer-Policy"] == "no-referrer"
            assert answer.headers["Cache-Control"] == "no-store"
            for rule in ("default-src 'none'", "form-action 'self'", "frame-ancestors 'none'"):
                assert rule in answer.headers["Content-Security-Policy"]


async def test_a_test_is_sent_listed_and_confirmed_over_the_api(house: SmallHouse, ask: Ask) -> None:
    async def state() -> str:
        return str((await ask("GET", "/api/v1/oncall/contacts")).json["contacts"][0]["state"])

    assert (await ask("POST", "/api/v1/oncall/test", json={"person": "nobody"})).status == 404
    assert (await ask("POST", "/api/v1/oncall/test", json={"person": "ben"})).status == 400
    assert (await ask("POST", "/api/v1/oncall/test", json={})).status == 400
    assert (await ask("POST", "/api/v1/oncall/test", json={"person": "ana"})).status == 409  # one was sent just now
    assert await state() == "unconfirmed"
    await press(ask, link_of(LinkAction.CONFIRM))
    assert await state() == "confirmed"
    assert "ana/mail" in (await ask("GET", "/contacts")).text


async def test_an_escalation_over_the_api_names_who_asked(house: SmallHouse, ask: Ask) -> None:
    assert (await ask("POST", "/api/v1/pages/PAGE-1/escalate", json={"by": "ben"})).status == 200
    assert await happened(house, LinkAction.ESCALATE) == 1
    ben = Actor(name="ben", via="api")
    assert ben.name in [e.actor.name for e in await house.store.read(chain.entries, "HOLD-1")]
    await press(ask, link_of(LinkAction.ACK))
    assert (await ask("POST", "/api/v1/pages/PAGE-1/escalate")).status == 409

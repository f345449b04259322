"""Two who change the same thing at the same moment: one wins, the other is told what changed, by whom and when.

Two sessions of HTTP at one front door, and at the doors of two replicas on PostgreSQL; and two who type commands.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from incidentd.metrics import Metrics
from incidentd.settings import Settings
from incidentd.store import Tx, chain, open_store, subjects
from incidentd.timeline import first_broken
from incidentd.updates import CADENCES, Audience, AudiencePlan, UpdateSettings
from incidentd.web import make_app
from tests.conftest import ENGINES
from tests.engine.world import roster
from tests.stores import sqlite_url
from tests.web.asking import Ask, asking, served
from tests.web.small_house import NOW, SmallHouse, bearer, form_of, link_to

WHEN = "14:07:00 UTC"
PEOPLE = ("ana", "ben", "cho", "dia")
SETTINGS = Settings(
    roster=roster(*PEOPLE),
    updates=UpdateSettings(audiences={
        Audience.INTERNAL: AudiencePlan(cadences=CADENCES[Audience.INTERNAL]),
        Audience.EXTERNAL: AudiencePlan(cadences=CADENCES[Audience.EXTERNAL], approval=True),
    }),
)  # fmt: skip


@dataclass(kw_only=True)
class Desk:
    """Where somebody sits: their session, and what they prove themselves with."""

    who: str
    ask: Ask
    token: str
    url: str

    async def post(self, path: str, **body: Any) -> Any:
        return await self.ask("POST", f"/api/v1/{path}", json=body, headers=bearer(self.token))

    async def get(self, path: str) -> Any:
        return await self.ask("GET", f"/api/v1/{path}", headers=bearer(self.token))

    async def type(self, *words: str) -> tuple[int, str]:
        """Type a command; gives its exit code and what it says."""
        env = {**os.environ, "INCIDENTD_URL": self.url, "INCIDENTD_TOKEN": self.token, "INCIDENTD_TOKEN_FILE": ""}
        typed = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "incidentd", *words, env=env, stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        said, _ = await typed.communicate()
        return typed.returncode or 0, said.decode()


@pytest.fixture(params=ENGINES)
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return sqlite_url(tmp_path / "incidentd.db")
    url: str = request.getfixturevalue("postgres_store")
    return url


@pytest.fixture
async def houses(store_url: str) -> AsyncIterator[list[SmallHouse]]:
    """Give one house, or two replicas where a store is for several."""
    made: list[SmallHouse] = []
    for _ in range(2 if store_url.startswith("postgresql") else 1):
        store = await open_store(store_url, lambda: made[0].at if made else NOW, metrics := Metrics())
        made.append(SmallHouse(store=store, metrics=metrics, settings=SETTINGS))
    yield made
    for house in made:
        await house.store.close()


@pytest.fixture
async def desks(houses: list[SmallHouse]) -> AsyncIterator[tuple[Desk, Desk]]:
    """Give the desks of ana and ben, each at a front door of its own where there are two."""
    async with AsyncExitStack() as stack:
        urls = [await stack.enter_async_context(served(make_app(house))) for house in houses]
        found = []
        for number, who in enumerate(("ana", "ben")):
            token = await houses[0].token("admin", name=who)
            url = urls[number % len(urls)]
            ask = await stack.enter_async_context(asking(url))
            found.append(Desk(who=who, ask=ask, token=token, url=url))
        ana, ben = found
        for title in ("Checkout fails", "Disk is full", "Mail is late"):
            answer = await ana.post("incidents", title=title, severity="sev2")
            assert answer.status == 201, answer.text
        yield ana, ben


@dataclass(frozen=True, kw_only=True)
class Both:
    """What ana and ben want at the same moment, and what the loser hears of what the winner did."""

    ana: tuple[str, Mapping[str, Any]]
    ben: tuple[str, Mapping[str, Any]]
    ana_did: str
    ben_did: str
    before: tuple[tuple[str, Mapping[str, Any]], ...] = ()
    version: str = "incident"
    """Of what they saw: the incident, a record of it, or an audience."""


INC = "incidents/INC-1"
TASK = (f"{INC}/tasks", {"text": "look at the pool", "owner": "cho", "box": "10m"})
GUESS = (f"{INC}/hypotheses", {"text": "the pool is full"})
PLAN = (f"{INC}/decisions", {"text": "fail over", "wait": "5m"})
CHANGED = (f"{INC}/changes", {"what": "rate limit off", "undo": "set it to 100"})
CRITERION = (f"{INC}/exit-criteria", {"text": "errors below 0.1%"})
SURFACES = {
    "section": Both(
        ana=(f"{INC}/sections/summary", {"text": "Half of all payments fail."}),
        ben=(f"{INC}/sections/summary", {"text": "The pool is full."}),
        ana_did="ana writes the summary: Half of all payments fail", ben_did="ben writes the summary: The pool is full",
        before=((f"{INC}/sections/summary", {"text": "We look into it."}),), version="summary",
    ),
    "severity": Both(
        ana=(f"{INC}/severity", {"severity": "sev1"}), ben=(f"{INC}/severity", {"severity": "sev3", "reason": "few"}),
        ana_did="Raised from sev2 to sev1 by ana", ben_did="Lowered from sev2 to sev3 by ben: few",
    ),
    "state": Both(
        ana=(f"{INC}/mitigate", {"note": "rolled back"}), ben=(f"{INC}/stand-down", {"code": "duplicate"}),
        ana_did="Mitigated by ana: rolled back", ben_did="Stood down by ben; duplicate",
    ),
    "cause and end": Both(
        ana=(f"{INC}/identify", {"cause": "release 4.2"}), ben=(f"{INC}/resolve", {"note": "it was a blip"}),
        ana_did="Identified by ana: release 4.2", ben_did="Resolved by ben: it was a blip",
        before=((f"{INC}/investigate", {}),),
    ),
    "over": Both(
        ana=(f"{INC}/reopen", {"reason": "orders still fail"}), ben=(f"{INC}/close", {"waive": "seen before"}),
        ana_did="Reopened by ana: orders still fail", ben_did="Closed by ben; no postmortem: seen before",
        before=((f"{INC}/severity", {"severity": "sev3", "reason": "few"}), (f"{INC}/resolve", {})),
    ),
    "times": Both(
        ana=(f"{INC}/times", {"times": {"impact_started_at": "2026-11-24T13:00:00Z"}}),
        ben=(f"{INC}/times", {"times": {"impact_started_at": "2026-11-24T13:30:00Z"}}),
        ana_did="impact_started_at corrected by ana: 2026-11-24 13:00:00 UTC",
        ben_did="impact_started_at corrected by ben: 2026-11-24 13:30:00 UTC",
    ),
    "role": Both(
        ana=(f"{INC}/roles", {"role": "ol", "person": "ana"}), ben=(f"{INC}/roles", {"role": "ol", "person": "ben"}),
        ana_did="ana is Operations Lead", ben_did="ben is Operations Lead",
    ),
    "role and state": Both(
        ana=(f"{INC}/roles", {"role": "cl", "person": "ana"}), ben=(f"{INC}/mitigate", {}),
        ana_did="ana is Communications Lead", ben_did="Mitigated by ben",
    ),
    "letting go": Both(
        ana=(f"{INC}/roles/release", {"role": "ol", "because": "it is quiet"}),
        ben=(f"{INC}/let-go", {"person": "ben", "because": "sleep well"}),
        ana_did="ben is Operations Lead no longer: it is quiet", ben_did="ben is Operations Lead no longer: let go",
        before=((f"{INC}/roles", {"role": "ol", "person": "ben", "by": "ben"}),),
    ),
    "update": Both(
        ana=(f"{INC}/updates", {"audience": "internal", "text": "We look into payments that fail."}),
        ben=(f"{INC}/updates", {"audience": "internal", "text": "Half of all payments fail."}),
        ana_did="ana said at 14:07:00 UTC: We look into payments", ben_did="ben said at 14:07:00 UTC: Half of all",
        version="internal",
    ),
    "skipped update": Both(
        ana=(f"{INC}/updates", {"audience": "internal", "text": "We look into payments that fail."}),
        ben=(f"{INC}/updates/skip", {"audience": "internal", "reason": "nothing is new"}),
        ana_did="internal was told something meanwhile: ana said at 14:07:00 UTC: We look into payments",
        ben_did="the internal update was skipped meanwhile: ben said at 14:07:00 UTC: nothing is new",
        version="internal",
    ),
    "task": Both(
        ana=(f"{INC}/tasks/T1/done", {"result": "it is full"}), ben=(f"{INC}/tasks/T1/assign", {"owner": "dia"}),
        ana_did="ana", ben_did="dia", before=(TASK,), version="T1",
    ),
    "task taken and dropped": Both(
        ana=(f"{INC}/tasks/T1/drop", {"result": "too late"}), ben=(f"{INC}/tasks/T1/ack", {}),
        ana_did="ana", ben_did="ben", before=((TASK[0], {**TASK[1], "owner": "ben"}),), version="T1",
    ),
    "hypothesis": Both(
        ana=(f"{INC}/hypotheses/H1", {"state": "supported"}), ben=(f"{INC}/hypotheses/H1", {"state": "refuted"}),
        ana_did="ana: hypothesis H1 is supported", ben_did="ben: hypothesis H1 is refuted", before=(GUESS,),
        version="H1",
    ),
    "decision": Both(
        ana=(f"{INC}/decisions/D1/decide", {}), ben=(f"{INC}/decisions/D1/object", {"text": "month end"}),
        ana_did="ana", ben_did="ben", before=(PLAN,), version="D1",
    ),
    "change": Both(
        ana=(f"{INC}/changes/C1/undone", {}), ben=(f"{INC}/changes/C1/accept", {"reason": "it stays"}),
        ana_did="ana", ben_did="ben", before=(CHANGED,), version="C1",
    ),
    "criterion": Both(
        ana=(f"{INC}/exit-criteria/X1/met", {}), ben=(f"{INC}/exit-criteria/X1/waive", {"reason": "no traffic"}),
        ana_did="ana", ben_did="ben", before=(CRITERION,), version="X1",
    ),
    "merge": Both(
        ana=(f"{INC}/merge", {"into": "INC-2"}), ben=(f"{INC}/merge", {"into": "INC-3"}),
        ana_did="Merged into INC-2 by ana", ben_did="Merged into INC-3 by ben",
    ),
    "unmerge": Both(
        ana=(f"{INC}/unmerge", {"reason": "two things"}), ben=(f"{INC}/unmerge", {"reason": "not the same"}),
        ana_did="Taken out of INC-2 by ana: two things", ben_did="Taken out of INC-2 by ben: not the same",
        before=((f"{INC}/merge", {"into": "INC-2"}),),
    ),
}  # fmt: skip


async def version_seen(desk: Desk, of: str) -> int:
    """Read the version of what somebody is about to change, as they would."""
    if of == "incident":
        found = (await desk.get(INC)).json
        assert found["version"] == (await desk.get(f"{INC}/roles")).json["version"]
        return int(found["version"])
    if of == "internal":
        draft = (await desk.get(f"{INC}/updates/draft?audience=internal")).json
        assert [it["version"] for it in (await desk.get(f"{INC}/updates")).json["audiences"] if it["audience"] == of]
        return int(draft["version"])
    return int((await desk.get(f"{INC}/records/{of}/history")).json["versions"][-1]["version"])


@pytest.mark.parametrize("name", list(SURFACES))
async def test_of_two_at_once_one_wins_and_the_other_is_told_what_changed_by_whom_and_when(
    houses: list[SmallHouse], desks: tuple[Desk, Desk], name: str
) -> None:
    ana, ben = desks
    both = SURFACES[name]
    for path, body in both.before:
        who = ben if body.get("by") == "ben" else ana
        answer = await who.post(path, **{key: value for key, value in body.items() if key != "by"})
        assert answer.status in (200, 201), answer.text
    seen = await version_seen(ben, both.version)
    before = len(await houses[0].store.read(chain.entries, "INC-1"))
    answers = await asyncio.gather(
        *(desk.post(path, **body, expected_version=seen) for desk, (path, body) in ((ana, both.ana), (ben, both.ben)))
    )
    assert sorted(it.status // 100 for it in answers) == [2, 4], [it.text for it in answers]
    lost = next(it for it in answers if it.status == 409)
    winner, did = ("ben", both.ben_did) if lost is answers[0] else ("ana", both.ana_did)
    for words in (winner, did, WHEN):
        assert words in lost.error, lost.error
    entries = await houses[-1].store.read(chain.entries, "INC-1")
    assert first_broken(entries) is None
    loser = "ana" if winner == "ben" else "ben"
    assert loser not in {it.actor.name for it in entries[before:]}, "nothing of theirs happened"

    # the loser looks again, and may repeat it where it still makes sense; with the old version never
    desk, (path, body) = (ana, both.ana) if loser == "ana" else (ben, both.ben)
    assert (await desk.post(path, **body, expected_version=seen)).status == 409


async def test_an_update_that_two_approve_goes_out_once_and_the_other_hears_who_let_it_go(
    houses: list[SmallHouse], desks: tuple[Desk, Desk]
) -> None:
    ana, ben = desks
    cho = replace(ana, who="cho", token=await houses[0].token("responder", name="cho"))
    assert (await ana.post(f"{INC}/roles", role="cl", person="cho")).status == 202
    assert (await cho.post(f"{INC}/roles/accept")).status == 200
    text = "We look into payments that fail; the cause is not yet known."
    waiting = await cho.post(f"{INC}/updates", audience="external", text=text)
    assert (waiting.status, waiting.json["state"]) == (201, "waiting")
    answers = await asyncio.gather(*(desk.post("updates/UPD-1/approve") for desk in desks))
    assert sorted(it.status for it in answers) == [200, 409]
    winner, lost = ("ben", answers[0]) if answers[0].status == 409 else ("ana", answers[1])
    assert lost.error == f"UPD-1 does not wait any more: it is sent by {winner} at {WHEN}"
    [sent] = (await ben.get(f"{INC}/updates")).json["updates"]
    assert (sent["state"], sent["by"], sent["approved_by"]) == ("sent", "cho", winner)


WORDS = {
    "now": "40 shops cannot pay", "trend": "worse", "hypotheses": "none yet", "decisions": "none",
    "risks": "the night batch", "escalate_if": "more than 100 shops",
}  # fmt: skip


@dataclass
class Browser:
    """A browser that shows the page of a link, and presses one of its buttons."""

    ask: Ask
    link: str
    pressed: list[str] = field(default_factory=list)

    async def press(self, answer: str) -> str:
        """Look at the page, and press; gives what it shows then."""
        page = await self.ask("GET", self.link)
        assert answer in page.text
        self.pressed.append(answer)
        shown: str = (await self.ask("POST", self.link, **form_of(self.link, answer=answer))).text
        return shown


async def test_two_browsers_that_answer_a_handover_at_once_are_one_answer(
    houses: list[SmallHouse], desks: tuple[Desk, Desk]
) -> None:
    """One accepts, the other declines: each looked at the same offer."""
    ana, ben = desks
    for house in houses:
        house.settings = replace(house.settings, external_url="https://inc.example.org")
    assert (await ana.post(f"{INC}/handovers", role="ic", to="dia", **WORDS)).status == 201
    first, second = (
        Browser(desk.ask, link_to("handover", "HO-1", person="dia", nonce=letter * 22))
        for desk, letter in ((ana, "m"), (ben, "n"))
    )
    shown = await asyncio.gather(first.press("I accept"), second.press("I decline"))
    [offer] = (await ana.get(f"{INC}/handovers")).json["handovers"]
    commander = (await houses[0].store.read(subjects.get_incident, 1)).commander
    assert (offer["state"], commander) in [("accepted", "dia"), ("declined", "ana")]
    loser = shown[1] if offer["state"] == "accepted" else shown[0]
    assert f"HO-1 is {offer['state']} already by dia at {WHEN}" in loser
    kinds = [it.kind for it in await houses[0].store.read(chain.entries, "INC-1")]
    assert kinds.count("handover.accepted") + kinds.count("handover.declined") == 1


async def test_whoever_accepts_a_role_that_was_given_away_meanwhile_hears_who_has_it(desks: tuple[Desk, Desk]) -> None:
    ana, ben = desks
    assert (await ana.post(f"{INC}/roles", role="ol", person="ben")).status == 202
    answers = await asyncio.gather(
        ben.post(f"{INC}/roles/accept", role="ol"), ana.post(f"{INC}/roles", role="ol", person="ana")
    )
    found = {it["role"]: it["holder"] for it in (await ana.get(f"{INC}/roles")).json["roles"]}
    if answers[0].status == 409:
        assert answers[0].error.endswith(f"is void at {WHEN}, and ana is Operations Lead now")
    assert found["ol"] == "ana"  # whichever came first: ana may give a role that somebody has


@pytest.mark.slow
async def test_of_two_who_type_at_once_one_wins_and_the_other_reads_why(
    houses: list[SmallHouse], desks: tuple[Desk, Desk]
) -> None:
    ana, ben = desks
    for one, other in (
        (("assign", "INC-1", "ol", "ana"), ("assign", "INC-1", "ol", "ben")),
        (("merge", "INC-1", "--into", "INC-2"), ("merge", "INC-1", "--into", "INC-3")),
        (("mitigate", "INC-3", "--note", "rolled back"), ("stand-down", "INC-3", "--code", "duplicate")),
    ):
        houses[0].at += timedelta(minutes=1)
        seen = str((await ana.get(f"incidents/{one[1]}")).json["version"])
        results = await asyncio.gather(ana.type(*one, "--version", seen), ben.type(*other, "--version", seen))
        assert sorted(code for code, _ in results) == [0, 1], results
        said = next(text for code, text in results if code == 1)
        winner = "ben" if results[0][0] else "ana"
        assert f"{one[1]} was changed meanwhile: you saw version {seen}" in said
        assert f"Meanwhile: {houses[0].at:%H:%M:%S} UTC, {winner}: " in said
    draft = str((await ana.get("incidents/INC-2/updates/draft?audience=internal")).json["version"])
    first = await ana.type("update", "INC-2", "--skip", "nothing is new", "--version", draft)
    second = await ben.type("update", "INC-2", "--skip", "all asleep", "--version", draft)
    assert (first[0], second[0]) == (0, 1)
    assert f"ana said at {houses[0].at:%H:%M:%S} UTC: nothing is new" in second[1]


async def test_whoever_comes_late_hears_nothing_of_what_they_had_seen(
    houses: list[SmallHouse], desks: tuple[Desk, Desk]
) -> None:
    """Who mitigates what nobody accepted moves it twice, at one instant."""
    ana, ben = desks
    assert (await ben.post(f"{INC}/severity", severity="sev1")).status == 200
    seen = (await ben.get(INC)).json["version"]
    houses[0].at += timedelta(minutes=1)
    assert (await ana.post(f"{INC}/mitigate", note="rolled back")).status == 200
    late = await ben.post(f"{INC}/stand-down", code="duplicate", expected_version=seen)
    assert late.status == 409
    told = late.error.partition("Meanwhile: ")[2]
    assert told.startswith(f"{houses[0].at:%H:%M:%S} UTC, ana: "), late.error
    assert "Mitigated by ana: rolled back" in told
    assert "Raised" not in told


def count_merges(tx: Tx) -> list[str]:
    return [subjects.get_incident(tx, number).status.value for number in (1, 2, 3)]


async def test_three_that_are_merged_round_in_a_circle_at_once_leave_one_that_goes_on(
    houses: list[SmallHouse], desks: tuple[Desk, Desk]
) -> None:
    """1 into 2, 2 into 3, 3 into 1, all at the same moment, without a version: no circle, and nothing lost."""
    ana, ben = desks
    for number in (1, 2, 3):
        await ana.post(f"incidents/INC-{number}/tasks", text=f"look at {number}", owner="cho", box="10m")
    answers = await asyncio.gather(
        ana.post("incidents/INC-1/merge", into="INC-2"), ben.post("incidents/INC-2/merge", into="INC-3"),
        ana.post("incidents/INC-3/merge", into="INC-1"),
    )  # fmt: skip
    states = await houses[0].store.read(count_merges)
    assert states.count("merged") == 2, [it.text for it in answers]
    [left] = [number for number, state in enumerate(states, 1) if state != "merged"]
    assert sorted(it.status for it in answers) == [200, 200, 409]
    tasks = (await ana.get(f"incidents/INC-{left}/records")).json["tasks"]
    assert sorted(it["text"] for it in tasks if it["state"] == "open") == [f"look at {it}" for it in (1, 2, 3)]
    for number in (1, 2, 3):
        assert first_broken(await houses[0].store.read(chain.entries, f"INC-{number}")) is None

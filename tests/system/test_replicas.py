"""Two replicas on one PostgreSQL, killed, frozen and cut off under load: one incident, one page, one run an alert."""

from __future__ import annotations

import asyncio
import json
import os
import random
import re
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import psycopg
import pytest

from incidentd.metrics import Metrics
from incidentd.store import chain, open_store
from incidentd.timeline import first_broken
from tests.doors.mail_double import MailDouble, mail_server
from tests.postgres import Server
from tests.store.conftest import NOW
from tests.system.daemon import Daemon, an_alert, until
from tests.system.wire import Wire

pytestmark = [pytest.mark.slow, pytest.mark.needs("postgres")]

LONG = os.environ.get("INCIDENTD_TEST_LONG") == "1"
ROUNDS = 20
"""So often each replica is killed, frozen and cut off; at the small size each happens once, to one of them."""
# The daemon as it is, but for one thing: a replica counts as dead after a seventh of the time.
HURRIED = """
from datetime import timedelta
from incidentd.store import replicas
replicas.BEAT, replicas.TAKEOVER = timedelta(seconds=0.6), timedelta(seconds=3)
from incidentd.cli import main
main()
"""
AWAY = 4.2
"""Seconds for which a replica is frozen or cut off: long enough for the other one to take over."""

CONFIG = """
kind: config
external_url: {url}
include: []
automation: {{mode: auto, overall: 1000 in 1h}}
---
kind: rules
rules:
  - name: worker
    match: ['alertname="WorkerStuck"']
    severity: sev3
    urgency: urgent
    decide: hold
    playbook: restart-worker
    page: platform
    correlate_by: [instance]
  - {{name: down, match: ['alertname="Down"'], severity: sev1, urgency: business_critical, decide: declare,
     page: platform, correlate_by: [instance]}}
  - {{name: everything-else, match: [], severity: sev3, decide: record}}
---
kind: playbook
name: restart-worker
title: Restart a worker
mode: auto
inputs: {{instance: {{from: labels.instance, pattern: "[a-z0-9-]{{1,40}}"}}}}
target: "{{{{ inputs.instance }}}}"
risk: low
limits: {{per_target: 100 in 1h, total: 1000 in 1h}}
steps:
  - name: restart
    command: [/bin/sh, -c, 'echo {{{{ inputs.instance }}}} >> "{journal}"; sleep 0.3']
    timeout: 30s
    idempotent: false
verify: {{command: [/bin/true], within: 2m, every: 1s}}
on_failure: declare
---
kind: people
people:
  ana: {{name: Ana Ruiz, channels: {{mail: {{url_file: ana.url}}}}}}
---
kind: escalations
escalations:
  platform:
    urgent: {{levels: [{{after: 0m, page: {{person: ana}}}}]}}
    business_critical: {{levels: [{{after: 0m, page: {{person: ana}}}}]}}
"""


@pytest.fixture
async def mail() -> AsyncIterator[MailDouble]:
    async with mail_server() as server:
        yield server


class Replica(Daemon):
    """A daemon whose way to the database goes over a wire of its own."""

    def __init__(self, folder: Path, session: aiohttp.ClientSession, wire: Wire, url: str, mail: MailDouble) -> None:
        folder.mkdir()
        super().__init__(folder, session)
        self.wire = wire
        self.store = re.sub(r"127\.0\.0\.1:\d+", f"127.0.0.1:{wire.port}", url)
        text = CONFIG.format(url=self.url, journal=folder.parent / "journal")
        (folder / "incidentd.yaml").write_text(text)
        (folder / "ana.url").write_text(mail.url)

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid


@pytest.fixture
async def wires(postgres_server: Server) -> AsyncIterator[list[Wire]]:
    made = [Wire(postgres_server.port) for _ in range(2)]
    for wire in made:
        await wire.start()
    yield made
    for wire in made:
        wire.mend()
        await wire.stop()


@pytest.fixture
async def replicas(
    tmp_path: Path, session: aiohttp.ClientSession, wires: list[Wire], postgres_store: str, mail: MailDouble
) -> AsyncIterator[list[Replica]]:
    made = [
        Replica(tmp_path / name, session, wire, postgres_store, mail) for name, wire in zip("ab", wires, strict=True)
    ]
    yield made
    for replica in made:
        if replica.process is not None and replica.process.returncode is None:
            replica.thaw()
            await replica.kill()


class Load:
    """Sends each alert to both replicas, as two Alertmanagers do: again and again until each took it."""

    def __init__(self, replicas: list[Replica], session: aiohttp.ClientSession) -> None:
        self._replicas = replicas
        self._session = session
        self._sending: list[asyncio.Task[None]] = []
        self.accepted: set[str] = set()
        self.stopped = asyncio.Event()

    async def run(self) -> None:
        number = 0
        while not self.stopped.is_set():
            number += 1
            name = "WorkerStuck" if number % 4 == 0 else "Down"
            alert = an_alert(name, instance=f"i-{number}")
            for replica in self._replicas:
                self._sending.append(asyncio.create_task(self.send(replica, alert)))
            await asyncio.sleep(0.8 if LONG else 0.3)  # about as many alerts, however long it takes

    async def drain(self) -> None:
        self.stopped.set()
        await asyncio.gather(*self._sending)

    async def send(self, replica: Replica, alert: dict[str, Any]) -> None:
        body = json.dumps(
            {"version": "4", "receiver": "incidentd", "groupKey": alert["fingerprint"], "alerts": [alert]}
        )
        for _ in range(200):
            try:
                async with self._session.post(
                    f"{replica.url}/api/v1/alertmanager", data=body, timeout=aiohttp.ClientTimeout(total=4)
                ) as answer:
                    if answer.status == 200:
                        self.accepted.add(alert["labels"]["instance"])
                        return
                    assert answer.status == 503, answer.status  # Alertmanager tries again after nothing else
            except (aiohttp.ClientError, TimeoutError):
                pass
            await asyncio.sleep(0.3)
        raise AssertionError(f"{alert['labels']} was never taken")


async def disturb(replica: Replica, how: str) -> None:
    match how:
        case "killed":
            await replica.kill()
            await replica.start()
        case "frozen":
            replica.freeze()
            await asyncio.sleep(AWAY)
            replica.thaw()
        case "cut off":
            replica.wire.cut()
            await asyncio.sleep(AWAY)
            replica.wire.mend()
        case _:
            raise AssertionError(how)


async def lose(replica: Replica, how: str) -> None:
    match how:
        case "killed":
            await replica.kill()
        case "frozen":
            replica.freeze()
        case _:
            replica.wire.cut()


def rows(url: str, query: str) -> list[Any]:
    with psycopg.connect(url) as conn:
        return conn.execute(query.encode()).fetchall()


async def all_done(url: str) -> bool:
    live = "SELECT count(*) FROM job WHERE state = 'live' AND queue IN ('notify', 'playbook')"
    left = "SELECT (SELECT count(*) FROM inbox WHERE NOT done), (SELECT count(*) FROM alert WHERE undecided)"
    # A summary page waits ten seconds for what is refused in the same moment, and has no message until then.
    gathers = """SELECT count(*) FROM page WHERE subject LIKE 'SUM-%' AND state = 'open' AND NOT EXISTS (
        SELECT 1 FROM job WHERE queue = 'notify' AND ukey LIKE 'PAGE-' || page.id || '/%')"""
    return [rows(url, query) for query in (live, left, gathers)] == [[(0,)], [(0, 0)], [(0,)]]


def leased_by(url: str) -> int:
    """Give the process that has, or had, the one message in hand."""
    [(name,)] = rows(url, "SELECT leased_by FROM job WHERE queue = 'notify'")
    return int(name.split(":")[1])


async def test_p25_two_replicas_in_trouble_make_one_incident_one_page_and_one_run_an_alert(
    replicas: list[Replica], session: aiohttp.ClientSession, postgres_store: str, mail: MailDouble, tmp_path: Path
) -> None:
    for replica in replicas:
        replica.program = ("-c", HURRIED)
        await replica.start()
    load = Load(replicas, session)
    await load.send(replicas[0], an_alert("WorkerStuck", instance="i-0"))  # healed alone, as guards want it
    await until(lambda: all_done(postgres_store), 30)
    running = asyncio.create_task(load.run())
    luck = random.Random(20)  # noqa: S311 - nothing secret
    first, second = replicas
    troubles = [(second, "frozen"), (first, "cut off"), (second, "killed")]
    if LONG:
        troubles = [(replica, how) for replica in replicas for _, how in troubles] * ROUNDS
        luck.shuffle(troubles)
    for replica, how in troubles:
        await asyncio.sleep(luck.uniform(0.2, 1.5))
        await disturb(replica, how)
    await load.drain()
    await running

    await until(lambda: all_done(postgres_store), 90)
    print(Counter(how for _, how in troubles), len(load.accepted), "alerts")
    check_what_was_made(load, postgres_store)
    check_what_was_done(postgres_store, mail, (tmp_path / "journal").read_text().split())
    await check_timelines(postgres_store)


def check_what_was_made(load: Load, url: str) -> None:
    """Check that each alert that was taken has its one hold or incident, and that is about it alone."""
    about = rows(url, "SELECT a.labels->>'instance', m.subject FROM alert a JOIN member m USING (source, fingerprint)")
    kinds = Counter((instance, subject.partition("-")[0]) for instance, subject in about)
    assert {instance for instance, _ in kinds} == load.accepted
    assert set(kinds.values()) == {1}
    assert len(load.accepted) > 20
    assert rows(url, "SELECT correlation_key FROM incident GROUP BY 1 HAVING count(*) > 1") == []
    assert rows(url, "SELECT correlation_key FROM hold GROUP BY 1 HAVING count(*) > 1") == []


def check_what_was_done(url: str, mail: MailDouble, journal: list[str]) -> None:
    """Check one page a subject, whose message arrived; one run a worker, of which no step was repeated.

    On a slow machine guards may refuse runs: the pages of those holds join a summary page, and its message is theirs.
    """
    assert rows(url, "SELECT subject FROM page GROUP BY 1 HAVING count(*) > 1") == []
    pages = dict(rows(url, "SELECT subject, id FROM page"))
    told: set[int] = set()
    copies: Counter[str] = Counter()
    marked = 0
    for one in mail.mails:
        text = str(one.get_content())
        keys = re.findall(r"PAGE-\d+/\d+/ana/mail", text[text.rindex("\nRef ") :])
        told |= {int(key[len("PAGE-") : key.index("/")]) for key in keys} | of_the_rest(text, pages)
        copies.update(keys)
        marked += len(keys) if "possible repeat" in f"{one['Subject']}{text}" else 0
    callers = dict(rows(url, "SELECT id, coalesce(nullif((body->>'joined')::int, 0), id) FROM page"))
    untold = {subject: number for subject, number in pages.items() if not {number, callers[number]} & told}
    jobs = rows(url, "SELECT ukey, state FROM job WHERE queue = 'notify'")
    assert not untold, (untold, jobs, [one.get_content() for one in mail.mails])
    assert told <= set(pages.values())
    again = sum(count - 1 for count in copies.values())
    assert again <= marked
    assert rows(url, "SELECT target FROM playbook_run GROUP BY 1 HAVING count(*) > 1") == []
    assert len(journal) >= 3
    assert max(Counter(journal).values()) == 1
    [(longest,)] = rows(url, "SELECT max(finished_at - created_at) / 1e6 FROM job WHERE queue = 'notify'")
    print(f"{len(pages)} pages; the slowest message left {longest:.1f} s after its decision; {again} were repeated")


def of_the_rest(text: str, pages: dict[str, int]) -> set[int]:
    """Say which pages a mail of many tells of, whose keys it need not hold: its list has what each of them is about."""
    listed = [line for line in text.splitlines() if line.startswith("- ")]
    return {pages[key] for line in listed for key in re.findall(r"\b(?:INC|HOLD)-\d+\b", line) if key in pages}


async def check_timelines(url: str) -> None:
    store = await open_store(url, lambda: NOW, Metrics(version="test"))
    for (subject,) in rows(url, "SELECT subject FROM chain_head"):
        entries = await store.read(chain.entries, subject)
        kinds = Counter(entry.kind for entry in entries)
        assert first_broken(entries) is None, subject
        assert max(kinds[kind] for kind in ("hold.opened", "incident.declared", "page.started", "run.started")) <= 1
    await store.close()


async def test_t02_the_same_group_sent_to_both_replicas_at_once_is_one_of_everything(
    replicas: list[Replica], session: aiohttp.ClientSession, postgres_store: str, mail: MailDouble, tmp_path: Path
) -> None:
    """Each of 24 groups twenty times, all at the same moment, through both."""
    for replica in replicas:
        await replica.start()
    load = Load(replicas, session)
    alerts = [an_alert("WorkerStuck" if number % 4 == 0 else "Down", instance=f"i-{number}") for number in range(24)]
    await load.send(replicas[0], alerts[0])  # healed alone, as guards want it, or they would refuse most of the others
    await until(lambda: all_done(postgres_store), 30)
    await asyncio.gather(*(load.send(replica, it) for it in alerts for replica in replicas * 10))

    await until(lambda: all_done(postgres_store), 90)
    assert len(load.accepted) == 24
    check_what_was_made(load, postgres_store)
    check_what_was_done(postgres_store, mail, (tmp_path / "journal").read_text().split())
    await check_timelines(postgres_store)


@pytest.mark.parametrize("how", ["killed", *(["frozen", "cut off"] if LONG else [])])
async def test_p25_what_a_lost_replica_was_at_is_taken_over_within_30_seconds(
    replicas: list[Replica], postgres_store: str, mail: MailDouble, how: str
) -> None:
    """At the daemon's own pace: nothing is hurried here."""
    mail.hangs = True
    for replica in replicas:
        await replica.start()
    await replicas[0].deliver(an_alert("Down", instance="i-1"))

    async def sending() -> bool:
        return len(mail.mails) == 1

    await until(sending, 60)
    holder = leased_by(postgres_store)
    [dying] = [replica for replica in replicas if replica.pid == holder]
    await lose(dying, how)
    began = asyncio.get_running_loop().time()
    mail.hangs = False

    async def sent() -> bool:
        return rows(postgres_store, "SELECT kind FROM timeline WHERE kind = 'page.sent'") != []

    await until(sent, 40)
    took = asyncio.get_running_loop().time() - began
    print(f"{how}: taken over and sent after {took:.1f} s")
    assert took <= 30
    assert "possible repeat" in str(mail.mails[1]["Subject"]) + str(mail.mails[1].get_content())
    mail.goes_on.set()


async def test_p25_a_frozen_replica_that_wakes_cannot_write_over_the_work_of_the_other(
    replicas: list[Replica], postgres_store: str, mail: MailDouble
) -> None:
    for replica in replicas:
        replica.program = ("-c", HURRIED)
    mail.hangs = True
    for replica in replicas:
        await replica.start()  # before the alert: a start may take longer than a message waits for its server
    await replicas[0].deliver(an_alert("Down", instance="i-1"))

    async def sending() -> bool:
        return len(mail.mails) == 1

    async def sent() -> bool:
        return rows(postgres_store, "SELECT leased_by FROM job WHERE state = 'done' AND queue = 'notify'") != []

    await until(sending)
    holder = leased_by(postgres_store)
    frozen, other = sorted(replicas, key=lambda replica: replica.pid != holder)
    frozen.freeze()
    assert leased_by(postgres_store) == frozen.pid
    mail.hangs = False
    await until(sent, 40)
    query = "SELECT leased_by, attempt, finished_at FROM job WHERE queue = 'notify'"
    before = rows(postgres_store, query)
    assert leased_by(postgres_store) == other.pid
    frozen.thaw()
    mail.goes_on.set()  # and its own message is taken as well: it believes that it succeeded

    async def awake() -> bool:
        return await frozen.states("incidents", "status") != {}

    await until(awake)
    await asyncio.sleep(2)
    assert rows(postgres_store, query) == before
    assert rows(postgres_store, "SELECT count(*) FROM timeline WHERE kind = 'page.sent'") == [(1,)]

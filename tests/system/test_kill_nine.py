"""SIGKILL at the worst moments, and a start with the same store: nothing lost, nothing done twice."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from tests.doors.mail_double import MailDouble, mail_server
from tests.system.daemon import Daemon, an_alert, ended, press, started, until

CONFIG = """
kind: config
external_url: {url}
include: []
automation: {{mode: auto}}
{jira}
---
kind: rules
rules:
  - name: queue-lag
    match: ['alertname="QueueLag"']
    severity: sev3
    urgency: urgent
    decide: hold
    hold: {{no_progress_after: {hold}, hard_cap: 10m}}
    page: platform
  - name: worker
    match: ['alertname="WorkerStuck"']
    severity: sev3
    urgency: urgent
    decide: hold
    playbook: restart-worker
    page: platform
  - {{name: everything-else, match: [], severity: sev1, urgency: business_critical, decide: declare, page: platform}}
---
kind: playbook
name: restart-worker
title: Restart a worker
mode: auto
inputs: {{instance: {{from: labels.instance, pattern: "[a-z0-9-]{{1,40}}"}}}}
target: "{{{{ inputs.instance }}}}"
risk: low
steps:
  - name: before
    command: [/bin/sh, -c, 'echo before >> "{folder}/journal"']
    idempotent: false
  - name: restart
    command: [/bin/sh, -c, 'echo restart >> "{folder}/journal"; sleep 60']
    timeout: 120s
    idempotent: false
verify: {{promql: {{query: up, is: "> 0"}}, for: 1s, within: 2s}}
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

pytestmark = pytest.mark.slow


@pytest.fixture
async def mail() -> AsyncIterator[MailDouble]:
    async with mail_server() as server:
        yield server


def configure(daemon: Daemon, mail: MailDouble, *, hold: str = "10m", jira: str = "") -> None:
    text = CONFIG.format(url=daemon.url, folder=daemon.folder, hold=hold, jira=jira)
    (daemon.folder / "incidentd.yaml").write_text(text)
    (daemon.folder / "ana.url").write_text(mail.url)
    (daemon.folder / "jira.token").write_text("jira-token")


async def test_every_alert_that_was_answered_2xx_is_there_after_a_kill(
    tmp_path: Path, session: aiohttp.ClientSession, mail: MailDouble
) -> None:
    daemon = Daemon(tmp_path, session)
    configure(daemon, mail)
    await daemon.start()
    accepted: list[str] = []

    async def send(number: int) -> None:
        alert = an_alert("QueueLag", pod=str(number))
        body = json.dumps({"alerts": [alert]})
        try:
            async with session.post(f"{daemon.url}/api/v1/alertmanager", data=body) as answer:
                if answer.status == 200:
                    accepted.append(alert["fingerprint"])
        except aiohttp.ClientError:
            return

    sending = [asyncio.create_task(send(number)) for number in range(300)]

    async def enough() -> bool:
        return len(accepted) >= 20

    await until(enough)
    await daemon.kill()
    await asyncio.gather(*sending)
    await daemon.start()

    async def all_known() -> bool:
        known = {one["fingerprint"] for one in (await daemon.get("alerts?limit=1000"))["alerts"]}
        return known >= set(accepted)

    async def held() -> bool:
        return list(await daemon.states("holds")) == ["HOLD-1"]

    await until(all_known)
    await until(held)
    await daemon.kill()


async def test_a_hold_that_runs_out_while_the_daemon_is_dead_is_declared_when_it_comes_back(
    tmp_path: Path, session: aiohttp.ClientSession, mail: MailDouble
) -> None:
    daemon = Daemon(tmp_path, session)
    configure(daemon, mail, hold="2s")
    await daemon.start()
    await daemon.deliver(an_alert("QueueLag"))

    async def held() -> bool:
        return await daemon.states("holds") == {"HOLD-1": "holding"}

    await until(held)
    await daemon.kill()
    await daemon.start()

    async def declared() -> bool:
        return await daemon.states("holds") == {"HOLD-1": "declared"}

    await until(declared)
    assert await daemon.states("incidents", "status") == {"INC-1": "declared"}
    assert (await daemon.kinds("HOLD-1")).count("hold.declared") == 1
    await daemon.kill()


async def test_a_page_that_was_sent_is_answered_after_a_kill_and_not_sent_again(
    tmp_path: Path, session: aiohttp.ClientSession, mail: MailDouble
) -> None:
    daemon = Daemon(tmp_path, session)
    configure(daemon, mail)
    await daemon.start()
    await daemon.deliver(an_alert("CheckoutDown"))

    async def sent() -> bool:
        return await daemon.states("incidents", "status") != {} and "page.sent" in await daemon.kinds("INC-1")

    await until(sent)
    await daemon.kill()
    await daemon.start()
    link = re.search(r"http\S+/a/\S+", str(mail.mails[0].get_content()))
    assert link is not None
    assert await press(session, link.group()) == 200

    assert await daemon.states("pages") == {"PAGE-1": "acked"}
    assert await daemon.states("incidents", "status") == {"INC-1": "investigating"}
    assert len(mail.mails) == 1
    await daemon.kill()


async def test_a_page_whose_delivery_was_cut_short_is_sent_again_with_the_same_key(
    tmp_path: Path, session: aiohttp.ClientSession, mail: MailDouble
) -> None:
    daemon = Daemon(tmp_path, session)
    configure(daemon, mail)
    mail.hangs = True
    await daemon.start()
    await daemon.deliver(an_alert("CheckoutDown"))

    async def arrived() -> bool:
        return len(mail.mails) == 1

    await until(arrived)
    await daemon.kill()
    mail.hangs = False
    mail.goes_on.set()
    await daemon.start()

    async def twice() -> bool:
        return len(mail.mails) == 2

    await until(twice)
    first, second = (str(one.get_content()) for one in mail.mails)
    assert "Ref PAGE-1/0/ana/mail" in first
    assert "Ref PAGE-1/0/ana/mail" in second
    assert "possible repeat" in str(mail.mails[1]["Subject"]) + second
    await daemon.kill()


async def test_a_step_that_a_kill_cut_short_is_not_repeated_and_a_person_is_asked(
    tmp_path: Path, session: aiohttp.ClientSession, mail: MailDouble
) -> None:
    daemon = Daemon(tmp_path, session)
    configure(daemon, mail)
    journal = tmp_path / "journal"
    await daemon.start()
    await daemon.deliver(an_alert("WorkerStuck", instance="w-3"))

    async def in_the_step() -> bool:
        return journal.exists() and "restart" in journal.read_text()

    await until(in_the_step)
    await daemon.kill()
    await daemon.start()

    async def interrupted() -> bool:
        return await daemon.states("runs") == {"RUN-1": "interrupted"}

    async def asked() -> bool:
        return len(mail.mails) == 1

    await until(interrupted)
    await until(asked)
    assert journal.read_text().split() == ["before", "restart"]
    assert await daemon.states("holds") == {"HOLD-1": "declared"}
    await daemon.kill()


async def test_an_issue_that_jira_made_and_could_not_confirm_is_found_and_not_made_again(
    tmp_path: Path, session: aiohttp.ClientSession, mail: MailDouble
) -> None:
    state = tmp_path / "issues.json"
    jira, url = await started(
        "-m", "tests.doors.jira_double", "--state", str(state), "--fault", "create:hang_after:1", waits_for=b"http://"
    )
    daemon = Daemon(tmp_path, session)
    configure(daemon, mail, jira=f'jira: {{url: "{url}", token_file: jira.token, project: OPS}}')
    await daemon.start()
    await daemon.post("incidents", title="Made by hand", severity="sev3", page="platform")
    await daemon.post("incidents/INC-1/action-items", title="Write the runbook")

    async def made() -> bool:
        return state.exists() and len(json.loads(state.read_text())["issues"]) == 1

    await until(made)
    await daemon.kill()
    await daemon.start()

    async def filed() -> bool:
        return await daemon.states("action-items") == {"AI-1": "filed"}

    await until(filed, 60)
    assert len(json.loads(state.read_text())["issues"]) == 1
    await daemon.kill()
    await ended(jira)


async def test_sigterm_ends_it_at_once_and_with_success(tmp_path: Path, session: aiohttp.ClientSession) -> None:
    daemon = Daemon(tmp_path, session)
    await daemon.start()

    assert await daemon.stop() == 0

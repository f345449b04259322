"""incidentd at work, in a minute and a half: bleeding money, a slow burn, and a worker that is healed in its sleep.

`make demo` tells the three stories as they happen and then waits, so that you can look around; `make demo ARGS=--exit`
ends after the stories.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import sys
import tempfile
import textwrap
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from deploy.demo.stage import Mail, Stage

WIDTH = 118


class Teller:
    """Prints what happens, as it happens."""

    def __init__(self) -> None:
        self._seen: dict[str, int] = {}
        self.colour = sys.stdout.isatty()

    def chapter(self, title: str, text: str) -> None:
        """Begin a story."""
        print(f"\n{self._bold(title)}\n{textwrap.fill(text, WIDTH)}\n", flush=True)

    def say(self, who: str, text: str) -> None:
        """Print one thing that happened."""
        lead = f"  {datetime.now(UTC):%H:%M:%S}  {who:<12} "
        print(textwrap.fill(text, WIDTH, initial_indent=lead, subsequent_indent=" " * len(lead)), flush=True)

    def mail(self, mail: Mail) -> None:
        """Print a mail that arrived."""
        self.say("mail", f"to {mail.to.split('@', maxsplit=1)[0]}: {mail.subject}")

    async def catch_up(self, stage: Stage, *subjects: str) -> None:
        """Print what is new on the timelines of these."""
        for subject in subjects:
            kind = "incidents" if subject.startswith("INC") else "holds"
            entries = (await stage.get(f"{kind}/{subject}/timeline?limit=500"))["timeline"]
            for entry in entries[self._seen.get(subject, 0) :]:
                if entry["kind"] not in ("page.sent", "alert.fired"):
                    self.say(subject, entry["text"])
            self._seen[subject] = len(entries)

    def _bold(self, text: str) -> str:
        return f"\x1b[1m{text}\x1b[0m" if self.colour else text


class Demo:
    """The three stories."""

    def __init__(self, stage: Stage, teller: Teller) -> None:
        self.stage = stage
        self.teller = teller

    async def until(self, seconds: float, subjects: tuple[str, ...], check: Callable[[], object]) -> Any:
        """Tell what happens until something is so; fail when it is not so in time."""
        async with asyncio.timeout(seconds):
            while True:
                await self.teller.catch_up(self.stage, *subjects)
                found = check()
                found = await found if asyncio.iscoroutine(found) else found
                if found:
                    await self.teller.catch_up(self.stage, *subjects)
                    return found
                await asyncio.sleep(0.2)

    async def newest(self, kind: str, words: str) -> str:
        """Give the id of the newest hold or incident with these words in its title."""
        found = (await self.stage.get(f"{kind}?q={words}&limit=1"))[kind]
        return str(found[0]["id"]) if found else ""

    async def is_so(self, path: str, field: str, *values: str) -> bool:
        """Say whether a field of something has one of these values."""
        return str((await self.stage.get(path))[field]) in values

    def mail_about(self, subject: str) -> Callable[[], Mail | None]:
        """Look for a mail about a hold or incident that can be answered."""
        return lambda: next((m for m in self.stage.mailbox.mails if f"({subject})" in m.subject and m.link), None)

    async def answer(self, subject: str) -> None:
        """Let whoever was paged answer by the link in the mail."""
        mail = await self.until(15, (subject,), self.mail_about(subject))
        who = mail.to.split("-")[0].split("@")[0]
        await self.stage.follow(mail.link)
        self.teller.say(who, 'opens the link in the mail and presses "I have it"')

    async def bleeding(self) -> str:
        """Money bleeds: declared at once."""
        self.teller.chapter(
            "1. Money is bleeding: declared at once",
            "Checkout fails for everybody. A rule says that this is sev1 and business critical, so nobody waits.",
        )
        alert = {
            "alertname": "CheckoutErrorsHigh", "severity": "critical", "env": "prod", "service": "checkout",
            "team": "payments",
        }  # fmt: skip
        await self.stage.fire(alert, summary="98% of checkouts fail")
        self.teller.say("alert", "CheckoutErrorsHigh fires: 98% of checkouts fail")
        incident: str = await self.until(20, (), lambda: self.newest("incidents", "CheckoutErrorsHigh"))
        await self.answer(incident)
        await self.until(10, (incident,), lambda: self.is_so(f"incidents/{incident}", "status", "investigating"))
        await self.stage.post(
            f"incidents/{incident}/note", text="Release 42 broke the price service; rolling back.", by="ben"
        )
        await self.stage.post(
            f"incidents/{incident}/note", text="TODO: canary releases for the price service", by="ben"
        )
        await self.stage.heal(alert)
        await asyncio.sleep(2)
        await self.stage.post(f"incidents/{incident}/resolve", note="Rolled back release 42.", by="ben")
        item = await self.stage.post(
            f"incidents/{incident}/action-items", title="Release the price service to 5% first", type="prevent",
            priority="P1", owner="ben", by="ben",
        )  # fmt: skip
        await self.until(20, (incident,), lambda: self.is_so(f"action-items/{item['id']}", "state", "filed"))
        draft = await self.until(10, (incident,), lambda: self.draft_of(incident))
        lines = len(draft.splitlines())
        self.teller.say("postmortem", f"drafted: {lines} lines, from the timeline, with the questions left to people")
        return incident

    async def draft_of(self, incident: str) -> str:
        """Give the postmortem's draft once there is one."""
        try:
            return await self.stage.text(f"incidents/{incident}/postmortem")
        except OSError:
            return ""

    async def slow_burn(self) -> str:
        """A slow burn is held, and declared because nobody made progress."""
        self.teller.chapter(
            "2. A slow burn: held, watched for progress, declared when there is none",
            "Three queues lag. That may pass, so it is held for 20 minutes (20 seconds here). Its page is answered; "
            "an answer is not progress, and so it is declared after all.",
        )
        alerts = [
            {"alertname": "QueueLagHigh", "severity": "critical", "env": "prod", "service": "mail", "pod": f"mail-{n}"}
            for n in range(3)
        ]
        await self.stage.fire(*alerts, summary="the mail queue is 20 minutes behind")
        self.teller.say("alert", "QueueLagHigh fires for mail-0, mail-1 and mail-2")
        hold: str = await self.until(20, (), lambda: self.newest("holds", "QueueLagHigh"))
        await self.answer(hold)
        incident = await self.until(60, (hold,), lambda: self.newest("incidents", "QueueLagHigh"))
        await self.until(10, (hold, incident), self.mail_about(incident))
        await self.stage.heal(*alerts)
        await asyncio.sleep(2)
        await self.stage.post(f"incidents/{incident}/resolve", note="Added consumers.", by="dia")
        await self.until(10, (incident,), lambda: self.is_so(f"incidents/{incident}", "status", "resolved"))
        return hold

    async def healed(self) -> str:
        """A worker hangs, and its playbook heals it while everybody sleeps."""
        self.teller.chapter(
            "3. A stuck worker: healed and verified by its playbook, and nobody is woken",
            "A restart nearly always helps, so a playbook does it, within its guards. It is believed once jobs are "
            "done again and stay so.",
        )
        before = len(self.stage.mailbox.mails)
        alert = {
            "alertname": "WorkerStuck",
            "severity": "critical",
            "env": "prod",
            "service": "jobs",
            "instance": "localhost",
        }
        await self.stage.fire(alert, summary="the worker takes no jobs")
        self.teller.say("alert", "WorkerStuck fires: the worker takes no jobs")
        hold: str = await self.until(20, (), lambda: self.newest("holds", "WorkerStuck"))
        await self.until(30, (hold,), lambda: self.stage.shop.works)
        self.teller.say("shop", "the worker takes jobs again")
        await self.stage.heal(alert)
        run = (await self.stage.get("runs?limit=1"))["runs"][0]["id"]
        await self.until(40, (hold,), lambda: self.is_so(f"runs/{run}", "state", "verified"))
        await self.until(40, (hold,), lambda: self.is_so(f"holds/{hold}", "state", "closed"))
        if woken := [it for it in self.stage.mailbox.mails[before:] if "-chat@" not in it.to]:  # rooms may hear
            raise RuntimeError(f"somebody was woken: {woken[0].to}, {woken[0].subject}")
        self.teller.say("mail", "none to anybody: the room of the team heard of it, and nobody was woken")
        return hold

    def where_to_look(self, incident: str, hold: str, healed: str) -> None:
        """Say how to look further."""
        url, jira = self.stage.url, self.stage.jira.url
        self.teller.chapter("Look further", "These answer while this waits; Ctrl-C ends it.")
        for address, what in (
            (f"{url}/", "what is happening now"),
            (f"{url}/incidents/{incident}", "the incident document of the first story"),
            (f"{url}/api/v1/incidents/{incident}/postmortem", "its postmortem's draft"),
            (f"{url}/holds/{hold}", "why the second was declared"),
            (f"{url}/holds/{healed}", "what the playbook did"),
            (f"{url}/metrics", "all of it for Prometheus"),
            (f"{jira}/browse/{next(iter(self.stage.jira.issues), '')}", "the action item in (what stands for) Jira"),
        ):
            print(f"  {address:<62} {what}")


async def main(*, leave: bool) -> int:
    """Tell the stories; 0 when they went as told."""
    teller = Teller()
    with tempfile.TemporaryDirectory(prefix="incidentd-demo-") as folder:
        async with Stage(Path(folder), teller.mail) as stage:
            real = (
                f"a real Alertmanager ({stage.alertmanager})"
                if stage.alertmanager
                else "bodies as Alertmanager sends them"
            )
            teller.chapter(
                "incidentd",
                f"It runs with the shipped rules and playbooks, a minute shortened to a second, and {real}.",
            )
            demo = Demo(stage, teller)
            try:
                incident, hold, healed = await demo.bleeding(), await demo.slow_burn(), await demo.healed()
            except (TimeoutError, RuntimeError, OSError) as error:
                log = (Path(folder) / "incidentd.log").read_text()
                print(f"\nThe story did not go as told: {error!r}\nThe daemon's log:\n{log}", file=sys.stderr)
                return 1
            if not leave:
                demo.where_to_look(incident, hold, healed)
                await asyncio.Event().wait()
            print("\nAll three stories went as told. What else the shipped rules promise:")
            print("  .venv/bin/incidentd test deploy/example/incidentd.yaml")
    return 0


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--exit", action="store_true", help="end after the stories")
    with contextlib.suppress(KeyboardInterrupt):
        sys.exit(asyncio.run(main(leave=arguments.parse_args().exit)))

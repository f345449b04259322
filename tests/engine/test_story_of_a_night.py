"""A whole night from its files: declared at 03:12, handed over before 06:00, over at 06:50; real mail, real chat."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from incidentd.cli import main
from incidentd.notify import Notifier
from incidentd.pages import Notification
from incidentd.redaction import Redactor
from incidentd.rehearsal.doors import Post
from incidentd.roles import MAIN
from incidentd.timeline import Entry, first_broken
from tests.doors.mail_double import MailDouble, mail_server
from tests.doors.test_notify import LOG, threads_are_idle
from tests.doors.test_notify_irc import Room, room
from tests.engine.night import FILES, PEOPLE, Night, OfPost, files, night, nothing, tell
from tests.stores import sqlite_url

PAGE = Path(__file__).parents[2] / "docs" / "examples" / "incident.md"
MAILS = {
    "ana": [
        "[SEV1] CheckoutErrors (checkout, prod): 42% of all payments fail (INC-1)",
        "INC-1 goes on for 10m: is sev1 still right? Nothing was said yet to: internal.",
        "Your shift ends in 1h: hand over INC-1",
        "Your shift ends in 15m: hand over INC-1",
        "INC-1: dia is Incident Commander now",
        "INC-1: eli is Operations Lead now",
        "INC-1: fay is Communications Lead now",
        "Handoff of sre: ana to dia, 1 open",
    ],
    "ben": [
        "Will you be Operations Lead of INC-1? sev1: CheckoutErrors (checkout, prod): 42% of all payments fail",
        "INC-1 T1 for you until 03:34:00 UTC: compare the errors of the two card providers",
        "INC-1 T3 for you until 05:12:00 UTC: replace pay-5 and pay-6",
        "Your shift ends in 1h: hand over INC-1",
        "INC-1 T3 is due: replace pay-5 and pay-6",
        "Your shift ends in 15m: hand over INC-1",
        "INC-1: dia is Incident Commander now",
        "INC-1: eli is Operations Lead now",
        "INC-1: fay is Communications Lead now",
        "Handoff of operations: ben to eli, 1 open",
    ],
    "cho": [
        "Will you be Communications Lead of INC-1? sev1: CheckoutErrors (checkout, prod): 42% of all payments fail",
        "INC-1 is identified; not told yet: internal. cho is asked to say so.",
        "The internal update of INC-1 was promised for 04:26:00 UTC.",
        "Your shift ends in 1h: hand over INC-1",
        "Your shift ends in 15m: hand over INC-1",
        "INC-1: dia is Incident Commander now",
        "INC-1: eli is Operations Lead now",
        "INC-1: fay is Communications Lead now",
        "Handoff of communications: cho to fay, 1 open",
    ],
    "dia": [
        "INC-1: ana hands Incident Commander over to you, answer by 05:56:00 UTC",
        "INC-1: dia is Incident Commander now",
        "INC-1: eli is Operations Lead now",
        "INC-1: fay is Communications Lead now",
        "Handoff of sre: ana to dia, 1 open",
        "The postmortem of INC-1 is yours: CheckoutErrors (checkout, prod): 42% of all payments fail",
    ],
    "eli": [
        "INC-1: ben hands Operations Lead over to you, answer by 05:57:00 UTC",
        "INC-1: eli is Operations Lead now",
        "INC-1: fay is Communications Lead now",
        "INC-1 T3 for you until 07:54:00 UTC: replace pay-5 and pay-6",
        "Handoff of operations: ben to eli, 1 open",
    ],
    "fay": [
        "INC-1: cho hands Communications Lead over to you, answer by 05:58:00 UTC",
        "INC-1: fay is Communications Lead now",
        "Handoff of communications: cho to fay, 1 open",
        "INC-1 is monitoring; not told yet: internal. fay is asked to say so.",
        "INC-1 is resolved; not told yet: internal. fay is asked to say so.",
    ],
    "gil": [
        "[SEV1] shop-dev is needed: say what release 4.2 changed in the payment client "
        "(CheckoutErrors (checkout, prod): 42% of all payments… (INC-1)",
        "INC-1 T2 for you until 03:56:00 UTC: set the pool of pay-1 alone back to 50 and compare",
        "INC-1: dia is Incident Commander now",
        "INC-1: eli is Operations Lead now",
        "INC-1: fay is Communications Lead now",
    ],
    "staff": [
        "[SEV1] INC-1 investigating: CheckoutErrors (checkout, prod): 42% of all payments fail",
        "[SEV1] INC-1 identified: CheckoutErrors (checkout, prod): 42% of all payments fail",
        "[SEV1] INC-1 monitoring: CheckoutErrors (checkout, prod): 42% of all payments fail",
        "[SEV1] INC-1 resolved: CheckoutErrors (checkout, prod): 42% of all payments fail",
    ],
}
"""What each mailbox got, in order."""
ROOMS = ("incidents", "shop-room")


@dataclass
class OneAfterTheOther:
    """The door to people, which also keeps what went through it."""

    door: Notifier
    sent: list[Notification] = field(default_factory=list)

    async def send(self, n: Notification) -> None:
        await self.door.send(n)
        self.sent.append(n)


@dataclass(frozen=True)
class OfMail:
    """The mails that a server took."""

    server: MailDouble

    def last_to(self, who: str) -> str:
        return next(
            str(text) for it in reversed(self.server.mails)
            if it["To"] == f"{who}@example.org" and "/a/" in (text := it.get_content())
        )  # fmt: skip


@asynccontextmanager
async def listening(sitting: Room) -> AsyncIterator[list[str]]:
    """Read along in all rooms from here on; the lines are whole when the block has ended."""
    said: list[str] = []

    async def listen() -> None:
        while not (said and said[-1].endswith(":the end")):
            with suppress(TimeoutError):
                said.extend(await sitting.until(""))

    task = asyncio.create_task(listen())
    try:
        yield said
    finally:
        sitting.say("PING :the end")
        await task


def in_room(said: list[str], name: str) -> str:
    """Put together what was said in a room, without spaces: a chat breaks long words where it likes."""
    lines = (line.split(" :", 1)[1] for line in said if f" PRIVMSG #{name} :" in line)
    return bare("".join(lines))


def bare(text: str) -> str:
    return re.sub(r"[\s\u200b\u2060]", "", text)


@pytest.mark.slow
@pytest.mark.needs("ngircd")
@pytest.mark.parametrize("restarts", [False, True], ids=["", "with a restart after each step"])
async def test_a_night_through_real_mail_and_chat(tmp_path: Path, free_port: int, restarts: bool) -> None:
    """Each mail that people get is counted: with a restart after each step, every reminder still comes once."""
    async with mail_server() as server, room(tmp_path, free_port) as sitting:
        sitting.say("JOIN #incidents")
        await sitting.until(" 366 ")
        sitting.say("JOIN #shop")
        await sitting.until(" 366 ")
        mail = "mailto://127.0.0.1:{}?from=incidentd@example.org&to={}@example.org&mode=insecure"
        addresses = {who: mail.format(server.port, who) for who in PEOPLE} | {
            "staff-mail": mail.format(server.port, "staff"),
            "incidents": f"irc://incidentd@127.0.0.1:{free_port}/%23incidents?join=yes",
            "shop-room": f"irc://incidentd-shop@127.0.0.1:{free_port}/%23shop?join=yes",
        }
        settings = files(tmp_path / "files", addresses)
        real = Notifier(settings.all_channels(), log=LOG, redact=Redactor())
        await real.warm_up()
        door = OneAfterTheOther(real)
        async with (
            night(sqlite_url(tmp_path / "night.db"), settings, door, OfMail(server)) as told,
            listening(sitting) as said,
        ):
            await tell(told, restart if restarts else nothing)
            document, entries = await told.document(), await told.entries()
            await looks_well(told, entries)
        await real.close()
        await threads_are_idle()

    assert lines_of(document) == lines_of(PAGE.read_text()), "run `make docs`"
    got: dict[str, list[str]] = {}
    for it in server.mails:
        got.setdefault(it["To"].removesuffix("@example.org"), []).append(it["Subject"].replace("\n", ""))
    assert got == MAILS
    keys = [it.key for it in door.sent]
    assert len(keys) == len(set(keys)), "nothing is sent twice"
    each_entry_was_posted_once(told, in_room(said, "incidents"), entries)
    shop = in_room(said, "shop")
    for title in [it.title for it in door.sent if it.channel == "shop-room"]:
        assert shop.count(bare(title)) == 1


async def restart(told: Night) -> None:
    """Throw the engine away with everything but what is stored, and begin anew."""
    await told.close()
    await told.open()


def lines_of(document: str) -> list[str]:
    """Give the lines of a document; those of one instant, whose order is no matter, are put in order."""
    return sorted(re.sub("`[0-9a-f]{64}`", "", document).splitlines())


def each_entry_was_posted_once(told: Night, room: str, entries: tuple[Entry, ...]) -> None:
    """Hold that a room was told of the whole timeline, in order, with nothing twice and nothing left out."""
    ranges = [(int(a), int(b)) for a, b in re.findall(r"RefINC-1/incidents/(\d+)-(\d+)", room)]
    told_of = [seq for first, last in ranges for seq in range(first, last + 1)]
    assert told_of == sorted(set(told_of)), "a message came twice, or before an earlier one"
    posted = [it for it in entries if told.settings.communication.posts(it.kind)]
    assert {it.seq for it in posted} <= set(told_of)
    wanted = Counter(bare(it.text)[:60] for it in posted)
    assert {text for text, times in wanted.items() if room.count(text) < times} == set()


async def looks_well(told: Night, entries: tuple[Entry, ...]) -> None:
    """Hold what has to be true at the end of the story."""
    assert first_broken(entries) is None
    incident = await told.world.incident()
    held = {role.short: [(it.person, f"{it.since:%H:%M}") for it in incident.roles if it.role is role] for role in MAIN}
    assert held == {
        "ic": [("ana", "03:12"), ("dia", "05:50")], "ol": [("ben", "03:15"), ("eli", "05:51")],
        "cl": [("cho", "03:16"), ("fay", "05:52")],
    }  # fmt: skip
    assert incident.status == "postmortem"
    kinds = Counter(it.kind for it in entries)
    assert (kinds["update.sent"], kinds["updates.overdue"], kinds["task.overdue"]) == (4, 1, 1)
    assert (kinds["handover.due"], kinds["handover.accepted"], kinds["handover.observed"]) == (6, 3, 3)
    assert kinds["page.lapsed"] == 0
    draft = await told.typed("dia", "postmortem show INC-1")
    assert "alert when a connection pool is used up" in draft


@pytest.mark.slow
async def test_a_restart_after_each_step_forgets_nothing_and_tells_nothing_twice(
    store_url: str, tmp_path: Path
) -> None:
    post = Post()
    async with night(store_url, files(tmp_path / "files", {}), post, OfPost(post)) as told:
        await tell(told, restart)
        document, entries = await told.document(), await told.entries()
        await looks_well(told, entries)
    assert lines_of(document) == lines_of(PAGE.read_text())
    keys = [it.key for it in post.sent]
    assert len(keys) == len(set(keys))
    assert {who: post.to(f"{who}/mail") for who in PEOPLE} | {"staff": post.to("staff-mail")} == MAILS
    posted = "".join(f"{it.title}{it.body}Ref{it.key}" for it in post.sent if it.channel == "incidents")
    each_entry_was_posted_once(told, bare(posted), entries)


def test_the_files_of_the_night_are_without_mistakes() -> None:
    from click.testing import CliRunner

    result = CliRunner().invoke(main, ["check", str(FILES / "incidentd.yaml")])
    assert result.exit_code == 0, result.output

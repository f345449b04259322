"""The commands against a running daemon: what they do, print, and answer when it goes wrong."""

from __future__ import annotations

import asyncio
import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner

from incidentd import __version__
from incidentd.cli import main, rota
from incidentd.cli.client import me
from incidentd.engine import commands
from incidentd.incidents import Incident, Status, Trigger
from incidentd.playbooks import RunState
from incidentd.store import chain, subjects, things
from tests.cli.conftest import Type
from tests.web.small_house import NOW, SETUP, SmallHouse, body, insert_hold, insert_page
from tests.web.test_answers import UNASKED, proposed
from tests.web.test_receiver import stored

DECLARE = ("declare", "--title", "Checkout is down", "--severity", "sev1")


async def test_an_alert_is_sent_by_its_labels(house: SmallHouse, typed: Type) -> None:
    done = await typed(
        "send", "-l", "alertname=WorkerStuck", "-l", "expr=a=b", "--annotation", "summary=x", "--resolved"
    )
    assert (done.exit_code, done.output[:6]) == (0, "stored")
    ((source, raw),) = await house.store.read(stored)
    alert = json.loads(raw)["alerts"][0]
    assert source == "default"
    assert alert == {
        "status": "resolved", "labels": {"alertname": "WorkerStuck", "expr": "a=b"}, "annotations": {"summary": "x"}
    }  # fmt: skip


async def test_a_body_is_sent_from_a_file_or_from_standard_input(
    house: SmallHouse, typed: Type, tmp_path: Path
) -> None:
    (tmp_path / "body.json").write_bytes(body("A"))
    assert (await typed("send", str(tmp_path / "body.json"))).exit_code == 0
    assert (await typed("send", "-", stdin=body("B"))).exit_code == 0
    assert await house.store.read(stored) == [("default", body("A")), ("default", body("B"))]


async def test_an_unknown_source_is_one_short_sentence(typed: Type) -> None:
    done = await typed("send", "-l", "a=b", "--source", "no such/../source")
    assert done.exit_code == 1
    assert "there is no source 'no such/../source'" in done.stderr


@pytest.mark.parametrize(
    "words",
    [
        ("send",), ("send", "body.json", "-l", "a=b"), ("send", "-l", "ab"), ("send", "no-such-file"), ("declare",),
        ("declare", "--title", "x"), ("declare", "HOLD-1", "--title", "x"), ("ack",), ("note", "INC-1"), ("nonsense",),
        ("holds", "--limit", "0"), ("stand-down", "HOLD-1"), ("extend", "HOLD-1"), ("progress", "HOLD-1"),
        ("token", "create", "x"), ("token", "revoke", "x"),
        ("incidents", "--url", "ftp://x"), ("incidents", "--url", "http://"), ("incidents", "--token-file", "/none"),
    ],
)  # fmt: skip
async def test_a_command_that_is_wrong_exits_2_and_says_why(typed: Type, words: tuple[str, ...]) -> None:
    done = await typed(*words)
    assert done.exit_code == 2
    assert "Error: " in done.stderr or "Usage: " in done.stderr
    assert "Traceback" not in done.output


async def test_what_is_open_is_listed_in_a_table(house: SmallHouse, typed: Type) -> None:
    assert (await typed("holds")).output == "Nothing is held.\n"
    hold = await house.store.write(insert_hold, title="Queue \x1b[31mlags\u202e")
    await house.store.write(insert_page, hold.key)
    head, row = (await typed("holds")).output.splitlines()
    assert head.split() == ["ID", "SEVERITY", "STATE", "FIRING", "DECLARES", "TITLE"]
    assert row.split()[:5] == ["HOLD-1", "sev3", "holding", "2", "2026-11-24T14:37:00Z"]
    assert "\x1b" not in row
    assert "\u202e" not in row
    assert "PAGE-1" in (await typed("pages")).output
    assert "respond_within:    30m" in (await typed("pages", "PAGE-1")).output
    assert (await typed("runs")).output == "No playbook is at work.\n"
    assert (await typed("incidents")).output == "No incident is open.\n"


async def test_the_story_of_a_hold_and_the_document_of_an_incident_are_printed(house: SmallHouse, typed: Type) -> None:
    await house.store.write(insert_hold)
    told = (await typed("holds", "HOLD-1")).output.splitlines()
    assert told[0] == "HOLD-1 sev3 holding: QueueLagHigh"
    assert told[1].endswith("setup (file)  Holding: declares unless there is progress.")
    await typed(*DECLARE)
    assert (await typed("incidents", "INC-1")).output.startswith("# INC-1 Checkout is down\n")
    assert json.loads((await typed("incidents", "INC-1", "--json")).output)["title"] == "Checkout is down"


async def test_the_last_incident_of_the_same_thing_is_named_first(house: SmallHouse, typed: Type) -> None:
    ago = NOW - timedelta(days=2)
    over = Incident(
        id=0, title="QueueLagHigh", status=Status.CLOSED, severity="sev3", declared_severity="sev3",
        peak_severity="sev3", urgency="urgent", trigger=Trigger.RULE, reason="x", source="default",
        correlation_key="queue", impact_started_at=ago, detected_at=ago, declared_at=ago, declared_by="rule queue-lag",
        resolution="consumers restarted",
    )  # fmt: skip
    await house.store.write(subjects.insert_incident, over)
    await house.store.write(insert_hold)
    line = "Before: INC-1 of 2026-11-22: consumers restarted"
    assert (await typed("holds", "HOLD-1")).output.splitlines()[1] == line
    await house.store.write(commands.declare_hold, house.settings, 1, actor=SETUP)
    assert (await typed("board", "INC-2", "ic")).output.splitlines()[1] == line


async def test_json_is_for_scripts_and_all_shows_what_is_over(house: SmallHouse, typed: Type) -> None:
    await house.store.write(insert_hold)
    await typed("stand-down", "HOLD-1", "--reason", "a test")
    assert json.loads((await typed("holds", "--json")).output)["holds"] == []
    assert json.loads((await typed("holds", "--json", "--all")).output)["holds"][0]["outcome"] == "stood_down"


async def test_progress_and_more_time_are_given_to_a_hold(house: SmallHouse, typed: Type) -> None:
    await house.store.write(insert_hold)
    noted = (await typed("progress", "HOLD-1", "found the slow consumer", "--by", "ana")).output
    assert noted.startswith("noted on HOLD-1; it declares at 2")
    more = ("extend", "HOLD-1", "--for", "10m", "--reason", "copying", "--approved-by", "ben", "--by", "ana")
    assert (await typed(*more)).output.startswith("HOLD-1 declares at 2")
    assert "was extended once, by ana" in (await typed(*more)).stderr
    assert "a customer" not in (await typed("note", "HOLD-1", "x", "--customer", "--by", "ana")).stderr
    assert (await typed("note", "INC-1", "x", "--customer")).exit_code == 2


async def test_incidents_are_moved_on_from_the_command_line(house: SmallHouse, typed: Type) -> None:
    for title in ("Checkout is down", "Shop is slow"):
        await typed("declare", "--title", title, "--severity", "sev2")
    assert (await typed("identify", "INC-1", "the disk is full")).output == "INC-1 is identified: Checkout is down\n"
    assert (await typed("mitigate", "INC-1", "--note", "x", "--version", "1")).exit_code == 1
    assert (await typed("investigate", "INC-1", "--text", "it is not the disk")).exit_code == 0
    assert (await typed("severity", "INC-1", "sev1")).output == "INC-1 is sev1: Checkout is down\n"
    assert (await typed("correct", "INC-1", "noon")).exit_code == 2
    corrected = await typed("correct", "INC-1", "impact_started_at=2020-01-01T00:00:00Z")
    assert corrected.output == "INC-1 impact_started_at: 2020-01-01T00:00:00Z\n"
    assert (await typed("merge", "INC-2")).exit_code == 2
    merged = await typed("merge", "INC-2", "--into", "INC-1")
    assert merged.output == "INC-1 is investigating and goes on: Checkout is down\n"
    assert (await typed("unmerge", "INC-2")).output == "INC-2 is investigating: Shop is slow\n"
    assert (await typed("stand-down", "INC-2")).exit_code == 2
    down = await typed("stand-down", "INC-2", "--code", "expected_change", "--reason", "a release")
    assert down.output == "INC-2 is stood down: Shop is slow\n"
    assert (await typed("reopen", "INC-2", "--reason", "it was not")).output == "INC-2 is investigating: Shop is slow\n"
    assert (await typed("close", "INC-2")).exit_code == 1
    assert (await typed("declare", "--title", "x", "--severity", "sev1", "--drill")).output.startswith("INC-3 sev1")


async def test_a_person_declares_acknowledges_notes_and_resolves(house: SmallHouse, typed: Type) -> None:
    made = await typed(*DECLARE, "--reason", "no money", "--by", "ana")
    assert made.output.splitlines()[0] == "INC-1 sev1 is declared: Checkout is down"
    assert (await typed("ack", "PAGE-1", "--by", "ana")).output.startswith("ana has PAGE-1: ")
    assert (await typed("note", "INC-1", "rolling back")).output == "noted on INC-1\n"
    assert (await typed("resolve", "INC-1", "--note", "rolled back")).output == "INC-1 is resolved: Checkout is down\n"
    told = {(entry.actor.name, entry.actor.via) for entry in await house.store.read(chain.entries, "INC-1")}
    assert {("ana", "cli"), (me(), "cli")} <= told


async def test_a_note_on_what_was_merged_says_where_it_stands(typed: Type) -> None:
    for _ in range(2):
        await typed(*DECLARE, "--by", "ana")
    await typed("merge", "INC-2", "--into", "INC-1", "--by", "ana")
    said = await typed("note", "INC-2", "replica 2 must not be promoted", "--by", "ana")
    assert (said.exit_code, said.output) == (0, "noted on INC-1, of which INC-2 is part now\n")


async def test_a_page_is_helped_with_and_taken(typed: Type) -> None:
    await typed(*DECLARE, "--by", "ana")
    helped = await typed("helping", "PAGE-1", "looking at the gateway", "--by", "eli")
    assert helped.output == "noted on INC-1; PAGE-1 still waits for an answer\n"
    assert (await typed("take", "page-1", "--by", "eli")).output.startswith("eli has PAGE-1: ")
    assert (await typed("take", "PAGE-1", "--by", "fay")).output.startswith("fay has PAGE-1: ")
    assert (await typed("helping", "PAGE-1", "--by", "ana")).output == "noted on INC-1; fay has PAGE-1\n"
    await typed("resolve", "INC-1")
    late = await typed("ack", "PAGE-1", "--by", "ben")
    assert (late.exit_code, "was acknowledged by fay" in late.stderr) == (1, True)


async def test_a_hold_is_noted_and_declared_by_its_name(house: SmallHouse, typed: Type) -> None:
    await house.store.write(insert_hold)
    assert (await typed("note", "hold-1", "draining")).output == "noted on HOLD-1\n"
    assert "INC-1 sev3 is declared" in (await typed("declare", "HOLD-1", "--reason", "money")).output
    again = await typed("declare", "HOLD-1")
    assert (again.exit_code, "INC-1" in again.stderr) == (1, True)


async def test_a_question_of_a_run_is_answered_once_by_whom_it_asks(house: SmallHouse, typed: Type) -> None:
    await house.store.write(insert_hold)
    run = await house.store.write(proposed, "HOLD-1", "low")
    question = replace(UNASKED, people=("ana",), expires_at=datetime(2100, 1, 1, tzinfo=UTC))
    await house.store.write(things.save_run, replace(run, state=RunState.RUNNING, question=question))
    assert "asks ana, and ben is not among them" in (await typed("approve", "RUN-1", "3", "--by", "ben")).stderr
    assert "the answer has to match '[0-9]'" in (await typed("approve", "RUN-1", "yes", "--by", "ana")).stderr
    assert (await typed("approve", "RUN-1", "3", "--by", "ana")).output.startswith(
        "RUN-1 was answered '3': restart on "
    )
    assert "ana was first, and answered `3`" in (await typed("approve", "RUN-1", "4", "--by", "ana")).stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("ack", "PAGE-7"), "there is no PAGE-7"), (("ack", "nonsense"), "ids look like PAGE-12"),
        (("resolve", "INC-7"), "there is no INC-7"), (("approve", "RUN-7"), "there is no RUN-7"),
        (("oncall", "who", "shop"), "there is no schedule 'shop'"), (("note", "../x", "y"), "ids look like INC-12"),
        (("declare", "--title", "x", "--severity", "sev9"), "there is no severity"),
    ],
)  # fmt: skip
async def test_what_cannot_be_done_exits_1_and_says_why(typed: Type, words: tuple[str, ...], said: str) -> None:
    done = await typed(*words)
    assert done.exit_code == 1
    assert said in done.stderr
    assert done.stderr.count("\n") == 1


async def test_who_is_on_call_is_told(typed: Type) -> None:
    assert (await typed("oncall", "who")).output == "There are no schedules.\n"


# -- tokens ---------------------------------------------------------------------------------------------------------


async def test_the_first_token_closes_the_door_and_opens_it_for_its_owner(typed: Type, tmp_path: Path) -> None:
    made = await typed("token", "create", "ana", "--scope", "admin")
    secret = made.stdout.strip()
    assert secret.startswith("inc_")
    assert "From now on every request needs a token" in made.stderr
    refused = await typed("holds")
    assert (refused.exit_code, "INCIDENTD_TOKEN_FILE" in refused.stderr) == (1, True)
    (tmp_path / "token").write_text(secret + "\n")
    assert (await typed("holds", "--token-file", str(tmp_path / "token"))).exit_code == 0
    assert (await typed("holds", INCIDENTD_TOKEN_FILE=str(tmp_path / "token"))).exit_code == 0
    assert (await typed("holds", INCIDENTD_TOKEN=secret)).exit_code == 0


async def test_tokens_are_listed_without_secrets_and_revoked(typed: Type) -> None:
    secret = (await typed("token", "create", "ana", "--scope", "admin")).stdout.strip()
    other = await typed("token", "create", "am", "--scope", "ingest:default", "--json", INCIDENTD_TOKEN=secret)
    assert json.loads(other.stdout)["scopes"] == ["ingest:default"]
    assert (await typed("token", "revoke", "2", INCIDENTD_TOKEN=secret)).output == "token 2 of am is revoked\n"
    listed = await typed("token", "list", INCIDENTD_TOKEN=secret)
    assert [line.split()[:3] for line in listed.output.splitlines()[1:]] == [
        ["1", "ana", "admin"], ["2", "am", "ingest:default"]
    ]  # fmt: skip
    assert "inc_" not in listed.output


async def test_a_token_without_admin_as_the_only_one_is_warned_about(typed: Type) -> None:
    assert "No token has the scope admin" in (await typed("token", "create", "am", "--scope", "ingest:x")).stderr


async def test_with_a_token_its_own_name_acts(house: SmallHouse, typed: Type) -> None:
    secret = (await typed("token", "create", "ana", "--scope", "admin")).stdout.strip()
    await house.store.write(insert_hold)
    assert (await typed("note", "HOLD-1", "x", INCIDENTD_TOKEN=secret)).exit_code == 0
    assert (await typed("note", "HOLD-1", "x", "--by", "ben", INCIDENTD_TOKEN=secret)).exit_code == 1
    assert (await house.store.read(chain.entries, "HOLD-1"))[1].actor.name == "ana"


def test_a_store_that_nobody_runs_on_is_written_directly(tmp_path: Path) -> None:
    def typed(*words: str) -> str:
        done = CliRunner().invoke(main, ["token", *words, "--store", f"sqlite:///{tmp_path}/x.db"])
        assert done.exit_code == 0, done.output
        return done.stdout

    assert typed("list") == "There is no token.\n"
    assert typed("create", "ana", "--scope", "admin").startswith("inc_")
    assert typed("revoke", "1") == "token 1 of ana is revoked\n"
    assert "ana" in typed("list")


def test_the_store_of_a_configuration_is_written_directly(tmp_path: Path) -> None:
    file = tmp_path / "incidentd.yaml"
    file.write_text(f"kind: config\nstore: sqlite:///{tmp_path}/y.db\n")
    done = CliRunner().invoke(main, ["token", "create", "ana", "--scope", "admin", "--config.file", str(file)])
    assert done.exit_code == 0
    assert (tmp_path / "y.db").exists()
    file.write_text("kind: config\nstor: x\n")
    done = CliRunner().invoke(main, ["token", "list", "--config.file", str(file)])
    assert (done.exit_code, f"{file}:2:1" in done.stderr) == (2, True)


async def test_a_store_that_a_daemon_runs_on_is_left_alone(house: SmallHouse, tmp_path: Path) -> None:
    words = ["token", "create", "ana", "--scope", "admin", "--store", f"sqlite:///{tmp_path}/test.db"]
    done = await asyncio.to_thread(CliRunner().invoke, main, words)
    assert done.exit_code == 1
    assert "belongs to a running incidentd" in done.stderr


# -- without a daemon -----------------------------------------------------------------------------------------------


def test_a_daemon_that_is_not_there_is_one_sentence(free_port: int) -> None:
    done = CliRunner().invoke(main, ["holds", "--url", f"http://127.0.0.1:{free_port}"])
    assert done.exit_code == 1
    assert f"cannot reach incidentd at http://127.0.0.1:{free_port}: Connection refused" in done.stderr


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (b"HTTP/1.1 302 Found\r\nLocation: http://evil.example/\r\nContent-Length: 0\r\n\r\n", "leads elsewhere"),
        (b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 4\r\n\r\n<p>x", "answered HTTP 502"),
        (b"HTTP/1.1 400 No\r\nContent-Length: 2\r\n\r\n[]", "answered HTTP 400"),
        (b"SSH-2.0-OpenSSH\r\n", "cannot reach incidentd"),
        (b"", "cannot reach incidentd"),
    ],
)
async def test_something_else_at_that_address_is_one_sentence(answer: bytes, said: str) -> None:
    assert said in await _refused_by(answer, "holds")


@pytest.mark.parametrize("answer", [b"<html>Log in</html>", b'["ok"]', b"", b"[" * 100_000])
@pytest.mark.parametrize(
    "words",
    [
        ("holds",), ("ack", "PAGE-1"), ("token", "revoke", "1"), ("postmortem", "list"), ("postmortem", "search", "x"),
        ("send", "-l", "a=b"),
    ],
)  # fmt: skip
async def test_an_address_that_answers_200_with_something_else_is_one_sentence(
    answer: bytes, words: tuple[str, ...]
) -> None:
    whole = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(answer), answer)
    assert "is that an incidentd?" in await _refused_by(whole, *words)


async def _refused_by(answer: bytes, *words: str) -> str:
    """Type a command against an address that gives this answer, and give the sentence that it ends with."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    address = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    done = await asyncio.to_thread(CliRunner().invoke, main, [*words, "--url", address])
    server.close()
    await server.wait_closed()
    assert (done.exit_code, type(done.exception)) == (1, SystemExit), done.exception
    return done.stderr


def test_check_proves_a_configuration_in_one_line(tmp_path: Path) -> None:
    file = tmp_path / "incidentd.yaml"
    file.write_text("kind: config\n")
    done = CliRunner().invoke(main, ["check", str(file)])
    assert done.exit_code == 0
    assert done.stdout.startswith(f"{file}: good: 1 rules, 0 playbooks, 0 people, ")
    assert done.stdout.count("\n") == 1


PEOPLE = """kind: config
channels:
  ops-chat: {kind: chat, url_env: CHAT}
---
kind: people
people:
  ana: {name: Ana, channels: {mail: {url_env: MAIL}, sms: {url_env: SMS}}}
  ben: {name: Ben}
"""


def test_check_shows_by_what_each_person_is_reached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "incidentd.yaml"
    file.write_text(PEOPLE)
    for name in ("CHAT", "MAIL", "SMS"):
        monkeypatch.setenv(name, "json://127.0.0.1:9/canary")
    done = CliRunner().invoke(main, ["check", str(file)])
    assert done.stdout.splitlines()[1:] == ["  ana: mail, sms", "  ben: no channel: pages go to the log"]
    assert "canary" not in done.output


def test_check_refuses_an_address_that_nothing_can_be_sent_to_and_does_not_show_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "incidentd.yaml"
    file.write_text(PEOPLE)
    monkeypatch.setenv("CHAT", "slack://canary")
    monkeypatch.setenv("MAIL", "json://127.0.0.1:9/x")
    monkeypatch.setenv("SMS", "carrier-pigeon://canary-roof")
    done = CliRunner().invoke(main, ["check", str(file)])
    assert done.exit_code == 2
    assert f"{file}:3:13: the address of the channel `ops-chat` is none that Apprise understands" in done.stderr
    assert f"{file}:7:" in done.stderr
    assert done.stderr.endswith("2 mistakes\n")
    assert "canary" not in done.output


def test_check_lists_every_mistake_with_its_place(tmp_path: Path) -> None:
    file = tmp_path / "incidentd.yaml"
    file.write_text("kind: config\nlisten: 7\nstor: x\n")
    done = CliRunner().invoke(main, ["check", str(file)])
    assert done.exit_code == 2
    assert done.stdout == ""
    assert f"{file}:2:" in done.stderr
    assert f"{file}:3:" in done.stderr
    assert done.stderr.endswith("2 mistakes; mend and check again, as some show only then\n")


def test_check_names_no_gap_that_is_over() -> None:
    file = Path(__file__).parents[1] / "data" / "broken" / "schedule-with-a-gap.yaml"
    begun = datetime.now(UTC)
    said = CliRunner().invoke(main, ["check", str(file)]).stderr
    named = re.search(r"the first is \S+ \S+ to (\S+ \S+) \(UTC\)", said)
    assert named, said
    assert datetime.fromisoformat(named[1]).replace(tzinfo=UTC) > begun - timedelta(minutes=1)


@pytest.mark.parametrize(
    "words",
    [
        ["--web.listen-address", "9720"], ["--web.listen-address", "127.0.0.1:99999"], ["--store", "x.db"],
        ["--store", "postgresql://x"], ["--web.external-url", "incidentd.example"], ["--log.level", "loud"],
        ["--log.format", "xml"], ["--nonsense"],
    ],
)  # fmt: skip
def test_run_refuses_a_flag_that_is_wrong(words: list[str]) -> None:
    done = CliRunner().invoke(main, ["run", *words])
    assert done.exit_code == 2
    assert "Error: " in done.stderr


def test_the_version_is_told() -> None:
    assert CliRunner().invoke(main, ["--version"]).output == f"incidentd {__version__}\n"


@pytest.mark.parametrize(
    "words",
    [[name] for name in main.commands]
    + [
        ["token", "create"],
        *(["oncall", name] for name in rota.oncall.commands),
    ],
)
def test_every_command_explains_itself(words: list[str]) -> None:
    done = CliRunner().invoke(main, [*words, "--help"])
    assert done.exit_code == 0
    assert "Usage: " in done.output

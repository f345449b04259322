"""The door to Jira, against a Jira that is stricter than Jira and one that is made by others."""

from __future__ import annotations

import asyncio
import os
import re
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
from jira import JIRAError

from incidentd.actionitems import ActionItem, JiraSettings, own_label
from incidentd.durations import LONGEST_WAIT, retry_after
from incidentd.errors import PermanentError, TemporaryError
from incidentd.playbooks.errands import TicketOrder
from incidentd.redaction import Redactor, Secret
from incidentd.tickets import HUNG, Filed, Tickets
from incidentd.tickets.mapping import summary, wiki
from incidentd.tickets.trouble import SETTLE, translate
from tests.doors.jira_double import EPIC_LINK, RETRY_SECONDS, Fault, JiraDouble, every, once

TOKEN = "jira-token"
BAR = "\N{REVERSE SOLIDUS OPERATOR}"
BOTH = pytest.mark.parametrize("cloud", [False, True], ids=["data-center", "cloud"])


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ask loopback directly, whatever the machine has for a proxy."""
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)


def item(number: int = 1, **changes: Any) -> ActionItem:
    facts: dict[str, Any] = {
        "id": number, "uuid": f"0000-{number:04}", "subject": "INC-12", "title": "Add a limit to the mail queue",
        "description": "The queue had none.", "priority": "P1", "owner": "ana", "team": "payments",
        "due": date(2026, 12, 24), "severity": "sev1", "created_at": datetime(2026, 11, 24, 14, tzinfo=UTC),
    }  # fmt: skip
    return ActionItem(**(facts | changes))


def door(double: JiraDouble, *, deadline: float = 20.0, **changes: Any) -> Tickets:
    redactor = Redactor()
    redactor.know([Secret(TOKEN)])
    facts: dict[str, Any] = {"url": double.url, "token": Secret(TOKEN), "user": double.user, "project": "OPS"}
    return Tickets(JiraSettings(**(facts | changes)), redact=redactor, deadline=deadline, pause=0)


def ordered(number: int = 1, **changes: Any) -> TicketOrder:
    facts: dict[str, Any] = {
        "key": f"RUN-{number}@1764000000000/steps/0", "summary": "DiskFull is noisy", "subject": "HOLD-3",
        "run": f"RUN-{number}", "playbook": "silence-and-ticket", "target": "DiskFull", "teams": ("payments",),
    }  # fmt: skip
    return TicketOrder(**(facts | changes))


@asynccontextmanager
async def jira(**told: Any) -> AsyncIterator[JiraDouble]:
    double = JiraDouble(**told)
    await double.start()
    yield double
    await double.stop()


@asynccontextmanager
async def both(**told: Any) -> AsyncIterator[tuple[JiraDouble, Tickets]]:
    """A Jira and a door to it."""
    async with jira(**told) as double:
        tickets = door(double)
        yield double, tickets
        await tickets.close()


async def file_until_done(double: JiraDouble, one: ActionItem) -> Filed:
    """Try as the job table does, each time from a process that remembers nothing."""
    tried_before = False
    while True:
        tickets = door(double)
        try:
            return await tickets.file(one, assignee="ana", tried_before=tried_before)
        except TemporaryError as error:
            tried_before = tried_before or error.maybe_done
        finally:
            await tickets.close()


@BOTH
async def test_thirty_items_make_thirty_issues_when_every_third_answer_is_lost(cloud: bool) -> None:
    async with jira(cloud=cloud, faults=every("create", Fault.DROP, 3)) as double:
        filed = [await file_until_done(double, item(n)) for n in range(30)]

        assert len(double.issues) == 30
        assert double.requests["create"] == 30
        assert [double.labelled(own_label(item(n).uuid)) for n in range(30)] == [[f.key] for f in filed]


async def test_an_issue_is_found_again_although_the_search_learns_of_it_late() -> None:
    async with jira(cloud=True, search_lag=2, faults=once("create", Fault.DROP)) as double:
        filed = await file_until_done(double, item())

        assert list(double.issues) == [filed.key]
        assert not filed.created


async def test_a_ticket_of_a_playbook_is_there_once_although_its_answer_was_lost_and_the_search_is_late() -> None:
    async with jira(faults=every("create", Fault.DROP), search_lag=2) as double:
        first, second = door(double), door(double)
        with pytest.raises(TemporaryError) as caught:
            await first.order(ordered())
        filed = await second.order(ordered())
        again = await second.order(ordered())
        await first.close()
        await second.close()

        assert caught.value.maybe_done
        assert (filed.key, filed.created, again.key) == ("OPS-1", False, "OPS-1")
        assert list(double.issues) == ["OPS-1"]


async def test_a_ticket_of_a_playbook_goes_where_it_is_told_or_to_its_team_and_says_what_it_comes_from() -> None:
    async with jira() as double:
        double.projects.add("WEB")
        tickets = door(double, projects={"payments": "PAY"}, fields={"labels": ["ours"]})
        await tickets.order(ordered(1, labels=("too many words",)), context="From incidentd: http://i/holds/HOLD-3")
        await tickets.order(ordered(2, project="WEB"))
        await tickets.order(ordered(3, teams=("web",), description="{code}*bold*{code}"))
        await tickets.close()

        found = list(double.issues.values())
        assert [one["project"]["key"] for one in found] == ["PAY", "WEB", "OPS"]
        assert set(found[0]["labels"]) == {
            "incidentd", own_label(ordered(1).key), "hold-3", "playbook-silence-and-ticket", "needs-owner",
            "too-many-words", "ours",
        }  # fmt: skip
        assert found[0]["description"].splitlines()[0] == "From incidentd: http://i/holds/HOLD-3"
        assert "* Playbook: silence-and-ticket \\(RUN-1\\)" in found[0]["description"]
        assert "{code}" not in found[2]["description"]


async def test_a_ticket_gives_up_within_the_time_that_its_step_has() -> None:
    async with jira(faults=once("search", Fault.HANG)) as double:
        tickets = door(double)
        with pytest.raises(TemporaryError) as caught:
            await tickets.order(ordered(), within=0.05)
        await tickets.close()

        assert not caught.value.maybe_done
        assert not double.issues


async def test_an_item_is_mapped_onto_jiras_fields() -> None:
    async with both() as (double, tickets):
        filed = await tickets.file(item(labels=("needs review",)), context="From the review", assignee="ana")

        fields = double.issues[filed.key]
        assert filed == Filed(key="OPS-1", url=f"{double.url}/browse/OPS-1")
        assert fields["summary"] == "[INC-12] Add a limit to the mail queue"
        assert fields["priority"] == {"id": "2"}
        assert fields["assignee"] == {"name": "ana"}
        assert fields["duedate"] == "2026-12-24"
        assert fields["labels"] == [
            "incidentd", "incidentd-ai-0000-0001", "ai-type-repair", "incident", "inc-12", "sev1", "sev1_20261124",
            "needs-review",
        ]  # fmt: skip
        assert fields["description"].startswith("The queue had none.\n\nFrom the review\n\n* Incident: INC-12\n")


async def test_a_ticket_without_an_incident_has_a_bare_summary_and_says_that_it_needs_an_owner() -> None:
    async with both() as (double, tickets):
        filed = await tickets.file(item(subject="", owner="", due=None, title="Fix what DiskFull reports"))

        fields = double.issues[filed.key]
        assert fields["summary"] == "Fix what DiskFull reports"
        assert "needs-owner" in fields["labels"]
        assert "incident" not in fields["labels"]
        assert not {"assignee", "duedate"} & fields.keys()


async def test_a_team_with_a_project_of_its_own_gets_its_items_there() -> None:
    async with jira() as double:
        tickets = door(double, projects={"payments": "PAY"})
        filed = await tickets.file(item(), assignee="ana")
        await tickets.close()

        assert filed.key == "PAY-1"


@BOTH
async def test_the_epic_is_a_parent_on_cloud_and_the_epic_link_on_data_center(cloud: bool) -> None:
    async with jira(cloud=cloud) as double:
        tickets = door(double, epic="OPS-100", fields={"customfield_10020": 7})
        filed = await tickets.file(item(), assignee="ana")
        await tickets.close()

        fields = double.issues[filed.key]
        assert fields["customfield_10020"] == 7
        assert fields["parent" if cloud else EPIC_LINK] == ({"key": "OPS-100"} if cloud else "OPS-100")


async def test_cloud_is_spoken_to_with_user_and_token() -> None:
    async with both(cloud=True, user="bot@example.org") as (double, tickets):
        await tickets.file(item(), assignee="ana")

        assert double.requests == {"server": 1, "search_jql": 1, "priorities": 1, "create": 1}


async def test_a_key_known_in_this_process_is_found_although_the_search_does_not_know_it_yet() -> None:
    async with both(search_lag=10) as (double, tickets):
        first = await tickets.file(item(), assignee="ana")
        before = double.requests.copy()
        again = await tickets.file(item(), assignee="ana")

        assert (again.key, again.created) == (first.key, False)
        assert double.requests - before == {"issue": 1}


@BOTH
async def test_an_issue_that_was_deleted_is_made_anew_whoever_heard_of_it(cloud: bool) -> None:
    async with jira(cloud=cloud) as double:
        first, second = door(double), door(double)
        filed = await first.file(item())
        double.delete(filed.key)
        assert await second.look(filed.key) is None
        again = await first.file(item(), tried_before=True)
        known = await second.file(item())
        await first.close()
        await second.close()

        assert (again.created, known.created, again.key) == (True, False, known.key)
        assert double.labelled(own_label(item().uuid)) == [again.key]


async def test_an_issue_that_the_search_still_names_after_it_was_deleted_is_made_anew() -> None:
    async with jira() as double:
        first, second = door(double), door(double)
        filed = await first.file(item())
        double.delete(filed.key, still_found=True)
        again = await second.file(item(), tried_before=True)
        await first.close()
        await second.close()

        assert again.created
        assert list(double.issues) == [again.key]


@BOTH
async def test_an_issue_that_was_moved_is_not_made_a_second_time_and_has_its_new_key(cloud: bool) -> None:
    async with jira(cloud=cloud) as double:
        first, second = door(double), door(double)
        await first.file(item())
        double.rename("OPS-1", "PAY-7")
        found = [await one.file(item()) for one in (first, second, first)]
        await first.close()
        await second.close()

        assert [(one.key, one.created) for one in found] == [("PAY-7", False)] * 3
        assert found[0].url == f"{double.url}/browse/PAY-7"
        assert list(double.issues) == ["PAY-7"]


async def test_a_lost_answer_is_said_to_be_maybe_done_and_asks_for_some_time() -> None:
    async with both(faults=every("create", Fault.DROP)) as (_, tickets):
        with pytest.raises(TemporaryError, match="no whole answer") as caught:
            await tickets.file(item())

        assert caught.value.maybe_done
        assert caught.value.retry_after == SETTLE


@pytest.mark.slow
async def test_an_item_whose_create_still_hangs_is_not_created_a_second_time() -> None:
    async with jira(faults=once("create", Fault.HANG_AFTER, 2)) as double:
        tickets = door(double, deadline=1)
        await tickets.file(item(1))
        for words in ("did not answer in time", "an earlier try still waits"):
            with pytest.raises(TemporaryError, match=words) as caught:
                await tickets.file(item(2))
            assert caught.value.maybe_done
        await tickets.close()

        assert double.requests["create"] == 2


async def test_a_jira_that_hangs_holds_a_few_threads_and_then_no_more() -> None:
    async with jira(faults=every("server", Fault.HANG)) as double:
        tickets = door(double, deadline=0.05)
        for _ in range(HUNG):
            with pytest.raises(TemporaryError, match="did not answer in time") as caught:
                await tickets.file(item())
            assert not caught.value.maybe_done
        with pytest.raises(TemporaryError, match="has not answered 4 calls"):
            await tickets.file(item())

        assert all(thread.daemon for thread in threading.enumerate() if thread.name == "jira")


@pytest.mark.slow
async def test_many_calls_that_wait_for_one_thread_count_as_one_that_hangs() -> None:
    async with jira(faults=every("server", Fault.HANG)) as double:
        tickets = door(double, deadline=0.3)
        waiting = [tickets.file(item(n)) for n in range(2 * HUNG)]
        results = await asyncio.gather(*waiting, return_exceptions=True)
        assert all(isinstance(result, TemporaryError) and not result.maybe_done for result in results)

        double.faults = every("search", Fault.HANG)
        with pytest.raises(TemporaryError, match="did not answer in time"):
            await tickets.file(item(99))
        await tickets.close()


@pytest.mark.parametrize(
    ("fault", "kind", "words", "maybe_done", "wait"),
    [
        (Fault.CUT, TemporaryError, "no whole answer", True, SETTLE),
        (Fault.DROP, TemporaryError, "no whole answer", True, SETTLE),
        (Fault.GATEWAY, TemporaryError, r"in trouble \(502\)", True, SETTLE),
        (Fault.DOWN, TemporaryError, r"in trouble \(503\)", True, SETTLE),
        (Fault.NONSENSE, TemporaryError, "makes no sense", True, SETTLE),
        (Fault.ENDLESS, TemporaryError, "no whole answer", True, SETTLE),
        (Fault.LATER_SECONDS, TemporaryError, "come back later", False, timedelta(seconds=RETRY_SECONDS)),
        (Fault.LATER_DATE, TemporaryError, "come back later", False, timedelta(seconds=RETRY_SECONDS)),
        (Fault.UNAUTHORIZED, PermanentError, r"refused the token \(401\): renew jira.token_file", False, None),
        (Fault.FORBIDDEN, PermanentError, r"refused the token \(403\): renew jira.token_file", False, None),
        (Fault.REDIRECT, PermanentError, "set jira.url to the address", False, None),
    ],
)
async def test_each_trouble_becomes_one_of_two_errors(
    fault: Fault, kind: type[Exception], words: str, maybe_done: bool, wait: timedelta | None
) -> None:
    async with both(faults=every("create", fault)) as (double, tickets):
        with pytest.raises(kind, match=words) as caught:
            await tickets.file(item())

        assert str(caught.value).startswith("Filing AI-1: ")
        assert getattr(caught.value, "maybe_done", False) is maybe_done
        assert getattr(caught.value, "retry_after", None) == wait
        assert caught.value.__cause__ is None
        assert double.requests["unknown"] == 0


@pytest.mark.parametrize("operation", ["server", "search"])
@pytest.mark.parametrize("fault", [Fault.CUT, Fault.DOWN, Fault.NONSENSE])
async def test_trouble_before_the_create_is_never_maybe_done(operation: str, fault: Fault) -> None:
    async with both(faults=once(operation, fault)) as (double, tickets):
        with pytest.raises(TemporaryError) as caught:
            await tickets.file(item(), assignee="ana")
        await tickets.file(item(), assignee="ana")

        assert not caught.value.maybe_done
        assert list(double.issues) == ["OPS-1"]


@pytest.mark.parametrize("write", [False, True])
def test_every_status_has_a_meaning(write: bool) -> None:
    for status in range(400, 600):
        made = translate(JIRAError(text="", status_code=status), doing="Trying", write=write, redact=str)

        later = status in (408, 425, 429) or status >= 500
        assert type(made) is (TemporaryError if later else PermanentError)
        assert getattr(made, "maybe_done", False) is (write and status >= 500)


async def test_a_jira_that_is_not_there_was_not_reached() -> None:
    async with jira() as double:
        gone = double.url
    for url, words, kind in (
        (gone, "cannot be reached", TemporaryError),
        ("http://jira.invalid", "cannot be reached", TemporaryError),
        ("ftp://jira.invalid", "no|not an http", PermanentError),
    ):
        tickets = door(double, url=url)
        with pytest.raises(kind, match=words) as caught:
            await tickets.file(item())
        await tickets.close()
        assert not getattr(caught.value, "maybe_done", False)


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({}, None),
        ({"Retry-After": ""}, None),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": "-5"}, None),
        ({"Retry-After": "1.5"}, None),
        ({"Retry-After": "٣"}, None),
        ({"Retry-After": "0"}, timedelta(0)),
        ({"Retry-After": "30"}, timedelta(seconds=30)),
        ({"Retry-After": "1000000000"}, LONGEST_WAIT),
        ({"Retry-After": "9" * 5000}, LONGEST_WAIT),
        (
            {"Retry-After": "Tue, 24 Nov 2026 14:02:00 GMT", "Date": "Tue, 24 Nov 2026 14:00:00 GMT"},
            timedelta(minutes=2),
        ),
        ({"Retry-After": "Tue, 24 Nov 2026 13:00:00 GMT", "Date": "Tue, 24 Nov 2026 14:00:00 GMT"}, timedelta(0)),
        ({"Retry-After": "Fri, 31 Dec 9999 23:59:59 GMT", "Date": "Tue, 24 Nov 2026 14:00:00 GMT"}, LONGEST_WAIT),
        ({"Retry-After": "Tue, 24 Nov 2026 14:02:00 GMT"}, None),
        ({"Retry-After": "Tue, 24 Nov 2026 14:02:00 -0000", "Date": "Tue, 24 Nov 2026 14:00:00 GMT"}, None),
        ({"Retry-After": "Tue, 99 Nov 2026 99:02:00 GMT", "Date": "x"}, None),
    ],
)
def test_a_wish_to_come_back_later_is_read_or_left_but_never_an_error(
    headers: dict[str, str], wait: timedelta | None
) -> None:
    assert retry_after(headers) == wait


@pytest.mark.parametrize(
    ("told", "changes", "words"),
    [
        ({}, {"project": "NOPE"}, "project: valid project is required .*jira.project"),
        ({}, {"issue_type": "Chore"}, "issuetype: .*jira.issue_type"),
        ({"cloud": True}, {"epic": "OPS-9"}, "parent: no such parent .*jira.epic"),
        ({"required": frozenset({"customfield_10020"})}, {}, "customfield_10020 is required. .*under jira.fields"),
        ({}, {"fields": {"customfield_99": 1}}, "Field 'customfield_99' cannot be set.* .*under jira.fields"),
        ({"off_screen": frozenset({"labels"})}, {}, "labels: .*create screen"),
    ],
)
async def test_what_jira_will_not_take_is_named_with_what_to_do(
    told: dict[str, Any], changes: dict[str, Any], words: str
) -> None:
    async with jira(**told) as double:
        tickets = door(double, **changes)
        with pytest.raises(PermanentError, match=words):
            await tickets.file(item())
        await tickets.close()

        assert double.requests["create"] == 1


async def test_an_owner_whom_jira_does_not_know_leaves_the_issue_in_need_of_one() -> None:
    async with both() as (double, tickets):
        filed = await tickets.file(item(), assignee="nobody.known")

        assert filed.left_out == ("assignee",)
        assert "needs-owner" in double.issues[filed.key]["labels"]
        assert "* Owner: ana" in double.issues[filed.key]["description"]


async def test_fields_that_are_not_on_the_screen_are_left_out_and_said_in_words() -> None:
    async with both(off_screen=frozenset({"priority", "duedate"})) as (double, tickets):
        filed = await tickets.file(item(), assignee="ana")

        fields = double.issues[filed.key]
        assert filed.left_out == ("duedate", "priority")
        assert {"priority-p1", "due-2026-12-24"} <= set(fields["labels"])
        assert "* Priority: P1" in fields["description"]
        assert "* Due: 2026-12-24" in fields["description"]


@pytest.mark.parametrize("token", ["jira-token\r\nX-Evil: 1", "jira-token-…", "jira-token\x00"])
async def test_an_error_never_holds_the_token(token: str) -> None:
    async with jira() as double:
        for user in ("", "bot@example.org"):
            tickets = door(double, token=Secret(token), user=user)
            with pytest.raises(PermanentError, match="holds characters that no header can carry") as caught:
                await tickets.file(item())
            await tickets.close()
            assert TOKEN not in f"{caught.value!r} {caught.value.__cause__!r}"


async def test_jiras_own_words_are_shown_without_the_token() -> None:
    async with both(required=frozenset({f"field_{TOKEN}"})) as (_, tickets):
        with pytest.raises(PermanentError, match=r"field_\*\*\*") as caught:
            await tickets.file(item())

        assert TOKEN not in str(caught.value)


async def test_a_search_that_ignores_its_query_hands_us_nobody_elses_issue() -> None:
    async with both() as (double, tickets):
        await tickets.file(item(1))
        double.labelled = lambda label: list(double.issues)  # type: ignore[method-assign]
        filed = await tickets.file(item(2))

        assert filed.key == "OPS-2"


@BOTH
async def test_a_comment_is_there_once_although_its_answer_was_lost(cloud: bool) -> None:
    async with both(cloud=cloud, faults=once("comment", Fault.DROP)) as (double, tickets):
        filed = await tickets.file(item())
        with pytest.raises(TemporaryError) as caught:
            await tickets.comment(filed.key, "It fires again.", idem="job-7")
        await tickets.comment(filed.key, "It fires again.", idem="job-7")
        await tickets.comment(filed.key, "It fires again.", idem="job-8")

        assert caught.value.maybe_done
        assert [body.splitlines()[0] for body in double.comments[filed.key]] == ["It fires again."] * 2


@pytest.mark.parametrize("key", ["OPS-404", "OPS-1/../../issue", "", "OPS-1?x=1"])
async def test_a_comment_on_no_issue_is_refused(key: str) -> None:
    async with both() as (double, tickets):
        with pytest.raises(PermanentError):
            await tickets.comment(key, "Hello", idem="job-1")

        assert double.requests["comment"] == 0


@pytest.mark.parametrize(
    ("value", "inert"),
    [
        ("{code}rm -rf{code}", r"\{code\}rm \-rf\{code\}"),
        (r"\{code}", BAR + r"\{code\}"),
        (r"\\{code}", BAR * 2 + r"\{code\}"),
        (r"C:\temp", r"C:\temp"),
        ("[~ana] [x|https://evil.example]", r"\[\~ana\] \[x\|https://evil.example\]"),
        ("!https://evil.example/x.png!", r"\!https://evil.example/x.png\!"),
        ("https://good.example@evil.example", r"https://good.example\@evil.example"),
        ("javascript:alert(1)", r"javascript:alert\(1\)"),
        ("*b* _i_ -d- +u+ ^s^ ~s~ ??c??", r"\*b\* \_i\_ \-d\- \+u\+ \^s\^ \~s\~ \?\?c\?\?"),
        ("node_cpu_seconds on web-1", "node_cpu_seconds on web-1"),
        ("||head||\n|cell|", "\\|\\|head\\|\\|\n\\|cell\\|"),
        ("h1. big", "h1\u200b. big"),
        ("bq. said", "bq\u200b. said"),
        ("----", r"\-\-\-\-"),
        ("# one\n* two", "\\# one\n\\* two"),
        ("a\x00\x1b[31mb\u202ec", "a��\\[31mb�c"),
        ("a\ud800b", r"a\?b"),
        ("see https://prom.example/graph?g0.expr=up_x%7B&t=1", "see https://prom.example/graph?g0.expr=up_x%7B&t=1"),
    ],
)
def test_a_strangers_words_are_inert_in_jiras_markup(value: str, inert: str) -> None:
    assert wiki(value) == inert


def test_nothing_grows_past_what_jira_takes() -> None:
    long = item(title="x" * 10_000 + "\n", description="{}" * 50_000)

    assert len(summary(long)) == 255
    assert len(wiki("{" * 50_000)) <= 32_000


async def test_an_item_of_hostile_words_is_taken() -> None:
    hostile = "{code}\x00\ud800\u202e\r\n|h1. " + "x" * 40_000
    async with both() as (double, tickets):
        changes: dict[str, Any] = {
            "title": hostile,
            "description": hostile,
            "correlation_key": hostile,
            "labels": (hostile,),
        }
        filed = await tickets.file(item(**changes), context=hostile)
        await tickets.comment(filed.key, hostile, idem=hostile)

        assert list(double.issues) == ["OPS-1"]


async def test_closing_ends_the_thread() -> None:
    async with jira() as double:
        tickets = door(double)
        await tickets.file(item())
        await tickets.close()
        await tickets.close()

        assert not [thread for thread in threading.enumerate() if thread.name == "jira" and not thread.daemon]


async def started(*args: str, waits_for: bytes, **environment: str) -> tuple[asyncio.subprocess.Process, str]:
    """Start a server in a process of its own and read its address."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, *args, env=os.environ | environment,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    assert process.stdout is not None
    line = b""
    while waits_for not in line:
        line = await process.stdout.readline()
        assert line, "it ended before it served"
    found = re.search(rb"http://127\.0\.0\.1:[1-9][0-9]*", line)
    assert found is not None
    return process, found[0].decode()


async def ended(process: asyncio.subprocess.Process) -> None:
    process.kill()
    await process.communicate()


@pytest.mark.slow
async def test_an_issue_made_before_jira_was_killed_is_found_after_it_came_back(tmp_path: Path) -> None:
    double, state = JiraDouble(), tmp_path / "issues.json"
    run = ("-m", "tests.doors.jira_double", "--state", str(state))
    process, double.url = await started(*run, "--fault", "create:hang_after:1", waits_for=b"http://")
    tickets = door(double)
    filing = asyncio.create_task(tickets.file(item()))
    while not state.exists():  # another process makes it and has no event for us
        await asyncio.sleep(0.01)
    await ended(process)
    with pytest.raises(TemporaryError) as caught:
        await filing
    await tickets.close()
    assert caught.value.maybe_done
    assert list(JiraDouble(state=state).issues) == ["OPS-1"]

    process, double.url = await started(*run, waits_for=b"http://")
    again = door(double)
    filed = await again.file(item(), tried_before=True)
    await again.close()
    await ended(process)

    assert (filed.key, filed.created) == ("OPS-1", False)


@pytest.mark.slow
async def test_a_jira_made_by_others_has_the_item_exactly_once() -> None:
    double = JiraDouble()
    process, double.url = await started("-m", "jira820", waits_for=b"Uvicorn running", JIRA820_PORT="0")
    filed, stands = [], []
    for _ in range(2):
        tickets = door(double, project="JIRA820")
        filed.append(await tickets.file(item(), assignee="ana", tried_before=True))
        await tickets.comment(filed[-1].key, "It fires again.", idem="job-1")
        stands.append(await tickets.look(filed[-1].key))
        await tickets.close()
    key = filed[0].key
    query = f"search?jql=labels%3D%22{own_label(item().uuid)}%22&fields=labels,summary"
    found, comments = [
        (await asyncio.to_thread(requests.get, f"{double.url}/rest/api/2/{path}", timeout=10)).json()
        for path in (query, f"issue/{key}/comment")
    ]
    await ended(process)

    assert [one.created for one in filed] == [True, False]
    assert [issue["key"] for issue in found["issues"]] == [key]
    assert found["issues"][0]["fields"]["summary"] == "[INC-12] Add a limit to the mail queue"
    assert len(comments["comments"]) == 1
    assert [one and (one.key, one.category, one.due) for one in stands] == [(key, "new", item().due)] * 2

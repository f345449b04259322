"""Every string that somebody may put into a label, through the code that says it to people and to machines.

Each is held against what a harmless value gives in its place: as many lines, as many headings, the same host.
"""

from __future__ import annotations

import json
import logging
import re
import unicodedata
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from incidentd import config, document, postmortem
from incidentd.actionitems import ActionItem, JiraSettings
from incidentd.logs import JsonFormatter, TextFormatter
from incidentd.messages import STYLES, TITLE_LIMIT, Telling, write
from incidentd.oncall import ChannelKind
from incidentd.pages import Facts, Occasion
from incidentd.playbooks import Mode, Playbook, Run, RunState, Step, scopes, walk
from incidentd.playbooks.errands import SUMMARY_LIMIT, Errand, TicketOrder, ticket
from incidentd.playbooks.scopes import NotRunnable
from incidentd.redaction import Redactor, Secret
from incidentd.rehearsal.plan import Asked, plan
from incidentd.runner import command, web_request
from incidentd.runner.kinds import harmless
from incidentd.settings import Settings
from incidentd.templates import BadTemplate, compile_template, in_promql
from incidentd.text import labels_line
from incidentd.tickets.mapping import Known, draft, draft_of_order, wiki
from tests.doors.hostile import BENIGN, EVERY
from tests.unit import incident_facts as story
from tests.unit.markdown_checks import check, headings, tables

NOW = datetime(2026, 11, 24, 14, 7, tzinfo=UTC)
EXAMPLE = Path(__file__).parents[2] / "deploy" / "example" / "incidentd.yaml"
USUAL = {"free-build-disk": "build-7", "renew-certificate": "shop.example.org", "silence-and-ticket": "web_3"}
"""What a playbook takes that does not take every name."""
ITEM = ActionItem(id=1, uuid="u", subject="INC-1", title="x", created_at=NOW)


def seen(text: str, *, lines: bool = False) -> bool:
    """Say whether a terminal and a reader see every character of a text."""
    unseen = {character for character in text if unicodedata.category(character) in {"Cc", "Cf", "Cs", "Zl", "Zp"}}
    return not unseen - ({"\n"} if lines else set())


def without_ours(text: str) -> str:
    """Take out the marks without a width that we put after what a chat or Jira would obey."""
    return re.sub(r"(?<=[@<\]1-6qQ])\u200b", "", text)


def run_with(value: str, **more: Any) -> Run:
    return Run(
        id=1, subject="HOLD-1", playbook="x", sha256="", definition={}, state=RunState.RUNNING, mode=Mode.AUTO,
        target=value, inputs={"x": value}, registers={"out": {"stdout": value, "ok": True}}, source="prod",
        started_at=NOW, **more,
    )  # fmt: skip


def step(kind: str, args: Any) -> Step:
    return Step(name="step", kind=kind, args=args, timeout=timedelta(seconds=9))


def written(value: str, kind: ChannelKind, occasion: Occasion) -> tuple[str, str]:
    page = replace(story.PAGE, title=value, paged=(value,))
    facts = story_facts(value)
    return write(Telling(page=page, facts=facts, occasion=occasion, now=NOW, said=value), kind)


def story_facts(value: str) -> Facts:
    own = (("I have it", "https://incidentd.example.org/a/v1.x"), (value, "https://a.example/"), ("Runbook", value))
    return Facts(severity="sev1", means=value, since=NOW, because=value, tried=(value,), links=own)


def test_there_are_enough_of_them() -> None:
    assert len(set(EVERY)) == len(EVERY) >= 200


@pytest.mark.parametrize("kind", [ChannelKind.SMS, ChannelKind.CHAT, ChannelKind.MAIL])
def test_a_page_says_them_in_one_line_each_and_nothing_of_them_is_a_line_a_call_or_a_link(kind: ChannelKind) -> None:
    assert {STYLES[one] for one in (ChannelKind.SMS, ChannelKind.CHAT, ChannelKind.MAIL)} == set(STYLES.values())
    for occasion in (Occasion.FIRST, Occasion.STOOD_DOWN):
        usual = [line.partition(":")[0] for line in written(BENIGN, kind, occasion)[1].split("\n")]
        for value in EVERY:
            title, body = written(value, kind, occasion)
            assert seen(without_ours(title)), value
            assert len(title) <= TITLE_LIMIT
            assert seen(without_ours(body), lines=True), value
            begun = [line.partition(":")[0] for line in body.split("\n")]
            assert set(begun) - set(usual) <= {"Runbook", begun[-1], begun[-2]}, value
            assert len(begun) <= len(usual) + 1, value
            if kind is ChannelKind.CHAT:
                assert not re.search(r"@\w|<[@!#a-z]|\]\(", title + body), value


@pytest.mark.slow
def test_a_document_and_a_postmortem_keep_their_shape() -> None:
    usual = document.render(story.STORY)
    shape = [line for line in headings(usual) if line.startswith("## ")], [len(lines) for lines in tables(usual)]
    drafted = headings(postmortem.draft(story.STORY, owner="ana", due=None))[1:]
    for value in EVERY:
        page = document.render(story.hostile(value))
        check(page)
        found = [line for line in headings(page) if line.startswith("## ")], [len(lines) for lines in tables(page)]
        assert found == shape, value
        page = postmortem.draft(story.hostile(value), owner=value[:50], due=None)
        check(page)
        assert headings(page)[1:] == drafted, value
        assert seen(page, lines=True), value


@pytest.mark.slow
def test_a_ticket_holds_no_markup_of_theirs() -> None:
    jira = JiraSettings(url="https://jira.example", token=Secret("x"), project="OPS")
    for value in EVERY:
        item = replace(ITEM, title=value, description=value, correlation_key=value, team=value, owner=value)
        made = draft(item, jira, Known(cloud=True), assignee="", context=value).fields
        of_step = draft_of_order(ordered(value), jira, Known(cloud=True), context=value).fields
        for fields in (made, of_step):
            assert seen(fields["summary"]), value
            assert len(fields["summary"]) <= SUMMARY_LIMIT
            assert seen(without_ours(fields["description"]), lines=True), value
            assert all(re.fullmatch(r"[\w.:-]+", label) for label in fields["labels"]), value
        for line in wiki(value).split("\n"):
            words = re.sub(r"https?://\S+", "", line)
            assert not re.search(r"(?<!\\)[{}\[\]|!#*?^~]", words), line
            assert not re.match(r"\s*(?:h[1-6]|bq)\.|----", line), line


def ordered(value: str) -> TicketOrder:
    """Order a ticket in which every word is a stranger's."""
    args = {"summary": "It is {{ x }}", "description": "First:\n{{ x }}", "labels": ["{{ x }}"]}
    return replace(ticket(args, {"x": value}, Errand(target=value, teams=(value,))), summary=value)


def test_a_line_of_the_log_stays_one_line_and_says_what_they_were() -> None:
    redact = Redactor()
    for value in EVERY:
        record = logging.LogRecord("incidentd", logging.INFO, "", 0, "began: %s", (value,), None)
        record.label, record.labels = value, {value[:50]: value}
        line = TextFormatter(redact).format(record)
        assert seen(line.encode("utf-8", "backslashreplace").decode()) or "\t" in line, value
        assert seen(line.replace("\t", "").encode("utf-8", "replace").decode()), value
        line = JsonFormatter(redact).format(record)
        assert seen(line.encode("utf-8", "backslashreplace").decode()), value
        read = json.loads(line.encode("utf-8", "backslashreplace"))
        assert set(read) == {"time", "level", "logger", "msg", "label", "labels"}
        if len(value) < 9_000:
            assert read["label"] == value


def test_a_value_is_the_whole_of_its_argument_and_never_an_option_or_a_second_one() -> None:
    for value in EVERY:
        names = {"inputs": {"x": value}, "out": {"stdout": value}}
        for name in ("inputs.x", "out.stdout"):
            given = ["program", f"--for={{{{ {name} }}}}", "--", f"{{{{ {name} }}}}", "last"]
            assert command.arguments(given, names) == ["program", f"--for={value}", "--", value, "last"]
            with suppress(BadTemplate):
                assert command.arguments(["program", f"{{{{ {name} }}}}"], names) == ["program", value]
                assert not value.startswith("-")


def test_a_value_stays_in_its_place_of_a_request() -> None:
    args: dict[str, Any] = {
        "url": "http://api.example:8080/a/{{ x }}/b?c={{ x }}", "method": "POST",
        "headers": {"X-Of": "{{ x }}"}, "body": {"of": "{{ x }}", "all": ["{{ x }}"]},
    }  # fmt: skip
    for value in EVERY:
        with suppress(BadTemplate):
            url = web_request.filled_url(args["url"], {"x": value})
            assert (url.scheme, url.host, url.port, url.raw_fragment) == ("http", "api.example", 8080, ""), value
            assert url.raw_path.count("/") == 3
            assert unquote(url.raw_path.split("/")[2], errors="surrogatepass") == value.replace("\ud800", "?").replace(
                "\udcff", "?"
            )
        with suppress(BadTemplate):
            method_and_url = web_request.shown(args, {"x": value})
            assert method_and_url.startswith("POST http://api.example:8080/a/")
            assert not re.search(r"[\r\n\0]", value), "a header took it"


def test_a_value_leaves_no_string_of_a_query_and_adds_nothing_to_it() -> None:
    template = compile_template('sum(up{a="{{ x }}", b=~"{{ y }}"}) > {{ z }}')
    for value in EVERY:
        for place in "xyz":
            names = {"x": "w", "y": "w", "z": "1", place: value}
            with suppress(BadTemplate):
                query = template.render(names, in_promql)
                left = re.sub(r'"[^"\\\n]*"', '""', query)
                assert left == 'sum(up{a="", b=~""}) > 1' or (place == "z" and re.fullmatch(r"[\w:.+-]+", value)), value


def test_a_note_and_a_message_of_a_playbook_are_lines_of_their_writer() -> None:
    for value in EVERY:
        told = walk.known(run_with(value), step("note", "Found {{ out.stdout }} on {{ inputs.x }}."))
        assert told is not None
        assert seen(told.summary), value
        message = {
            "channel": "ops",
            "title": "{{ inputs.x }}",
            "body": "First: {{ out.stdout }}\nSecond: {{ inputs.x }}",
        }
        told = walk.known(run_with(value), step("notify", message))
        assert told is not None
        if told.ok:
            assert seen(told.value["title"]), value
            assert [line[:5] for line in told.value["body"].split("\n")] == ["First", "Secon"], value
            assert seen(told.value["body"], lines=True), value


def test_what_a_program_printed_is_shown_without_what_a_terminal_obeys() -> None:
    for value in EVERY:
        assert seen(harmless(value), lines=True), value
        assert harmless(value).count("\n") == value.count("\n"), value
        assert seen(labels_line({"alertname": value, value: value})), value


def test_no_shipped_playbook_takes_one_that_could_be_more_than_a_name() -> None:
    settings = config.load(EXAMPLE, env={})
    for playbook in settings.playbooks.values():
        usual = len(planned(playbook, USUAL.get(playbook.name, BENIGN)))
        for value in EVERY:
            with suppress(NotRunnable):
                lines = planned(playbook, value)
                assert len(lines) == usual, (playbook.name, value)
                assert all(seen(line) for line in lines), (playbook.name, value)
                assert re.fullmatch(r"[\w.:/@+-]+", scopes_of(playbook, value)), (playbook.name, value)


def planned(playbook: Playbook, value: str) -> list[str]:
    labels = {wanted.source.partition(".")[2]: value for wanted in playbook.inputs.values()}
    asked = Asked(labels=labels, annotations=labels, starts_at=NOW, now=NOW)
    return list(plan(playbook, Settings(), asked).lines())


def scopes_of(playbook: Playbook, value: str) -> str:
    labels = {wanted.source.partition(".")[2]: value for wanted in playbook.inputs.values()}
    return "".join(scopes.inputs_for(playbook, labels, labels).values())

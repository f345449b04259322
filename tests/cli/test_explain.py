"""`incidentd explain`: every rule that was tried, and why it did or did not apply."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from incidentd.cli import main
from incidentd.store import Tx, inbox, subjects
from tests.cli.conftest import Type
from tests.web.small_house import SmallHouse, insert_hold

EXAMPLE = str(Path(__file__).parents[2] / "deploy" / "example" / "incidentd.yaml")
LABELS = ('alertname="QueueLagHigh"', "env=prod", "service=mail", "severity=warning")


def typed(*words: str) -> Result:
    return CliRunner().invoke(main, ["explain", "--config.file", EXAMPLE, *words])


def test_every_rule_up_to_the_one_that_decides_says_why() -> None:
    done = typed(*LABELS)
    assert done.exit_code == 0, done.output
    lines = done.output.splitlines()
    assert lines[0] == 'QueueLagHigh{env="prod", service="mail", severity="warning"}'
    assert "severity=\"critical\" does not match: it is 'warning'" in lines[1]
    assert any(line.startswith("  => queue-lag ") and "matches alertname=~" in line for line in lines)
    assert "  hold, sev3, urgent, page platform" in lines
    assert "everything-else" not in done.output


def test_a_first_word_alone_is_the_alertname_and_json_is_for_scripts() -> None:
    [said] = json.loads(typed("Nobody", "--json").output)["explained"]
    assert said["labels"] == {"alertname": "Nobody"}
    assert said["decision"]["rule"] == "everything-else"
    assert [it["rule"] for it in said["tried"] if it["matched"]] == ["everything-else"]
    assert said["tried"][0]["why"] == 'severity="critical" does not match: there is no severity'


SOURCES = """kind: config
sources:
  - {name: prod, watchdog: {match: ['alertname="Watchdog"'], late_after: 5m}}
"""
STAGING = "  - {name: staging}\n"
REASON = "It is the watchdog of prod: it always fires, and matters when it does not."


def test_the_watchdog_of_a_source_is_only_written_down(tmp_path: Path) -> None:
    config = tmp_path / "incidentd.yaml"
    config.write_text(SOURCES)
    words = ["explain", "--config.file", str(config), "Watchdog"]
    assert CliRunner().invoke(main, words).output.splitlines() == ["Watchdog", "  record", f"  {REASON}"]
    [said] = json.loads(CliRunner().invoke(main, [*words, "--json"]).output)["explained"]
    assert (said["tried"], said["decision"]["decide"], said["decision"]["page"]) == ([], "record", "")
    assert said["watchdog_of"] == ["prod"]
    assert "watchdog" not in CliRunner().invoke(main, [*words[:-1], "Down"]).output

    config.write_text(SOURCES + STAGING)  # where it comes from nobody knows
    lines = CliRunner().invoke(main, words).output.splitlines()
    assert lines[2].startswith("  hold, ")
    assert lines[-2:] == ["  record, when it comes from prod", f"  {REASON}"]


async def test_an_alert_of_a_hold_is_the_watchdog_of_its_own_source_alone(
    house: SmallHouse, typed: Type, tmp_path: Path
) -> None:
    config = tmp_path / "incidentd.yaml"
    await typed("send", "-l", "alertname=Watchdog")
    await house.store.write(held)
    for name, said in (("default", True), ("prod", False)):
        config.write_text(SOURCES.replace("prod", name) + (STAGING if said else "  - {name: default}\n"))
        done = await typed("explain", "HOLD-1", "--config.file", str(config))
        assert (f"It is the watchdog of {name}" in done.output, "=> " in done.output) == (said, not said)


@pytest.mark.parametrize("word", ['env!="prod"', "env=~prod", "=", "a b"])
def test_what_is_no_label_is_said(word: str) -> None:
    done = typed("alertname=X", word)
    assert done.exit_code == 2
    assert repr(word) in done.stderr


async def test_a_hold_of_a_running_daemon_says_what_was_decided_about_its_alerts(
    house: SmallHouse, typed: Type
) -> None:
    await typed("send", "-l", "alertname=QueueLagHigh", "-l", "env=prod")
    await house.store.write(held)
    asked = await typed("explain", "HOLD-1")
    assert asked.output == 'QueueLagHigh{env="prod"}\n  hold: Rule lag says hold.\n'
    tried = await typed("explain", "HOLD-1", "--config.file", EXAMPLE)
    assert "=> queue-lag" in tried.output
    assert "what was decided then:\nQueueLagHigh" in tried.output
    said = json.loads((await typed("explain", "HOLD-1", "--json")).output)
    assert said["stored"][0]["rule"] == "lag"


async def test_what_has_no_alerts_was_declared_by_hand(house: SmallHouse, typed: Type) -> None:
    await house.store.write(insert_hold)
    assert "HOLD-1 has no alerts" in (await typed("explain", "HOLD-1")).stderr


def held(tx: Tx) -> None:
    inbox.unpack(tx, inbox.next_deliveries(tx), lambda labels: "")
    [alert] = inbox.undecided(tx, 1)
    hold = insert_hold(tx)
    subjects.join(tx, hold.key, [(alert.source, alert.fingerprint, True)])
    inbox.note_decision(
        tx,
        alert.source,
        [alert.fingerprint],
        decision="hold",
        rule="lag",
        reason="Rule lag says hold.",
        subject=hold.key,
    )

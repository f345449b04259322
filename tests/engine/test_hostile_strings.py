"""Hostile strings from a webhook body to a program's arguments, and from its output to everything that people read."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest

from incidentd import config, document
from incidentd.errors import Location, NotFound
from incidentd.oncall import Channel, ChannelKind
from incidentd.playbooks import Limit, Mode
from incidentd.redaction import Secret
from incidentd.rules import CATCH_ALL, Decide, SeverityRule
from incidentd.settings import Automation, Settings
from incidentd.store import facts, things
from tests.doors.hostile import EVERY, HOSTILE
from tests.doors.runners import running
from tests.engine.world import World, make_world, policy, roster
from tests.unit.markdown_checks import check
from tests.unit.test_hostile_strings import seen, without_ours

JOURNAL = r"""#!/bin/sh
# what was done: the arguments, each ended by a NUL, and a word that ends the call; then it is said
for argument; do printf '%s\0' "$argument" >> "$0.journal"; done
printf 'END\0' >> "$0.journal"
shift 2
printf '%s\n' "$@"; printf '%s\n' "$@" >&2
"""
GOOD = [value for value in HOSTILE if value.strip() and not value.startswith("-") and len(value) <= 1024]
"""Those that an input without any pattern of its own takes, and that a program can be given."""
MOST = 10
"""Values of one alert."""


def settings(program: Path) -> Settings:
    inputs = {f"x{n}": {"from": f"labels.l{n}", "pattern": "(?s:.*)", "default": "none"} for n in range(MOST)}
    values = [f"{{{{ inputs.x{n} }}}}" for n in range(MOST)]
    book = config.playbook_from(
        {
            "kind": "playbook", "name": "echo", "title": "Say it again", "mode": "auto", "risk": "low",
            "inputs": inputs, "target": "{{ inputs.x0 }}", "limits": {"total": "1000 in 1m", "cool_down": "0s"},
            "steps": [
                {"name": "first", "command": [str(program), f"--for={values[0]}", "--", *values], "register": "out"},
                {"name": "again", "command": [str(program), "--for=", "--", "{{ out.stdout }}"], "ignore_errors": True},
                {"name": "say", "note": f"It said {{{{ out.stdout }}}} of {values[0]}", "ignore_errors": True},
                {"name": "tell", "notify": {"channel": "ops", "title": values[0], "body": f"A: {values[1]}"}},
                {"name": "end", "command": ["false"]},  # so that somebody is paged about each
            ],
            "verify": {"promql": {"query": "up", "is": "> 0"}, "within": "5m"},
        },
        Location("echo.yaml", 1),
    )  # fmt: skip
    rule = SeverityRule(
        name="any", match=(), decide=Decide.HOLD, severity="sev3", urgency="urgent", page="platform", playbook="echo"
    )
    ops = Channel(name="ops", kind=ChannelKind.CHAT, url=Secret("json://127.0.0.1:9/ops"))
    return Settings(
        external_url="http://incidentd.example.org", rules=(rule, CATCH_ALL), playbooks={"echo": book},
        roster=roster("ana"), channels={"ops": ops}, escalations=policy("platform", (0, "ana")),
        automation=Automation(mode=Mode.AUTO, overall=Limit(runs=10_000, window=timedelta(hours=1))),
    )  # fmt: skip


def arrives(value: str) -> str:
    """Give what is kept of a value: no label has control characters beyond those of a text."""
    return re.sub(r"[\x00-\x08\x0b\x0c\x0e-\x1f]", "\N{REPLACEMENT CHARACTER}", value)


@pytest.mark.slow
async def test_each_reaches_one_argument_of_a_program_and_comes_back_as_words(tmp_path: Path, store_url: str) -> None:
    program = tmp_path / "program"
    program.write_text(JOURNAL.replace("\\\0", "\0"))
    program.chmod(0o755)
    odd = [[value] for value in EVERY if value not in GOOD]
    alerts = [list(GOOD[start : start + MOST]) for start in range(0, len(GOOD), MOST)] + odd
    w = await make_world(store_url, settings(program))
    async with running() as hands:
        w.doors.runner = hands
        for number, values in enumerate(alerts):
            labels = {"alertname": f"A{number}", "service": values[0]} | {f"l{n}": v for n, v in enumerate(values)}
            annotations = {f"a{n}": value for n, value in enumerate(values)} | {"summary": values[0]}
            alert = w.firing(f"A{number}") | {"labels": labels, "annotations": annotations}
            await w.send(alert, group=f"g{number}")
    calls = program.with_name("program.journal").read_bytes().decode().split("END\0")[:-1]
    runs = await w.store.read(things.recent_runs, w.start)
    assert {value for run in runs for value in run.inputs.values()} >= set(map(arrives, GOOD))
    done = [call.split("\0")[:-1] for call in calls]
    asked = [list(run.inputs.values()) for run in runs if not any("\0" in value for value in run.inputs.values())]
    assert [call for call in done if call[0] != "--for="] == [[f"--for={them[0]}", "--", *them] for them in asked]
    assert all(len(call) == 3 for call in done if call[0] == "--for=")
    left = sorted(one for one in os.listdir(tmp_path) if not one.startswith("incidentd.db"))
    assert left == [
        "program",
        "program.journal",
    ]
    await told_harmlessly(w, sorted({run.subject for run in runs}))
    await w.store.close()


async def told_harmlessly(w: World, subjects: list[str]) -> None:
    """Look at every timeline, message and document."""
    for subject in subjects:
        for entry in await w.entries(subject):
            assert seen(entry.text), entry
            assert seen(str(entry.data.get("output", "")), lines=True), entry
    for message in w.post.sent:
        assert seen(without_ours(message.title)), message
        assert seen(without_ours(message.body), lines=True), message
    for number in range(1, 400, 10):
        with suppress(NotFound):
            check(document.render(await w.store.read(facts.incident_facts, w.settings, number)))

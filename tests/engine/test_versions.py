"""Versions of the document: each as it stood, made of history, on each store."""

from __future__ import annotations

from dataclasses import replace
from difflib import unified_diff

import pytest

from incidentd.document import render
from incidentd.engine import commands, lifecycle, merging, records
from incidentd.errors import NotFound
from incidentd.records import Belief, SectionName
from incidentd.settings import Settings
from incidentd.store import Tx, chain, facts
from incidentd.timeline import Actor
from tests.engine.test_graphing import SETTINGS
from tests.engine.world import Making, minutes

ANA = Actor(name="ana", via="api")
NOTICE = "**This is version "


def as_it_is(tx: Tx, settings: Settings) -> tuple[int, str]:
    known = facts.incident_facts(tx, settings, 1)
    version = chain.heads(tx)["INC-1"][0]
    return version, render(replace(known, graphs=(), pointers=(), alike=()))


def as_it_stood(tx: Tx, settings: Settings, version: int) -> str:
    page = render(facts.facts_at(tx, settings, 1, version))
    kept = [part for part in page.split("\n\n") if not part.startswith(NOTICE)]
    assert f"{NOTICE}{version} of " in page
    return "\n\n".join(kept)


@pytest.mark.slow
async def test_every_version_reads_as_the_document_did_then(world: Making) -> None:
    w = await world(SETTINGS)
    await w.send(w.firing("QueueLag", queue="mail"))
    await w.at(20)
    then = dict([await w.store.read(as_it_is, w.settings)])

    async def goes_on(minute: float, command: object, *args: object, **how: object) -> None:
        await w.at(minute)
        await w.do(command, *args, actor=ANA, **how)  # type: ignore[arg-type]
        version, page = await w.store.read(as_it_is, w.settings)
        then[version] = page

    await goes_on(21, commands.ack_page, 1, by="ana")
    await goes_on(22, records.write_section, 1, SectionName.SUMMARY, text="Mail is late.")
    await goes_on(23, records.add_hypothesis, 1, text="the consumer leaks")
    await goes_on(24, records.add_task, 1, text="look", owner="ben", box=minutes(30))
    await goes_on(25, records.judge_hypothesis, 1, 1, state=Belief.SUPPORTED)
    await goes_on(26, lifecycle.identify, 1, cause="the consumer leaks")
    await goes_on(27, lifecycle.set_severity, 1, severity="sev2", reason="all customers", admin=True)
    await goes_on(28, records.write_section, 1, SectionName.SUMMARY, text="All mail is late.")
    await goes_on(29, lifecycle.mitigate, 1, note="restarted", admin=True)
    await goes_on(30, lifecycle.investigate, 1, text="it is back", admin=True)
    await goes_on(31, lifecycle.mitigate, 1, note="restarted again", admin=True)
    await goes_on(32, lifecycle.resolve, 1, note="consumers restarted", admin=True)
    await goes_on(33, lifecycle.reopen, 1, reason="it is back", admin=True)
    assert "Resolution: " not in list(then.values())[-1]  # what did not last stands in the timeline alone
    await goes_on(34, lifecycle.resolve, 1, note="fixed for good", admin=True)
    assert len(then) == 15
    for version, page in then.items():
        stood = (await w.store.read(as_it_stood, w.settings, version)).splitlines()
        assert "\n".join(unified_diff(page.splitlines(), stood, lineterm="", n=0)) == "", version


async def test_a_version_that_is_not_there_is_not_found(world: Making) -> None:
    w = await world(SETTINGS)
    await w.send(w.firing("QueueLag", queue="mail"))
    await w.at(20)
    last, _ = await w.store.read(as_it_is, w.settings)
    for version in (0, last + 1):
        with pytest.raises(NotFound, match=rf"no version {version} of its document; there are 1 to {last}"):
            await w.store.read(facts.facts_at, w.settings, 1, version)


@pytest.mark.slow
async def test_what_was_taken_out_again_is_investigated_in_each_later_version(world: Making) -> None:
    w = await world(SETTINGS)
    await w.send(w.firing("QueueLag", queue="mail"))
    await w.at(20)
    await w.do(commands.ack_page, 1, by="ana", actor=ANA)
    await w.do(lifecycle.mitigate, 1, note="restarted", actor=ANA, admin=True)
    await w.do(commands.declare_incident, actor=ANA, title="Shop is slow", severity="sev3")
    await w.at(21)
    await w.do(merging.merge, 1, into=2, actor=ANA, admin=True)
    await w.at(22)
    await w.do(merging.unmerge, 1, actor=ANA, admin=True)
    version, page = await w.store.read(as_it_is, w.settings)
    assert "State investigating since 2026-11-24 14:22:00 UTC" in page
    assert await w.store.read(as_it_stood, w.settings, version) == page

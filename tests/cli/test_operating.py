"""`playbook` against a running daemon: switches, runs, and how playbooks stand."""

from __future__ import annotations

from dataclasses import replace

import pytest

from incidentd.playbooks.standing import ALL
from incidentd.store import switching
from tests.cli.conftest import Type
from tests.engine.test_automation import playbook, settings
from tests.web.small_house import SmallHouse, insert_hold

BOOK = playbook()


@pytest.fixture(autouse=True)
def with_a_playbook(house: SmallHouse) -> None:
    house.settings = replace(house.settings, playbooks={BOOK.name: BOOK}, automation=settings(BOOK).automation)


async def test_a_playbook_is_switched_off_and_on_by_somebody_for_a_reason(house: SmallHouse, typed: Type) -> None:
    done = await typed("playbook", "disable", BOOK.name, "--reason", "it is wrong", "--by", "ben")
    assert done.output == "restart-worker is switched off; it stops no run\n"
    listed = await typed("playbook", "list")
    assert "restart-worker  auto  off" in listed.output
    assert "ben switched restart-worker off: it is wrong" in listed.output
    assert "switched_off:" in (await typed("playbook", "show", BOOK.name)).output
    assert (await typed("playbook", "enable", BOOK.name, "--by", "ben")).exit_code == 0

    done = await typed("playbook", "disable", "--all", "--reason", "all is wrong", "--by", "ben")
    assert done.output == "every playbook is switched off; it stops no run\n"
    assert (await house.store.read(switching.switches))[ALL].by == "ben"
    assert (await typed("playbook", "enable", "--all")).output == "every playbook is switched on again\n"


@pytest.mark.parametrize(
    "words",
    [
        ("disable", "--reason", "x"),
        ("disable", "a", "--all", "--reason", "x"),
        ("disable", "--all"),
        ("enable",),
        ("stop", "RUN-1"),
    ],
)
async def test_a_switch_says_what_it_lacks(typed: Type, words: tuple[str, ...]) -> None:
    assert (await typed("playbook", *words)).exit_code == 2


async def test_runs_are_listed_and_shown(typed: Type) -> None:
    assert (await typed("playbook", "runs")).output == "No playbook is at work.\n"
    shown = await typed("playbook", "show", "RUN-7")
    assert shown.exit_code == 1
    assert "there is no RUN-7" in shown.stderr
    assert "there is no RUN-7" in (await typed("playbook", "stop", "RUN-7", "--reason", "x")).stderr


async def test_a_playbook_is_run_and_its_run_is_stopped(house: SmallHouse, typed: Type) -> None:
    await house.store.write(insert_hold)
    words = ("playbook", "run", BOOK.name, "instance=w-3", "--by", "ana")
    assert (await typed(*words)).exit_code == 2, "it says what it is for"
    assert (await typed(*words, "--for", "HOLD-1")).output == "RUN-1 runs restart-worker on w-3 for HOLD-1\n"
    assert "restart-worker  w-3" in (await typed("playbook", "runs")).output
    done = await typed("playbook", "stop", "RUN-1", "--reason", "by hand", "--by", "ana")
    assert done.output.startswith("RUN-1 is stopped: ana stopped it: by hand; it was between two steps")

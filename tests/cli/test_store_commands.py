"""`incidentd store`: what somebody types, what it says, and how it exits."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from incidentd.cli import main
from tests.engine.test_holds_and_incidents import SETTINGS
from tests.engine.world import make_world


@pytest.fixture
async def store(tmp_path: Path) -> Path:
    """Make a store with an incident in it."""
    w = await make_world(tmp_path, SETTINGS)
    await w.send(w.firing("CheckoutDown"))
    await w.store.close()
    return tmp_path / "incidentd.db"


def typed(*words: str) -> Result:
    return CliRunner().invoke(main, ["store", *words], catch_exceptions=False)


def test_check_says_that_all_is_good_and_exits_with_zero(store: Path) -> None:
    said = typed("check", "--store", f"sqlite:///{store}")

    assert said.exit_code == 0
    assert said.output.startswith(f"{store}: good: schema ")


def test_check_names_the_first_broken_thing_and_exits_with_one(store: Path) -> None:
    with closing(sqlite3.connect(store)) as conn, conn:
        conn.execute("UPDATE timeline SET text = 'nothing' WHERE seq = 1")
    said = typed("check", "--store", f"sqlite:///{store}")

    assert said.exit_code == 1
    assert f"{store}: the timeline of INC-1 is not as it was written: entry 1 was changed" in said.output
    assert "compare it with a backup" in said.output


def test_a_backup_is_made_and_put_back_and_the_old_store_is_kept(store: Path, tmp_path: Path) -> None:
    where, copy = ("--store", f"sqlite:///{store}"), tmp_path / "copy.db"
    made = typed("backup", str(copy), *where)
    assert (made.exit_code, f"{copy}: " in made.output) == (0, True)
    again = typed("backup", str(copy), *where)
    assert (again.exit_code, "nothing is written over it" in again.output) == (1, True)
    refused = typed("restore", str(copy), *where)
    assert (refused.exit_code, "--force" in refused.output) == (1, True)

    done = typed("restore", str(copy), "--force", *where)
    assert done.exit_code == 0
    assert f"what was there is kept as {store}.replaced-1" in done.output
    assert typed("check", *where).exit_code == 0


def test_a_backup_that_could_not_be_put_back_is_made_and_exits_with_one(store: Path, tmp_path: Path) -> None:
    with closing(sqlite3.connect(store)) as conn, conn:
        conn.execute("UPDATE incident SET open = 0")
    said = typed("backup", str(tmp_path / "copy.db"), "--store", f"sqlite:///{store}")

    assert said.exit_code == 1
    assert f"{tmp_path}/copy.db is made, and `store restore` will not take it as it is: alerts are " in said.output
    assert (tmp_path / "copy.db").exists()


def test_the_store_of_a_configuration_is_found_and_its_retention_counts(store: Path, tmp_path: Path) -> None:
    config = tmp_path / "incidentd.yaml"
    rules = "kind: rules\nrules: [{name: all, match: [], severity: sev4, decide: record}]"
    config.write_text(f"kind: config\nstore: sqlite:///{store}\nretention: {{inbox: 1ms}}\n---\n{rules}\n")
    said = typed("prune", "--config.file", str(config))

    assert said.exit_code == 0, said.output
    assert f"{store}: " in said.output
    with closing(sqlite3.connect(store)) as conn:
        assert conn.execute("SELECT count(*) FROM inbox").fetchone() == (0,)


def test_without_a_store_it_says_so_and_makes_none(tmp_path: Path) -> None:
    for words in (("check",), ("backup", str(tmp_path / "copy")), ("prune",)):
        said = typed(*words, "--store", f"sqlite:///{tmp_path}/none.db")
        assert (said.exit_code, "there is no store" in said.output) == (1, True)

    assert not list(tmp_path.iterdir())

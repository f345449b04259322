"""The private directories of programs: gone with their step, and with the next start when the daemon was killed."""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
from pathlib import Path

import pytest

from incidentd.runner import folders
from tests.doors.runners import alive, running, shell

ROOT = Path(__file__).parents[2]
DAEMON = """
import asyncio
from tests.doors.runners import running, shell

async def main():
    async with running() as runner:
        await runner.run_step(shell({script!r}), {{}}, source="prod")

asyncio.run(main())
"""


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a temporary directory that this test has for itself."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    return tmp_path


def left(temporary: Path) -> list[str]:
    return [path.name for path in temporary.glob("incidentd-step-*")]


async def killed_inside(temporary: Path, script: str) -> None:
    """Kill a daemon in the middle of a step that begins with this script, once it wrote `pid`."""
    python = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        DAEMON.format(script=f"{script}; exec sleep 600"),
        cwd=ROOT,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(30):
        while not (temporary / "pid").exists() or not (temporary / "pid").read_text():
            assert python.returncode is None
            await asyncio.sleep(0.01)
    python.kill()
    await python.communicate()


@pytest.mark.slow
async def test_what_a_killed_daemon_left_is_cleared_away_with_the_program_that_still_works_there(
    temporary: Path,
) -> None:
    await killed_inside(temporary, f"mkdir -p a/b; touch a/b/c; (cd /; exec sleep 600) & echo $$ > {temporary}/pid")
    assert len(left(temporary)) == 1
    assert alive(temporary / "pid")

    assert await asyncio.to_thread(folders.clear_away) == 1
    assert left(temporary) == []
    async with asyncio.timeout(20):
        while alive(temporary / "pid"):  # a signal takes a moment
            await asyncio.sleep(0.01)


async def test_what_a_living_daemon_or_anybody_else_has_stays(temporary: Path) -> None:
    elsewhere = temporary / "elsewhere"
    elsewhere.mkdir()
    (temporary / "incidentd-step-link").symlink_to(elsewhere)
    (temporary / "incidentd-step-file").touch()
    async with running() as runner:
        step = asyncio.create_task(runner.run_step(shell(f"echo $$ > {temporary}/pid; sleep 600"), {}, source="prod"))
        async with asyncio.timeout(20):
            while not (temporary / "pid").exists():
                await asyncio.sleep(0.01)
        assert await asyncio.to_thread(folders.clear_away) == 0
        assert alive(temporary / "pid")
        assert len(left(temporary)) == 3
        step.cancel()
        with pytest.raises(asyncio.CancelledError):
            await step
    assert elsewhere.exists()
    assert sorted(left(temporary)) == ["incidentd-step-file", "incidentd-step-link"]


async def test_what_is_another_users_stays(temporary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (temporary / "incidentd-step-theirs").mkdir()
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    assert folders.clear_away() == 0
    assert left(temporary) == ["incidentd-step-theirs"]


@pytest.mark.parametrize("turns", range(6))
async def test_a_step_that_is_called_off_while_it_begins_leaves_no_directory(temporary: Path, turns: int) -> None:
    async with running() as runner:
        step = asyncio.create_task(runner.run_step(shell("sleep 600"), {}, source="prod"))
        for _ in range(turns):
            await asyncio.sleep(0)
        step.cancel()
        with pytest.raises(asyncio.CancelledError):
            await step
    assert left(temporary) == []

"""A reload takes all of the files or none of them, and a start with bad ones says every mistake."""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path

import aiohttp
import pytest

from tests.system.daemon import Daemon, until

RULES = """kind: config
include: []
---
kind: rules
rules: [{{name: {name}, match: [], severity: sev4, decide: record}}]
"""


async def metric(daemon: Daemon, name: str) -> str:
    text = await daemon.text("/metrics")
    return next(line.split()[1] for line in text.splitlines() if line.startswith(name + " "))


@pytest.mark.slow
async def test_a_bad_file_changes_nothing_and_a_good_one_everything(
    tmp_path: Path, session: aiohttp.ClientSession
) -> None:
    daemon = Daemon(tmp_path, session, RULES.format(name="first"))
    await daemon.start()
    (tmp_path / "incidentd.yaml").write_text(RULES.format(name="second").replace("decide", "decidee"))
    async with session.post(f"{daemon.url}/-/reload") as answer:
        said = await answer.text()
    assert answer.status == 500
    assert "incidentd.yaml:5:51: unknown key `decidee`" in said
    assert await metric(daemon, "incidentd_config_last_reload_successful") == "0.0"

    (tmp_path / "incidentd.yaml").write_text(RULES.format(name="second"))
    assert daemon.process is not None
    daemon.process.send_signal(signal.SIGHUP)

    async def reloaded() -> bool:
        return await metric(daemon, "incidentd_config_last_reload_successful") == "1.0"

    await until(reloaded)
    assert 'rule="second"' in await daemon.text("/metrics")
    assert await daemon.stop() == 0


@pytest.mark.slow
async def test_a_start_with_bad_files_says_where_and_exits_with_two(tmp_path: Path) -> None:
    (tmp_path / "incidentd.yaml").write_text("kind: config\nlisten: 1\ninclud: []\n")
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "incidentd", "run", "--config.file", str(tmp_path / "incidentd.yaml"),
        stderr=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, cwd=tmp_path,
    )  # fmt: skip
    _, said = await process.communicate()

    assert process.returncode == 2
    assert b"incidentd.yaml:3:1" in said
    assert b"Traceback" not in said


@pytest.mark.slow
async def test_a_second_daemon_on_the_same_store_is_refused_in_one_line(
    tmp_path: Path, session: aiohttp.ClientSession
) -> None:
    daemon = Daemon(tmp_path, session)
    await daemon.start()
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "incidentd", "run", "--web.listen-address", "127.0.0.1:0",
        "--store", f"sqlite:///{tmp_path}/incidentd.db", stderr=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    _, said = await process.communicate()
    await daemon.kill()

    assert process.returncode == 2
    assert b"belongs to a running incidentd" in said
    assert b"Traceback" not in said

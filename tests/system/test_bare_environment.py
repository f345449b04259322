"""F45: a daemon that is given next to nothing: no locale, no home, a folder it may not write, a user without a name."""

from __future__ import annotations

import asyncio
import os
import re
import stat
import sys
from pathlib import Path

import aiohttp
import pytest

from tests.ports import unused_port
from tests.programs import path_of
from tests.system.daemon import an_alert, until

NAMELESS = 54321
"""A user id that no system gives to anybody."""


async def nameless() -> tuple[str, ...]:
    """Give what to put before a command so that its user has no name; nothing where namespaces may not be made."""
    words = ("unshare", "--user", f"--map-user={NAMELESS}", f"--map-group={NAMELESS}")
    tried = await asyncio.create_subprocess_exec(path_of(words[0]), *words[1:], "true")
    return words if await tried.wait() == 0 else ()


async def started(folder: Path, session: aiohttp.ClientSession) -> tuple[asyncio.subprocess.Process, str, Path]:
    """Start a daemon with nothing in its environment but a C locale, in a folder of which it may only read."""
    url, store, nowhere = f"127.0.0.1:{unused_port()}", folder / "data" / "incidentd.db", folder / "nowhere"
    store.parent.mkdir()
    nowhere.mkdir()
    nowhere.chmod(0o555)
    process = await asyncio.create_subprocess_exec(
        *await nameless(), sys.executable, "-m", "incidentd", "run", "--store", f"sqlite:///{store}",
        "--web.listen-address", url, env={"LC_ALL": "C"}, cwd=nowhere, umask=0, stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip

    async def ready() -> bool:
        assert process.stdout is not None
        assert process.returncode is None, await process.stdout.read()
        try:
            async with session.get(f"http://{url}/-/ready") as answer:
                return answer.status == 200
        except aiohttp.ClientError:
            return False

    await until(ready)
    return process, f"http://{url}", store


@pytest.mark.slow
@pytest.mark.needs("unshare")
async def test_f45_it_runs_with_an_empty_environment_and_its_files_are_its_own(
    tmp_path: Path, session: aiohttp.ClientSession
) -> None:
    process, url, store = await started(tmp_path, session)
    body = {"alerts": [an_alert("Fällt-aus", summary="\u2028 ✓ ünï")]}
    async with session.post(f"{url}/api/v1/alertmanager", json=body) as answer:
        assert answer.status == 200

    async def held() -> str:
        async with session.get(f"{url}/holds/HOLD-1") as page:
            return await page.text() if page.status == 200 else ""

    assert "Fällt-aus" in await until(held)
    modes = {it.name: stat.S_IMODE(it.stat().st_mode) for it in store.parent.iterdir()}
    process.terminate()
    said, _ = await process.communicate()

    assert process.returncode == 0, said
    assert set(modes.values()) == {0o600}, modes
    assert {"incidentd.db", "incidentd.db-wal", "incidentd.db.lock", "secret.key"} <= set(modes)
    assert not re.search(rb"Traceback|UnicodeEncodeError", said)
    assert os.listdir(tmp_path / "nowhere") == []

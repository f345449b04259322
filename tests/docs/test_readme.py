"""The README's ten minutes, done: its files pass the check, its commands do what it says."""

from __future__ import annotations

import asyncio
import re
import sys
from pathlib import Path

import aiohttp
import pytest

from incidentd.cli import main
from tests.system.daemon import Daemon, until

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def first_files() -> str:
    blocks: list[str] = re.findall(r"```yaml\n(.*?)```", README, re.S)
    return next(block for block in blocks if block.startswith("kind: config"))


def commands(page: Path) -> list[list[str]]:
    lines = re.findall(r"^\$ (?:\.venv/bin/)?incidentd (.*?)(?:\s+#.*)?$", page.read_text(), re.M)
    return [re.findall(r'"[^"]*"|\S+', line) for line in lines]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_of_a_page_exists_with_its_options(page: Path) -> None:
    for words in commands(page):
        options = [word for word in words if word.startswith("--")]
        verbs = [word for word in words if re.fullmatch(r"[a-z-]+", word) and not word.startswith("-")]
        command = main
        for verb in verbs:
            found = getattr(command, "commands", {}).get(verb)
            if found is None:
                break
            command = found
        known = {name for parameter in command.params for name in parameter.opts}
        assert command is not main, words
        assert set(options) <= known, words


async def incidentd(folder: Path, *words: str) -> str:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "incidentd", *words, cwd=folder, stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    said, _ = await process.communicate()
    assert process.returncode == 0, said.decode()
    return said.decode()


@pytest.mark.slow
async def test_the_first_rule_and_playbook_of_the_readme_work(tmp_path: Path) -> None:
    async with aiohttp.ClientSession() as session:
        daemon = Daemon(tmp_path, session, first_files())
        await incidentd(tmp_path, "check", "incidentd.yaml")
        await daemon.start()
        labels = ("--label", "alertname=QueueLag", "--label", "queue=mail")
        await incidentd(tmp_path, "send", "--source", "prod", *labels, "--url", daemon.url)

        async def held() -> bool:
            return "HOLD-1" in await incidentd(tmp_path, "holds", "--url", daemon.url)

        await until(held)

        async def ran() -> bool:
            return "run.step" in await daemon.kinds("HOLD-1")

        await until(ran)
        runs = await daemon.get("runs")
        assert runs["runs"][0]["playbook"] == "drain-queue"
        await daemon.kill()

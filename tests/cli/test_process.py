"""The command as a process of its own: it starts without any file, works, and stops when it is told to."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest


def incidentd(*words: str, url: str = "", folder: Path | None = None) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "INCIDENTD_URL": url}
    command = [sys.executable, "-m", "incidentd", *words]
    return subprocess.run(command, env=env, cwd=folder, capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture
def daemon(tmp_path: Path, free_port: int) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    command = [sys.executable, "-m", "incidentd", "run", "--web.listen-address", f"127.0.0.1:{free_port}"]
    with (tmp_path / "log").open("wb") as out:
        process = subprocess.Popen(command, cwd=tmp_path, stdout=out, stderr=out)
    try:
        yield process, f"http://127.0.0.1:{free_port}"
    finally:
        process.kill()
        process.wait()


def until(done: str, *words: str, url: str) -> str:
    """Ask again and again until the answer has a word in it."""
    said = ""
    for _ in range(100):
        said = incidentd(*words, url=url).stdout
        if done in said:
            break
        time.sleep(0.1)
    return said


@pytest.mark.slow
def test_without_any_file_an_alert_is_held_and_a_person_ends_it(
    daemon: tuple[subprocess.Popen[bytes], str], tmp_path: Path
) -> None:
    process, url = daemon
    assert "Nothing is held" in until("Nothing is held", "holds", url=url)
    assert incidentd("send", "--label", "alertname=WorkerStuck", url=url).returncode == 0
    assert "WorkerStuck" in until("HOLD-1", "holds", url=url)
    assert "INC-1" in incidentd("declare", "HOLD-1", "--reason", "a test", url=url).stdout
    assert "resolved" in incidentd("resolve", "INC-1", url=url).stdout
    second = incidentd(
        "run", "--store", "sqlite:///incidentd.db", "--web.listen-address", "127.0.0.1:0", folder=tmp_path
    )
    assert second.returncode == 2
    assert "belongs to a running incidentd" in second.stderr
    assert "Traceback" not in second.stderr
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 0
    assert "Traceback" not in (tmp_path / "log").read_text()


@pytest.mark.slow
def test_the_door_stays_shut_beyond_loopback_without_a_token(tmp_path: Path) -> None:
    refused = incidentd("run", "--web.listen-address", "0.0.0.0:0", folder=tmp_path)
    assert refused.returncode == 2
    assert "incidentd token create" in refused.stderr


@pytest.mark.slow
def test_a_file_with_mistakes_is_refused_without_a_traceback(tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text("kind: config\nstor: x\nlisten: 7\n")
    refused = incidentd("run", "--config.file", "bad.yaml", folder=tmp_path)
    assert refused.returncode == 2
    assert "bad.yaml:2:1" in refused.stderr
    assert "bad.yaml:3:" in refused.stderr
    assert "Traceback" not in refused.stderr

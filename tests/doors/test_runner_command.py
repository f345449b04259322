"""Steps of kind `command`, tried with real programs that behave badly."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from incidentd.playbooks import Step, StepResult
from incidentd.runner.process import HEAD, TAIL
from tests.doors.hostile import HOSTILE
from tests.doors.runners import SECRET, alive, command, running, shell

SHOW_ARGV = "import json, sys; json.dump(sys.argv[1:], sys.stdout)"
SHOW_ENVIRONMENT = "import json, os, sys; json.dump(dict(os.environ), sys.stdout)"


async def ran(step: Step, context: dict[str, object] | None = None, env: dict[str, str] | None = None) -> StepResult:
    async with running(env=env) as runner:
        return await runner.run_step(step, context or {}, source="prod")


async def appears(path: Path) -> None:
    """Wait until a program has written a file."""
    async with asyncio.timeout(20):
        while not filled(path):  # nothing but the file tells
            await asyncio.sleep(0.01)


def filled(path: Path) -> bool:
    return path.exists() and bool(path.read_text().strip())


# how it goes when all is well


async def test_a_program_that_ends_well_is_ok_and_what_it_wrote_is_kept() -> None:
    result = await ran(shell("echo out; echo err >&2"))
    assert result.ok
    assert result.summary.startswith("exit 0 after ")
    assert result.value == {"exit": 0, "stdout": "out", "stderr": "err"}
    assert result.output == "out\n[stderr]\nerr"


async def test_inputs_and_registered_values_stand_in_its_arguments() -> None:
    context: dict[str, object] = {"inputs": {"instance": "w-3"}, "before": {"value": 812.0}}
    result = await ran(command("echo", "{{ inputs.instance }}", "--depth={{ before.value }}"), context)
    assert result.value["stdout"] == "w-3 --depth=812"


async def test_it_reads_nothing_and_works_in_an_empty_directory_of_its_own() -> None:
    result = await ran(shell("cat; ls -A; pwd; stat -c %a .; touch left"))
    directory, mode = result.value["stdout"].split("\n")
    assert mode == "700"
    assert os.path.basename(directory) not in os.listdir(os.path.dirname(directory))


async def test_its_environment_is_an_allow_list(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CANARY_TOKEN", SECRET)
    env = {
        **os.environ,
        "PATH": "/usr/bin:/bin",
        "LANG": "C.UTF-8",
        "HOME": "/home/ana",
        "JIRA_TOKEN": "x",
        "LD_PRELOAD": "",
    }
    result = await ran(command(sys.executable, "-c", SHOW_ENVIRONMENT), env=env)
    seen = json.loads(result.value["stdout"])
    assert set(seen) <= {"PATH", "HOME", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR"}
    assert (seen["PATH"], seen["HOME"]) == ("/usr/bin:/bin", "/home/ana")
    assert seen["TMPDIR"] != os.environ.get("TMPDIR")


async def test_it_inherits_no_open_files(tmp_path: Path) -> None:
    with (tmp_path / "store").open("w") as ours:
        os.set_inheritable(ours.fileno(), True)
        result = await ran(shell("ls /proc/self/fd"))
    assert str(ours.name) not in result.output
    assert len(result.value["stdout"].split()) == 4  # its three and the directory that ls reads


# how it goes when it is not


async def test_an_exit_status_fails_it_and_the_last_words_say_why() -> None:
    result = await ran(shell("echo first >&2; echo Unit worker.service not found. >&2; exit 5"))
    assert not result.ok
    assert result.clean
    assert result.summary.startswith("exit 5 after ")
    assert result.summary.endswith(": Unit worker.service not found.")
    assert result.value["exit"] == 5


async def test_a_signal_fails_it_and_leaves_it_half_done() -> None:
    result = await ran(shell("kill -SEGV $$"))
    assert (result.ok, result.clean) == (False, False)
    assert result.summary.startswith("ended by SIGSEGV after ")


async def test_a_signal_without_a_name_is_told_by_its_number() -> None:
    assert (await ran(shell("kill -40 $$"))).summary.startswith("ended by signal 40 ")


@pytest.mark.parametrize(
    ("program", "words"),
    [
        ("no-such-program", "install it, or write its whole path (PATH is /usr/bin:/bin)"),
        ("/no/such/program", "is not there"),
        ("/etc/passwd", "may not be executed by this user"),
        ("/", "may not be executed"),
        ("{here}/no-interpreter", "it is no program: a script has to name its interpreter"),
        ("{here}/lost-interpreter", "or the interpreter that its first line names, is not there"),
    ],
)
async def test_a_program_that_cannot_be_started_says_what_to_do(program: str, words: str, tmp_path: Path) -> None:
    for name, text in {"no-interpreter": "echo", "lost-interpreter": "#!/no/such/sh\n"}.items():
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    result = await ran(command(program.format(here=tmp_path), "x"))
    assert (result.ok, result.final) == (False, True)
    assert words in result.summary


@pytest.mark.parametrize("value", ["a\0b", "a\ud800b"])
async def test_a_value_that_no_program_can_be_given_fails_it(value: str) -> None:
    result = await ran(command("echo", "{{ x }}"), {"x": value})
    assert result.summary == "echo cannot be started: an argument holds a NUL character or is no text"


@pytest.mark.slow
async def test_more_arguments_than_a_program_may_have_fail_it() -> None:
    result = await ran(command("echo", *["x" * 60_000] * 100))
    assert (result.ok, result.final, result.summary) == (False, True, "echo cannot be started: Argument list too long")


# deadlines and what they leave behind


async def test_a_program_that_hangs_is_killed_at_its_deadline_and_what_it_said_is_kept() -> None:
    result = await ran(shell("echo begun; sleep 600", seconds=0.3))
    assert (result.ok, result.clean) == (False, False)
    assert result.summary.startswith("killed after ")
    assert result.summary.endswith("it had not ended within 300ms")
    assert result.value == {"exit": -15, "stdout": "begun", "stderr": ""}


@pytest.mark.slow
async def test_a_program_that_ignores_sigterm_is_killed_all_the_same(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    result = await ran(shell(f"trap '' TERM; echo $$ > {pid}; while :; do sleep 0.05; done", seconds=0.3))
    assert result.value["exit"] == -9
    assert not alive(pid)


async def test_children_and_their_children_end_with_it(tmp_path: Path) -> None:
    script = f"(sh -c 'echo $$ > {tmp_path}/a; sleep 600' & sleep 600) & sleep 600 & echo $! > {tmp_path}/b; wait"
    await ran(shell(script, seconds=0.5))
    assert not alive(tmp_path / "a")
    assert not alive(tmp_path / "b")


async def test_children_that_a_program_leaves_behind_end_with_it_and_do_not_hold_it_up(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    result = await ran(shell(f"sleep 600 & echo $! > {pid}; echo done"))
    assert result.ok
    assert result.value["stdout"] == "done"
    assert not alive(pid)


@pytest.mark.slow
async def test_a_daemon_that_it_starts_stays_and_does_not_hold_it_up(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    result = await ran(shell(f"setsid sh -c 'echo $$ > {pid}; exec sleep 600' & while ! test -s {pid}; do :; done"))
    assert result.ok
    assert alive(pid)
    os.kill(int(pid.read_text()), 9)


async def test_a_program_that_closes_its_output_and_lives_on_is_waited_for_and_killed(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    result = await ran(shell(f"echo $$ > {pid}; exec >&- 2>&-; exec sleep 600", seconds=0.3))
    assert result.summary.startswith("killed after ")
    assert not alive(pid)


@pytest.mark.slow
async def test_a_program_that_stopped_itself_is_killed(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    result = await ran(shell(f"echo $$ > {pid}; kill -STOP $$", seconds=0.3))
    assert result.value["exit"] == -9
    assert not alive(pid)


async def test_no_zombie_is_left_of_any_of_them() -> None:
    await ran(shell("sleep 600 & exit 0"))
    await ran(shell("sleep 600 & wait", seconds=0.2))
    assert "Z" not in states_of_our_children()


@pytest.mark.slow
async def test_where_orphans_become_our_children_they_are_collected_too() -> None:
    script = """
import asyncio, ctypes, pathlib
from tests.doors.runners import running, shell

async def main():
    async with running() as runner:
        for script in ("sleep 600 & sleep 600 & exit 0", "(exit 0) & exec sleep 0"):
            await runner.run_step(shell(script), {}, source="prod")
    print(pathlib.Path("/proc/thread-self/children").read_text().split())

ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER: to stand where process 1 stands in a container
asyncio.run(main())
"""
    root = Path(__file__).parents[2]
    python = await asyncio.create_subprocess_exec(
        sys.executable, "-c", script, stdout=asyncio.subprocess.PIPE, cwd=root
    )
    assert (await python.communicate())[0] == b"[]\n"


def states_of_our_children() -> list[str]:
    children = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text().split()
    return [Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()[0] for child in children]


@pytest.mark.parametrize(
    "script",
    [
        "sleep 600 & echo $! > {pid}; wait",
        pytest.param("trap '' TERM; echo $$ > {pid}; while :; do :; done", marks=pytest.mark.slow),
    ],
)
async def test_a_step_that_is_called_off_takes_its_group_with_it(tmp_path: Path, script: str) -> None:
    pid = tmp_path / "pid"
    async with running() as runner:
        task = asyncio.create_task(runner.run_step(shell(script.format(pid=pid)), {}, source="prod"))
        await appears(pid)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert not alive(pid)


async def test_a_step_that_is_called_off_twice_does_not_wait_for_manners(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    async with running() as runner:
        task = asyncio.create_task(
            runner.run_step(
                shell(f"trap 'echo x > {tmp_path}/term' TERM; echo $$ > {pid}; while :; do :; done"), {}, source="prod"
            )
        )
        await appears(pid)
        task.cancel()
        await appears(tmp_path / "term")
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert not alive(pid)


@pytest.mark.parametrize("turns", range(8))
async def test_a_step_that_is_called_off_while_it_starts_leaves_nothing(turns: int) -> None:
    async with running() as runner:
        task = asyncio.create_task(runner.run_step(command("sleep", f"60{turns}.777"), {}, source="prod"))
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert running_with(f"60{turns}.777") == []


def running_with(argument: str) -> list[Path]:
    """Give the processes that were started with this argument."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(FileNotFoundError, ProcessLookupError):
            found += [path] if argument.encode() in path.read_bytes().split(b"\0") else []
    return found


# what it writes


async def test_a_flood_is_cut_to_its_beginning_and_its_end() -> None:
    result = await ran(shell("echo first; head -c 200000000 /dev/zero | tr '\\0' x; echo; echo last"))
    assert result.ok
    text = result.value["stdout"]
    assert text.startswith("first\nxxx")
    assert text.endswith("xxx\nlast")
    assert "bytes are left out here" in text
    assert len(text) < HEAD + TAIL + 100
    assert len(result.output) < 2 * (HEAD + TAIL + 100)


async def test_a_flood_without_end_is_killed() -> None:
    result = await ran(command("yes", seconds=0.5))
    assert result.summary.startswith("killed after ")
    assert len(result.output) < HEAD + TAIL + 100


async def test_what_just_fits_is_whole() -> None:
    text = "".join(f"{n:07}\n" for n in range((HEAD + TAIL) // 8))
    result = await ran(
        command(sys.executable, "-c", f"print(''.join(f'{{n:07}}\\n' for n in range({(HEAD + TAIL) // 8})))")
    )
    assert result.value["stdout"] == text.rstrip("\n")


async def test_a_secret_is_not_shown_not_even_where_the_flood_is_cut() -> None:
    script = f"import sys; w = sys.stdout.write; [w(' ' * n + '{SECRET}') for n in [0, *range(100)] * 60]"
    result = await ran(command(sys.executable, "-c", script))
    assert "left out" in result.output
    assert all(piece not in result.output for piece in (SECRET, SECRET[:-1], SECRET[1:], SECRET[:8], SECRET[-8:]))


async def test_a_secret_in_the_last_words_is_not_in_the_summary() -> None:
    assert SECRET not in (await ran(shell(f"echo bad token {SECRET} >&2; exit 1"))).summary


async def test_control_characters_and_bytes_that_are_no_text_are_made_harmless() -> None:
    result = await ran(shell(r"printf 'a\033[2J\0b\r\nc\td\377\n'; printf '\033]0;x\007' >&2; exit 1"))
    assert result.value["stdout"] == "a\ufffd[2J\ufffdb\nc d\ufffd"
    assert not set("\x00\x07\x1b\r") & set(result.output + result.summary)


# data stays data


@pytest.mark.parametrize("start", range(0, len(HOSTILE), 40))
async def test_hostile_values_arrive_as_one_argument_each_and_do_nothing_else(
    start: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    values = HOSTILE[start : start + 40]
    context: dict[str, object] = {"inputs": {f"v{n}": value for n, value in enumerate(values)}}
    arguments = [f"{{{{ inputs.v{n} }}}}" for n in range(len(values))]
    result = await ran(command(sys.executable, "-c", f"{SHOW_ARGV}; print()", "--", *arguments), context)
    assert json.loads(result.value["stdout"]) == ["--", *values]
    assert os.listdir(tmp_path) == []


def test_there_are_enough_hostile_values() -> None:
    assert len(set(HOSTILE)) >= 150


@pytest.mark.parametrize("value", [value for value in HOSTILE if value.startswith("-")])
async def test_a_value_never_becomes_an_option(value: str) -> None:
    result = await ran(command("echo", "{{ x }}"), {"x": value})
    assert (result.ok, result.final) == (False, True)
    assert "write `--` before it" in result.summary


async def test_a_value_inside_an_option_that_is_written_out_is_fine() -> None:
    assert (await ran(command("echo", "--to={{ x }}", "-{{ x }}"), {"x": "-a"})).value["stdout"] == "--to=-a --a"


async def test_a_value_with_a_minus_does_not_stand_for_the_two_that_end_the_options() -> None:
    assert not (await ran(command("echo", "a{{ x }}", "{{ x }}"), {"x": "--"})).ok


async def test_the_program_itself_never_comes_from_a_value() -> None:
    result = await ran(command("{{ x }}", "a"), {"x": "echo"})
    assert result.summary == "the program itself may not come from a value: write it out"


async def test_an_empty_value_is_refused_and_an_empty_argument_that_is_written_out_is_not() -> None:
    assert "empty value" in (await ran(command("echo", "--only", "{{ x }}"), {"x": ""})).summary
    assert (await ran(command("echo", "", "a"))).value["stdout"] == " a"


async def test_a_name_that_is_not_known_fails_it_before_anything_runs() -> None:
    result = await ran(command("echo", "{{ inputs.instanc }}"), {"inputs": {"instance": "w-3"}})
    assert (result.ok, result.final, result.summary) == (False, True, "`inputs.instanc` is not known here")


@pytest.mark.parametrize("args", ["echo a", [], None, {"a": "b"}])
async def test_a_command_that_is_no_list_fails_it(args: object) -> None:
    assert "needs a list" in (await ran(replace(command("x"), args=args))).summary

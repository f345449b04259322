"""Packages that bring kinds of steps, written into a folder as pip would install them."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

from incidentd.config import kinds, shape

GOOD = '''
"""Speaks to a queue."""

import asyncio

from incidentd.errors import PermanentError, TemporaryError
from incidentd.playbooks import StepResult
from incidentd.playbooks.kinds import Door, StepCall, StepKind

PATIENCE = asyncio.Event()
SEEN = []


async def run(call: StepCall) -> StepResult:
    SEEN.append(call)
    match call.args["queue"]:
        case "slow":
            await asyncio.sleep(3600)
        case "stubborn":
            while not PATIENCE.is_set():
                try:
                    await PATIENCE.wait()
                except asyncio.CancelledError:
                    pass
        case "raises":
            raise RuntimeError("no such thing: sesame-open-0815")
        case "exits":
            raise SystemExit(3)
        case "away":
            raise TemporaryError("the broker is away", maybe_done=len(SEEN) % 2 == 1)
        case "refused":
            raise PermanentError("the broker knows no sesame-open-0815")
        case "nothing":
            return None
        case "unsaid":
            return StepResult(ok=True, summary="x", value={"secret": "y"})
        case "flood":
            red = "\\x1b[31mred\\n" * 40000
            return StepResult(ok=True, summary="x" * 9000, output=red, value={"left": "y" * 200000})
        case "programs":
            ran = await call.doors["command"](["echo", "{{ x }}", "sesame-open-0815"])
            return StepResult(ok=True, summary="ran", value={"left": ran.value["stdout"]})
        case "asks":
            return StepResult(ok=True, summary="asked", value={"left": await call.doors["promql"]("up")})
    return StepResult(ok=True, summary="drained sesame-open-0815", value={"left": 0}, output="sesame-open-0815")


SCHEMA = {
    "description": "Drains a queue.", "type": "object", "additionalProperties": False, "required": ["queue"],
    "properties": {
        "queue": {"type": "string", "pattern": "^[a-z0-9-]{1,20}$"},
        "at_once": {"type": "integer", "minimum": 1, "maximum": 100},
        "how": {"enum": ["fast", "gently"]},
    },
}
drain = StepKind(
    name="drain", schema=SCHEMA, run=run, registers=("left",), doors=frozenset({Door.COMMAND, Door.PROMQL})
)
depth = StepKind(name="depth", schema=SCHEMA, run=run, registers=("left",), reads=True)
'''


def install(folder: Path, name: str, module: str, **points: str) -> None:
    """Install a package of one module; `points` are its entry points, each the name of something in the module."""
    folder.mkdir(exist_ok=True)
    module_name = name.replace("-", "_")
    (folder / f"{module_name}.py").write_text(dedent(module))
    info = folder / f"{module_name}-1.2.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.2\n")
    lines = "\n".join(f"{point} = {module_name}:{attribute}" for point, attribute in points.items())
    (info / "entry_points.txt").write_text(f"[incidentd.steps]\n{lines}\n")


def forget() -> None:
    """Forget what is known of installed packages, so that it is looked for anew."""
    for known in (kinds.installed, shape.schema_of, shape._file, shape._validator):
        known.cache_clear()

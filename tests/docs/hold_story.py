"""Writes the story and the picture of docs/hold.md, as the engine tells it in simulated time: `make docs`."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from html import escape
from pathlib import Path

from incidentd.engine import commands
from incidentd.errors import Location
from incidentd.holds import OPEN, HoldPolicy, HoldState
from incidentd.matchers import parse_matcher
from incidentd.rules import CATCH_ALL, Decide, SeverityRule
from incidentd.settings import Settings
from incidentd.store import chain
from incidentd.timeline import Actor, Entry
from tests.engine.world import START, World, make_world, minutes, policy, roster

DOCS = Path(__file__).parents[2] / "docs"
PAGE = DOCS / "hold.md"
PICTURE = DOCS / "hold.svg"
BEGIN, END = "<!-- the story begins: written by `make docs` -->\n", "<!-- the story ends -->\n"
ANA = Actor(name="ana", via="api")
RULE = SeverityRule(
    name="queue-lag", match=(parse_matcher('alertname="QueueLagHigh"'),), decide=Decide.HOLD, severity="sev3",
    urgency="urgent", page="platform", at=Location("rules/platform.yaml", 21),
    hold=HoldPolicy(at="rules/platform.yaml:21"),
    because="Customers notice a queue that is behind long before it is full.",
)  # fmt: skip
SETTINGS = Settings(
    external_url="https://incidentd.example.org", rules=(RULE, CATCH_ALL), roster=roster("ana", "ben"),
    escalations=policy("platform", (0, "ana"), (10, "ben")),
)  # fmt: skip
SHOWN = ("hold.", "note", "page.started", "page.acked", "incident.declared")
MARKS = {
    "hold.opened": "held", "hold.ignored": "not progress", "hold.progress": "progress", "hold.asked": "asked",
    "hold.declared": "declared",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Moment:
    """How the hold stood at one minute."""

    minute: int
    firing: int
    deadline: datetime


@dataclass(frozen=True, slots=True)
class Story:
    """What happened, and how the hold stood meanwhile."""

    entries: tuple[Entry, ...]
    moments: tuple[Moment, ...]


async def tell(folder: Path) -> Story:
    """Let the story happen on a real store, minute by minute."""
    w = await make_world(folder, SETTINGS)
    lags = [w.firing("QueueLagHigh", service="mail", pod=str(pod)) for pod in range(6)]
    moments = []
    for minute in range(61):
        await w.at(minute)
        await _happens(w, minute, lags)
        hold = await w.hold()
        if hold.state in OPEN or hold.state is HoldState.DECLARED:
            moments.append(Moment(minute, hold.firing, hold.deadline_at))
    entries = [*await w.store.read(chain.entries, "HOLD-1"), *await w.store.read(chain.entries, "INC-1")]
    await w.store.close()
    return Story(tuple(entries), tuple(moments))


async def _happens(w: World, minute: int, lags: Sequence[dict[str, object]]) -> None:
    match minute:
        case 0:
            await w.send(*lags[:5])
        case 4:
            await w.do(commands.ack_page, 1, by="ana", actor=ANA)
        case 12:
            await w.send(w.resolved("QueueLagHigh", service="mail", pod="0"))
        case 20:
            await w.send(replace_start(lags[5], w.now))
        case 38:
            text = "one consumer reads at a tenth of the others; moving its partitions"
            await w.do(commands.add_note, "HOLD-1", actor=ANA, text=text)
        case _:
            pass


def replace_start(alert: dict[str, object], at: datetime) -> dict[str, object]:
    """Let an alert begin to fire at this instant."""
    return {**alert, "startsAt": at.isoformat()}


def timeline(story: Story) -> str:
    """Write the entries that tell the story, as the hold's page shows them."""
    lines = [
        f"{entry.at:%H:%M} {entry.actor.name:<13} {entry.text}"
        for entry in story.entries
        if entry.kind.startswith(SHOWN)
    ]
    return "```text\n" + "\n".join(lines) + "\n```\n"


# -- the picture -----------------------------------------------------------------------------------------------------

LEFT, RIGHT, TOP = 60, 700, 40
FIRING_AT, WAIT_AT, HEIGHT = 150, 300, 360
_STYLE = (
    "text{font:12px sans-serif;fill:#444}.f{fill:none;stroke:#b3261e;stroke-width:2}"
    ".w{fill:none;stroke:#1a5fb4;stroke-width:2}.a{stroke:#bbb}.m{stroke:#888;stroke-dasharray:2 3}"
)


def picture(story: Story) -> str:
    """Draw how many fire, and what is left of the wait, with what counted and what did not."""
    firing = _steps((m.minute, FIRING_AT - 15 * m.firing) for m in story.moments)
    left = [(m.minute, (m.deadline - START) / timedelta(minutes=1) - m.minute) for m in story.moments]
    wait = _steps(((minute, WAIT_AT - 3 * most) for minute, most in left), slope=3)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 760 {HEIGHT}" role="img">',
        "<title>Five alerts are held for an hour, and declared at the hard cap</title>",
        f"<style>{_STYLE}</style>",
        *_axis(FIRING_AT, "alerts firing", ((0, 0), (75, 5))),
        *_axis(WAIT_AT, "minutes left of the wait", ((0, 0), (90, 30))),
        *_marks(story.entries),
        f'<path class="f" d="{firing}"/>',
        f'<path class="w" d="{wait}"/>',
        *(
            f'<text x="{_x(minute)}" y="{HEIGHT - 35}" text-anchor="middle">{START + minutes(minute):%H:%M}</text>'
            for minute in range(0, 61, 10)
        ),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _x(minute: float) -> float:
    return LEFT + minute * (RIGHT - LEFT) / 60


def _steps(points: Iterable[tuple[float, float]], slope: float = 0) -> str:
    """Draw a line that changes at once; between two points it falls by `slope` a minute."""
    path, before = "", (0.0, 0.0)
    for minute, y in points:
        if path:
            path += f" L{_x(minute):.1f} {before[1] + slope * (minute - before[0]):.1f}"
        path += f"{' L' if path else 'M'}{_x(minute):.1f} {y:.1f}"
        before = (minute, y)
    return path


def _axis(at: int, what: str, ticks: Sequence[tuple[int, int]]) -> list[str]:
    lines = [f'<line class="a" x1="{LEFT}" y1="{at - up}" x2="{RIGHT}" y2="{at - up}"/>' for up, _ in ticks]
    numbers = [f'<text x="{LEFT - 8}" y="{at - up + 4}" text-anchor="end">{value}</text>' for up, value in ticks]
    return [*lines, *numbers, f'<text x="{LEFT}" y="{at - ticks[-1][0] - 6}">{escape(what)}</text>']


def _marks(entries: Iterable[Entry]) -> list[str]:
    found, last = [], -100.0
    for entry in entries:
        word = MARKS.get(entry.kind)
        if word is None:
            continue
        x = _x((entry.at - START) / timedelta(minutes=1))
        high = 28 if x - last < 70 else 14
        last = x if high == 14 else last
        found.append(f'<line class="m" x1="{x:.1f}" y1="{high + 4}" x2="{x:.1f}" y2="{WAIT_AT}"/>')
        found.append(f'<text x="{x:.1f}" y="{high}" text-anchor="middle">{word}</text>')
    return found


def page(text: str, story: Story) -> str:
    """Give the page with the story as it should be."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return before + BEGIN + timeline(story) + END + after


def told() -> Story:
    """Let it happen once, in a folder of its own."""
    with tempfile.TemporaryDirectory() as folder:
        return asyncio.run(tell(Path(folder)))


if __name__ == "__main__":
    THE = told()
    PAGE.write_text(page(PAGE.read_text(), THE))
    PICTURE.write_text(picture(THE))
    print(f"wrote {PAGE} and {PICTURE}")

"""Searches over 5,000 published postmortems, on SQLite and on PostgreSQL, from the question to the answer.

The postmortems are of some 1,500 words, out of a vocabulary in which few words are in almost every text and most words
are in few, as in any language. The questions are of every kind: rare words, words that are everywhere, phrases, how
words begin, tags, nonsense, and nothing at all. One figure is the slowest kind's 95th percentile, snippets included.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import accumulate
from tempfile import TemporaryDirectory

from incidentd.library import Shelved, Standing, asked, snippet
from incidentd.metrics import Metrics
from incidentd.store import Store, Tx, library, open_store, subjects
from tests.bench.figures import Figure, Line, Section, Size
from tests.bench.load import percentile
from tests.bench.postgres import server
from tests.unit.incident_facts import INCIDENT

NOW = datetime(2026, 11, 24, 14, 0, tzinfo=UTC)
MOST_MS = 100
"""Milliseconds that one search may take."""
_WORDS = [f"{first}{second}{third}" for first in ("po", "ne", "ca", "di", "su", "re", "lo", "mi", "ta", "ve")
          for second in ("ol", "et", "ch", "sk", "ra", "le", "ck", "nt", "mb", "st")
          for third in ("", "s", "er", "ing", "ed", "ion", "al", "y", "or", "ment")]  # fmt: skip
# as in any language: the first words are in every text some thirty times, the last ones in every third text once
_OFTEN = list(accumulate(1 / (rank + 10) for rank in range(len(_WORDS))))
_LENGTH = 1500
_BATCH = 100
QUESTIONS: dict[str, tuple[str, tuple[str, ...]]] = {
    "a rare word": ("needle", ()),
    "a word that is everywhere": (_WORDS[0], ()),
    "three words that are everywhere": (" ".join(_WORDS[:3]), ()),
    "sixteen words that are everywhere": (" ".join(_WORDS[:16]), ()),
    "a word of most texts and few titles": (_WORDS[300], ()),
    "a rare word and one that is everywhere": (f"needle {_WORDS[0]}", ()),
    "a phrase": (f'"{_WORDS[0]} {_WORDS[1]}"', ()),
    "a rare phrase of words that are everywhere": (f'"{" ".join(_WORDS[:4])}"', ()),
    "how most words begin": ("p", ()),
    "how words begin, sixteen times": ("p n c d s r l m t v po ne ca di su re", ()),
    "a word with a tag": (_WORDS[1], ("cause:network",)),
    "a word with a tag that few have": (_WORDS[0], ("cause:rare",)),
    "a tag": ("", ("cause:network",)),
    "nonsense": ("zzqxv", ()),
    "nothing": ("", ()),
}


def report(size: Size) -> Iterator[Line]:
    """Measure each engine."""
    number = 60 if size.quick else 5_000
    yield f"{number:,} postmortems of {_LENGTH:,} words; of each kind of question the 95th percentile."
    with TemporaryDirectory(prefix="incidentd-bench-") as folder:
        yield from asyncio.run(_measured("SQLite", f"sqlite:///{folder}/bench.db", number, size))
    with server() as it:
        yield from asyncio.run(_measured("PostgreSQL", it.database(), number, size))


async def _measured(engine: str, url: str, number: int, size: Size) -> list[Line]:
    store = await open_store(url, lambda: NOW, Metrics(version="bench"))
    try:
        began = time.perf_counter()
        for first in range(0, number, _BATCH):
            await store.write(_fill, range(first, min(first + _BATCH, number)))
        filled = time.perf_counter() - began
        lines: list[Line] = [f"{engine}: one was put in within {filled / number * 1000:.1f} ms."]
        slowest = 0.0
        for name, (words, tags) in QUESTIONS.items():
            took = await _asked(store, words, tags, 3 if size.quick else 20)
            slowest = max(slowest, took)
            lines.append(f"  {name}: {took * 1000:.1f} ms")
        return [*lines, Figure(what=f"{engine}, the slowest", value=slowest * 1000, unit=" ms", digits=1, most=MOST_MS)]
    finally:
        await store.close()


async def _asked(store: Store, words: str, tags: tuple[str, ...], times: int) -> float:
    """Ask so often, after once to warm up; give the 95th percentile in seconds."""
    what, took = asked(words, tags), []
    for turn in range(times + 1):
        began = time.perf_counter()
        found = await store.read(library.find, what, [Standing.PUBLISHED])
        for it in found:
            snippet(it.body, what)
        if turn:
            took.append(time.perf_counter() - began)
    return percentile(took, 0.95)


def _fill(tx: Tx, numbers: Sequence[int]) -> None:
    for number in numbers:
        it = replace(INCIDENT, id=0, hold_id=None, correlation_key=f"k{number}")
        incident = subjects.insert_incident(tx, it)
        library.put(tx, _text(incident.id, number))
        if number % 7 == 0:
            library.tag(tx, incident.id, ["cause:network:switch"], [], by="bench")
        if number % 1000 == 5:
            library.tag(tx, incident.id, ["cause:rare"], [], by="bench")


def _text(incident_id: int, number: int) -> Shelved:
    source = random.Random(number)  # noqa: S311 - nothing secret
    words = source.choices(_WORDS, cum_weights=_OFTEN, k=_LENGTH)
    if number % 500 == 3:
        words[700] = "needle"
    lines = [" ".join(words[at : at + 15]) + "." for at in range(0, len(words), 15)]
    markdown = f"---\nincident: INC-{number}\n---\n\n# {' '.join(words[:6])}\n\n" + "\n\n".join(lines)
    return Shelved(
        incident_id=incident_id, standing=Standing.PUBLISHED, version=1, title=" ".join(words[:6]), severity="sev1",
        service="checkout", markdown=markdown,
    )  # fmt: skip


def _takes(size: Size) -> float:
    return 10 if size.quick else 90


SECTION = Section(
    about="searches over 5,000 postmortems on both engines", report=report, takes=_takes, needs=("postgres",)
)

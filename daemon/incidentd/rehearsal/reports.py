"""How stories went, in words for a terminal and as JUnit XML for what collects test results."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta
from itertools import groupby
from xml.sax.saxutils import escape, quoteattr

from incidentd.durations import format_duration
from incidentd.playbooks.cases import Case
from incidentd.rehearsal.telling import Told
from incidentd.stories import Story
from incidentd.text import plain


def lines(told: Iterable[Told]) -> Iterator[str]:
    """Say how each story went; of one that failed, what differs and the whole course."""
    for it in told:
        if not it.failures:
            yield f"ok      {plain(whole_name(it.story))}"
            continue
        yield f"FAILED  {plain(whole_name(it.story))} ({it.story.where})"
        yield from (f"    {failure.where}: {failure.text}" for failure in it.failures)
        yield "    how it went:"
        yield from course(it.course)


def whole_name(story: Story | Case) -> str:
    """Name a story, or a case with the playbook that it tries."""
    return f"{story.playbook}: {story.name}" if isinstance(story, Case) else story.name


def course(said: Sequence[tuple[timedelta, str]]) -> Iterator[str]:
    """Write a course, each sentence with its time since the beginning."""
    width = max((len(format_duration(at)) for at, _ in said), default=0)
    yield from (f"      {format_duration(at):>{width}}  {plain(text, 300)}" for at, text in said)


def total(told: Sequence[Told]) -> str:
    """Count them."""
    failed = sum(bool(it.failures) for it in told)
    took = sum(it.seconds for it in told)
    return f"{len(told) - failed} passed, {failed} failed ({took:.1f} s)"


def junit(told: Sequence[Told]) -> str:
    """Write JUnit XML: a suite for each file, a case for each story."""
    suites = [_suite(file, list(its)) for file, its in groupby(told, key=lambda it: it.story.where.file)]
    counts = f'tests="{len(told)}" failures="{sum(bool(it.failures) for it in told)}" errors="0"'
    body = "\n".join(suites)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<testsuites name="incidentd" {counts}>\n{body}\n</testsuites>\n'


def _suite(file: str, told: Sequence[Told]) -> str:
    counts = f'tests="{len(told)}" failures="{sum(bool(it.failures) for it in told)}" errors="0"'
    took = sum(it.seconds for it in told)
    cases = "\n".join(_case(it) for it in told)
    return f'  <testsuite name={_attribute(file)} {counts} time="{took:.3f}">\n{cases}\n  </testsuite>'


def _case(it: Told) -> str:
    name, file = _attribute(it.story.name), _attribute(it.story.where.file)
    head = (
        f'    <testcase classname={file} name={name} file={file} line="{it.story.where.line}" time="{it.seconds:.3f}"'
    )
    if not it.failures:
        return f"{head}/>"
    what = "\n".join([*(f"{one.where}: {one.text}" for one in it.failures), "how it went:", *course(it.course)])
    message = _attribute(it.failures[0].text)
    return f"{head}>\n      <failure message={message}>{escape(_legal(what))}</failure>\n    </testcase>"


def _attribute(text: str) -> str:
    return quoteattr(plain(text))


def _legal(text: str) -> str:
    """Leave out what XML may not hold; the sentences of a timeline are strangers' words in part."""
    return "\n".join(plain(line, 1000) for line in text.split("\n"))

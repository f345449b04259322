"""`explain`: which rules were tried for an alert, why each did or did not apply, and what was decided."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from incidentd.cli.client import Daemon, asks, segment
from incidentd.cli.daemon import CONFIG
from incidentd.cli.sending import pairs
from incidentd.matchers import BadMatcher, parse_matcher
from incidentd.text import labels_line, plain

if TYPE_CHECKING:
    from incidentd.settings import Settings, Source
    from incidentd.triage import Decision, Explanation

_SUBJECT = re.compile(r"(HOLD|INC)-[0-9]{1,15}")


@click.command()
@click.argument("words", nargs=-1, required=True, metavar="LABEL... | HOLD-7 | INC-12")
@click.option("--annotation", "annotations", multiple=True, metavar="NAME=VALUE", help="An annotation; repeat it.")
@click.option("--config.file", "config_file", type=CONFIG, help="The configuration whose rules are tried.")
@asks()
def explain(daemon: Daemon, *, words: tuple[str, ...], annotations: tuple[str, ...], config_file: Path | None) -> None:
    """Say which rules are tried for an alert with these labels, why each does or does not apply, and the decision.

    Labels are written as for amtool: `incidentd explain --config.file incidentd.yaml alertname=QueueLag 'env="prod"'`;
    a first word alone is the alertname. For a hold or incident the running daemon is asked for its alerts and for
    what was decided about them; with --config.file the rules of that file are tried on them, too. Prometheus is not
    asked: what a condition would have to know of it counts as the rule says for `unknown`. The watchdog of a source is
    only written down, whatever the rules say.
    """
    if len(words) == 1 and _SUBJECT.fullmatch(words[0]):
        found = _alerts(daemon, words[0])
        alerts = [(it["labels"], it["annotations"], it["source"]) for it in found]
        stored = [_stored(it) for it in found]
    else:
        alerts, stored = [(_labels(words), pairs(annotations), "")], []
    if stored and config_file is None:
        _print_stored(daemon, stored)
        return
    settings = _settings(config_file)
    explained = [(labels, _explained(settings, labels, notes, source)) for labels, notes, source in alerts]
    if daemon.as_json:
        written = [_written(labels, it) for labels, it in explained]
        click.echo(json.dumps({"explained": written, "stored": stored}, indent=2, ensure_ascii=False))
        return
    for line in [line for labels, it in explained for line in _lines(labels, it)]:
        click.echo(line)
    if stored:
        click.echo("\nwhat was decided then:")
        _print_stored(daemon, stored)


def _settings(config_file: Path | None) -> Settings:
    from incidentd.cli import files  # noqa: PLC0415 - reading files takes a while to load

    return files.load(config_file)


@dataclass(frozen=True, slots=True)
class _Explained:
    by_rules: Explanation | None
    """None: no source asks its rules about this alert."""
    watchdogs: Mapping[str, Decision]
    """By the sources whose watchdog it is."""

    @property
    def decision(self) -> Decision:
        """What is decided, or would be where it is no watchdog."""
        return self.by_rules.decision if self.by_rules else next(iter(self.watchdogs.values()))


def _explained(settings: Settings, labels: dict[str, str], annotations: dict[str, str], source: str) -> _Explained:
    """Explain an alert of a source, or of any that there is when nobody knows of which."""
    from incidentd import app, triage  # noqa: PLC0415 - as above

    by_rules = triage.explain(labels, annotations, triage.book_of(settings, app.system_clock()()))
    sources = [settings.sources[source]] if source in settings.sources else _spoken_of(settings)
    watchdogs = {
        one.name: decision for one in sources if (decision := triage.of_watchdog(one, labels, by_rules.decision))
    }
    return _Explained(None if watchdogs and len(watchdogs) == len(sources) else by_rules, watchdogs)


def _spoken_of(settings: Settings) -> list[Source]:
    """Give the sources that the configuration has something to say of: `default` is there beside them all the same."""
    from incidentd.settings import DEFAULT_SOURCE, Source  # noqa: PLC0415 - as above

    every = list(settings.sources.values())
    return [one for one in every if one != Source(name=DEFAULT_SOURCE)] or every


def _labels(words: Sequence[str]) -> dict[str, str]:
    """Read labels as amtool reads them."""
    labels = {}
    for number, word in enumerate(words):
        if number == 0 and re.fullmatch(r"[A-Za-z0-9_:.-]+", word):
            labels["alertname"] = word
            continue
        try:
            matcher = parse_matcher(word)
        except BadMatcher as error:
            raise click.UsageError(f"{word!r} is no label: {error}") from None
        if matcher.op != "=":
            raise click.UsageError(f"{word!r} is a condition; an alert has labels, written NAME=VALUE")
        labels[matcher.name] = matcher.value
    return labels


# -- a hold or incident of a running daemon --------------------------------------------------------------------------


def _alerts(daemon: Daemon, subject: str) -> list[dict[str, Any]]:
    kind = "holds" if subject.startswith("HOLD-") else "incidents"
    found: list[dict[str, Any]] = daemon.get(f"/api/v1/{kind}/{segment(subject)}")["alerts"]
    if not found:
        raise click.ClickException(f"{subject} has no alerts; somebody declared it by hand")
    return found


def _stored(alert: dict[str, Any]) -> dict[str, Any]:
    return {name: alert[name] for name in ("labels", "decision", "rule", "reason")}


def _print_stored(daemon: Daemon, stored: Sequence[dict[str, Any]]) -> None:
    if daemon.as_json:
        click.echo(json.dumps({"stored": stored}, indent=2, ensure_ascii=False))
        return
    for it in stored:
        click.echo(f"{labels_line(it['labels'])}\n  {it['decision'] or 'not decided yet'}: {plain(it['reason'])}")


# -- in words --------------------------------------------------------------------------------------------------------


def _lines(labels: dict[str, str], it: _Explained) -> list[str]:
    lines = [labels_line(labels)] + (_by_rules(it.by_rules) if it.by_rules else [])
    apart = it.by_rules is not None or len(it.watchdogs) > 1
    for source, decided in it.watchdogs.items():
        lines.append(f"  {decided.decide.value}" + (f", when it comes from {plain(source, 60)}" if apart else ""))
        lines.append(f"  {plain(decided.reason, 1000)}")
    return lines


def _by_rules(it: Explanation) -> list[str]:
    width = max((len(tried.rule) for tried in it.tried), default=0)
    lines = []
    for tried in it.tried:
        lines.append(f"  {'=>' if tried.matched else '- '} {tried.rule:<{width}}  {tried.at}: {tried.why}")
    decided = it.decision
    facts = [decided.decide.value, decided.severity, decided.urgency]
    facts += [f"page {decided.page}"] if decided.page else []
    facts += [f"playbook {decided.playbook}"] if decided.playbook else []
    return [*lines, f"  {', '.join(facts)}", f"  {plain(decided.reason, 1000)}"]


def _written(labels: dict[str, str], it: _Explained) -> dict[str, Any]:
    decided = it.decision
    tried = it.by_rules.tried if it.by_rules else ()
    return {
        "labels": labels,
        "tried": [{"rule": one.rule, "at": str(one.at), "matched": one.matched, "why": one.why} for one in tried],
        "decision": {
            "decide": decided.decide.value, "rule": decided.rule, "severity": decided.severity,
            "urgency": decided.urgency, "page": decided.page, "playbook": decided.playbook, "reason": decided.reason,
            "correlation_key": decided.correlation_key,
        },
        "watchdog_of": list(it.watchdogs),
    }  # fmt: skip

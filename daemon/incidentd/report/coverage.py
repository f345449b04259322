"""Pages that nobody wrote down what to do about, and playbooks that nobody would trust any more."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta

from incidentd.durations import about
from incidentd.playbooks import Mode, Playbook, Run, RunState
from incidentd.report.calls import Call, by_alertname, team_of
from incidentd.report.finding import Finding, Kind, keys, percent
from incidentd.report.history import History
from incidentd.report.limits import BARE_PAGES, ENOUGH, ROTS_AFTER, SUCCESS
from incidentd.settings import Settings
from incidentd.text import count, instant, plain

RUNBOOKS = ("runbook_url", "runbook")
_FAILED = frozenset({RunState.FAILED, RunState.VERIFY_FAILED, RunState.INTERRUPTED})


def bare(found: Sequence[Call], settings: Settings) -> Iterator[Finding]:
    """Find alerts that paged without a runbook and that no playbook takes."""
    by_rule = {rule.name: rule.playbook for rule in settings.rules}
    for name, its in by_alertname(found).items():
        without = [call for call in its if _is_bare(call, settings, by_rule)]
        if len(without) < BARE_PAGES:
            continue
        cost = sum((call.hands_on or timedelta(0) for call in without), timedelta(0))
        owner = next((team for call in reversed(without) if (team := team_of(call, settings))), "")
        yield Finding(
            kind=Kind.BARE, about=name, why=("no_runbook", "no_playbook"),
            says=(
                f"{count(len(without), 'page')} named no runbook and had no playbook; they took {about(cost)} by hand. "
                f"{f'It belongs to {plain(owner, 80)}.' if owner else 'Its labels name no team.'}"
            ),
            evidence=keys(call.page.key for call in without),
            propose=f"Write a runbook for {plain(name, 80)} and put its address into `runbook_url`.",
            weight=cost / timedelta(minutes=1),
        )  # fmt: skip


def _is_bare(call: Call, settings: Settings, by_rule: dict[str, str]) -> bool:
    if names_runbook(call.alert.annotations) or call.runs:
        return False
    rule = call.incident.rule if call.incident else call.hold.rule if call.hold else ""
    return not by_rule.get(rule) and not is_taken(call.alert.labels, settings)


def names_runbook(annotations: Mapping[str, str]) -> bool:
    """Say whether an alert says what to do about it."""
    return any(annotations.get(name) for name in RUNBOOKS)


def is_taken(labels: Mapping[str, str], settings: Settings) -> bool:
    """Say whether the `match` of some playbook takes an alert; a rule may bring one all the same."""
    return any(
        playbook.match and all(matcher.matches(labels) for matcher in playbook.match)
        for playbook in settings.playbooks.values()
    )  # fmt: skip


def rotten(history: History, settings: Settings) -> Iterator[Finding]:
    """Find playbooks that did not run for long, or that succeed less than they did."""
    for name, playbook in sorted(settings.playbooks.items()):
        if playbook.mode is Mode.OFF:
            continue
        yield from _unused(playbook, history)
        runs = sorted((run for run in history.runs if run.playbook == name), key=lambda run: run.started_at)
        yield from _falling(name, [run for run in runs if run.state in _FAILED | {RunState.VERIFIED}])


def _unused(playbook: Playbook, history: History) -> Iterator[Finding]:
    name, at = playbook.name, playbook.at
    last = history.last_runs.get(name)
    since = last or history.begins
    if since is None or history.until - since < ROTS_AFTER:
        return
    seen = f"It ran last at {instant(last)}" if last else "It never ran as far as the store knows"
    yield Finding(
        kind=Kind.ROT, about=name, why=("unused",),
        says=f"{seen}, {about(history.until - since)} ago: what it acts on has changed since." if last else f"{seen}.",
        evidence=(f"{at.file}:{at.line}",), propose=f"Run {plain(name, 80)} in a drill, or delete it.",
        weight=(history.until - since) / timedelta(days=1),
    )  # fmt: skip


def _falling(name: str, runs: list[Run]) -> Iterator[Finding]:
    half = len(runs) // 2
    before, after = runs[:half], runs[half:]
    if half < ENOUGH:
        return
    was, now = _success(before), _success(after)
    if now >= SUCCESS or now >= was:
        return
    yield Finding(
        kind=Kind.ROT, about=name, why=("failing",),
        says=f"{percent(now)} of its last {count(len(after), 'run')} were verified, {percent(was)} of those before.",
        evidence=keys(run.key for run in after if run.state in _FAILED),
        propose=f"Set {plain(name, 80)} to `mode: approve` until its steps are right again.",
        weight=100 * (was - now),
    )  # fmt: skip


def _success(runs: Sequence[Run]) -> float:
    return sum(run.state is RunState.VERIFIED for run in runs) / len(runs)

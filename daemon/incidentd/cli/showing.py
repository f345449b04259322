"""A playbook and a run of one as a person reads them, made of what the API says."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from incidentd.playbooks.outline import Within, headings
from incidentd.text import count, plain

_WIDE = 1000
_FRACTION = re.compile(r"T(\d\d:\d\d:\d\d)(?:\.\d+)?Z")

Said = Mapping[str, Any]


def playbook(it: Said) -> Iterator[str]:
    """Write a playbook: how far it may go and why, what it takes, does, proves and may, and its last runs."""
    yield f"{plain(it['id'])}: {plain(it['title'])}"
    yield _fact("file", f"{it['at']} (version {it['version']})")
    yield _fact("mode", _mode(it))
    yield _fact("verified", f"{count(it['verified'], 'run')} in a row" + _promise(it))
    yield from _facts("elsewhere", [_version(one) for one in it["other_versions"]])
    yield from _facts("brought in", _ways(it))
    yield from _facts("inputs", [_input(name, one) for name, one in it["inputs"].items()] or ["none"])
    yield _fact(
        "acts on", it["target"] + (f" in {it['domain']}" if it["domain"] else "") + f"; risk {it['risk']}" + _during(it)
    )
    yield from _facts("limits", _limits(it))
    yield from _facts("steps", _steps(it["steps"]))
    yield _fact("verify", _verify(it["verify"]))
    yield from _facts("rollback", _steps(it["rollback"]) or ["none"])
    yield _fact("if it fails", it["on_failure"])
    yield from _facts("last runs", [_last(one) for one in it["runs"]] or ["none"])


def run(it: Said) -> Iterator[str]:
    """Write a run: how it stands, what it waits for, and each step with what it gave."""
    yield f"{it['id']}: {plain(it['playbook'])} on {plain(it['target'])}, for {it['subject']}"
    yield _fact("state", it["state_text"] + (f": {it['reason']}" if it["reason"] else ""))
    if it["waiting_for"]:
        yield from _facts("waits for", _waiting(it))
    yield _fact("mode", f"{it['mode']} (version {it['version']}{_stands(it)})")
    ended = f", ended {_when(it['finished_at'])}" if it["finished_at"] else ""
    yield _fact("proposed" if it["state"] == "proposed" else "began", _when(it["started_at"]) + ended)
    yield from _facts("inputs", [f"{name}: {value}" for name, value in it["inputs"].items()] or ["none"])
    yield from _facts("steps", [_done(one) for one in it["steps"]] or ["none was begun"])


def waits_for(it: Said) -> str:
    """Say in a few words for whom a run waits, and until when; '' when for nobody."""
    waiting = it.get("waiting_for")
    if not waiting:
        return ""
    return f"{waiting['who']} until {_when(waiting['until'])}" if waiting["until"] else str(waiting["who"])


def _fact(name: str, value: str) -> str:
    return f"  {name + ':':<13}{plain(value, _WIDE)}"


def _facts(name: str, values: Sequence[str]) -> Iterator[str]:
    for number, value in enumerate(values):
        yield _fact(name, value) if number == 0 else f"  {'':13}{plain(value, _WIDE)}"


def _mode(it: Said) -> str:
    its = f"its file says {it['mode']}" if it["effective"] != it["mode"] else "as its file says"
    return f"{it['effective']} ({its}{'; ' + it['because'] if it['because'] else ''})"


def _during(it: Said) -> str:
    return "; begins in incidents about its service, too" if it["safe_during_incident"] else ""


def _promise(it: Said) -> str:
    wanted = it["promote"]
    return f"; {wanted['after']} in a row make it {wanted['to']}" if wanted else ""


def _ways(it: Said) -> list[str]:
    ways = [f"alerts with {', '.join(it['match'])}"] if it["match"] else []
    ways += [f"the rules {', '.join(it['rules'])}"] if it["rules"] else []
    return ways or ["no alert by itself: it has no `match`, and no rule names it"]


def _version(one: Said) -> str:
    """Say how another version of the text stands, which another replica or an earlier file has."""
    why = f": {one['why']}" if one["why"] else ""
    return f"version {one['version']} stands at {one['stands']}, {count(one['verified'], 'run')} in a row{why}"


def _stands(it: Said) -> str:
    if not it["version_stands"]:
        return ""
    why = f": {it['version_because']}" if it["version_because"] else ""
    return f", which stands at {it['version_stands']}{why}"


def _input(name: str, one: Said) -> str:
    whence = f"from {one['from']}" if one["from"] else "from the playbook that calls it"
    default = f", else {one['default']}" if one["default"] else ""
    return f"{name} {whence}: {one['type']} that matches {one['pattern']}{default}"


def _limits(it: Said) -> list[str]:
    limits = it["limits"]
    found = [
        f"runs: {limits['per_target']} on a target, {limits['total']} on all, {limits['overall']} of all playbooks",
        f"alerts: at most {limits['alert_age']} old; a target rests {limits['cool_down']} between two runs",
    ]
    if it["fleet"]:
        found.append(
            f"fleet of {it['fleet']}: begins on {limits['share']} % within 1h, and leaves it to people when "
            f"{limits['alerting']} % alert"
        )
    return found


def _steps(steps: Sequence[Said]) -> list[str]:
    found: list[str] = []
    before: list[Within] = []
    for number, one in enumerate(steps, 1):
        here = [Within(block=it["block"], part=it["part"]) for it in one["within"]]
        found += [f"{'   ' * depth}{words}" for depth, words in headings(before, here)]
        found.append(f"{'   ' * len(here)}{number}. {_step(one)}")
        before = here
    return found


def _step(one: Said) -> str:
    return (
        f"{one['name']} ({one['kind']})"
        + (f", for each of {one['at_most']} at most" if one["at_most"] > 1 else "")
        + (f", when {' and '.join(one['when'])}" if one["when"] else "")
    )


def _verify(one: Said | None) -> str:
    if one is None:
        return "nothing does, so nobody may call it a success"
    return f"{one['kind']} that holds for {one['for']} within {one['within']}, looked at every {one['every']}"


def _last(it: Said) -> str:
    return f"{it['id']} {_when(it['started_at'])} on {it['target']}, for {it['subject']}: {it['state_text']}" + (
        f" ({it['reason']})" if it["reason"] else ""
    )


def _waiting(it: Said) -> list[str]:
    waiting = it["waiting_for"]
    if waiting["what"] == "approval":
        return [
            f"approval, by {waiting['who']}: `incidentd approve {it['id']}` lets it begin, "
            f"`incidentd playbook stop {it['id']} --reason ...` refuses it"
        ]
    answers = " or ".join(waiting["answers"]) or "an answer in words"
    return [
        f"an answer, by {waits_for(it)}: {waiting['question']}",
        f"`incidentd approve {it['id']} ANSWER`, where ANSWER is {answers}",
    ]


def _done(one: Said) -> str:
    rollback = "rollback, " if one["phase"] == "rollback" else ""
    said = f": {one['summary']}" if one["summary"] else ""
    return f"{_when(one['started_at'])}  {one['state']:<11} {rollback}{one['name']}{said}"


def _when(at: str | None) -> str:
    return _FRACTION.sub(r" \1 UTC", at or "-")

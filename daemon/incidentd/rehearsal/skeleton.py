"""The beginning of a playbook and of its cases, from an alert and from what people noted that they did by hand.

What strangers wrote stands in comments and in quoted values of the cases, each one harmless line: it is never a
template, a command or a pattern of what is written here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from incidentd.text import plain

_TARGETS = ("instance", "host", "hostname", "node", "pod", "device", "queue", "service", "job")
"""Labels that usually name what is acted on, the narrowest first."""
_NO_TARGETS = frozenset({"alertname", "severity", "team", "owner", "env", "environment"})
_NAME = re.compile(r"[a-z_][a-z0-9_]{0,30}")
_VALUE = re.compile(r"[A-Za-z0-9.:_/@-]{1,100}")
_CLASSES = (("a-z", "[a-z]"), ("A-Z", "[A-Z]"), ("0-9", "[0-9]"))
_SIGNS = ".:_/@"
_TO_WRITE = '"Write here what is done: command, http, promql."'
MOST = 20
"""Notes that become steps."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Skeleton:
    """The text of the two files."""

    playbook: str
    cases: str


def skeleton(name: str, labels: Mapping[str, str], notes: Sequence[str] = ()) -> Skeleton:
    """Begin a playbook called `name` for alerts like this one, with a step for each note."""
    known = {key: value for key, value in labels.items() if value and _kept(key, 100) and _kept(value, 500)}
    target = next((key for key in _candidates(known) if _taken(key, known[key])), "")
    steps = ["".join(filter(str.isprintable, plain(note, 100))) for note in notes if note.strip()][:MOST]
    return Skeleton(
        playbook="\n".join(_playbook(name, known, target, steps)) + "\n",
        cases="\n".join(_cases(name, known, target, max(len(steps), 1))) + "\n",
    )


def _kept(words: str, most: int) -> bool:
    """Say whether a file of YAML can hold it in one line and a reader can see it."""
    return words.isprintable() and len(words) <= most


def _candidates(labels: Mapping[str, str]) -> list[str]:
    usual = [name for name in _TARGETS if name in labels]
    return usual + sorted(name for name in labels if name not in _NO_TARGETS and name not in usual)


def _taken(name: str, value: str) -> bool:
    return bool(_NAME.fullmatch(name) and _VALUE.fullmatch(value)) and not value.startswith("-")


def _playbook(name: str, labels: Mapping[str, str], target: str, steps: list[str]) -> list[str]:
    alertname = labels.get("alertname", "")
    title = f"What to do about {alertname}" if alertname else "Say what it does"
    lines = ["kind: playbook", f"name: {name}", f"title: {_quoted(title)}"]
    lines += ["mode: suggest                             # runs nothing yet: suggest, then approve, then auto"]
    if alertname:
        lines.append(f"match: [{_quoted('alertname=' + json.dumps(alertname, ensure_ascii=False))}]")
    if target:
        lines += ["inputs:", "  # Made of one alert: narrow it down to what the names are here."]
        lines.append(f"  {target}: {{from: labels.{target}, pattern: {_quoted(_pattern(labels[target]))}}}")
    lines.append(f'target: "{{{{ inputs.{target} }}}}"' if target else f"target: {name}")
    lines += ["risk: medium", "steps:"]
    for number, words in enumerate(steps or ["look first, then act"], 1):
        lines += [
            f"  # {words}",
            f"  - name: step {number}",
            '    note: "Write here what is done: command, http, promql."',
        ]
    lines += [
        "# What proves that it helped; `mode: auto` needs it:",
        "# verify: {promql: {query: 'up', is: \"> 0\"}, for: 2m, within: 10m}",
        "on_failure: page",
    ]
    return lines


def _cases(name: str, labels: Mapping[str, str], target: str, steps: int) -> list[str]:
    ran = ", ".join(f"step {number}" for number in range(1, steps + 1))
    lines = [
        "kind: playbook_test", f"playbook: {name}", "cases:", "  - name: an alert like the one that it was made of",
        *_alert(labels), "    expect:", "      outcome: done                       # verified, when it has a `verify`",
        f"      ran: [{ran}]",
    ]  # fmt: skip
    if target:
        more = {**labels, target: labels[target] + "; reboot"}
        lines += [f"      target: {_quoted(labels[target])}", "  - name: a name that is more than a name"]
        lines += [*_alert(more), "    expect: {outcome: refused, reason: does not match}"]
    return lines


def _alert(labels: Mapping[str, str]) -> list[str]:
    if not labels:
        return ["    alert: {labels: {alertname: Any}}"]
    return ["    alert:", "      labels:", *(f"        {_quoted(key)}: {_quoted(labels[key])}" for key in labels)]


def _pattern(value: str) -> str:
    """Write a pattern for values of the kind that this one is."""
    classes = [name for name, pattern in _CLASSES if re.search(pattern, value)]
    signs = [sign for sign in _SIGNS if sign in value]
    return f"[{''.join(classes + signs)}{'-' if '-' in value else ''}]{{1,100}}"


def _quoted(value: str) -> str:
    """Write a value in double quotes, as YAML and JSON both read it."""
    return json.dumps(value, ensure_ascii=False)

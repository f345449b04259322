"""Whether anything brings a playbook in for an alert: its own `match`, or a rule that names it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from incidentd.matchers import Matcher
from incidentd.playbooks import Playbook
from incidentd.rules import SeverityRule
from incidentd.text import plain


def not_for(
    playbook: Playbook, labels: Mapping[str, str], rules: Iterable[SeverityRule] = (),
    playbooks: Iterable[Playbook] = (),
) -> str:  # fmt: skip
    """Say why nothing brings a playbook in for an alert with these labels; '' when something may.

    A rule that names it takes no notice of its `match`; where the rule that decides names none, the first of
    `playbooks` that matches comes in. One without a `match` waits for a rule, a call or a person.
    """
    if not playbook.match:
        return ""
    deciding = list(_may_decide(labels, rules))
    if any(rule.playbook == playbook.name for rule in deciding):
        return ""
    wanted = next((one for one in playbook.match if not one.matches(labels)), None)
    if wanted is not None:
        return f"this alert does not match: {_is(wanted, labels)}, wanted {wanted}"
    if deciding and all(rule.playbook for rule in deciding):
        return f"the rule {deciding[0].name} names `{deciding[0].playbook}` for this alert"
    first = next((one for one in playbooks if _matches(one, labels)), playbook)
    if first.name == playbook.name:
        return ""
    return f"`{first.name}` takes this alert: it matches too, and comes before `{playbook.name}`"


def _may_decide(labels: Mapping[str, str], rules: Iterable[SeverityRule]) -> Iterator[SeverityRule]:
    """Give the rules that match, up to the first without conditions; whether those of one are met nobody knows here."""
    for rule in rules:
        if rule.matches(labels):
            yield rule
            if not rule.when:
                return


def _matches(playbook: Playbook, labels: Mapping[str, str]) -> bool:
    return bool(playbook.match) and all(one.matches(labels) for one in playbook.match)


def _is(wanted: Matcher, labels: Mapping[str, str]) -> str:
    has = labels.get(wanted.name)
    name = plain(wanted.name, 60)
    return f"it has no label {name}" if has is None else f"label {name} is {plain(has, 60)!r}"

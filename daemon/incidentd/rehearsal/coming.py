"""Whether anything brings a playbook in for an alert: its own `match`, or a rule that names it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from incidentd.matchers import Matcher
from incidentd.playbooks import Playbook
from incidentd.rules import SeverityRule
from incidentd.text import plain


def not_for(playbook: Playbook, labels: Mapping[str, str], rules: Iterable[SeverityRule] = ()) -> str:
    """Say why nothing brings a playbook in for an alert with these labels; '' when something may.

    A rule that names it takes no notice of its `match`. One without a `match` waits for a rule, a call or a person.
    """
    if not playbook.match:
        return ""
    wanted = next((one for one in playbook.match if not one.matches(labels)), None)
    if wanted is None or any(rule.playbook == playbook.name and rule.matches(labels) for rule in rules):
        return ""
    return f"this alert does not match: {_is(wanted, labels)}, wanted {wanted}"


def _is(wanted: Matcher, labels: Mapping[str, str]) -> str:
    has = labels.get(wanted.name)
    name = plain(wanted.name, 60)
    return f"it has no label {name}" if has is None else f"label {name} is {plain(has, 60)!r}"

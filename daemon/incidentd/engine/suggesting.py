"""What a playbook of `mode: suggest` says on the timeline: that it fits, and what to type; or that it does not."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from incidentd.playbooks import Playbook, scopes, walk
from incidentd.store.inbox import Changed
from incidentd.templates import compile_template
from incidentd.text import plain
from incidentd.timeline import Draft


def suggestion(playbook: Playbook, alert: Changed, subject: str) -> Draft:
    """Say that a playbook fits an alert and how to run it for a hold or incident, or why it does not take the alert."""
    name = playbook.name
    try:
        inputs = scopes.inputs_for(playbook, alert.labels, alert.annotations)
        walk.target_for(playbook, inputs, alert.labels)
        walk.domain_for(playbook, inputs, alert.labels)
    except scopes.NotRunnable as no:
        text = f"Playbook {name}, which only suggests itself, does not take this alert: {no}."
        return Draft("run.refused", text, {"playbook": name})
    fits = f"Playbook {name} fits ({plain(playbook.title, 100)}); it only suggests itself, so run it by hand"
    command = _command(playbook, alert, subject)
    return Draft("run.proposed", f"{fits}: `{command}`." if command else f"{fits}.", {"playbook": name})


def _command(playbook: Playbook, alert: Changed, subject: str) -> str:
    """Give what a person types, with what it needs of the alert; '' when a value of that is nothing to type."""
    needed = {label: alert.labels[label] for label in sorted(_labels(playbook)) if label in alert.labels}
    from_annotations = any(
        one.source.startswith("annotations.") and not one.default for one in playbook.inputs.values()
    )  # the command takes labels alone
    odd = any(plain(value) != value or "`" in value or len(value) > _LONGEST for value in needed.values())
    if from_annotations or odd:
        return ""
    pairs = (shlex.quote(f"{label}={value}") for label, value in needed.items())
    return " ".join(["incidentd playbook run", playbook.name, *pairs, "--for", subject])


_LONGEST = 200


def _labels(playbook: Playbook) -> Iterator[str]:
    """Name the labels that the inputs, the target and the failure domain are taken from."""
    for one in playbook.inputs.values():
        where, _, label = one.source.partition(".")
        if where == "labels":
            yield label
    for template in (playbook.target, playbook.domain):
        for name in compile_template(template).variables():
            where, _, label = name.partition(".")
            if where == "labels":
                yield label

"""Targets that a playbook leaves alone: a hold or incident has one run of it, and its timeline names the others."""

from __future__ import annotations

from collections.abc import Sequence

from incidentd.engine.permission import actor_of
from incidentd.guards import effective_mode
from incidentd.playbooks import Mode, Playbook, scopes, walk
from incidentd.settings import Settings
from incidentd.store import Tx, chain, things
from incidentd.store.inbox import Changed
from incidentd.text import plain
from incidentd.timeline import Draft

_LOOKED_AT = 50
"""Alerts whose targets are looked at; of a storm nobody reads them all."""
_NAMED = 5


def say(tx: Tx, settings: Settings, *, subject: str, name: str, alerts: Sequence[Changed], joined: bool) -> None:
    """Name the targets of these alerts that no run of the playbook works on, and say why.

    What joined later is told only where there is a run: where there is none people were told before.
    """
    playbook = settings.playbooks.get(name)
    if playbook is None or not alerts:
        return
    runs = [run for run in things.runs_of(tx, subject) if run.playbook == name]
    mode = effective_mode(playbook, settings.automation.mode)
    if not runs and (joined or mode in (Mode.OFF, Mode.SUGGEST)):
        return
    taken = {run.target for run in runs}
    found = dict.fromkeys(_target(playbook, it) for it in alerts[:_LOOKED_AT])
    others = [target for target in found if target and target not in taken]
    if not others:
        return
    one = f"that is {runs[-1].key}, on {plain(runs[-1].target, 60)}" if runs else "it was tried for the first alert"
    text = (
        f"Playbook {name} leaves {_listed(others, more=len(alerts) > _LOOKED_AT)} alone: a hold or incident has one "
        f"run of it, and {one}. Look at them by hand, or run it there: "
        f"`incidentd playbook run {name} LABEL=VALUE ... --for {subject}`."
    )
    chain.append(tx, subject, actor_of(playbook), [Draft("run.left_alone", text, {"playbook": name})])


def _target(playbook: Playbook, it: Changed) -> str:
    """Give what a run for an alert would act on; '' when the playbook does not take it."""
    try:
        return walk.target_for(playbook, scopes.inputs_for(playbook, it.labels, it.annotations), it.labels)
    except scopes.NotRunnable:
        return ""


def _listed(targets: Sequence[str], *, more: bool) -> str:
    names = [plain(target, 60) for target in targets[:_NAMED]]
    return ", ".join(names) + (" and others" if more or len(targets) > _NAMED else "")

"""What the end of a run earns its playbook or costs it: a mode that goes further, or not so far."""

from __future__ import annotations

from incidentd.engine.permission import actor_of
from incidentd.playbooks import Run, standing
from incidentd.settings import Settings
from incidentd.store import Tx, chain, locks, switching
from incidentd.timeline import Draft


def earn(tx: Tx, settings: Settings, run: Run) -> None:
    """Promote or demote the playbook of a run that ended, and say so; a run of another version says nothing of it."""
    playbook = settings.playbooks.get(run.playbook)
    if playbook is None or playbook.sha256 != run.sha256:
        return
    locks.automation(tx)
    before = standing.begun(playbook, switching.standing(tx, playbook.name), tx.now)
    stands = standing.after(playbook, before, run.key, run.state, tx.now)
    if stands == before:
        return
    switching.save_standing(tx, stands)
    if stands.mode is before.mode:
        return
    change = "promoted" if standing.is_weaker(before.mode, stands.mode) else "demoted"
    data = {"playbook": playbook.name, "sha256": playbook.sha256, "from": before.mode.value, "to": stands.mode.value}
    said = Draft(f"playbook.{change}", f"Playbook {playbook.name} is {stands.why}.", data)
    chain.append(tx, run.subject, actor_of(playbook), [said])
    tx.count(lambda m: m.playbook_mode_changes_total.labels(playbook=playbook.name, change=change).inc())

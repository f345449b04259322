"""What the end of a run earns its playbook or costs it: a mode that goes further, or not so far."""

from __future__ import annotations

from incidentd.engine.permission import actor_of
from incidentd.playbooks import Playbook, Run, RunState, standing
from incidentd.store import Tx, chain, locks, switching
from incidentd.timeline import Draft

_SAYS_SOMETHING = frozenset({RunState.VERIFIED, RunState.VERIFY_FAILED})


def earn(tx: Tx, run: Run, playbook: Playbook) -> None:
    """Promote or demote the version of a playbook that a run was made from, whatever the files say by now."""
    if run.state not in _SAYS_SOMETHING or playbook.sha256 != run.sha256:
        return  # not even a lock is taken: whoever switches off holds it, and waits for the job that stops this run
    locks.automation(tx)
    before = standing.begun(playbook, switching.standing(tx, playbook.name, playbook.sha256), tx.now)
    stands = standing.after(playbook, before, run.key, run.state, tx.now)
    if stands == before:
        return
    switching.save_standing(tx, stands)
    if stands.mode is before.mode:
        return
    change = "promoted" if standing.is_weaker(before.mode, stands.mode) else "demoted"
    data = {"playbook": playbook.name, "sha256": playbook.sha256, "from": before.mode.value, "to": stands.mode.value}
    version = standing.short(playbook.sha256)
    text = f"Playbook {playbook.name} is {stands.why}. That is so of version {version} of its text alone."
    chain.append(tx, run.subject, actor_of(playbook), [Draft(f"playbook.{change}", text, data)])
    tx.count(lambda m: m.playbook_mode_changes_total.labels(playbook=playbook.name, change=change).inc())

"""Kill switches that are off, and how playbooks stand by their own runs."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Row, bindparam, delete, select

from incidentd.playbooks import Mode, Run
from incidentd.playbooks.standing import ALL, Standing, Switch
from incidentd.store.base import Tx, both, load
from incidentd.store.tables import automation_switch, playbook_run, version_standing

_SWITCHES = select(automation_switch)
_OFF = both(
    lambda insert: (new := insert(automation_switch)).on_conflict_do_update(
        index_elements=["playbook"], set_={name: new.excluded[name] for name in ("by", "via", "reason", "at")}
    )
)
_ON = delete(automation_switch).where(automation_switch.c.playbook == bindparam("of"))
_ACTIVE = select(playbook_run.c.body).where(playbook_run.c.active.is_(True)).order_by(playbook_run.c.id)
_ACTIVE_OF = _ACTIVE.where(playbook_run.c.playbook == bindparam("of"))
_PLAYBOOK_OF = select(playbook_run.c.playbook).where(playbook_run.c.id == bindparam("b_id"))
_STANDINGS = select(version_standing).order_by(version_standing.c.at.desc(), version_standing.c.sha256)
_STANDING = select(version_standing).where(
    version_standing.c.playbook == bindparam("of"), version_standing.c.sha256 == bindparam("version")
)
_STANDS = both(
    lambda insert: (new := insert(version_standing)).on_conflict_do_update(
        index_elements=["playbook", "sha256"],
        set_={name: new.excluded[name] for name in ("mode", "verified", "at", "why")},
    )
)


def switches(tx: Tx) -> dict[str, Switch]:
    """Read the switches that are off, by playbook; ALL is the one of every playbook."""
    return {
        row.playbook: Switch(playbook=row.playbook, by=row.by, via=row.via, reason=row.reason, at=row.at)
        for row in tx.conn.execute(_SWITCHES)
    }


def switch_off(tx: Tx, switch: Switch) -> None:
    """Switch off; what was said of one that is off already is replaced."""
    row = {
        "playbook": switch.playbook, "by": switch.by, "via": switch.via, "reason": switch.reason, "at": switch.at,
    }  # fmt: skip
    tx.conn.execute(_OFF[tx.dialect], row)


def switch_on(tx: Tx, playbook: str) -> bool:
    """Switch on; False when it was not off."""
    return tx.conn.execute(_ON, {"of": playbook}).rowcount == 1


def active_runs(tx: Tx, playbook: str) -> list[Run]:
    """List the runs that are at work, of a playbook or of ALL."""
    found = tx.conn.execute(_ACTIVE) if playbook == ALL else tx.conn.execute(_ACTIVE_OF, {"of": playbook})
    return [load(body, Run) for body in found.scalars()]


def playbook_of(tx: Tx, run_id: int) -> str:
    """Name the playbook of a run; '' when there is no such run."""
    return tx.conn.execute(_PLAYBOOK_OF, {"b_id": run_id}).scalar() or ""


def standings(tx: Tx) -> list[Standing]:
    """Read how every version of a playbook stands of which anything is known, the last to change first."""
    return [_standing(row) for row in tx.conn.execute(_STANDINGS)]


def standing(tx: Tx, playbook: str, sha256: str) -> Standing | None:
    """Read how a version of a playbook stands; whoever changes it has the lock of automation."""
    row = tx.conn.execute(_STANDING, {"of": playbook, "version": sha256}).one_or_none()
    return None if row is None else _standing(row)


def save_standing(tx: Tx, it: Standing) -> None:
    """Store how a version of a playbook stands."""
    row = {
        "playbook": it.playbook, "sha256": it.sha256, "mode": it.mode.value, "verified": it.verified, "at": it.at,
        "why": it.why,
    }  # fmt: skip
    tx.conn.execute(_STANDS[tx.dialect], row)


def _standing(row: Row[Any]) -> Standing:
    return Standing(
        playbook=row.playbook, sha256=row.sha256, mode=Mode(row.mode), verified=row.verified, at=row.at, why=row.why
    )

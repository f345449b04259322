"""Incidents that were declared before roles had a table of their own keep their roles."""

from __future__ import annotations

from dataclasses import replace
from importlib import import_module

from alembic.migration import MigrationContext
from alembic.operations import Operations
from sqlalchemy import delete, text

from incidentd.incidents import Incident, Status, Trigger
from incidentd.roles import Assignment, Role, assigned
from incidentd.store import Store, Tx, roles, subjects
from incidentd.store.tables import participant, role_assignment
from tests.store.conftest import NOW


def _declared(tx: Tx) -> Incident:
    first = Assignment(role=Role.INCIDENT_COMMANDER, person="ana", since=NOW, because="declared it")
    second = Assignment(role=Role.INCIDENT_COMMANDER, person="ben", since=NOW.replace(microsecond=7), by="ana")
    new = Incident(
        id=0, title="Down", status=Status.DECLARED, severity="sev1", declared_severity="sev1", peak_severity="sev1",
        urgency="urgent", trigger=Trigger.MANUAL, reason="Declared by ana.", impact_started_at=tx.now,
        detected_at=tx.now, declared_at=tx.now, declared_by="ana", roles=assigned((first,), second),
    )  # fmt: skip
    return subjects.insert_incident(tx, new)


def _migrated(tx: Tx) -> None:
    tx.conn.execute(delete(role_assignment))
    for table in (participant, role_assignment):
        tx.conn.execute(text(f"DROP TABLE {table.name}"))
    with Operations.context(MigrationContext.configure(tx.conn)):
        import_module("incidentd.store.migrations.versions.0010_roles").upgrade()


async def test_the_intervals_of_an_old_incident_are_written_down_once_more(store: Store) -> None:
    incident = await store.write(_declared)
    await store.write(_migrated)
    assert await store.read(roles.assignments, incident.id) == incident.roles
    await store.write(lambda tx: subjects.save_incident(tx, replace(incident, version=2)))
    assert await store.read(roles.assignments, incident.id) == incident.roles

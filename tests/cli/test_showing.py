"""How a playbook and a run are shown: the versions that stand otherwise than the one in the files."""

from __future__ import annotations

from typing import Any

from incidentd.cli import showing

PLAYBOOK: dict[str, Any] = {
    "id": "mend", "title": "Mend it", "at": "playbooks/mend.yaml:3", "version": "0123456789ab", "mode": "auto",
    "effective": "auto", "because": "", "verified": 2, "promote": None, "match": [], "rules": ["queue-lag"],
    "inputs": {}, "target": "host", "domain": "", "risk": "low",
    "safe_during_incident": False, "fleet": "", "steps": [], "rollback": [],
    "verify": None, "on_failure": "page", "runs": [],
    "limits": {
        "per_target": "1 in 1h", "total": "3 in 1h", "overall": "9 in 1h", "alert_age": "10m", "cool_down": "5m",
        "share": 10, "alerting": 30,
    },
    "other_versions": [{"version": "ba9876543210", "stands": "approve", "verified": 0, "why": "RUN-7 did not help"}],
}  # fmt: skip


def test_a_version_that_stands_otherwise_is_named_with_why() -> None:
    assert (
        "  elsewhere:   version ba9876543210 stands at approve, 0 runs in a row: RUN-7 did not help"
        in showing.playbook(PLAYBOOK)
    )
    assert not any("elsewhere" in line for line in showing.playbook({**PLAYBOOK, "other_versions": []}))


def test_what_may_begin_during_incidents_says_so() -> None:
    assert "  acts on:     host; risk low" in showing.playbook(PLAYBOOK)
    safe = {**PLAYBOOK, "safe_during_incident": True}
    assert "  acts on:     host; risk low; begins in incidents about its service, too" in showing.playbook(safe)


def test_a_run_says_how_the_version_stands_that_it_ran() -> None:
    run: dict[str, Any] = {
        "id": "RUN-7", "playbook": "mend", "target": "host", "subject": "HOLD-1", "state_text": "running", "reason": "",
        "waiting_for": None, "mode": "auto", "version": "0123456789ab", "version_stands": "approve",
        "version_because": "RUN-6 did not help", "state": "running", "started_at": "2026-11-24T14:00:00Z",
        "finished_at": None, "inputs": {}, "steps": [],
    }  # fmt: skip
    said = "  mode:        auto (version 0123456789ab, which stands at approve: RUN-6 did not help)"
    assert said in showing.run(run)
    assert "  mode:        auto (version 0123456789ab)" in showing.run({**run, "version_stands": None})

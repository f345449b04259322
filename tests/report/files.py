"""The operator's files of the year that reports are tried with."""

from __future__ import annotations

from pathlib import Path

from incidentd import config
from incidentd.settings import Settings

_PLAYBOOK = """
---
kind: playbook
name: {name}
title: Look at {name}
mode: {mode}
match: ['alertname="{alert}"']
inputs:
  instance: {{from: labels.instance, pattern: "[a-z0-9-]{{1,40}}"}}
target: "{{{{ inputs.instance }}}}"
risk: low
manual_minutes: 12
steps:
  - name: look
    note: looked
on_failure: note
"""
_PLAYBOOKS = (
    ("forgotten", "suggest", "NothingFiresThis"), ("never-run", "suggest", "NorThis"), ("in-use", "suggest", "NorThat"),
    ("switched-off", "off", "NotEvenThis"), ("shaky", "suggest", "Shaky"), ("solid", "suggest", "Solid"),
    ("has-one", "suggest", "HasPlaybook"),
)  # fmt: skip
_RULES = """kind: config
retention: {alerts: 400d}  # all that is written of the year is still there
---
kind: rules
rules:
  - {name: known-noise, match: ['alertname=~"Info.*"'], severity: sev4, decide: record}
  - {name: backlog, match: ['alertname=~"Todo.*|OldNews"'], severity: sev4, decide: ticket}
  - name: measured
    match: ['alertname="Measured"']
    when: [{promql: 'up', is: "> 5"}]
    severity: sev4
    decide: ticket
  - {name: queue-lag, match: ['alertname="QueueLag"'], severity: sev3, decide: hold,
     hold: {no_progress_after: 30m, hard_cap: 60m, quiet: 5m}}
  - {name: batch-lag, match: ['alertname="BatchLag"'], severity: sev3, decide: hold,
     hold: {no_progress_after: 20m, hard_cap: 60m, quiet: 5m}}
  - {name: steady-lag, match: ['alertname="SteadyLag"'], severity: sev3, decide: hold,
     hold: {no_progress_after: 30m, hard_cap: 60m, quiet: 5m}}
  - {name: everything-else, match: [], severity: sev3, decide: hold, page: default}
---
kind: people
people:
  ana: {name: Ana, time_zone: Europe/Madrid, channels: {}}
  ben: {name: Ben, time_zone: Europe/Madrid, channels: {}}
  cho: {name: Cho, time_zone: Asia/Seoul, channels: {}}
  dia: {name: Dia, time_zone: Asia/Seoul, channels: {}}
  eli: {name: Eli, time_zone: UTC, channels: {}}
  fay: {name: Fay, time_zone: UTC, channels: {}}
---
kind: schedules
schedules:
  busy:
    time_zone: UTC
    layers: [{name: primary, people: [ana, ben], turn: 1w, handoff: monday 09:00, from: 2025-06-02}]
  owls:
    time_zone: UTC
    layers: [{name: primary, people: [cho, dia], turn: 1w, handoff: monday 09:00, from: 2025-06-02}]
  brisk:
    time_zone: UTC
    layers: [{name: primary, people: [fay, ana], turn: 1w, handoff: monday 09:00, from: 2025-06-02}]
"""


def settings_in(folder: Path) -> Settings:
    """Write the files, and read them as a daemon does."""
    path = folder / "incidentd.yaml"
    playbooks = "".join(_PLAYBOOK.format(name=name, mode=mode, alert=alert) for name, mode, alert in _PLAYBOOKS)
    path.write_text(_RULES + playbooks)
    return config.load(path, env={})

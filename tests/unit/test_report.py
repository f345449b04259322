"""Single rules of the reports: what a year does not show."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from pathlib import Path

import pytest
import yaml

from incidentd import config
from incidentd.engine.reporting import next_time
from incidentd.incidents import Incident, Status, Trigger
from incidentd.report import Deed, History, Report, known_issue, report, writing
from incidentd.report.automating import same, skeleton
from incidentd.report.finding import Finding, Kind, median, p90
from incidentd.settings import ReportSettings, Settings

NOW = datetime(2026, 11, 24, 14, 0, tzinfo=UTC)
EVIL = (
    "{{ secrets }}",
    "{% raw %}",
    'quote " and \\',
    "line\nbreak: [x",
    "``` <script>",
    "#! &anchor *alias",
    "\x1b[31m",
)


def minutes(number: float) -> timedelta:
    return timedelta(minutes=number)


def resolved(number: int, resolution: str = "Deleted lock 17.", took: float = 20) -> Incident:
    at = NOW - timedelta(days=100 - number)
    return Incident(
        id=number, title="Down", status=Status.CLOSED, severity="sev3", declared_severity="sev3", peak_severity="sev3",
        urgency="urgent", trigger=Trigger.HOLD, reason="", impact_started_at=at, detected_at=at, declared_at=at,
        declared_by="incidentd", mitigated_at=at + minutes(took), resolution=resolution,
    )  # fmt: skip


def test_nothing_that_ever_happened_gives_nothing_to_improve() -> None:
    found = report(History(since=NOW - timedelta(days=30), until=NOW), Settings())
    assert (found.findings, found.tables) == ((), ())
    text = writing.to_markdown(found, "http://127.0.0.1:9720")
    assert "Nothing was found that needs a change." in text
    assert writing.message(found, "http://x")[0] == "Report on practice: 0 findings in 30d"


@pytest.mark.parametrize("alertname", ["QueueStuck", *EVIL, ""])
def test_a_skeleton_is_a_playbook_that_check_accepts_and_that_does_nothing(tmp_path: Path, alertname: str) -> None:
    deeds = [Deed(subject="INC-1", at=NOW, text=text) for text in ("restarted worker-3", *EVIL)]
    text = skeleton(alertname, deeds)
    assert not set("<>`") & set(text)
    path = tmp_path / "incidentd.yaml"
    path.write_text(f"kind: config\n---\n{text}")
    (playbook,) = config.load(path, env={}).playbooks.values()
    assert {step.kind for step in playbook.steps} == {"note"}
    assert len(playbook.steps) == len(deeds)
    written = yaml.safe_load(text)
    assert written["mode"] == "suggest"
    assert all("{{" not in step["note"] and "{%" not in step["note"] for step in written["steps"])


def test_steps_are_the_same_whatever_the_number_of_the_machine() -> None:
    assert same("Restarted  worker-3.") == same("restarted worker-17")
    assert same("restarted worker-3") != same("drained worker-3")


def test_a_page_is_told_what_fixed_it_the_last_three_times() -> None:
    known = known_issue([resolved(1), resolved(2), resolved(3, took=10), resolved(4, "deleted lock 9", took=75)])
    assert known is not None
    assert (known.times, known.always) == (4, "deleted lock 9")
    assert known.fixed[0] == "INC-4 (2026-08-20 14:00:00 UTC): deleted lock 9 (1h15m)"
    assert len(known.fixed) == 3


@pytest.mark.parametrize(
    "past",
    [
        [], [resolved(1, "")], [replace(resolved(1), status=Status.STOOD_DOWN)],
        [replace(resolved(1), mitigated_at=None)],
    ],
)  # fmt: skip
def test_nothing_is_known_of_what_nobody_said_what_fixed(past: list[Incident]) -> None:
    assert known_issue(past) is None


def test_two_times_are_not_always() -> None:
    known = known_issue([resolved(1), resolved(2)])
    assert known is not None
    assert (known.times, known.always) == (2, "")


def test_a_median_and_a_p90_are_of_what_there_is() -> None:
    times = [minutes(n) for n in range(1, 11)]
    assert (median(times), p90(times)) == (minutes(5.5), minutes(9))
    assert (median(times[:1]), p90(times[:1])) == (minutes(1), minutes(1))
    assert (median([]), p90([])) == (timedelta(0), timedelta(0))


def test_a_message_says_what_it_leaves_out() -> None:
    its = tuple(
        Finding(kind=Kind.NOISY, about=f"A{n}", why=("night",), says="x.", evidence=(), propose="y.") for n in range(45)
    )
    found = Report(
        since=NOW - timedelta(days=7), until=NOW, pages=1, holds=0, incidents=0, findings=its, tables=(),
        cut=("pages: only the newest 20000",),
    )  # fmt: skip
    title, body = writing.message(found, "https://incidentd.example.org")
    assert title == "Report on practice: 45 findings in 7d"
    assert "5 more are in the whole report." in body
    assert body.endswith("All of it: https://incidentd.example.org/report?since=7d")
    assert "There was more than is read: pages: only the newest 20000." in writing.to_markdown(found, "")


@pytest.mark.parametrize(
    ("now", "due"),
    [
        ("2026-11-24T14:00+00:00", "2026-11-30T07:00+00:00"),  # a Tuesday: next Monday, 08:00 in Madrid
        ("2026-11-30T06:59+00:00", "2026-11-30T07:00+00:00"),
        ("2026-11-30T07:00+00:00", "2026-12-07T07:00+00:00"),
        ("2026-03-25T12:00+00:00", "2026-03-30T06:00+00:00"),  # the clock was changed in between
    ],
)
def test_a_week_is_counted_by_the_clock_on_the_wall(now: str, due: str) -> None:
    wanted = ReportSettings(channels=("mail",), weekday=0, at=time(8), time_zone="Europe/Madrid")
    assert next_time(wanted, datetime.fromisoformat(now)) == datetime.fromisoformat(due)

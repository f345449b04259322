"""When what did not work is tried again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from incidentd.engine.waits import next_try
from incidentd.errors import TemporaryError
from incidentd.store.jobs import Job

NOW = datetime(2026, 11, 24, 14, 7, tzinfo=UTC)


def job(attempt: int, purpose: str = "update", untried: int = 0) -> Job:
    return Job(
        id=1, queue="notify", kind="message", subject="INC-1", ukey="k", due_at=NOW, attempt=attempt, give_up_at=None,
        leased_by="me", payload={"purpose": purpose, "untried": untried}, created_at=NOW,
    )  # fmt: skip


def waits(it: Job, error: TemporaryError | None = None) -> list[float]:
    return [(next_try(it, NOW, error) - NOW).total_seconds() for _ in range(300)]


@pytest.mark.parametrize(
    ("attempt", "purpose", "most"),
    [(1, "update", 2), (3, "update", 8), (9, "update", 300), (10_000, "update", 300), (10_000, "page", 60)],
)
def test_waits_grow_are_capped_and_spread_over_all_of_their_time(attempt: int, purpose: str, most: float) -> None:
    found = waits(job(attempt, purpose))
    assert min(found) >= 1
    assert most * 0.7 < max(found) <= most
    assert min(found) < max(most * 0.3, 1.01)


def test_tries_that_nobody_made_do_not_make_the_wait_longer() -> None:
    assert max(waits(job(9, untried=8))) <= 2


def test_a_servers_wish_is_never_undercut_and_capped() -> None:
    assert min(waits(job(1), TemporaryError("429", retry_after=timedelta(minutes=2)))) == 120
    assert max(waits(job(1), TemporaryError("429", retry_after=timedelta(days=9)))) == 900


def test_what_the_door_let_wait_comes_when_it_said_and_not_all_at_once() -> None:
    found = waits(job(9), TemporaryError("wait", retry_after=timedelta(seconds=40), tried=False))
    assert 40 <= min(found) < max(found) <= 41

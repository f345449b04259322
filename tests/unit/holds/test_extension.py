"""More time that people gave a hold stays given, whatever happens later; and no wait ends after the cap."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from incidentd import holds
from tests.unit.holds.course import MINUTE, START, Course


def extended(minute: float, by: float, firing: int = 1) -> Course:
    return Course(firing).at(minute).do(
        holds.extend, by="ana", approver="ben", reason="the disk is being copied", length=by * MINUTE
    )  # fmt: skip


def fewer(course: Course) -> Course:
    return course.fires(5)


def healed(course: Course) -> Course:
    return course.do(holds.playbook_finished, playbook="drain", verified=True, why="")


@pytest.mark.parametrize("progress", [fewer, healed])
def test_progress_takes_back_nothing_of_an_extension(progress: Callable[[Course], Course]) -> None:
    course = extended(5, 60, firing=10)
    assert course.deadline == 90

    assert progress(course.at(10)).deadline == 90
    assert course.words("hold.progress")[0].endswith("Declares at 15:30:00 UTC unless there is more.")


def test_progress_late_in_an_extension_restarts_the_wait_up_to_the_cap() -> None:
    assert fewer(extended(5, 60, firing=10).at(70)).deadline == 100
    assert fewer(extended(5, 60, firing=10).at(85)).deadline == 115
    late = fewer(extended(5, 30, firing=10).at(50)).at(70).do(holds.note_progress, by="ana", text="half of it")
    assert late.hold.deadline_at == late.hold.cap_at == START + 90 * MINUTE


def test_a_return_takes_back_nothing_of_an_extension_and_gives_nothing_back_beyond_it() -> None:
    course = extended(5, 30).at(10).fires(0).at(14).fires(1, refired=1)  # 50 minutes were left

    assert (course.deadline, course.hold.cap_at) == (64, START + 94 * MINUTE)


def test_what_was_doubted_goes_on_with_its_extension() -> None:
    course = extended(5, 30).at(10).fires(0).at(14).do(holds.resolves_doubted, firing=1)

    assert course.deadline == 64


def test_without_an_extension_a_return_waits_no_longer_than_the_rule_says() -> None:
    course = Course().at(1).fires(0).at(5).fires(1, refired=1)  # 29 minutes were left, and half of the 4 quiet ones

    assert course.deadline == 35

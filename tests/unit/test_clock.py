"""The one clock: true time since the start, whatever is done to the machine's."""

from datetime import UTC, datetime, timedelta

import pytest

from incidentd.app import clock as module
from incidentd.app.clock import Clock

START = datetime(2026, 11, 24, 14, 0, tzinfo=UTC)


class Machine:
    """A machine's two clocks, in the place of the real ones."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.passed = 1000.0
        self.wall = START
        machine = self

        class Wall(datetime):
            @classmethod
            def now(cls, tz: object = None) -> datetime:  # type: ignore[override]  # all that is asked of it
                return machine.wall

        patch.setattr(module, "datetime", Wall)
        patch.setattr(module, "_passed", lambda: self.passed)

    def wait(self, seconds: float) -> None:
        self.passed += seconds
        self.wall += timedelta(seconds=seconds)


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    return Machine(monkeypatch)


@pytest.mark.parametrize("jump", [timedelta(hours=2), timedelta(hours=-2)])
def test_a_clock_that_is_set_moves_a_minute_by_hundredths_of_a_second(machine: Machine, jump: timedelta) -> None:
    clock = Clock()
    machine.wall += jump
    for _ in range(600):
        machine.wait(0.1)
        clock()

    assert abs(clock() - START - timedelta(seconds=60)) < timedelta(milliseconds=20)
    assert abs(clock.ahead() - jump) < timedelta(milliseconds=20)


@pytest.mark.parametrize("seconds", [3, -3])
def test_a_small_correction_is_taken_over_within_the_day(machine: Machine, seconds: int) -> None:
    clock = Clock()
    machine.wall += timedelta(seconds=seconds)
    before = clock()
    for _ in range(8 * 60):
        machine.wait(60)
        assert clock() > before
        before = clock()

    assert clock() == machine.wall


def test_time_never_goes_back_however_often_it_is_asked(machine: Machine) -> None:
    clock = Clock()
    machine.wall -= timedelta(hours=1)
    told = []
    for _ in range(5000):
        machine.passed += 0.001
        told.append(clock())

    assert told == sorted(told)

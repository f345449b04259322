"""When a channel may be tried: circuit, rate, the server's wish, and second tries."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incidentd.notify.gate import FIRST_PROBE, LONGEST_PROBE, OF_THE_LAST, PAGES_EVERY, Gate, Wait, Why
from incidentd.oncall import Rate


def fails(gate: Gate, now: float, times: int = 1, *, page: bool = False) -> None:
    for _ in range(times):
        assert gate.ask(now, page=page, again=False) is None
        gate.failed(now)


def opened(now: float = 0) -> Gate:
    gate = Gate(None)
    fails(gate, now, 5)
    return gate


def test_five_failures_in_a_row_open_it_and_four_do_not() -> None:
    gate = Gate(None)
    opens = []
    for _ in range(5):
        fails(gate, 0)
        opens.append(gate.is_open)
    assert opens == [False] * 4 + [True]
    assert gate.ask(1, page=False, again=False) == Wait(FIRST_PROBE - 1, Why.CIRCUIT)


def test_half_of_the_last_twenty_open_it_though_none_follow_each_other() -> None:
    gate = Gate(None)
    for _ in range(OF_THE_LAST // 2):
        assert not gate.is_open
        assert gate.ask(0, page=False, again=False) is None
        gate.took()
        fails(gate, 0)
    assert gate.is_open


def test_one_probe_at_a_time_decides_whether_it_closes() -> None:
    gate = opened()
    assert gate.ask(FIRST_PROBE, page=False, again=False) is None
    assert gate.ask(FIRST_PROBE, page=False, again=False) is not None
    gate.took()
    assert not gate.is_open
    assert gate.ask(FIRST_PROBE, page=False, again=False) is None


def test_each_probe_that_fails_doubles_the_wait_up_to_five_minutes() -> None:
    gate, now, waits = opened(), 0.0, []
    for _ in range(7):
        wait = gate.ask(now, page=False, again=False)
        assert wait is not None
        waits.append(wait.seconds)
        now += wait.seconds
        assert gate.ask(now, page=False, again=False) is None
        gate.failed(now)
    assert waits == [15, 30, 60, 120, 240, LONGEST_PROBE, LONGEST_PROBE]


def test_a_page_passes_an_open_circuit_once_a_minute() -> None:
    gate, now = opened(), 0.0
    for _ in range(8):  # until the probe's wait is far longer than that
        now += LONGEST_PROBE
        fails(gate, now)
    assert gate.ask(now + PAGES_EVERY - 1, page=True, again=True) == Wait(1, Why.CIRCUIT)
    assert gate.ask(now + PAGES_EVERY, page=False, again=False) is not None
    assert gate.ask(now + PAGES_EVERY, page=True, again=True) is None
    assert gate.ask(now + PAGES_EVERY, page=True, again=True) is not None


@pytest.mark.parametrize(("wish", "waits"), [(30.0, 30.0), (1e9, 900.0)])
def test_what_a_server_asks_for_holds_for_every_message_and_at_most_a_quarter_of_an_hour(
    wish: float, waits: float
) -> None:
    gate = Gate(None)
    assert gate.ask(0, page=True, again=False) is None
    gate.failed(0, timedelta(seconds=wish))
    assert gate.ask(0, page=True, again=False) == Wait(waits, Why.ASKED)
    assert gate.ask(waits, page=True, again=False) is None


def test_a_channel_sends_no_more_than_its_rate_in_any_window() -> None:
    gate = Gate(Rate(most=2, window=timedelta(seconds=60)))
    assert [gate.ask(at, page=True, again=False) for at in (0, 10)] == [None, None]
    assert gate.ask(20, page=True, again=False) == Wait(40, Why.RATE)
    assert gate.ask(60, page=True, again=False) is None
    assert gate.ask(60, page=True, again=False) == Wait(10, Why.RATE)


def test_messages_are_tried_again_only_as_often_as_their_channel_earned_and_pages_always() -> None:
    gate = Gate(None)
    for _ in range(10):
        assert gate.ask(0, page=False, again=True) is None
        gate.took()
    assert gate.ask(0, page=False, again=True) == Wait(60, Why.RETRIES)
    assert gate.ask(0, page=True, again=True) is None
    for _ in range(5):
        assert gate.ask(0, page=False, again=False) is None
    assert gate.ask(0, page=False, again=True) is None
    assert gate.ask(0, page=False, again=True) is not None
    assert gate.ask(60, page=False, again=True) is None


@given(st.lists(st.tuples(st.floats(0, 400), st.booleans(), st.booleans()), max_size=60))
def test_whatever_happens_who_waits_as_long_as_it_is_told_gets_in(history: list[tuple[float, bool, bool]]) -> None:
    gate, now = Gate(Rate(most=3, window=timedelta(seconds=30))), 0.0
    for passes, took, page in history:
        now += passes
        if gate.ask(now, page=page, again=False) is None:
            if took:
                gate.took()
            else:
                gate.failed(now)
    waits = 0
    while (wait := gate.ask(now, page=True, again=True)) is not None:
        now += wait.seconds + 0.001
        waits += 1
        assert waits < 5, wait  # one reason after the other

"""Webhook bodies made values, and what they change in what is known."""

import contextlib
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incidentd.alerts import (
    Alert,
    AlertStatus,
    Change,
    Known,
    check_body,
    fingerprint_of,
    merge,
    parse_group,
    parse_time,
)
from incidentd.errors import BodyRefused

DATA = Path(__file__).parent.parent / "data" / "payloads"
SYNTHETIC = json.loads((DATA / "synthetic" / "index.json").read_text())
NOW = datetime(2026, 11, 24, 14, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
REPLACED = ("invalid_utf8_posted", "control_characters")
"""Their fingerprints were computed over characters that Alertmanager, or we, replaced."""


def verdict(body: bytes) -> str:
    try:
        check_body(body)
        return "quarantine-alert-2xx" if parse_group(body).rejected else "accept-2xx"
    except BodyRefused:
        return "refuse-400"


@pytest.mark.parametrize("case", SYNTHETIC, ids=lambda case: Path(case["file"]).stem)
def test_a_body_written_by_hand_gets_the_verdict_that_its_index_says(case: dict[str, str]) -> None:
    assert verdict((DATA / case["file"]).read_bytes()) == case["expect"], case["why"]


def test_our_fingerprint_is_the_one_that_alertmanager_computes() -> None:
    differ = [
        (path, alert.fingerprint)
        for path in sorted(DATA.glob("[!s]*/*.json"))
        for alert in parse_group(path.read_bytes()).alerts
        if path.parent.name not in REPLACED and fingerprint_of(alert.labels) != alert.fingerprint
    ]

    assert differ == []


def test_the_receiver_comes_without_the_quoting_for_regexes() -> None:
    body = (DATA / "receiver_name_quoted" / "001.json").read_bytes()

    assert parse_group(body).receiver == "team.payments/sre (prod)"


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("2026-11-20T10:00:00.123456789Z", datetime(2026, 11, 20, 10, 0, 0, 123456, tzinfo=UTC)),
        ("2026-11-20T10:00:00+05:30", datetime(2026, 11, 20, 4, 30, tzinfo=UTC)),
        ("2099-12-31T23:59:59Z", datetime(2099, 12, 31, 23, 59, 59, tzinfo=UTC)),
        ("1970-01-01T00:00:00Z", datetime(1970, 1, 1, tzinfo=UTC)),
        ("0001-01-01T00:00:00Z", None),
        ("", None),
    ],
)
def test_a_time_is_read_with_any_offset_and_nine_digits(text: str, read: datetime | None) -> None:
    assert parse_time(text) == read


@pytest.mark.parametrize("text", ["yesterday", "2026-13-01T00:00:00Z", "9999-12-31T23:59:59-12:00", "2026-11-20"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a time"):
        parse_time(text)


@given(
    st.binary(max_size=200)
    | st.text(alphabet='{}[]":,alerts0ue\\u\ud800', max_size=60).map(lambda s: s.encode("utf-8", "surrogatepass"))
)
def test_no_bytes_raise_anything_but_the_one_error(body: bytes) -> None:
    with contextlib.suppress(BodyRefused):
        parse_group(body)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(["status", "labels", "startsAt", "fingerprint", "x"]), inner, max_size=4)
        ),
        max_leaves=12,
    )
)
def test_an_alert_of_any_shape_is_kept_or_rejected_alone(alert: object) -> None:
    good = {"status": "firing", "labels": {"alertname": "A"}, "startsAt": "2026-11-20T10:00:00Z"}
    group = parse_group(json.dumps({"alerts": [good, alert]}).encode())

    assert len(group.alerts) + len(group.rejected) == 2
    assert group.alerts[0].labels == {"alertname": "A"}


# -- merging ---------------------------------------------------------------------------------------------------------


def an(status: AlertStatus, starts: datetime, ends: datetime | None = None) -> Alert:
    return Alert(fingerprint="f", status=status, labels={}, annotations={}, starts_at=starts, ends_at=ends)


FIRING = Known(status=AlertStatus.FIRING, starts_at=NOW, ends_at=None)
RESOLVED = Known(status=AlertStatus.RESOLVED, starts_at=NOW, ends_at=NOW + MINUTE)
LONG_RESOLVED = Known(status=AlertStatus.RESOLVED, starts_at=NOW - 30 * MINUTE, ends_at=NOW - 20 * MINUTE)
SUPPRESSED = Known(status=AlertStatus.SUPPRESSED, starts_at=NOW, ends_at=None)
UNKNOWN = Known(status=AlertStatus.UNKNOWN, starts_at=NOW, ends_at=NOW + MINUTE)


@pytest.mark.parametrize(
    ("known", "alert", "change"),
    [
        (None, an(AlertStatus.FIRING, NOW), Change.FIRED),
        (None, an(AlertStatus.RESOLVED, NOW, NOW + MINUTE), Change.UNSEEN),
        (FIRING, an(AlertStatus.FIRING, NOW), Change.REPEAT),
        (FIRING, an(AlertStatus.FIRING, NOW + MINUTE), Change.REFIRED),
        (FIRING, an(AlertStatus.FIRING, NOW + timedelta(seconds=1)), Change.REFIRED),
        (FIRING, an(AlertStatus.FIRING, NOW + timedelta(microseconds=999_999)), Change.REPEAT),
        (FIRING, an(AlertStatus.FIRING, NOW - MINUTE), Change.CORRECTED),
        (FIRING, an(AlertStatus.RESOLVED, NOW, NOW + MINUTE), Change.RESOLVED),
        (FIRING, an(AlertStatus.RESOLVED, NOW - 2 * MINUTE, NOW - MINUTE), Change.REPEAT),
        (RESOLVED, an(AlertStatus.RESOLVED, NOW, NOW + MINUTE), Change.REPEAT),
        (RESOLVED, an(AlertStatus.FIRING, NOW), Change.ECHO),
        (RESOLVED, an(AlertStatus.FIRING, NOW + 2 * MINUTE), Change.FIRED),
        (LONG_RESOLVED, an(AlertStatus.FIRING, NOW - 30 * MINUTE), Change.FIRED),
        (SUPPRESSED, an(AlertStatus.FIRING, NOW), Change.CONFIRMED),
        (SUPPRESSED, an(AlertStatus.RESOLVED, NOW, NOW + MINUTE), Change.RESOLVED),
        (UNKNOWN, an(AlertStatus.FIRING, NOW), Change.CONFIRMED),
        (UNKNOWN, an(AlertStatus.RESOLVED, NOW, NOW + MINUTE), Change.REPEAT),
        (UNKNOWN, an(AlertStatus.RESOLVED, NOW, NOW + 2 * MINUTE), Change.RESOLVED),
    ],
)
def test_a_body_changes_what_is_known_or_is_a_repeat(known: Known | None, alert: Alert, change: Change) -> None:
    assert merge(known, alert, NOW + 5 * MINUTE)[1] is change


def test_a_start_that_is_only_told_more_exactly_leaves_what_is_known() -> None:
    told = an(AlertStatus.FIRING, NOW + timedelta(microseconds=426))
    assert merge(FIRING, told, NOW + 5 * MINUTE) == (FIRING, Change.REPEAT)


GOOD = b'{"status":"firing","labels":{"alertname":"A"},"startsAt":"2026-11-20T10:00:00Z"}'


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{"alerts":[' + GOOD + b'],"alerts":[]}', "refuse-400"),
        (b'{"alerts":[' + GOOD + b',{"status":"firing","labels":{"a":"1","a":"2"}}]}', "quarantine-alert-2xx"),
        (b'{"alerts":[' + GOOD + b',{"status":"firing","status":"resolved","labels":{}}]}', "quarantine-alert-2xx"),
        (b'{"alerts":[' + GOOD + b'],"x":' + b"1" * 4301 + b"}", "refuse-400"),
        (b'{"alerts":[' + GOOD + b'],"x":"' + b"1" * 4299 + b'"}', "accept-2xx"),
        (b'{"alerts":[' + GOOD + b'],"x":"\\ud83d\\ude00"}', "accept-2xx"),
        (b'{"alerts":[' + GOOD + b'],"x":' + b"[" * 100_000, "refuse-400"),
        (b'{"alerts":[' + GOOD.replace(b'"A"', b'"A\\u0000B"') + b"]}", "accept-2xx"),
        (b'{"alerts":[' + GOOD + b'],"x":Infinity}', "refuse-400"),
    ],
)
def test_t11_odd_json_is_refused_or_loses_only_its_bad_alert(body: bytes, expected: str) -> None:
    assert verdict(body) == expected


def test_control_characters_are_replaced_and_a_too_long_value_is_cut_with_a_mark() -> None:
    labels = {"alertname": "A\x00B\x1b[31m", "long": "x" * 70_000}
    group = parse_group(json.dumps({"alerts": [{"status": "firing", "labels": labels}]}).encode())

    assert group.alerts[0].labels["alertname"] == "A\N{REPLACEMENT CHARACTER}B\N{REPLACEMENT CHARACTER}[31m"
    assert len(group.alerts[0].labels["long"]) == 65_537


ODD = st.sampled_from(
    ["a", "", 'b"c', "d\\", '\\"', "é", "e\nf", "\x07", "firing", "2026-11-24T14:07:00Z", "x" * 70_000]
)
PAIRS = st.lists(st.tuples(ODD, ODD), max_size=4)
FIELDS = st.lists(
    st.tuples(
        st.sampled_from(["status", "labels", "annotations", "startsAt", "generatorURL", "fingerprint", "values"]),
        st.one_of(ODD, PAIRS, st.none(), st.just({"a": "b"}), st.integers()),
    ),
    max_size=6,
)


def as_json(value: object) -> str:
    if isinstance(value, list):
        return "{" + ",".join(f"{json.dumps(name)}:{as_json(it)}" for name, it in value) + "}"
    return json.dumps(value)


@given(fields=FIELDS)
def test_the_quick_way_of_reading_an_alert_gives_what_the_thorough_one_gives(fields: list[tuple[str, object]]) -> None:
    body = f'{{"alerts":[{as_json([("status", "firing"), ("labels", [("alertname", "A")]), *fields])}]}}'.encode()
    quick = parse_group(body)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("incidentd.alerts._is_all", lambda raw, strings: False)
        patched.setattr("incidentd.alerts._is_clean", lambda value: False)
        assert parse_group(body) == quick


@pytest.mark.parametrize(
    "alert",
    [
        '{"status":"firing","labels":{"alertname":"A","alertname":"B"}}',
        '{"status":"firing","labels":{"alertname":"A"},"labels":{"alertname":"B"}}',
        '{"status":"firing","status":"resolved","labels":{"alertname":"A"}}',
        '{"status":"firing","labels":{"alertname":"A","x":"\\"","x":"\\\\"}}',
        '{"status":"firing","labels":{"alertname":"A"},"extra":1,"extra":2}',
    ],
)
def test_an_alert_in_which_a_key_stands_twice_is_rejected_alone(alert: str) -> None:
    group = parse_group(f'{{"alerts":[{alert},{{"status":"firing","labels":{{"alertname":"C"}}}}]}}'.encode())

    assert [rejected.reason.endswith("stands twice in one object") for rejected in group.rejected] == [True]
    assert len(group.alerts) == 1

"""Routes of communication: which incidents go where, and which kinds of entries are posted."""

from datetime import UTC, datetime

import pytest

from incidentd.communication import CommunicationSettings, Route, can_take
from incidentd.incidents import Incident, Status, Trigger
from incidentd.matchers import parse_matcher

NOW = datetime(2026, 11, 24, 14, 7, tzinfo=UTC)


def incident(*teams: str, severity: str = "sev1", rule: str = "money", drill: bool = False) -> Incident:
    return Incident(
        id=1, title="it is slow", status=Status.DECLARED, severity=severity, declared_severity=severity,
        peak_severity=severity, urgency="urgent", trigger=Trigger.RULE, reason="money", rule=rule, service="checkout",
        teams=teams, drill=drill, impact_started_at=NOW, detected_at=NOW, declared_at=NOW, declared_by="rule money",
    )  # fmt: skip


def route(*match: str) -> Route:
    return Route(channels=("ops",), match=tuple(parse_matcher(text) for text in match))


@pytest.mark.parametrize(
    ("match", "about", "takes"),
    [
        ((), incident(), True),
        ((), incident(drill=True), False),
        (("drill=true",), incident(drill=True), True),
        (("drill=true",), incident(), False),
        (('drill=~".*"',), incident(drill=True), True),
        (("team=search",), incident("payments", "search"), True),
        (("team=search",), incident("payments"), False),
        (("team=search",), incident(), False),
        (('team=""',), incident(), True),
        (("team!=search",), incident("payments", "search"), True),
        (("team!=search",), incident("search"), False),
        (("severity=~sev1|sev2", "rule!=money"), incident(), False),
        (("severity=~sev1|sev2", "service=checkout"), incident(), True),
    ],
)
def test_a_route_takes_what_meets_all_of_its_matchers(match: tuple[str, ...], about: Incident, *, takes: bool) -> None:
    assert route(*match).takes(about) is takes


def test_each_channel_is_named_once_in_the_order_of_the_routes() -> None:
    plan = CommunicationSettings(
        routes=(Route(channels=("b", "a")), Route(channels=("a", "c")), route("severity=sev4"))
    )
    assert plan.channels_of(incident()) == ("b", "a", "c")


def test_what_comes_from_posting_is_never_posted() -> None:
    everything = CommunicationSettings(entries=("channel.*", "note", "page.*"))
    assert [it for it in ("channel.posted", "channel.added", "note", "notes", "page.sent") if everything.posts(it)] == [
        "note", "page.sent",
    ]  # fmt: skip
    plan = CommunicationSettings()
    for kind in ("page.sent", "copied", "hold.clock", "run.step", "channel.failed"):
        assert not plan.posts(kind)
    for kind in ("incident.resolved", "note", "hypothesis.refuted", "handover.accepted", "role.assigned"):
        assert plan.posts(kind)


def test_matchers_on_one_field_have_to_agree_on_a_value() -> None:
    both = [parse_matcher('severity=~"sev1|sev2"'), parse_matcher("severity!=sev1")]
    assert can_take(both, "severity", ["sev1", "sev2"])
    assert not can_take(both, "severity", ["sev1", "sev3"])
    assert can_take(both, "rule", [])

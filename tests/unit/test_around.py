"""Where to look, and past incidents that are like one: the pure part."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incidentd.document import alike, query_link, render, span_of, within
from incidentd.document.alike import MOST
from incidentd.incidents import Merge, StandDown, Status
from incidentd.rules import CATCH_ALL
from tests.unit import incident_facts as story

IT = story.STORY.incident
OVER = span_of(IT, IT.declared_at)
LIVE = span_of(story.live().incident, IT.declared_at + timedelta(minutes=100))
START = round(OVER.start.timestamp() * 1000)


def test_the_time_begins_before_the_impact_and_ends_after_the_end() -> None:
    assert OVER.start == IT.impact_started_at - timedelta(minutes=30)
    assert OVER.end is not None
    assert OVER.end == (IT.resolved_at or IT.declared_at) + timedelta(minutes=30)
    assert LIVE.end is None


@pytest.mark.parametrize(
    ("url", "live"),
    [
        ("https://g.example.org/d/abc/queues", f"?from={START}&to=now"),
        ("https://g.example.org/grafana/d-solo/abc/queues?orgId=1", f"?orgId=1&from={START}&to=now"),
        ("https://g.example.org/d/abc?from=now-1h&to=now", "?from=now-1h&to=now"),
        ("http://p:9090/graph?g0.expr=up+%3D%3D+0&g0.tab=1", "?g0.expr=up%20%3D%3D%200&g0.tab=1&g0.range_input=4h"),
        ("http://p:9090/query?g0.expr=up&g0.range_input=1w", "?g0.expr=up&g0.range_input=1w"),
        ("https://wiki.example.org/graph?page=1", "?page=1"),
        ("https://wiki.example.org/x", ""),
    ],
)
def test_a_link_that_can_show_a_time_shows_the_incidents(url: str, live: str) -> None:
    assert within(url, LIVE) == url.partition("?")[0] + live


def test_a_link_to_a_query_ends_where_the_incident_ended() -> None:
    assert OVER.end is not None
    found = query_link("http://p:9090/", 'max(lag{queue="a b"}) > 3', OVER)
    end = OVER.end.strftime("%Y-%m-%d%%20%H%%3A%M%%3A%S")
    assert found.startswith(
        "http://p:9090/graph?g0.expr=max%28lag%7Bqueue%3D%22a%20b%22%7D%29%20%3E%203&g0.range_input="
    )
    assert found.endswith(f"h&g0.end_input={end}")


@given(st.text(max_size=200) | st.from_regex(r"http://[^ ]{0,20}/(d/|graph\?g0\.expr=).{0,40}", fullmatch=True))
def test_no_link_breaks_it(url: str) -> None:
    within(url, OVER)
    within("http://[" + url, LIVE)


def test_the_most_alike_come_first_with_why_and_others_not_at_all() -> None:
    it = replace(IT, id=50, rule="queue-lag", correlation_key="k", service="mail", title="Mail queue grows")
    none = replace(it, rule="", correlation_key="", service="", title="Other")
    past = [
        replace(none, id=1, correlation_key="k"),
        replace(none, id=2, rule="queue-lag", service="mail"),
        replace(none, id=3, service="mail"),
        replace(none, id=4),
        replace(it, id=5, status=Status.MERGED, merge=Merge(into=1, at=IT.declared_at, by="ana", was=Status.DECLARED)),
        replace(it, id=6, drill=True),
        replace(none, id=7),
        it,
    ]
    found = alike(it, past, {"INC-7": 2})
    assert [(one.incident.id, one.why) for one in found] == [
        (1, ("the same correlation",)),
        (7, ("2 alerts in common",)),
        (2, ("the same rule", "the same service")),
    ]
    assert len(alike(it, [replace(it, id=number) for number in range(20)], {})) == MOST


def test_the_rule_that_takes_everything_makes_nothing_alike() -> None:
    it = replace(IT, id=50, rule=CATCH_ALL.name, correlation_key="a", title="A", service="")
    assert alike(it, [replace(it, id=1, correlation_key="b", title="B")], {}) == ()


def test_what_fixed_them_stands_in_the_document_and_nothing_of_it_gets_out_of_its_place() -> None:
    evil = "restarted | <b>x</b> [a](javascript:1)\n# head"
    past = replace(IT, id=3, resolution=evil, cause="leak", stand_down=None)
    none = replace(IT, id=2, stand_down=StandDown.FALSE_POSITIVE)
    it = replace(story.STORY, alike=alike(replace(IT, id=50), [past, none], {}))
    page = render(it)
    [row] = [line for line in page.splitlines() if line.startswith("| INC-3 ")]
    assert r"Cause: leak. restarted \| &lt;b&gt;x&lt;/b&gt; \[a\]\(javascript:1\) \# head." in row
    assert "stood down: false positive" in page

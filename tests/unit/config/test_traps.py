"""The traps in an Alertmanager's configuration, each with what to write instead."""

from __future__ import annotations

from datetime import timedelta

import pytest

from incidentd.config.traps import group_interval, traps

GOOD = """
route:
  receiver: chat
  group_by: [alertname]
  routes:
    - receiver: incidentd
      matchers: ['severity="critical"']
      group_wait: 5s
      group_interval: 30s
      repeat_interval: 10m
receivers:
  - name: chat
    webhook_configs: [{url: "http://chat/hook"}]
  - name: incidentd
    webhook_configs: [{url: "http://incidentd:9720/api/v1/alertmanager/prod", send_resolved: true, max_alerts: 0}]
"""
ROUTE = "    - receiver: incidentd\n"


def test_good_settings_hold_no_trap() -> None:
    assert traps(GOOD) == []


@pytest.mark.parametrize(
    ("old", "new", "says", "instead"),
    [
        ("group_wait: 5s", "group_wait: 30s", "`group_wait` is 30s", "`group_wait: 10s` or less"),
        ("group_interval: 30s", "group_interval: 5m", "`group_interval` is 5m", "`group_interval: 1m` or less"),
        ("repeat_interval: 10m", "repeat_interval: 4h", "`repeat_interval` is 4h", "`repeat_interval: 15m` or less"),
        ("repeat_interval: 10m", "repeat_interval: 10s", "shorter than `group_interval`", "`group_interval: 10s`"),
        ("      group_wait: 5s\n", "", "`group_wait` is 30s", "10s"),
        ("send_resolved: true", "send_resolved: false", "never hears that anything is over", "send_resolved: true"),
        ("max_alerts: 0", "max_alerts: 10", "`max_alerts: 10` cuts groups", "`max_alerts: 0`"),
        ("max_alerts: 0", "timeout: 1s", "`timeout: 1s` gives up", "`timeout: 10s`"),
        ("[alertname]", "['...']", "every alert a delivery of its own", "group_by: [alertname"),
        (ROUTE, "    - receiver: chat\n", "no route leads to it", "add a route with this receiver"),
        (ROUTE, "    - {receiver: chat}\n" + ROUTE, "it is never reached: route > 1 (chat)", "put it before"),
        (ROUTE, ROUTE + "      mute_time_intervals: [nights]\n", "nights mute by time", "give `alertmanager`"),
        (
            ROUTE, "    - {receiver: incidentd, group_wait: 5s, group_interval: 30s, repeat_interval: 10m, "
            "continue: true, matchers: ['a=\"b\"']}\n" + ROUTE, "tell incidentd of the same alerts once more", "once",
        ),
    ],
)  # fmt: skip
def test_each_trap_is_named_with_what_to_write_instead(old: str, new: str, says: str, instead: str) -> None:
    [trap] = traps(GOOD.replace(old, new, 1))

    assert says in trap.message
    assert instead in trap.instead


def test_a_route_that_takes_everything_and_goes_on_hides_nothing() -> None:
    assert traps(GOOD.replace(ROUTE, "    - {receiver: chat, continue: true}\n" + ROUTE)) == []


def test_a_route_inherits_from_those_above_it() -> None:
    above = GOOD.replace("  group_by", "  group_wait: 1m\n  group_by").replace("      group_wait: 5s\n", "")

    assert "`group_wait` is 1m" in traps(above)[0].message


def test_where_addresses_are_hidden_the_receiver_is_found_by_its_name_or_named() -> None:
    hidden = GOOD.replace("http://chat/hook", "<secret>").replace(
        "http://incidentd:9720/api/v1/alertmanager/prod", "<secret>"
    )
    assert traps(hidden) == []
    assert [trap.where for trap in traps(hidden, "chat")] == ["route"] * 3
    unnamed = hidden.replace("incidentd", "pager")
    assert {trap.where for trap in traps(unnamed)} == {"route"}


def test_no_webhook_at_all_is_a_trap() -> None:
    [trap] = traps("route: {receiver: mail}\nreceivers: [{name: mail, email_configs: [{to: a@b}]}]")
    assert "no receiver with a webhook" in trap.message
    [trap] = traps(GOOD, "pager")
    assert trap.where == "receiver pager"


@pytest.mark.parametrize("text", ["", "[]", "route: []", "a: {", "{{", "\x00", "route: &a [*a]"])
def test_what_is_no_configuration_is_said_to_be_none(text: str) -> None:
    with pytest.raises(ValueError, match="the configuration that Alertmanager gives"):
        traps(text)


@pytest.mark.slow
def test_routes_that_multiply_without_end_do_not() -> None:
    deep = "a: &a {receiver: incidentd}\n" + "".join(
        f"{chr(98 + n)}: &{chr(98 + n)} {{routes: [*{chr(97 + n)}, *{chr(97 + n)}, *{chr(97 + n)}]}}\n"
        for n in range(20)
    )
    assert traps(deep + "route: *u\n" + GOOD[GOOD.index("receivers:") :])


def test_the_interval_of_news_is_the_longest_of_the_routes_that_lead_here() -> None:
    configuration = """
route: {receiver: other, group_interval: 2h, routes: [{receiver: incidentd}, {receiver: incidentd, group_interval: 3m}]}
receivers: [{name: other}, {name: incidentd, webhook_configs: [{url: "http://x/api/v1/alertmanager"}]}]
"""
    assert group_interval(configuration) == timedelta(hours=2)
    assert group_interval(configuration.replace("group_interval: 2h, ", "")) == timedelta(minutes=5)
    assert group_interval(configuration, "nobody") is None

"""The traps in a running Alertmanager's own configuration: what would make incidentd hear too late, or never."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import pairwise
from typing import Any

import yaml

from incidentd.config.report import shown
from incidentd.durations import format_duration, parse_duration

LONGEST_GROUP_WAIT = timedelta(seconds=10)
LONGEST_GROUP_INTERVAL = timedelta(minutes=1)
LONGEST_REPEAT_INTERVAL = timedelta(minutes=15)
SHORTEST_TIMEOUT = timedelta(seconds=5)
_OUR_PATH = "/api/v1/alertmanager"
# what a route has that says nothing: Alertmanager's own defaults
_DEFAULTS = {"group_wait": "30s", "group_interval": "5m", "repeat_interval": "4h"}
_MATCHERS = ("match", "match_re", "matchers")
_MOST_ROUTES = 20_000


@dataclass(frozen=True, slots=True)
class Trap:
    """One setting that does harm: where, what happens with it, and what to write instead."""

    where: str
    message: str
    instead: str

    def __str__(self) -> str:
        return f"{self.where}: {self.message} ({self.instead})"


@dataclass(frozen=True, slots=True)
class _Route:
    """A route with what it inherits."""

    path: str
    receiver: str
    settings: Mapping[str, Any]
    group_by: Sequence[str]
    continues: bool
    intervals: Sequence[str]
    hidden_by: str
    """The route before it that takes everything; '' when none does."""
    own: Mapping[str, Any] = field(repr=False)


def group_interval(configuration: str, receiver: str = "") -> timedelta | None:
    """Give the longest `group_interval` of the routes that lead here; None when none does. Raises ValueError."""
    config = _read(configuration)
    ours = _ours(_webhooks(config), receiver)
    found = (
        _duration(route.settings["group_interval"]) for route in _routes(config["route"]) if route.receiver in ours
    )
    return max((interval for interval in found if interval is not None), default=None)


def traps(configuration: str, receiver: str = "") -> list[Trap]:
    """Find what would hurt incidentd in an Alertmanager's running configuration, as its API gives it.

    `receiver` names the one that leads to incidentd; without it, it is the one whose webhook has incidentd's path, else
    the one that is called so, else every one with a webhook (newer Alertmanagers hide the addresses). Raises ValueError
    for what is no configuration.
    """
    config = _read(configuration)
    hooks = _webhooks(config)
    ours = _ours(hooks, receiver)
    if not ours:
        where = f"receiver {receiver}" if receiver else "receivers"
        path = f"url: https://INCIDENTD{_OUR_PATH}/SOURCE"
        return [Trap(where, "there is no receiver with a webhook that leads here", f"add webhook_configs with {path}")]
    routes = [route for route in _routes(config["route"]) if route.receiver in ours]
    found = [trap for name in ours for trap in _of_receiver(name, hooks[name])]
    if not routes:
        found.append(Trap(f"receiver {', '.join(ours)}", "no route leads to it", "add a route with this receiver"))
    for route in routes:
        found += _of_route(route)
    return list(dict.fromkeys([*found, *_of_ways(routes)]))


def _read(configuration: str) -> dict[str, Any]:
    try:
        config = yaml.safe_load(configuration)
    except yaml.YAMLError as error:
        raise ValueError(f"the configuration that Alertmanager gives is no YAML: {shown(error, 200)}") from None
    if not isinstance(config, dict) or not isinstance(config.get("route"), dict):
        raise ValueError(  # noqa: TRY004 - of the text, not of its type
            "the configuration that Alertmanager gives has no `route`"
        )
    return config


def _webhooks(config: Mapping[str, Any]) -> dict[str, list[dict[str, Any]]]:
    receivers = [one for one in config.get("receivers") or () if isinstance(one, dict)]
    return {
        str(one.get("name", "")): [hook for hook in one["webhook_configs"] if isinstance(hook, dict)]
        for one in receivers
        if isinstance(one.get("webhook_configs"), list)
    }


def _ours(hooks: Mapping[str, Sequence[Mapping[str, Any]]], receiver: str) -> list[str]:
    if receiver:
        return [receiver] if receiver in hooks else []
    by_path = [name for name, its in hooks.items() if any(_OUR_PATH in str(hook.get("url", "")) for hook in its)]
    return by_path or [name for name in hooks if "incidentd" in name.lower()] or list(hooks)


def _routes(root: Mapping[str, Any]) -> Iterator[_Route]:
    """Give every route from the top, each with what it inherits from those above it."""
    top = _Route("route", "", _DEFAULTS, (), continues=False, intervals=(), hidden_by="", own={})
    waiting = [(root, top, "route", "")]
    for _ in range(_MOST_ROUTES):
        if not waiting:
            return
        own, above, path, hidden_by = waiting.pop()
        route = _inherit(own, above, path, hidden_by)
        yield route
        children = [child for child in own.get("routes") or () if isinstance(child, dict)]
        taker = hidden_by
        following = []
        for number, child in enumerate(children, start=1):
            name = f"{path} > {number} ({shown(child.get('receiver', route.receiver), 60)})"
            following.append((child, route, name, taker))
            if not taker and not any(child.get(key) for key in _MATCHERS) and not child.get("continue"):
                taker = name
        waiting += reversed(following)


def _inherit(own: Mapping[str, Any], above: _Route, path: str, hidden_by: str) -> _Route:
    muting = [*(own.get("mute_time_intervals") or ()), *(own.get("active_time_intervals") or ())]
    return _Route(
        path=path,
        receiver=str(own.get("receiver") or above.receiver),
        settings={**above.settings, **{key: str(own[key]) for key in _DEFAULTS if own.get(key)}},
        group_by=[str(one) for one in own.get("group_by") or above.group_by],
        continues=own.get("continue") is True,
        intervals=[str(one) for one in muting],
        hidden_by=hidden_by,
        own=own,
    )


def _of_receiver(name: str, hooks: Sequence[Mapping[str, Any]]) -> Iterator[Trap]:
    where = f"receiver {shown(name)}"
    for hook in hooks:
        if hook.get("send_resolved") is False:
            message = "`send_resolved: false`: incidentd never hears that anything is over"
            yield Trap(where, message, "write `send_resolved: true`")
        if hook.get("max_alerts"):
            message = f"`max_alerts: {shown(hook['max_alerts'])}` cuts groups, and what is cut fires unheard"
            yield Trap(where, message, "write `max_alerts: 0`")
        timeout = _duration(hook.get("timeout"))
        if timeout and timeout < SHORTEST_TIMEOUT:
            message = f"`timeout: {format_duration(timeout)}` gives up before a busy incidentd answers"
            yield Trap(where, message, "write `timeout: 10s`")


def _of_route(route: _Route) -> Iterator[Trap]:
    wait, interval, repeat = (_duration(route.settings[key]) or timedelta(0) for key in _DEFAULTS)
    if wait > LONGEST_GROUP_WAIT:
        message = f"`group_wait` is {format_duration(wait)}: every new group is told that much later"
        yield Trap(route.path, message, "write `group_wait: 10s` or less")
    if interval > LONGEST_GROUP_INTERVAL:
        message = f"`group_interval` is {format_duration(interval)}: resolves and new alerts of a group are that late"
        yield Trap(route.path, message, "write `group_interval: 1m` or less")
    if repeat > LONGEST_REPEAT_INTERVAL:
        message = f"`repeat_interval` is {format_duration(repeat)}: what incidentd missed is told again only then"
        yield Trap(route.path, message, "write `repeat_interval: 15m` or less")
    if repeat < interval:
        message = f"`repeat_interval` is {format_duration(repeat)}, shorter than `group_interval`, which decides then"
        yield Trap(route.path, message, f"write `group_interval: {format_duration(repeat)}` or a longer repeat")
    if "..." in route.group_by:
        message = "`group_by: ['...']` makes every alert a delivery of its own: a storm of alerts is one of connections"
        yield Trap(route.path, message, "write `group_by: [alertname, cluster, service]`")
    if route.intervals:
        message = f"{', '.join(map(shown, route.intervals))} mute by time: what resolves meanwhile is never told"
        yield Trap(route.path, message, "give `alertmanager` in the source, so that incidentd asks")
    if route.hidden_by:
        message = f"it is never reached: {route.hidden_by} before it takes everything"
        yield Trap(route.path, message, "put it before that one, or write `continue: true` there")


def _of_ways(routes: Sequence[_Route]) -> Iterator[Trap]:
    """Find routes that take an alert on to a further one that leads here too."""
    for route, following in pairwise(routes):
        siblings = route.path.rpartition(" > ")[0] == following.path.rpartition(" > ")[0]
        if route.continues and siblings:
            message = f"`continue: true` lets {following.path} tell incidentd of the same alerts once more"
            yield Trap(route.path, message, "harmless, since it is one incident, but write it once")


def _duration(written: object) -> timedelta | None:
    try:
        return parse_duration(str(written)) if written else None
    except ValueError:
        return None

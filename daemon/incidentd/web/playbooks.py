"""The API's part about playbooks: how each stands, running one, stopping a run, switching them off and on."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any

import msgspec
from aiohttp import web

from incidentd import guards
from incidentd.access import Right
from incidentd.alerts import clean
from incidentd.engine import byhand, stopping
from incidentd.errors import BadRequest, NotFound
from incidentd.playbooks import Limit, Mode, Playbook, standing
from incidentd.playbooks.outline import outline
from incidentd.playbooks.standing import ALL, Standing, Switch
from incidentd.settings import Settings
from incidentd.store import Tx, switching
from incidentd.store.views import Ask, lists, shape, speakable
from incidentd.store.views.shapes import plain
from incidentd.text import plain as harmless
from incidentd.web.answers import json_answer
from incidentd.web.bodies import read_fields
from incidentd.web.callers import CALLER, actor
from incidentd.web.house import HOUSE, Route

_Word = Annotated[str, msgspec.Meta(max_length=200)]
_MOST_VERSIONS = 10
"""Of a playbook that are shown, beside the one of the files; those first that changed last."""
_Text = Annotated[str, msgspec.Meta(max_length=10_000)]
_LAST = 5
"""Runs that are shown with a playbook."""
_LOOKED_AT = 100
"""Runs in which they are looked for: the search finds names that only begin so, too."""


class _Why(msgspec.Struct, forbid_unknown_fields=True):
    reason: _Text = ""
    by: _Word = ""


async def playbooks(request: web.Request) -> web.Response:
    """List the playbooks, each with how far it may go by itself now, and why."""
    house = request.app[HOUSE]
    found = await house.store.read(_known, house.settings)
    return json_answer({"playbooks": list(found.values()), "next": None})


async def playbook(request: web.Request) -> web.Response:
    """Say how one playbook stands."""
    house, name = request.app[HOUSE], request.match_info["name"]
    one = house.settings.playbooks.get(name)
    if one is None:
        raise NotFound(f"there is no playbook {harmless(name, 80)!r}")
    found = await house.store.read(_known, house.settings)
    last = await house.store.read(_last_runs, name)
    return json_answer({**found[name], **_written(one, house.settings), "runs": last})


def _last_runs(tx: Tx, name: str) -> list[dict[str, Any]]:
    found = lists.runs(tx, Ask(q=name, limit=_LOOKED_AT)).items
    return [it for it in found if it["playbook"] == name][:_LAST]


def _written(one: Playbook, settings: Settings) -> dict[str, Any]:
    """Give what its file says, for whoever wonders what it is."""
    limits, verify = one.limits, one.verify
    return {
        "match": [str(matcher) for matcher in one.match],
        "rules": [rule.name for rule in settings.rules if rule.playbook == one.name],
        "inputs": {
            name: {"from": it.source, "type": it.kind.value, "pattern": it.pattern, "default": it.default}
            for name, it in one.inputs.items()
        },
        "target": one.target, "domain": one.domain, "risk": one.risk,
        "safe_during_incident": one.safe_during_incident, "on_failure": one.on_failure.value,
        "fleet": one.fleet, "promote": plain(one.promote), "refused": one.refused,
        "limits": {
            "per_target": _limit(limits.per_target), "total": _limit(limits.total),
            "overall": _limit(settings.automation.overall), "alert_age": plain(limits.alert_age),
            "cool_down": plain(limits.cool_down), "share": limits.share, "alerting": limits.alerting,
        },
        "steps": plain(outline(one.steps, one.blocks)), "rollback": plain(outline(one.rollback, one.rollback_blocks)),
        "verify": verify and {
            "kind": verify.step.kind, "for": plain(verify.hold_for), "within": plain(verify.within),
            "every": plain(verify.every),
        },
    }  # fmt: skip


def _limit(limit: Limit) -> str:
    return f"{limit.runs} in {plain(limit.window)}"


def _known(tx: Tx, settings: Settings) -> dict[str, dict[str, Any]]:
    switches, of_all = switching.switches(tx), switching.standings(tx)
    found = {}
    for name, one in sorted(settings.playbooks.items()):
        known = {it.sha256: it for it in of_all if it.playbook == name}
        stands = standing.begun(one, known.pop(one.sha256, None), tx.now)
        others = [_other(it) for it in known.values()][:_MOST_VERSIONS]
        found[name] = {**_shown(one, settings, stands, switches), "other_versions": others}
    return found


def _other(stands: Standing) -> dict[str, Any]:
    return {
        "version": standing.short(stands.sha256), "stands": stands.mode.value, "verified": stands.verified,
        "why": stands.why, "at": plain(stands.at),
    }  # fmt: skip


def _shown(one: Playbook, settings: Settings, stands: Standing, switches: dict[str, Switch]) -> dict[str, Any]:
    return {
        "id": one.name, "title": one.title, "version": standing.short(one.sha256), "mode": one.mode.value,
        "stands": stands.mode.value, "effective": _effective(one, settings, stands, switches), "why": stands.why,
        "because": _because(one, settings, stands, switches), "verified": stands.verified,
        "switched_off": standing.off(switches, one.name), "at": str(one.at),
    }  # fmt: skip


def _effective(one: Playbook, settings: Settings, stands: Standing, switches: dict[str, Switch]) -> str:
    if standing.off(switches, one.name):
        return "off"
    return guards.effective_mode(replace(one, mode=stands.mode), settings.automation.mode).value


def _because(one: Playbook, settings: Settings, stands: Standing, switches: dict[str, Switch]) -> str:
    """Say why it does not go as far as its file says, or goes further; '' when it goes just as far."""
    ceiling = settings.automation.mode
    reasons = [standing.off(switches, one.name), stands.why, one.refused]
    if standing.is_weaker(ceiling, stands.mode):
        reasons.append(f"automation.mode of the configuration is {ceiling}")
    if one.risk == "high" and standing.weaker(stands.mode, ceiling) is Mode.AUTO:
        reasons.append("it is of high risk, so it asks a person")
    return "; ".join(reason for reason in reasons if reason)


class _Run(msgspec.Struct, forbid_unknown_fields=True):
    subject: _Word
    labels: dict[_Word, _Text] = {}
    annotations: dict[_Word, _Text] = {}
    by: _Word = ""


async def run(request: web.Request) -> web.Response:
    """Run a playbook for an open hold or incident, without an alert; `labels` stand for the alert's."""
    house, fields = request.app[HOUSE], await read_fields(request, _Run)
    who = actor(request, fields.by)
    if request[CALLER].local and not fields.by:
        raise BadRequest("say who runs it (`by`): whoever reads the timeline has to know")
    labels, annotations = (
        {clean(name): clean(value) for name, value in given.items()} for given in (fields.labels, fields.annotations)
    )
    made = await house.store.write(
        byhand.run, house.settings, request.match_info["name"], subject=fields.subject.upper(), labels=labels,
        annotations=annotations, actor=who,
    )  # fmt: skip
    return json_answer(shape(made), 201)


async def disable(request: web.Request) -> web.Response:
    """Switch a playbook off at once, on every replica and for good; what runs of it is stopped. It takes a reason."""
    return await _disable(request, request.match_info["name"])


async def disable_all(request: web.Request) -> web.Response:
    """Switch every playbook off at once, on every replica and for good; what runs is stopped. It takes a reason."""
    return await _disable(request, ALL)


async def _disable(request: web.Request, name: str) -> web.Response:
    house, fields = request.app[HOUSE], await read_fields(request, _Why)
    who = actor(request, fields.by)
    done = await house.store.write(stopping.disable, house.settings, name, actor=who, reason=fields.reason)
    return json_answer({**plain(done.switch), "playbook": name or "all", "disabled": True, "stops": list(done.stops)})


async def enable(request: web.Request) -> web.Response:
    """Let a playbook that was switched off run again."""
    return await _enable(request, request.match_info["name"])


async def enable_all(request: web.Request) -> web.Response:
    """Switch on again what was switched off for all; what has a switch of its own stays as that says."""
    return await _enable(request, ALL)


async def _enable(request: web.Request, name: str) -> web.Response:
    house, fields = request.app[HOUSE], await read_fields(request, _Why)
    who = actor(request, fields.by)
    still = await house.store.write(stopping.enable, house.settings, name, actor=who, reason=fields.reason)
    return json_answer({"playbook": name or "all", "disabled": False, "by": who.name, "still_off": still})


async def stop(request: web.Request) -> web.Response:
    """Stop a run at once, between two steps or inside one. It takes a reason; nothing is rolled back."""
    number, fields = speakable(request.match_info["id"], "RUN"), await read_fields(request, _Why)
    house = request.app[HOUSE]
    who = actor(request, fields.by)
    ended = await house.store.write(stopping.stop, house.settings, number, actor=who, reason=fields.reason)
    return json_answer(shape(ended))


ROUTES = (
    Route("GET", "/api/v1/playbooks", playbooks, Right.READ),
    Route("GET", "/api/v1/playbooks/{name}", playbook, Right.READ),
    Route("POST", "/api/v1/playbooks/{name}/runs", run, Right.OPERATE),
    Route("POST", "/api/v1/playbooks/{name}/disable", disable, Right.OPERATE),
    Route("POST", "/api/v1/playbooks/{name}/enable", enable, Right.OPERATE),
    Route("POST", "/api/v1/automation/disable", disable_all, Right.OPERATE),
    Route("POST", "/api/v1/automation/enable", enable_all, Right.OPERATE),
    Route("POST", "/api/v1/runs/{id}/stop", stop, Right.OPERATE),
)

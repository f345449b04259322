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
from incidentd.playbooks import Playbook, standing
from incidentd.playbooks.standing import ALL, Standing, Switch
from incidentd.settings import Settings
from incidentd.store import Tx, switching
from incidentd.store.views import shape, speakable
from incidentd.store.views.shapes import plain
from incidentd.text import plain as harmless
from incidentd.web.answers import json_answer
from incidentd.web.bodies import read_fields
from incidentd.web.callers import CALLER, actor
from incidentd.web.house import HOUSE, Route

_Word = Annotated[str, msgspec.Meta(max_length=200)]
_Text = Annotated[str, msgspec.Meta(max_length=10_000)]


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
    found = (await house.store.read(_known, house.settings)).get(name)
    if found is None:
        raise NotFound(f"there is no playbook {harmless(name, 80)!r}")
    return json_answer(found)


def _known(tx: Tx, settings: Settings) -> dict[str, dict[str, Any]]:
    switches, standings = switching.switches(tx), switching.standings(tx)
    return {
        name: _shown(one, settings, standing.begun(one, standings.get(name), tx.now), switches)
        for name, one in sorted(settings.playbooks.items())
    }


def _shown(one: Playbook, settings: Settings, stands: Standing, switches: dict[str, Switch]) -> dict[str, Any]:
    return {
        "id": one.name, "title": one.title, "version": one.sha256[:12], "mode": one.mode.value,
        "stands": stands.mode.value, "effective": _effective(one, settings, stands, switches), "why": stands.why,
        "verified": stands.verified,
        "switched_off": standing.off(switches, one.name), "at": str(one.at),
    }  # fmt: skip


def _effective(one: Playbook, settings: Settings, stands: Standing, switches: dict[str, Switch]) -> str:
    if standing.off(switches, one.name):
        return "off"
    return guards.effective_mode(replace(one, mode=stands.mode), settings.automation.mode).value


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
    await house.store.write(stopping.enable, house.settings, name, actor=who, reason=fields.reason)
    return json_answer({"playbook": name or "all", "disabled": False, "by": who.name})


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

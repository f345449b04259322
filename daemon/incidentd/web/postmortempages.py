"""Postmortems for a browser: which there are, and one to read, to write in, to comment on and to approve.

A form brings a token of its page, so that nobody acts who did not load it; other sites are refused before that.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from urllib.parse import parse_qs

from aiohttp import web

from incidentd import links
from incidentd.access import Right
from incidentd.alerts import clean
from incidentd.engine import postmortems
from incidentd.errors import BadRequest, Conflict, IncidentdError, NotAllowed, NotFound
from incidentd.postmortem import CHECKLIST, OUT, State
from incidentd.store.views import speakable
from incidentd.text import iso
from incidentd.web.bodies import read_body
from incidentd.web.callers import CALLER, actor
from incidentd.web.house import HOUSE, Route
from incidentd.web.html import page
from incidentd.web.postmortems import asked_by

_LARGEST_FORM = 512 * 1024
_MOST_FIELDS = 20
Form = Mapping[str, list[str]]


async def listed(request: web.Request) -> web.Response:
    """Show which postmortems there are, the newest first."""
    house = request.app[HOUSE]
    found = await house.store.read(postmortems.listed, tuple(State))
    return page(request, "postmortems.html", found=found, now=iso(house.now()))


async def show(request: web.Request) -> web.Response:
    """Show a postmortem, with what is missing for its next state."""
    return await _shown(request)


async def act(request: web.Request) -> web.Response:
    """Do what a form of the page asks for; what was refused is shown with the words that were typed."""
    number = _number(request)
    form = await _form(request, number)
    did = _one(form, "do")
    if did not in _DOES:
        raise BadRequest(f"there is no {did[:40]!r} here; there are {', '.join(_DOES)}")
    try:
        said = await _DOES[did](request, number, form)
    except (Conflict, BadRequest, NotFound) as error:
        return await _shown(request, status=_status(error), trouble=str(error), typed=_one(form, "text"))
    return await _shown(request, said=said)


def _status(error: IncidentdError) -> int:
    match error:
        case Conflict():
            return 409
        case NotFound():
            return 404
        case _:
            return 400


async def _shown(
    request: web.Request, *, status: int = 200, said: str = "", trouble: str = "", typed: str = ""
) -> web.Response:  # fmt: skip
    house, number = request.app[HOUSE], _number(request)
    it = await house.store.read(postmortems.standing, house.settings, number)
    sections = await house.store.read(postmortems.sections, house.settings, number)
    return page(
        request, "postmortem.html", status=status, it=it, sections=sections, said=said, trouble=trouble, typed=typed,
        form=links.page_token(house.link_keys, _words(request, number)), checklist=CHECKLIST,
        writable=it["state"] in (State.DRAFT, State.IN_REVIEW), published=it["state"] in OUT,
    )  # fmt: skip


async def _edit(request: web.Request, number: int, form: Form) -> str:
    house, name = request.app[HOUSE], _one(form, "section")
    done = await house.store.write(
        postmortems.edit, house.settings, number, name, text=_one(form, "text"), actor=actor(request),
        expected_version=_version(form), reason=_one(form, "reason"),
    )  # fmt: skip
    return f"{name} is version {done.version} now."


async def _comment(request: web.Request, number: int, form: Form) -> str:
    house = request.app[HOUSE]
    made = await house.store.write(
        postmortems.comment, house.settings, number, section=_one(form, "section"), text=_one(form, "text"),
        actor=actor(request),
    )  # fmt: skip
    return f"Your comment is number {made.number}."


async def _resolve(request: web.Request, number: int, form: Form) -> str:
    house = request.app[HOUSE]
    which = _version(form, "number") or 0
    await house.store.write(
        postmortems.resolve_comment, house.settings, number, which, answer=_one(form, "text"), actor=actor(request)
    )
    return f"Comment {which} is resolved."


async def _approve(request: web.Request, number: int, form: Form) -> str:
    house = request.app[HOUSE]
    done = await house.store.write(
        postmortems.approve, house.settings, number, points=tuple(form.get("checked", ())), note=_one(form, "text"),
        actor=actor(request), expected_version=_version(form),
    )  # fmt: skip
    return f"You approved it; it is {done.state.value.replace('_', ' ')}."


def _go(to: State) -> Callable[[web.Request, int, Form], Awaitable[str]]:
    async def move(request: web.Request, number: int, form: Form) -> str:
        house = request.app[HOUSE]
        asked = asked_by(request, "", _version(form), reason=_one(form, "text"))
        done = await house.store.write(postmortems.go, house.settings, number, to, asked=asked)
        return f"It is {done.state.value.replace('_', ' ')}."

    return move


_DOES: Mapping[str, Callable[[web.Request, int, Form], Awaitable[str]]] = {
    "edit": _edit, "comment": _comment, "resolve": _resolve, "approve": _approve, "submit": _go(State.IN_REVIEW),
    "return": _go(State.DRAFT), "reviewed": _go(State.REVIEWED),
}  # fmt: skip
"""What a form can ask for, by its field `do`."""


async def _form(request: web.Request, number: int) -> Form:
    """Read a form. Raises NotAllowed when it is not that of this very page and this very caller."""
    body = await read_body(request, _LARGEST_FORM)
    try:
        found = parse_qs(body.decode(), max_num_fields=_MOST_FIELDS)
    except ValueError:
        raise BadRequest("this is not the form of the page") from None
    fields = {name: [clean(one.replace("\r\n", "\n")) for one in values] for name, values in found.items()}
    if not links.same_page(request.app[HOUSE].link_keys, _words(request, number), _one(fields, "form")):
        raise NotAllowed("this did not come from the postmortem's own page; open it, and send it there",
                         authenticated=True)  # fmt: skip
    return fields


def _words(request: web.Request, number: int) -> str:
    return f"postmortem INC-{number} {request[CALLER].name}"


def _one(form: Form, name: str) -> str:
    return form.get(name, [""])[0].strip()


def _version(form: Form, name: str = "version") -> int | None:
    text = _one(form, name)
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None


def _number(request: web.Request) -> int:
    return speakable(request.match_info["id"], "INC")


ROUTES = (
    Route("GET", "/postmortems", listed, Right.READ),
    Route("GET", "/postmortems/{id}", show, Right.READ),
    Route("POST", "/postmortems/{id}", act, Right.RESPOND),
)

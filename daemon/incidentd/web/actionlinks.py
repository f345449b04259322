"""Action links out of messages: GET shows what would happen, the form's POST does it.

Mail scanners and chat previews open every link; so opening one changes nothing, however often. A press has to bring the
form's own token, so that nobody acts who did not load the page. The link itself proves who acts: it was sent to one
person, for one thing, and acts once. Only a playbook of high risk wants more: whoever lets it run also signs in.
"""

from __future__ import annotations

from urllib.parse import parse_qs

from aiohttp import web

from incidentd.access import Right
from incidentd.alerts import clean
from incidentd.engine import answering
from incidentd.engine.answering import Press, Shown
from incidentd.errors import BadRequest, Conflict, NotAllowed
from incidentd.links import BadLink, Claim, ExpiredLink, LinkAction, UsedLink, form_token, read, same_form
from incidentd.timeline import Actor
from incidentd.web.bodies import read_body
from incidentd.web.callers import GATE
from incidentd.web.house import HOUSE, Route
from incidentd.web.html import page

_LARGEST_FORM = 16 * 1024
_MOST_FIELDS = 5


async def show(request: web.Request) -> web.Response:
    """Show what the link is about, and the button."""
    try:
        claim = _claim(request)
        shown = await _shown(request, claim)
    except (BadLink, UsedLink) as error:
        return _refused(request, error)
    if shown.over is not None:
        return _message(request, 200, *shown.over)
    form = form_token(request.app[HOUSE].link_keys, request.match_info["token"])
    return page(request, "answer.html", it=shown, form=form)


async def act(request: web.Request) -> web.Response:
    """Do what the link is for, as the person whom it was sent to."""
    house = request.app[HOUSE]
    try:
        claim = _claim(request)
        it = await _press(request, claim)
        return _message(request, 200, *await house.store.write(answering.press, house.settings, it))
    except (BadLink, UsedLink) as error:
        return _refused(request, error)
    except BadRequest as error:
        return _message(request, 400, "Something is missing", f"{error}. Go back, and press it again.")
    except Conflict as error:
        return await _too_late(request, error)


async def _too_late(request: web.Request, error: Conflict) -> web.Response:
    """Say what happened instead; that is well when this very person did it."""
    shown = await _shown(request, _claim(request))
    title, message = shown.over or ("Not now", str(error))
    return _message(request, 200 if shown.well else 409, title, message)


async def _press(request: web.Request, claim: Claim) -> Press:
    fields = await _form(request)
    shown = await _shown(request, claim)
    return Press(
        claim=claim, actor=await _actor(request, claim, shown), key=request.app[HOUSE].link_keys[claim.kid],
        reason=fields.get("reason", ""), approver=fields.get("approver", ""),
        answer=fields.get("answer", ""),
    )  # fmt: skip


async def _shown(request: web.Request, claim: Claim) -> Shown:
    house = request.app[HOUSE]
    return await house.store.read(answering.look, house.settings, claim, house.link_keys[claim.kid])


async def _form(request: web.Request) -> dict[str, str]:
    """Read the form of a link's page. Raises BadLink when it is not that of this very link."""
    body = await read_body(request, _LARGEST_FORM)
    try:
        found = parse_qs(body.decode(), max_num_fields=_MOST_FIELDS)
    except ValueError:
        raise BadRequest("this is not the form of the link's page") from None
    fields = {name: clean(values[0]).strip() for name, values in found.items()}
    if not same_form(request.app[HOUSE].link_keys, request.match_info["token"], fields.get("form", "")):
        raise BadLink("this did not come from the link's own page; open the link, and press its button")
    return fields


async def _actor(request: web.Request, claim: Claim, shown: Shown) -> Actor:
    """Say who acts: whom the link was sent to; where that does not do, whoever signed in as well."""
    key = f"link:{claim.kid}:{claim.nonce[:60]}"
    if not shown.needs_login:
        return Actor(name=claim.person, via="link", key=key)
    caller = await request.app[GATE].caller(request, Right.OPERATE)
    if not caller.local and caller.name != claim.person:
        raise NotAllowed(f"this link was sent to {claim.person}, and {caller.name} is signed in", authenticated=True)
    return Actor(name=claim.person, via="link", key=f"{key} {caller.key}".strip())


def _claim(request: web.Request) -> Claim:
    house = request.app[HOUSE]
    claim = read(house.link_keys, request.match_info["token"], house.now())
    if claim.action not in set(LinkAction):
        raise BadLink("this link is for something that this incidentd does not do")
    return claim


def _refused(request: web.Request, error: BadLink | UsedLink) -> web.Response:
    match error:
        case ExpiredLink():
            return _message(request, 410, "This link has expired", str(error))
        case UsedLink():
            return _message(request, 410, "This link was used already", str(error))
        case _:
            request.app[HOUSE].metrics.auth_failures_total.inc()
            return _message(request, 403, "This link is not valid", str(error))


def _message(request: web.Request, status: int, title: str, message: str) -> web.Response:
    return page(request, "message.html", status=status, title=title, message=message)


ROUTES = (
    Route("GET", "/a/{token}", show, Right.PUBLIC),
    Route("POST", "/a/{token}", act, Right.PUBLIC),
)

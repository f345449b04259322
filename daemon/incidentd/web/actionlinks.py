"""Action links out of messages: GET shows what would happen, the form's POST does it.

Mail scanners and chat previews open every link; so opening one changes nothing, however often. The link itself proves
who acts: it was sent to one person, for one thing, and acts once.
"""

from __future__ import annotations

from aiohttp import web

from incidentd.access import Right
from incidentd.engine import commands
from incidentd.errors import Conflict
from incidentd.links import BadLink, Claim, ExpiredLink, read
from incidentd.pages import Page, PageState
from incidentd.store.views import page_with_subject, speakable
from incidentd.text import instant, plain
from incidentd.timeline import Actor
from incidentd.web.house import HOUSE, Route
from incidentd.web.html import page


async def show(request: web.Request) -> web.Response:
    """Show what the link is about, and the button."""
    try:
        claim = _claim(request)
    except BadLink as error:
        return _refused(request, error)
    found, severity = await request.app[HOUSE].store.read(page_with_subject, speakable(claim.subject, "PAGE"))
    if found.state is not PageState.OPEN:
        return _over(request, found, claim, status=200)
    return page(
        request, "ack.html", title=plain(found.title), severity=severity, subject=found.subject, key=found.key,
        since=instant(found.started_at), person=claim.person, urgency=found.urgency,
    )  # fmt: skip


async def act(request: web.Request) -> web.Response:
    """Do what the link is for: the one whom it was sent to has the page now."""
    house = request.app[HOUSE]
    try:
        claim = _claim(request)
    except BadLink as error:
        return _refused(request, error)
    number = speakable(claim.subject, "PAGE")
    who = Actor(name=claim.person, via="link", key=f"link:{claim.kid}:{claim.nonce[:8]}")
    try:
        acked = await house.store.write(
            commands.ack_page, house.settings, number, by=claim.person, actor=who, nonce=claim.nonce
        )
    except Conflict:
        found, _ = await house.store.read(page_with_subject, number)
        return _over(request, found, claim, status=200 if found.held_by == claim.person else 409)
    message = f"{acked.key} is acknowledged. Work on {acked.subject}; write down what you find."
    return page(request, "message.html", title="You have it", message=message)


def _claim(request: web.Request) -> Claim:
    house = request.app[HOUSE]
    claim = read(house.link_keys, request.match_info["token"], house.now())
    if claim.action != "ack":
        raise BadLink("this link is for something that this incidentd does not do")
    return claim


def _refused(request: web.Request, error: BadLink) -> web.Response:
    over = isinstance(error, ExpiredLink)
    if not over:
        request.app[HOUSE].metrics.auth_failures_total.inc()
    title = "This link has expired" if over else "This link is not valid"
    return page(request, "message.html", status=410 if over else 403, title=title, message=str(error))


def _over(request: web.Request, found: Page, claim: Claim, *, status: int) -> web.Response:
    title, message = _why_over(found, claim.person)
    return page(request, "message.html", status=status, title=title, message=message)


def _why_over(found: Page, person: str) -> tuple[str, str]:
    match found.state:
        case PageState.ACKED if found.held_by == person:
            return (
                "You have it already",
                f"{found.key} was acknowledged by you at {instant(found.owned_at or found.acked_at)}.",
            )
        case PageState.ACKED:
            who = plain(found.held_by, 100)
            return (
                f"{who} has it",
                f"{found.key} was acknowledged by {who} at {instant(found.owned_at or found.acked_at)}.",
            )
        case PageState.RESOLVED:
            return "It is over", f"{found.key} ended at {instant(found.closed_at)}; nothing is left to take."
        case PageState.OPEN:
            again = f"{found.key} is open again and needs an answer anew; use the link in the newest message."
            return "This link was used already", again


ROUTES = (
    Route("GET", "/a/{token}", show, Right.PUBLIC),
    Route("POST", "/a/{token}", act, Right.PUBLIC),
)

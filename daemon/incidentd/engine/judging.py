"""What people say of a page afterwards, as a unit of work: the figures of noisy alerts rest on it."""

from __future__ import annotations

from dataclasses import replace

from incidentd.engine import measuring
from incidentd.errors import BadRequest, Conflict
from incidentd.pages import Page, PageState, Verdict
from incidentd.store import Tx, chain, things
from incidentd.text import plain
from incidentd.timeline import Actor, Draft

CHOICES = tuple(verdict.value.replace("_", " ") for verdict in Verdict)
"""The verdicts as buttons say them."""
KIND = "page.feedback"


def verdict_named(word: str) -> Verdict:
    """Find the verdict that somebody typed or pressed. Raises BadRequest that lists them."""
    typed = word.strip().lower().replace("-", "_").replace(" ", "_")
    if typed not in set(Verdict):
        raise BadRequest(f"there is no verdict {plain(word, 40)!r}; there are {', '.join(Verdict)}")
    return Verdict(typed)


def judge_page(tx: Tx, page_id: int, verdict: Verdict, *, by: str, actor: Actor) -> Page:
    """Take what somebody says of a page; the last word counts, and every one stays on the timeline.

    The same word of the same person twice is one. Raises NotFound, and Conflict while the page waits for an answer, or
    when it called for many others.
    """
    page = things.get_page(tx, page_id)
    refuse_too_early(page)
    if (page.verdict, page.verdict_by) == (verdict, by):
        return page
    judged = replace(page, verdict=verdict, verdict_by=by)
    things.save_page(tx, judged)
    text = f"{by} says of {page.key}: {verdict.value.replace('_', ' ')}."
    data = {"page": page.key, "verdict": verdict.value, "by": by}
    chain.append(tx, page.subject, actor, [Draft(KIND, text, data)])
    if not page.drill:
        name = measuring.alertname_of(tx, page.subject)
        tx.count(lambda m: m.page_feedback_total.labels(alertname=name, verdict=verdict.value).inc())
    return judged


def refuse_too_early(page: Page) -> None:
    """Refuse to judge a page that nobody has looked at yet. Raises Conflict."""
    if page.is_summary:
        raise Conflict(f"{page.key} calls for many others; say of each of those how it was")
    if page.state is PageState.OPEN:
        raise Conflict(f"{page.key} still waits for an answer; acknowledge it first, and say afterwards how it was")

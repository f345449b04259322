"""What a link does: for each action what it is about, what its page shows, and the command that its button carries out.

A table, so that another action is one line. Looking is a read; pressing is one unit of work, in which the command and
the note that the link was used stand or fall together: of fifty presses at once one acts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta

from incidentd.durations import format_duration
from incidentd.engine import approving, automation, commands, contact, handover, judging, questions, roles
from incidentd.engine.course.busy import definition_of
from incidentd.errors import Conflict
from incidentd.holds import OPEN, Hold, declares_at
from incidentd.links import BadLink, Claim, LinkAction, UsedLink
from incidentd.pages import Page, PageState
from incidentd.playbooks import Run, RunState
from incidentd.settings import Settings
from incidentd.store import Tx, subjects, things
from incidentd.store.views import page_with_subject, speakable
from incidentd.text import instant, plain
from incidentd.timeline import Actor

HIGH_RISK = "high"


@dataclass(frozen=True, slots=True, kw_only=True)
class Press:
    """One press of a link's button: who, proved by what, and what the form says."""

    claim: Claim
    actor: Actor
    key: bytes
    reason: str = ""
    approver: str = ""
    answer: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What the page of a link shows; `over` is why there is nothing to press any more: a title and a sentence."""

    title: str
    about: tuple[tuple[str, str], ...] = ()
    button: str = ""
    note: str = ""
    asks: bool = False
    """The form asks for a reason and for who approves."""
    choices: tuple[str, ...] = ()
    """Buttons, each of which is an answer."""
    words: bool = False
    """The form asks for an answer in words of one's own."""
    needs_login: bool = False
    over: tuple[str, str] | None = None
    well: bool = False
    """It is over because this very person did it."""


@dataclass(frozen=True, slots=True)
class _Answer:
    look: Callable[[Tx, Settings, Claim, bytes], Shown]
    act: Callable[[Tx, Settings, Press], tuple[str, str]]
    again: bool = False
    """Pressing it again does no harm and says that all is well."""


def look(tx: Tx, settings: Settings, claim: Claim, key: bytes) -> Shown:
    """Say what a link's page shows. Raises NotFound when what it is about is gone, BadLink for an unknown action."""
    answer = _answer(settings, claim)
    shown = answer.look(tx, settings, claim, key)
    if shown.over is None and not answer.again and things.was_used(tx, claim.nonce):
        raise UsedLink("this link was used already; use one of the newest message")
    return shown


def press(tx: Tx, settings: Settings, it: Press) -> tuple[str, str]:
    """Do what a link is for; gives a title and a sentence.

    Raises UsedLink for one that acted before, Conflict when it is too late, and what the command raises.
    """
    answer = _answer(settings, it.claim)
    if not answer.again and things.was_used(tx, it.claim.nonce):
        raise UsedLink("this link was used already; use one of the newest message")
    said = answer.act(tx, settings, it)
    if not answer.again:
        things.use_link(tx, it.claim.nonce)
    return said


def _answer(settings: Settings, claim: Claim) -> _Answer:
    answer = _ANSWERS.get(claim.action)
    if answer is None:
        raise BadLink("this link is for something that this incidentd does not do")
    people = settings.roster.people
    if people and claim.person not in people:
        raise BadLink(f"{plain(claim.person, 40)} is not among the people of this incidentd any more")
    return answer


# -- pages -----------------------------------------------------------------------------------------------------------


def _look_at_page(tx: Tx, claim: Claim) -> tuple[Page, tuple[tuple[str, str], ...]]:
    page, severity = page_with_subject(tx, speakable(claim.subject, "PAGE"))
    about = (
        ("Page", f"{page.key}, about {page.subject}"), ("Severity", f"{severity or '-'} ({page.urgency})"),
        ("Since", instant(page.started_at)), ("You are", claim.person),
    )  # fmt: skip
    return page, about


def _look_ack(tx: Tx, _settings: Settings, claim: Claim, _key: bytes) -> Shown:
    page, about = _look_at_page(tx, claim)
    over = _page_over(page, claim.person)
    if over is None and things.was_used(tx, claim.nonce):
        again = f"{page.key} is open again and needs an answer anew; use the link in the newest message."
        over = "This link was used already", again
    return Shown(
        title=plain(page.title), about=about, button="I have it", over=over,
        well=page.state is PageState.ACKED and page.held_by == claim.person,
        note="The button says that you work on it from now on; then nobody else is paged for it.",
    )  # fmt: skip


def _ack(tx: Tx, settings: Settings, it: Press) -> tuple[str, str]:
    number = speakable(it.claim.subject, "PAGE")
    done = commands.ack_page(tx, settings, number, by=it.claim.person, actor=it.actor, nonce=it.claim.nonce)
    work = "what it calls for" if done.is_summary else done.subject
    return "You have it", f"{done.key} is acknowledged. Work on {work}; write down what you find."


def _look_helping(tx: Tx, _settings: Settings, claim: Claim, _key: bytes) -> Shown:
    page, about = _look_at_page(tx, claim)
    return Shown(
        title=plain(page.title), about=about, button="I am helping",
        over=_page_over(page, claim.person) if page.state is PageState.RESOLVED else None,
        note="The button says so on the timeline. It goes on calling people until somebody has it.",
    )  # fmt: skip


def _helping(tx: Tx, settings: Settings, it: Press) -> tuple[str, str]:
    number = speakable(it.claim.subject, "PAGE")
    page = commands.help_with_page(tx, settings, number, by=it.claim.person, actor=it.actor)
    has_it = f"{plain(page.held_by, 100)} has it" if page.held_by else "it still waits for somebody who has it"
    return "Thank you", f"It is on the timeline of {page.subject} that you are helping; {has_it}."


def _look_escalate(tx: Tx, _settings: Settings, claim: Claim, _key: bytes) -> Shown:
    page, about = _look_at_page(tx, claim)
    return Shown(
        title=plain(page.title), about=about, button="Page the next level now", over=_page_over(page, claim.person),
        note="The button pages whoever comes next, without waiting for the time to answer to pass.",
    )  # fmt: skip


def _escalate(tx: Tx, settings: Settings, it: Press) -> tuple[str, str]:
    done = commands.escalate_page(tx, settings, speakable(it.claim.subject, "PAGE"), actor=it.actor)
    return (
        "The next level is paged",
        f"{done.key} went on: paged so far are {', '.join(done.paged) or 'channels only'}.",
    )


def _page_over(page: Page, person: str) -> tuple[str, str] | None:
    match page.state:
        case PageState.ACKED if page.held_by == person:
            at = instant(page.owned_at or page.acked_at)
            return "You have it already", f"{page.key} was acknowledged by you at {at}."
        case PageState.ACKED:
            who, at = plain(page.held_by, 100), instant(page.owned_at or page.acked_at)
            return f"{who} has it", f"{page.key} was acknowledged by {who} at {at}."
        case PageState.RESOLVED:
            return "It is over", f"{page.key} ended at {instant(page.closed_at)}; nothing is left to take."
        case PageState.OPEN:
            return None


def _look_feedback(tx: Tx, _settings: Settings, claim: Claim, _key: bytes) -> Shown:
    page, about = _look_at_page(tx, claim)
    try:
        judging.refuse_too_early(page)
    except Conflict as error:
        return Shown(title=plain(page.title), over=("Not now", str(error)))
    said = f"{plain(page.verdict_by, 100)} said: {page.verdict.value.replace('_', ' ')}." if page.verdict else ""
    return Shown(
        title=f"How was it? {plain(page.title)}", about=about, choices=judging.CHOICES,
        note=said or "It tells which alerts call people for nothing.",
    )  # fmt: skip


def _feedback(tx: Tx, _settings: Settings, it: Press) -> tuple[str, str]:
    number, verdict = speakable(it.claim.subject, "PAGE"), judging.verdict_named(it.answer)
    done = judging.judge_page(tx, number, verdict, by=it.claim.person, actor=it.actor)
    return "Thank you", f"It is on the timeline of {done.subject} what you say of {done.key}."


# -- holds -----------------------------------------------------------------------------------------------------------


def _look_at_hold(tx: Tx, claim: Claim) -> tuple[Hold, tuple[tuple[str, str], ...]]:
    hold = subjects.get_hold(tx, speakable(claim.subject, "HOLD"))
    about = (
        ("Hold", hold.key), ("Severity", hold.severity), ("Firing", f"{hold.firing} now"),
        ("Declares", instant(declares_at(hold))), ("You are", claim.person),
    )  # fmt: skip
    return hold, about


def _look_declare(tx: Tx, _settings: Settings, claim: Claim, _key: bytes) -> Shown:
    hold, about = _look_at_hold(tx, claim)
    return Shown(
        title=plain(hold.title), about=about, button="Declare it now", over=_hold_over(tx, hold),
        note="The button makes an incident of it and pages people.",
    )  # fmt: skip


def _declare(tx: Tx, settings: Settings, it: Press) -> tuple[str, str]:
    number = speakable(it.claim.subject, "HOLD")
    made = commands.declare_hold(tx, settings, number, actor=it.actor, reason=it.reason)
    return f"{made.key} is declared", f"{made.key} {made.severity}: {plain(made.title)}. People are paged."


def _look_extend(tx: Tx, _settings: Settings, claim: Claim, _key: bytes) -> Shown:
    hold, about = _look_at_hold(tx, claim)
    over = _hold_over(tx, hold)
    if over is None and hold.extended_by:
        over = "It was extended already", f"{hold.key} was extended once, by {plain(hold.extended_by, 100)}."
    length = format_duration(_more(hold))
    return Shown(
        title=plain(hold.title), about=about, button=f"Give it {length} more", over=over, asks=True,
        note=f"The button gives it {length} more, once. Say why, and who else than you approved it.",
    )  # fmt: skip


def _extend(tx: Tx, settings: Settings, it: Press) -> tuple[str, str]:
    number = speakable(it.claim.subject, "HOLD")
    length = _more(subjects.get_hold(tx, number))
    done = commands.extend_hold(
        tx, settings, number, actor=it.actor, length=length, approver=it.approver, reason=it.reason
    )
    return "It has more time", f"{done.key} declares at {instant(declares_at(done))} unless there is progress."


def _more(hold: Hold) -> timedelta:
    return min(hold.policy.no_progress_after, hold.policy.hard_cap)


def _hold_over(tx: Tx, hold: Hold) -> tuple[str, str] | None:
    if hold.state in OPEN:
        return None
    became = subjects.incident_of_hold(tx, hold.id)
    if became is not None:
        return "It is declared", f"{hold.key} became {became.key}."
    return "It is over", f"{hold.key} is {hold.state}; nothing is left to say."


# -- playbook runs ---------------------------------------------------------------------------------------------------


def _look_approve(tx: Tx, settings: Settings, claim: Claim, _key: bytes) -> Shown:
    run = things.get_run(tx, speakable(claim.subject, "RUN"))
    playbook = definition_of(run)
    about = (
        ("Run", f"{run.key}, for {run.subject}"), ("Playbook", run.playbook), ("Target", plain(run.target, 200)),
        ("Risk", playbook.risk), ("You are", claim.person),
    )  # fmt: skip
    return Shown(
        title=plain(playbook.title or run.playbook), about=about, button="Let it run",
        over=_run_over(run) or _not_theirs(tx, settings, run, claim.person),
        note="The button lets the playbook begin.", needs_login=playbook.risk == HIGH_RISK,
    )  # fmt: skip


def _approve(tx: Tx, settings: Settings, it: Press) -> tuple[str, str]:
    done = commands.approve_run(tx, settings, speakable(it.claim.subject, "RUN"), actor=it.actor)
    return (
        f"{done.key} begins",
        f"{done.playbook} works on {plain(done.target, 200)}; {done.subject} tells how it goes.",
    )


def _run_over(run: Run) -> tuple[str, str] | None:
    if run.state is RunState.PROPOSED:
        return None
    return "It waits for nothing", f"{run.key} is {run.state.replace('_', ' ')} by now."


def _not_theirs(tx: Tx, settings: Settings, run: Run, person: str) -> tuple[str, str] | None:
    """Say that somebody else says by now whether a run acts: the roles of an incident may have changed hands."""
    why = approving.refused(tx, settings, run, person)
    return ("This is for others to say", f"{why[:1].upper()}{why[1:]}.") if why else None


def _look_answer(tx: Tx, settings: Settings, claim: Claim, _key: bytes) -> Shown:
    number, _, key = claim.subject.partition("/")
    run = things.get_run(tx, speakable(number, "RUN"))
    title = plain(definition_of(run).title or run.playbook)
    try:
        question = questions.open_question(run, tx.now, key)
    except Conflict as error:
        return Shown(title=title, over=("It is over", str(error)))
    if others := _not_theirs(tx, settings, run, claim.person):
        return Shown(title=title, over=others)
    about = (
        ("Run", f"{run.key}, for {run.subject}"), ("Target", plain(run.target, 200)),
        ("Waits until", instant(question.expires_at)), ("You are", claim.person),
    )  # fmt: skip
    return Shown(
        title=question.text, about=about, button="Answer", choices=question.choices, words=not question.choices,
        note=f"{title} waits for the answer.", needs_login=definition_of(run).risk == HIGH_RISK,
    )  # fmt: skip


def _answer_run(tx: Tx, settings: Settings, it: Press) -> tuple[str, str]:
    number, _, key = it.claim.subject.partition("/")
    done = automation.take_answer(
        tx, settings, speakable(number, "RUN"), answer=it.answer, actor=it.actor, key=key
    )  # fmt: skip
    return "Thank you", f"{done.key} goes on with your answer; {done.subject} tells how it goes."


# -- handovers -------------------------------------------------------------------------------------------------------


def _look_handover(tx: Tx, _settings: Settings, claim: Claim, _key: bytes) -> Shown:
    it = handover.page_of(tx, speakable(claim.subject, "HO"), claim.person)
    return Shown(
        title=it.title, about=it.about, choices=handover.CHOICES, note=it.note, over=it.over
    )  # fmt: skip


def _hand_over(tx: Tx, settings: Settings, it: Press) -> tuple[str, str]:
    return handover.pressed(tx, settings, speakable(it.claim.subject, "HO"), it.answer, it.actor)


# -- roles ------------------------------------------------------------------------------------------------------------


def _look_role(tx: Tx, _settings: Settings, claim: Claim, _key: bytes) -> Shown:
    known = roles.offered(tx, speakable(claim.subject, "OFFER"))
    about = (
        ("Incident", f"{known.incident.key} {known.incident.severity}: {plain(known.incident.title, 200)}"),
        ("Role", known.offer.role.title), ("Asked", instant(known.offer.asked_at)), ("You are", claim.person),
    )  # fmt: skip
    return Shown(
        title=roles.message(known, "")[0], about=about, button="Answer", choices=roles.choices(known.offer),
        over=roles.is_over(known), note="Until you answer, whoever has the role now stays accountable.",
    )  # fmt: skip


def _answer_role(tx: Tx, settings: Settings, it: Press) -> tuple[str, str]:
    known = roles.offered(tx, speakable(it.claim.subject, "OFFER"))
    yes, no = roles.choices(known.offer)
    if it.answer not in (yes, no):
        raise Conflict(f"answer with one of {yes}, {no}")
    if it.answer == no:
        roles.decline_offer(tx, settings, known.offer, actor=it.actor)
        return "Thank you", f"It is on the timeline of {known.incident.key} that you said no."
    done = roles.accept_offer(tx, settings, known.offer, actor=it.actor)
    return "Thank you", f"{roles.holder(tx, done, known.offer.role)} is {known.offer.role.title} of {done.key} now."


# -- contact tests ---------------------------------------------------------------------------------------------------


def _look_confirm(tx: Tx, settings: Settings, claim: Claim, key: bytes) -> Shown:
    try:
        channel = contact.tested(settings, claim.subject, key)
    except Conflict as error:
        return Shown(title="A test of a channel", over=("This test is over", str(error)))
    return Shown(
        title=f"Test of {channel.name}", about=(("Channel", channel.name), ("You are", claim.person)),
        button="It arrived", note="The button says that messages arrive here.",
    )  # fmt: skip


def _confirm(tx: Tx, settings: Settings, it: Press) -> tuple[str, str]:
    name = contact.confirm(tx, settings, it.claim.subject, actor=it.actor, key=it.key)
    return "Thank you", f"It is known now that {name} works."


_ANSWERS: Mapping[str, _Answer] = {
    LinkAction.ACK: _Answer(_look_ack, _ack, again=True),
    LinkAction.HELPING: _Answer(_look_helping, _helping),
    LinkAction.ESCALATE: _Answer(_look_escalate, _escalate),
    LinkAction.DECLARE: _Answer(_look_declare, _declare),
    LinkAction.EXTEND: _Answer(_look_extend, _extend),
    LinkAction.APPROVE: _Answer(_look_approve, _approve),
    LinkAction.ANSWER: _Answer(_look_answer, _answer_run),
    LinkAction.HANDOVER: _Answer(_look_handover, _hand_over),
    LinkAction.ROLE: _Answer(_look_role, _answer_role),
    LinkAction.FEEDBACK: _Answer(_look_feedback, _feedback),
    LinkAction.CONFIRM: _Answer(_look_confirm, _confirm),
}

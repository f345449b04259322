"""Commands that act: what people do about pages, holds, incidents and runs."""

from __future__ import annotations

from typing import Any

import click

from incidentd.cli.client import Daemon, asks, printed, segment, version_seen
from incidentd.cli.lifecycle import stand_down_incident
from incidentd.incidents import StandDown
from incidentd.text import plain


def _is_hold(subject: str) -> bool:
    return subject.upper().startswith("HOLD-")


@click.command()
@click.argument("page", metavar="PAGE-9")
@asks(acts=True)
def ack(daemon: Daemon, page: str) -> None:
    """Acknowledge a page: you have it, and nobody else is paged for it."""
    done = daemon.post(f"/api/v1/pages/{segment(page)}/ack")
    printed(daemon, done, f"{_who_has(done)}: {plain(done['title'])}; it is about {done['subject']}{_more(done)}")


def _more(page: dict[str, Any]) -> str:
    return f"; `incidentd pages {page['id']}` lists the holds" if page["subject"].startswith("SUM-") else ""


def _who_has(page: dict[str, Any]) -> str:
    who = page.get("owner") or page["acked_by"]
    return f"{who} has {page['id']}" if page["state"] == "acked" else f"{page['id']} still waits for an answer"


@click.command()
@click.argument("page", metavar="PAGE-9")
@asks(acts=True)
def take(daemon: Daemon, page: str) -> None:
    """Take a page: you have it from here, whether it called you or not, and whoever had it."""
    done = daemon.post(f"/api/v1/pages/{segment(page)}/take")
    printed(daemon, done, f"{_who_has(done)}: {plain(done['title'])}; it is about {done['subject']}")


@click.command()
@click.argument("page", metavar="PAGE-9")
@click.argument("text", required=False, default="")
@asks(acts=True)
def helping(daemon: Daemon, page: str, text: str) -> None:
    """Say that you are helping; the page goes on until somebody has it. TEXT goes onto the timeline."""
    done = daemon.post(f"/api/v1/pages/{segment(page)}/helping", **({"text": text} if text else {}))
    printed(daemon, done, f"noted on {done['subject']}; {_who_has(done)}")


@click.command()
@click.argument("hold", required=False, metavar="[HOLD-7]")
@click.option("--title", default="", help="What is wrong, in one line.")
@click.option("--severity", default="", help="sev1 to sev4, or as your configuration has them.")
@click.option("--reason", default="", help="Why it is declared.")
@click.option("--service", default="", help="What is affected.")
@click.option("--team", "teams", multiple=True, help="A team to bring in; repeat it.")
@click.option("--page", default="", help="The escalation policy to page; `default` if not said.")
@click.option("--drill", is_flag=True, help="An exercise: only people who take part in drills are paged.")
@asks(acts=True)
def declare(
    daemon: Daemon, *, hold: str | None, title: str, severity: str, reason: str, service: str, teams: tuple[str, ...],
    page: str, drill: bool,
) -> None:  # fmt: skip
    """Declare an incident: a hold now, or a new one with --title and --severity."""
    new: dict[str, Any] = {"title": title, "severity": severity, "service": service, "teams": list(teams), "page": page}
    new |= {"drill": True} if drill else {}
    if hold is not None:
        if any(new.values()):
            raise click.UsageError("a hold has its title, severity and teams already; give only --reason with it")
        done = daemon.post(f"/api/v1/holds/{segment(hold)}/declare", reason=reason)
    elif not title or not severity:
        raise click.UsageError("give a hold (HOLD-7), or --title and --severity")
    else:
        done = daemon.post("/api/v1/incidents", reason=reason, **new)
    printed(daemon, done, f"{done['id']} {done['severity']} is declared: {plain(done['title'])}\n{done['url']}")


@click.command()
@click.argument("subject", metavar="SUBJECT")
@click.argument("text")
@click.option("--customer", is_flag=True, help="A customer noticed it; that declares a hold.")
@asks(acts=True)
def note(daemon: Daemon, subject: str, text: str, *, customer: bool) -> None:
    """Write TEXT on the timeline of SUBJECT, a hold (HOLD-7) or an incident (INC-12)."""
    if customer and not _is_hold(subject):
        raise click.UsageError("--customer goes with a hold; an incident is declared already")
    kind = "holds" if _is_hold(subject) else "incidents"
    done = daemon.post(f"/api/v1/{kind}/{segment(subject)}/note", text=text, **({"customer": True} if customer else {}))
    part = f", of which {done['from']} is part now" if "from" in done else ""
    printed(daemon, done, f"noted on {done['subject']}{part}")


@click.command()
@click.argument("hold", metavar="HOLD-7")
@click.argument("text")
@asks(acts=True)
def progress(daemon: Daemon, hold: str, text: str) -> None:
    """Note progress on a hold: what was found, what is done, what comes next. A few notes in a row restart its wait."""
    done = daemon.post(f"/api/v1/holds/{segment(hold)}/note", text=text)
    now = daemon.get(f"/api/v1/holds/{segment(hold)}")
    at = f"; it declares at {now['deadline_at']} unless there is more" if now["state"] == "holding" else ""
    printed(daemon, now, f"noted on {done['subject']}{at}")


@click.command()
@click.argument("hold", metavar="HOLD-7")
@click.option("--for", "length", required=True, help="How much more time: 30m. At most the rule's hard_cap, and once.")
@click.option("--reason", required=True, help="Why it needs more time.")
@click.option("--approved-by", "approver", required=True, help="Who approved it; not the one who asks.")
@asks(acts=True)
def extend(daemon: Daemon, hold: str, *, length: str, reason: str, approver: str) -> None:
    """Give a hold more time, once, with somebody's approval."""
    path = f"/api/v1/holds/{segment(hold)}/extend"
    done = daemon.post(path, length=length, reason=reason, approver=approver)
    printed(daemon, done, f"{done['id']} declares at {done['deadline_at']}, at the latest at {done['cap_at']}")


@click.command("stand-down")
@click.argument("subject", metavar="HOLD-7|INC-12")
@click.option("--reason", default="", help="Why this is no incident, in words; a hold needs it.")
@click.option("--code", type=click.Choice([code.value for code in StandDown]), help="Why an incident was none.")
@version_seen
@asks(acts=True)
def stand_down(
    daemon: Daemon, subject: str, *, reason: str, code: str | None, expected_version: int | None
) -> None:  # fmt: skip
    """End a hold without an incident; or call an incident off, which gives the all-clear."""
    if not _is_hold(subject):
        stand_down_incident(daemon, subject, code=code or "", text=reason, expected_version=expected_version)
        return
    if not reason or code or expected_version:
        raise click.UsageError("a hold is stood down with --reason, and without --code and --version")
    done = daemon.post(f"/api/v1/holds/{segment(subject)}/stand-down", reason=reason)
    printed(daemon, done, f"{done['id']} is stood down: {plain(done['title'])}")


@click.command()
@click.argument("run", metavar="RUN-3")
@click.argument("answer", required=False, default="")
@asks(acts=True)
def approve(daemon: Daemon, run: str, answer: str) -> None:
    """Let a proposed playbook run begin, or give one that asks its ANSWER, such as `yes` or `no`."""
    done = daemon.post(f"/api/v1/runs/{segment(run)}/approve", **({"answer": answer} if answer else {}))
    did = f"{done['id']} was answered {plain(answer)!r}" if answer else f"{done['id']} is {done['state']}"
    printed(daemon, done, f"{did}: {done['playbook']} on {plain(done['target'])}")

"""Postmortems as living things, on each store: written together, reviewed, published, corrected, reminded of."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import update

from incidentd.actionitems import ActionItem, ItemState
from incidentd.engine import closing, commands, learning, lifecycle, merging, postmortems, records
from incidentd.engine.postmortems import Asked, Plan, clock
from incidentd.errors import BadRequest, Conflict, NotAllowed, NotFound
from incidentd.holds import HoldPolicy
from incidentd.incidents import Status
from incidentd.postmortem import ALL_POINTS, Gate, State, check, passes
from incidentd.records import SectionName
from incidentd.rules import CATCH_ALL
from incidentd.store import jobs, things, views
from incidentd.store import postmortems as stored
from incidentd.store.tables import postmortem, timeline
from incidentd.timeline import first_broken
from tests.engine.postmortem_story import ANA, BEN, CHO, DIA, ELI, FAY, PEOPLE, WORDS, over, written
from tests.engine.test_holds_and_incidents import QUIETLY
from tests.engine.test_lifecycle import refused, sample
from tests.engine.world import Making, World, make_world, minutes


async def text(w: World) -> str:
    found: str = (await w.store.read(views.postmortem, 1))["markdown"]
    return found


async def standing(w: World) -> dict[str, Any]:
    return await w.store.read(postmortems.standing, w.settings, 1)


async def missing(w: World) -> list[str]:
    return [one["gate"] for one in (await standing(w))["missing"]]


def asked(actor: Any = ANA, **more: Any) -> Asked:
    return Asked(actor=actor, **more)


async def reviewed(w: World) -> None:
    """Take INC-1's postmortem from its draft to its review's end."""
    await written(w)
    await w.do(postmortems.go, 1, State.IN_REVIEW, asked=asked())
    await w.do(postmortems.approve, 1, actor=CHO, points=ALL_POINTS)
    await w.do(postmortems.assign, 1, Plan(meeting_held=True), actor=ANA)
    await w.do(postmortems.approve, 1, actor=ELI, points=("data",))


async def published(w: World) -> None:
    await reviewed(w)
    await item(w, priority="P1")
    await w.do(closing.publish, 1, asked=asked(BEN))


async def item(w: World, *, priority: str = "P2", state: ItemState = ItemState.OPEN, key: str = "") -> ActionItem:
    new = ActionItem(
        id=0, uuid=f"u-{priority}-{state}", subject="INC-1", title="Refuse it", priority=priority, state=state,
        created_at=w.now, jira_key=key,
    )  # fmt: skip
    return await w.store.write(things.insert_item, new)


# -- written together -------------------------------------------------------------------------------------------------


async def test_a_piece_has_versions_and_the_draft_is_the_first(world: Making) -> None:
    w = await over(world)
    before = await text(w)
    done = await w.do(postmortems.edit, 1, "summary", text=WORDS["summary"], actor=ANA, expected_version=1)
    assert (done.version, done.by) == (2, "ana")
    assert WORDS["summary"] in await text(w)
    first, second = await w.store.read(postmortems.history, w.settings, 1, "Executive summary")
    assert first["text"] in before
    assert (first["by"], second["by"], second["text"]) == ("incidentd", "ana", WORDS["summary"])
    assert "ana writes summary of the postmortem, version 2." in await w.story("INC-1")
    assert first_broken(await w.entries("INC-1")) is None


async def test_of_two_editors_the_second_is_told_what_changed_and_by_whom(world: Making) -> None:
    w = await over(world)
    both = await asyncio.gather(
        *(
            w.store.write(
                postmortems.edit, w.settings, 1, "lucky", text=f"It was night, says {who.name}.", actor=who,
                expected_version=1,
            )
            for who in (ANA, BEN)
        ),
        return_exceptions=True,
    )  # fmt: skip
    [lost] = [one for one in both if isinstance(one, Conflict)]
    [won] = [one for one in both if not isinstance(one, BaseException)]
    assert f"changed meanwhile (version 2): 14:12:00 UTC: {won.by} writes lucky" in str(lost)
    assert f"says {won.by}." in await text(w)
    assert "has only 2 versions" in await refused(
        w, postmortems.edit, 1, "lucky", text="x", actor=ANA, expected_version=9
    )
    assert "says that already" in await refused(w, postmortems.edit, 1, "lucky", text=won.text, actor=ANA)


@pytest.mark.parametrize(
    ("name", "words", "why"),
    [
        ("timeline", "| x |", "incidentd writes timeline itself"),
        ("summary", " \n", "is empty"),
        ("summary", "x" * 50_001, "the most is 50000"),
        ("well", "fine\n## Timeline\nmine", "line 2 of `well` is a heading, 'Timeline'"),
        ("well", "```\nno end", "is not closed; end it with the marks"),
        ("well", "<!-- hidden", "a comment in `well` is not closed"),
        ("trigger", "ghosts", "`trigger` is one of binary_push"),
        ("cause_class", "ghosts", "`cause_class` is one of software"),
        ("faulty_service", 'a"\nx: y', "`faulty_service` is a name"),
    ],
)
async def test_a_text_that_would_break_the_others_is_refused(
    world: Making, name: str, words: str, why: str
) -> None:  # fmt: skip
    w = await over(world)
    assert why in await refused(w, postmortems.edit, 1, name, text=words, actor=ANA, error=BadRequest)


async def test_what_is_not_there_is_not_found(world: Making) -> None:
    w = await over(world)
    said = await refused(w, postmortems.edit, 1, "poem", text="x", actor=ANA, error=NotFound)
    assert "people write people, summary" in said
    assert "INC-2" in await refused(w, postmortems.edit, 2, "summary", text="x", actor=ANA, error=NotFound)
    assert "no comment 7" in await refused(w, postmortems.resolve_comment, 1, 7, actor=ANA, error=NotFound)


async def test_the_head_says_what_people_say_of_it(world: Making) -> None:
    w = await over(world)
    await w.do(postmortems.edit, 1, "trigger", text="config_push", actor=ANA)
    await w.do(postmortems.edit, 1, "faulty-service", text="pool", actor=ANA)
    head = (await text(w)).split("---")[1]
    assert "\ntrigger: config_push\n" in head
    assert "\nfaulty_service: pool\n" in head
    assert "\nstatus: draft\n" in head


async def test_what_is_recorded_is_refreshed_and_what_people_wrote_stays_through_a_reopening(world: Making) -> None:
    w = await over(world)
    await w.do(postmortems.edit, 1, "well", text="The rollback was quick.", actor=ANA)
    await w.do(commands.add_note, "INC-1", actor=BEN, text="the pool was full again at noon")
    await w.do(postmortems.edit, 1, "lucky", text="It was night.", actor=BEN)
    assert "the pool was full again at noon" in await text(w)

    await w.at(60)
    await w.do(lifecycle.reopen, 1, actor=ANA, reason="not over")
    await w.at(70)
    await w.do(lifecycle.resolve, 1, actor=ANA, note="really over")
    now = await text(w)
    assert "The rollback was quick." in now
    assert "really over" in now
    assert (await standing(w))["due_at"] == "2026-11-27T15:10:00Z"


async def test_a_postmortem_does_not_tell_of_itself(world: Making) -> None:
    w = await over(world)
    await written(w)
    now = await text(w)
    assert "writes summary of the postmortem" not in now
    assert "is yours: CheckoutDown" not in now


async def test_comments_are_open_until_they_are_resolved(world: Making) -> None:
    w = await over(world)
    made = await w.do(postmortems.comment, 1, section="causes", text="Is that all?", actor=CHO)
    await w.do(postmortems.comment, 1, section="timeline", text="A row is late.", actor=CHO)
    assert (made.number, made.section, made.open) == (1, "causes", True)
    done = await w.do(postmortems.resolve_comment, 1, 1, answer="Two more.", actor=ANA)
    assert (done.open, done.resolved_by, done.answer) == (False, "ana", "Two more.")
    assert "was resolved by ana" in await refused(w, postmortems.resolve_comment, 1, 1, actor=BEN)
    assert [one["open"] for one in (await standing(w))["comments"]] == [False, True]
    assert "is empty" in await refused(
        w, postmortems.comment, 1, section="causes", text=" ", actor=CHO, error=BadRequest
    )


async def test_a_draft_of_before_is_taken_over_as_its_first_version(world: Making) -> None:
    w = await over(world)
    await w.store.write(lambda tx: tx.conn.execute(update(postmortem).values(body={}, version=1)))
    before = await text(w)
    await w.do(postmortems.edit, 1, "issue", text=WORDS["issue"], actor=ANA)
    first, second = await w.store.read(postmortems.history, w.settings, 1, "issue")
    assert first["text"] in before
    assert second["version"] == 2
    assert (await standing(w))["state"] is State.DRAFT


# -- planned ----------------------------------------------------------------------------------------------------------


async def test_one_person_owns_it_and_others_facilitate_and_review(world: Making) -> None:
    w = await over(world)
    plan = Plan(owner="ben", facilitator="fay", reviewers=("cho", "dia"), due_at=w.now + timedelta(days=2))
    it = await w.do(postmortems.assign, 1, plan, actor=ANA)
    assert (it.owner, it.facilitator, it.reviewers) == ("ben", "fay", ("cho", "dia"))
    now = await text(w)
    assert "| Owner | ben |" in now
    assert "| Reviewers | cho, dia |" in now
    it = await w.do(postmortems.assign, 1, Plan(without=("dia",)), actor=ANA)
    assert it.reviewers == ("cho",)
    for wrong, why in (
        (Plan(owner="zed"), "nobody called 'zed'"),
        (Plan(facilitator="ana"), "ana had a part in INC-1"),
        (Plan(reviewers=("ben",)), "ben owns it"),
        (Plan(without=("eli",)), "eli does not review it"),
        (Plan(due_at=w.now), "the date is to come"),
        (Plan(meeting_at=w.now + timedelta(hours=23)), "choose a time from 2026-11-25 14:12:00 UTC on"),
    ):
        assert why in await refused(w, postmortems.assign, 1, wrong, actor=ANA, error=BadRequest)
    assert "nothing of the postmortem" in await refused(w, postmortems.assign, 1, Plan(owner="ben"), actor=ANA)
    assert "you saw version 1" in await refused(
        w, postmortems.assign, 1, Plan(owner="ana"), actor=ANA, expected_version=1
    )


async def test_reviewers_have_a_copy_a_day_before_the_meeting_even_of_a_draft(world: Making) -> None:
    w = await over(world)
    plan = Plan(reviewers=("cho",), facilitator="fay", meeting_at=w.now + timedelta(hours=30))
    await w.do(postmortems.assign, 1, plan, actor=ANA)
    await w.at(12 + 6 * 60 - 1)
    assert not copies(w)
    await w.at(12 + 6 * 60)
    assert copies(w) == ["cho/mail", "fay/mail"]
    await w.at(12 + 9 * 60)
    assert copies(w) == ["cho/mail", "fay/mail"]


def copies(w: World) -> list[str]:
    return sorted(one.channel for one in w.post.sent if one.title.startswith("Please review"))


# -- the way to publication -------------------------------------------------------------------------------------------


async def test_a_draft_goes_to_review_only_when_it_is_filled_in_and_owned(world: Making) -> None:
    w = await over(world)
    said = await refused(w, postmortems.go, 1, State.IN_REVIEW, asked=asked())
    assert "cannot become in_review yet" in said
    assert "unfilled" in said
    await written(w)
    assert passes(check(await text(w)))
    it = await w.do(postmortems.go, 1, State.IN_REVIEW, asked=asked())
    assert it.state is State.IN_REVIEW
    assert "\nstatus: in_review\n" in await text(w)
    assert copies(w) == ["cho/mail", "eli/mail", "fay/mail"]
    assert "it cannot become published (from here: reviewed, draft)" in await refused(
        w, closing.publish, 1, asked=asked()
    )


@pytest.mark.slow
async def test_a_review_asks_for_two_of_whom_one_is_of_another_team_a_day_and_every_point(world: Making) -> None:
    w = await over(world)
    await written(w)
    await w.do(postmortems.go, 1, State.IN_REVIEW, asked=asked())
    await w.do(postmortems.comment, 1, section="causes", text="Is that all?", actor=CHO)
    assert await missing(w) == ["approvals", "outside", "time", "comments", *["checklist"] * 5]
    assert "ana owns the postmortem" in await refused(w, postmortems.approve, 1, actor=ANA)
    assert "no 'luck' on the checklist" in await refused(
        w, postmortems.approve, 1, actor=BEN, points=("luck",), error=BadRequest
    )
    await w.do(postmortems.approve, 1, actor=BEN, points=("data", "impact"))
    assert "approved it already" in await refused(w, postmortems.approve, 1, actor=BEN)
    assert await missing(w) == ["approvals", "outside", "time", "comments", *["checklist"] * 3]  # ben is of the shop
    await w.do(postmortems.approve, 1, actor=DIA, points=("cause", "plan", "shared"))
    assert await missing(w) == ["time", "comments"]
    await w.do(postmortems.resolve_comment, 1, 1, actor=ANA)
    await w.at(12 + 24 * 60)
    assert (await standing(w))["state"] is State.REVIEWED
    assert "incidentd says that the postmortem is reviewed." in await w.story("INC-1")


async def test_an_owner_is_told_what_a_review_lacks_once_its_day_is_over(world: Making) -> None:
    w = await over(world)
    await written(w)
    await w.do(postmortems.go, 1, State.IN_REVIEW, asked=asked())
    await w.do(postmortems.approve, 1, actor=CHO, points=ALL_POINTS)
    await w.at(12 + 24 * 60)
    assert (await standing(w))["state"] is State.IN_REVIEW
    [told] = [one for one in w.post.sent if "had its time for review" in one.title]
    assert (told.channel, "approvals: it has 1 approval (cho) of 2" in told.body) == ("ana/mail", True)
    await w.do(postmortems.approve, 1, actor=BEN)
    it = await w.do(postmortems.go, 1, State.DRAFT, asked=asked(CHO, reason="a cause is missing"))
    assert it.state is State.DRAFT


async def test_what_was_pruned_is_not_lost_from_a_draft(world: Making) -> None:
    w = await over(world)
    before = await text(w)
    await w.store.write(lambda tx: tx.conn.execute(timeline.delete()))
    await w.do(postmortems.edit, 1, "lucky", text="It was night.", actor=ANA)
    now = await text(w)
    assert now.split("## Timeline")[1] == before.split("## Timeline")[1]
    assert "It was night." in now


@pytest.mark.slow
async def test_the_last_approval_ends_the_review_and_a_held_meeting_takes_the_place_of_a_day(world: Making) -> None:
    w = await over(world)
    await reviewed(w)
    assert (await standing(w))["state"] is State.REVIEWED
    assert "is reviewed; return it to change its text" in await refused(
        w, postmortems.edit, 1, "lucky", text="x", actor=ANA
    )
    assert "return it, or correct" in await refused(w, postmortems.comment, 1, section="lucky", text="x", actor=ANA)
    assert "say why it is returned" in await refused(
        w, postmortems.go, 1, State.DRAFT, asked=asked(CHO), error=BadRequest
    )
    it = await w.do(postmortems.go, 1, State.DRAFT, asked=asked(CHO, reason="a cause is missing"))
    assert (it.state, it.approvals, it.met_at) == (State.DRAFT, (), None)


async def test_what_was_approved_counts_no_more_once_the_text_is_another(world: Making) -> None:
    w = await over(world)
    await written(w)
    await w.do(postmortems.go, 1, State.IN_REVIEW, asked=asked())
    await w.do(postmortems.approve, 1, actor=CHO, points=ALL_POINTS)
    await w.do(postmortems.edit, 1, "lucky", text="The release was small.", actor=ANA)
    assert (await standing(w))["approvals"] == []
    assert "What cho approved was another text, so it counts no more." in await w.story("INC-1")


async def test_an_approval_counts_no_more_once_its_giver_owns_the_postmortem(world: Making) -> None:
    w = await over(world)
    await written(w)
    await w.do(postmortems.go, 1, State.IN_REVIEW, asked=asked())
    await w.do(postmortems.approve, 1, actor=BEN, points=("data", "impact"))
    await w.do(postmortems.assign, 1, Plan(owner="ben", meeting_held=True), actor=ANA)
    await w.do(postmortems.approve, 1, actor=CHO, points=("cause", "plan", "shared"))
    assert await missing(w) == ["approvals", "checklist", "checklist"]
    await w.do(postmortems.approve, 1, actor=ANA, points=("data", "impact"))
    assert (await standing(w))["state"] is State.REVIEWED


@pytest.mark.slow
async def test_publishing_waits_for_items_that_are_decided_and_for_one_that_is_urgent(world: Making) -> None:
    w = await over(world)
    await reviewed(w)
    proposed = await item(w, state=ItemState.PROPOSED)
    assert await missing(w) == ["items", "priority"]
    await w.store.write(things.save_item, replace(proposed, state=ItemState.DECLINED))
    assert await missing(w) == ["priority"]
    for who, error, why in ((ANA, NotAllowed, "ben, dia may"), (CHO, NotAllowed, "ben, dia may")):
        said = await refused(
            w, closing.publish, 1, error=error, asked=asked(who, excepted=(Gate.PRIORITY,), reason="it cannot recur")
        )
        assert why in said
    assert "there is no exception" in await refused(
        w, closing.publish, 1, error=BadRequest, asked=asked(BEN, excepted=(Gate.ITEMS,), reason="x")
    )
    assert "an exception says why" in await refused(
        w, closing.publish, 1, error=BadRequest, asked=asked(BEN, excepted=(Gate.PRIORITY,))
    )
    it = await w.do(closing.publish, 1, asked=asked(BEN, excepted=(Gate.PRIORITY,), reason="it cannot recur"))
    assert (it.state, it.edition) == (State.PUBLISHED, 1)
    assert [(one.gate, one.by, one.reason) for one in it.waivers] == [(Gate.PRIORITY, "ben", "it cannot recur")]
    assert any("makes an exception from priority" in one for one in await w.story("INC-1"))


@pytest.mark.slow
async def test_what_is_published_stays_closes_its_incident_and_is_corrected_by_a_new_version(world: Making) -> None:
    w = await over(world)
    await w.at(12 + 2 * 24 * 60)
    await published(w)
    first = await text(w)
    assert "\nstatus: published\n" in first
    assert (await w.incident()).status is Status.CLOSED
    assert sample(w, "postmortem_time_to_publish_seconds_sum", severity="sev1") == 2 * 86400
    assert sample(w, "postmortem_language_findings_total", rule="outage") == 0

    assert "a correction of lucky says why" in await refused(
        w, postmortems.edit, 1, "lucky", text="It was Sunday.", actor=ANA, error=BadRequest
    )
    assert "cannot be published" in await refused(
        w, postmortems.edit, 1, "lucky", text="ana ignored it.", actor=ANA, reason="more", error=BadRequest
    )
    await w.do(postmortems.edit, 1, "lucky", text="It was Sunday.", actor=DIA, reason="the day was wrong")
    kept = await w.store.read(lambda tx: stored.editions(tx, stored.get(tx, 1)))
    assert [(one.version, one.by, one.reason) for one in kept] == [
        (1, "ben", ""), (2, "dia", "the day was wrong"),
    ]  # fmt: skip
    assert kept[0].markdown == first
    assert "It was Sunday." in kept[1].markdown == await text(w)
    assert "nothing left to plan" in await refused(w, postmortems.assign, 1, Plan(owner="ben"), actor=ANA)


async def test_a_table_of_what_came_before_is_corrected_after_publication(world: Making) -> None:
    w = await over(world)
    await published(w)
    first = await text(w)
    corrected = WORDS["before"].replace("13:50:00", "13:40:00")
    await w.do(postmortems.edit, 1, "before", text=corrected, actor=DIA, reason="the time was wrong")
    assert await text(w) == first.replace(WORDS["before"], corrected)
    assert WORDS["before"] in first


async def test_it_is_closed_once_somebody_says_where_the_external_message_is(world: Making) -> None:
    w = await over(world)
    await published(w)
    assert await missing(w) == ["external"]
    assert "external: nobody said" in await refused(w, postmortems.go, 1, State.CLOSED, asked=asked())
    it = await w.do(postmortems.go, 1, State.CLOSED, asked=asked(external="none: nobody outside was hurt"))
    assert (it.state, it.external) == (State.CLOSED, "none: nobody outside was hurt")
    assert "(from here: none)" in await refused(w, postmortems.go, 1, State.DRAFT, asked=asked(reason="x"))


async def test_a_change_in_production_keeps_the_incident_open_though_it_is_published(world: Making) -> None:
    w = await over(world)
    await w.do(records.add_change, 1, what="rate limit off", actor=ANA)
    await published(w)
    assert (await w.incident()).status is Status.POSTMORTEM
    assert any("stays open although its postmortem is published" in one for one in await w.story("INC-1"))


async def test_of_two_who_publish_at_once_one_does_and_one_version_is_kept(world: Making) -> None:
    w = await over(world)
    await reviewed(w)
    await item(w, priority="P0")
    seen = (await standing(w))["version"]
    both = await asyncio.gather(
        *(w.store.write(closing.publish, w.settings, 1, asked=asked(who, expected_version=seen)) for who in (ANA, BEN)),
        return_exceptions=True,
    )
    [lost] = [one for one in both if isinstance(one, Conflict)]
    assert "was changed meanwhile" in str(lost)
    assert len(await w.store.read(lambda tx: stored.editions(tx, stored.get(tx, 1)))) == 1


@pytest.mark.slow
async def test_a_postmortem_stays_a_draft_while_its_reopened_incident_goes_on(world: Making) -> None:
    w = await over(world)
    await reviewed(w)
    await item(w, priority="P1")
    await w.at(30)
    await w.do(lifecycle.reopen, 1, actor=ANA, reason="not over")
    for to in (State.IN_REVIEW, State.REVIEWED, State.CLOSED):
        said = await refused(w, postmortems.go, 1, to, asked=asked(external="none"))
        assert said == (
            "INC-1 goes on, it is investigating; its postmortem stays a draft until the incident is over: "
            "incidentd resolve INC-1"
        )
    assert "INC-1 goes on" in await refused(w, closing.publish, 1, asked=asked())
    await w.do(postmortems.edit, 1, "lucky", text="It was Sunday.", actor=ANA)
    assert (await standing(w))["state"] is State.DRAFT

    await w.at(60)
    await w.do(lifecycle.resolve, 1, actor=ANA)
    assert (await w.do(postmortems.go, 1, State.IN_REVIEW, asked=asked())).state is State.IN_REVIEW


async def test_each_finding_of_the_language_is_counted_as_it_goes_to_review(world: Making) -> None:
    w = await over(world)
    await written(w)
    await w.do(postmortems.edit, 1, "lucky", text="The outage could have been longer.", actor=ANA)
    await w.do(postmortems.go, 1, State.IN_REVIEW, asked=asked())
    assert sample(w, "postmortem_language_findings_total", rule="outage") == 1
    assert sample(w, "postmortem_language_findings_total", rule="counterfactual") == 1


# -- required, and by when --------------------------------------------------------------------------------------------


async def test_anybody_may_ask_for_one_while_it_goes_on_and_after(world: Making) -> None:
    w = await world(PEOPLE)
    await w.do(commands.declare_incident, actor=ANA, title="Odd", severity="sev3")
    assert await w.do(learning.request, 1, actor=FAY, reason="it was close") is None
    await w.at(5)
    await w.do(lifecycle.resolve, 1, actor=ANA, admin=True)
    assert (await w.incident()).status is Status.POSTMORTEM
    assert (await standing(w))["required"] == ["fay asked for it: it was close"]
    assert (await standing(w))["due_at"] == "2026-12-01T14:05:00Z"  # five business days

    assert "no reason 'luck'" in await refused(
        w, learning.request, 1, actor=FAY, reason="x", because="luck", error=BadRequest
    )
    await w.do(learning.request, 1, actor=CHO, reason="rows are gone", because="data_loss")
    assert len((await standing(w))["required"]) == 2


async def test_what_was_stood_down_gets_a_full_one_when_somebody_asks(world: Making) -> None:
    w = await world(PEOPLE)
    await w.send(w.firing("CheckoutDown", service="shop"))
    await w.do(lifecycle.stand_down, 1, actor=ANA, code="false_positive", admin=True)
    assert (await text(w)).startswith("# Quick review")
    it = await w.do(learning.request, 1, actor=FAY, reason="it was none?")
    assert it is not None
    assert "## Executive summary" in await text(w)
    assert (await standing(w))["quick"] is False


async def test_a_quick_review_becomes_a_draft_once_it_was_something_after_all(world: Making) -> None:
    w = await world(PEOPLE)
    await w.do(commands.declare_incident, actor=ANA, title="Odd", severity="sev3")
    await w.do(lifecycle.stand_down, 1, actor=ANA, code="false_positive", admin=True)
    await w.do(postmortems.edit, 1, "review", text="A probe was wrong.", actor=ANA)
    await w.at(5)
    await w.do(lifecycle.reopen, 1, actor=ANA, reason="it was none", admin=True)
    await w.at(9)
    await w.do(lifecycle.resolve, 1, actor=ANA, admin=True)
    await w.do(postmortems.edit, 1, "lucky", text="It was night.", actor=ANA)
    now = await text(w)
    assert "## Executive summary" in now
    assert "## Quick review: INC-1 Odd\n\nA probe was wrong." in now


async def test_a_quick_review_is_published_with_one_approval_and_no_wait(world: Making) -> None:
    w = await world(PEOPLE)
    await w.send(w.firing("CheckoutDown", service="shop"))
    await w.do(commands.ack_page, 1, by="ana", actor=ANA)
    await w.do(lifecycle.stand_down, 1, actor=ANA, code="false_positive")
    words = "| Question | Answer |\n|---|---|\n| What fired | CheckoutDown |\n| Owner | ana |"
    await w.do(postmortems.edit, 1, "review", text=words, actor=ANA)
    await w.do(postmortems.go, 1, State.IN_REVIEW, asked=asked())
    await w.do(postmortems.approve, 1, actor=BEN)
    assert (await standing(w))["state"] is State.REVIEWED
    await w.do(closing.publish, 1, asked=asked(BEN))
    assert (await standing(w))["state"] is State.PUBLISHED


async def test_what_takes_long_and_needs_hands_on_production_needs_one_whatever_its_severity(world: Making) -> None:
    w = await world(PEOPLE)
    await w.do(commands.declare_incident, actor=ANA, title="Odd", severity="sev3")
    await w.do(records.add_change, 1, what="rolled back", actor=ANA)
    await w.at(61)
    await w.do(lifecycle.resolve, 1, actor=ANA, admin=True)
    said = "A postmortem is required, since people changed production (C1); it took 1h1m, more than 1h"
    assert any(one.startswith(said) for one in await w.story("INC-1"))
    assert (await w.incident()).status is Status.POSTMORTEM


async def test_what_was_held_twice_needs_one_however_late_its_draft_is_made_again(world: Making) -> None:
    w = await world(replace(PEOPLE, rules=(replace(QUIETLY, hold=HoldPolicy(hard_cap=minutes(40))), CATCH_ALL)))
    for number, begins in ((1, 0), (2, 200)):
        await w.at(begins)
        await w.send(w.firing(since=begins))
        await w.at(begins + 25)
        await w.do(commands.add_note, f"HOLD-{number}", actor=ANA, text="on it")
        await w.at(begins + 40)
        await w.do(lifecycle.resolve, number, actor=ANA, admin=True)
        await w.send(w.resolved())
    needed = ("2 holds of it ended by the hard cap or flapping within 7d",)

    async def required() -> list[tuple[str, ...]]:
        found = [await w.store.read(stored.get, number) for number in (1, 2)]
        assert [one.quick for one in found] == [not one.required for one in found]
        return [one.required for one in found]

    assert await required() == [(), needed]
    for days in (1, 9):  # what is written down afterwards has it drafted again
        await w.at(days * 24 * 60)
        for number in (1, 2):
            text = f"3% of all orders failed, as known after {days}d"
            await w.do(records.write_section, number, SectionName.IMPACT, text=text, actor=ANA)
        await w.at(days * 24 * 60 + 1)
        assert await required() == [(), needed]
    assert [(await w.incident(number)).status for number in (1, 2)] == [Status.RESOLVED, Status.POSTMORTEM]


async def test_a_drill_needs_none_has_no_clock_and_is_in_no_metric(world: Making) -> None:
    w = await world(PEOPLE)
    await w.do(commands.declare_incident, actor=ANA, title="Exercise", severity="sev1", drill=True)
    await w.at(90)
    await w.do(lifecycle.resolve, 1, actor=ANA, admin=True)
    assert (await standing(w))["required"] == []
    assert (await standing(w))["due_at"] is None
    counts = await w.store.read(views.state_counts)
    assert (counts.postmortems, counts.postmortems_overdue) == ({}, {})


# -- the clock --------------------------------------------------------------------------------------------------------


def reminders(w: World) -> list[tuple[str, str]]:
    """Whom which reminder reached, in order."""
    return [(one.channel.partition("/")[0], one.title) for one in w.post.sent if " due " in one.title]


async def test_reminders_come_at_half_the_time_at_its_end_and_daily_to_more_and_more_people(world: Making) -> None:
    w = await over(world, replace(PEOPLE, postmortems=replace(PEOPLE.postmortems, manager="fay")))
    await w.do(postmortems.assign, 1, Plan(owner="ben"), actor=ANA)
    day = 24 * 60
    expected = [
        (1.5, ["ben"]), (3, ["ben"]), (4, ["ben"]), (5, ["ben", "ana"]), (6, ["ben", "ana"]), (7, ["ben", "ana"]),
        (8, ["ben", "ana", "fay"]), (9, ["ben", "ana", "fay"]),
    ]  # fmt: skip
    for days, people in expected:
        before = len(reminders(w))
        await w.at(12 + days * day - 1)
        assert reminders(w)[before:] == []
        await w.at(12 + days * day)
        assert sorted(who for who, _ in reminders(w)[before:]) == sorted(people), days
    counts = await w.store.read(views.state_counts)
    assert counts.postmortems_overdue == {"sev1": 1}
    assert any("The postmortem was due 2d ago. Reminded: ben, ana." in one for one in await w.story("INC-1"))


async def test_a_restart_between_reminders_sends_none_twice_and_a_long_stop_sends_one(
    world: Making, store_url: str
) -> None:
    w = await over(world)
    await w.at(12 + 36 * 60)
    assert len(reminders(w)) == 1
    await w.store.close()
    again = await make_world(store_url, PEOPLE, clock=[w.now])
    again.start = w.start
    try:
        await again.settle()
        assert reminders(again) == []
        again.clock[0] = w.start + timedelta(days=7, minutes=12)  # nothing ran for days
        await again.settle()
        assert [who for who, _ in reminders(again)] == ["ana"]
        await again.until(w.start + timedelta(days=8, minutes=11))
        assert len(reminders(again)) == 1
        await again.until(w.start + timedelta(days=8, minutes=12))
        assert [who for who, _ in reminders(again)] == ["ana", "ana", "ben"]  # the lead of ana's team learns of it now
    finally:
        await again.store.close()


async def test_nobody_is_reminded_of_what_is_published_or_goes_on(world: Making) -> None:
    w = await over(world)
    await published(w)
    await w.at(10 * 24 * 60)
    assert reminders(w) == []
    assert (await standing(w))["reminders"] == 0


@pytest.mark.slow
async def test_a_reopened_incident_has_no_clock_until_it_is_over_again(world: Making) -> None:
    w = await over(world)
    await w.at(30)
    await w.do(lifecycle.reopen, 1, actor=ANA, reason="not over")
    await w.at(3 * 24 * 60)
    assert reminders(w) == []


async def test_planning_starts_no_clock_while_a_reopened_incident_goes_on(world: Making) -> None:
    w = await over(world)
    await w.at(30)
    await w.do(lifecycle.reopen, 1, actor=ANA, reason="not over")
    await w.do(postmortems.assign, 1, Plan(owner="ben", due_at=w.now + timedelta(minutes=20)), actor=ANA)
    await w.at(60)
    assert reminders(w) == []
    await w.do(lifecycle.resolve, 1, actor=ANA)
    assert await w.store.read(jobs.live, "INC-1/postmortem/clock") is not None


async def test_a_clock_that_runs_already_reminds_nobody_while_the_incident_goes_on(world: Making) -> None:
    w = await over(world)
    await w.do(postmortems.assign, 1, Plan(due_at=w.now + timedelta(minutes=20)), actor=ANA)
    ended = await w.incident()
    await w.do(lifecycle.reopen, 1, actor=ANA, reason="not over")
    await w.store.write(lambda tx: clock.start(tx, ended, stored.get(tx, 1)))  # as one that began when nobody asked
    await w.at(45)
    assert reminders(w) == []


async def test_what_was_merged_into_another_is_never_late_and_nobody_is_reminded_of_it(world: Making) -> None:
    w = await over(world)
    await w.at(30)
    await w.do(lifecycle.reopen, 1, actor=ANA, reason="not over")
    await w.do(postmortems.assign, 1, Plan(due_at=w.now + timedelta(minutes=20)), actor=ANA)
    await w.do(commands.declare_incident, actor=BEN, title="Odd", severity="sev3")
    await w.at(55)
    [line] = await w.store.read(postmortems.listed)
    assert (line["incident"], line["overdue"]) == ("INC-1", True)
    assert (await w.store.read(views.state_counts)).postmortems_overdue == {"sev1": 1}

    await w.do(merging.merge, 1, into=2, actor=ANA, admin=True)
    [line] = await w.store.read(postmortems.listed)
    assert (line["state"], line["due_at"], line["overdue"]) == ("draft", "2026-11-24T14:50:00Z", False)
    assert (await w.store.read(views.state_counts)).postmortems_overdue == {}
    await w.do(postmortems.assign, 1, Plan(owner="ben", due_at=w.now + timedelta(minutes=10)), actor=ANA)
    await w.at(70)
    assert reminders(w) == []


async def test_reminders_may_be_switched_off_and_a_later_date_moves_them(world: Making) -> None:
    w = await over(world, replace(PEOPLE, postmortems=replace(PEOPLE.postmortems, remind=False)))
    await w.at(4 * 24 * 60)
    assert reminders(w) == []
    w.settings = PEOPLE
    await w.do(postmortems.assign, 1, Plan(due_at=w.now + timedelta(days=10)), actor=ANA)
    await w.at(9 * 24 * 60)
    assert len(reminders(w)) == 1

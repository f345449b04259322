"""A postmortem taken apart and put together: nothing is lost, and no text gets out of its place."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incidentd.errors import BadRequest, NotFound
from incidentd.postmortem import draft, find, fitting, joined, quick_review, split
from incidentd.postmortem.pieces import refreshed, said_in_head, with_head, with_people, with_text
from tests.unit import incident_facts as story
from tests.unit.markdown_checks import HOSTILE

DRAFT = draft(story.STORY, owner="ana", due=None)
GOOD = (Path(__file__).parents[1] / "data" / "postmortems" / "good.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "text", [DRAFT, draft(story.bare(), owner="", due=None), quick_review(story.bare(), owner="ana"), "# Why\n"]
)
def test_what_is_taken_apart_goes_together_again(text: str) -> None:
    assert joined(split(text)) == text


@pytest.mark.parametrize("value", HOSTILE)
def test_a_strangers_words_make_no_piece(value: str) -> None:
    text = draft(story.hostile(value), owner="ana", due=None)
    assert joined(split(text)) == text
    assert [it.name for it in split(text)] == [it.name for it in split(DRAFT)]


def test_pieces_have_short_names() -> None:
    names = [it.name for it in split(DRAFT) if not it.by_itself]
    assert names == [
        "people", "summary", "problem", "issue", "causes", "items", "well", "improve", "lucky", "feedback", "before",
        "glossary", "external",
    ]  # fmt: skip
    assert [it.name for it in split(quick_review(story.bare(), owner=""))] == ["review"]
    assert [it.name for it in split("# Why\n\nso")] == ["text"]


TABLE = "It began earlier.\n\n| Time | Event | Source link |\n|---|---|---|\n| 13:50 | The release began. | observed |"


@pytest.mark.parametrize("before", [TABLE, f"{TABLE}\n\n{TABLE}\n\nand more", "```\n| 13:50 | recorded |\n```"])
def test_a_table_above_what_was_recorded_is_peoples_own(before: str) -> None:
    recorded = find(split(DRAFT), "timeline").text
    text = joined(with_text(split(DRAFT), {"before": before}))
    assert joined(split(text)) == text
    assert (find(split(text), "before").text, find(split(text), "timeline").text) == (before, recorded)


@pytest.mark.parametrize("below", ["Times are UTC.", "| Zone | Town |\n|---|---|\n| UTC | - |"])
def test_what_a_layout_has_below_the_timeline_leaves_it_where_it_is(below: str) -> None:
    recorded = find(split(DRAFT), "timeline").text
    text = DRAFT.replace(recorded, f"{recorded}\n\n{below}")
    assert find(split(text), "timeline").text == f"{recorded}\n\n{below}"
    assert find(split(text), "before").text == find(split(DRAFT), "before").text


def test_a_template_of_ones_own_has_pieces_too_and_each_its_own_name() -> None:
    text = GOOD.replace(
        "## Lessons learned", "## What it cost\n\nmuch\n\n## What it cost\n\nmore\n\n## Lessons learned"
    )
    names = [it.name for it in split(text)]
    assert {"what-it-cost", "what-it-cost-2"} <= set(names)
    assert find(split(text), "What it cost").text == "much"


def test_a_piece_is_found_by_its_name_or_its_title() -> None:
    assert find(split(DRAFT), "Executive summary").name == "summary"
    assert find(split(DRAFT), "timeline").name == "timeline"
    assert find(split(DRAFT), "BEFORE").heading.startswith("## Timeline")
    with pytest.raises(NotFound, match="people write people, summary"):
        find(split(DRAFT), "poem")


def test_what_people_wrote_stays_in_a_fresh_draft_even_where_the_template_has_no_place_for_it_any_more() -> None:
    before = split(DRAFT.replace("## Lessons learned", "## Costs\n\nmuch\n\n## Lessons learned"))
    fresh = refreshed(split(DRAFT), {"costs": "more", "lucky": "night"}, before)
    text = joined(fresh)
    assert "## Costs\n\nmore\n\n## Supporting" in text
    assert find(fresh, "lucky").text == "night"
    assert "\n\nmuch\n" not in text


def test_the_head_says_one_word_or_a_quoted_name() -> None:
    pieces = with_head(split(DRAFT), {"trigger": "config_push", "faulty_service": r"mail \1 v2"})
    assert said_in_head(pieces, "trigger") == "config_push"
    assert said_in_head(pieces, "faulty_service") == r"mail \1 v2"
    assert said_in_head(pieces, "nothing") == ""


def test_people_are_named_harmlessly() -> None:
    pieces = with_people(split(DRAFT), authors=["a|b"], reviewers=["<b>", "cho"])
    text = find(pieces, "people").text
    assert "| Authors | a\\|b |" in text
    assert "| Reviewers | &lt;b&gt;, cho |" in text


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "is empty"), ("  \n \n", "is empty"), ("x" * 50_001, "the most is 50000"),
        ("# a", "line 1 of `well`"), ("a\n\n### b", "line 3 of `well`"), ("~~~\nx", "not closed"),
        ("a\n```sh\nx\n``", "not closed"), ("a <!-- b", "comment in `well` is not closed"),
    ],
)  # fmt: skip
def test_a_text_that_does_not_stay_in_its_place_is_refused(text: str, why: str) -> None:
    with pytest.raises(BadRequest, match=why):
        fitting("well", text)


@given(st.text(max_size=60) | st.text(alphabet="#`~<!->| \n\tab", max_size=60))
def test_whatever_fits_leaves_every_other_piece_as_it_is(text: str) -> None:
    try:
        text = fitting("well", text)
    except BadRequest:
        return
    before = split(DRAFT)
    after = split(joined(with_text(before, {"well": text})))
    assert [it.name for it in after] == [it.name for it in before]
    assert [it for it in after if it.name != "well"] == [it for it in before if it.name != "well"]


@pytest.mark.parametrize("text", ["a\n\n#### deeper\n\nb", "```\n# code\n```", "| a | b |\n|---|---|\n| 1 | 2 |"])
def test_headings_below_code_and_tables_fit(text: str) -> None:
    assert fitting("well", f"\n{text}\n") == text


def test_keys_of_the_head_have_their_words() -> None:
    assert fitting("trigger", " capacity ") == "capacity"
    assert fitting("faulty-service", "mail-api:v2") == "mail-api:v2"
    for name, text in (("trigger", "me"), ("cause_class", ""), ("faulty_service", 'a"'), ("faulty_service", "")):
        with pytest.raises(BadRequest, match="is "):
            fitting(name, text)

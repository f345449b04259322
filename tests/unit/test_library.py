"""The library's own words: how texts are read, what is looked for, how tags look and how a find is shown."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incidentd.errors import BadRequest
from incidentd.library import Term, asked, best_first, readable, snippet, tag_of, under, words
from tests.docs.night_page import DRAFT
from tests.unit.markdown_checks import HOSTILE


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Pay-5 & pay_6", ["pay", "5", "pay", "6"]), ("Größe, CAFÉ", ["grosse", "cafe"]), ("ﬁne ㎒", ["fine", "mhz"]),
        ("", []), ("\u202e\x00--", []), ("x" * 100, ["x" * 60]), ("日本 障害", ["日本", "障害"]),
    ],
)  # fmt: skip
def test_a_word_is_letters_and_digits(text: str, found: list[str]) -> None:
    assert words(text) == found


@given(st.text())
def test_words_are_the_same_when_they_are_read_again(text: str) -> None:
    assert words(" ".join(words(text))) == words(text)
    assert not any(set(word) & set("'\"\\:&|!()<>* ") for word in words(text))


def test_what_is_asked_is_beginnings_and_phrases() -> None:
    assert asked('pool "mail queue" pay-5 ... "').terms == (
        Term(words=("pool",), begins=True), Term(words=("mail", "queue"), begins=False),
        Term(words=("pay", "5"), begins=True),
    )  # fmt: skip
    assert len(asked("a b " * 500).terms) == 2
    assert len(asked(" ".join(f"w{n}" for n in range(400))).terms) == 16


@pytest.mark.parametrize(
    ("text", "needed"),
    [
        ("po pool", "pool"), ("pool po p", "pool"), ('pool "pool"', '"pool"'), ("ma the-mail-queue", "the-mail-queue"),
        ("pool pool", "pool"), ("pay-5 pay-50", "pay-5 pay-50"), ('"po" pool', '"po" pool'), ("a b", "a b"),
    ],
)  # fmt: skip
def test_what_a_text_has_anyway_is_not_looked_for(text: str, needed: str) -> None:
    assert asked(text).needed == asked(needed).terms


def test_the_text_of_a_postmortem_is_read_without_its_marks() -> None:
    text = readable(DRAFT.read_text())
    assert text.startswith("CheckoutErrors (checkout, prod): 42% of all payments fail\nDate and people\nWhat · Who")
    assert "2026-11-25 03:14:00 · ana has it; investigating. · recorded" in text
    assert not any(mark in text for mark in ("\\", "|", "---", "](", "**", "incident: INC-1"))
    assert readable("---\na: b\n---\n# T\n```\ncode | x\n```\n> said\n- one\n![Graph 1](https://x/y)") == (
        "T\ncode · x\nsaid\none\nGraph 1"
    )


@pytest.mark.parametrize("text", [*HOSTILE, "---\n" * 50_000, "[" * 50_000, "| " * 50_000, "\\" * 50_000, "`" * 50_000])
def test_a_text_of_any_kind_is_read_soon(text: str) -> None:
    readable(text).encode()


def test_a_snippet_shows_the_place_where_most_of_it_stands() -> None:
    body = "pool. " + "nothing here " * 60 + "the connection pool of pay-5 was small; " + "and so on " * 60
    found = snippet(body, asked("pool pay-5 connect"))
    assert [text for text, is_asked in found.parts if is_asked] == ["connection", "pool", "pay-5"]
    assert found.text.startswith("… ")
    assert found.text.endswith(" …")
    assert len(found.text) < 260


def test_a_snippet_of_what_is_not_there_is_the_beginning() -> None:
    assert snippet("Mail was late. " * 40, asked("nowhere")).text.startswith("Mail was late.")
    assert snippet("", asked("pool")).text == ""
    assert snippet("short", asked("")).parts == (("short", False),)


@given(st.text(max_size=300), st.text(max_size=20))
def test_a_snippet_of_anything_is_one_harmless_line(body: str, text: str) -> None:
    assert "\n" not in snippet(body, asked(text)).text


@pytest.mark.parametrize("text", ["cause", "cause:network:switch", " Cause:Network ", "a:b:c:d:e", "x_1:2.0-rc"])
def test_a_tag_is_words_with_colons_between(text: str) -> None:
    assert tag_of(text) == text.strip().lower()


@pytest.mark.parametrize("text", ["", ":", "a:", ":a", "a::b", "a b", "a:b:c:d:e:f", "x" * 41, "ä", *HOSTILE[:12]])
def test_what_is_no_tag_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(BadRequest, match=r"is no tag: .* like `cause:network:switch`"):
        tag_of(text)


def test_a_tag_is_under_itself_and_its_parents() -> None:
    assert under("cause:network", "cause:network")
    assert under("cause:network:switch", "cause")
    assert not under("cause:networks", "cause:network")


@pytest.mark.parametrize(
    ("text", "order"),
    [
        ("pool", [5, 4, 2, 3, 1]), ('"pool"', [5, 2, 3, 1, 4]), ("pool queue", [3, 5, 4, 2, 1]),
        ('"a pool"', [3, 5, 4, 2, 1]), ("nowhere", [5, 4, 3, 2, 1]), ("one two three four five pool", [5, 4, 3, 2, 1]),
    ],
)  # fmt: skip
def test_those_texts_are_best_that_have_the_words_most_often(text: str, order: list[int]) -> None:
    texts = {
        1: "pool" + " x" * 50, 2: "the pool", 3: "a pool in a queue", 4: "pools pooling", 5: "pool pool the pool",
    }  # fmt: skip
    assert best_first(texts, asked(text)) == order


def test_of_no_texts_none_is_best_and_an_empty_one_is_no_error() -> None:
    assert best_first({}, asked("pool")) == []
    assert best_first({1: "", 2: ""}, asked("pool")) == [2, 1]

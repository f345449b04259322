"""YAML as the files may use it: what plain words mean, and the limits."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incidentd.config.report import Report
from incidentd.config.yaml12 import LARGEST, MOST_NODES, Mapping, Node, Scalar, Sequence, read

YAML = st.text(st.sampled_from("ab:{}[],-?&*!|>'\"%@` \n\t#~0.e_\\x<\0é"), max_size=60)


def plain(node: Node) -> Any:
    match node:
        case Scalar():
            return node.value()
        case Sequence(items=items):
            return [plain(item) for item in items]
        case Mapping(entries=entries):
            return {key: plain(entry) for key, entry in entries.items()}


def mistakes(raw: bytes) -> list[str]:
    report = Report()

    assert (read(raw, "f", report) is None) is bool(report.problems)
    return [str(problem) for problem in report.problems]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("on", "on"), ("no", "no"), ("Yes", "Yes"), ("NO", "NO"), ("true", True), ("False", False), ("TRUE", True),
        ("12:30", "12:30"), ("12:30:00", "12:30:00"), ("2026-01-05", "2026-01-05"), ("0x1f", "0x1f"), ("0o17", "0o17"),
        ("0755", 755), ("1_000", "1_000"), ("1.10", 1.1), ("-3", -3), ("1e3", 1000.0), (".5", 0.5), ("1.", 1.0),
        ("~", None), ("null", None), ("", None), ('"1"', "1"), ("'true'", "true"), ('""', ""), ("|\n  1\n", "1\n"),
        (".inf", ".inf"), (".nan", ".nan"), ("[1, a]", [1, "a"]), ("{a: {b: no}}", {"a": {"b": "no"}}),
    ],
)  # fmt: skip
def test_plain_words_mean_what_they_look_like(text: str, expected: object) -> None:
    [node] = read(f"key: {text}".encode(), "f", Report()) or []
    value = plain(node)["key"]

    assert (value, type(value)) == (expected, type(expected))


def test_a_file_may_hold_several_documents_and_a_byte_order_mark() -> None:
    nodes = read(b"\xef\xbb\xbf---\na: 1\n---\n---\n# nothing\n---\nb: 2\n...\n", "f", Report())

    assert [plain(node) for node in nodes or ()] == [{"a": 1}, {"b": 2}]


def test_every_value_and_key_knows_its_place() -> None:
    [node] = read(b"\na:\n  - x\n  - 'y': z\n", "f", Report()) or []

    assert isinstance(node, Mapping)
    items = node.entries["a"]
    assert isinstance(items, Sequence)
    second = items.items[1]
    assert isinstance(second, Mapping)
    assert [str(place) for place in (node.keys["a"], items.at, second.keys["y"], second.entries["y"].at)] == [
        "f:2:1", "f:3:3", "f:4:5", "f:4:10",
    ]  # fmt: skip


def test_every_mistake_of_a_file_that_can_be_parsed_is_said() -> None:
    assert mistakes(b"a: &x 1\nb: *x\nc: !!str 2\n<<: {d: 1}\na: 3\n") == [
        "f:1:4: the anchor `&x` is not allowed (take it out)",
        "f:2:4: the alias `*x` is not allowed (write the value out)",
        "f:3:4: the tag `!!str` is not allowed (take it out, or quote the text)",
        "f:4:1: the merge key `<<` is not allowed (write the values out)",
        "f:5:1: the key `a` is here twice, first on line 1 (keep one of the two)",
    ]


def test_a_file_that_is_too_large_is_not_read() -> None:
    [mistake] = mistakes(b"#" * (LARGEST + 1))

    assert "larger than 1024 KiB" in mistake


def test_a_file_with_too_many_values_is_given_up() -> None:
    [mistake] = mistakes(b"- 1\n" * MOST_NODES)

    assert "more than 50000 values" in mistake


@pytest.mark.parametrize("raw", [b"[" * 100_000, b"{a: " * 5_000, b"- " * 40 + b"a", b"? " * 5_000])
def test_a_file_that_is_nested_without_end_is_given_up(raw: bytes) -> None:
    assert len(mistakes(raw)) == 1


def test_an_alias_bomb_is_refused_and_not_unfolded() -> None:
    bomb = b"a: &a [x, x]\n" + b"".join(b"%c: &%c [*%c, *%c]\n" % (n + 1, n + 1, n, n) for n in range(97, 121))

    assert all("is not allowed" in mistake for mistake in mistakes(bomb))


@pytest.mark.parametrize(
    ("raw", "place"),
    [
        (b"a: [1,\nb: 2\n", "f:1:4"),
        (b"{\n\n", "f:1:1"),
        (b'a: 1\nb: "x\n\n', "f:2:4"),
        (b"a: {b: 1", "f:1:4"),
        (b"a: b: c", "f:1:5"),
    ],
)
def test_a_mistake_of_syntax_is_placed_where_it_can_be_mended(raw: bytes, place: str) -> None:
    [mistake] = mistakes(raw)

    assert mistake.startswith(f"{place}: this is not YAML: ")


@given(YAML | st.text(max_size=40))
def test_any_text_is_read_or_refused(text: str) -> None:
    mistakes(text.encode("utf-8", "surrogatepass"))


@given(st.binary(max_size=40))
def test_any_bytes_are_read_or_refused(raw: bytes) -> None:
    mistakes(raw)

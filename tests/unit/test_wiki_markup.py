"""Markdown turned into Jira's wiki markup, and strangers' words that stay words."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incidentd.tickets.markup import from_markdown

GAP = "\N{ZERO WIDTH SPACE}"


@pytest.mark.parametrize(
    ("markdown", "wiki"),
    [
        ("plain words", "plain words"),
        ("# One\n\n### Three ###", "h1. One\n\nh3. Three"),
        ("**bold** and *italic*, _slanted_ and ~~struck~~", "*bold* and _italic_, _slanted_ and -struck-"),
        ("run `systemctl restart mail`", r"run {{systemctl restart mail}}"),
        ("``a b``", "{{a b}}"),
        ("- one\n  - two\n    - three\n* four", "* one\n** two\n*** three\n* four"),
        ("1. one\n   1. two\n2) three", "# one\n## two\n# three"),
        ("> said", "bq. said"),
        (">", ""),
        ("---", "----"),
        (
            "see [the graph](https://prom.example/graph?g0=up) now",
            "see [the graph|https://prom.example/graph?g0=up] now",
        ),
        ("https://a.example/x_y_z", "https://a.example/x_y_z"),
        ("```sh\nrm -rf *\n```", "{noformat}\nrm -rf *\n{noformat}"),
        ("~~~\nnever ended", "{noformat}\nnever ended\n{noformat}"),
        ("| a | b |\n|---|:-:|\n| 1 | 2\\|3 |\n|  | x |", "||a||b||\n|1|2\\|3|\n| |x|"),
        ("snake_case_name and 2 * 3 * 4", r"snake_case_name and 2 \* 3 \* 4"),
        (r"\*not italic\*", r"\*not italic\*"),
    ],
)
def test_what_people_write_reads_the_same_in_jira(markdown: str, wiki: str) -> None:
    assert from_markdown(markdown, 1000) == wiki


@pytest.mark.parametrize(
    ("text", "inert"),
    [
        ("{code}rm{code}", r"\{code\}rm\{code\}"),
        ("**{html}**", r"*\{html\}*"),
        ("`}} {code}`", r"{{\}\} \{code\}}}"),
        ("[x](javascript:alert)", r"\[x\]\(javascript:alert\)"),
        ("[{code}](https://a.example)", r"[\{code\}|https://a.example]"),
        ("[a|b](https://a.example)", r"[a\|b|https://a.example]"),
        ("[x](https://a.example|https://evil.example)", r"\[x\]\(https://a.example\|https://evil.example\)"),
        ("```\n{noformat}{code}\n```", f"{{noformat}}\n{{{GAP}noformat}}{{{GAP}code}}\n{{noformat}}"),
        ("```\n{ noformat:x=y}\n```", f"{{noformat}}\n{{{GAP} noformat:x=y}}\n{{noformat}}"),
        ("[~ana] !https://evil.example/x.png!", r"\[\~ana\] \!https://evil.example/x.png\!"),
        ("h1. big", f"h1{GAP}. big"),
        ("*h1*. big", r"_h1_. big"),
        (r"\h1. big", r"\h1. big"),
        ("| {code} |", r"|\{code\}|"),
        ("a\x00\x1b[31mb\u202ec", "a��\\[31mb�c"),
    ],
)
def test_a_strangers_words_reach_no_macro(text: str, inert: str) -> None:
    assert from_markdown(text, 1000) == inert


@pytest.mark.parametrize(
    "text", ["**" * 20_000, "[" * 40_000, "`a" * 20_000, "~~a " * 10_000, "|" * 40_000, "> " * 20_000]
)
def test_no_text_takes_long_or_grows_past_what_jira_takes(text: str) -> None:
    assert len(from_markdown(text, 16_000)) <= 16_000


def test_what_is_cut_ends_with_a_mark_and_leaves_no_code_open() -> None:
    made = from_markdown("```\n" + "x\n" * 1000 + "```", 100)

    assert len(made) <= 100
    assert made.endswith("{noformat}\n…")
    assert made.count("{noformat}") == 2


@given(st.text(alphabet=st.sampled_from("{}[]()*_~`|\\-#>!^ \nabc1.:/h"), max_size=80))
def test_a_brace_that_jira_obeys_is_one_that_was_made_here(text: str) -> None:
    made = from_markdown(text, 10_000).replace("{noformat}", "")
    outside = re.sub(r"\\[{}]", "", re.sub(r"\{\{|\}\}", "", made))

    assert "{code" not in outside
    assert "{html" not in outside

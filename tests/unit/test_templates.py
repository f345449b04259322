"""Templates: what they admit, what they refuse, and that a value stays a value."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incidentd.templates import MOST, BadTemplate, compile_template, format_number, in_promql

CONTEXT: dict[str, object] = {
    "inputs": {"instance": "w-3", "items": "four", "dc.rack": "r7"},
    "before": {"value": 812.0},
    "nothing": {"value": None},
    "x": "bare",
}


def rendered(text: str) -> str:
    return compile_template(text).render(CONTEXT)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ""),
        ("plain text\n", "plain text\n"),
        ("{{ x }}", "bare"),
        ("{{inputs.instance}}:{{ before.value }}", "w-3:812"),
        ("{{ inputs['dc.rack'] }}", "r7"),
        ("{# a word to the reader #}{{ x }}", "bare"),
        ("{{ x | upper | lower }}", "bare"),
        ("{{ '  a b ' | trim }}", "a b"),
        ("{{ x | replace('a', 'oo') }}", "boore"),
        ("{{ '4.6' | int }} {{ '4.6' | round }} {{ 4.256 | round(2) }}", "4 5 4.26"),
        ("{{ 'a/b c' | urlencode }}", "a%2Fb%20c"),
        ("{{ inputs.colour | default('red') }}", "red"),
        ("{{ nothing.value | default(x) }}", "bare"),
        ("{{ x | default(inputs.nobody) }}", "bare"),
        ("{{ true }} {{ 3 }} {{ 1.5 }}", "true 3 1.5"),
        ("{% raw %}{{.Names}}{% endraw %}", "{{.Names}}"),
    ],
)
def test_a_template_is_filled_with_what_the_context_knows(text: str, expected: str) -> None:
    assert rendered(text) == expected


def test_a_label_called_items_gives_the_label_and_no_method() -> None:
    assert rendered("{{ inputs.items }}") == "four"


def test_a_value_that_looks_like_a_template_comes_out_as_it_was() -> None:
    hostile = "{{ 7 * 7 }}{% for a in b %}{# c #}{{ x }}"
    assert compile_template("<{{ y }}>").render({"y": hostile, "x": "no"}) == f"<{hostile}>"


@given(st.text(max_size=200))
def test_any_value_comes_out_unchanged(value: str) -> None:
    assert compile_template("{{ labels.a }}").render({"labels": {"a": value}}) == value


@given(st.text(max_size=60))
def test_any_text_is_a_template_or_refused_as_one(text: str) -> None:
    with suppress(BadTemplate):
        compile_template("{{" + text + "}}").render(CONTEXT)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{{ inputs.instanc }}", "`inputs.instanc` is not known here"),
        ("{{ nobody }}", "`nobody` is not known here"),
        ("{{ nobody.at.all }}", "`nobody.at.all` is not known here"),
        ("{{ x.upper }}", "`x.upper` is not known here"),
        ("{{ self }}", "`self` is not known here"),
        ("{{ range }}", "`range` is not known here"),
        ("{{ inputs.nobody | upper }}", "`inputs.nobody` is not known here"),
        ("{{ nothing.value }}", "`nothing.value` has no value: nothing was measured"),
        ("{{ inputs }}", "`inputs` is not one value"),
        ("{{ x | int }}", "need a finite number"),
        ("{{ 'inf' | round }}", "need a finite number"),
        ("{{ 1 | round('x') }}", "from 0 to 9"),
    ],
)
def test_what_cannot_be_filled_in_is_said_by_name(text: str, words: str) -> None:
    with pytest.raises(BadTemplate, match=words):
        rendered(text)


@pytest.mark.parametrize(
    "text",
    [
        "{% for a in inputs %}{{ a }}{% endfor %}", "{% if x %}{% endif %}", "{% set y = x %}", "{% include 'x' %}",
        "{% macro m() %}{% endmacro %}", "{% import 'x' as y %}", "{% extends 'x' %}", "{% block b %}{% endblock %}",
        "{{ x() }}", "{{ range(10) }}", "{{ inputs.get('a') }}", "{{ ''.__class__.__mro__ }}", "{{ 'a' * 1000000000 }}",
        "{{ 9 ** 9 }}", "{{ 1 + 1 }}", "{{ -1 }}", "{{ 'a' ~ x }}", "{{ x if x else x }}", "{{ x == 'a' }}",
        "{{ not x }}",
        "{{ x is defined }}", "{{ [x] }}", "{{ {'a': x} }}", "{{ (x, x) }}", "{{ x[0] }}", "{{ x[inputs.items] }}",
        "{{ x[1:2] }}", "{{ x | lower(1) }}", "{{ x | replace('a') }}", "{{ x | replace(old='a', new='b') }}",
        "{{ x | default(*inputs) }}", "{{ x | attr('upper') }}", "{{ x | map('upper') }}", "{{ x | safe }}",
        "{{ (x | lower).y }}", "{{ none }}", "{{", "{{ }}", "{{ x", "{% nothing %}", "{# a", "{{ " + "9" * 5000 + " }}",
        "{{ " + "(" * 3000 + "x" + ")" * 3000 + " }}", "{{ x" + " | lower" * 40 + " }}", "{{ a" + ".b" * 40 + " }}",
    ],
)  # fmt: skip
def test_whatever_is_more_than_names_and_filters_is_refused_when_it_is_read(text: str) -> None:
    with pytest.raises(BadTemplate):
        compile_template(text)


def test_variables_are_the_dotted_names_wherever_they_stand() -> None:
    text = (
        "{{ inputs.instance }} {{ labels.service | default(fallback | upper) }} {{ before.value }} {{ inputs['a-b'] }}"
    )
    assert compile_template(text).variables() == {
        "inputs.instance", "labels.service", "fallback", "before.value", "inputs.a-b",
    }  # fmt: skip


def test_a_result_too_long_is_refused() -> None:
    with pytest.raises(BadTemplate, match="65536"):
        compile_template("{{ a }}{{ a }}").render({"a": "x" * (MOST // 2 + 1)})


def test_replacements_in_a_row_cannot_fill_the_memory() -> None:
    text = "{{ a" + " | replace('x', a)" * 10 + " }}"
    with pytest.raises(BadTemplate, match="65536"):
        compile_template(text).render({"a": "x" * 10_000})


def test_a_template_too_long_is_refused() -> None:
    with pytest.raises(BadTemplate, match="65536"):
        compile_template("x" * (MOST + 1))


def test_a_guard_sees_each_value_and_what_stands_before_it() -> None:
    seen: list[tuple[str, str]] = []

    def guard(value: str, before: str) -> str:
        seen.append((value, before))
        return value.upper()

    assert compile_template("a{{ x }}b{{ x }}").render(CONTEXT, guard) == "aBAREbBARE"
    assert seen == [("bare", "a"), ("bare", "aBAREb")]


def test_filters_are_known_by_name() -> None:
    assert compile_template("{{ a | lower | default(b | urlencode) }}").filters() == {"lower", "default", "urlencode"}


@pytest.mark.parametrize(
    ("query", "value"),
    [
        ('up{instance="{{ v }}"}', "w-3.example.org:9100"),
        ('up{path="{{ v }}"}', "/a b{}()*|"),
        ("up{a='{{ v }}'}", "x y"),
        ("up{a=`{{ v }}`}", "x y"),
        ('up{a="\\"{{ v }}"}', "x y"),
        ('up{a="b", c="d"} > {{ v }}', "4.2"),
        ("up > {{ v }}", "-1e+20"),
        ("rate(up[{{ v }}])", "5m"),
        ("{{ v }}", "job:requests:rate5m"),
        ('up{a=~"{{ v }}"}', "w-3.example.org"),
        ('up{a=~"x.*", b="{{ v }}"}', "a|b"),
        ("up # don't\n> {{ v }}", "3"),
    ],
)
def test_a_value_stands_in_a_query_where_it_can_do_no_harm(query: str, value: str) -> None:
    assert compile_template(query).render({"v": value}, in_promql) == query.replace("{{ v }}", value)


@pytest.mark.parametrize(
    ("query", "value"),
    [
        ('up{a="{{ v }}"}', 'x"} or vector(1) #'),
        ('up{a="{{ v }}"}', "x\\"),
        ('up{a="{{ v }}"}', "x\ny"),
        ("up{a='{{ v }}'}", "x'} or vector(1) #"),
        ("up{a=`{{ v }}`}", "x`} or vector(1) #"),
        ("up > {{ v }}", "1 or vector(1)"),
        ("up > {{ v }}", "1+1"),
        ("up > {{ v }}", ""),
        ('up{a="b"} > {{ v }}', "vector(1)"),
        ('up{a=~"{{ v }}"}', ".*"),
        ('up{a!~ "(x|{{ v }})"}', "a|b"),
    ],
)
def test_a_value_that_would_change_a_query_is_refused(query: str, value: str) -> None:
    with pytest.raises(BadTemplate):
        compile_template(query).render({"v": value}, in_promql)


@pytest.mark.parametrize(
    ("value", "expected"),
    [(812.0, "812"), (4.2, "4.2"), (0.0, "0"), (1e20, "1e+20"), (float("inf"), "+Inf"), (float("-inf"), "-Inf"),
     (float("nan"), "NaN"), (7, "7")],
)  # fmt: skip
def test_numbers_are_written_as_prometheus_writes_them(value: float, expected: str) -> None:
    assert format_number(value) == expected

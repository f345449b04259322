"""Templates of the operator's files: Jinja2's `{{ }}` with lookups and a few filters, strings only, nothing runs.

Jinja2 reads the text; this module admits five kinds of its nodes and evaluates those itself. There is no generated
code, no attribute of any Python object, no call, no arithmetic and no loop, so there is nothing to escape from.
A value is data: it is put in once and never read as a template again.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import quote

from jinja2 import Environment, TemplateSyntaxError, nodes

from incidentd.text import plain

MOST = 64 * 1024
"""Characters that a template, each value in it, and what it renders to may have."""
# Whole strings and comments, or a quote that begins a string without an end.
_PROMQL_QUOTED = re.compile(
    r"""(?s:"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|`[^`]*`)|\#[^\n]*|(?P<open>["'`])""",
)
_PROMQL_REGEX = re.compile(r"[=!]~\s*\Z")
_PROMQL_BREAKS = re.compile(r"""["'`\\\x00-\x1f]""")
_PROMQL_WORD = re.compile(r"[A-Za-z0-9_:.]+|[+-]?[0-9.]+(?:e[+-]?[0-9]+)?|[+-]Inf")
_REGEX_SIGN = re.compile(r"[*+?()\[\]{}|^$]")
_DEEPEST = 20  # filters and dots in one expression; nobody needs more, and a parser's stack is finite
_JINJA = Environment(keep_trailing_newline=True)  # noqa: S701  # it only parses; nothing is ever rendered with it


Guard = Callable[[str, str], str]
"""Given a value and what stands before it, gives what is put in its place, or raises BadTemplate."""


class BadTemplate(ValueError):
    """The template cannot be read, or cannot be filled; the message says what is wrong in it."""


@dataclass(frozen=True, slots=True)
class _Nothing:
    """A lookup that found nothing, and why, until a `default` saves it."""

    why: str


@dataclass(frozen=True, slots=True)
class Partly:
    """What a name stands for when not all of it is known."""

    values: Mapping[str, object]
    """What is known."""
    why: str
    """Why the rest is not: a sentence that goes on with `, so ... is not known`."""
    otherwise: str
    """What to do about it."""


@dataclass(frozen=True, slots=True)
class _Text:
    value: str


@dataclass(frozen=True, slots=True)
class _Lookup:
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Filtered:
    name: str
    subject: _Expression
    arguments: tuple[_Expression, ...]


_Expression = _Text | _Lookup | _Filtered


@dataclass(frozen=True, slots=True)
class Template:
    """A template that was read and found harmless. Make one with `compile_template`."""

    text: str
    _parts: tuple[str | _Expression, ...]

    def variables(self) -> frozenset[str]:
        """Give the dotted names that it looks up: `inputs.instance`, `labels.service`, or a bare `x`."""
        return frozenset(".".join(one.names) for one in self._expressions() if isinstance(one, _Lookup))

    def filters(self) -> frozenset[str]:
        """Give the names of the filters that it uses."""
        return frozenset(one.name for one in self._expressions() if isinstance(one, _Filtered))

    def _expressions(self) -> Iterator[_Expression]:
        waiting = [part for part in self._parts if not isinstance(part, str)]
        while waiting:
            expression = waiting.pop()
            yield expression
            if isinstance(expression, _Filtered):
                waiting += [expression.subject, *expression.arguments]

    def render(self, context: Mapping[str, object], each: Guard | None = None) -> str:
        """Fill it in; `each` guards the place that the values go to.

        Raises BadTemplate for a name that the context does not know, a value that is no value, and more than 64 KiB.
        """
        done = ""
        for part in self._parts:
            if isinstance(part, str):
                done += part
                continue
            value = _value(part, context)
            if isinstance(value, _Nothing):
                raise BadTemplate(value.why)
            done = _capped(done + (each(value, done) if each else value))
        return _capped(done)


def compile_template(text: str) -> Template:
    """Read a template; raise BadTemplate for what Jinja2 cannot read and for more than lookups and filters."""
    _capped(text)
    try:
        tree = _JINJA.parse(text)
    except TemplateSyntaxError as error:
        raise BadTemplate(f"this is no template: {error.message} (line {error.lineno} of it)") from None
    except (RecursionError, ValueError):  # brackets a thousand deep; a number of ten thousand digits
        raise BadTemplate("this template is nested too deeply, or holds a number that is too long") from None
    parts: list[str | _Expression] = []
    for output in tree.body:
        if not isinstance(output, nodes.Output):
            raise BadTemplate("only {{ }} may stand in a template; block tags such as {% if %} may not")
        parts += [node.data if isinstance(node, nodes.TemplateData) else _read(node, 0) for node in output.nodes]
    return Template(text, tuple(parts))


def format_number(value: float) -> str:
    """Write a sample's value as Prometheus does: `812`, `4.2`, `+Inf`, `NaN`."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return str(int(value)) if value == int(value) and abs(value) < 1e15 else repr(float(value))


def in_promql(value: str, before: str) -> str:
    """Guard a PromQL query: a value may not leave the string that it stands in, nor be more than one word outside.

    In a regular expression (`=~"..."`, `!~"..."`) it may not hold what would make it match more than itself.
    """
    opened = _open_string(before)
    if opened is None:
        if not _PROMQL_WORD.fullmatch(value):
            raise BadTemplate(f"outside quotes, a query takes a name, a number or a duration, not {_shown(value)}")
    elif _PROMQL_BREAKS.search(value):
        raise BadTemplate(f"a value with a quote, a backslash or a newline may not stand in a query: {_shown(value)}")
    elif _PROMQL_REGEX.search(before[:opened]) and _REGEX_SIGN.search(value):
        raise BadTemplate(f"a value with a sign of regular expressions may not stand after =~ or !~: {_shown(value)}")
    return value


def _open_string(query: str) -> int | None:
    """Say where the string begins that is still open at the end of this piece of PromQL; None when none is."""
    return next((found.start() for found in _PROMQL_QUOTED.finditer(query) if found["open"]), None)


def _shown(value: str) -> str:
    return repr(plain(value, 60))


def _read(node: nodes.Node, depth: int) -> _Expression:
    if depth > _DEEPEST:
        raise BadTemplate("this template is nested too deeply")
    match node:
        case nodes.Const(value=str() | bool() | int() | float() as value):
            return _Text(_written(value))
        case nodes.Name(name=name):
            return _Lookup((name,))
        case nodes.Getattr(node=inner, attr=name) | nodes.Getitem(node=inner, arg=nodes.Const(value=str() as name)):
            outer = _read(inner, depth + 1)
            if isinstance(outer, _Lookup):
                return _Lookup((*outer.names, name))
        case nodes.Filter(
            node=nodes.Expr() as subject, name=name, args=arguments, kwargs=[], dyn_args=None, dyn_kwargs=None
        ):
            _check_filter(name, len(arguments))
            return _Filtered(name, _read(subject, depth + 1), tuple(_read(one, depth + 1) for one in arguments))
        case _:
            pass
    raise BadTemplate(
        "a template may hold names such as {{ inputs.instance }} and the filters " + ", ".join(sorted(_FILTERS))
        + "; no calls, no arithmetic, no conditions"
    )  # fmt: skip


def _check_filter(name: str, given: int) -> None:
    if name not in _FILTERS:
        raise BadTemplate(f"there is no filter `{name[:40]}` here; there are {', '.join(sorted(_FILTERS))}")
    _, fewest, most = _FILTERS[name]
    if not fewest <= given <= most:
        wanted = str(fewest) if fewest == most else f"{fewest} to {most}"
        raise BadTemplate(f"the filter `{name}` takes {wanted} arguments, not {given}")


def _value(expression: _Expression, context: Mapping[str, object]) -> str | _Nothing:
    match expression:
        case _Text(value):
            return value
        case _Lookup(names):
            return _look_up(names, context)
        case _Filtered("default", subject, (instead,)):
            found = _value(subject, context)
            return _value(instead, context) if isinstance(found, _Nothing) else found
        case _Filtered(name, subject, arguments):
            texts = [_value(one, context) for one in (subject, *arguments)]
            missing = next((text for text in texts if isinstance(text, _Nothing)), None)
            return missing or _capped(_FILTERS[name][0](*texts))


def _look_up(names: tuple[str, ...], context: Mapping[str, object]) -> str | _Nothing:
    found: object = context
    for name in names:
        if isinstance(found, Partly):
            if name not in found.values:
                return _Nothing(f"{found.why}, so `{'.'.join(names)}` is not known; {found.otherwise}")
            found = found.values
        if not isinstance(found, Mapping) or name not in found:
            return _Nothing(f"`{'.'.join(names)}` is not known here")
        found = found[name]
    if found is None:
        return _Nothing(f"`{'.'.join(names)}` has no value: nothing was measured")
    if not isinstance(found, str | bool | int | float):
        raise BadTemplate(f"`{'.'.join(names)}` is not one value; name one inside it")
    return _capped(_written(found))


def _written(value: str | float) -> str:
    match value:
        case str():
            return value
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case float():
            return format_number(value)


def _capped(text: str) -> str:
    if len(text) > MOST:
        raise BadTemplate(f"a template and what it renders to may have {MOST} characters, this has more")
    return text


def _replace(text: str, old: str, new: str) -> str:
    # counted before it is done: a few of these in a row would otherwise fill the memory
    if len(text) + text.count(old) * max(len(new) - len(old), 0) > MOST:
        raise BadTemplate(f"a template may render to {MOST} characters, this `replace` gives more")
    return text.replace(old, new)


def _number(text: str) -> float:
    try:
        number = float(text) if len(text) <= 100 else float("nan")
    except ValueError:
        number = float("nan")
    if not math.isfinite(number):
        raise BadTemplate("the filters `int` and `round` need a finite number; the value is none")
    return number


def _int(text: str) -> str:
    return str(int(_number(text)))


def _round(text: str, digits: str = "0") -> str:
    if not (digits.isascii() and digits.isdigit() and len(digits) == 1):
        raise BadTemplate("the filter `round` takes a number of digits from 0 to 9")
    return format_number(round(_number(text), int(digits)))


def _urlencode(text: str) -> str:
    return quote(text, safe="", errors="replace")


# The function, and the fewest and most arguments. All take text and give text; `default` is seen to in `_value`.
_FILTERS: dict[str, tuple[Callable[..., str], int, int]] = {
    "default": (str, 1, 1),
    "int": (_int, 0, 0),
    "lower": (str.lower, 0, 0),
    "replace": (_replace, 2, 2),
    "round": (_round, 0, 1),
    "trim": (str.strip, 0, 0),
    "upper": (str.upper, 0, 0),
    "urlencode": (_urlencode, 0, 0),
}
FILTERS = tuple(_FILTERS)
"""Their names."""

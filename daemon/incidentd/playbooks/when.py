"""Conditions of steps: what `when` and `until` hold against what a run knows, such as `before.value > 100`."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

from incidentd.matchers import Regex
from incidentd.playbooks.numbers import OPERATORS
from incidentd.templates import BadTemplate, compile_template

_NAME = r"[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)*"
_GRAMMAR = re.compile(
    rf"\s*(?P<no>not\s+)?(?P<name>{_NAME})\s*(?:(?P<op>>=|<=|==|!=|=~|!~|>|<)\s*(?P<than>\S(?:.*\S)?)\s*)?"
)
_QUOTED = re.compile(r""""([^"\\]*)"|'([^'\\]*)'""")
_JOINED = re.compile(r"\s(?:or|and|\|\||&&)\s")
_LONGEST = 500


@dataclass(frozen=True, slots=True)
class Test:
    """One condition."""

    __test__ = False

    text: str
    name: str
    operator: str
    """'' asks whether the value is true; `not` whether it is false."""
    number: float | None = None
    words: str = ""

    def holds(self, context: Mapping[str, object]) -> bool:
        """Say whether it holds. Raises BadTemplate when the value is not there: nobody may guess it."""
        value = compile_template("{{ " + self.name + " }}").render(context)
        match self.operator:
            case "" | "not":
                return _truth(value, self.text) is not bool(self.operator)
            case "=~" | "!~":
                return Regex(self.words).matches(value) is (self.operator == "=~")
            case "==" | "!=" if self.number is None:
                return (value == self.words) is (self.operator == "==")
            case _:
                return OPERATORS[self.operator](_number(value, self.text), self.number or 0.0)


def parse_test(text: str) -> Test:
    """Read a condition: `NAME OP VALUE`, where OP is a comparison with a number, or `==`, `!=`, `=~`, `!~` with a
    quoted text; or `NAME` or `not NAME` alone. Raises ValueError.
    """
    found = _GRAMMAR.fullmatch(text) if len(text) <= _LONGEST else None
    if found is None or (found["no"] and found["op"]):
        raise _no_condition(text, "write one such as 'before.value > 100' or 'not before.ok'")
    name, operator, than = found["name"], found["op"] or ("not" if found["no"] else ""), found["than"] or ""
    if not found["op"]:
        return Test(text.strip(), name, operator)
    quoted = _QUOTED.fullmatch(than)
    if quoted is not None and operator in ("==", "!=", "=~", "!~"):
        words = quoted[1] if quoted[1] is not None else quoted[2]
        if "~" in operator:
            Regex(words)
        return Test(text.strip(), name, operator, words=words)
    return Test(text.strip(), name, operator, number=_threshold(text, operator, than))


def _threshold(text: str, operator: str, than: str) -> float:
    try:
        number = float(than) if len(than) <= 40 and "~" not in operator else math.nan
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise _no_condition(text, f"a text stands in quotes, a number without, after `{operator}`")
    return number


def _no_condition(text: str, otherwise: str) -> ValueError:
    if _JOINED.search(text[:_LONGEST]):
        otherwise = "write a list, all of which has to hold; there is no `or`: that takes a step for each"
    return ValueError(f"{text[:60]!r} is no condition; {otherwise}")


def _truth(value: str, text: str) -> bool:
    if value not in ("true", "false"):
        raise BadTemplate(f"`{text}` asks for true or false, and the value is neither")
    return value == "true"


def _number(value: str, text: str) -> float:
    try:
        number = float(value) if len(value) <= 100 else math.nan
    except ValueError:
        number = math.nan
    if math.isnan(number):
        raise BadTemplate(f"`{text}` compares numbers, and the value is none")
    return number

"""Conditions on one number: `> 0`."""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable
from dataclasses import dataclass

_CONDITION = re.compile(r"\s*(>=|<=|==|!=|>|<)\s*([+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)\s*")
OPERATORS: dict[str, Callable[[float, float], bool]] = {
    ">": operator.gt, ">=": operator.ge, "==": operator.eq, "!=": operator.ne, "<": operator.lt, "<=": operator.le,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Condition:
    """A comparison with a number, such as `> 0`."""

    operator: str
    threshold: float

    def holds(self, value: float | None) -> bool | None:
        """Say whether it holds; None, which is no success, when there is no value or it is no number."""
        return None if value is None or math.isnan(value) else OPERATORS[self.operator](value, self.threshold)


def parse_condition(expression: str) -> Condition:
    """Read `> 0`, `>= 1.5`, `== 3`, `!= 0`, `< 5` or `<= 5`; raise ValueError for anything else."""
    found = _CONDITION.fullmatch(expression) if len(expression) <= 60 else None
    if found is None or not math.isfinite(float(found[2])):
        raise ValueError(f"{expression[:60]!r} is no condition: write a comparison with a number, for example '> 0'")
    return Condition(found[1], float(found[2]))


def is_met(expression: str, value: float | None) -> bool | None:
    """Hold a value against a condition; None means unknown. Raises ValueError when the condition cannot be read."""
    return parse_condition(expression).holds(value)

"""PromQL in the operator's files: whether it can be read, found out without a Prometheus."""

from __future__ import annotations

import re

import promql_parser

from incidentd.config.parts import Part
from incidentd.config.report import Report, shown
from incidentd.templates import BadTemplate, compile_template

# what a value may stand for: a name or a text, a duration, a number
_SAMPLES = ("x", "5m", "1")
_COMPARISONS = frozenset({">", ">=", "<", "<=", "==", "!="})
_EXPRESSION = re.compile(r"\{\{.*?\}\}", re.DOTALL)


def measured(query: str) -> tuple[str, float | None]:
    """Take the comparison off an alert's query: what is measured, and the number that it is held against, if any.

    A query that is no comparison with a number, or cannot be read, stays as it is.
    """
    try:
        parsed = promql_parser.parse(query)
    except ValueError:
        return query, None
    while isinstance(parsed, promql_parser.ParenExpr):
        parsed = parsed.expr
    if not isinstance(parsed, promql_parser.BinaryExpr) or str(parsed.op) not in _COMPARISONS:
        return query, None
    left, right = _number(parsed.lhs), _number(parsed.rhs)
    if (left is None) == (right is None):
        return query, None
    alone = str(parsed.lhs if left is None else parsed.rhs)
    return (alone, right if left is None else left) if _means_itself(alone) else (query, None)


def _means_itself(query: str) -> bool:
    """Say whether what the parser writes can be read again; a quote inside a label's value it does not escape."""
    try:
        return str(promql_parser.parse(query)) == query
    except ValueError:
        return False


def _number(expression: object) -> float | None:
    if not isinstance(expression, promql_parser.NumberLiteral):
        return None
    try:
        return float(str(expression))
    except ValueError:
        return None


def check_promql(part: Part, report: Report) -> None:
    """Note a query that Prometheus would refuse; what its templates put in may be a name, a duration or a number."""
    try:
        compile_template(part.value)
    except BadTemplate:
        return  # said already, by who reads templates
    reasons = []
    for sample in _SAMPLES:
        try:
            promql_parser.parse(_EXPRESSION.sub(sample, part.value))
        except ValueError as error:
            reasons.append(str(error))
        else:
            return
    report.wrong(part.at, f"this is no PromQL: {shown(reasons[0], 200)}", "try it in Prometheus first")

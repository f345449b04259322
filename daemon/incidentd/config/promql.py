"""PromQL in the operator's files: whether it can be read, found out without a Prometheus."""

from __future__ import annotations

import re

import promql_parser

from incidentd.config.parts import Part
from incidentd.config.report import Report, shown
from incidentd.templates import BadTemplate, compile_template

# what a value may stand for: a name or a text, a duration, a number
_SAMPLES = ("x", "5m", "1")
_EXPRESSION = re.compile(r"\{\{.*?\}\}", re.DOTALL)


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

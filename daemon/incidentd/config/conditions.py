"""Conditions of a rule on live data: from documents to values."""

from __future__ import annotations

from incidentd.config import values
from incidentd.config.parts import Part
from incidentd.config.promql import check_promql
from incidentd.config.report import Report, shown
from incidentd.durations import format_duration, parse_duration
from incidentd.playbooks.numbers import Condition as Is
from incidentd.playbooks.numbers import parse_condition
from incidentd.rules import BurnRate, Condition, CustomerReport, MoneyLost, Pair, Query, Related, Spread
from incidentd.rules.conditions import PAGE_PAIRS, TICKET_PAIRS
from incidentd.templates import Template, compile_template

_SEVERAL = ("service", "team")
_WINDOWS = {"page": PAGE_PAIRS, "ticket": TICKET_PAIRS}


def conditions(rule: Part, correlate_by: tuple[str, ...], report: Report) -> tuple[Condition, ...]:
    """Read the conditions under `when` of a rule."""
    return tuple(_Reader(part, correlate_by, report).condition() for part in rule.entries("when"))


class _Reader:
    """Reads one condition."""

    def __init__(self, part: Part, correlate_by: tuple[str, ...], report: Report) -> None:
        self._part = part
        self._correlate_by = correlate_by
        self._report = report
        self._unknown = part.get("unknown", True)

    def condition(self) -> Condition:
        kinds = ("promql", "burn_rate", "money_lost", "spread", "related", "customer_report")
        match next(kind for kind in kinds if kind in self._part):
            case "promql":
                return Query(
                    name=self._part.get("name", ""), promql=self._query(self._part["promql"]), is_=self._is(),
                    unknown=self._unknown,
                )  # fmt: skip
            case "burn_rate":
                return self._burn_rate(self._part["burn_rate"])
            case "money_lost":
                return self._money_lost(self._part["money_lost"])
            case "spread":
                part = self._part["spread"]
                by = self._by(part, tuple(name for name in self._correlate_by if name not in _SEVERAL))
                return Spread(
                    of=part.value["of"], by=by, is_=self._is(">= 2"), unknown=self._unknown,
                    within=parse_duration(part.value["within"]) if "within" in part else None,
                )  # fmt: skip
            case "related":
                part = self._part["related"]
                within = parse_duration(part.value["within"])
                by = self._by(part, self._correlate_by)
                return Related(within=within, by=by, is_=self._is(), unknown=self._unknown)
            case _:
                part = self._part["customer_report"]
                by = self._by(part, ("service", "environment"))
                annotation = part.get("annotation", "")
                return CustomerReport(annotation=annotation, by=by, is_=self._is(">= 1"), unknown=self._unknown)

    def _is(self, default: str = "") -> Is:
        return parse_condition(self._part.get("is", default))

    def _by(self, part: Part, default: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(part.get("by", default))

    def _money_lost(self, part: Part) -> MoneyLost:
        return MoneyLost(
            annotation=part.get("annotation", ""), promql=self._query(part["promql"]) if "promql" in part else None,
            currency=part.get("currency", ""), is_=self._is(), unknown=self._unknown,
        )  # fmt: skip

    def _burn_rate(self, part: Part) -> BurnRate:
        ratio = part["error_ratio"]
        template = self._query(ratio, windows=True)
        if "window" not in template.variables():
            self._report.wrong(
                ratio.at, "`error_ratio` does not look at a window, so all windows would give the same",
                "write its range as [{{ window }}]",
            )  # fmt: skip
        return BurnRate(
            name=self._part.get("name", ""), error_ratio=template, budget=values.objective(part.value["objective"]),
            pairs=tuple(self._pair(pair) for pair in part.entries("pairs")) or _WINDOWS[part.get("windows", "page")],
            unknown=self._unknown,
        )  # fmt: skip

    def _pair(self, part: Part) -> Pair:
        long, short = (parse_duration(part.value[key]) for key in ("long", "short"))
        if short >= long:
            self._report.wrong(
                part["short"].at, f"the short window is not shorter than the long one ({format_duration(long)})",
                "a twelfth of the long one is usual",
            )  # fmt: skip
        return Pair(long=long, short=short, factor=float(part.value["factor"]))

    def _query(self, part: Part, *, windows: bool = False) -> Template:
        template = compile_template(part.value)
        for name in sorted(template.variables()):
            first, _, rest = name.partition(".")
            if not (first == "labels" and rest) and not (windows and name == "window"):
                self._report.wrong(
                    part.at, f"`{shown(name)}` is not known here",
                    "a query of a rule may name the alert's labels: {{ labels.service }}",
                )  # fmt: skip
        check_promql(part, self._report)
        return template

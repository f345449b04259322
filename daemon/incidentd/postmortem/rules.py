"""The rules of the checks: what each finds, how much it weighs, why, and what to write instead.

The page about postmortems shows this table; a rule that is not here is found by nobody.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from incidentd.postmortem.findings import Finding, Level, shown

_ERROR, _WARNING, _INFO = Level.ERROR, Level.WARNING, Level.INFO


class Part(StrEnum):
    """What a rule looks at."""

    LANGUAGE = "language"
    ITEMS = "action items"
    SECTIONS = "sections"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule of the checks."""

    name: str
    part: Part
    level: Level
    finds: str
    """What it finds, for the table of rules."""
    reason: str
    instead: str

    def at(self, place: tuple[int, int], words: str = "", *, level: Level | None = None, why: str = "") -> Finding:
        """Make a finding at a line and column; `why` says more than the rule's reason can."""
        return Finding(
            rule=self.name, level=level or self.level, line=place[0], column=place[1], words=shown(words),
            reason=why or self.reason, instead=self.instead,
        )  # fmt: skip


def _table(rules: Iterable[tuple[str, Part, Level, str, str, str]]) -> Mapping[str, Rule]:
    return {
        name: Rule(name=name, part=part, level=level, finds=finds, reason=reason, instead=instead)
        for name, part, level, finds, reason, instead in rules
    }


RULES = _table(
    (
        (
            "person-as-cause", Part.LANGUAGE, _ERROR,
            "somebody of the incident, or a role, who ignored, forgot, failed, broke, caused, missed, did not, never",
            "A person is written as the cause.",
            "Say what they saw and had at hand, and what let the step do harm.",
        ),
        (
            "judgement", Part.LANGUAGE, _ERROR, '"careless", "negligent", "ridiculous", "obviously" and the like',
            "It judges, and explains nothing.",
            "Say what happened, as somebody who saw it would.",
        ),
        (
            "human-error", Part.LANGUAGE, _ERROR, '"human error", "mistakenly", "accidentally", "by mistake"',
            "A slip is where the search begins, not what it finds.",
            "Say what made the step easy to take and its harm hard to see.",
        ),
        (
            "blame", Part.LANGUAGE, _ERROR, '"the fault of", "to blame", "culprit", "responsible for the outage"',
            "It looks for somebody to blame.",
            "Name the conditions that had to come together.",
        ),
        (
            "people-fix", Part.ITEMS, _ERROR,
            '"be more careful", "remember to", "train people"; a warning outside of the action items',
            "It asks people to be different, so it comes back with the next person.",
            "Change the system so that the step cannot happen or does no harm.",
        ),
        (
            "counterfactual", Part.LANGUAGE, _WARNING, '"should have", "could have", "would have", "if only"',
            "It tells of a world that there was not.",
            "Say what was done, and what made it look right then.",
        ),
        (
            "failed-to", Part.LANGUAGE, _WARNING, '"failed to", "neglected to"',
            "It measures against what is known only now.",
            "Say what happened instead.",
        ),
        (
            "who-why", Part.LANGUAGE, _WARNING, "questions with who or why",
            "Who asks for a name, and why for an excuse.",
            "Ask how it came about, or what was seen.",
        ),
        (
            "animated", Part.LANGUAGE, _WARNING, '"!!", "can\'t believe", "disaster" and the like',
            "Strong words hide how much it was.",
            "Give the number.",
        ),
        (
            "single-cause", Part.LANGUAGE, _INFO, '"the root cause is"',
            "What fails in production needs several conditions.",
            "Write of contributing factors.",
        ),
        (
            "outage", Part.LANGUAGE, _INFO, '"outage", unless it says that it was total',
            "An outage is total, and most are not.",
            "Say what did not work, for whom and how much.",
        ),
        (
            "no-owner", Part.ITEMS, _ERROR, "an action item that nobody owns; a warning while it is only proposed",
            "Nobody owns it.", "Name exactly one person.",
        ),
        (
            "several-owners", Part.ITEMS, _ERROR, "an action item with several owners",
            "Several people own it, so nobody does.", "Name exactly one person.",
        ),
        (
            "no-due", Part.ITEMS, _ERROR, "an action item without a day; a warning while it is only proposed",
            "It has no due date.", "Name a day, as YYYY-MM-DD.",
        ),
        (
            "no-priority", Part.ITEMS, _ERROR,
            "an action item without P0, P1, P2 or P3; a warning while it is only proposed",
            "It has no priority.", "Choose P0, P1, P2 or P3.",
        ),
        (
            "verb-first", Part.ITEMS, _WARNING, "an action item that does not begin with what is done",
            "It does not say what is done.", "Begin with a verb: add, remove, limit, alert, automate.",
        ),
        (
            "vague-verb", Part.ITEMS, _WARNING,
            '"improve", "better", "investigate", "look into", "ensure", "review", "monitor" and the like',
            "Nobody can say when it is done.", "Say what will be there that is not there now.",
        ),
        (
            "no-end-state", Part.ITEMS, _WARNING, "an action item with neither a number nor a condition",
            "Nobody can see that it is done.",
            "Add a number or a condition: how much, by when, or what then happens; leave it where the end is plain.",
        ),
        (
            "too-many-items", Part.ITEMS, _WARNING, "more than ten action items",
            "More than ten are not done.", "Keep those of P0 and P1, and decline the others with a reason.",
        ),
        (
            "head", Part.SECTIONS, _ERROR, "a machine-readable head that is missing, or lacks a key",
            "Machines read the head to count postmortems.", "Put it back as it was drafted.",
        ),
        (
            "missing-section", Part.SECTIONS, _ERROR, "a mandatory section that is not there",
            "A mandatory section is missing.", "Put its heading back, and fill it in.",
        ),
        (
            "unfilled", Part.SECTIONS, _ERROR,
            "a section that is empty, or a prompt of the draft that stands there still; a warning where it may come "
            "later",
            "This is not filled in.", "Answer it in the prompt's place, or say why there is nothing.",
        ),
        (
            "executive-summary", Part.SECTIONS, _ERROR,
            "an executive summary that is not one sentence of at most 40 words",
            "The executive summary is one sentence of at most 40 words.",
            "Say what broke for whom, how long, why, and that it is fixed.",
        ),
        (
            "impact-numbers", Part.SECTIONS, _ERROR, "impact without a number, `none` or `estimate: ...`",
            "The impact has no number.", "Write a number, `none`, or `estimate: ...` with how it was estimated.",
        ),
        (
            "factors", Part.SECTIONS, _WARNING, "fewer than two contributing factors, and no word of why",
            "Fewer than two contributing factors are named.",
            "Name another condition, or say that there is only one because ...",
        ),
        (
            "timeline-source", Part.SECTIONS, _ERROR, "a row of the timeline without a source",
            "The row has no source.", "Add a link, or write `observed` when somebody saw it.",
        ),
    )
)  # fmt: skip
"""Every rule by its name, in the order in which the page shows them."""

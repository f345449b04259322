"""Whether a postmortem speaks of conditions or of culprits: advice for each place, counted by rule, never by author."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator
from typing import Any

from incidentd.actionitems import PEOPLE_FIX
from incidentd.postmortem.findings import Finding, Level
from incidentd.postmortem.markup import Page, compiled
from incidentd.postmortem.rules import RULES


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


ROLES = _set(
    "on-call oncall on-caller on-calls engineer engineers developer developers responder responders admin admins "
    "administrator administrators sysadmin sysadmins sre sres dba dbas commander team teams intern contractor person "
    "human humans colleague technician technicians employee employees author reviewer reviewers somebody someone "
    "everybody everyone he she"
)
"""Words for people that stand as the subject, beside the people of the incident."""
# programs are called so too: a cluster manager, an operator of Kubernetes
_MAY_BE_PROGRAMS = _set("operator operators manager managers lead leads")
_OF_PEOPLE = _set(
    "the a an our their his her duty shift night human team incident operations communications engineering"
)

_LOOK_BACK = 160
_BLAMED = compiled(
    r"\b(?:ignored|forgot|forgotten|failed|broke|caused|missed|overlooked|neglected|refused|crashed|botched"
    r"|mishandled|misconfigured|mistyped|panicked|(?:messed|screwed)\s{1,3}up|did\s{1,3}not|didn't|never)\b"
)
# what somebody did not have is a condition, and the very thing to write down
_HAD_NOT = re.compile(r"[\s*_]{1,6}(?:have|had|get|got|receive|received|need|needed|know|knew)\b", re.IGNORECASE)
_TOKEN = re.compile(r"@?\w[\w'\\-]{0,80}(?:\.\w{1,80}){0,3}@?|[^\w\s*_]|\n[ \t]*\n")
_PASSED_OVER = _set("had has have also just then still again simply even apparently who that call duty on")
_BESIDE = _set("the a an our their on-call secondary primary senior junior new first second other responsible")
_OBJECT_OF = _set(
    "of to for by from with at about on in between paging calling notifying alerting reaching telling asking"
)
# what a program did mistakenly is no slip of anybody
_PROGRAMS = re.compile(
    r"\b(?:it|which|job|script|process|code|system|service|server|client|change|rule|policy|query|automation|tool|playbook"
    r"|controller|scheduler|deploy|deployment|update|release|migration)\s{1,3}(?:would\s{1,3}|had\s{1,3}|has\s{1,3})?$",
    re.IGNORECASE,
)
_SOME_OF = _set("one some none all most any each two three several many both")

# what follows `should have` where it is about the past: `should have a limit` is a wish
_DONE = (
    r"(?:\s{0,3}(?:[.,;:!?)|]|$)|\s{1,3}(?:not\s{1,3}|never\s{1,3})?(?:\w{2,20}(?:ed|en|wn|ught)|been|had|made|gone|done|kept"
    r"|sent|run|led|lead|put|set|cut|found|held|built|told|come|meant|lost|left|hit|shut|begun|rung|got|read|understood)\b)"
)
_WORDS: dict[str, Any] = {
    "judgement": compiled(
        r"\b(?:careless(?:ly|ness)?|ignoran(?:ce|t|tly)|ridiculous(?:ly)?|obviously|negligen(?:ce|t|tly)|stupid(?:ly|ity)?"
        r"|incompeten(?:ce|t|tly)|laziness|sloppy|sloppiness|reckless(?:ly|ness)?|irresponsibl[ey]|inexcusabl[ey]"
        r"|foolish(?:ly)?|idiots?|idiotic|clueless|embarrassing|shameful|common\s{1,3}sense|any\s{1,3}competent)\b"
    ),
    "human-error": compiled(
        r"\b(?:(?:human|operator|pilot|engineer)[\s-]{1,3}errors?|mistakenly|accidentally"
        r"|by\s{1,3}(?:mistake|accident)|fat[\s-]{1,3}finger(?:ed|ing)?|(?:made|makes|make)\s{1,3}an?\s{1,3}mistake)\b"
    ),
    "blame": compiled(
        r"\b(?:the\s{1,3}fault\s{1,3}of|(?:his|her|my|their|our|your)\s{1,3}fault|at\s{1,3}fault|to\s{1,3}blame"
        r"|blam(?:e|es|ed|ing)|culprits?|(?:responsible|guilty|accountable)\s{1,3}(?:for|of)\s{1,3}(?:the|this|that|an|a)"
        r"\s{1,3}(?:outage|incident|failure|downtime|breakage|damage|mess))\b"
    ),
    "counterfactual": compiled(
        r"\b(?:(?:should|could|would|might|ought\s{1,3}to)(?:n't|\s{1,3}not)?(?:\s{1,3}\w{2,12}ly)?(?:\s{1,3}have|'ve)"
        r"(?:\s{1,3}\w{2,12}ly)?" + _DONE + r"|if\s{1,3}only\b)"
    ),
    "failed-to": compiled(r"\b(?:failed|fails|neglected|neglects)\s{1,3}to\b"),
    "animated": compiled(
        r"!{2,}|\b(?:can't\s{1,3}believe|cannot\s{1,3}believe|disasters?|disastrous(?:ly)?|catastroph(?:e|ic|ically)"
        r"|nightmares?|horribl[ey]|terribl[ey]|awful(?:ly)?|insane(?:ly)?|unbelievabl[ey])"
    ),
    "single-cause": compiled(
        r"\b(?:(?:the|single|one|true|real)\s{1,3}root\s{1,3}cause\b|root\s{1,3}cause\s{1,3}(?:is|was)\b)"
    ),
    "outage": compiled(r"\boutages?\b"),
}  # fmt: skip
_ASKING = compiled(r"\b(?:who|why)\b")
_ASKED = re.compile(r"(?:[^.?!\n|\x00]|\n(?![ \t]*\n)){0,160}\?")
_SEGMENT = re.compile(r"\b(?:total|complete|full)\s{1,3}$", re.IGNORECASE)
_FREE = re.compile(r"[\s-]?(?:free|less)")
_RECOVERY = re.compile(r"[\s-]{1,3}(?:recovery|plan)", re.IGNORECASE)


def _is_git_or_blame_free(before: str, words: str, after: str) -> bool:
    blame = words.casefold().startswith("blam")
    return blame and (before.casefold().endswith("git ") or _FREE.match(after) is not None)


_UNLESS: dict[str, Callable[[str, str, str], bool]] = {
    "human-error": lambda before, words, _: words.casefold().endswith("ly") and _PROGRAMS.search(before) is not None,
    "blame": _is_git_or_blame_free,
    "animated": lambda _, words, after: words.casefold() == "disaster" and _RECOVERY.match(after) is not None,
    "outage": lambda before, _, __: _SEGMENT.search(before) is not None,
}
"""Where words mean something else: what stands before them, they, and what stands after."""


def language(page: Page, people: Collection[str] = ()) -> list[Finding]:
    """Find what looks for culprits, in the order of the text; `people` are the handles and names of the incident.

    Code, quotations, the head, the draft's own prompts and what programs recorded are not looked at.
    """
    found = [*_causes(page, people), *_words(page), *_questions(page), *_people_fixes(page)]
    heaviest_first = sorted(found, key=lambda it: (-it[2].level.weight, it[0]))
    return [finding for _, _, finding in sorted(_apart(heaviest_first), key=lambda it: (it[0], it[2].rule))]


Spanned = tuple[int, int, Finding]
"""Where the words of a finding begin and end, and the finding."""


def _apart(found: list[Spanned]) -> list[Spanned]:
    """Keep of findings about the same words the one that weighs most; those come first."""
    kept: list[Spanned] = []
    taken: set[int] = set()
    for begin, end, finding in found:
        # a finding's words are few, so its places are
        places = range(begin, end)
        if taken.isdisjoint(places):
            taken.update(places)
            kept.append((begin, end, finding))
    return kept


def _words(page: Page) -> Iterator[Spanned]:
    prose = page.prose
    for name, pattern in _WORDS.items():
        unless = _UNLESS.get(name)
        for it in pattern.finditer(prose):
            begin, end = it.start(), it.end()
            if unless is None or not unless(prose[max(0, begin - 24) : begin], it.group(), prose[end : end + 12]):
                yield begin, end, RULES[name].at(page.place(begin), it.group())


def _questions(page: Page) -> Iterator[Spanned]:
    for it in _ASKING.finditer(page.prose):
        if asked := _ASKED.match(page.prose, it.end()):
            words = page.prose[it.start() : asked.end()]
            yield it.start(), asked.end(), RULES["who-why"].at(page.place(it.start()), words)


def _people_fixes(page: Page) -> Iterator[Spanned]:
    section = page.section("Action items")
    lines = set(section.lines) if section else set()
    for it in PEOPLE_FIX.finditer(page.prose):
        place = page.place(it.start())
        level = Level.ERROR if place[0] - 1 in lines else Level.WARNING
        yield it.start(), it.end(), RULES["people-fix"].at(place, it.group(), level=level)


def _causes(page: Page, people: Collection[str]) -> Iterator[Spanned]:
    """Find people as subjects of what went wrong; any other subject is a condition, and welcome."""
    handles = {one.casefold() for one in people if one}
    names = {part for one in people for part in one.split() if part[:1].isupper()}
    prose = page.prose
    for it in _BLAMED.finditer(prose):
        negated = it.group().casefold().startswith(("did", "never"))
        if negated and _HAD_NOT.match(prose, it.end(), min(len(prose), it.end() + 16)):
            continue
        start = max(0, it.start() - _LOOK_BACK)
        begin = _subject(prose[start : it.start()], handles, names)
        if begin is not None:
            words = prose[start + begin : it.end()]
            yield start + begin, it.end(), RULES["person-as-cause"].at(page.place(start + begin), words)


def _subject(before: str, handles: Collection[str], names: Collection[str]) -> int | None:
    """Say where the person begins who is the subject of what follows; None when it is none."""
    tokens = list(_TOKEN.finditer(before))
    at = len(tokens) - 1
    for _ in range(4):
        if at < 0 or not _passed_over(tokens[at].group()):
            break
        at -= 1
    before_it = tokens[at - 1].group().casefold() if at > 0 else ""
    if at < 0 or not _is_person(tokens[at].group(), before_it, handles, names):
        return _on_call(tokens)
    return None if _is_object([one.group().casefold() for one in tokens[:at]]) else tokens[at].start()


def _passed_over(word: str) -> bool:
    return word.casefold() in _PASSED_OVER or (word.endswith("ly") and len(word) > 4)


def _is_person(word: str, before: str, handles: Collection[str], names: Collection[str]) -> bool:
    bare = word.replace("\\", "").strip("@_")
    small = bare.casefold()
    if small in _MAY_BE_PROGRAMS and small not in handles:
        return before in _OF_PEOPLE
    return small in handles or small in ROLES or bare in names


def _on_call(tokens: list[re.Match[str]]) -> int | None:
    """Find `on call` as a person: `on call did not look`."""
    words = [one.group().casefold() for one in tokens]
    return tokens[-2].start() if words[-2:] == ["on", "call"] and not _is_object(words[:-2]) else None


def _is_object(before: list[str]) -> bool:
    """Say whether what follows these words is what something is done to: `the page to the on-call engineer failed`."""
    while before and before[-1] in _BESIDE:
        before = before[:-1]
    if not before or before[-1] not in _OBJECT_OF:
        return False
    return not (before[-1] == "of" and len(before) > 1 and before[-2] in _SOME_OF)

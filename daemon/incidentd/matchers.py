"""Matchers: conditions on labels as Alertmanager writes them, `severity=~"critical|page"`, and RE2 patterns.

Two ways of writing are read, as Alertmanager's default (fallback) mode reads them. Classic: a plain name, and a value
in double quotes or bare, in which a backslash escapes a quote, an n or a backslash and else stands for itself. UTF-8:
a name in double quotes, or a bare one such as `service.name`, for label names that classic cannot say; there a quoted
value follows Go's string rules.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, cast

import re2

Op = Literal["=", "!=", "=~", "!~"]

# Go's \s, not Python's, which knows more kinds of space
_SPACES = "\t\n\f\r "
_SPACE = r"[\t\n\f\r ]"
_CLASSIC = re.compile(
    rf"{_SPACE}*(?P<name>[a-zA-Z_:][a-zA-Z0-9_:]*){_SPACE}*(?P<op>=~|=|!=|!~){_SPACE}*(?P<value>.*)", re.DOTALL
)
_CLASSIC_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
_CLASSIC_ESCAPE = re.compile(r'\\([n"\\])')
_ESCAPED_OR_QUOTE = re.compile(r'\\.|"', re.DOTALL)
_CLASSIC_WRITTEN = {"n": "\n", '"': '"', "\\": "\\"}
_STRING = r'"(?:[^"\\\n]|\\.)*"'
_BARE = r"[^\s{}!=~,\\\"'`]+"
_UTF8 = re.compile(
    rf"{_SPACE}*(?P<name>{_STRING}|{_BARE}){_SPACE}*(?P<op>=~|=|!=|!~){_SPACE}*(?P<value>{_STRING}|{_BARE})"
)
# `sev-erity` is more often mistyped than meant, and Alertmanager took it for a mistake until 0.27
_NEEDS_QUOTES = re.compile(r"(?!\")(?:[0-9][!-~]*|[!-~]*-[!-~]*)")
_GO_ESCAPE = re.compile(
    r"\\(?:(?P<letter>[abfnrtv\\\"])|(?P<octal>[0-3][0-7]{2})|x(?P<byte>[0-9a-fA-F]{2})"
    r"|u(?P<short>[0-9a-fA-F]{4})|U(?P<long>[0-9a-fA-F]{8})|.)"
)
_GO_LETTERS = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "\\": "\\", '"': '"'}
_LOOKS_LIKE_REGEX = re.compile(r"\.[*+]|\|")
_PLAIN_START = re.compile(rf"{_SPACE}*[\w:]+{_SPACE}*")
_OPERATOR = re.compile(r"=|!~")


class BadMatcher(ValueError):
    """This is no matcher; the message says what to do. `column` is where in the text, counted from 1."""

    def __init__(self, reason: str, column: int = 1) -> None:
        super().__init__(f"character {column}: {reason}")
        self.reason = reason
        self.column = column


class Regex:
    """An RE2 pattern that must match the whole of a text; linear in time, whatever the pattern and the text."""

    __slots__ = ("_compiled", "pattern")

    def __init__(self, pattern: str) -> None:
        """Compile the pattern; raise ValueError for one that RE2 does not take."""
        options = re2.Options()
        options.log_errors = False
        options.never_capture = True
        try:
            self._compiled = re2.compile(pattern.encode(), options)  # type: ignore[no-untyped-call]  # it has no types
        except re2.error as error:
            reason = error.args[0].decode(errors="replace") if error.args else "no reason given"
            raise ValueError(f"this is no regular expression of RE2, which Prometheus uses: {reason}") from None
        except UnicodeEncodeError:
            raise ValueError("a regular expression must be valid Unicode") from None
        self.pattern = pattern

    def matches(self, text: str) -> bool:
        """Say whether the whole text matches; `.` does not match a newline."""
        return self._compiled.fullmatch(text.encode(errors="replace")) is not None


@dataclass(frozen=True, slots=True)
class Matcher:
    """One condition on one label. A label that is missing counts as the empty string."""

    name: str
    op: Op
    value: str
    _regex: Regex | None = field(init=False, repr=False, compare=False, default=None)

    def __post_init__(self) -> None:
        if self.op in ("=~", "!~"):
            try:
                object.__setattr__(self, "_regex", Regex(self.value))
            except ValueError as error:
                raise BadMatcher(str(error)) from None

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Say whether the labels meet the condition; `!=` and `!~` are met by a label that is absent."""
        found = labels.get(self.name, "")
        holds = found == self.value if self._regex is None else self._regex.matches(found)
        return holds != self.op.startswith("!")

    def __str__(self) -> str:
        plain = _CLASSIC_NAME.fullmatch(self.name) is not None
        return f"{self.name if plain else _quoted(self.name)}{self.op}{_quoted(self.value)}"


def parse_matcher(text: str) -> Matcher:
    """Read one matcher; raise BadMatcher, with what to do and where, for anything else."""
    text = text.rstrip(_SPACES)
    if found := _CLASSIC.fullmatch(text):
        name, value = found["name"], _classic_value(found["value"], found.start("value") + 1)
    elif (found := _UTF8.fullmatch(text)) and not _NEEDS_QUOTES.fullmatch(found["name"]):
        name, value = _go_string(found, "name"), _go_string(found, "value")
    else:
        raise _no_matcher(text)
    if not name:
        raise BadMatcher("the label's name is empty", found.start("name") + 1)
    try:
        return Matcher(name, cast("Op", found["op"]), value)
    except BadMatcher as error:
        raise BadMatcher(error.reason, found.start("value") + 1) from None


def doubt(matcher: Matcher) -> str:
    """Say why a matcher that can be read is probably not meant so; '' when nothing speaks against it."""
    value = matcher.value
    if len(value) >= 2 and value[0] == value[-1] == "'":
        return f"`{matcher}` asks for a value with single quotes in it, since only double quotes are quotes here"
    if matcher.op in ("=", "!=") and _LOOKS_LIKE_REGEX.search(value):
        instead = "=~" if matcher.op == "=" else "!~"
        return f"`{matcher}` compares letter by letter, but its value looks like a pattern; {instead} is for patterns"
    return ""


def _classic_value(raw: str, column: int) -> str:
    quoted = raw.startswith('"')
    body = raw.removeprefix('"')
    quote = next((part.start() for part in _ESCAPED_OR_QUOTE.finditer(body) if part[0] == '"'), None)
    if quoted and quote is None:
        raise BadMatcher("the closing double quote of the value is missing", column + len(raw))
    if quote is not None and not (quoted and quote == len(body) - 1):
        wanted = 'only quotes escaped as \\" may stand inside a value, and a second matcher is an entry of its own'
        raise BadMatcher(wanted, column + quote + quoted)
    return _CLASSIC_ESCAPE.sub(lambda escape: _CLASSIC_WRITTEN[escape[1]], body[:-1] if quoted else body)


def _go_string(found: re.Match[str], group: str) -> str:
    raw, column = found[group], found.start(group) + 1
    if not raw.startswith('"'):
        return raw
    # \\x and octal escapes write single bytes, of which a character may have several
    bytewise = _GO_ESCAPE.sub(lambda escape: _go_letter(escape, column), raw[1:-1])
    try:
        return bytewise.encode("utf-8", "surrogateescape").decode()
    except UnicodeError:
        raise BadMatcher("what the escapes of this string write is not valid UTF-8", column) from None


def _go_letter(escape: re.Match[str], column: int) -> str:
    if escape["letter"]:
        return _GO_LETTERS[escape["letter"]]
    if escape["byte"]:
        return bytes([int(escape["byte"], 16)]).decode("utf-8", "surrogateescape")
    if escape["octal"]:
        return bytes([int(escape["octal"], 8)]).decode("utf-8", "surrogateescape")
    code = int(escape["short"] or escape["long"] or "110000", 16)
    if code > 0x10FFFF or 0xD800 <= code <= 0xDFFF:
        wrong = f"{escape[0]} is no escape where the name is quoted; write two backslashes for one"
        raise BadMatcher(wrong, column + 1 + escape.start())
    return chr(code)


def _no_matcher(text: str) -> BadMatcher:
    wanted = 'write a label name, one of = != =~ !~, and a value, for example severity="critical"'
    bare = text.lstrip(_SPACES)
    column = len(text) - len(bare) + 1
    if not bare:
        return BadMatcher(f"the matcher is empty; {wanted}")
    if bare[0] == "{" or bare[-1] == "}":
        return BadMatcher("leave the braces out and write each matcher as an entry of its own", column)
    name = _PLAIN_START.match(text)
    if name is None or name.end() == len(text) or bare[0] == '"':
        return BadMatcher(f"this is no matcher; {wanted}", column if name is None else name.end() + 1)
    if _OPERATOR.search(text, name.end()):
        return BadMatcher('a label name like this one needs double quotes: "sev-erity"="critical"', name.end() + 1)
    return BadMatcher(f"this is no matcher; {wanted}", name.end() + 1)


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'

"""What Jira's refusals and silences mean: TemporaryError or PermanentError, in words that say what to do."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from jira import JIRAError
from requests import exceptions as http
from urllib3.exceptions import NewConnectionError

from incidentd.durations import retry_after
from incidentd.errors import PermanentError, TemporaryError
from incidentd.text import plain
from incidentd.tickets.client import Redirected

SETTLE = timedelta(seconds=15)
"""Time given to Jira's search index before a try that may have worked is looked for."""

# What never reached Jira, or never will: nothing can have been done. The first that fits counts.
_NOT_DONE: tuple[tuple[tuple[type[Exception], ...], type[PermanentError | TemporaryError], str], ...] = (
    ((Redirected,), PermanentError, "Jira sends us elsewhere: set jira.url to the address where it really lives"),
    ((http.SSLError,), TemporaryError, "Jira's TLS certificate cannot be trusted: renew it, or trust its CA"),
    ((http.ConnectTimeout,), TemporaryError, "Jira cannot be reached: no connection in time"),
    (
        (http.InvalidURL, http.MissingSchema, http.InvalidSchema), PermanentError,
        "jira.url is not an http or https address: correct it",
    ),
    (
        (http.InvalidHeader, UnicodeEncodeError), PermanentError,
        "the token in jira.token_file or jira.user holds characters that no header can carry: correct it",
    ),
)  # fmt: skip

_HINTS = {
    "project": "jira.project, or the team's, must name a project in which the token's user may create issues",
    "issuetype": "jira.issue_type must name one of the project's issue types",
    "parent": "jira.epic must name an issue that may be a parent",
    "labels": "put the field Labels on the project's create screen: incidentd finds its issues again by a label",
    "summary": "put the field Summary on the project's create screen",
    "description": "put the field Description on the project's create screen",
}


def translate(
    error: BaseException, *, doing: str, write: bool, redact: Callable[[str], str]
) -> TemporaryError | PermanentError:
    """Make one of the two errors of a door; `write` says that Jira may have done it although no good answer came."""
    if isinstance(error, JIRAError) and error.status_code and error.status_code >= 400:
        return _refused(error, error.status_code, doing=doing, write=write, redact=redact)
    for kinds, made, words in _NOT_DONE:
        if isinstance(error, kinds):
            return made(f"{doing}: {words}")
    if _never_connected(error):
        return TemporaryError(f"{doing}: Jira cannot be reached: check jira.url, DNS and the firewall")
    if isinstance(error, http.RequestException) and not isinstance(error, ValueError):
        return unknown(f"{doing}: Jira gave no whole answer", maybe_done=write)
    words = "Jira's answer makes no sense: jira.url must be a Jira, with its context path"
    return unknown(f"{doing}: {words}", maybe_done=write)


def unknown(message: str, *, maybe_done: bool) -> TemporaryError:
    """Say that nobody knows what became of it; after a write the next try comes when the search index had time."""
    return TemporaryError(message, retry_after=SETTLE if maybe_done else None, maybe_done=maybe_done)


def field_errors(error: JIRAError) -> dict[str, str]:
    """Give what Jira says is wrong, by field; {} when it says nothing of the kind."""
    errors = _json(error).get("errors")
    return {str(name): str(words) for name, words in errors.items()} if isinstance(errors, dict) else {}


def _refused(
    error: JIRAError, status: int, *, doing: str, write: bool, redact: Callable[[str], str]
) -> TemporaryError | PermanentError:
    wish = retry_after(error.response.headers if error.response is not None else {})
    if status == 401:
        return PermanentError(f"{doing}: Jira refused the token (401): renew jira.token_file, and check jira.user")
    if status == 403:
        return PermanentError(
            f"{doing}: Jira refused the token (403): renew jira.token_file, or give its user the permissions"
            " Browse Projects, Create Issues and Add Comments in the project"
        )
    if status in (408, 425, 429):
        return TemporaryError(f"{doing}: Jira asks to come back later ({status})", retry_after=wish)
    if status >= 500:
        # a gateway's error says nothing about what the Jira behind it did
        wish = wish or (SETTLE if write else None)
        return TemporaryError(f"{doing}: Jira is in trouble ({status})", retry_after=wish, maybe_done=write)
    return PermanentError(redact(f"{doing}: Jira refused it ({status}): {_words(error, status)}"))


def _words(error: JIRAError, status: int) -> str:
    fields = sorted(field_errors(error).items())[:8]
    if fields:
        return "; ".join(f"{plain(name, 60)}: {plain(words, 200)} ({_hint(name)})" for name, words in fields)
    listed = _json(error).get("errorMessages")
    words = plain("; ".join(map(str, listed)) if isinstance(listed, list) else str(error.text or ""), 200)
    if status == 404:
        return f"{words or 'no such thing'} (check jira.url and what the token's user may see)"
    return words or "it does not say why"


def _hint(field: str) -> str:
    return _HINTS.get(field, f"set or correct {plain(field, 60)} under jira.fields, or change the create screen")


def _json(error: JIRAError) -> dict[str, object]:
    try:
        answer = error.response.json() if error.response is not None else {}
    except (ValueError, RecursionError):
        return {}
    return answer if isinstance(answer, dict) else {}


def _never_connected(error: BaseException) -> bool:
    reason = getattr(error.args[0] if error.args else None, "reason", None)
    return isinstance(error, http.ConnectionError) and isinstance(reason, NewConnectionError)

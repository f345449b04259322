"""What a failed try means, read from what Apprise logged about it: TemporaryError or PermanentError."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import timedelta

from incidentd.errors import PermanentError, TemporaryError

Failure = TemporaryError | PermanentError

_HTTP = re.compile(r"\berror=([1-5]\d\d)\b")
_SMTP = re.compile(r"\(([45]\d\d), b['\"]")
_REFUSED = re.compile(r"^SMTP recipient .* was refused: ([45]\d\d) ")
_UNTRUSTED = ("certificate verify failed", "CERTIFICATE_VERIFY_FAILED")
_NEVER_REACHED = (
    "Connection refused", "NewConnectionError", "NameResolutionError", "Name or service not known",
    "No address associated with hostname", "Temporary failure in name resolution", "ConnectTimeout", "SSLError",
    "No route to host", "Network is unreachable", "connect timeout",
)  # fmt: skip


def failure(name: str, said: Iterable[tuple[str, str]], wish: timedelta | None = None) -> Failure:
    """Make an error of what Apprise logged about a failed try. Its words hold strangers' values and are not repeated.

    Only lines that Apprise words itself are looked at: what it logs of payloads and answers could say anything.
    `wish` is when the server wants to be asked again, where it said so.
    """
    for level, line in said:
        if level != "DEBUG" and (found := _HTTP.search(line)):
            return _http_failure(name, int(found[1]), wish)
        if found := _REFUSED.search(line):
            return _smtp_failure(name, int(found[1]))
        if line.startswith("Socket Exception: "):
            found = _SMTP.search(line)
            return _smtp_failure(name, int(found[1])) if found else _broken(name, line)
    return TemporaryError(f"channel {name}: it was not taken, and Apprise does not say why", maybe_done=True)


def _http_failure(name: str, status: int, wish: timedelta | None) -> Failure:
    text = f"channel {name}: the server answered {status}"
    if status in (408, 425, 429) or status >= 500:
        return TemporaryError(text, retry_after=wish, maybe_done=status in (502, 504))
    if status < 400:
        return PermanentError(f"{text}, a redirect, which is not followed; give the channel the final address")
    return PermanentError(f"{text}; check the channel's address, token and rights")


def _smtp_failure(name: str, code: int) -> Failure:
    text = f"channel {name}: the mail server answered {code}"
    return TemporaryError(text) if code < 500 else PermanentError(f"{text}; check the channel's address and login")


def _broken(name: str, line: str) -> TemporaryError:
    if any(words in line for words in _UNTRUSTED):
        return TemporaryError(f"channel {name}: the server's certificate was not accepted")
    if any(words in line for words in _NEVER_REACHED):
        return TemporaryError(f"channel {name}: the server cannot be reached")
    return TemporaryError(f"channel {name}: the connection broke before an answer came", maybe_done=True)

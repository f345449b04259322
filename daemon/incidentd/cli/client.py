"""Asking a running daemon: one request over HTTP, and its trouble in one sentence."""

from __future__ import annotations

import http.client
import json
import os
import pwd
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar
from urllib.parse import quote, urlencode, urlsplit

import click

from incidentd import __version__
from incidentd.redaction import Secret
from incidentd.text import plain

DEFAULT_URL = "http://127.0.0.1:9720"
_TIMEOUT = 30.0
_LARGEST = 64 * 1024 * 1024

version_seen = click.option(
    "--version", "expected_version", type=click.IntRange(min=1), help="Only if it is as you saw it, at this version."
)
P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Daemon:
    """A daemon somewhere, and who asks it."""

    url: str
    token: Secret
    as_json: bool = False
    by: str = ""

    def get(self, path: str, **query: Any) -> Any:
        """Read something. Raises click.ClickException, in one sentence, when that fails."""
        asked = urlencode([(name, value) for name, value in query.items() if value not in ("", None)])
        return self.told("GET", path + (f"?{asked}" if asked else ""))

    def post(self, path: str, **fields: Any) -> Any:
        """Change something, under the name of the token or, without one, of whoever types this."""
        return self._acting(path, {name: value for name, value in fields.items() if value not in ("", None, (), [])})

    def put_down(self, path: str, **fields: Any) -> Any:
        """Write texts, which may be empty: that empties what stands there."""
        return self._acting(path, {name: value for name, value in fields.items() if value is not None})

    def _acting(self, path: str, given: dict[str, Any]) -> Any:
        if who := self.by or ("" if self.token else me()):
            given["by"] = who
        return self.told("POST", path, json.dumps(given).encode())

    def told(self, method: str, path: str, body: bytes | None = None) -> Any:
        """Send one request and read the answer, an object of JSON. Raises click.ClickException when it is none."""
        text = self.raw(method, path, body)
        try:
            found = json.loads(text)
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, dict):  # the page of a proxy where people log in, say
            raise click.ClickException(f"{self.url} answered with what is no JSON object; is that an incidentd?")
        return found

    def raw(self, method: str, path: str, body: bytes | None = None, accept: str = "application/json") -> str:
        """Send one request and give the answer's text."""
        status, text = self._exchange(method, path, body, accept)
        if 200 <= status < 300:
            return text
        raise click.ClickException(_trouble(status, text, self.url))

    def _exchange(self, method: str, path: str, body: bytes | None, accept: str) -> tuple[int, str]:
        where = urlsplit(self.url)
        connection = self._connection(where.scheme, where.netloc)
        headers = {"User-Agent": f"incidentd-cli/{__version__}", "Accept": accept}
        if body is not None:
            headers["Content-Type"] = "application/json"
        if self.token:
            headers["Authorization"] = f"Bearer {self.token.reveal()}"
        try:
            connection.request(method, where.path.rstrip("/") + path, body, headers)
            answer = connection.getresponse()
            return answer.status, answer.read(_LARGEST).decode("utf-8", "replace")
        except (OSError, http.client.HTTPException, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
            raise click.ClickException(
                f"cannot reach incidentd at {self.url}: {reason}; --url or INCIDENTD_URL says where it is"
            ) from None
        finally:
            connection.close()

    def _connection(self, scheme: str, netloc: str) -> http.client.HTTPConnection:
        if scheme == "https":
            return http.client.HTTPSConnection(netloc, timeout=_TIMEOUT, context=ssl.create_default_context())
        return http.client.HTTPConnection(netloc, timeout=_TIMEOUT)


def _trouble(status: int, text: str, url: str) -> str:
    if 300 <= status < 400:
        return f"{url} leads elsewhere (HTTP {status}); give the address that answers itself as --url"
    try:
        said = json.loads(text)["error"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return f"{url} answered HTTP {status}; is that an incidentd?"
    more = " (give one with --token-file, INCIDENTD_TOKEN_FILE or INCIDENTD_TOKEN)" if status == 401 else ""
    return plain(str(said), 1000) + more


def me() -> str:
    """Name whoever runs this command, as the machine knows them; '' when it does not."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return ""


def segment(text: str) -> str:
    """Write a word as one piece of a path."""
    return quote(text, safe="")


def asks(*, acts: bool = False) -> Callable[[Callable[Concatenate[Daemon, P], R]], Callable[P, R]]:
    """Give a command the options that say which daemon, as whom and how to print; it is handed a `Daemon`."""

    def wrap(command: Callable[Concatenate[Daemon, P], R]) -> Callable[P, R]:
        @click.option(
            "--url", envvar="INCIDENTD_URL", default=DEFAULT_URL, show_default=True, help="Where incidentd is."
        )
        @click.option(
            "--token-file",
            envvar="INCIDENTD_TOKEN_FILE",
            type=click.Path(path_type=Path),
            help="A file with your token.",
        )
        @click.option("--json", "as_json", is_flag=True, help="Print JSON, for scripts.")
        @wraps(command)
        def called(*args: P.args, **kwargs: P.kwargs) -> R:
            given: dict[str, Any] = dict(kwargs)
            daemon = Daemon(
                _checked_url(given.pop("url")), _token(given.pop("token_file")),
                given.pop("as_json"), given.pop("by", None) or "",
            )  # fmt: skip
            return command(daemon, *args, **given)

        if acts:
            called = click.option("--by", help="Who acts; the token's name, or yours on this machine, if not said.")(
                called
            )
        return called

    return wrap


def _checked_url(url: str) -> str:
    try:
        where = urlsplit(url)
        good = where.scheme in ("http", "https") and bool(where.hostname) and where.port != 0
    except ValueError:
        good = False
    if not good:
        raise click.UsageError(f"{url[:200]!r} is no address; write it like {DEFAULT_URL}")
    return url.rstrip("/")


def _token(file: Path | None) -> Secret:
    if file is None:
        # not an option of its own: everybody on a machine sees the words of a command
        return Secret(os.environ.get("INCIDENTD_TOKEN", "").strip())
    try:
        text = file.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise click.UsageError(f"cannot read the token in {file}: {getattr(error, 'strerror', error)}") from None
    if not text.isascii() or not text.isprintable() or not text:
        raise click.UsageError(f"{file} holds no token: one line that begins with inc_")
    return Secret(text)


def printed(daemon: Daemon, value: Mapping[str, Any], said: str) -> None:
    """Print what came of it: JSON when asked, else a sentence."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False) if daemon.as_json else said)

"""The jira package on a leash: a thread of its own, no retries, no redirects, no endless answers."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from queue import SimpleQueue
from typing import Any, TypeVar

import requests
from jira import JIRA, JIRAError
from requests import exceptions as http
from requests.adapters import HTTPAdapter

from incidentd.actionitems import JiraSettings

TIMEOUT = (3.0, 10.0)
"""Seconds to connect, and to wait for the next bytes."""
LONGEST_ANSWER = 1 << 20
"""Bytes; a search for one issue's labels and a page of comments are far smaller."""
UNEXPECTED = (
    JIRAError, http.RequestException, LookupError, TypeError, ValueError, AttributeError, OSError, RecursionError,
)  # fmt: skip
"""What comes out of the jira package when Jira is away, refuses, or answers with something that makes no sense."""

T = TypeVar("T")


class Redirected(http.RequestException):
    """Jira sent us elsewhere; the token goes only where the operator said."""


class Client(JIRA):
    """A jira client that retries nothing by itself, follows no redirect and reads no endless answer.

    Making one asks Jira what it is, so it belongs into the worker's thread.
    """

    def __init__(self, settings: JiraSettings) -> None:
        token = settings.token.reveal()
        if not (settings.user + token).isprintable():
            raise http.InvalidHeader("a line break or the like in the credentials")
        super().__init__(
            server=settings.url,
            basic_auth=(settings.user, token) if settings.user else None,
            token_auth=None if settings.user else token,
            get_server_info=False,
            logging=False,
            max_retries=0,
            timeout=TIMEOUT,
        )
        for scheme in ("https://", "http://"):
            self._session.mount(scheme, _Careful())
        # spares a request for the list of all fields, which the package makes before its first search
        self._fields_cache_value = {"labels": "labels"}
        # Cloud took the old search away, so the package has to know whom it speaks to
        self.deploymentType = self.server_info().get("deploymentType")

    @property
    def cloud(self) -> bool:
        """Say whether this is Jira Cloud, not Data Center."""
        return bool(self.deploymentType == "Cloud")

    def epic_field(self) -> str:
        """Find the field that Data Center links an issue to its epic by; '' when there is none."""
        custom = "com.pyxis.greenhopper.jira:gh-epic-link"
        return next((str(f["id"]) for f in self.fields() if f.get("schema", {}).get("custom") == custom), "")


class _Careful(HTTPAdapter):
    def send(  # noqa: PLR0917  # the signature is the package's
        self, request: requests.PreparedRequest, stream: bool = False, timeout: Any = None, verify: bool | str = True,
        cert: Any = None, proxies: Mapping[str, str] | None = None,
    ) -> requests.Response:  # fmt: skip
        response = super().send(request, True, timeout, verify, cert, proxies)
        if 300 <= response.status_code < 400:
            response.close()
            raise Redirected(response=response)
        body = bytearray()
        for chunk in response.iter_content(65_536):
            body += chunk
            if len(body) > LONGEST_ANSWER:
                response.close()
                raise http.ContentDecodingError("longer than any answer of Jira")
        response._content = bytes(body)  # where the response keeps what was read of it
        return response


class Worker:
    """One daemon thread with a client of its own: a Jira that hangs holds this thread, never the daemon's exit."""

    def __init__(self, settings: JiraSettings) -> None:
        self._settings = settings
        self._jobs: SimpleQueue[tuple[Callable[[Client], Any], Future[Any]] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="jira", daemon=True)
        self._thread.start()

    @property
    def alive(self) -> bool:
        """Say whether the thread still works, or hangs."""
        return self._thread.is_alive()

    def ask(self, job: Callable[[Client], T]) -> Future[T]:
        """Run a job in the thread, after those that were asked for before."""
        future: Future[T] = Future()
        self._jobs.put((job, future))
        return future

    def stop(self) -> None:
        """Let the thread end after what was asked for; nobody has to wait for that."""
        self._jobs.put(None)

    def join(self, seconds: float) -> None:
        """Wait a little for the thread's end."""
        self._thread.join(seconds)

    def _run(self) -> None:
        client: Client | None = None
        while (entry := self._jobs.get()) is not None:
            job, future = entry
            if not future.set_running_or_notify_cancel():
                continue
            try:
                client = client or Client(self._settings)
                future.set_result(job(client))
            except BaseException as error:  # noqa: BLE001  # handed over whole to the side that waits, which sorts it
                future.set_exception(error)
            del entry, job, future
        if client is not None:
            client.close()  # type: ignore[no-untyped-call]  # the package forgot its type

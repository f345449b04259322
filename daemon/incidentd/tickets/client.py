"""The jira package on a leash: a thread of its own, no retries, no redirects, no endless answers."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from queue import SimpleQueue
from typing import Any, TypeVar

import requests
from jira import JIRA, JIRAError
from jira.utils import json_loads
from requests import exceptions as http
from requests.adapters import HTTPAdapter

from incidentd.actionitems import JiraSettings

TIMEOUT = (3.0, 10.0)
"""Seconds to connect, and to wait for the next bytes."""
LONGEST_ANSWER = 1 << 20
"""Bytes; a search for one issue's labels and a page of comments are far smaller."""
PAGE = 100
"""Issues of one page of a search."""
_YES: Any = "true"
"""As Jira's contract spells it; of a `True` the library would make the word `True`, which stands in no contract."""
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
        self._priority_ids: dict[str, str] | None = None
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

    def priority_ids(self) -> dict[str, str]:
        """Give the ids of the priorities by their names in small letters, asked once; {} when Jira will not say."""
        if self._priority_ids is None:
            try:
                found = self._get_json("priority")
            except JIRAError as error:
                if error.status_code not in (403, 404):
                    raise
                found = []
            self._priority_ids = {str(one["name"]).lower(): str(one["id"]) for one in found}
        return self._priority_ids

    def create(self, fields: Mapping[str, Any], properties: Mapping[str, Any]) -> str:
        """Create an issue with properties of its own, once, and give its key. A Jira that knows none gets it without.

        The package's own way can set no properties.
        """
        kept = [{"key": key, "value": value} for key, value in properties.items()]
        try:
            return self._created({"fields": fields, "properties": kept})
        except JIRAError as error:
            if error.status_code != 400 or "properties" not in str(error.text):
                raise
        return self._created({"fields": fields})

    def _created(self, body: Mapping[str, Any]) -> str:
        answer = self._session.post(self._get_url("issue"), data=json.dumps(body))
        return str(json_loads(answer)["key"])

    def link(self, jira_key: str, body: Mapping[str, Any]) -> None:
        """Set a remote link of an issue: of two with the same globalId the later one stays.

        The package's own way asks for application links first, which most users may not see.
        """
        self._session.post(self._get_url(f"issue/{jira_key}/remotelink"), data=json.dumps(body))

    def found(self, jql: str, fields: str, most: int) -> list[dict[str, Any]]:
        """Search, page after page, with the search that this Jira has; up to `most` issues as Jira writes them."""
        try:
            return self._pages(jql, fields, most)
        except JIRAError as error:
            if error.status_code != 410 or self.cloud:
                raise
            self.deploymentType = "Cloud"  # it took the old search away, whatever it says that it is
            return self._pages(jql, fields, most)

    def _pages(self, jql: str, fields: str, most: int) -> list[dict[str, Any]]:
        issues: list[dict[str, Any]] = []
        token: str | None = None
        while len(issues) < most:
            size, wanted = min(PAGE, most - len(issues)), fields.split(",")
            if self.cloud:
                how = {"nextPageToken": token, "maxResults": size, "fields": wanted, "json_result": True}
                answer: Any = self.enhanced_search_issues(jql, **how)
            else:
                old: dict[str, Any] = {"fields": wanted, "validate_query": _YES, "json_result": True}
                answer = self.search_issues(jql, len(issues), size, **old)
            issues += answer["issues"]
            token = answer.get("nextPageToken")
            over = token is None if self.cloud else len(issues) >= int(answer["total"])
            if over or not answer["issues"]:
                break
        return issues

    def issue_fields(self, jira_key: str, fields: str) -> dict[str, Any] | None:
        """Read an issue as Jira writes it; None when there is none that this user may see."""
        try:
            answer: dict[str, Any] = self._get_json(f"issue/{jira_key}", params={"fields": fields})
        except JIRAError as error:
            if error.status_code == 404:
                return None
            raise
        return answer


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

"""The door to a dead man's switch: one request says that we live; who listens there alarms when it stays out."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import aiohttp

from incidentd.errors import PermanentError, TemporaryError
from incidentd.redaction import Secret

WITHIN = timedelta(seconds=10)


class Heartbeat:
    """Pings one URL, which is a secret as a whole: whoever knows it can pretend that we live.

    The session stays the caller's, who closes it.
    """

    def __init__(self, url: Secret, session: aiohttp.ClientSession) -> None:
        self._url = url
        self._session = session

    async def beat(self) -> None:
        """Say that we live. Raises TemporaryError when nobody took it, PermanentError when the URL is wrong."""
        try:
            async with (
                asyncio.timeout(WITHIN.total_seconds()),
                self._session.post(self._url.reveal(), allow_redirects=False) as answer,
            ):
                status = answer.status
        except TimeoutError:
            raise TemporaryError(f"the dead man's switch gave no answer within {WITHIN.seconds} s") from None
        except (aiohttp.InvalidURL, aiohttp.NonHttpUrlClientError, ValueError):
            raise PermanentError("the address of the dead man's switch is none; correct what it is read from") from None
        except (aiohttp.ClientError, OSError) as error:
            # the error's own words hold the address
            raise TemporaryError(f"the dead man's switch cannot be reached ({type(error).__name__})") from None
        if not 200 <= status < 300:
            text = f"the dead man's switch answered HTTP {status}"
            if status in (408, 429) or status >= 500:
                raise TemporaryError(text)
            raise PermanentError(f"{text}; correct its address (redirects are not followed)")

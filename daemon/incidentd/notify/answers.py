"""What a server answered, kept beside Apprise: it hands on no header, and reads answers of any length.

A plugin calls `requests` by the name in its own module. That name is led to a stand-in, which makes the same call,
keeps the headers for the thread that made it, and reads no more of the answer than anybody needs.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from incidentd.durations import retry_after

MOST = 64 * 1024
"""Bytes of an answer that are read; what services say of a message is far shorter."""
_CALLS = ("get", "post", "put", "patch", "delete", "request")


class _Heard(threading.local):
    wish: timedelta | None = None


_heard = _Heard()


def forget() -> None:
    """Forget what this thread heard."""
    _heard.wish = None


def wish() -> timedelta | None:
    """Say when the last server that this thread asked wants to be asked again; None when it did not say."""
    return _heard.wish


def listen(service: object) -> None:
    """Listen to what the servers of a service answer."""
    for kind in type(service).__mro__:
        module: Any = sys.modules.get(kind.__module__)
        real = getattr(module, "requests", None) if kind.__module__.startswith("apprise.plugins") else None
        if real is not None and not isinstance(real, _Listening):
            module.requests = _Listening(real)


class _Listening:
    """Stands for `requests` in the module of a plugin."""

    def __init__(self, real: Any) -> None:
        self._real = real

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._real, name)
        return _listened(found) if name in _CALLS else found


def _listened(call: Callable[..., Any]) -> Callable[..., Any]:
    def asked(*args: Any, **how: Any) -> Any:
        forget()
        response = call(*args, **{**how, "stream": True})
        _heard.wish = retry_after(response.headers)
        read = bytearray()
        for piece in response.iter_content(8192):
            read += piece
            if len(read) >= MOST:
                break
        response.close()
        response._content, response._content_consumed = bytes(read[:MOST]), True  # as `requests` itself does
        return response

    return asked

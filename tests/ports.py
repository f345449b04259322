"""Ports of loopback for what tests start: servers, and daemons that start again on the same one."""

from __future__ import annotations

import itertools
import os
import socket

# Below those that Linux gives to outgoing connections (from 32768): whoever connects, as a test does all the time to a
# daemon that is just being started, must never be given the port that the daemon is about to listen on.
_FIRST, _FOR_EACH, _WORKERS = 12_000, 2_000, 10
_worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % _WORKERS
_begin = os.getpid()  # so that two runs at once seldom ask for the same
_numbers = (_FIRST + _worker * _FOR_EACH + (_begin + number) % _FOR_EACH for number in itertools.count())


def unused_port() -> int:
    """Give a port that nobody listens on, and that this process gives to nobody else soon."""
    for port in itertools.islice(_numbers, _FOR_EACH):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as servers do, past connections in TIME_WAIT
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise OSError(f"no port from {_FIRST + _worker * _FOR_EACH} on is free")

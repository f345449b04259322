"""The daemon with somebody who looks: a few hundred times a second, what each of its threads is doing.

    python -m tests.bench.sampled FILE run ...

is `incidentd run ...`, and writes into FILE, again and again, how often each thread was found where. The look itself
needs the interpreter's lock, so what runs without it (a commit, a sync) is seen a little too often.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from collections import Counter, defaultdict
from pathlib import Path
from types import FrameType

_EVERY = 0.003
_WRITES = 30
"""Looks between two writings of the file."""
_WAITING = {("threading", "wait"), ("selectors", "select"), ("concurrent.futures.thread", "_worker")}
_NAMES = {"MainThread": "event loop", "asyncio": "threads beside the loop"}
_LIBRARIES = ("aiohttp", "sqlalchemy", "prometheus_client", "multidict", "yarl", "apprise", "requests", "msgspec")


def where(frame: FrameType | None) -> str:
    """Name what a thread does: the innermost function of ours, and the library that it is in; '' when it waits."""
    if frame is not None and (frame.f_globals.get("__name__"), frame.f_code.co_name) in _WAITING:
        return ""
    inside = ""
    while frame is not None:
        module = str(frame.f_globals.get("__name__"))
        if module.startswith("incidentd"):
            own = f"{module.removeprefix('incidentd.')}.{frame.f_code.co_name}"
            return f"{own} in {inside}" if inside else own
        inside = inside or next((it for it in _LIBRARIES if module.partition(".")[0] == it), "")
        frame = frame.f_back
    return inside or "asyncio"


def watch(file: Path) -> None:
    """Look until the process ends."""
    me = threading.get_ident()
    found: dict[str, Counter[str]] = defaultdict(Counter)
    looks = 0
    while True:
        time.sleep(_EVERY)
        names = {thread.ident: thread.name.rpartition("_")[0] or thread.name for thread in threading.enumerate()}
        for ident, frame in sys._current_frames().items():
            if ident != me:
                found[_NAMES.get(name := names.get(ident, "others"), name)][where(frame)] += 1
        looks += 1
        if looks % _WRITES == 0:
            (scratch := file.with_suffix(".new")).write_text(json.dumps({"looks": looks, "found": found}))
            scratch.replace(file)


def main() -> None:
    """Start looking, and run."""
    from incidentd.cli import main as incidentd

    _, file, *words = sys.argv
    sys.setswitchinterval(0.0005)
    threading.Thread(target=watch, args=(Path(file),), name="looks", daemon=True).start()
    incidentd(words)


if __name__ == "__main__":
    main()

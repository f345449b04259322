"""Figures as people read them: the units that the dashboards use, written about as Grafana writes them."""

from __future__ import annotations

import math
from collections.abc import Callable

_TIMES = ((86_400.0, "day"), (3600.0, "h"), (60.0, "min"), (1.0, "s"), (1e-3, "ms"), (1e-6, "µs"))
_THOUSANDS = ((1e9, " Bil"), (1e6, " Mil"), (1e3, " K"), (1.0, ""))
_BYTES = ((2.0**40, "TiB"), (2.0**30, "GiB"), (2.0**20, "MiB"), (2.0**10, "KiB"), (1.0, "B"))


def written(value: float, unit: str, now: float = 0, decimals: int | None = None) -> str:
    """Write a figure; `now` is in seconds since 1970, for units that say how long ago something was."""
    if not math.isfinite(value):
        return str(value)
    return _UNITS[unit](value, now, decimals)


def _short(value: float, _now: float, decimals: int | None) -> str:
    size, word = next((it for it in _THOUSANDS if abs(value) >= it[0]), _THOUSANDS[-1])
    return f"{_digits(value / size, decimals if size == 1 else None)}{word}"


def _seconds(value: float, _now: float, _decimals: int | None) -> str:
    if value == 0:
        return "0 s"
    size, word = next((it for it in _TIMES if abs(value) >= it[0]), _TIMES[-1])
    return f"{_digits(value / size)} {word}"


def _share(value: float, _now: float, decimals: int | None) -> str:
    return f"{_digits(value * 100, decimals)}%"


def _counts(value: float, _now: float, _decimals: int | None) -> str:
    return f"{_digits(value)} c/s"


def _requests(value: float, _now: float, _decimals: int | None) -> str:
    return f"{_digits(value)} req/s"


def _bytes(value: float, _now: float, _decimals: int | None) -> str:
    size, word = next((it for it in _BYTES if abs(value) >= it[0]), _BYTES[-1])
    return f"{_digits(value / size)} {word}"


def _ago(value: float, now: float, _decimals: int | None) -> str:
    """Write an instant, in milliseconds since 1970, as how far away it is."""
    away = now - value / 1000
    size, word = next((it for it in _TIMES if abs(away) >= it[0] and it[0] >= 1), (1.0, "s"))
    apart = f"{round(abs(away) / size)} {word}"
    return f"{apart} ago" if away >= 0 else f"in {apart}"


def _digits(value: float, decimals: int | None = None) -> str:
    """Write three digits, or as many after the point as are asked for; no zeros at the end of the former."""
    if decimals is not None:
        return (
            f"{value + 0.0:.{decimals}f}".replace("-0", "0") if round(value, decimals) == 0 else f"{value:.{decimals}f}"
        )
    places = max(0, 2 - math.floor(math.log10(abs(value)))) if value else 0
    short = f"{value:.{min(places, 6)}f}"
    return short.rstrip("0").rstrip(".") if "." in short else short


_UNITS: dict[str, Callable[[float, float, int | None], str]] = {
    "short": _short, "s": _seconds, "percentunit": _share, "cps": _counts, "reqps": _requests, "bytes": _bytes,
    "dateTimeFromNow": _ago,
}  # fmt: skip

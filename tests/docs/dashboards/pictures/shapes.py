"""What a picture is drawn of, each with its place in pixels from the upper left corner, and how long words get."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

from PIL import ImageFont

INK, SOFT, GRID, PAGE, CARD = "#24292e", "#6b7280", "#e5e7eb", "#f3f4f6", "#ffffff"
LEAST = 10
"""The smallest letters, in pixels: smaller ones nobody reads."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A rectangle."""

    left: float
    top: float
    right: float
    bottom: float

    @property
    def width(self) -> float:
        """How wide it is."""
        return self.right - self.left

    @property
    def height(self) -> float:
        """How high it is."""
        return self.bottom - self.top

    def inset(self, left: float, top: float, right: float, bottom: float) -> Place:
        """Give what is left of it when this much is taken from each side."""
        return Place(
            left=self.left + left, top=self.top + top, right=self.right - right, bottom=self.bottom - bottom
        )  # fmt: skip

    def holds(self, other: Place) -> bool:
        """Tell whether another one lies within."""
        across = self.left <= other.left and other.right <= self.right
        return across and self.top <= other.top and other.bottom <= self.bottom

    def meets(self, other: Place) -> bool:
        """Tell whether another one has a part of it in common."""
        across = self.left < other.right and other.left < self.right
        return across and self.top < other.bottom and other.top < self.bottom


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """A filled rectangle."""

    place: Place
    colour: str
    edge: str = ""
    """The colour of the line around it; '' for none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stroke:
    """A line through points; one point is a dot."""

    points: tuple[tuple[float, float], ...]
    colour: str
    wide: float = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """One line of text, whose letters stand on `y`."""

    x: float
    y: float
    text: str
    size: int
    colour: str = INK
    anchor: str = "l"
    """Which part of it stands at `x`: `l`, `m` or `r`."""
    bold: bool = False

    @property
    def place(self) -> Place:
        """Where its letters are."""
        left, top, right, bottom = font(self.size).getbbox(self.text, anchor=f"{self.anchor}s")
        return Place(left=self.x + left, top=self.y + top, right=self.x + right, bottom=self.y + bottom)


Shape = Box | Stroke | Words


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A dashboard with the place of everything, in the order in which it is drawn."""

    width: int
    height: int
    shapes: tuple[Shape, ...]


@cache
def font(size: int) -> ImageFont.FreeTypeFont:
    """Give the font that Pillow brings along; no other is looked for on the machine."""
    found = ImageFont.load_default(size)
    if not isinstance(found, ImageFont.FreeTypeFont):
        raise TypeError("This Pillow was built without FreeType; install the wheel that the lock names.")
    return found


def length(text: str, size: int) -> float:
    """Tell how long a text gets."""
    return font(size).getlength(text)


def fitting(texts: Iterable[str], room: float, most: int, least: int = LEAST) -> int:
    """Give the largest size at which each text has room; the least one when none is small enough."""
    longest = max((length(text, most) for text in texts), default=0)
    return max(least, min(most, int(most * room / longest))) if longest > 0 else most


def cut(text: str, size: int, room: float) -> str:
    """Shorten a text that has no room, and show that."""
    if length(text, size) <= room:
        return text
    kept = text
    while kept and length(f"{kept}…", size) > room:
        kept = kept[:-1]
    return f"{kept.rstrip()}…"

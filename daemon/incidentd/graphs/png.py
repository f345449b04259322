"""A graph as PNG: what goes with a message. Twice as large as the SVG, so that a telephone shows it sharp."""

from __future__ import annotations

import math
from functools import cache
from io import BytesIO

from PIL import Image, ImageColor, ImageDraw, ImageFont

from incidentd.graphs.layout import COLOURS, Anchor, Curve, Picture, Straight, Words

SCALE = 2
_FONT = 12
_WIDE = 3
"""Of a curve, in pixels of the picture."""
_SWATCH = 7
_ANCHORS = {Anchor.START: "ls", Anchor.MIDDLE: "ms", Anchor.END: "rs"}
_SHADES = (0.0, 0.25, 0.5, 0.75)
"""How far from a colour to the white what is kept lies: the edges of letters are soft."""
_FAST = 4
"""How hard the packing tries: a little larger, in half the time."""


def png(picture: Picture) -> bytes:
    """Draw a picture. It takes a part of the processor for some fifty milliseconds: not on the loop."""
    image = Image.new("RGB", (picture.width * SCALE, picture.height * SCALE), "white")
    pen = ImageDraw.Draw(image)
    for it in picture.shapes:
        match it:
            case Straight():
                _straight(pen, it)
            case Curve():
                _curve(pen, it)
            case Words():
                _words(pen, it)
    written = BytesIO()
    image.quantize(palette=_palette(), dither=Image.Dither.NONE).save(written, "PNG", compress_level=_FAST)
    return written.getvalue()


def _palette() -> Image.Image:
    """Give the few colours there are: to look for them in what was drawn takes longer than to draw it."""
    found = [255, 255, 255]
    for colour in COLOURS:
        red, green, blue, *_ = ImageColor.getrgb(colour)
        found += [round(part + (255 - part) * shade) for shade in _SHADES for part in (red, green, blue)]
    palette = Image.new("P", (1, 1))
    palette.putpalette(found)
    return palette


def _straight(pen: ImageDraw.ImageDraw, it: Straight) -> None:
    (x1, y1), (x2, y2) = (it.x1 * SCALE, it.y1 * SCALE), (it.x2 * SCALE, it.y2 * SCALE)
    length = math.hypot(x2 - x1, y2 - y1)
    drawn, gap = (part * SCALE for part in it.dash) if it.dash else (length, 1.0)
    begun = 0.0
    while begun < length:
        a, b = begun / length, min(begun + drawn, length) / length
        ends = (x1 + (x2 - x1) * a, y1 + (y2 - y1) * a, x1 + (x2 - x1) * b, y1 + (y2 - y1) * b)
        pen.line(ends, fill=it.colour, width=SCALE)
        begun += drawn + gap


def _curve(pen: ImageDraw.ImageDraw, it: Curve) -> None:
    for run in it.runs:
        points = [(x * SCALE, y * SCALE) for x, y in run]
        if len(points) > 1:
            pen.line(points, fill=it.colour, width=_WIDE, joint="curve")
        else:
            pen.circle(points[0], _WIDE, fill=it.colour)


def _words(pen: ImageDraw.ImageDraw, it: Words) -> None:
    x, y = it.x * SCALE, it.y * SCALE
    if it.swatch:
        side = _SWATCH * SCALE
        pen.rectangle((x, y - side, x + side, y), fill=it.swatch)
        x += side + 4 * SCALE
    thick = 0.5 if it.bold else 0.0  # the font that comes along has no bold letters
    pen.text((x, y), it.text, fill=it.colour, font=_font(), anchor=_ANCHORS[it.anchor], stroke_width=thick)


@cache
def _font() -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Give the font that Pillow brings along; no other is looked for on the machine."""
    return ImageFont.load_default(_FONT * SCALE)

"""Paints a picture that was laid out, as PNG: twice as large first, so that lines and letters get soft edges."""

from __future__ import annotations

from io import BytesIO

from PIL import Image, ImageColor, ImageDraw

from tests.docs.dashboards.pictures.shapes import Box, Picture, Stroke, Words, font

_TWICE = 2
_SHADES = (0.0, 0.25, 0.5, 0.75)
"""How far from a colour to the white what is kept lies: the edges of letters are soft."""


def png(picture: Picture) -> bytes:
    """Paint it; some ten to a hundred kilobytes, as it has few colours."""
    image = Image.new("RGB", (picture.width * _TWICE, picture.height * _TWICE), "white")
    pen = ImageDraw.Draw(image)
    for it in picture.shapes:
        match it:
            case Box():
                _box(pen, it)
            case Stroke():
                _stroke(pen, it)
            case Words():
                _words(pen, it)
    small = image.resize((picture.width, picture.height), Image.Resampling.BOX)
    written = BytesIO()
    few = small.quantize(palette=_palette(picture), dither=Image.Dither.NONE)
    few.save(written, "PNG", optimize=True)
    return written.getvalue()


def _palette(picture: Picture) -> Image.Image:
    """Give the colours that were drawn with: chosen from the pixels, they would all be a little beside."""
    used = dict.fromkeys(colour for it in picture.shapes for colour in (it.colour, getattr(it, "edge", "")) if colour)
    found = [255, 255, 255]
    for colour in used:
        red, green, blue, *_ = ImageColor.getrgb(colour)
        found += [round(part + (255 - part) * shade) for shade in _SHADES for part in (red, green, blue)]
    palette = Image.new("P", (1, 1))
    palette.putpalette(found)
    return palette


def _box(pen: ImageDraw.ImageDraw, it: Box) -> None:
    left, top = it.place.left * _TWICE, it.place.top * _TWICE
    right, bottom = it.place.right * _TWICE - 1, it.place.bottom * _TWICE - 1
    pen.rectangle((left, top, max(left, right), max(top, bottom)), fill=it.colour, outline=it.edge or None)


def _stroke(pen: ImageDraw.ImageDraw, it: Stroke) -> None:
    points = [(x * _TWICE, y * _TWICE) for x, y in it.points]
    if len(points) > 1:
        pen.line(points, fill=it.colour, width=round(it.wide * _TWICE), joint="curve")
    else:
        pen.circle(points[0], it.wide * _TWICE, fill=it.colour)


def _words(pen: ImageDraw.ImageDraw, it: Words) -> None:
    thick = 0.6 if it.bold else 0.0  # the font that comes along has no bold letters
    pen.text(
        (it.x * _TWICE, it.y * _TWICE), it.text, fill=it.colour, font=font(it.size * _TWICE), anchor=f"{it.anchor}s",
        stroke_width=thick,
    )  # fmt: skip

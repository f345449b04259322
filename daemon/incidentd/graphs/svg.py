"""A graph as SVG: what a browser shows, and what lies beside a document."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from incidentd.graphs.layout import INK, Anchor, Curve, Picture, Straight, Words


def svg(picture: Picture) -> str:
    """Write a picture as SVG."""
    width, height = picture.width, picture.height
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'role="img" font-family="sans-serif" font-size="12" fill="{INK}">',
        f"<title>{escape(picture.title)}</title>",
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
        *(_shape(it) for it in picture.shapes),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _shape(it: Straight | Curve | Words) -> str:
    match it:
        case Straight():
            return _straight(it)
        case Curve():
            return _curve(it)
        case Words():
            return _words(it)


def _straight(it: Straight) -> str:
    dash = f' stroke-dasharray="{it.dash[0]} {it.dash[1]}"' if it.dash else ""
    ends = f'x1="{it.x1:.1f}" y1="{it.y1:.1f}" x2="{it.x2:.1f}" y2="{it.y2:.1f}"'
    return f'<line {ends} stroke="{it.colour}"{dash}/>'


def _curve(it: Curve) -> str:
    # a round cap, so that a point that stands alone is seen
    return (
        f'<path d="{" ".join(_drawn(it))}" fill="none" stroke="{it.colour}" stroke-width="1.6" '
        'stroke-linecap="round" stroke-linejoin="round"/>'
    )


def _drawn(it: Curve) -> Iterator[str]:
    for run in it.runs:
        for place, (x, y) in enumerate(run):
            yield f"{'L' if place else 'M'}{x:.1f} {y:.1f}"


def _words(it: Words) -> str:
    anchor = "" if it.anchor is Anchor.START else f' text-anchor="{it.anchor}"'
    colour = "" if it.colour == INK else f' fill="{it.colour}"'
    bold = ' font-weight="bold"' if it.bold else ""
    swatch = f'<tspan fill="{it.swatch}">&#9632;</tspan> ' if it.swatch else ""
    return f'<text x="{it.x:.1f}" y="{it.y:.1f}"{anchor}{colour}{bold}>{swatch}{escape(it.text)}</text>'

"""The message of a handover as plain text and as Markdown; whatever was typed is harmless in both."""

from __future__ import annotations

from incidentd.document.words import finished, link, said
from incidentd.handover.kinds import Item, Message
from incidentd.text import plain

_LONGEST = 1000
_NOTHING = "nothing"


def as_text(message: Message) -> str:
    """Write it as plain text: a line each, its items below when there are several."""
    lines = [f"{plain(message.head, 400)}    {plain(message.state, 100)}"]
    for line in message.lines:
        items = [_plain(it) for it in line.items]
        if len(items) > 1:
            lines += [f"{line.name}:", *(f"- {it}" for it in items)]
        else:
            lines.append(f"{line.name}: {items[0] if items else _NOTHING}")
    return "\n".join(lines)


def rows(message: Message) -> tuple[tuple[str, str], ...]:
    """Give its lines as pairs of a name and plain words, for a page."""
    head = (plain(message.head, 400), plain(message.state, 100))
    return (head, *((line.name, "; ".join(map(_plain, line.items)) or _NOTHING) for line in message.lines))


def as_markdown(message: Message) -> str:
    """Write it as Markdown."""
    parts = [f"**{said(message.head, 400)}**  \n{said(message.state, 100)}"]
    for line in message.lines:
        items = [_markdown(it) for it in line.items]
        if len(items) > 1:
            parts.append("\n".join([f"**{line.name}**", "", *(f"- {it}" for it in items)]))
        else:
            parts.append(f"**{line.name}**: {items[0] if items else _NOTHING}")
    return finished(parts)


def _plain(item: Item) -> str:
    return plain(f"{item.text} {item.url}".strip(), _LONGEST)


def _markdown(item: Item) -> str:
    # the label of a link is a stranger's word too, so it stands beside the link and not in it
    where = link("open", item.url) if item.url else ""
    return f"{said(item.text, _LONGEST)} {where}".strip()

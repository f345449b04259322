"""The templates that messages about pages have unless the operator's files say otherwise."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from incidentd.messages.templating import MessageTemplate, read_message
from incidentd.oncall import ChannelKind


class Style(StrEnum):
    """How a message is written: each style is one template, `STYLE.txt` in the operator's folder of templates."""

    SHORT = "short"
    CHAT = "chat"
    MAIL = "mail"


STYLES: Mapping[ChannelKind, Style] = {
    ChannelKind.PUSH: Style.SHORT,
    ChannelKind.SMS: Style.SHORT,
    ChannelKind.CALL: Style.SHORT,
    ChannelKind.CHAT: Style.CHAT,
    ChannelKind.MAIL: Style.MAIL,
    ChannelKind.LOG: Style.MAIL,
}

# Cut at the end where a message costs: what to do and where comes first.
SHORT = """\
[{{ severity | upper }}] {{ lead }}{{ what }} ({{ subject }})

{{ asked }}
{{ answer }}
{{ how_bad }}, for {{ ago }}
Why: {{ why }}
Why you: {{ why_you }}
Tried: {{ tried }}
Before: {{ before }}
{{ details }}
"""
CHAT = """\
[{{ severity | upper }}] {{ lead }}{{ what }} ({{ subject }})

{{ how_bad }}
Since: {{ since }}, {{ ago }} ago
Held: {{ held }}
Why: {{ why }}
Why you: {{ why_you }}
{{ asked }}
Paged so far: {{ paged }}
Said: {{ said }}
Tried: {{ tried }}
Before: {{ before }}

{{ link.name }}: {{ link.url }}
"""
MAIL = """\
[{{ severity | upper }}] {{ lead }}{{ what }} ({{ subject }})

What: {{ what }}
How bad: {{ how_bad }}
Since: {{ since }}, {{ ago }} ago
Held: {{ held }}
Why: {{ why }}
Why you: {{ why_you }}
{{ asked }}
Paged so far: {{ paged }}
Said: {{ said }}
Tried: {{ tried }}
Before: {{ before }}

{{ link.name }}: {{ link.url }}
"""
SHIPPED: Mapping[Style, str] = {Style.SHORT: SHORT, Style.CHAT: CHAT, Style.MAIL: MAIL}
"""As files have them."""
TEMPLATES: Mapping[Style, MessageTemplate] = {style: read_message(text) for style, text in SHIPPED.items()}

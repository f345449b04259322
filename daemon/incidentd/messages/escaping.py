"""Strangers' words in chats: they call nobody and hide no address, whichever chat it is."""

from __future__ import annotations

import re

_GAP = "\N{ZERO WIDTH SPACE}"
# Slack and Discord call people by <@U1>, <!here>, <#C1>, @everyone; Slack and Markdown hide an address behind words.
_CALLS = re.compile(r"@(?=\S)|<(?=[@!#&:a-zA-Z])|\](?=\()")


def chat_words(text: str) -> str:
    """Break what a chat would read as a call, a link with other words over it, or an element."""
    return _CALLS.sub(lambda found: found[0] + _GAP, text)


def chat_address(url: str) -> str:
    """Write an address so that nothing in it is more than an address; it leads where it led."""
    return url.replace("@", "%40").replace("|", "%7C").replace(")", "%29").replace("(", "%28")

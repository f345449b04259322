"""The tables of the channels in which holds and incidents are followed, and of the graphs that went with messages."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Integer, Text, false

from incidentd.store.tables.base import Instant, table

follower = table(
    "follower",
    Column("subject", Text, primary_key=True),
    Column("channel", Text, primary_key=True),
    Column("seq", Integer, nullable=False),
    Column("refused", Integer, nullable=False, server_default="0"),
    Column("added_by", Text, nullable=False),
    Column("is_on", Boolean, nullable=False),
    Column("waits", Boolean, nullable=False, server_default=false()),
)
"""Up to which entry of a timeline each channel has been told; that message is in the outbox, or was sent.

`refused` is the last entry of a message that the channel did not take: it is tried again with what comes after it.
`added_by` is '' where a route did it. `waits` says that more is to come once the message that is under way arrived.
"""

attached = table(
    "attached",
    Column("subject", Text, primary_key=True),
    Column("channel", Text, primary_key=True),
    Column("moment", Text, primary_key=True),
    Column("key", Text, nullable=False),
    Column("at", Instant, nullable=False),
)
"""Which channel was given the graphs of which moment of a hold or incident, and by which message: once."""

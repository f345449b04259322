"""correlation keys that are too long for an index are shortened, also those of before"""

from __future__ import annotations

import hashlib
import json
from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0030"
down_revision = "0029"
branch_labels = None
depends_on = None

_LONGEST_KEY, _LONGEST_HEADS = 1500, 200  # bytes of a key, and characters that a longer one shows of its values
_FEWEST = _LONGEST_KEY // 4  # characters of so many bytes


def upgrade() -> None:
    """Give what was stored under a long key the one by which its alerts look for it by now."""
    for name in ("hold", "incident", "action_item"):
        _shorten(name, unique=name != "action_item")


def _shorten(name: str, *, unique: bool) -> None:
    """Shorten the keys of a table; where only one may be open, what was opened since under the short key stays it."""
    number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    body = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
    texts = [sa.column(one, sa.Text()) for one in ("source", "correlation_key")]
    of = sa.table(name, sa.column("id", number), *texts, sa.column("open", sa.Boolean()), sa.column("body", body))
    it = of.c
    conn = op.get_bind()
    long = sa.select(it.id, it.source, it.correlation_key).where(sa.func.length(it.correlation_key) > _FEWEST)
    for row in conn.execute(long.order_by(it.id)).all():
        key = _short(row.correlation_key)
        if key == row.correlation_key:
            continue
        change = sa.update(of).where(it.id == row.id)
        if unique:
            other = of.alias("other")
            taken = sa.exists().where(
                other.c.source == row.source, other.c.correlation_key == key, other.c.open.is_(True)
            )
            change = change.where(sa.or_(it.open.is_(False), ~taken))
        written: dict[str, Any] = conn.execute(sa.select(it.body).where(it.id == row.id)).scalar_one()
        conn.execute(change.values(correlation_key=key, body={**written, "correlation_key": key}))


def _short(key: str) -> str:
    """Shorten a key as rules do since then: the beginnings of its values, and the hash of all."""
    whole = key.encode("utf-8", "surrogatepass")
    if len(whole) <= _LONGEST_KEY:
        return key
    try:
        rule, *values = json.loads(key)
        heads = [value[: _LONGEST_HEADS // len(values)] for value in values]
    except (ValueError, TypeError):
        return key  # no rule made it, so no alert looks for it
    if not heads:
        return key
    return json.dumps([rule, *heads, hashlib.sha256(whole).hexdigest()], ensure_ascii=False)

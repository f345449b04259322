"""What every table is made of: times, JSON, ids, and the conditions of partial indexes.

Times are whole microseconds since 1970 in UTC, so that an instant comes back exactly as it went in.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    Dialect,
    Integer,
    MetaData,
    Table,
    TypeDecorator,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def micros(at: datetime) -> int:
    """Write an instant as the store keeps it: microseconds since 1970, UTC."""
    return (at - _EPOCH) // _MICROSECOND


def instant(value: int) -> datetime:
    """Read an instant back."""
    return _EPOCH + value * _MICROSECOND


class Instant(TypeDecorator[datetime]):
    """A datetime with a zone, kept as whole microseconds since 1970 in UTC."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:
        """Write it."""
        return None if value is None else micros(value)

    def process_result_value(self, value: int | None, dialect: Dialect) -> datetime | None:
        """Read it."""
        return None if value is None else instant(value)


Json = JSON().with_variant(JSONB(), "postgresql")
Id = BigInteger().with_variant(Integer(), "sqlite")


def id_column() -> Column[Any]:
    """Make the column of a number that the database gives out."""
    return Column("id", Id, primary_key=True, autoincrement=True)


def table(name: str, *parts: Any) -> Table:
    """Make a table of its columns, indexes and constraints."""
    # an id is spoken aloud and written into tickets, so SQLite must never give it out twice
    return Table(name, metadata, *parts, sqlite_autoincrement=any(getattr(p, "name", "") == "id" for p in parts))


def where(condition: str) -> dict[str, Any]:
    """Say in both dialects which rows an index has."""
    return {"sqlite_where": text(condition), "postgresql_where": text(condition)}


def while_(column: str, on: bool, and_also: str = "") -> dict[str, Any]:
    """Say for an index which rows it is about, in the words of the queries: else it would be there and not used."""
    more = f" AND {and_also}" if and_also else ""
    return {
        "sqlite_where": text(f"{column} IS {int(on)}{more}"),
        "postgresql_where": text(f"{column} IS {str(on).lower()}{more}"),
    }

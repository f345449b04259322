"""The key that signs action links: a file, or a row of the database that replicas share."""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import TYPE_CHECKING

from incidentd.errors import StoreUnavailable
from incidentd.settings import Settings
from incidentd.store import replicas

if TYPE_CHECKING:
    from incidentd.store import Store

_KEY_BYTES = 32


async def link_key(settings: Settings, store: Store) -> bytes:
    """Read the key that signs action links, or make it: with the store unless the configuration says where.

    Beside an SQLite file it is a file; in PostgreSQL it is a row, so that each replica knows what another one signed.
    Raises StoreUnavailable, naming the file, when that cannot be.
    """
    path = settings.secret_key_file
    if path is None and not settings.store.startswith("sqlite:"):
        return bytes.fromhex(await store.write(replicas.agree, "link_key", secrets.token_hex(_KEY_BYTES)))
    return _key_in(path or Path(settings.store.removeprefix("sqlite:///")).parent / "secret.key")


def _key_in(path: Path) -> bytes:
    try:
        if not path.exists():
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w") as new:
                new.write(secrets.token_hex(_KEY_BYTES) + "\n")
        key = bytes.fromhex(path.read_text().strip())
    except (OSError, ValueError) as error:
        raise StoreUnavailable(f"cannot use {path}, the key that signs links: {error}") from error
    if len(key) < _KEY_BYTES:
        raise StoreUnavailable(f"{path} holds fewer than {_KEY_BYTES} bytes in hexadecimal; remove it to have one made")
    return key

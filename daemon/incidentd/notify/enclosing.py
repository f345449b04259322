"""Pictures beside a message, in memory: Apprise reads some by a handle, some by a path, and none is left on a disk."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

from apprise import AppriseAttachment
from apprise.attachment.memory import AttachMemory

from incidentd.pages import Attachment


class _Enclosed(AttachMemory):
    """A picture that has a path as well, for the services that open one; it is gone with the process at the latest."""

    def __init__(self, it: Attachment, file: int) -> None:
        super().__init__(content=it.png, name=it.name, mimetype="image/png")  # type: ignore[no-untyped-call]
        self._at = f"/proc/self/fd/{file}"

    @property
    def path(self) -> str:
        """Where its bytes can be read."""
        return self._at


@contextmanager
def enclosed(pictures: Sequence[Attachment]) -> Iterator[Any]:
    """Give what Apprise attaches, while the context lasts; None for nothing."""
    with ExitStack() as open_files:
        found = [_Enclosed(it, _in_memory(it, open_files)) for it in pictures]
        yield AppriseAttachment(found) if found else None


def _in_memory(it: Attachment, open_files: ExitStack) -> int:
    file = open_files.enter_context(os.fdopen(os.memfd_create(it.name), "wb"))
    file.write(it.png)
    file.flush()
    return file.fileno()

"""What guards refused, and with which summary page people hear of it; whoever adds to it has the lock of automation."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import bindparam, func, select, update

from incidentd.playbooks.refusals import NAMED, Refusal, Sum
from incidentd.store.base import Tx
from incidentd.store.tables import refusal

_OF = (refusal.c.policy == bindparam("of_policy"), refusal.c.urgency == bindparam("of_urgency"))
_UNTOLD = (*_OF, refusal.c.page.is_(None), refusal.c.at >= bindparam("since"))
_WITH = (*_OF, refusal.c.page == bindparam("of_page"))
_OF_SUM = (refusal.c.playbook == bindparam("of_playbook"), refusal.c.guard == bindparam("of_guard"))
_ADD = refusal.insert()
_LATELY = select(func.count()).select_from(refusal).where(*_UNTOLD)
_LATELY_OF = _LATELY.where(refusal.c.playbook == bindparam("of_playbook"))
_REFUSED = select(refusal.c.playbook).where(*_UNTOLD, refusal.c.subject == bindparam("of_subject")).limit(1)
_LAST_PAGE = select(func.max(refusal.c.page)).where(*_OF)
_TELL = update(refusal).where(*_UNTOLD).values(page=bindparam("b_page"))
_NAMES = select(func.count()).select_from(refusal).where(*_WITH, refusal.c.playbook == bindparam("of_playbook"))
_SUMS = (
    select(refusal.c.playbook, refusal.c.guard, func.count().label("number"), func.max(refusal.c.id).label("newest"))
    .where(*_WITH)
    .group_by(refusal.c.playbook, refusal.c.guard)
)
_REASON = select(refusal.c.reason).where(refusal.c.id == bindparam("b_id"))
_FIRST = (
    select(refusal.c.target)
    .where(*_WITH, *_OF_SUM)
    .group_by(refusal.c.target)
    .order_by(func.min(refusal.c.id))
    .limit(NAMED)
)


def _of(policy: str, urgency: str) -> dict[str, str]:
    return {"of_policy": policy, "of_urgency": urgency}


def add(tx: Tx, it: Refusal) -> None:
    """Keep one."""
    row = {
        "playbook": it.playbook, "guard": it.guard, "reason": it.reason, "target": it.target, "subject": it.subject,
        "policy": it.policy, "urgency": it.urgency, "at": it.at,
    }  # fmt: skip
    tx.conn.execute(_ADD, row)


def lately(tx: Tx, policy: str, urgency: str, since: datetime, *, playbook: str = "") -> int:
    """Count those since then for which this policy pages and that no summary page tells of; all, or a playbook's."""
    key = {**_of(policy, urgency), "since": since}
    if playbook:
        return int(tx.conn.execute(_LATELY_OF, {**key, "of_playbook": playbook}).scalar_one())
    return int(tx.conn.execute(_LATELY, key).scalar_one())


def refused(tx: Tx, policy: str, urgency: str, subject: str) -> str:
    """Name the playbook whose run was refused for a hold in this very transaction; '' when none was."""
    key = {**_of(policy, urgency), "since": tx.now, "of_subject": subject}
    return str(tx.conn.execute(_REFUSED, key).scalar() or "")


def last_page(tx: Tx, policy: str, urgency: str) -> int:
    """Give the number of the last summary page of a policy and urgency; 0 when there was none."""
    return int(tx.conn.execute(_LAST_PAGE, _of(policy, urgency)).scalar() or 0)


def tell_with(tx: Tx, policy: str, urgency: str, page: int, since: datetime) -> None:
    """Have a summary page tell of those since then that no other one tells of."""
    tx.conn.execute(_TELL, {**_of(policy, urgency), "since": since, "b_page": page})


def names(tx: Tx, policy: str, urgency: str, page: int, playbook: str) -> bool:
    """Say whether a summary page tells of a playbook."""
    key = {**_of(policy, urgency), "of_page": page, "of_playbook": playbook}
    return bool(tx.conn.execute(_NAMES, key).scalar_one())


def sums(tx: Tx, policy: str, urgency: str, page: int) -> list[Sum]:
    """Count what a summary page tells of, by playbook and guard, the most first."""
    key = {**_of(policy, urgency), "of_page": page}
    rows = sorted(tx.conn.execute(_SUMS, key), key=lambda row: (-row.number, row.playbook, row.guard))
    return [
        Sum(
            playbook=row.playbook, guard=row.guard, number=row.number,
            reason=tx.conn.execute(_REASON, {"b_id": row.newest}).scalar_one(),
            targets=tuple(
                tx.conn.execute(_FIRST, {**key, "of_playbook": row.playbook, "of_guard": row.guard}).scalars()
            ),
        )
        for row in rows
    ]  # fmt: skip

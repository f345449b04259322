"""Which alerts a hold or incident is about, and how many of them fire."""

import random

from sqlalchemy import func, select

from incidentd.store import Store, Tx, subjects
from incidentd.store.tables import member


def counted(tx: Tx, subject: str) -> int:
    fires = select(func.count()).where(member.c.subject == subject, member.c.firing.is_(True))
    return int(tx.conn.execute(fires).scalar_one())


async def test_the_tally_of_what_fires_is_what_counting_gives(store: Store) -> None:
    dice = random.Random(7)  # noqa: S311 - the same each time

    def something(tx: Tx) -> None:
        subject = dice.choice(["HOLD-1", "HOLD-2", "INC-1"])
        if subject == "INC-1" and dice.random() < 0.2:
            subjects.copy_members(tx, of="HOLD-1", to="INC-1")
        else:
            its = [
                (dice.choice(["a", "b"]), f"f{dice.randrange(6)}", dice.random() < 0.5)
                for _ in range(dice.randrange(5))
            ]
            subjects.join(tx, subject, its)

    for _ in range(60):
        await store.write(something)
        for subject in ("HOLD-1", "HOLD-2", "INC-1"):
            assert await store.write(subjects.firing, subject) == await store.read(counted, subject)

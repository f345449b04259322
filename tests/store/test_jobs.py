"""Jobs: claimed once, fenced, moved, cancelled, never lost."""

from datetime import timedelta

from incidentd.store import Store, Tx, jobs
from incidentd.store.jobs import Job
from tests.store.conftest import NOW, Opened

LEASE = timedelta(seconds=30)


def schedule(tx: Tx, key: str, *, due: timedelta = timedelta(0), queue: str = jobs.NOTIFY) -> None:
    jobs.schedule(tx, queue=queue, kind="page", subject="INC-1", ukey=key, due_at=NOW + due, payload={"n": 1})


async def claim(store: Store, me: str = "me", most: int = 10) -> list[Job]:
    return await store.write(jobs.claim, jobs.NOTIFY, me=me, lease=LEASE, most=most)


async def test_a_due_job_is_claimed_once_until_its_lease_ends(opened: Opened, store: Store) -> None:
    await store.write(schedule, "a")
    assert [job.ukey for job in await claim(store)] == ["a"]
    assert await claim(store, "other") == []

    opened.now += LEASE
    again = await claim(store, "other")
    assert [(job.attempt, job.leased_by) for job in again] == [(2, "other")]


async def test_who_lost_the_lease_cannot_finish_retry_or_give_up(opened: Opened, store: Store) -> None:
    await store.write(schedule, "a")
    old = (await claim(store))[0]
    opened.now += LEASE
    await claim(store, "other")

    assert await store.write(jobs.complete, old) is False
    assert await store.write(jobs.bury, old, "no") is False
    assert await store.write(jobs.retry, old, at=NOW, why="no", known_undone=True) is False
    assert await store.write(jobs.renew, old, LEASE) is False


async def test_a_renewed_lease_lasts_longer(opened: Opened, store: Store) -> None:
    await store.write(schedule, "a")
    job = (await claim(store))[0]
    opened.now += LEASE / 2
    assert await store.write(jobs.renew, job, LEASE)
    opened.now += LEASE / 2

    assert await claim(store, "other") == []
    assert await store.write(jobs.complete, job)


async def test_a_job_of_the_same_key_moves_instead_of_doubling(opened: Opened, store: Store) -> None:
    await store.write(schedule, "a")
    await store.write(schedule, "a", due=timedelta(minutes=5))
    assert await claim(store) == []

    opened.now += timedelta(minutes=5)
    assert len(await claim(store)) == 1


async def test_a_moved_job_is_taken_away_from_whoever_was_at_it(store: Store) -> None:
    await store.write(schedule, "a")
    job = (await claim(store))[0]
    await store.write(schedule, "a")

    assert await store.write(jobs.complete, job) is False


async def test_a_cancelled_job_is_never_claimed(store: Store) -> None:
    await store.write(schedule, "a")
    await store.write(jobs.cancel, "a")

    assert await claim(store) == []


async def test_a_key_is_free_again_once_its_job_is_done(store: Store) -> None:
    await store.write(schedule, "a")
    await store.write(jobs.complete, (await claim(store))[0])
    await store.write(schedule, "a")

    assert len(await claim(store)) == 1


async def test_tries_that_are_known_to_have_had_no_effect_are_counted(store: Store) -> None:
    await store.write(schedule, "a")
    first = (await claim(store))[0]
    await store.write(jobs.retry, first, at=NOW, why="refused", known_undone=True)
    second = (await claim(store))[0]
    await store.write(jobs.retry, second, at=NOW, why="timed out", known_undone=False)
    third = (await claim(store))[0]

    assert [job.payload.get("known_undone", 0) for job in (first, second, third)] == [0, 1, 1]


async def test_a_start_sets_free_what_a_dead_process_held(on_sqlite: Opened) -> None:
    store = await on_sqlite.open()
    await store.write(schedule, "a")
    await claim(store)
    await store.close()
    store = await on_sqlite.open()

    assert [job.attempt for job in await claim(store)] == [2]
    await store.close()


async def test_the_queues_do_not_see_each_other(store: Store) -> None:
    await store.write(schedule, "a", queue=jobs.JIRA)

    assert await claim(store) == []
    assert await store.read(jobs.next_due, jobs.JIRA) == NOW


async def test_a_lane_gets_no_more_than_its_share_however_much_waits_before_the_others(store: Store) -> None:
    def fill(tx: Tx) -> None:
        for number in range(50):
            lane = "quick" if number == 49 else "slow"
            payload = {"channel": lane}
            jobs.schedule(
                tx, queue=jobs.NOTIFY, kind="page", subject="INC-1", ukey=f"{lane}{number:02d}", payload=payload,
                due_at=NOW - timedelta(seconds=60 - number),
            )  # fmt: skip

    async def claim_in_lanes(busy: dict[str, int], most: int = 20) -> list[str]:
        claimed = await store.write(jobs.claim_in_lanes, me="me", lease=LEASE, most=most, each=lambda _: 2, busy=busy)
        return [job.ukey for job in claimed]

    await store.write(fill)
    assert await claim_in_lanes({"slow": 1}) == ["slow00", "quick49"]
    assert await claim_in_lanes({"slow": 2, "quick": 1}) == []
    assert await store.read(jobs.next_due, jobs.NOTIFY, ["slow"]) == NOW + LEASE
    assert await claim_in_lanes({}, most=1) == ["slow01"]

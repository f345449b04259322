"""The timeline's chains: each entry is bound to the one before it."""

from dataclasses import replace

from incidentd.store import Store, chain
from incidentd.timeline import Actor, Draft, first_broken

ANA = Actor(name="ana", via="api", key="token:3")


async def test_entries_come_back_as_they_were_written_and_in_order(store: Store) -> None:
    await store.write(chain.append, "INC-1", ANA, [Draft("note", "one", {"a": [1, "ü"]}), Draft("note", "two")])
    await store.write(chain.append, "INC-2", ANA, [Draft("note", "another chain")])
    await store.write(chain.append, "INC-1", ANA, [Draft("note", "three")])
    entries = await store.read(chain.entries, "INC-1")

    assert [(entry.seq, entry.text) for entry in entries] == [(1, "one"), (2, "two"), (3, "three")]
    assert entries[0].actor == ANA
    assert first_broken(entries) is None


async def test_a_changed_moved_or_missing_entry_shows(store: Store) -> None:
    await store.write(chain.append, "INC-1", ANA, [Draft("note", str(n)) for n in range(5)])
    entries = await store.read(chain.entries, "INC-1")

    changed = (*entries[:2], replace(entries[2], text="nothing happened"), *entries[3:])
    moved = (entries[0], entries[2], entries[1], *entries[3:])
    missing = (entries[0], *entries[2:])
    assert [broken.seq for broken in map(first_broken, (changed, moved, missing)) if broken] == [3, 3, 3]

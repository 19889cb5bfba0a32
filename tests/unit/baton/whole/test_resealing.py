"""An old key can be taken away once what it has sealed is resealed; what runs, and what cannot be opened, is left."""

import json

from baton.sdk.records.memory import MemoryEntry
from baton.store.redis.resealing import Resealed, Resealing
from baton_events.ids import canonical_json, digest
from tests.fakes.stored import FakeConnection
from tests.unit.baton.kit.stage import Stage
from tests.unit.baton.server.api.client import with_keys
from tests.unit.baton.whole.test_canaries import Doors, filled
from tests.unit.baton.whole.test_sealed import K1, K2, kept, stage_of


async def resealed(stage: Stage, keys: str) -> Resealed:
    stage.redis.payload_keys = keys
    page = await stage.ports.listing.old("", stage.clock.ms + 3_600_000, 100)
    assert len(page.found) >= 2
    return await Resealing(FakeConnection(stage.redis)).page(page.found)


async def read_by(stage: Stage, doors: Doors, keys: str) -> str:
    later = stage_of(keys, stage.redis, registry=doors.registry(), settings=with_keys(payload_keys=keys))
    read = list[str]()
    for tree in stage.redis.trees.values():
        for name, job in tree.jobs.items():
            if job.ended:
                read += [repr(await later.reader.job(name)), repr(await later.reader.transcript(name))]
                read.append(
                    repr([canonical_json(json.loads(part)) for part in (await later.reader.parts(name, 0)).parts])
                )
    return "".join(read)


async def test_what_is_resealed_needs_the_new_key_alone() -> None:
    stage, doors = await filled(K1)
    await stage.run()
    before = await read_by(stage, doors, K1)
    done = await resealed(stage, f"{K2},{K1}")
    assert (done.running, done.unreadable) == (0, {})
    assert done.texts > 30
    assert await read_by(stage, doors, K2) == before
    trees = "".join(repr(value) for key, value in stage.redis.data.values.items() if key.startswith("baton:{job_"))
    assert "sealed:k1:" not in trees
    assert (await resealed(stage, f"{K2},{K1}")).texts == 0


async def test_texts_from_before_are_sealed_and_become_plain_again() -> None:
    stage, doors = await filled("")
    await stage.run()
    before = await read_by(stage, doors, "")
    await resealed(stage, K1)
    trees = "".join(repr(value) for key, value in stage.redis.data.values.items() if key.startswith("baton:{job_"))
    assert not [word for word in doors.words if word in trees]
    assert await read_by(stage, doors, K1) == before
    await resealed(stage, f",{K1}")
    assert await read_by(stage, doors, "") == before


async def test_a_running_job_is_left_and_so_is_what_cannot_be_opened() -> None:
    stage, _ = await filled(K1)
    await stage.submit("works", "job_running")
    sealed = kept(stage.redis)
    done = await resealed(stage, K2)
    assert (done.running, done.jobs, set(done.unreadable)) == (1, 0, {"k1"})
    assert kept(stage.redis) == sealed


async def test_memory_and_files_of_a_session_are_resealed() -> None:
    """A file's name is a digest by the key that sealed; it is found by each key that is there."""
    stage = stage_of(K1)
    chats = stage.ports.chats
    name, text = digest("content"), "text/plain,content"
    job = await stage.played("adds")
    await chats.keep_file(job.tenant, job.session_id, name, text, stage.clock.ms)
    entry = MemoryEntry("m", "note", "her wrist", job.session_id, "adds", job.id, 1)
    await stage.ports.session_memory.add(job.tenant, entry)
    await stage.played("adds", "job_2")
    assert (await resealed(stage, f"{K2},{K1}")).texts
    later = stage_of(K2, stage.redis)
    assert await later.ports.chats.read_file(job.tenant, job.session_id, name) == text
    assert await later.ports.session_memory.recent(job.tenant, job.session_id) == (entry,)
    assert (await chats.forget_chat(job.tenant, job.session_id))[0][1] == len(text)

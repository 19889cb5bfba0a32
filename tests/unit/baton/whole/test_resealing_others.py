"""What is not in a tree is resealed as well: objects, large files, the audit log; cached answers are forgotten."""

from pathlib import Path
from typing import Any

import pytest

from baton import Agent, Call, Registry, ScriptedModel, tool
from baton.store.objects import ResealedObjects
from baton.store.records.access import AuditEntry
from baton.store.redis import keys
from baton.store.redis.access import AuditLog
from baton.store.redis.resealing import Resealed, Resealing
from baton_events.errors import UnreadablePayloadError
from baton_events.ids import digest
from tests.fakes.stored import FakeConnection, FakeRedis
from tests.unit.baton.kit.stage import Stage
from tests.unit.baton.server.api.client import with_keys
from tests.unit.baton.whole.test_sealed import K1, K2, stage_of

BIG, ANSWER = "x" * 2_100_000, "y" * 100_000
FILE = f"text/plain,{BIG}"


@tool
async def fetch() -> str:
    return BIG


def made(tmp_path: Path, payload_keys: str, redis: FakeRedis | None = None) -> Stage:
    registry = Registry([Agent(name="a", model=ScriptedModel([[Call("fetch", {})], ANSWER]), tools=[fetch])])
    settings = with_keys(object_store_url=f"file://{tmp_path}/objects", payload_keys=payload_keys)
    return stage_of(payload_keys, redis, registry=registry, settings=settings)


def there(tmp_path: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (tmp_path / "objects").rglob("*") if path.is_file()}


async def resealed(stage: Stage, payload_keys: str) -> tuple[Resealed, int]:
    stage.redis.payload_keys = payload_keys
    folder = Path(stage.container.settings.object_store_url.removeprefix("file://")).parent
    objects = ResealedObjects(made(folder, payload_keys).container.settings)
    resealing = Resealing(FakeConnection(stage.redis), objects)
    page = await stage.ports.listing.old("", stage.clock.ms + 3_600_000, 100)
    return await resealing.page(page.found), await resealing.others()


async def read_by(stage: Stage, name: str) -> list[Any]:
    snapshot = await stage.reader.job("job_1")
    assert snapshot is not None
    payloads: Any = stage.container.payloads
    results = await payloads.for_code(snapshot.results)
    file = await stage.ports.chats.read_file(snapshot.job.tenant, snapshot.job.session_id, name)
    entries = await stage.reader.transcript("job_1")
    return [snapshot.job.result, [one["ok"] for one in results.values()], file, [one["text"] for one in entries[1:]]]


async def test_objects_and_large_files_need_the_new_key_alone(tmp_path: Path) -> None:
    stage, name = made(tmp_path, K1), digest(BIG)
    await stage.submit("a")
    await stage.run()
    job = (await stage.snapshot()).job
    await stage.ports.chats.keep_file(job.tenant, job.session_id, name, FILE, stage.clock.ms)
    expected = [{"answer": ANSWER}, [BIG], FILE, ["", ANSWER]]
    assert await read_by(stage, name) == expected
    before = there(tmp_path)
    assert all(b"sealed:k1:" in data for data in before.values())
    done, _ = await resealed(stage, f"{K2},{K1}")
    assert done.unreadable == {}
    after = there(tmp_path)
    assert after.keys() == before.keys()
    assert all(b"sealed:k2:" in data and b"sealed:k1:" not in data for data in after.values())
    assert await read_by(made(tmp_path, K2, stage.redis), name) == expected
    done, others = await resealed(stage, f"{K2},{K1}")
    assert (done.texts, others) == (0, 0)
    assert there(tmp_path) == after


async def test_objects_from_before_are_sealed(tmp_path: Path) -> None:
    stage, name = made(tmp_path, ""), digest(BIG)
    await stage.submit("a")
    await stage.run()
    job = (await stage.snapshot()).job
    await stage.ports.chats.keep_file(job.tenant, job.session_id, name, FILE, stage.clock.ms)
    await resealed(stage, K1)
    assert not [data for data in there(tmp_path).values() if b"x" * 16 in data]  # four of them come by chance
    assert (await read_by(made(tmp_path, K1, stage.redis), name))[1:3] == [[BIG], FILE]


async def test_objects_of_a_running_job_and_of_a_lost_key_are_left(tmp_path: Path) -> None:
    stage = made(tmp_path, K1)
    await stage.submit("a")
    await stage.run()
    before = there(tmp_path)
    done, _ = await resealed(stage, K2)
    assert (set(done.unreadable), there(tmp_path)) == ({"k1"}, before)


def entry(number: int) -> AuditEntry:
    return AuditEntry(number, "key", "label", "acme", "act", "", 200, {"body": f"canary-{number}"})


async def test_the_audit_log_is_resealed_in_its_order(tmp_path: Path) -> None:
    stage = made(tmp_path, K1)
    log = AuditLog(FakeConnection(stage.redis), 10_000)
    for number in range(1_203):
        await log.add(entry(number))
    before = await log.page("", 2_000)
    _, others = await resealed(stage, f"{K2},{K1}")
    assert others == 1_203
    stage.redis.payload_keys = K2
    assert await AuditLog(FakeConnection(stage.redis), 10_000).page("", 2_000) == before
    assert "sealed:k1" not in repr(stage.redis.data.values)
    assert [key for key in stage.redis.data.values if key.startswith(keys.AUDIT)] == [keys.AUDIT]


async def test_an_entry_that_comes_meanwhile_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is added between the reading and the replacement, or while a process of before has died in between."""
    stage = made(tmp_path, K1)
    log = AuditLog(FakeConnection(stage.redis), 10_000)
    await log.add(entry(1))
    written, late = FakeConnection.written, [entry(2), entry(3)]

    async def slow(self: FakeConnection, patch: Any) -> bool:
        if late:
            await log.add(late.pop(0))
        return await written(self, patch)

    monkeypatch.setattr(FakeConnection, "written", slow)
    stage.redis.payload_keys = f"{K2},{K1}"
    await Resealing(FakeConnection(stage.redis)).others()
    assert [one.detail for _, one in await AuditLog(FakeConnection(stage.redis), 9).page("", 9)] == [
        {"body": f"canary-{number}"} for number in (3, 2, 1)
    ]
    stage.redis.data.put(f"{keys.AUDIT}:before", stage.redis.data.values[keys.AUDIT])
    assert await Resealing(FakeConnection(stage.redis)).others() == 0
    assert [key for key in stage.redis.data.values if key.startswith(keys.AUDIT)] == [keys.AUDIT]


@pytest.mark.parametrize("first", [K1, ""])
async def test_cached_answers_of_other_keys_are_forgotten(tmp_path: Path, first: str) -> None:
    stage = made(tmp_path, first)
    cache = stage.ports.model_cache
    assert cache is not None
    await cache.put("acme", "a" * 64, "canary", 600)
    _, others = await resealed(stage, f"{K2},{K1}")
    assert (others, [key for key in stage.redis.data.values if "model-cache" in key]) == (1, [])
    later = made(tmp_path, f"{K2},{K1}", stage.redis).ports.model_cache
    assert later is not None
    await later.put("acme", "a" * 64, "canary", 600)
    _, others = await resealed(stage, f"{K2},{K1}")
    assert (others, await later.get("acme", "a" * 64)) == (0, "canary")


async def test_a_lost_key_of_the_audit_log_is_named(tmp_path: Path) -> None:
    stage = made(tmp_path, K1)
    await AuditLog(FakeConnection(stage.redis), 10).add(entry(1))
    with pytest.raises(UnreadablePayloadError, match="k1"):
        await resealed(stage, K2)

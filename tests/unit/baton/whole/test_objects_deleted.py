"""Objects go with what names them: never before it, and none stays; each rule with a defect that it finds."""

import asyncio
from collections.abc import AsyncIterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx
import pytest

from baton import Agent, Call, Registry, ScriptedModel, tool
from baton.engine.commit.stored_bytes import LEAST_FILE_MS
from baton.store.objects import Objects
from baton.store.redis.agent_memory import Chats
from baton.store.redis.archive import Archive
from baton.testing import Simulation
from baton.testing.store import SimulatedObjects
from baton.worker.commands.delete import DeleteJob
from baton.worker.commands.kept_files import KeptFiles
from baton.worker.recovery.maintenance import ObjectPruning, Pruning
from baton_events.errors import ObjectStoreError, PayloadGoneError, StoreError
from tests.unit.baton.kit.stage import Stage
from tests.unit.baton.server.api.client import ADMIN, Api, api_of, assert_problem, with_keys

SIZE, HOUR_MS = 100_000, 3_600_000
FILE = "image/png," + "A" * SIZE


@tool
async def fetch(letter: str) -> str:
    """Fetch something large."""
    return letter * SIZE


def made(tmp_path: Path) -> Stage:
    calls: list[Any] = [
        [Call("fetch", {"letter": "x"}), Call("fetch", {"letter": "x"}), Call("fetch", {"letter": "y"})],
        "done",
    ]
    registry = Registry([Agent(name="large", model=ScriptedModel(calls), tools=[fetch])])
    settings = with_keys(object_store_url=f"file://{tmp_path}/objects", job_retention_seconds=5 * 86_400)
    return Stage(settings=settings, registry=registry)


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    async with api_of(made(tmp_path)) as served:
        yield served


async def ended(api: Api, **fields: Any) -> str:
    job_id = (await api.submitted(jobType="large", **fields))["id"]
    await api.stage.run()
    return str(job_id)


def there(tmp_path: Path) -> list[Path]:
    return sorted(path for path in (tmp_path / "objects").rglob("*") if path.is_file())


async def delete(api: Api, job_id: str) -> httpx.Response:
    return await api.request("DELETE", f"/api/agent-jobs/{job_id}")


def pruning_of(stage: Stage) -> Pruning:
    retention_ms = stage.container.settings.job_retention_seconds * 1000
    pruning = Pruning(stage.ports.listing, stage.reader, stage.container.emitter, stage.clock, retention_ms)
    pruning.objects = ObjectPruning(stage.ports.objects, stage.ports.archive, stage.ports.chats)
    return pruning


async def test_equal_results_of_a_job_are_one_object_and_go_with_it(api: Api, tmp_path: Path) -> None:
    job_id, other_id = await ended(api), await ended(api)
    assert len(there(tmp_path)) == 4
    assert (await delete(api, job_id)).status_code == 204
    assert len(there(tmp_path)) == 2
    call_id = (await api.read(other_id))["toolCalls"][0]["id"]
    result = await api.request("GET", f"/api/agent-jobs/{other_id}/results/{call_id}")
    assert result.json()["result"] == "x" * SIZE


async def test_what_an_attempt_writes_after_the_deletion_goes_an_hour_later(api: Api, tmp_path: Path) -> None:
    """A function may still run the tool: its COMMIT is refused, and its object was written before."""
    job_id = await ended(api)
    [*paths] = there(tmp_path)
    contents = {path: path.read_bytes() for path in paths}
    await delete(api, job_id)
    await api.stage.run(within_seconds=300)
    paths[0].parent.mkdir(parents=True)
    paths[0].write_bytes(contents[paths[0]])
    began_ms = api.stage.clock.ms
    await api.stage.run()
    assert there(tmp_path) == []
    assert api.stage.clock.ms - began_ms <= HOUR_MS


async def test_a_process_that_dies_after_the_record_is_removed_leaves_the_rest_to_the_message(
    api: Api, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = await ended(api)

    async def dies(_self: Objects, _place: str) -> int:
        raise RuntimeError("the process is gone")

    with monkeypatch.context() as patch:
        patch.setattr(Objects, "delete_below", dies)
        await delete(api, job_id)
    assert len(there(tmp_path)) == 2
    await api.stage.run(within_seconds=120)
    assert there(tmp_path) == []


async def test_a_removal_that_is_sent_twice_deletes_the_objects(
    api: Api, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The transport repeats a request whose answer is lost: the second one finds no job any more."""
    job_id, remove = await ended(api), Archive.remove

    async def twice(self: Archive, recalled: Any) -> Any:
        await remove(self, recalled)
        return await remove(self, recalled)

    monkeypatch.setattr(Archive, "remove", twice)
    assert (await delete(api, job_id)).status_code == 204
    assert there(tmp_path) == []


async def test_an_object_store_that_is_away_holds_up_no_deletion(
    api: Api, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = await ended(api)

    async def away(_self: Objects, _place: str) -> int:
        raise ObjectStoreError("the object store does not answer")

    with monkeypatch.context() as patch:
        patch.setattr(Objects, "delete_below", away)
        assert (await delete(api, job_id)).status_code == 204
        assert_problem(await api.request("GET", f"/api/agent-jobs/{job_id}"), 410)
    await api.stage.run()
    assert there(tmp_path) == []


async def retried_while_deleted(api: Api, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Retry a job just before its record is removed; return whether it still has its objects."""
    job_id, removed = await ended(api), Archive.remove

    async def late(self: Archive, recalled: Any) -> Any:
        body = {"action": "retry", "from": "failure"}
        answer = await api.request("PATCH", f"/api/agent-jobs/{job_id}", json=body)
        assert answer.status_code in (200, 409), answer.text
        if answer.status_code == 409:  # a completed job has nothing to retry from
            await api.request("PATCH", f"/api/agent-jobs/{job_id}", json={"action": "retry", "from": "start"})
        return await removed(self, recalled)

    monkeypatch.setattr(Archive, "remove", late)
    assert_problem(await delete(api, job_id), 409)
    return len(there(tmp_path)) == 2


async def test_a_job_that_is_retried_first_keeps_its_objects(
    api: Api, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert await retried_while_deleted(api, tmp_path, monkeypatch)


async def test_deleted_before_unnamed_is_found(api: Api, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commit = DeleteJob.commit

    async def objects_first(self: DeleteJob, job_id: str, *more: Any) -> Any:
        assert self.objects is not None
        for place in {path.parent.relative_to(tmp_path / "objects") for path in there(tmp_path)}:
            await self.objects.delete_below(str(place))
        return await commit(self, job_id, *more)

    monkeypatch.setattr(DeleteJob, "commit", objects_first)
    assert not await retried_while_deleted(api, tmp_path, monkeypatch)


async def test_named_before_written_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """A crash after the COMMIT loses what is written later."""
    later = list[Any]()

    async def put(self: SimulatedObjects, place: str, tenant: str, data: bytes) -> str:
        later.append(
            asyncio.get_running_loop().call_later(
                5, self.stored.setdefault, f"{place}/{sha256(data).hexdigest()}", data
            )
        )
        return f"0/{place}/{sha256(data).hexdigest()}"

    class Model(ScriptedModel):
        reads_history = True

    model = Model([[Call("fetch", {"letter": "x"})], "done"])
    simulation = Simulation(Registry([Agent(name="a", model=model, tools=[fetch])]))
    (await simulation.crash_everywhere("a", "work")).check()
    monkeypatch.setattr(SimulatedObjects, "put", put)
    with pytest.raises(AssertionError):
        (await simulation.crash_everywhere("a", "work")).check()


async def expired(api: Api) -> None:
    """Let the data of all jobs expire, and some hours pass."""
    api.stage.clock.ms += max(api.stage.container.settings.job_retention_seconds * 1000, LEAST_FILE_MS) + 2 * HOUR_MS


async def test_objects_of_expired_jobs_are_pruned_with_their_rows(api: Api, tmp_path: Path) -> None:
    await ended(api)
    assert (await pruning_of(api.stage).prune(), len(there(tmp_path))) == (0, 2)
    await expired(api)
    assert (await pruning_of(api.stage).prune(), there(tmp_path)) == (1, [])
    assert await pruning_of(api.stage).prune() == 0


async def test_objects_of_a_job_that_waited_for_weeks_are_pruned_as_well(api: Api, tmp_path: Path) -> None:
    """Its row is older than any tombstone when its data expires, and its own tombstone is still there."""
    await api.submitted(jobType="large", taskDescription="t" * SIZE)
    api.stage.clock.ms += 20 * 86_400_000
    await api.stage.run()
    assert len(there(tmp_path)) > 0
    await expired(api)
    assert (await pruning_of(api.stage).prune(), there(tmp_path)) == (1, [])


async def test_rows_wait_for_an_object_store_that_is_away(
    api: Api, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await ended(api)
    await expired(api)

    async def away(_self: Objects, _place: str) -> int:
        raise ObjectStoreError("the object store does not answer")

    with monkeypatch.context() as patch:
        patch.setattr(Objects, "delete_below", away)
        assert await pruning_of(api.stage).prune() == 0
    assert await pruning_of(api.stage).prune() == 1
    assert there(tmp_path) == []


async def kept_by_a_retried_job(api: Api, tmp_path: Path) -> bool:
    """Retry an ended job before its data expires; return whether its objects outlive the pruning."""
    job_id = await ended(api)
    api.stage.clock.ms += 4 * 86_400_000
    answer = await api.request("PATCH", f"/api/agent-jobs/{job_id}", json={"action": "retry", "from": "start"})
    assert answer.status_code == 200
    api.stage.clock.ms += 2 * 86_400_000
    await pruning_of(api.stage).prune()
    return len(there(tmp_path)) == 2


async def test_a_retried_job_keeps_its_objects_however_old_its_row_is(api: Api, tmp_path: Path) -> None:
    assert await kept_by_a_retried_job(api, tmp_path)


async def test_pruned_while_retried_is_found(api: Api, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A rule that goes by the row's age alone."""
    monkeypatch.setattr(api.stage.reader, "known", lambda _ids: asyncio.sleep(0, frozenset()))

    async def without(self: ObjectPruning, gone: Any, _before_ms: int) -> list[Any]:
        for place in {path.parent.relative_to(tmp_path / "objects") for path in there(tmp_path)}:
            await self._objects.delete_below(str(place))
        return list(gone)

    monkeypatch.setattr(ObjectPruning, "without", without)
    assert not await kept_by_a_retried_job(api, tmp_path)


async def test_a_job_without_a_tombstone_may_come_back_and_keeps_its_objects(api: Api, tmp_path: Path) -> None:
    """A failover has forgotten it: its backup message may bring it back."""
    job_id = await ended(api)
    del api.stage.store.trees[job_id]
    api.stage.redis.run("DEL", f"baton:{{{job_id}}}:tombstone")
    api.stage.clock.ms += 6 * 86_400_000
    assert (await pruning_of(api.stage).prune(), len(there(tmp_path))) == (0, 2)
    api.stage.clock.ms += 20 * 86_400_000
    assert (await pruning_of(api.stage).prune(), there(tmp_path)) == (1, [])


async def keep(stage: Stage, session_id: str = "s", name: str = "0" * 64, text: str = FILE) -> None:
    job = stage.job(session=session_id)
    await KeptFiles(stage.ports.chats, stage.container.commands.quota, job, {name: text}).store(stage.clock.now_ms())


async def read(stage: Stage, name: str = "0" * 64) -> str | None:
    return await stage.ports.chats.read_file("acme", "s", name)


async def test_a_large_file_is_an_object_and_goes_with_its_session(tmp_path: Path) -> None:
    stage = made(tmp_path)
    await keep(stage)
    await keep(stage)
    await keep(stage, name="1" * 64, text="text/plain,c21hbGw=")
    assert (await read(stage), await read(stage, "1" * 64)) == (FILE, "text/plain,c21hbGw=")
    assert [path.read_text() for path in there(tmp_path)] == [FILE]
    kept = await stage.ports.chats.forget_chat("acme", "s")
    assert sorted(size for _, size in kept) == [19, len(FILE)]
    assert (there(tmp_path), await read(stage)) == ([], None)


async def test_files_of_expired_sessions_are_pruned_and_of_no_other(tmp_path: Path) -> None:
    stage = made(tmp_path)
    await keep(stage)
    stage.clock.ms = int(there(tmp_path)[0].stat().st_mtime * 1000) + 2 * HOUR_MS
    assert await stage.ports.chats.prune_apart(stage.clock.ms) == 0
    stage.redis.run("DEL", "baton:files:" + there(tmp_path)[0].parent.name)
    assert await stage.ports.chats.prune_apart(stage.clock.ms - 2 * HOUR_MS) == 0
    assert await stage.ports.chats.prune_apart(stage.clock.ms) == 1


async def kept_while_pruned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Keep a file again in the middle of the deletion of its session's objects; return whether it is safe."""
    stage = made(tmp_path)
    await keep(stage)
    stage.redis.run("DEL", "baton:files:" + there(tmp_path)[0].parent.name)
    deleted, said = Objects.delete_below, list[bool]()

    async def late(self: Objects, place: str) -> int:
        try:
            await keep(stage)
        except StoreError:
            said.append(True)
        return await deleted(self, place)

    monkeypatch.setattr(Objects, "delete_below", late)
    await stage.ports.chats.prune_apart(int(there(tmp_path)[0].stat().st_mtime * 1000) + 2 * HOUR_MS)
    return bool(said) or await read(stage) == FILE


async def test_a_file_that_is_kept_again_while_its_session_is_pruned_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert await kept_while_pruned(tmp_path, monkeypatch)


async def test_a_deletion_without_its_mark_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def unmarked(_self: Chats, objects: Objects, place: str) -> int:
        return await objects.delete_below(place)

    monkeypatch.setattr(Chats, "_delete_apart", unmarked)
    assert not await kept_while_pruned(tmp_path, monkeypatch)


async def test_a_fork_has_copies_of_its_own(api: Api, tmp_path: Path) -> None:
    job_id = await ended(api)
    answer = await api.request("POST", f"/api/agent-jobs/{job_id}/fork", ADMIN, json={"turn": 2})
    assert answer.status_code == 202, answer.text
    assert (await delete(api, job_id)).status_code == 204
    await api.stage.run()
    fork = await api.read(answer.json()["id"])
    assert fork["status"] == "completed"
    for call, letter in zip(fork["toolCalls"], "xxy", strict=True):
        assert (await api.request("GET", call["resultRef"]["url"])).json()["result"] == letter * SIZE
    assert (await delete(api, fork["id"])).status_code == 204
    assert [path for path in there(tmp_path) if "/s/" not in str(path)] == []


async def test_a_fork_of_what_is_gone_says_so(api: Api, tmp_path: Path) -> None:
    job_id = await ended(api)
    there(tmp_path)[0].unlink()
    answer = await api.request("POST", f"/api/agent-jobs/{job_id}/fork", ADMIN, json={"turn": 2})
    assert "is gone from the object store" in assert_problem(answer, 410)
    with pytest.raises(PayloadGoneError):
        await api.stage.ports.objects.get(f"0/{'0' * 32}/{'0' * 32}/{'0' * 64}")


async def test_objects_count_for_the_quota(tmp_path: Path) -> None:
    stage = made(tmp_path)
    settings = with_keys(
        object_store_url=f"file://{tmp_path}/objects", bytes_kept_per_tenant=10_000_000, job_retention_seconds=86_400
    )
    stage = Stage(settings=settings, registry=stage.container.registry)
    async with api_of(stage) as api:
        await ended(api)
        sums = await stage.ports.stored_bytes.sums("acme") if stage.ports.stored_bytes else {}
        assert sum(sums.values()) > 3 * SIZE


async def test_a_file_whose_object_was_there_before_the_deletion_and_named_after_it_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The deletion is over, and its mark gone, once the file is complete."""
    stage = made(tmp_path)
    await keep(stage)
    stage.redis.run("DEL", "baton:files:" + there(tmp_path)[0].parent.name)
    deleted, put, keeping = Objects.delete_below, Objects.put, list[asyncio.Task[None]]()
    was_put, over = asyncio.Event(), asyncio.Event()

    async def late(self: Objects, place: str) -> int:
        keeping.append(asyncio.ensure_future(keep(stage)))
        await asyncio.wait([keeping[0], asyncio.ensure_future(was_put.wait())], return_when=asyncio.FIRST_COMPLETED)
        return await deleted(self, place)

    async def slow(self: Objects, *of: Any) -> str:
        ref = await put(self, *of)
        was_put.set()
        await over.wait()
        return ref

    monkeypatch.setattr(Objects, "delete_below", late)
    monkeypatch.setattr(Objects, "put", slow)
    await stage.ports.chats.prune_apart(int(there(tmp_path)[0].stat().st_mtime * 1000) + 2 * HOUR_MS)
    over.set()
    [said] = await asyncio.gather(*keeping, return_exceptions=True)
    assert isinstance(said, StoreError) or await read(stage) == FILE

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from baton.engine.all_jobs.slots import QueueEntry
from baton.settings.settings import Settings, read_settings
from baton.store.objects import Objects, objects_of
from baton_events.errors import MemoryUnavailableError, ObjectStoreError, StoreError
from baton_local.doctor.checkup import check_agents
from baton_local.doctor.finding import Finding, Level, failed
from baton_local.doctor.store import STORE, StoreCheck, check_memory, check_objects, check_store
from tests.fakes import FakeLongTermMemory
from tests.fakes.clock import FakeClock


@dataclass
class FakeStoreCheck(StoreCheck):
    clock: FakeClock = field(default_factory=FakeClock)
    takes_ms: int = 3
    ping_error: str = ""
    script_error: str = ""
    found: Mapping[str, str] = field(default_factory=lambda: {"maxmemory_policy": "noeviction", "redis_version": "7.2"})

    async def ping(self) -> None:
        if self.ping_error:
            raise StoreError(self.ping_error)
        self.clock.ms += self.takes_ms

    async def try_rights(self) -> None:
        if self.script_error:
            raise StoreError(self.script_error)

    async def about(self) -> Mapping[str, str]:
        return self.found

    async def live_jobs(self) -> Mapping[str, QueueEntry]:
        return {"job_1": QueueEntry("t", "s", 5, 0, agent="gone")}

    async def close(self) -> None:
        """Nothing is open."""


REST = Settings(redis_url="https://store.example.com", redis_token="t")
RESP = Settings(resp_url="redis://:swordfish@store.example.com:6379")


async def check(store: FakeStoreCheck, settings: Settings = REST) -> list[Finding]:
    return await check_store(store, store.clock, settings)


async def test_a_store_that_is_well() -> None:
    speed, memory = await check(FakeStoreCheck())
    where = "over REST at https://store.example.com"
    assert speed == Finding(Level.OK, "store", f"answers within 3 ms, runs scripts, version 7.2, {where}")
    assert memory.level is Level.OK


async def test_a_store_over_resp_is_named_without_its_password() -> None:
    about = {"maxmemory_policy": "noeviction", "valkey_version": "9.1.0", "redis_mode": "cluster"}
    speed, _, plain = await check(FakeStoreCheck(found=about), RESP)
    assert speed.text.endswith("version 9.1.0, a cluster, over RESP at redis://***@store.example.com:6379")
    assert (plain.level, "rediss://" in plain.way_out) == (Level.WARNING, True)
    for quiet in ("redis://127.0.0.1", "rediss://store.example.com", "unix:///run/valkey.sock"):
        assert len(await check(FakeStoreCheck(found=about), Settings(resp_url=quiet))) == 2


@pytest.mark.parametrize(
    ("settings", "store", "text", "way_out"),
    [
        (REST, FakeStoreCheck(ping_error="answered 'WRONGPASS token'"), "WRONGPASS", "UPSTASH_REDIS_REST_TOKEN"),
        (REST, FakeStoreCheck(ping_error="answered 'Unauthorized'"), "Unauthorized", "UPSTASH_REDIS_REST_TOKEN"),
        (REST, FakeStoreCheck(ping_error="no usable answer"), "no usable", "the REST address; a redis:// one"),
        (REST, FakeStoreCheck(script_error="NOPERM"), "what a job needs: NOPERM", "not the read-only one"),
        (RESP, FakeStoreCheck(ping_error="'WRONGPASS invalid'"), "WRONGPASS", "password of this server in REDIS_URL"),
        (RESP, FakeStoreCheck(ping_error="'NOAUTH'"), "NOAUTH", "password of this server in REDIS_URL"),
        (RESP, FakeStoreCheck(ping_error="no usable answer"), "no usable", "rediss:// where it speaks TLS"),
        (RESP, FakeStoreCheck(script_error="READONLY"), "READONLY", "a primary server"),
    ],
)
async def test_each_way_not_to_be_let_in_has_its_message(
    settings: Settings, store: FakeStoreCheck, text: str, way_out: str
) -> None:
    (found,) = await check(store, settings)
    assert (found.level, text in found.text, way_out in found.way_out) == (Level.FAILED, True, True), found


@pytest.mark.parametrize(
    ("store", "level", "text", "way_out"),
    [
        (
            FakeStoreCheck(found={"maxmemory_policy": "allkeys-lru"}),
            Level.FAILED,
            "jobs among them",
            "turn eviction off",
        ),
        (
            FakeStoreCheck(found={"redis_version": "6.2.14", "maxmemory_policy": "noeviction"}),
            Level.FAILED,
            "6.2.14",
            "7 or later",
        ),
        (FakeStoreCheck(found={}), Level.NOTE, "does not report whether it evicts", "Eviction is off"),
        (FakeStoreCheck(takes_ms=150), Level.WARNING, "within 150 ms", "into one region"),
    ],
)
async def test_a_store_that_is_not_what_a_store_should_be(
    store: FakeStoreCheck, level: Level, text: str, way_out: str
) -> None:
    (found,) = [finding for finding in await check(store) if finding.level is not Level.OK]
    assert (found.level, text in found.text, way_out in found.way_out) == (level, True, True), found


async def test_an_index_that_answers_is_well_and_none_is_no_fault() -> None:
    memory = FakeLongTermMemory()
    (found,) = await check_memory(memory)
    assert found.level is Level.OK
    assert memory.entries == {}
    assert await check_memory(None) == []


@pytest.mark.parametrize(
    ("error", "way_out"),
    [
        ("answered 'Unauthorized'", "UPSTASH_VECTOR_REST_TOKEN"),
        ("The index must be created with an embedding model to use it.", "takes vectors only"),
        ("no usable answer (ConnectError)", "check UPSTASH_VECTOR_REST_URL"),
    ],
)
async def test_each_way_not_to_be_of_use_has_its_way_out(error: str, way_out: str) -> None:
    memory = FakeLongTermMemory()
    memory.down = MemoryUnavailableError(error)
    (found,) = await check_memory(memory)
    assert (found.level, found.text, way_out in found.way_out) == (Level.FAILED, error, True), found


async def test_an_agent_that_jobs_wait_for_and_the_deployment_lacks_is_a_warning() -> None:
    of_agents = replace(REST, app="tests.e2e.chat_agents:registry")
    [found] = await check_agents(of_agents, FakeStoreCheck(), [])
    assert (found.level, "1 job waits for 'gone'" in found.text) == (Level.WARNING, True)
    [unnamed] = await check_agents(REST, FakeStoreCheck(), [])
    assert (unnamed.level, "BATON_APP" in unnamed.text) == (Level.NOTE, True)
    assert await check_agents(of_agents, FakeStoreCheck(), [failed(STORE, "away", "")]) == []


def files_in(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


async def test_a_store_of_use_is_well_and_left_as_it_was(tmp_path: Path) -> None:
    new, old = f"file://{tmp_path}/new", f"file://{tmp_path}/old"
    settings = read_settings({"OBJECT_STORE_URL": f"{new},{old}", "WORKER_BASE_URL": "http://127.0.0.1:1"})
    found = await check_objects(objects_of(settings), settings, "trial")
    assert [(one.level, one.text) for one in found] == [
        (Level.OK, f"{new} takes, gives and deletes objects"),
        (Level.OK, f"older ones are read from {old}"),
    ]
    assert files_in(tmp_path) == []


async def test_a_folder_of_a_deployment_is_a_warning(tmp_path: Path) -> None:
    given = {"OBJECT_STORE_URL": f"file://{tmp_path}/objects", "WORKER_BASE_URL": "https://example.com"}
    settings = read_settings(given)
    _, warned = await check_objects(objects_of(settings), settings, "trial")
    assert (warned.level, "must outlive them" in warned.way_out) == (Level.WARNING, True)


async def test_one_that_refuses_is_named_with_the_way_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def refused(_self: Objects, _place: str, _tenant: str, _data: bytes) -> str:
        raise ObjectStoreError("the object store does not answer: PermissionDeniedError")

    monkeypatch.setattr(Objects, "put", refused)
    settings = read_settings({"OBJECT_STORE_URL": f"file://{tmp_path}/objects"})
    (found,) = await check_objects(objects_of(settings), settings, "trial")
    assert (found.level, "read, write, list and delete" in found.way_out) == (Level.FAILED, True)


async def test_without_a_store_nothing_is_said() -> None:
    settings = read_settings({})
    assert await check_objects(objects_of(settings), settings, "trial") == []

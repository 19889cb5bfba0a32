"""What the doctor says of the store."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest

from events.errors import StoreError
from infra.doctor.finding import Finding, Level
from infra.doctor.store import look_at_store
from tests.fakes.clock import FakeClock


@dataclass
class FakeStoreCheck:
    """A store that takes its time."""

    clock: FakeClock = field(default_factory=FakeClock)
    takes_ms: int = 3
    ping_error: str = ""
    script_error: str = ""
    told: Mapping[str, str] = field(default_factory=lambda: {"maxmemory_policy": "noeviction", "redis_version": "7.2"})

    async def ping(self) -> None:
        """Answer, or not."""
        if self.ping_error:
            raise StoreError(self.ping_error)
        self.clock.ms += self.takes_ms

    async def try_script(self, key: str) -> None:
        """Take the script, or not."""
        assert key == "baton:doctor:name"
        if self.script_error:
            raise StoreError(self.script_error)

    async def about(self) -> Mapping[str, str]:
        """What it tells of itself."""
        return self.told

    async def close(self) -> None:
        """Nothing is open."""


async def look(store: FakeStoreCheck) -> list[Finding]:
    """What is said of it."""
    return await look_at_store(store, store.clock, "name")


async def test_a_store_that_is_well() -> None:
    """Speed, version, memory."""
    speed, memory = await look(FakeStoreCheck())
    assert speed == Finding("store", Level.OK, "answers within 3 ms, runs scripts, version 7.2")
    assert memory.level is Level.OK


@pytest.mark.parametrize(
    ("store", "text", "way_out"),
    [
        (FakeStoreCheck(ping_error="answered 'WRONGPASS invalid token'"), "WRONGPASS", "UPSTASH_REDIS_REST_TOKEN"),
        (FakeStoreCheck(ping_error="answered 'Unauthorized'"), "Unauthorized", "UPSTASH_REDIS_REST_TOKEN"),
        (FakeStoreCheck(ping_error="no usable answer (ConnectError)"), "no usable", "the REST address, not redis://"),
        (FakeStoreCheck(script_error="NOPERM"), "refuses a script that writes: NOPERM", "not the read-only one"),
    ],
)
async def test_each_way_not_to_be_let_in_has_its_message(store: FakeStoreCheck, text: str, way_out: str) -> None:
    """And its way out."""
    (found,) = await look(store)
    assert (found.level, text in found.text, way_out in found.way_out) == (Level.FAILED, True, True), found


@pytest.mark.parametrize(
    ("store", "level", "text", "way_out"),
    [
        (
            FakeStoreCheck(told={"maxmemory_policy": "allkeys-lru"}),
            Level.FAILED,
            "jobs among them",
            "turn eviction off",
        ),
        (FakeStoreCheck(told={}), Level.NOTE, "does not tell whether it evicts", "Eviction is off"),
        (FakeStoreCheck(takes_ms=150), Level.WARNING, "within 150 ms", "into one region"),
    ],
)
async def test_a_store_that_is_not_what_a_store_should_be(
    store: FakeStoreCheck, level: Level, text: str, way_out: str
) -> None:
    """It may forget, or is far away."""
    (found,) = [finding for finding in await look(store) if finding.level is not Level.OK]
    assert (found.level, text in found.text, way_out in found.way_out) == (level, True, True), found

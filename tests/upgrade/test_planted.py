"""The corpus can fail, and a state of a newer version is left as it is until that version is back."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from baton.engine.state import STATE_VERSION
from baton_events.errors import NewerVersionError
from tests.contract.store.redis_process import RedisProcess
from tests.upgrade.finishing import ends_of, finish, finished, in_memory, on_redis, runs_of
from tests.upgrade.in_flight import InFlight
from tests.upgrade.maker import HOUR_SECONDS
from tests.upgrade.saved import CORPUS, RawRedis, Saved, load_keys, read, saved_keys

JOB_ID = "job_made00000000000000000001"
JOB = f"job:{JOB_ID}"
STATE = f"baton:{{{JOB_ID}}}:state"


def calls_open() -> Saved:
    return read(CORPUS / "0.1.0" / "calls_open.json")


def with_job(saved: Saved, change: Callable[[dict[str, Any]], dict[str, Any]]) -> Saved:
    state = saved.keys[STATE]
    fields = {**state["value"], JOB: change(state["value"][JOB])}
    return replace(saved, keys={**saved.keys, STATE: {**state, "value": fields}})


def with_version(saved: Saved, version: int) -> Saved:
    return with_job(saved, lambda job: {**job, "version": version})


@pytest.mark.parametrize("field", ["agent", "session_id", "created_at_ms", "tenant"])
async def test_a_field_that_was_renamed_without_more_is_found(
    field: str, redis_process: RedisProcess, raw_redis: RawRedis
) -> None:
    """What is stored is then no job to this code; on both stores."""
    old = {field: f"{field}_of_old"}
    saved = with_job(calls_open(), lambda job: {old.get(name, name): value for name, value in job.items()})
    with pytest.raises(NewerVersionError):
        in_memory(saved, "queue")
    with pytest.raises(NewerVersionError):
        await finished(on_redis(saved, "queue", redis_process, raw_redis), saved)


async def test_a_result_that_is_another_one_is_found() -> None:
    """Not only what breaks."""
    saved = calls_open()
    other = {**saved.ends, JOB_ID: {**saved.ends[JOB_ID], "turns": 7}}
    with pytest.raises(AssertionError):
        await finished(in_memory(saved, "queue"), replace(saved, ends=other))


async def test_a_tool_that_runs_once_more_is_found() -> None:
    """Each run is known by its key."""
    saved = calls_open()
    with pytest.raises(AssertionError):
        await finished(in_memory(saved, "queue"), replace(saved, ran=saved.ran[1:]))


async def test_a_state_of_a_newer_version_waits_for_it(redis_process: RedisProcess, raw_redis: RawRedis) -> None:
    """This code changes nothing of its job, whatever is delivered; the version that knows it finishes it."""
    saved = calls_open()
    newer = with_version(saved, STATE_VERSION + 1)
    version = on_redis(newer, "inline", redis_process, raw_redis)
    async with version.running():
        await version.run(within_seconds=HOUR_SECONDS)
        assert runs_of(version) == []
    left = saved_keys(raw_redis)
    assert left[STATE]["value"][JOB] == newer.keys[STATE]["value"][JOB]
    assert not any('"abandoned"' in stored for stored in left[STATE]["value"].values()), "nobody has died"
    now_ms = version.clock.ms + HOUR_SECONDS * 1000  # when the hourly sweep comes
    back = replace(saved, keys=with_version(replace(saved, keys=left), 1).keys, now_ms=now_ms, messages=())
    known = on_redis(back, "inline", redis_process, raw_redis)
    known.queue.put("/workers/sweep", "")
    async with known.running():
        await finish(known, ())
        assert await ends_of(known) == saved.ends
        assert runs_of(known) == saved.ran


def test_what_is_loaded_takes_the_place_of_all_that_was_there(raw_redis: RawRedis) -> None:
    """Else a situation would find what another one has left."""
    raw_redis.run([["SET", "other", "1"]])
    load_keys(raw_redis, calls_open().keys)
    assert "other" not in saved_keys(raw_redis)


async def test_a_message_that_is_never_taken_comes_back_and_is_given_up() -> None:
    """The corpus's queue delivers at least once, and tells of what it gives up."""
    queue = InFlight()
    queue.put("/workers/agent-loop", "{}")
    for _ in range(4):
        message = queue.next()
        assert message is not None
        assert message.path == "/workers/agent-loop"
        queue.answered(message, 503, b"", 0)
    message = queue.next()
    assert message is not None
    assert message.path == "/workers/delivery-failed"
    queue.answered(message, 200, b"", 0)
    assert queue.next() is None

"""Texts that the store keeps sealed: whole jobs over it, while keys rotate, and where a key is not there."""

import json
from base64 import b64encode
from typing import Any

import pytest
from msgspec.structs import replace

from baton import Agent, Call, Registry, ScriptedModel, tool
from baton.engine.commit.answers import Signal
from baton.engine.effects import Changes
from baton.engine.outbox import Continuation
from baton.engine.state import Job
from baton.engine.stream_parts import TEXTLESS, tool_output
from baton.engine.transitions import JobStatus
from baton.engine.work_items import ItemKind, following
from baton.store.redis.keys import parts_key
from baton.store.redis.resealing import Resealing
from baton_events.errors import UnreadablePayloadError
from baton_events.ids import canonical_json
from baton_events.sealing import PayloadContext, Sealing
from tests.contract.store.sample import (
    JOB_ID,
    NOW_MS,
    a_job,
    call_item,
    claim_of,
    creation,
    first_item,
    leases_of,
    next_turn,
    record_of,
    table_of,
)
from tests.fakes.stored import FakeConnection, FakeReader, FakeRedis, FakeStore
from tests.unit.baton.kit.stage import Stage

K1, K2 = (f"k{number}:{b64encode(bytes([number]) * 32).decode()}" for number in (1, 2))
TASK = "the canary's task"


def stage_of(keys: str, redis: FakeRedis | None = None, **more: Any) -> Stage:
    redis = redis or FakeRedis()
    redis.payload_keys = keys
    return Stage(store=FakeStore(redis), **more)


def kept(redis: FakeRedis) -> str:
    return repr(redis.data.values)


async def test_a_job_runs_and_no_text_of_it_is_kept_in_clear() -> None:
    sealed, plain = stage_of(K1), stage_of("")
    for stage in (sealed, plain):
        assert (await stage.played("adds", task=TASK)).result == {"answer": "3 and 7"}
    for text in ("canary", "3 and 7", "'a'", '"a"'):
        assert (text in kept(sealed.redis)) is False
    for text in ("canary", "3 and 7", '"a"'):
        assert text in kept(plain.redis)


async def test_parts_with_nothing_but_ids_and_numbers_stay_plain() -> None:
    """Sealing them hides nothing. A part whose text reads as the end of one is sealed."""
    stage = stage_of(K1)
    await stage.played("breaks", task='{"type":"data-usage"}')
    stream = stage.redis.data.values[parts_key("job_1")]
    parts = [part for entry in stream.entries for part in entry.flat[1::2]]
    plain = [json.loads(part) for part in parts if not part.startswith("sealed:")]
    kinds = {part["type"] for part in plain}
    steps = {"start-step", "finish-step", "finish", "text-start", "text-end"}
    assert kinds == steps | {"data-usage", "data-event"}
    failed = [part["data"] for part in plain if part["type"] == "data-event" and "outcome" not in part["data"]]
    assert [("failure" in data, data["sealed"][:7]) for data in failed] == [(False, "sealed:")] * 2
    for result in (json.dumps('"type":"data-usage"}'), '{"a":1,"type":"data-usage"}'):
        assert not tool_output("call_1", result).endswith(TEXTLESS)


def sent_by(stage: Stage) -> list[str]:
    """The commands of the store's requests."""
    connection = stage.store._redis
    assert isinstance(connection, FakeConnection)
    return connection.sent


async def test_keys_rotate_while_a_job_runs() -> None:
    """Each delivery meets the store one step further."""
    redis, steps = FakeRedis(), ["", K1, f"{K1},{K2}", f"{K2},{K1}", f",{K2},{K1}"]
    stage, turn = stage_of("", redis), 0
    await stage.submit("breaks", task=TASK)

    async def rotate() -> None:
        nonlocal turn
        turn += 1
        redis.payload_keys = steps[min(turn, len(steps) - 1)]
        stage.store._redis.sealing = FakeConnection(redis).sealing

    await stage.run(rotate)
    reader = FakeReader(redis)
    read = await reader.job("job_1")
    assert read is not None
    assert (read.job.status, read.task["text"]) == (JobStatus.COMPLETED, TASK)
    assert turn > len(steps)


async def _without(keys: str, redis: FakeRedis) -> FakeReader:
    redis.payload_keys = keys
    return FakeReader(redis)


async def test_a_key_that_is_not_there_leaves_the_plain_fields() -> None:
    stage = stage_of(K1)
    await stage.played("adds", task=TASK)
    reader = await _without(K2, stage.redis)
    with pytest.raises(UnreadablePayloadError, match="'k1'"):
        await reader.job("job_1")
    read = await reader.job("job_1", partly=True)
    assert read is not None
    assert (read.unreadable, read.task, read.job.result, read.results) == (("k1",), {}, None, {})
    assert (read.job.status, read.job.agent, [call.tool for call in read.calls]) == ("completed", "adds", ["add"] * 2)
    assert [one.unreadable for one in (await reader.jobs(["job_1"])).values()] == [("k1",)]


async def test_a_step_that_cannot_open_its_job_is_left_to_a_process_that_can() -> None:
    """No attempt counts, nothing fails; the same message, delivered again, does the step."""
    stage = stage_of(K1)
    event = await stage.submit("adds", task=TASK)
    before = stage.redis.tree("job_1").items
    other = stage_of(K2, stage.redis)
    for _ in range(9):
        with pytest.raises(UnreadablePayloadError):
            await other.deliver(event)
    stage = stage_of(K1, stage.redis)
    [item], [was] = stage.redis.tree("job_1").items.values(), before.values()
    assert (item.attempt, item.lost, item.abandoned, item.undelivered) == (was.attempt, 0, 0, 0)
    await stage.deliver(event)
    assert (await stage.now()).turn == 1
    assert stage.step_result.runs == []


async def cancelled(stage: Stage, job: Job) -> Job:
    return (await stage.container.commands.cancel(job, "me")).job


async def test_a_job_whose_key_is_lost_can_be_cancelled_and_deleted() -> None:
    stage = stage_of(K1)
    await stage.submit("adds", task=TASK)
    other = stage_of(K2, stage.redis)
    read = await other.reader.job("job_1", partly=True)
    assert read is not None
    assert (await cancelled(other, read.job)).status is JobStatus.CANCELLED
    await other.run()
    again = await stage_of(f"{K2},{K1}", stage.redis).reader.job("job_1")
    assert again is not None
    assert (again.task["text"], again.job.status) == (TASK, JobStatus.CANCELLED)
    other = stage_of(K2, stage.redis)
    assert (await other.container.commands.delete(again.job)).changed
    assert "canary" not in kept(stage.redis)
    assert await other.reader.known(["job_1"]) == frozenset()


@pytest.mark.parametrize("result", ["a " * 2_000, {"a,b": ["ü" * 2_000, "sealed:k1:", 1.5]}])
async def test_a_large_result_is_sealed_once_for_its_call_and_its_stream(
    result: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It opens from both, also once the call's key was rotated and resealed."""
    seal, sealed = Sealing.seal, list[str]()

    def noted(self: Sealing, text: str, context: PayloadContext) -> str:
        sealed.append(text)
        return seal(self, text, context)

    @tool
    def look() -> Any:
        return result

    def stage(keys: str, redis: FakeRedis | None = None) -> Stage:
        looks = Agent("looks", model=ScriptedModel([[Call("look", {})], "done"]), tools=[look])
        return stage_of(keys, redis, registry=Registry([looks]))

    plain, first = stage(""), stage(K1)
    monkeypatch.setattr(Sealing, "seal", noted)
    for each in (plain, first):
        await each.played("looks")
    text = canonical_json(result)
    assert [text in one for one in sealed].count(True) == 1
    wanted = [part for part in await parts_of(plain) if text in part]
    assert len(wanted) == 1
    assert [part for part in await parts_of(first) if text in part] == wanted
    first.redis.payload_keys = f"{K2},{K1}"
    page = await first.ports.listing.old("", first.clock.ms + 3_600_000, 100)
    await Resealing(FakeConnection(first.redis)).page(page.found)
    assert [part for part in await parts_of(stage(K2, first.redis)) if text in part] == wanted


async def parts_of(stage: Stage) -> list[str]:
    return list((await stage.reader.parts("job_1", 0)).parts)


async def test_a_sweep_of_the_same_process_leaves_nothing_unreadable() -> None:
    """The tree that it reads is what the next step knows."""
    stage = stage_of(K1)
    store = stage.store
    await store.create(creation(a_job()), "m1", NOW_MS)
    wait = following(call_item(0), ItemKind.WAIT, NOW_MS, not_before_ms=NOW_MS + 10)
    asked = Changes(items=(replace(wait, timeout_result='{"ok":0}'),), calls=(record_of(call_item(0)),))
    assert (await store.commit(claim_of(first_item()), asked)).applied
    await store.reconcile_all({JOB_ID: table_of(JOB_ID)}, "sweep", NOW_MS, 60_000)
    claimed = await store.claim(claim_of(wait, "m2", after_ms=10))
    assert claimed.state is not None
    assert claimed.state.outcome == '{"ok":0}'


async def test_a_turn_with_a_message_that_cannot_be_opened_is_left_to_a_process_that_can() -> None:
    """The step before it is recorded all the same."""
    stage = stage_of(K1)
    await stage.store.create(creation(a_job()), "m1", NOW_MS)
    asked = Changes(items=(call_item(0),), calls=(record_of(call_item(0)),))
    assert (await stage.store.commit(claim_of(first_item()), asked)).applied
    newer, message = stage_of(f"{K2},{K1}", stage.redis), '{"messageId":"s","role":"user","text":"and this"}'
    claim, room = claim_of(call_item(0)), Continuation("o1.1", leases_of(), 9)
    older = stage_of(K1, stage.redis).store
    assert (await older.claim(claim)).state is not None
    await newer.store.signal(JOB_ID, "m2", Signal("s", "", message=message), NOW_MS)
    committed = await older.commit(claim, Changes(results={claim.call_id: '{"ok":1}'}, join=next_turn()), room)
    assert (committed.applied, committed.claimed, [item.kind for item in committed.pending]) == (
        True,
        (),
        [ItemKind.LOOP],
    )
    turn = await stage_of(f"{K2},{K1}", stage.redis).store.claim(claim_of(committed.pending[0], "m3", "o3"))
    assert [entry["text"] for entry in turn.history.transcript] == ["do it", "and this"]

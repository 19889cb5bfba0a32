"""Outcomes that come by the stream: the same path as the webhook, whatever is in the stream, however often."""

import asyncio
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from baton.store.redis import keys
from baton.store.redis.operation_stream import StreamEntry
from baton.worker.commands.completion_body import CompletionBody
from baton.worker.commands.operation_stream import PATIENCE_MS, UnreadableEntryError, read_entry
from baton.worker.recovery.maintenance import Maintenance, Pruning, read_poll
from baton.worker.recovery.outage import StoreAway
from baton_events.errors import BatonError, MalformedEventError, PublishError, StorageFullError, UnreadablePayloadError
from baton_events.ids import call_of_operation, job_of_call
from tests.unit.baton.kit.faults import Method, around
from tests.unit.baton.kit.flaky import FlakyStage
from tests.unit.baton.kit.stage import SETTINGS, Stage

LIMIT_BYTES = 1_000
DAY_MS = 86_400_000
INTERVAL_MS = SETTINGS.operations_stream_seconds * 1000
NAME, IDLE_MS = SETTINGS.operations_stream_name, 60_000


async def waiting() -> tuple[Stage, str]:
    """A job that waits for an operation, and the operation's id."""
    stage = FlakyStage()
    await stage.waiting("waits")
    (call,) = await stage.calls()
    assert stage.redis.run("ZSCORE", keys.OPERATIONS_EXPECTED, call.operation_id)
    return stage, call.operation_id


def add(stage: Stage, entry_id: str, **fields: str) -> None:
    """Add an outcome, as another system does."""
    stage.redis.run("XADD", NAME, entry_id, *(text for pair in fields.items() for text in pair))


def reasons(stage: Stage) -> list[str]:
    """Why entries are kept for a person."""
    return [row[1][3] for row in stage.redis.run("XREVRANGE", keys.OPERATIONS_DEAD, "+", "-", "COUNT", 9)]


async def is_all_done(stage: Stage) -> bool:
    """Whether nothing is left, for this reader or the next one."""
    stage.clock.ms += IDLE_MS
    return not await stage.ports.operation_stream.take()


async def poll(stage: Stage) -> int:
    return await stage.container.operations.outcomes.poll()


def maintenance_of(stage: Stage) -> Maintenance:
    container = stage.container
    pruning = Pruning(stage.ports.listing, stage.reader, container.emitter, stage.clock, 1_000)
    away = StoreAway(stage.admission, container.emitter, stage.clock, container.sweep_requests)
    return Maintenance(stage.sweep, container.operations.outcomes, pruning, stage.ports.counters, away)


def entry_id(stage: Stage, number: int = 0) -> str:
    return f"{stage.clock.ms}-{number}"


def polls(stage: Stage) -> list[int]:
    bodies = [json.loads(message.body) for message in stage.outgoing() if "x-event-id" not in message.headers]
    return [body["operationsMs"] for body in bodies if "operationsMs" in body]


async def test_an_outcome_of_an_unknown_operation_is_kept_for_a_while() -> None:
    """It may come before its job is known; then it is buried, with the reason."""
    stage = Stage()
    add(stage, entry_id(stage), operation_id="op_job_9-1-0-abc", success="true")
    assert await poll(stage) == 0
    assert reasons(stage) == []
    stage.clock.ms += IDLE_MS
    stage.clock.ms += PATIENCE_MS + 1
    await poll(stage)
    assert reasons(stage) == ["there is no operation 'op_job_9-1-0-abc'"]
    assert await is_all_done(stage)


@pytest.mark.parametrize("named", [{"operation_id": "foreign-1"}, {}])
async def test_an_outcome_of_a_foreign_operation_is_that_of_its_task(named: dict[str, str]) -> None:
    """Seed 003, completion_consumer.py: `find_task_by_operation_id`, else `get_task(message.task_id)`."""
    stage, operation_id = await waiting()
    job_id = job_of_call(call_of_operation(operation_id))
    add(stage, entry_id(stage), task_id=job_id, success="true", result="7", **named)
    assert await poll(stage) == 1
    await stage.run()
    assert [call.status for call in await stage.calls()] == ["completed"]


async def test_an_outcome_is_not_that_of_what_its_task_began_to_wait_for_later() -> None:
    """An entry that is read again must not finish the next operation of the task."""
    stage, operation_id = await waiting()
    add(stage, f"{stage.clock.ms - 5_000}-0", task_id=job_of_call(call_of_operation(operation_id)), success="1")
    assert await poll(stage) == 0


async def test_an_unreadable_entry_is_buried_and_holds_up_none(caplog: pytest.LogCaptureFixture) -> None:
    stage, operation_id = await waiting()
    add(stage, entry_id(stage, 1), success="true")
    add(stage, entry_id(stage, 2), operation_id=operation_id, success="true", result="1")
    assert await poll(stage) == 1
    assert reasons(stage) == ["it names no operation: it needs the field `operation_id`, or `task_id`"]
    assert "is kept for a person" in caplog.text


async def test_half_a_character_in_an_entry_holds_up_none() -> None:
    stage, operation_id = await waiting()
    data = {"operation_id": operation_id, "success": False, "error": "no \ud800"}
    add(stage, entry_id(stage), data=json.dumps(data))
    assert await poll(stage) == 1
    await stage.run()
    assert [call.error and call.error.message for call in await stage.calls()] == ["no \ufffd"]


async def test_an_outcome_whose_backup_finds_no_queue_is_taken_in_later() -> None:
    stage, operation_id = await waiting()
    add(stage, entry_id(stage), operation_id=operation_id, success="true", result="1")
    stage.queue.failing.append(PublishError("the queue is down"))
    with pytest.raises(PublishError):
        await poll(stage)
    stage.clock.ms += IDLE_MS
    assert await poll(stage) == 1


async def test_a_waiting_operation_costs_four_messages_a_day_at_most() -> None:
    """The stream is read at growing intervals, and then by the hourly sweep alone."""
    stage, _ = await waiting()
    await stage.ports.operation_stream.expect("op_of_a_month", stage.clock.ms + 30 * DAY_MS)
    began_ms, seen = stage.clock.ms, 0
    maintenance = maintenance_of(stage)
    while seen < len(polls(stage)):
        stage.clock.ms = max(stage.clock.ms, polls(stage)[seen])
        seen += 1
        body = [message.body for message in stage.outgoing() if "operationsMs" in message.body][seen - 1]
        assert (await maintenance.handle(body.encode(), "m", "d", again=False)).label == "looked"
    for _ in range(24):
        stage.clock.ms += 3_600_000
        await maintenance.handle(b"", "m", "d", again=False)  # the hourly sweep
    assert [round((at - began_ms) / INTERVAL_MS) for at in polls(stage)] == [1, 4, 16]
    assert await stage.ports.operation_stream.expected(stage.clock.ms)  # it still waits


async def test_one_look_takes_in_a_long_stream_page_by_page() -> None:
    stage, operation_id = await waiting()
    for number in range(450):
        add(stage, entry_id(stage, number), operation_id=operation_id, success="true", result="1")
    assert await poll(stage) == 450
    assert await is_all_done(stage)


async def test_a_sweep_reads_the_stream_and_a_look_sweeps_nothing() -> None:
    stage, operation_id = await waiting()
    maintenance = maintenance_of(stage)
    add(stage, entry_id(stage), operation_id=operation_id, success="true", result="1")
    slot = json.dumps({"operationsMs": stage.clock.ms}).encode()
    assert (await maintenance.handle(slot, "m", "d", again=False)).label == "looked"
    add(stage, entry_id(stage, 1), operation_id=operation_id, success="true", result="1")
    assert (await maintenance.handle(b"", "m", "d", again=False)).label == "swept"
    assert await is_all_done(stage)
    assert stage.redis.sums["sweeps"] == 1


@pytest.mark.parametrize(
    ("fields", "outcome"),
    [
        ({"success": "true", "result": '{"a":1}'}, {"ok": {"a": 1}}),
        ({"success": "1", "result": "plain text"}, {"ok": "plain text"}),
        ({"success": "true", "error": ""}, {"ok": None}),
        ({"success": "false", "result": "", "error": "no"}, {"error": {"type": "operation_failed", "message": "no"}}),
        ({"success": "0", "task_id": "t"}, {"error": {"type": "operation_failed", "message": "the operation failed"}}),
        ({"data": '{"operationId":"op","success":true,"result":[1],"error":null}'}, {"ok": [1]}),
        ({"data": '{"operation_id":"op","task_id":"t","success":false,"result":null,"error":"no"}'}, None),
    ],
)
def test_an_entry_is_read_by_fields_or_as_a_document(fields: dict[str, str], outcome: Any) -> None:
    named = fields if "data" in fields else {"operation_id": "op", **fields}
    operation_id, _, body = read_entry(StreamEntry("1-0", named), LIMIT_BYTES)
    assert operation_id == "op"
    assert body.outcome == (outcome or {"error": {"type": "operation_failed", "message": "no"}})


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({}, "it names no operation"),
        ({"operation_id": "op"}, "it is no outcome: success: Field required"),
        ({"operation_id": "op", "success": "perhaps"}, "success: Input should be a valid boolean"),
        ({"operation_id": "op", "success": "true", "error": "but"}, "a success has no error"),
        ({"operation_id": "op", "success": "true", "result": "NaN"}, "result"),
        ({"operation_id": "op", "success": "true", "result": "x" * LIMIT_BYTES}, "over RESULT_LIMIT_BYTES"),
        ({"data": "{"}, "its field `data` is not JSON"),
        ({"data": "[]"}, "its field `data` is no JSON object"),
        ({"data": '{"operation_id":7,"success":true}'}, "it names no operation"),
    ],
)
def test_what_is_no_outcome_says_why(fields: dict[str, str], reason: str) -> None:
    with pytest.raises(UnreadableEntryError, match=reason):
        read_entry(StreamEntry("1-0", fields), LIMIT_BYTES)


@pytest.mark.parametrize(("body", "slot_ms"), [(b"", 0), (b'{"dueMs":5}', 0), (b'{"operationsMs":7}', 7), (b"[]", 0)])
def test_a_poll_differs_from_a_sweep_by_its_body(body: bytes, slot_ms: int) -> None:
    poll = read_poll(body)
    assert (poll.slot_ms if poll else 0) == slot_ms


@pytest.mark.parametrize("body", [b"{", b'{"operationsMs":"soon"}'])
def test_what_is_neither_is_malformed(body: bytes) -> None:
    """489: it stays in the dead letter queue for a person."""
    with pytest.raises(MalformedEventError):
        read_poll(body)


ACTIONS = ("add", "look", "die", "minute", "webhook", "forget acknowledgements")


class Played:
    def __init__(self) -> None:
        self.stage = FlakyStage()
        self.operation_id = ""
        self.made = 0
        self.entries = dict[str, dict[str, str]]()

    async def begin(self) -> None:
        """The job waits."""
        await self.stage.waiting("waits")
        (call,) = await self.stage.calls()
        self.operation_id = call.operation_id

    async def do(self, action: str) -> None:
        match action:
            case "add":
                self.made += 1
                name, fields = f"{self.stage.clock.ms}-{self.made}", {"success": "true", "result": str(self.made)}
                self.entries[name] = {"operation_id": self.operation_id, **fields}
                add(self.stage, name, **self.entries[name])
            case "look":
                await self.stage.container.operations.outcomes.poll()
            case "die":
                await self.stage.ports.operation_stream.take()
            case "minute":
                self.stage.clock.ms += IDLE_MS
            case "webhook":
                self.made += 1
                body = CompletionBody(success=True, result=self.made)
                await self.stage.container.operations.completing.complete(self.operation_id, body, "webhook")
            case _:  # a failover forgets what was acknowledged
                self.stage.redis.forget(NAME)
                for name, found in self.entries.items():
                    add(self.stage, name, **found)

    async def first(self) -> int | None:
        results = (await self.stage.snapshot()).results
        return next((result["ok"] for result in results.values()), None)


@settings(max_examples=40)
@given(st.lists(st.sampled_from(ACTIONS), max_size=12))
def test_the_first_outcome_stays_whatever_the_order(actions: list[str]) -> None:
    """Also where a reader died before it had recorded what it took, or after that: the next one takes it in."""

    async def play() -> None:
        played = Played()
        await played.begin()
        first: int | None = None
        for action in [*actions, "add", "minute", "look"]:
            await played.do(action)
            recorded = await played.first()
            assert first is None or recorded == first
            first = recorded
        await played.stage.run()
        snapshot = await played.stage.snapshot()
        assert snapshot.job.status == "completed"
        assert list(snapshot.results.values()) == [{"ok": first}]
        assert reasons(played.stage) == []
        assert await is_all_done(played.stage)
        assert not await played.stage.ports.operation_stream.expected(0)

    asyncio.run(play())


@pytest.mark.parametrize("error", [UnreadablePayloadError("k1"), StorageFullError("acme", 2, 1, 1_000)])
async def test_an_entry_that_is_not_taken_in_here_and_now_holds_up_none(error: BatonError) -> None:
    """Each poll ended at an outcome for a job whose key is not there, and all outcomes behind it waited for ever."""
    stage, operation_id = await waiting()
    add(stage, entry_id(stage, 1), operation_id="op_job_9-1-0-abc", success="true")
    add(stage, entry_id(stage, 2), operation_id=operation_id, success="true", result="1")

    async def locked(read: Method, job_id: str, **options: Any) -> Any:
        if job_id == "job_9":
            raise error
        return await read(job_id, **options)

    around(stage.reader, "job", locked)
    assert await poll(stage) == 1
    await stage.run()
    assert (await stage.now()).status == "completed"
    assert reasons(stage) == []
    assert not await is_all_done(stage)

"""API calls that change a job: the backup message first, then the commit, then dispatching, then the answer."""

from collections.abc import Sequence
from typing import Any

import pytest
from msgspec.structs import replace

from baton.engine.outbox import event_of
from baton.engine.state import Job
from baton.engine.transitions import JobStatus
from baton.engine.work_items import loop_item
from baton.sdk.records.limits import first_reserve
from baton.worker.commands.backup import BACKED_UP_MS, BACKUP_DELAY_MS, YOUNG_MS
from baton_events.errors import MalformedEventError, PublishError, StoreError, UnknownJobError
from baton_events.messages import Outgoing
from baton_events.schema import AgentLoopInit, Cancellation, LoopPayload, Submission
from tests.fakes.stored import TREES
from tests.unit.baton.kit.faults import Method, around, fail
from tests.unit.baton.kit.stage import Stage

TASK = {"text": "do it", "data": {"a": None}}
RAN = ["add 1 2", "add 3 4"]


def as_accepted(job: Job) -> Job:
    """The job with what is reserved for its first model call."""
    return replace(job, reserve_tokens=first_reserve(job.limits))


async def test_a_submission_publishes_its_backup_first_and_delayed_by_a_minute() -> None:
    stage = Stage()
    job = stage.job()
    created = await stage.container.commands.submit(job, TASK)
    assert (created.new, created.job) == (True, as_accepted(job))
    backup, first = [message for message in stage.outgoing() if "x-event-id" in message.headers]
    assert backup.not_before_ms == stage.clock.ms + BACKUP_DELAY_MS
    assert first.not_before_ms == 0
    event = stage.events()[0]
    assert isinstance(event, AgentLoopInit)
    assert isinstance(fact := event.payload.command, Submission)
    assert (fact.job["id"], fact.task) == ("job_1", TASK)
    assert {item.relay_id for item in await stage.items()} == {stage.queue.published[0][0]}


@pytest.mark.parametrize("applied", [False, True])
async def test_a_store_that_does_not_answer_leaves_the_backup_to_start_the_job(applied: bool) -> None:
    stage = Stage()
    fail(stage.store, "create", StoreError("no answer from the store"), applied=applied)
    with pytest.raises(StoreError):
        await stage.container.commands.submit(stage.job(), TASK)
    assert stage.queue.cancelled == []
    began_ms = stage.clock.ms
    await stage.run()
    # A backup message that creates its job comes once more, since that may be forgotten, too.
    assert stage.clock.ms == began_ms + (1 if applied else 2) * BACKUP_DELAY_MS
    assert (await stage.now()).result == {"answer": "3 and 7"}
    assert stage.step_result.runs == RAN


async def test_an_accepted_job_whose_first_event_cannot_be_published_starts_by_its_backup() -> None:
    stage, full = Stage(), [True]

    async def later_only(publish: Method, messages: Sequence[Outgoing]) -> Any:
        if full and any(message.not_before_ms == 0 for message in messages):
            raise PublishError("full")
        return await publish(messages)

    around(stage.queue, "publish", later_only)
    assert (await stage.container.commands.submit(stage.job(), TASK)).new
    full.clear()
    await stage.run()
    assert (await stage.now()).status is JobStatus.COMPLETED


async def test_the_same_job_again_finds_the_one_that_was_submitted_first() -> None:
    """It changes nothing of it: the job runs once. Nor does it take a slot once the ended job has left the table."""
    stage = Stage()
    await stage.container.commands.submit(stage.job(), TASK)
    before = await stage.snapshot()
    again = await stage.container.commands.submit(replace(stage.job(), priority=9), {"text": "other"})
    assert (again.new, again.job) == (False, before.job)
    assert await stage.snapshot() == before
    await stage.run()
    stage.admission.entries.clear()  # what the sweep does 150 s after the end
    await stage.container.commands.submit(stage.job(), TASK, may_exist=True)
    assert not any(entry.slot for entry in stage.admission.entries.values())
    assert stage.step_result.runs == RAN


async def test_a_backup_creates_a_job_that_the_store_forgot() -> None:
    """A failover lost the commit: the fact is told a second time, and the job is the same."""
    stage = Stage()
    job = stage.job()
    await stage.container.commands.submit(job, TASK)
    stage.store.trees.clear()
    stage.admission.entries.clear()
    stage.clock.ms += BACKUP_DELAY_MS
    await stage.container.commands.receive(stage.events()[0], stage.queue.published[0][0])
    snapshot = await stage.snapshot()
    assert (snapshot.job, snapshot.task) == (as_accepted(job), {"role": "user", "v": 1, **TASK})
    await stage.run()
    assert (await stage.now()).status is JobStatus.COMPLETED


async def test_a_backup_whose_job_cannot_be_read_is_malformed() -> None:
    """Else the queue would repeat it."""
    event = event_of("s", loop_item("job_9", 1, 1, 0))
    payload = LoopPayload(turn=1, command=Submission(job={"id": "job_9"}, task={}))
    with pytest.raises(MalformedEventError):
        await Stage().deliver(replace(event, payload=payload))


@pytest.mark.parametrize(
    ("age_ms", "backed_up"), [(BACKED_UP_MS - 1, False), (BACKED_UP_MS, True), (YOUNG_MS, True), (YOUNG_MS + 1, False)]
)
async def test_a_repeat_has_a_backup_where_the_first_one_may_come_too_soon(age_ms: int, backed_up: bool) -> None:
    """A job that was created late could be forgotten after its backup message came."""
    stage = Stage()
    await stage.container.commands.submit(stage.job(), TASK)
    seen = len(stage.queue.published)
    stage.clock.ms += age_ms
    again = await stage.container.commands.submit(stage.job(), TASK, may_exist=True)
    assert not again.new
    assert (len(stage.queue.published) > seen) == backed_up


async def test_a_job_is_cancelled_at_once_with_a_backup() -> None:
    """What it still has to say to the admission is dispatched. What the store forgets is sent again by the backup."""
    stage = Stage()
    await stage.submit("adds")
    failover, seen = stage.redis.failover(*TREES), len(stage.events())
    found = await stage.container.commands.cancel(await stage.now(), "client of acme")
    assert (found.changed, found.job.status) == (True, JobStatus.CANCELLED)
    backup, slot_request = stage.events()[seen:]
    assert isinstance(backup, AgentLoopInit)
    assert isinstance(slot_request, AgentLoopInit)
    assert backup.payload.command == Cancellation(by="client of acme")
    assert slot_request.payload.slot_request is not None
    failover()
    await stage.deliver(backup, "m-witness")
    await stage.run()
    assert (await stage.now()).status is JobStatus.CANCELLED
    assert (stage.step_result.runs, stage.entry().slot) == ([], False)


@pytest.mark.parametrize(
    ("status", "taken_back"),
    [
        pytest.param(JobStatus.COMPLETED, True, id="ended long ago"),
        # Whoever is told that it is cancelled is told so by a state that may be forgotten.
        pytest.param(JobStatus.CANCELLED, False, id="just ended"),
    ],
)
async def test_an_ended_job_is_not_cancelled(status: JobStatus, taken_back: bool) -> None:
    """It stays as it is; the backup message is taken back unless the end may be forgotten."""
    stage = Stage()
    await stage.submit("answers")
    if status is JobStatus.CANCELLED:
        await stage.container.commands.cancel(stage.job(), "somebody")
    else:
        await stage.run()
        stage.clock.ms += YOUNG_MS + 1
    ended, seen = await stage.now(), len(stage.queue.published)
    found = await stage.container.commands.cancel(ended, "somebody")
    assert (found.changed, found.job, ended.status) == (False, ended, status)
    assert stage.queue.cancelled == [stage.queue.published[seen][0]] * taken_back


@pytest.mark.parametrize(("slow_ms", "taken_back"), [(0, True), (BACKED_UP_MS, False)])
async def test_an_unknown_job_cannot_be_cancelled(slow_ms: int, taken_back: bool) -> None:
    """The backup message is taken back, unless the call was so slow that it may be under way, and carry what it did."""
    stage = Stage()

    async def slowly(load: Method, job_id: str) -> Any:
        stage.clock.ms += slow_ms
        return await load(job_id)

    around(stage.store, "load", slowly)
    with pytest.raises(UnknownJobError, match="no job 'job_1'"):
        await stage.container.commands.cancel(stage.job(), "somebody")
    assert stage.queue.cancelled == [stage.queue.published[0][0]] * taken_back


async def test_a_cancellation_of_which_nobody_knows_what_became_keeps_its_backup() -> None:
    """Its fact is written twice, and the next read is older than the job; who waits for it is told by the backup."""
    stage, reads = Stage(), list[str]()

    async def twice(record: Method, *arguments: Any) -> Any:
        await record(*arguments)
        return await record(*arguments)

    async def old(load: Method, job_id: str) -> Any:
        reads.append(job_id)
        return await load(job_id) if len(reads) == 1 else None

    await stage.submit("adds")
    around(stage.store, "record", twice)
    around(stage.store, "load", old)
    with pytest.raises(StoreError, match="send the request again"):
        await stage.container.commands.cancel(await stage.now(), "somebody")
    assert stage.queue.cancelled == []
    assert (await stage.now()).status is JobStatus.CANCELLED

"""API calls that change a job: the backup message first, then the commit, then dispatching, then the answer."""

from collections.abc import Sequence

import pytest
from msgspec.structs import replace

from baton.commands.backup import BACKED_UP_MS, BACKUP_DELAY_MS, YOUNG_MS
from baton.engine.commit.answers import Created, Loaded, PendingItems, Recorded
from baton.engine.commit.usage_ledger import NOTHING, Spent
from baton.engine.effects import Changes
from baton.engine.state import Job
from baton.engine.transitions import JobStatus
from baton.sdk.limits import first_reserve
from baton_events.errors import PublishError, QueueUnreachableError, StoreError, UnknownJobError
from baton_events.messages import Outgoing
from baton_events.schema import AgentLoopInit, Cancellation, Submission
from tests.fakes import FakeStore
from tests.fakes.clock import FakeClock
from tests.fakes.queue import FakeQueue
from tests.unit.baton.kit.stage import Stage

TASK = {"text": "do it", "data": {"a": None}}
DOWN = QueueUnreachableError("https://queue", "ConnectError")


class FaultyStore(FakeStore):
    """A store whose creations fail: before they are applied, or after, so that only the answer is lost."""

    def __init__(self, *, applied: bool) -> None:
        super().__init__()
        self._applied = applied
        self.faulty = True

    async def create(self, changes: Changes, message_id: str, now_ms: int, spent: Spent = NOTHING) -> Created:
        if not self.faulty:
            return await super().create(changes, message_id, now_ms, spent)
        self.faulty = False
        if self._applied:
            await super().create(changes, message_id, now_ms, spent)
        raise StoreError("no answer from the store")


class SlowStore(FakeStore):
    """A store whose answers come so late that a backup message may be under way."""

    clock: FakeClock

    async def load(self, job_id: str) -> Loaded | None:
        self.clock.ms += BACKED_UP_MS
        return await super().load(job_id)


class LaterOnly(FakeQueue):
    """A queue that takes only what is for later, at first."""

    later_only = True

    async def publish(self, messages: Sequence[Outgoing]) -> list[str]:
        if self.later_only and any(message.not_before_ms == 0 for message in messages):
            raise PublishError("full")
        return await super().publish(messages)


def as_accepted(job: Job) -> Job:
    return replace(job, reserve_tokens=first_reserve(job.limits))


def backup_of(stage: Stage) -> AgentLoopInit:
    event = stage.events()[0]
    assert isinstance(event, AgentLoopInit)
    return event


async def test_a_submission_publishes_its_backup_first_and_delayed_by_a_minute() -> None:
    """It carries the whole submission; the job's first event follows at once."""
    stage = Stage()
    job = stage.job()
    created = await stage.container.commands.submit(job, TASK)
    assert (created.new, created.job) == (True, as_accepted(job))
    backup, first = [message for message in stage.outgoing() if "x-event-id" in message.headers]
    assert backup.not_before_ms == stage.clock.ms + BACKUP_DELAY_MS
    assert first.not_before_ms == 0
    fact = backup_of(stage).payload.command
    assert isinstance(fact, Submission)
    assert (fact.job["id"], fact.task) == ("job_1", TASK)
    assert {item.relay_id for item in await stage.items()} == {stage.queue.published[0][0]}


async def test_a_queue_that_is_down_refuses_the_job() -> None:
    stage = Stage()
    stage.queue.failing.append(DOWN)
    with pytest.raises(QueueUnreachableError):
        await stage.container.commands.submit(stage.job(), TASK)
    assert (stage.store.trees, stage.admission.entries) == ({}, {})


@pytest.mark.parametrize("applied", [False, True])
async def test_a_store_that_does_not_answer_leaves_the_backup_to_start_the_job(applied: bool) -> None:
    """The caller is told that it failed; whether the store applied it or not, the job runs within a minute, once."""
    stage = Stage(store=FaultyStore(applied=applied))
    with pytest.raises(StoreError):
        await stage.container.commands.submit(stage.job(), TASK)
    assert stage.queue.cancelled == []
    began_ms = stage.clock.ms
    await stage.run()
    # A backup message that creates its job comes once more, since that may be forgotten, too.
    assert stage.clock.ms == began_ms + (1 if applied else 2) * BACKUP_DELAY_MS
    assert (await stage.snapshot()).job.result == {"answer": "3 and 7"}
    assert stage.step_result.runs == ["add 1 2", "add 3 4"]


async def test_an_accepted_job_whose_first_event_cannot_be_published_starts_by_its_backup() -> None:
    queue = LaterOnly()
    stage = Stage(queue=queue)
    created = await stage.container.commands.submit(stage.job(), TASK)
    assert created.new
    queue.later_only = False
    await stage.run()
    assert (await stage.snapshot()).job.status is JobStatus.COMPLETED


async def test_the_same_job_again_finds_the_one_that_was_submitted_first() -> None:
    stage = Stage()
    await stage.container.commands.submit(stage.job(), TASK)
    before = await stage.snapshot()
    again = await stage.container.commands.submit(replace(stage.job(), priority=9), {"text": "other"})
    assert (again.new, again.job) == (False, before.job)
    assert await stage.snapshot() == before
    await stage.run()
    assert stage.step_result.runs == ["add 1 2", "add 3 4"]


async def test_a_backup_creates_a_job_that_the_store_forgot() -> None:
    """A failover lost the commit: the fact is told a second time, and the job is the same."""
    stage = Stage()
    job = stage.job()
    await stage.container.commands.submit(job, TASK)
    stage.store.trees.clear()
    stage.admission.entries.clear()
    stage.clock.ms += BACKUP_DELAY_MS
    await stage.deliver(backup_of(stage), stage.queue.published[0][0])
    snapshot = await stage.snapshot()
    assert (snapshot.job, snapshot.task) == (as_accepted(job), {"role": "user", "v": 1, **TASK})
    await stage.run()
    assert (await stage.snapshot()).job.status is JobStatus.COMPLETED


async def test_a_job_is_cancelled_at_once_with_a_backup() -> None:
    """What it still has to say to the admission is dispatched."""
    stage = Stage()
    await stage.submit("adds")
    seen = len(stage.events())
    found = await stage.container.commands.cancel((await stage.snapshot()).job, "client of acme")
    assert (found.changed, found.job.status) == (True, JobStatus.CANCELLED)
    backup, slot_request = stage.events()[seen:]
    assert isinstance(backup, AgentLoopInit)
    assert isinstance(slot_request, AgentLoopInit)
    assert backup.payload.command == Cancellation(by="client of acme")
    assert slot_request.payload.slot_request is not None
    await stage.run()
    assert stage.step_result.runs == []
    assert not stage.entry().slot


async def test_a_job_that_ended_long_ago_is_not_cancelled() -> None:
    stage = Stage()
    await stage.submit("answers")
    await stage.run()
    stage.clock.ms += YOUNG_MS + 1
    ended = (await stage.snapshot()).job
    seen = len(stage.queue.published)
    found = await stage.container.commands.cancel(ended, "somebody")
    assert (found.changed, found.job) == (False, ended)
    assert stage.queue.cancelled == [stage.queue.published[seen][0]]


async def test_a_job_that_has_just_ended_keeps_the_backup_of_its_cancellation() -> None:
    """Whoever is told that it is cancelled is told so by a state that may be forgotten."""
    stage = Stage()
    await stage.submit("answers")
    await stage.container.commands.cancel(stage.job(), "somebody")
    found = await stage.container.commands.cancel(stage.job(), "somebody")
    assert (found.changed, found.job.status) == (False, JobStatus.CANCELLED)
    assert stage.queue.cancelled == []


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


async def test_an_unknown_job_cannot_be_cancelled() -> None:
    stage = Stage()
    with pytest.raises(UnknownJobError, match="no job 'job_1'"):
        await stage.container.commands.cancel(stage.job(), "somebody")
    assert stage.queue.cancelled == [stage.queue.published[0][0]]


async def test_a_backup_that_may_be_under_way_is_not_taken_back() -> None:
    """The call was slow: by now its backup message may carry what it has done itself."""
    stage = Stage(store=SlowStore())
    assert isinstance(stage.store, SlowStore)
    stage.store.clock = stage.clock
    with pytest.raises(UnknownJobError, match="no job 'job_1'"):
        await stage.container.commands.cancel(stage.job(), "somebody")
    assert stage.queue.cancelled == []


async def test_a_cancellation_that_the_store_forgot_is_sent_again() -> None:
    stage = Stage()
    await stage.submit("adds")
    before = dict(stage.store.trees)
    seen = len(stage.events())
    await stage.container.commands.cancel((await stage.snapshot()).job, "somebody")
    stage.store.trees = before
    await stage.deliver(stage.events()[seen], "m-witness")
    assert (await stage.snapshot()).job.status is JobStatus.CANCELLED


class RepeatingStore(FakeStore):
    """A store whose facts are written twice, and whose next read is older than the job."""

    old_read = False

    async def load(self, job_id: str) -> Loaded | None:
        shown = None if self.old_read else await super().load(job_id)
        self.old_read = True
        return shown

    async def record(
        self, loaded: Loaded, message_id: str, changes: Changes, now_ms: int, spent: Spent = NOTHING
    ) -> tuple[Recorded, PendingItems]:
        await super().record(loaded, message_id, changes, now_ms, spent)
        return await super().record(loaded, message_id, changes, now_ms, spent)


async def test_a_cancellation_of_which_nobody_knows_what_became_keeps_its_backup() -> None:
    """The job is cancelled, and whoever waits for it is told by the backup message."""
    stage = Stage(store=RepeatingStore())
    await stage.submit("adds")
    job = (await stage.snapshot()).job
    with pytest.raises(StoreError, match="send the request again"):
        await stage.container.commands.cancel(job, "somebody")
    assert stage.queue.cancelled == []
    assert (await stage.snapshot()).job.status is JobStatus.CANCELLED

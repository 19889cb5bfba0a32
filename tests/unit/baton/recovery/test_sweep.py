"""The sweep: redrives what nobody has redriven, and nothing else."""

from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest
from msgspec import structs

from baton.engine.all_jobs.slots import STALLED_AFTER_MS, TOMBSTONE_MS, SlotState, SlotTable
from baton.engine.commit.answers import Reconciled
from baton.engine.transitions import JobStatus
from baton.engine.work_items import item_key_of
from baton.recovery.reconciler import Page, read_page
from baton_events.errors import MalformedEventError, PublishError
from baton_events.ids import event_id
from tests.fakes import FakeStore
from tests.unit.baton.kit.stage import BASE, SETTINGS, Stage

INTERVAL_MS = 60_000


class Interrupted(FakeStore):
    def __init__(self) -> None:
        super().__init__()
        self.interrupting: Callable[[], Awaitable[None]] | None = None

    async def reconcile(
        self, root_id: str, message_id: str, now_ms: int, stalled_after_ms: int, slot_table: SlotTable, only: str = ""
    ) -> Reconciled:
        reconciled = await super().reconcile(root_id, message_id, now_ms, stalled_after_ms, slot_table, only)
        interrupting, self.interrupting = self.interrupting, None
        if interrupting is not None:
            await interrupting()
        return reconciled


def armed(stage: Stage) -> list[int]:
    sweeps = [message for message in stage.outgoing() if message.url == f"{BASE}/workers/sweep"]
    assert all(message.not_before_ms == read_page(message.body.encode()).due_ms for message in sweeps)
    return [message.not_before_ms for message in sweeps]


@pytest.mark.parametrize(("body", "due_ms"), [(b"", 0), (b"{}", 0), (b'{"dueMs":5}', 5), (b'{"dueMs":"7"}', 7)])
def test_when_a_sweep_was_due_is_in_its_body(body: bytes, due_ms: int) -> None:
    assert read_page(body) == Page(due_ms)


@pytest.mark.parametrize("body", [b"not json", b"[]", b"1", b"null", b'{"dueMs":"soon"}', b'{"dueMs":null}', b"\xff"])
def test_another_body_is_malformed(body: bytes) -> None:
    with pytest.raises(MalformedEventError, match="not a sweep's body"):
        read_page(body)


async def test_the_first_job_arms_a_sweep_and_the_sweep_arms_the_next() -> None:
    stage = Stage()
    await stage.submit("adds", "job_1")
    await stage.submit("adds", "job_2")
    [due_ms] = armed(stage)
    assert due_ms == stage.clock.ms + INTERVAL_MS
    stage.clock.ms = due_ms
    await stage.sweep.handle(Page(due_ms), "m-sweep", "d1", again=False)
    assert armed(stage) == [due_ms, due_ms + INTERVAL_MS]


async def test_no_sweep_is_armed_when_nobody_holds_a_slot() -> None:
    stage = Stage()
    await stage.submit("answers")
    await stage.run()
    [due_ms] = armed(stage)
    stage.clock.ms = due_ms
    await stage.sweep.handle(Page(due_ms), "m-sweep", "d1", again=False)
    assert armed(stage) == [due_ms]


async def test_a_job_with_progress_is_left_alone() -> None:
    stage = Stage()
    await stage.submit()
    seen = len(stage.events())
    stage.clock.ms += STALLED_AFTER_MS
    outcome = await stage.sweep.handle(Page(stage.clock.ms), "m-sweep", "d1", again=False)
    assert (outcome.label, outcome.dispatched) == ("swept", 0)
    assert len(stage.events()) == seen


async def test_a_lost_event_is_redriven_again_and_guaranteed_by_the_sweep() -> None:
    stage = Stage()
    await stage.submit()
    stage.clock.ms += STALLED_AFTER_MS + 1
    outcome = await stage.sweep.handle(Page(stage.clock.ms), "m-sweep", "d1", again=False)
    assert (outcome.label, outcome.dispatched) == ("swept", 1)
    [item] = [item for item in await stage.items() if item.relay_id == "m-sweep"]
    assert stage.events()[-1].id == event_id(item.key)
    await stage.run()
    assert (await stage.snapshot()).job.status is JobStatus.COMPLETED


async def test_a_live_lease_and_a_future_timer_are_left_alone() -> None:
    stage = Stage()
    await stage.submit()
    tree = stage.store.tree("job_1")
    item = tree.items["loop:job_1:1:1"]
    tree = structs.replace(tree, slot_states={"job_1": SlotState("slot", 1, slot=True)})
    stage.clock.ms += STALLED_AFTER_MS + 1
    for busy in (
        structs.replace(item, owner="o1", lease_until_ms=stage.clock.ms + 1),
        structs.replace(item, not_before_ms=stage.clock.ms + 1),
    ):
        stage.store.write("job_1", structs.replace(tree, items={item.key: busy}))
        assert (await stage.sweep.handle(Page(0), "m-sweep", "d1", again=False)).dispatched == 0


async def test_a_sweep_that_failed_dispatches_again_what_it_guarantees() -> None:
    """Its redelivery, which may be older than the sweep armed last by then."""
    stage = Stage()
    await stage.submit()
    stage.clock.ms += STALLED_AFTER_MS + 1
    due_ms = stage.clock.ms
    stage.queue.failing += [PublishError("full")] * 2  # the next sweep's message, and what is redriven
    with pytest.raises(PublishError):
        await stage.sweep.handle(Page(due_ms), "m-sweep", "m-sweep.0", again=False)
    stage.clock.ms += 10_000
    outcome = await stage.sweep.handle(Page(due_ms), "m-sweep", "m-sweep.1", again=True)
    assert outcome.dispatched == 1
    assert stage.events()[-1].id == event_id("loop:job_1:1:1")


async def test_the_backstop_looks_at_jobs_without_a_slot_too() -> None:
    stage = Stage()
    later = structs.replace(stage.job("answers"), start_at_ms=stage.clock.ms + 100_000)
    await stage.container.commands.submit(later, {"text": ""})
    stage.clock.ms += 100_000 + STALLED_AFTER_MS + 1
    assert (await stage.sweep.handle(Page(stage.clock.ms), "m-armed", "d1", again=False)).dispatched == 0
    assert (await stage.sweep.handle(Page(0), "m-backstop", "d2", again=False)).dispatched > 0
    await stage.run()
    assert (await stage.snapshot()).job.status is JobStatus.COMPLETED


async def test_a_sweep_that_comes_again_looks_at_every_job() -> None:
    """It may carry work items of a job that has lost its slot since."""
    stage = Stage()
    await stage.submit()
    stage.clock.ms += STALLED_AFTER_MS + 1
    due_ms = stage.clock.ms
    stage.queue.failing += [PublishError("full")] * 2  # the next sweep's message, and what is redriven
    with pytest.raises(PublishError):
        await stage.sweep.handle(Page(due_ms), "m-sweep", "m-sweep.0", again=False)
    stage.admission.entries["job_1"] = structs.replace(stage.entry(), want="none", slot=False)
    stage.clock.ms += 10_000
    assert (await stage.sweep.handle(Page(due_ms), "m-other", "m-other.0", again=False)).dispatched == 0
    assert (await stage.sweep.handle(Page(due_ms), "m-sweep", "m-sweep.1", again=True)).dispatched == 1
    await stage.run()
    assert (await stage.snapshot()).job.status is JobStatus.COMPLETED


async def test_a_slot_of_a_forgotten_job_is_given_on_and_reported_at_each_sweep_until_it_is_taken() -> None:
    """No word gives it back; whoever waits for it is told by nobody else."""
    stage = Stage(settings=replace(SETTINGS, max_concurrent_jobs=1))
    await stage.submit("answers", "job_1")
    stage.clock.ms += 1
    waits = await stage.submit("answers", "job_2")
    assert item_key_of(waits) == f"wish:job_2:{stage.clock.ms}"
    del stage.store.trees["job_1"]
    stage.clock.ms += 10 * TOMBSTONE_MS + 1
    await stage.sweep.handle(Page(0), "m1", "d1", again=False)
    assert list(stage.admission.entries) == ["job_2"]
    assert not stage.entry("job_2").slot
    for number in (2, 3, 4):
        stage.clock.ms += 1_000
        seen = len(stage.events())
        await stage.sweep.handle(Page(1), f"m{number}", f"d{number}", again=False)
        found = stage.events()[seen:]  # by the first one twice: nobody had redriven the slot request, either
        assert {item_key_of(event) for event in found} == {
            "wish:job_2:1"
        }  # the epoch of its entry, until it asks again
        assert stage.entry("job_2").slot
    await stage.deliver(waits, "m-told")
    seen = len(stage.events())
    await stage.sweep.handle(Page(0), "m5", "d5", again=False)
    assert len(stage.events()) == seen
    await stage.deliver(stage.events()[-1], "m-turn")
    assert (await stage.snapshot("job_2")).job.status is JobStatus.COMPLETED


async def test_sweeps_of_one_minute_notify_a_job_of_its_slot_once() -> None:
    """However many copies of a sweep come in an outage: the queue takes one message of a name."""
    stage = Stage(settings=replace(SETTINGS, max_concurrent_jobs=1))
    await stage.submit("answers", "job_1")
    await stage.submit("answers", "job_2")
    stage.admission.entries["job_1"] = structs.replace(stage.entry("job_1"), slot=False, want="gone")
    stage.clock.ms += STALLED_AFTER_MS - stage.clock.ms % STALLED_AFTER_MS
    await stage.sweep.handle(Page(1), "m0", "d0", again=False)  # gives the slot
    names = list[str]()
    for number in (1, 2, 3):
        seen = len(stage.outgoing())
        await stage.sweep.handle(Page(1), "m1", f"m1.{number}", again=True)
        found = [
            message for message in stage.outgoing()[seen:] if "wish" in message.body
        ]  # first; then what it redrives
        names.append(found[0].deduplication_id)
        stage.clock.ms += STALLED_AFTER_MS // 2
    first, copy, later = names
    assert first == copy != later


async def test_a_job_that_changes_while_the_sweep_looks_stays_in_the_slot_table() -> None:
    """Its submission came again, in the moment in which its entry was found old: it holds a slot, so it must stay."""
    store = Interrupted()
    stage = Stage(store=store)
    await stage.submit("answers")
    store.trees.clear()
    stage.clock.ms += 10 * TOMBSTONE_MS + 1

    async def speak() -> None:
        await stage.container.commands.submit(stage.job("answers"), {"text": ""})

    store.interrupting = speak
    await stage.sweep.handle(Page(0), "m1", "d1", again=False)
    assert stage.entry().since_ms == stage.clock.ms
    assert stage.entry().slot
    await stage.run()
    assert (await stage.snapshot()).job.status is JobStatus.COMPLETED


@pytest.mark.parametrize(("forgotten", "kept_ms"), [(False, TOMBSTONE_MS), (True, 10 * TOMBSTONE_MS)])
async def test_a_job_leaves_the_slot_table_when_its_backup_can_no_longer_come(*, forgotten: bool, kept_ms: int) -> None:
    """Not before; the backup message may still create a forgotten one for a quarter of an hour."""
    stage = Stage()
    await stage.submit("answers")
    if forgotten:
        stage.store.trees.clear()
    else:
        await stage.run()
    stage.clock.ms = stage.entry().since_ms + kept_ms
    await stage.sweep.handle(Page(0), "m1", "d1", again=False)
    assert "job_1" in stage.admission.entries
    stage.clock.ms += 1
    await stage.sweep.handle(Page(0), "m2", "d2", again=False)
    assert stage.admission.entries == {}


async def test_a_slot_that_the_admission_forgot_is_requested_again() -> None:
    """A failover lost the slot table's last writes: the job goes on, and the slot table knows it."""
    stage = Stage()
    await stage.submit("adds")
    entry = stage.entry()
    stage.admission.entries["job_1"] = structs.replace(entry, slot=False, started=False)
    stage.clock.ms += STALLED_AFTER_MS + 1
    await stage.sweep.handle(Page(0), "m-sweep", "d1", again=False)
    await stage.run()
    assert (await stage.snapshot()).job.status is JobStatus.COMPLETED
    assert stage.entry().want == "gone"

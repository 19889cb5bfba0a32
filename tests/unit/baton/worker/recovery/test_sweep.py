"""The sweep: replays what nobody has replayed, and nothing else; it is asked for, and goes on by message."""

from dataclasses import replace
from typing import Any

import pytest
from msgspec import structs

from baton.engine.all_jobs.slots import REQUESTED_EVERY_MS, STALLED_AFTER_MS, SWEEP_PAGE, TOMBSTONE_MS, QueueEntry
from baton.engine.transitions import JobStatus
from baton.engine.work_items import item_key_of
from baton.worker.recovery.outage import SweepRequests
from baton.worker.recovery.sweep import Page, read_page
from baton_events.errors import MalformedEventError, PublishError, StoreError
from baton_events.ids import event_id
from baton_events.messages import Outgoing
from baton_events.schema import SWEEP_ENDPOINT
from tests.unit.baton.kit.faults import Method, around, fail
from tests.unit.baton.kit.stage import BASE, SETTINGS, Stage

INTERVAL_MS = 60_000


def armed(stage: Stage) -> list[int]:
    """When the sweeps that were armed are due."""
    sweeps = [message for message in stage.outgoing() if message.url == f"{BASE}/workers/sweep"]
    assert all(message.not_before_ms == read_page(message.body.encode()).due_ms for message in sweeps)
    return [message.not_before_ms for message in sweeps]


async def is_completed(stage: Stage) -> bool:
    await stage.run()
    return (await stage.now()).status is JobStatus.COMPLETED


@pytest.mark.parametrize(("body", "due_ms"), [(b"", 0), (b"{}", 0), (b'{"dueMs":"7"}', 7)])
def test_when_a_sweep_was_due_is_in_its_body(body: bytes, due_ms: int) -> None:
    """The scheduled backstop has none."""
    assert read_page(body) == Page(due_ms)


@pytest.mark.parametrize("page", [Page(0), Page(5), Page(0, "a:job_é"), Page(7, "g:12", "m1")])
def test_a_page_is_read_as_it_was_written(page: Page) -> None:
    assert read_page(page.body().encode()) == page


@pytest.mark.parametrize("body", [b"not json", b"[]", b"null", b'{"dueMs":"soon"}', b'{"dueMs":null}', b"\xff"])
def test_another_body_is_malformed(body: bytes) -> None:
    """It stays in the dead letter queue for a person."""
    with pytest.raises(MalformedEventError, match="not a sweep's body"):
        read_page(body)


async def test_the_first_job_arms_a_sweep_which_arms_the_next_while_somebody_holds_a_slot() -> None:
    """One at a time. Idle costs next to nothing."""
    stage = Stage()
    await stage.submit("answers", "job_1")
    await stage.submit("answers", "job_2")
    [due_ms] = armed(stage)
    assert due_ms == stage.clock.ms + INTERVAL_MS
    stage.clock.ms = due_ms
    await stage.swept(due_ms)
    assert armed(stage) == [due_ms, due_ms + INTERVAL_MS]
    await stage.run(within_seconds=1)
    stage.clock.ms = due_ms + INTERVAL_MS
    await stage.swept(stage.clock.ms)
    assert armed(stage) == [due_ms, due_ms + INTERVAL_MS]


async def test_a_sweep_whose_answer_was_lost_arms_the_next_one_when_it_comes_again() -> None:
    """The store has noted that it is armed; each delivery publishes the same message."""
    stage = Stage()
    await stage.submit("answers")
    [due_ms] = armed(stage)
    stage.clock.ms = due_ms
    fail(stage.admission, "sweep", StoreError("no answer"), applied=True)
    with pytest.raises(StoreError):
        await stage.swept(due_ms)
    for _ in range(2):
        await stage.swept(due_ms, again=True)
    assert set(armed(stage)) == {due_ms, due_ms + INTERVAL_MS}
    names = [m.deduplication_id for m in stage.outgoing() if m.not_before_ms == due_ms + INTERVAL_MS]
    assert len(set(names)) == 1


async def test_a_lost_event_is_replayed_again_and_guaranteed_by_the_sweep() -> None:
    """The queue accepted it and forgot. A job with progress is left alone."""
    stage = Stage()
    await stage.submit()
    seen = len(stage.events())
    stage.clock.ms += STALLED_AFTER_MS
    outcome = await stage.swept(stage.clock.ms)
    assert (outcome.label, outcome.dispatched, len(stage.events())) == ("swept", 0, seen)
    stage.clock.ms += 1
    outcome = await stage.swept(stage.clock.ms)
    assert (outcome.label, outcome.dispatched) == ("swept", 1)
    [item] = [item for item in await stage.items() if item.relay_id == "m-sweep"]
    assert stage.events()[-1].id == event_id(item.key)
    assert await is_completed(stage)


async def test_the_backstop_looks_at_jobs_without_a_slot_too() -> None:
    """An armed sweep looks at those that hold one."""
    stage = Stage()
    later = structs.replace(stage.job("answers"), start_at_ms=stage.clock.ms + 100_000)
    await stage.container.commands.submit(later, {"text": ""})
    stage.clock.ms += 100_000 + STALLED_AFTER_MS + 1
    assert (await stage.swept(stage.clock.ms, "m-armed")).dispatched == 0
    assert (await stage.swept(0, "m-backstop")).dispatched > 0
    assert await is_completed(stage)


async def test_a_sweep_that_comes_again_dispatches_what_it_guarantees_of_every_job() -> None:
    """It may be older than the sweep armed last by then, and carry items of a job that has lost its slot since."""
    stage = Stage()
    await stage.submit()
    stage.clock.ms += STALLED_AFTER_MS + 1
    due_ms = stage.clock.ms
    stage.queue.failing += [PublishError("full")] * 2  # the next sweep's message, and what is replayed
    with pytest.raises(PublishError):
        await stage.swept(due_ms)
    stage.admission.entries["job_1"] = structs.replace(stage.entry(), want="none", slot=False)
    stage.clock.ms += 10_000
    assert (await stage.swept(due_ms, "m-other")).dispatched == 0
    assert (await stage.swept(due_ms, again=True)).dispatched == 1
    assert await is_completed(stage)


async def test_a_slot_of_a_forgotten_job_is_given_on_and_reported_at_each_sweep_until_it_is_taken() -> None:
    """No word gives it back; whoever waits for it is told by nobody else."""
    stage = Stage(settings=replace(SETTINGS, max_concurrent_jobs=1))
    await stage.submit("answers", "job_1")
    stage.clock.ms += 1
    waits = await stage.submit("answers", "job_2")
    assert item_key_of(waits) == f"slot_request:job_2:{stage.clock.ms}"
    del stage.store.trees["job_1"]
    stage.clock.ms += 10 * TOMBSTONE_MS + 1
    await stage.swept(0, "m1")
    assert list(stage.admission.entries) == ["job_2"]
    assert not stage.entry("job_2").slot
    for number in (2, 3, 4):
        stage.clock.ms += 1_000
        seen = len(stage.events())
        await stage.swept(1, f"m{number}")
        found = stage.events()[seen:]  # by the first one twice: nobody had replayed the slot request, either
        assert {item_key_of(event) for event in found} == {"slot_request:job_2:1"}  # the epoch of its entry
        assert stage.entry("job_2").slot
    await stage.deliver(waits, "m-told")
    seen = len(stage.events())
    await stage.swept(0, "m5")
    assert len(stage.events()) == seen
    await stage.deliver(stage.events()[-1], "m-turn")
    assert (await stage.now("job_2")).status is JobStatus.COMPLETED


async def test_a_child_that_a_failover_forgot_leaves_the_slot_table() -> None:
    """Its parent is known, and begins it anew, with a request of its own: the old one would hold its slot for ever."""
    stage = Stage()
    await stage.submit("answers", "job_1")
    stage.admission.entries["job_1.c"] = structs.replace(stage.entry("job_1"), since_ms=stage.clock.ms)
    for later_ms, there in ((TOMBSTONE_MS, True), (1, False)):
        stage.clock.ms += later_ms
        await stage.swept(0, f"m{later_ms}")
        assert ("job_1.c" in stage.admission.entries) is there


async def test_sweeps_of_one_minute_notify_a_job_of_its_slot_once() -> None:
    """However many copies of a sweep come in an outage: the queue takes one message of a name."""
    stage = Stage(settings=replace(SETTINGS, max_concurrent_jobs=1))
    await stage.submit("answers", "job_1")
    await stage.submit("answers", "job_2")
    stage.admission.entries["job_1"] = structs.replace(stage.entry("job_1"), slot=False, want="gone")
    stage.clock.ms += STALLED_AFTER_MS - stage.clock.ms % STALLED_AFTER_MS
    await stage.swept(1, "m0")  # gives the slot
    names = list[str]()
    for number in (1, 2, 3):
        seen = len(stage.outgoing())
        await stage.sweep.handle(Page(1), "m1", f"m1.{number}", again=True)
        names.append(next(m for m in stage.outgoing()[seen:] if "slotRequest" in m.body).deduplication_id)
        stage.clock.ms += STALLED_AFTER_MS // 2
    first, copy, later = names
    assert first == copy != later


async def test_a_job_that_changes_while_the_sweep_looks_stays_in_the_slot_table() -> None:
    """Its submission came again, in the moment in which its entry was found old: it holds a slot, so it must stay."""
    stage = Stage()
    await stage.submit("answers")
    stage.store.trees.clear()
    stage.clock.ms += 10 * TOMBSTONE_MS + 1
    interrupting = [stage.job("answers")]

    async def interrupted(look: Method, *requested: Any, **named: Any) -> Any:
        reconciled = await look(*requested, **named)
        if interrupting:
            await stage.container.commands.submit(interrupting.pop(), {"text": ""})
        return reconciled

    around(stage.store, "reconcile_all", interrupted)
    await stage.swept()
    assert (stage.entry().since_ms, stage.entry().slot) == (stage.clock.ms, True)
    assert await is_completed(stage)


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
    await stage.swept()
    assert "job_1" in stage.admission.entries
    stage.clock.ms += 1
    await stage.swept()
    assert stage.admission.entries == {}


async def test_a_slot_that_the_admission_forgot_is_requested_again() -> None:
    """A failover lost the slot table's last writes: the job goes on, and the slot table knows it."""
    stage = Stage()
    await stage.submit("adds")
    stage.admission.entries["job_1"] = structs.replace(stage.entry(), slot=False, started=False)
    stage.clock.ms += STALLED_AFTER_MS + 1
    await stage.swept()
    assert await is_completed(stage)
    assert stage.entry().want == "gone"


def sweeps(stage: Stage) -> list[Outgoing]:
    return [message for message in stage.outgoing() if message.url == f"{BASE}{SWEEP_ENDPOINT}"]


def pages(stage: Stage) -> list[Page]:
    """What the published pages ask for, after the first ones."""
    return [page for message in sweeps(stage) if (page := read_page(message.body.encode())).after]


def relay_ids(stage: Stage) -> set[str]:
    """The messages that carry what is open of the job behind a full page."""
    return {item.relay_id for item in stage.store.tree("job_z").items.values()}


async def crowded() -> Stage:
    """More jobs than a page has, of which nothing is known, and behind them one that nobody replays."""
    stage = Stage()
    await stage.submit("answers", "job_z")
    waiting = {f"job_{n:04}": QueueEntry("t", f"s{n}", 5, n, 1, since_ms=stage.clock.ms) for n in range(SWEEP_PAGE + 5)}
    stage.admission.entries.update(waiting)
    stage.clock.ms += STALLED_AFTER_MS + 1
    return stage


async def test_a_backstop_goes_on_by_message_until_everybody_was_looked_at() -> None:
    """The job behind a full page is replayed by the second one, in that one's own name."""
    stage = await crowded()
    assert (await stage.swept(0, "m1")).dispatched == 0
    (second,) = pages(stage)
    assert second == Page(0, f"a:job_{SWEEP_PAGE - 1:04}")
    assert (await stage.sweep.handle(second, "m2", "d2", again=False)).dispatched == 1
    assert pages(stage) == [second]
    assert "m2" in relay_ids(stage)


async def test_a_page_at_which_it_dies_does_not_keep_it_from_the_next_one() -> None:
    """The message of the next page is published before its work."""
    stage = await crowded()
    fail(stage.store, "reconcile_all", StoreError("it dies"))
    with pytest.raises(StoreError):
        await stage.swept(0, "m1")
    (second,) = pages(stage)
    assert (await stage.sweep.handle(second, "m2", "d2", again=False)).dispatched == 1


async def test_a_page_requests_the_next_one_once_however_often_it_comes() -> None:
    """Its retries and those of its callback all ask for it in its own name: the queue takes one message of a name."""
    stage = await crowded()
    fail(stage.store, "reconcile_all", StoreError("it is away"), 4)
    for again in (False, True, True, True):
        with pytest.raises(StoreError):
            await stage.sweep.handle(Page(0), "m1", "d1", again=again)
    await stage.sweep.handle(Page(0), "m2", "d2", again=False)
    names = [message.deduplication_id for message in stage.outgoing() if '"after"' in message.body]
    assert [names.count(name) for name in dict.fromkeys(names)] == [1, 3, 1]


async def test_a_sweep_that_comes_again_goes_on_in_its_own_name() -> None:
    """It may carry what belongs to any job; whoever looks for it must dispatch that as that message."""
    stage = await crowded()
    await stage.swept(stage.clock.ms, "m1", again=True)
    (second,) = pages(stage)
    assert second == Page(stage.clock.ms, f"a:job_{SWEEP_PAGE - 1:04}", relay_id="m1")
    await stage.sweep.handle(second, "m2", "d2", again=False)
    assert "m1" in relay_ids(stage)
    assert "m2" not in relay_ids(stage)


async def test_one_sweep_a_minute_is_requested_however_many_request_one() -> None:
    """By one process and by several; it looks at every job, as the hourly one does."""
    stage = Stage()
    await stage.submit()
    stage.clock.ms += STALLED_AFTER_MS + 1
    one = stage.container.sweep_requests
    another = SweepRequests(stage.admission, stage.container.emitter, stage.clock)
    asked = [await each.sweep_soon("the store answers again") for each in (one, one, another, one)]
    stage.clock.ms += REQUESTED_EVERY_MS
    asked.append(await another.sweep_soon("the store answers again"))
    assert asked == [True, False, False, False, True]
    first, _later = [message for message in sweeps(stage) if not message.not_before_ms]
    page = read_page(first.body.encode())
    assert (await stage.sweep.handle(page, "m-asked", "d1", again=False)).dispatched == 1


async def test_who_asks_does_not_fail_where_the_queue_does() -> None:
    """The minute goes on in the store; the process asks again at the next occasion."""
    stage = Stage()
    stage.queue.failing += [PublishError("down")]
    assert not await stage.container.sweep_requests.sweep_soon("a test")
    stage.clock.ms += REQUESTED_EVERY_MS
    assert await stage.container.sweep_requests.sweep_soon("a test")

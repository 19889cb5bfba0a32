"""What happens when the queue gives up on a message."""

import json
from typing import Any

import pytest
from msgspec.structs import replace

from baton.commands.after_failover import PATIENCE_MS
from baton.engine.all_jobs.slots import STALLED_AFTER_MS
from baton.engine.lifecycle import UNDELIVERED_BUDGET
from baton.engine.transitions import JobStatus
from baton.engine.work_items import item_key_of
from baton.recovery.redelivery import Failed, ReconcileFailed, read_callback
from baton_events.errors import MalformedEventError
from baton_events.schema import Completion, LoopPayload, encode_event
from baton_events.timestamps import milliseconds
from tests.unit.baton.kit.giving_up import callback, encoded, give_up, redelivery_of
from tests.unit.baton.kit.stage import BASE, Stage


async def test_a_callback_reports_source_event_and_answer() -> None:
    stage = Stage()
    event = await stage.submit()
    body = callback(encode_event(event).encode(), body=encoded(b"x" * 1_000), status=503)
    assert read_callback(body) == Failed("m1", event, 503, "x" * 300)


async def test_a_callback_without_an_answer_is_one_too() -> None:
    """A time-out, a refused connection; bytes that are no text do no harm."""
    stage = Stage()
    event = await stage.submit()
    cases: list[tuple[dict[str, Any], str]] = [
        ({"status": None, "body": None}, ""),
        ({"status": 0, "body": encoded(b"\xff")}, "\ufffd"),
    ]
    for changes, answer in cases:
        assert read_callback(callback(encode_event(event).encode(), **changes)) == Failed("m1", event, 0, answer)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not json",
        b"[]",
        b"null",
        b"{}",
        callback(b"{}", sourceMessageId=None),
        callback(b"{}", sourceBody=None),
        callback(b"{}", sourceBody="x"),
        callback(b"{}", status="high"),
        b"\xff\xfe",
    ],
)
def test_what_is_no_callback_is_malformed(body: bytes) -> None:
    """489: it stays in the dead letter queue for a person."""
    with pytest.raises(MalformedEventError, match="not a failure callback"):
        read_callback(body)


@pytest.mark.parametrize("source", [b"", b"not json", b"{}", b'{"type":"agent.loop.init"}'])
async def test_a_message_that_was_no_event_is_left_to_a_person(source: bytes, caplog: pytest.LogCaptureFixture) -> None:
    stage = Stage()
    outcome = await redelivery_of(stage).handle(read_callback(callback(source, "msg_odd")), "cb1", 0)
    assert outcome.label == "kept for a person"
    assert "ALERT message msg_odd is not an event" in caplog.text
    (notice,) = stage.alerts.sent
    assert (notice.kind, notice.once, notice.url) == ("unreadable_message", "msg_odd", "")


def test_a_sweep_that_was_given_up_is_recognised_as_one() -> None:
    body = callback(b'{"dueMs":5}', "m-sweep", url=f"{BASE}/workers/sweep")
    assert read_callback(body) == ReconcileFailed("m-sweep", b'{"dueMs":5}')


async def test_a_sweep_that_was_given_up_looks_at_every_job_in_its_name() -> None:
    """It may carry work items of a job without a slot, which an armed sweep does not look at."""
    stage = Stage()
    event = await stage.submit()
    tree = stage.store.tree("job_1")
    items = {key: replace(item, relay_id="m-sweep") for key, item in tree.items.items()}
    stage.store.write("job_1", replace(tree, items=items))
    stage.admission.entries["job_1"] = replace(stage.entry(), slot=False)
    failed = ReconcileFailed("m-sweep", json.dumps({"dueMs": stage.clock.ms}).encode())
    outcome = await redelivery_of(stage).handle(failed, "cb1", 0)
    assert (outcome.label, outcome.dispatched) == ("swept", 1)
    assert {item.relay_id for item in await stage.items()} == {"m-sweep"}
    again = stage.events()[-1]
    assert again.job_id == event.job_id
    await stage.run()
    assert (await stage.snapshot()).job.status is JobStatus.COMPLETED


async def test_an_event_that_still_applies_is_redriven_again() -> None:
    """Under a redrive of its own, so that the queue does not swallow it."""
    stage = Stage()
    event = await stage.submit()
    sent = stage.outgoing()[-1]
    outcome = await give_up(stage, event, "cb1")
    again = stage.outgoing()[-1]
    assert (outcome.label, outcome.dispatched) == ("driven", 1)
    assert item_key_of(stage.events()[-1]) == item_key_of(event)
    assert again.deduplication_id != sent.deduplication_id
    await stage.run()
    assert (await stage.snapshot()).job.status is JobStatus.COMPLETED


async def test_an_event_that_was_applied_meanwhile_is_not_redriven() -> None:
    stage = Stage()
    event = await stage.submit()
    await stage.deliver(event, "m1")
    calls = await stage.items()
    outcome = await give_up(stage, event, "cb1", "m1")
    assert (outcome.label, outcome.dispatched) == ("driven", 2)
    assert [item_key_of(one) for one in stage.events()[-2:]] == [item.key for item in calls]
    nothing = await give_up(stage, event, "cb2", "m-copy")
    assert (nothing.label, nothing.dispatched) == ("applied", 0)


async def test_a_spent_budget_fails_the_job_with_an_alert(caplog: pytest.LogCaptureFixture) -> None:
    """How often, and what the endpoint said; the same callback counts once."""
    stage = Stage()
    event = await stage.submit()
    for number in range(UNDELIVERED_BUDGET):
        for _ in range(2):
            assert (await give_up(stage, event, f"cb{number}")).label == "driven"
    assert (await stage.snapshot()).job.error is None
    outcome = await give_up(stage, event, "cb-last")
    job = (await stage.snapshot()).job
    assert outcome.label == "failed"
    assert job.status is JobStatus.FAILED
    assert job.error is not None
    assert job.error.type == "delivery_failed"
    assert "6 times in a row: the endpoint answered 500 it broke" in job.error.message
    assert "ALERT job job_1 failed" in caplog.text


async def test_progress_begins_the_budget_again() -> None:
    """It counts how often in a row one work item could not be delivered."""
    stage = Stage()
    event = await stage.submit()
    for number in range(UNDELIVERED_BUDGET):
        await give_up(stage, event, f"cb{number}")
    await stage.deliver(event, "m2")
    call = stage.events()[-1]
    assert (await give_up(stage, call, "cb-call", "m-call")).label == "driven"


async def test_a_malformed_event_fails_its_job_at_once() -> None:
    """489: no version of this code can read it."""
    stage = Stage()
    event = await stage.submit()
    outcome = await give_up(stage, event, "cb1", status=489, body=encoded(b"unknown version"))
    job = (await stage.snapshot()).job
    assert outcome.label == "failed"
    assert job.error is not None
    assert "as malformed: the endpoint answered 489 unknown version" in job.error.message


async def test_a_failed_job_gives_its_slot_back() -> None:
    stage = Stage()
    event = await stage.submit()
    await give_up(stage, event, "cb1", status=489)
    await stage.run()
    assert not stage.entry().slot


async def test_a_backup_that_was_given_up_is_reported_here() -> None:
    stage = Stage()
    await stage.submit()
    backup = stage.events()[0]
    stage.store.trees.clear()
    stage.admission.entries.clear()
    outcome = await give_up(stage, backup, "cb1", "m-witness")
    assert outcome.label == "signalled"
    await stage.run()
    assert (await stage.snapshot()).job.status is JobStatus.COMPLETED


async def test_copies_of_a_command_about_an_unknown_job_bring_back_one() -> None:
    """The queue may deliver a backup, and the callback about it, more than once; a minute later it is another one."""
    stage = Stage()
    await stage.submit()
    await stage.container.commands.cancel((await stage.snapshot()).job, "somebody")
    cancellation = stage.events()[2]
    stage.store.trees.clear()
    found = len(stage.outgoing())
    for number, seconds in enumerate((70, 80, 150)):
        stage.clock.ms = milliseconds(cancellation.created_at) + seconds * 1000
        await give_up(stage, cancellation, f"cb{number}", "m-witness")
    first, copy, later = (message.deduplication_id for message in stage.outgoing()[found:])
    assert first == copy
    assert first != later
    assert first.startswith(cancellation.id)


async def test_a_command_about_an_unknown_job_comes_back_each_minute_for_a_quarter_of_an_hour(
    caplog: pytest.LogCaptureFixture,
) -> None:
    stage = Stage()
    await stage.submit()
    await stage.container.commands.cancel((await stage.snapshot()).job, "somebody")
    cancellation = stage.events()[2]
    stage.store.trees.clear()
    outcome = await give_up(stage, cancellation, "cb1", "m-witness")
    assert (outcome.label, outcome.dispatched) == ("deferred", 1)
    assert stage.outgoing()[-1].not_before_ms == stage.clock.ms + STALLED_AFTER_MS
    stage.clock.ms += PATIENCE_MS + 1
    seen = len(stage.outgoing())
    assert (await give_up(stage, cancellation, "cb2", "m-witness")).label == "dropped"
    assert len(stage.outgoing()) == seen
    assert "ALERT the command" in caplog.text


async def test_a_command_about_a_forgotten_child_comes_back_while_its_root_lives() -> None:
    """Later and later: the root may wait for its turn for hours before it makes the child again."""
    stage = Stage()
    first = await stage.submit()
    fact = Completion(call_id="job_1.c0-1-0-abc", outcome={"ok": 1})
    payload = LoopPayload(turn=1, command=fact)
    found = first.model_copy(update={"id": "evt_9", "job_id": "job_1.c0", "payload": payload})
    waits: list[int] = []
    for age_ms in (0, PATIENCE_MS + 1, 4 * PATIENCE_MS, 96 * PATIENCE_MS):
        stage.clock.ms = milliseconds(first.created_at) + age_ms
        assert (await give_up(stage, found, f"cb{age_ms}", "m-witness")).label == "deferred"
        waits.append((stage.outgoing()[-1].not_before_ms - stage.clock.ms) // STALLED_AFTER_MS)
    assert waits == [1, 2, 8, 256]
    await stage.container.commands.cancel((await stage.snapshot()).job, "somebody")
    published = len(stage.outgoing())
    assert (await give_up(stage, found, "cb-last", "m-witness")).label == "signalled"
    assert len(stage.outgoing()) == published


async def test_an_event_of_an_unknown_job_is_not_redriven() -> None:
    stage = Stage()
    event = await stage.submit()
    stage.store.trees.clear()
    outcome = await give_up(stage, event, "cb1")
    assert (outcome.label, outcome.dispatched) == ("applied", 0)

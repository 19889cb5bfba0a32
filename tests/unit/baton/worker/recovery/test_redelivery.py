"""What happens when the queue gives up on a message."""

import json
from typing import Any

import pytest
from msgspec.structs import replace

from baton.engine.all_jobs.slots import STALLED_AFTER_MS
from baton.engine.attempts import THROTTLED, THROTTLED_BUDGET
from baton.engine.lifecycle import UNDELIVERED_BUDGET
from baton.engine.transitions import JobStatus
from baton.engine.work_items import item_key_of
from baton.worker.commands.after_failover import PATIENCE_MS
from baton.worker.recovery.redelivery import Failed, SweepFailed, read_callback
from baton_events.errors import MalformedEventError
from baton_events.schema import Completion, Event, LoopPayload, encode_event
from baton_events.sealing import Sealing
from baton_events.timestamps import milliseconds
from tests.unit.baton.kit.giving_up import callback, encoded, give_up, redelivery_of
from tests.unit.baton.kit.stage import BASE, Stage


async def submitted() -> tuple[Stage, Event]:
    stage = Stage()
    return stage, await stage.submit()


@pytest.mark.parametrize(
    ("changes", "status", "answer"),
    [
        pytest.param({"body": encoded(b"x" * 1_000), "status": 503}, 503, "x" * 300, id="what it said is shortened"),
        pytest.param({"status": None, "body": None}, 0, "", id="a time-out or a refused connection"),
        pytest.param({"status": 0, "body": encoded(b"\xff")}, 0, "\ufffd", id="bytes that are no text do no harm"),
    ],
)
async def test_a_callback_reports_source_event_and_answer(changes: dict[str, Any], status: int, answer: str) -> None:
    _, event = await submitted()
    assert read_callback(callback(encode_event(event).encode(), **changes), Sealing({})) == Failed(
        "m1", event, status, answer
    )


@pytest.mark.parametrize(
    "body",
    [
        b"not json",
        b"[]",
        b"{}",
        callback(b"{}", sourceMessageId=None),
        callback(b"{}", sourceBody="x"),
        callback(b"{}", status="high"),
        b"\xff\xfe",
    ],
)
def test_what_is_no_callback_is_malformed(body: bytes) -> None:
    """489: it stays in the dead letter queue for a person."""
    with pytest.raises(MalformedEventError, match="not a failure callback"):
        read_callback(body, Sealing({}))


@pytest.mark.parametrize("source", [b"", b"{}", b'{"type":"agent.loop.init"}'])
async def test_a_message_that_was_no_event_is_left_to_a_person(source: bytes, caplog: pytest.LogCaptureFixture) -> None:
    stage = Stage()
    outcome = await redelivery_of(stage).handle(read_callback(callback(source, "msg_odd"), Sealing({})), "cb1", 0)
    assert outcome.label == "kept for a person"
    assert "ALERT message msg_odd is not an event" in caplog.text
    (notice,) = stage.alerts.sent
    assert (notice.kind, notice.once, stage.alerts.urls) == ("unreadable_message", "msg_odd", [""])


async def test_a_sweep_that_was_given_up_looks_at_every_job_in_its_name() -> None:
    """It may carry work items of a job without a slot, which an armed sweep does not look at.

    It is recognised by its URL: its body is no event.
    """
    stage, _ = await submitted()
    tree = stage.store.tree("job_1")
    items = {key: replace(item, relay_id="m-sweep") for key, item in tree.items.items()}
    stage.store.write("job_1", replace(tree, items=items))
    stage.admission.entries["job_1"] = replace(stage.entry(), slot=False)
    body = json.dumps({"dueMs": stage.clock.ms}).encode()
    failed = read_callback(callback(body, "m-sweep", url=f"{BASE}/workers/sweep"), Sealing({}))
    assert failed == SweepFailed("m-sweep", body)
    outcome = await redelivery_of(stage).handle(failed, "cb1", 0)
    assert (outcome.label, outcome.dispatched, stage.events()[-1].job_id) == ("swept", 1, "job_1")
    assert {item.relay_id for item in await stage.items()} == {"m-sweep"}
    await stage.run()
    assert (await stage.now()).status is JobStatus.COMPLETED


async def test_an_event_that_still_applies_is_replayed_again() -> None:
    """Under a replay of its own, so that the queue does not swallow it."""
    stage, event = await submitted()
    sent = stage.outgoing()[-1]
    outcome = await give_up(stage, event, "cb1")
    again = stage.outgoing()[-1]
    assert (outcome.label, outcome.dispatched) == ("driven", 1)
    assert item_key_of(stage.events()[-1]) == item_key_of(event)
    assert again.deduplication_id != sent.deduplication_id
    await stage.run()
    assert (await stage.now()).status is JobStatus.COMPLETED


async def test_an_event_that_was_applied_meanwhile_is_not_replayed() -> None:
    """What its message still carries is. Nor is one of an unknown job, whose backup message will tell."""
    stage, event = await submitted()
    await stage.deliver(event, "m1")
    calls = await stage.items()
    outcome = await give_up(stage, event, "cb1", "m1")
    assert (outcome.label, outcome.dispatched) == ("driven", 2)
    assert [item_key_of(one) for one in stage.events()[-2:]] == [item.key for item in calls]
    for callback_id in ("cb2", "cb3"):
        nothing = await give_up(stage, event, callback_id, "m-copy")
        assert (nothing.label, nothing.dispatched) == ("applied", 0)
        stage.store.trees.clear()


async def test_progress_begins_the_budget_again() -> None:
    """It counts how often in a row one work item could not be delivered; the same callback counts once."""
    stage, event = await submitted()
    for number in range(2 * UNDELIVERED_BUDGET):
        assert (await give_up(stage, event, f"cb{number // 2}")).label == "driven"
    await stage.deliver(event, "m2")
    assert (await give_up(stage, stage.events()[-1], "cb-call", "m-call")).label == "driven"


async def test_a_malformed_event_fails_its_job_at_once() -> None:
    """489: no version of this code can read it. The job's slot is given back."""
    stage, event = await submitted()
    outcome = await give_up(stage, event, "cb1", status=489, body=encoded(b"unknown version"))
    error = (await stage.now()).error
    assert outcome.label == "failed"
    assert error is not None
    assert "as malformed: the endpoint answered 489 unknown version" in error.message
    await stage.run()
    assert not stage.entry().slot


async def test_a_command_about_an_unknown_job_comes_back_each_minute_for_a_quarter_of_an_hour(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Once a minute, however often it is delivered, or the callback about it; then it is dropped, with an alert."""
    stage, _ = await submitted()
    await stage.container.commands.cancel(await stage.now(), "somebody")
    cancellation = stage.events()[2]
    stage.store.trees.clear()
    found = len(stage.outgoing())
    for number, seconds in enumerate((70, 80, 150)):
        stage.clock.ms = milliseconds(cancellation.created_at) + seconds * 1000
        outcome = await give_up(stage, cancellation, f"cb{number}", "m-witness")
        assert (outcome.label, outcome.dispatched) == ("deferred", 1)
        assert stage.outgoing()[-1].not_before_ms == stage.clock.ms + STALLED_AFTER_MS
    first, copy, later = (message.deduplication_id for message in stage.outgoing()[found:])
    assert first == copy != later
    assert first.startswith(cancellation.id)
    stage.clock.ms = milliseconds(cancellation.created_at) + PATIENCE_MS + 1
    seen = len(stage.outgoing())
    assert (await give_up(stage, cancellation, "cb-last", "m-witness")).label == "dropped"
    assert len(stage.outgoing()) == seen
    assert "ALERT the command" in caplog.text


async def test_a_command_about_a_forgotten_child_comes_back_while_its_root_lives() -> None:
    """Later and later: the root may wait for its turn for hours before it makes the child again."""
    stage, first = await submitted()
    fact = Completion(call_id="job_1.c0-1-0-abc", outcome={"ok": 1})
    payload = LoopPayload(turn=1, command=fact)
    found = replace(first, id="evt_9", job_id="job_1.c0", payload=payload)
    waits: list[int] = []
    for age_ms in (0, PATIENCE_MS + 1, 4 * PATIENCE_MS, 96 * PATIENCE_MS):
        stage.clock.ms = milliseconds(first.created_at) + age_ms
        assert (await give_up(stage, found, f"cb{age_ms}", "m-witness")).label == "deferred"
        waits.append((stage.outgoing()[-1].not_before_ms - stage.clock.ms) // STALLED_AFTER_MS)
    assert waits == [1, 2, 8, 256]
    await stage.container.commands.cancel(await stage.now(), "somebody")
    published = len(stage.outgoing())
    assert (await give_up(stage, found, "cb-last", "m-witness")).label == "signalled"
    assert len(stage.outgoing()) == published


@pytest.mark.parametrize("status", sorted(THROTTLED))
async def test_an_endpoint_without_a_place_costs_nothing_of_the_budget(status: int) -> None:
    """However often: it is replayed, each time after a longer pause, and somebody is told of it once."""
    stage, event = await submitted()
    pauses = []
    for n in range(12):
        stage.clock.ms += 70_000
        await give_up(stage, event, f"cb{n}", f"m{n}", status=status)
        assert item_key_of(stage.events()[-1]) == item_key_of(event)
        pauses.append((stage.outgoing()[-1].not_before_ms - stage.clock.now_ms()) // 1000)
    bounds = [30, 60, 120, 240, 480, *[960] * 7]
    assert all(bound <= pause < 2 * bound for bound, pause in zip(bounds, pauses, strict=True)), pauses
    assert not (await stage.now()).ended
    assert [notice.kind for notice in stage.alerts.sent] == ["undelivered"]


async def test_many_dead_messages_about_a_step_replay_it_as_one() -> None:
    """A sweep may have replayed it again and again: the queue takes what is to come at the same time once."""
    stage, event = await submitted()
    for n in range(110):
        await give_up(stage, event, f"cb{n}", f"m{n % 10}", status=429)
    assert len({message.deduplication_id for message in stage.outgoing()[-100:]}) == 1


async def test_what_finds_no_place_for_days_fails_its_job() -> None:
    """Nobody waits for ever: after some days it is as undeliverable as what the endpoint refuses."""
    stage, event = await submitted()
    for n in range(THROTTLED_BUDGET):
        await give_up(stage, event, f"cb{n}", f"m{n}", status=429)
    assert not (await stage.now()).ended
    await give_up(stage, event, "last", "m", status=429)
    job = await stage.now()
    assert (job.status, job.error and job.error.type) == (JobStatus.FAILED, "delivery_failed")
    assert THROTTLED_BUDGET * 960 // 86_400 == 3  # days


async def test_a_refusal_counts_beside_what_found_no_place() -> None:
    """The budget is of what cannot be delivered; pauses are only for what found no place."""
    stage, event = await submitted()
    for n in range(UNDELIVERED_BUDGET):
        await give_up(stage, event, f"full{n}", f"m{n}", status=503)
        await give_up(stage, event, f"broken{n}", f"m{n}", status=500)
        assert stage.outgoing()[-1].not_before_ms == 0
    assert not (await stage.now()).ended
    await give_up(stage, event, "last", "m", status=500)
    assert (await stage.now()).status is JobStatus.FAILED

"""A job as JSON: what is recorded, and what follows from its work items."""

from typing import Any

import pytest
from msgspec.structs import replace

from baton.engine.all_jobs.slots import SlotState
from baton.engine.state import CallRecord, Job, Usage
from baton.engine.transitions import CallStatus, JobStatus
from baton.engine.work_items import ItemKind, WorkItem, tool_key
from baton.runtime.job_view import job_view
from baton.sdk.limits import Used
from baton.sdk.records import Failure
from baton.storage.ports.jobs import Snapshot

NOW_MS = 1_800_000_000_000
JOB = Job(
    "job_1",
    "session_1",
    "tenant_1",
    "agent_1",
    NOW_MS,
    status=JobStatus.PROCESSING,
    used=Used(2, 3, 10, 20, 0.1 + 0.2, model_calls=2, cached_calls=1),
)
CALL = CallRecord("call_1", 1, 0, "read_file", {"path": "a"})
ITEM = WorkItem(tool_key(ItemKind.CALL, CALL.id, 1), ItemKind.CALL, JOB.id, 1, 1, 0, CALL.id, CALL.tool)
HELD = SlotState("slot", 1, slot=True)


def view(job: Job = JOB, call: CallRecord = CALL, item: WorkItem | None = ITEM, **results: Any) -> dict[str, Any]:
    """The job with one tool call."""
    usage = Usage(4, 5, 6, NOW_MS + 1_500, deliveries=3, redis_bytes=7, function_ms=8, mb_ms=1_024_000)
    snapshot = Snapshot(job, {"text": "do it"}, (item,) if item else (), HELD, (call,), results, usage)
    return job_view(snapshot, NOW_MS)


def call_view(**changes: Any) -> dict[str, Any]:
    """The tool call in it."""
    [found] = view(**changes)["toolCalls"]
    return dict(found)


def test_usage_is_what_the_job_has_used() -> None:
    """Cost without the dust of floats."""
    shown = view()
    assert shown["usage"] == {
        "inputTokens": 10,
        "outputTokens": 20,
        "cachedInputTokens": 0,
        "modelCalls": 2,
        "cachedCalls": 1,
        "messages": 4,
        "deliveries": 3,
        "redisRequests": 5,
        "redisCommands": 6,
        "redisBytes": 7,
        "streamAppends": 0,
        "functionMs": 8,
        "gbSeconds": 1.0,
        "costUsd": 0.3,
    }
    assert shown["cost"] == {
        "queueUsd": 4 * 0.000_01,
        "redisUsd": 6 * 0.000_002,
        "functionsUsd": 0.000_013_933,
        "modelUsd": 0.3,
        "totalUsd": 0.300_065_934,
    }
    assert shown["updatedAt"] == "2027-01-15T08:00:01.500Z"


def test_a_task_without_data_has_none() -> None:
    """An empty object, as it would have been sent."""
    assert (view()["taskDescription"], view()["inputData"]) == ("do it", {})


@pytest.mark.parametrize(
    ("owner", "lease_until_ms", "status"),
    [("", 0, "queued"), ("o1", NOW_MS + 1, "running"), ("o1", NOW_MS, "queued")],
)
def test_a_call_runs_while_somebody_holds_its_item(owner: str, lease_until_ms: int, status: str) -> None:
    """That is not recorded: it follows from the claim."""
    assert call_view(item=replace(ITEM, owner=owner, lease_until_ms=lease_until_ms))["status"] == status


def test_a_call_that_waits_for_its_next_attempt_is_retrying() -> None:
    """With the error of the one before."""
    failed = replace(CALL, status=CallStatus.RETRYING, attempts=1, error=Failure("boom", "it broke"))
    shown = call_view(call=failed)
    assert (shown["status"], shown["attempts"]) == ("retrying", 1)
    assert shown["error"] == {"type": "boom", "message": "it broke"}
    assert "result" not in shown


def test_a_call_that_its_job_left_behind_is_cancelled() -> None:
    """The job ended without it."""
    ended = replace(JOB, status=JobStatus.CANCELLED)
    assert call_view(job=ended, item=None)["status"] == "cancelled"
    done = replace(CALL, status=CallStatus.COMPLETED)
    assert call_view(job=ended, call=done, item=None)["status"] == "completed"


@pytest.mark.parametrize("result", [None, False, 0, "", [], {"a": None}])
def test_a_result_is_shown_as_it_is(result: Any) -> None:
    """None and false are results, too."""
    shown = call_view(call=replace(CALL, status=CallStatus.COMPLETED), call_1={"ok": result})
    assert shown["result"] == result
    assert "error" not in shown


def test_a_failure_is_shown_without_whether_it_may_be_repeated() -> None:
    """Type and message are for people."""
    failed = replace(JOB, status=JobStatus.FAILED, error=Failure("t", "m", retryable=True))
    assert view(job=failed)["error"] == {"type": "t", "message": "m"}


def test_what_was_retrieved_of_memory_is_shown_with_its_times() -> None:
    """Null where nothing was asked for, or not yet."""
    assert view()["memory"] is None
    entry = {"id": "job_0", "kind": "exchange", "text": "a", "sessionId": "s", "agent": "b", "score": 0.7}
    memory = {"role": "memory", "v": 1, "entries": [{**entry, "created": NOW_MS}], "warnings": ["no index"]}
    shown = job_view(Snapshot(JOB, {"text": "do it"}, memory=memory), NOW_MS)["memory"]
    assert shown == {"entries": [{**entry, "createdAt": "2027-01-15T08:00:00.000Z"}], "warnings": ["no index"]}

"""A job as JSON: what is recorded, what follows from its work items, and what each step has used."""

import dataclasses
import json
from typing import Any

import pytest
from msgspec.structs import replace

from baton import approval
from baton.engine.all_jobs.slots import SlotState
from baton.engine.state import CallRecord, Job, Usage
from baton.engine.transitions import CallStatus, JobStatus
from baton.engine.work_items import ItemKind, WorkItem, tool_key
from baton.sdk.records.limits import Used
from baton.sdk.records.transcript import Failure
from baton.sdk.tools.sentence import APPROVAL
from baton.settings.service_prices import LIST_PRICES
from baton.store.records.jobs import Snapshot
from baton.worker.runtime.job_view import job_view
from baton.worker.runtime.usage_view import step_usage

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
    usage = Usage(4, 5, 6, NOW_MS + 1_500, deliveries=3, redis_bytes=7, function_ms=8, mb_ms=1_024_000)
    snapshot = Snapshot(job, {"text": "do it"}, (item,) if item else (), HELD, (call,), results, usage)
    return job_view(snapshot, NOW_MS)


def call_view(**changes: Any) -> dict[str, Any]:
    [found] = view(**changes)["toolCalls"]
    return dict(found)


def test_a_job_and_each_of_its_calls_say_what_they_are_about() -> None:
    """A question to a person by its words; a sealed call by nothing."""
    assert approval.name == APPROVAL
    calls = (
        *(replace(CALL, id=f"call_{n}", tool="pull", arguments={"shop": f"shop-{n}", "day": "monday"}) for n in (1, 2)),
        replace(CALL, id="call_3", tool="approval", arguments={"title": "Send\nit?", "data": {"a": 1}}),
        replace(CALL, id="call_4", tool="pay", arguments={"secret": "x"}, sealed="y"),
    )
    shown = job_view(Snapshot(JOB, {"text": "do it", "data": {"a": "b"}}, calls=calls), NOW_MS)
    assert shown["summary"] == "do it"
    assert [call["summary"] for call in shown["toolCalls"]] == ["shop-1", "shop-2", "Send it?", ""]
    of_code = replace(JOB, model=replace(JOB.model, runs_code=True))
    assert job_view(Snapshot(of_code, {"text": "go", "data": {"a": "b"}}), NOW_MS)["summary"] == "go: b"


def test_usage_is_what_the_job_has_used() -> None:
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
    assert (shown["taskDescription"], shown["inputData"]) == ("do it", {})


ENDED = replace(JOB, status=JobStatus.CANCELLED)
DONE = replace(CALL, status=CallStatus.COMPLETED)


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        pytest.param({}, "queued", id="that it runs is not recorded: it follows from the claim"),
        pytest.param({"item": replace(ITEM, owner="o1", lease_until_ms=NOW_MS + 1)}, "running", id="claimed"),
        pytest.param({"item": replace(ITEM, owner="o1", lease_until_ms=NOW_MS)}, "queued", id="the claim is over"),
        pytest.param({"job": ENDED, "item": None}, "cancelled", id="left behind by its job"),
        pytest.param({"job": ENDED, "item": None, "call": DONE}, "completed", id="ended before its job"),
    ],
)
def test_a_call_has_the_status_of_its_record_its_item_and_its_job(changes: dict[str, Any], status: str) -> None:
    assert call_view(**changes)["status"] == status


@pytest.mark.parametrize("result", [None, False, "", {"a": None}])
def test_a_result_is_shown_as_it_is(result: Any) -> None:
    shown = call_view(call=DONE, call_1={"ok": result})
    assert shown["result"] == result
    assert "error" not in shown


def test_a_call_that_waits_for_its_next_attempt_is_retrying() -> None:
    failed = replace(CALL, status=CallStatus.RETRYING, attempts=1, error=Failure("boom", "it broke"))
    shown = call_view(call=failed)
    assert (shown["status"], shown["attempts"]) == ("retrying", 1)
    assert shown["error"] == {"type": "boom", "message": "it broke"}
    assert "result" not in shown
    assert view(job=replace(JOB, status=JobStatus.FAILED, error=failed.error))["error"] == shown["error"]


def test_what_was_retrieved_of_memory_is_shown_with_its_times() -> None:
    assert view()["memory"] is None
    entry = {"id": "job_0", "kind": "exchange", "text": "a", "sessionId": "s", "agent": "b", "score": 0.7}
    memory = {"role": "memory", "v": 1, "entries": [{**entry, "created": NOW_MS}], "warnings": ["no index"]}
    shown = job_view(Snapshot(JOB, {"text": "do it"}, memory=memory), NOW_MS)["memory"]
    assert shown == {"entries": [{**entry, "createdAt": "2027-01-15T08:00:00.000Z"}], "warnings": ["no index"]}


SPENT = Job("job_1", "session_1", "acme", "adds", 0, used=Used(2, 1, 12, 7, 0.3, model_calls=2))
LEDGER = Usage(9, 20, 90, deliveries=8, redis_bytes=9_000, function_ms=70, mb_ms=71_680)
SNAPSHOT = Snapshot(SPENT, {"text": "do it"}, usage=LEDGER)


def event(turn: int, call_id: str = "", **used: int) -> str:
    """The part of an event that said what it used; of an older version: that did not."""
    data = {"turn": turn, "outcome": "done"} | ({"callId": call_id, "tool": "add"} if call_id else {})
    return json.dumps({"type": "data-event", "data": data | ({"used": used} if used else {})})


def shown(turn: int, *, cached: bool = False) -> str:
    data = {"turn": turn, "inputTokens": 6, "outputTokens": 3, "costUsd": 0.1, "cached": cached}
    return json.dumps({"type": "data-usage", "data": data})


def test_an_attempt_and_its_outcome_are_one_step() -> None:
    parts = [
        shown(1),
        event(1, messages=1, redisCommands=10),
        event(1, "c1", redisCommands=12, newer=3),
        event(1, "c1", redisCommands=9),
    ]
    turn, call = step_usage(SNAPSHOT, parts, LIST_PRICES)["steps"]
    assert (turn["turn"], turn["callId"], turn["usage"]["redisCommands"]) == (1, None, 10)
    assert (turn["usage"]["inputTokens"], turn["usage"]["modelCalls"], turn["cost"]["modelUsd"]) == (6, 1, 0.1)
    assert (call["callId"], call["tool"], call["usage"]["redisCommands"]) == ("c1", "add", 21)


@pytest.mark.parametrize("parts", [[], [event(1), event(1, "c1")], [event(1, redisCommands=10, mbMs=1_024), shown(1)]])
def test_the_rest_is_beside_steps(parts: list[str]) -> None:
    """All of it, of a job of a version whose events say nothing."""
    found = step_usage(SNAPSHOT, parts, LIST_PRICES)
    rows = [*found["steps"], found["besideSteps"]]
    assert sum(row["usage"]["redisCommands"] for row in rows) == LEDGER.redis_commands
    assert sum(row["usage"]["inputTokens"] for row in rows) == SPENT.used.input_tokens
    assert sum(row["usage"]["costUsd"] for row in rows) == pytest.approx(SPENT.used.cost_usd)
    assert sum(row["usage"]["gbSeconds"] for row in rows) == pytest.approx(0.07)


def test_what_each_part_rounded_up_is_no_gain() -> None:
    """Money beside steps is never less than nothing."""
    snapshot = dataclasses.replace(SNAPSHOT, job=replace(SPENT, used=Used(cost_usd=0.05)))
    assert step_usage(snapshot, [shown(1)], LIST_PRICES)["besideSteps"]["usage"]["costUsd"] == 0

"""A job in the middle of its life, as decide sees it, and readers of what is decided."""

import json
from collections.abc import Iterable
from typing import Any

from msgspec.structs import replace

from baton.engine.all_jobs.slots import SlotState
from baton.engine.effects import Changes, Decision
from baton.engine.state import CallRecord, Job, State
from baton.engine.transitions import CallStatus, JobStatus
from baton.engine.work_items import ItemKind, WorkItem, loop_item, tool_key, turn_group
from baton.sdk.records.limits import Limits, Used
from baton.sdk.records.transcript import Failure, ModelPolicy

NOW_MS = 1_800_000_000_000
CLAIMED_MS = NOW_MS - 500
JOB = Job(
    "job_1",
    "session_1",
    "tenant_1",
    "agent_1",
    NOW_MS - 10_000,
    status=JobStatus.PROCESSING,
    turn=2,
    started_at_ms=NOW_MS - 9_000,
    used=Used(turns=1, tool_calls=1, input_tokens=10, output_tokens=5, cost_usd=0.1),
    limits=Limits(turns=5, tool_calls=3, tokens=1_000),
    model=ModelPolicy(retries=2, retry_delay_seconds=2.0),
    best_answer="so far",
)
HELD = SlotState("slot", 0, slot=True)
FAILURE = Failure("boom", "it broke", retryable=True)
FOR_GOOD = Failure("boom", "it broke", retryable=False)


def claimed(item: WorkItem) -> WorkItem:
    return replace(item, owner="o1", claimed_ms=CLAIMED_MS, lease_until_ms=NOW_MS + 100_000, relay_id="m1")


def turn_state(job: Job = JOB, attempt: int = 1) -> State:
    return State(job, claimed(loop_item(job.id, job.turn, attempt, NOW_MS - 1_000)))


def call_record(status: CallStatus = CallStatus.QUEUED, retries: int = 2) -> CallRecord:
    return CallRecord("job_1-2-0-aaaaaaaaaa", 2, 0, "read_file", {"path": "a"}, status, retries=retries)


def call_state(kind: ItemKind, record: CallRecord | None = None, attempt: int = 1) -> State:
    call = record or call_record()
    key = tool_key(kind, call.id, attempt)
    item = WorkItem(
        key, kind, JOB.id, 2, attempt, 0, call.id, call.tool, turn_group(JOB.id, 2), since_ms=NOW_MS - 1_000
    )
    return State(JOB, claimed(item), call)


def changes_of(decision: Decision) -> Changes:
    assert decision.changes is not None
    return decision.changes


def job_of(found: Decision | Changes) -> Job:
    job = (changes_of(found) if isinstance(found, Decision) else found).job
    assert job is not None
    return job


def error_of(found: Decision | Changes | Job) -> Failure:
    error = (found if isinstance(found, Job) else job_of(found)).error
    assert error is not None
    return error


def decoded(texts: Iterable[str]) -> list[dict[str, Any]]:
    return [json.loads(text) for text in texts]


def types_of(parts: Iterable[str]) -> list[str]:
    return [part["type"] for part in decoded(parts)]


def outcomes(parts: Iterable[str]) -> list[str]:
    return [part["data"]["outcome"] for part in decoded(parts) if part["type"] == "data-event"]

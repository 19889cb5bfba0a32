"""What must hold of jobs that have ended, whatever happened to the stack meanwhile.

Everything is read from outside: the API, the stream, the tools' own notes, the stored keys. Each check names what it
found. A tool may have started more than once, always under the same key, and never after its result was recorded.
"""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

from baton.engine.all_jobs.slots import QueueEntry
from baton.store.redis.keys import SLOTS
from baton.store.redis.semaphore import entry_from, member_field
from tests.e2e.dev_stack import RECOVERY_SECONDS, wait_for
from tests.e2e.fault_agents import DIAMOND, SHAPES, answer_of, call_of, result_of_call
from tests.e2e.fault_client import FaultClient, Submission
from tests.e2e.fault_stack import FaultStack

Jobs = Mapping[Submission, dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Start:
    call_id: str
    key: str
    attempt: int
    pid: int
    at_ms: int


def check(client: FaultClient, jobs: Jobs, *, claims_held: bool = True) -> None:
    """All that must hold, of each job by itself and of all together.

    `claims_held`: nothing was held still for longer than a claim lasts, so nobody took over from somebody who lived.
    """
    check_results(client.stack.notes_path, jobs, claims_held=claims_held)
    for one, job in jobs.items():
        check_parts(job, client.parts(one))
        check_stored(client.stack, job)
    check_sessions(jobs)
    wait_for(lambda: slots_held(client.stack) == [], "the end of every slot", RECOVERY_SECONDS)


def check_results(notes_path: Path, jobs: Jobs, *, claims_held: bool = True) -> None:
    """Each has its results, and no call has run again once its result was recorded."""
    starts = read_starts(notes_path)
    for one, job in jobs.items():
        check_job(job, one)
        for call in job["toolCalls"]:
            check_call(call, starts.get(call["id"], []))
            if claims_held:
                check_attempts(call, starts[call["id"]])


def read_starts(path: Path) -> dict[str, list[Start]]:
    by_call: dict[str, list[Start]] = {}
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
        start = Start(**json.loads(line))
        by_call.setdefault(start.call_id, []).append(start)
    return by_call


def check_job(job: dict[str, Any], submission: Submission) -> None:
    assert job["status"] == "completed", (job["id"], job["status"], job["error"])
    if submission.agent == DIAMOND:
        check_plan(job)
        return
    assert job["result"] == {"answer": answer_of(submission.agent)}
    expected = [
        (call.tool, call.arguments, "completed", result_of_call(number))
        for turn in SHAPES[submission.agent]
        for number in turn
        for call in (call_of(number),)
    ]
    found = [(call["tool"], call["arguments"], call["status"], call.get("result")) for call in job["toolCalls"]]
    assert found == expected, job["id"]
    assert job["turns"] == len(SHAPES[submission.agent]) + 1


def check_plan(job: dict[str, Any]) -> None:
    """Each step once, the later ones with the results of those before them."""
    found = [(call["step"], call["tool"], call["status"], call["result"]) for call in job["toolCalls"]]
    expected = [("one", "triple", 3), ("left", "triple", 9), ("right", "triple", 9), ("both", "add", 18)]
    assert found == [(step, tool, "completed", result) for step, tool, result in expected], job["id"]
    assert (job["result"]["answer"], job["turns"]) == ("18", 2)


def check_call(call: dict[str, Any], starts: Sequence[Start]) -> None:
    """It was started at least once for each attempt, always under one key."""
    assert {start.attempt for start in starts} == set(range(1, call["attempts"] + 1)), (call, starts)
    assert len({start.key for start in starts}) == 1, starts


def check_attempts(call: dict[str, Any], starts: Sequence[Start]) -> None:
    """Crashes are no attempts, and nothing started after the result was recorded."""
    assert call["attempts"] == (2 if call["tool"] == "shaky_triple" else 1), call
    # The time is that of the decision, a moment before its COMMIT: in between, the claim keeps others away.
    assert max(start.at_ms for start in starts) <= milliseconds(call["finishedAt"]), f"{call} ran again: {starts}"


def check_parts(job: dict[str, Any], parts: Sequence[dict[str, Any]]) -> None:
    """One beginning and one end, each event once, each call asked once and answered once."""
    kinds = Counter(part["type"] for part in parts)
    calls = sorted(call["id"] for call in job["toolCalls"])
    assert (parts[0]["type"], parts[-1]["type"]) == ("start", "finish")
    assert (kinds["start"], kinds["finish"], kinds["error"], kinds["abort"]) == (1, 1, 0, 0)
    assert kinds["start-step"] == kinds["finish-step"] == job["turns"]
    for kind in ("tool-input-available", "tool-output-available"):
        assert sorted(part["toolCallId"] for part in parts if part["type"] == kind) == calls, kind
    handled = Counter(part["data"]["eventId"] for part in parts if part["type"] == "data-event")
    assert [event for event, times in handled.items() if times > 1] == []


def check_stored(stack: FaultStack, job: dict[str, Any]) -> None:
    """Every result is stored once, no step is left to do, and the job's data expires."""
    tag = f"baton:{{{job['id']}}}"
    calls = stack.query_redis("HKEYS", f"{tag}:calls:{job['id']}")
    assert sum(field.startswith("result:") for field in calls) == len(job["toolCalls"])
    state = stack.query_redis("HGETALL", f"{tag}:state")
    items = [text for field, text in zip(state[::2], state[1::2], strict=True) if field.startswith("item:") and text]
    assert [item for item in items if '"kind":"slot_request"' not in item] == []
    assert stack.query_redis("PTTL", f"{tag}:state") > 0


def check_sessions(jobs: Jobs) -> None:
    for tenant, session in {(one.tenant, one.session) for one in jobs if one.session}:
        spans = sorted(
            (milliseconds(job["startedAt"]), milliseconds(job["finishedAt"]), job["id"])
            for one, job in jobs.items()
            if (one.tenant, one.session) == (tenant, session)
        )
        for (_, finished_ms, first), (started_ms, _, second) in pairwise(spans):
            assert finished_ms <= started_ms, f"{second} started before {first} of {session} had finished"


def slots_held(stack: FaultStack) -> list[str]:
    return [name for name, entry in admission_table(stack).items() if entry.slot]


def last_update(stack: FaultStack, job_id: str) -> str:
    return admission_table(stack)[job_id].want


def admission_table(stack: FaultStack) -> dict[str, QueueEntry]:
    flat, start = stack.query_redis("HGETALL", SLOTS), member_field("")
    texts = zip(flat[::2], flat[1::2], strict=True)
    return {name.removeprefix(start): entry_from(text) for name, text in texts if name.startswith(start)}


def milliseconds(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1000)

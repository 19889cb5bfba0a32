"""Ids that follow from content, so that the same cause always has the same id (decisions/0002-four-events).

Pure: whatever is random comes in as an argument. Ids hold only `[A-Za-z0-9._-]`, which is safe in paths, headers,
labels and Redis keys.
"""

import hashlib
import json
from collections.abc import Callable, Sequence
from typing import Any

from pydantic_core import to_json

CALL_DIGEST_CHARS = 10
KEY_CHARS = 32
_CALL_DASHES = 3  # job, turn, position, digest
CHILD_SEPARATOR = "."
BATCH_PREFIX, SCHEDULE_PREFIX = "batch_", "sch_"
_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
# Made once: an encoder makes one for each text. No marks of what it is in: a circle ends at the depth of calls.
_chunks_of: Callable[[Any, int], Sequence[str]] = json.encoder.c_make_encoder(  # type: ignore[attr-defined]
    None, _CANONICAL.default, json.encoder.encode_basestring, None, ":", ",", *(True, False, False)
)


def canonical_json(value: Any) -> str:
    """Return the one JSON text of a value: sorted keys, no spaces, UTF-8 kept.

    Raises ValueError: a number that JSON does not have (NaN, Infinity).
    """
    try:
        return "".join(_chunks_of(value, 0))
    except RecursionError:  # a circle, or a depth, for which the encoder has words of its own
        return _CANONICAL.encode(value)


def sorted_json(value: Any) -> str:
    """Return `canonical_json` of a value with sorted keys and whole numbers: some times as fast."""
    try:
        return to_json(value).decode()
    except ValueError:  # half a character, which the writer of the text refuses
        return canonical_json(value)


def digest(*parts: Any) -> str:
    """Return the SHA-256 of the parts' canonical JSON, as hex."""
    write = sorted_json
    for part in parts:
        if part.__class__ is not str:
            write = canonical_json
    return hashlib.sha256(write(parts).encode("utf-8", "surrogatepass")).hexdigest()


def key_digest(*parts: Any) -> str:
    """Return what stands for texts in a key, 128 bits: nobody finds other texts that share it, whatever they search."""
    return digest(*parts)[:KEY_CHARS]


def job_id_from_key(tenant: str, idempotency_key: str) -> str:
    """Return the id of the job that this tenant submits under this Idempotency-Key."""
    return f"job_{key_digest('job', tenant, idempotency_key)}"


def chat_job_id(tenant: str, session_id: str, message_id: str, replaces: str) -> str:
    """Return the id of the job that answers a chat message; `replaces`: the job whose answer it replaces, if any."""
    return f"job_{key_digest('chat', tenant, session_id, message_id, replaces)}"


def named_job_id(kind: str, tenant: str, session_id: str, name: str) -> str:
    """Return the id of the job that a client of another protocol has named: by a run, or by a message."""
    return f"job_{key_digest(kind, tenant, session_id, name)}"


def named_schedule_id(kind: str, tenant: str, name: str) -> str:
    """Return the id of the schedule that this tenant has named, or whose body is its name."""
    return f"{SCHEDULE_PREFIX}{key_digest(kind, tenant, name)}"


def scheduled_job_id(schedule_id: str, message_id: str) -> str:
    """Return the id of the job that a schedule's message starts, however often it is delivered."""
    return f"job_{key_digest('schedule', schedule_id, message_id)}"


def app_event_id(tenant: str, idempotency_key: str) -> str:
    return f"evt_{key_digest('app-event', tenant, idempotency_key)}"


def subject_digest(tenant: str, subject_id: str) -> str:
    """Return what is kept of a data subject of this tenant; empty: nobody is named."""
    return key_digest("subject", tenant, subject_id) if subject_id else ""


def once_name(kind: str, tenant: str, name: str, key: str) -> str:
    """Return the id under which the turns of a tenant's key are counted: of its jobs, or of its events of a name."""
    return key_digest("once", kind, tenant, name, key)


def once_job_id(name: str, turn: int) -> str:
    """Return the id of the job that a key's turn has, whoever starts it."""
    return f"job_{key_digest('once', name, turn)}"


def once_event_id(name: str, turn: int) -> str:
    """Return the id of the app event that a key's turn has, whoever sends it."""
    return f"evt_{key_digest('once', name, turn)}"


def awaited_name(tenant: str, name: str, key: str) -> str:
    """Return the id under which waiters know the app events of this name and key."""
    return key_digest("await", tenant, name, key)


def event_number(event_id: str, created_ms: int, came_ms: int) -> int:
    """Return an app event's number: later events have higher ones; two of one millisecond differ, nearly always.

    It goes by the event's creation; none is created after it came, whatever a clock says.
    """
    return min(created_ms, came_ms) * 1_000 + int(digest(event_id)[:8], 16) % 1_000


def event_job_id(event_id: str, handler: str) -> str:
    """Return the id of the job by which a handler takes an app event, however often it is delivered."""
    return f"job_{key_digest('event', event_id, handler)}"


def batch_lane(tenant: str, handler: str) -> str:
    """Return the id of the lane of a tenant's event batches for this handler."""
    return key_digest("batch-lane", tenant, handler)


def batch_id(handler: str, event_ids: Sequence[str]) -> str:
    """Return the id of a batch, as an app event: other events are another batch."""
    return f"{BATCH_PREFIX}{key_digest('batch', handler, *event_ids)}"


def started_job_id(call_id: str, agent: str, nth: int) -> str:
    """Return the id of the nth job of an agent that a tool call starts and does not wait for, in whichever attempt."""
    return f"job_{key_digest('start', call_id, agent, nth)}"


def operation_job_id(call_id: str, run: int) -> str:
    """Return the id of the job by which a call goes on in the background; `run`: of the job that makes the call."""
    return f"{call_id}_{run}"


def call_of_operation_job(operation_job_id: str) -> str:
    """Return the call that an operation's job is: with the digest of the call that it was started by."""
    return f"{operation_job_id}-1-0-{started_by(operation_job_id)[0].rpartition('-')[2]}"


def started_by(operation_job_id: str) -> tuple[str, int]:
    """Return the call that goes on by this job, and its run; ("", 0): the job belongs to no operation."""
    call, _, run = operation_job_id.rpartition("_")
    return (call, int(run)) if call.count("-") >= _CALL_DASHES and run.isdecimal() else ("", 0)


def random_job_id(token: str) -> str:
    """Return the id of a job that was submitted without an Idempotency-Key; `token` is random."""
    return f"job_{token}"


def root_of(job_id: str) -> str:
    """Return the root job's id: a child's is its parent's plus `.` and a digest of the call that started it."""
    return job_id.split(CHILD_SEPARATOR, 1)[0] if CHILD_SEPARATOR in job_id else job_id


def is_child(job_id: str) -> bool:
    return CHILD_SEPARATOR in job_id


def child_of(call_id: str, run: int = 1) -> str:
    """Return the id of the job that a tool call starts: one for all attempts of the call, and another for another call.

    `run`: of the job that makes the call: what it started before it was retried has ended with it.
    """
    cause = ("child", call_id) if run == 1 else ("child", call_id, run)
    return f"{job_of_call(call_id)}{CHILD_SEPARATOR}{key_digest(*cause)}"


def call_id(job_id: str, turn: int, position: int, tool: str, arguments: Any) -> str:
    """Return a tool call's id, also its idempotency key towards the outside, the same for all its attempts.

    It holds a digest of tool and arguments: a model that answers differently the second time never meets an old result.
    """
    return f"{job_id}-{turn}-{position}-{digest(tool, arguments)[:CALL_DIGEST_CHARS]}"


def step_id(job_id: str, first_turn: int, number: int, tool: str, arguments: dict[str, Any]) -> str:
    """Return the id of a call that is a numbered step of its job's code, whatever turn asks for it.

    `first_turn`: of the job since it began from its start, where its numbers begin anew.
    """
    return f"{job_id}-s{first_turn}-{number}-{digest(tool, arguments)[:CALL_DIGEST_CHARS]}"


def step_number(call_id: str) -> int:
    """Return the number of a step by its call's id; 0: the call is none, and goes by turn and position."""
    _, turn, number, _ = call_id.rsplit("-", _CALL_DASHES)
    return int(number) if turn[0] == "s" else 0


def with_arguments(call_id: str, tool: str, arguments: dict[str, Any]) -> str:
    return f"{call_id.rpartition('-')[0]}-{digest(tool, arguments)[:CALL_DIGEST_CHARS]}"


def operation_id(call_id: str) -> str:
    """Return the id under which a waiting tool call is completed from outside: the same for all its attempts."""
    return f"op_{call_id}"


def call_of_operation(operation_id: str) -> str:
    """Return the tool call of an operation; empty: no operation has such an id."""
    call_id = operation_id.removeprefix("op_")
    return call_id if call_id != operation_id and call_id.count("-") >= _CALL_DASHES else ""


def job_of_call(call_id: str) -> str:
    return call_id.rsplit("-", _CALL_DASHES)[0]


def event_id(item_key: str) -> str:
    """Return an event's id: the work item key holds job, cause, position, digest and attempt."""
    return f"evt_{hashlib.sha256(item_key.encode()).hexdigest()[:KEY_CHARS]}"

"""One codec: records packed as JSON arrays (the REST protocol carries UTF-8 text only, so msgpack would need base64).

Trailing defaults are left out. What never changes of a job is a text of its own, written once.
"""

from operator import attrgetter
from typing import Any

import msgspec

from events.core.legs import Leg, LegKind
from events.core.limits import Limits, Used
from events.core.state import CallRecord, Failure, Job, ModelPolicy
from events.core.transitions import CallStatus, JobStatus

encode = msgspec.json.Encoder().encode
decode = msgspec.json.Decoder().decode
Raw = msgspec.Raw

_STATIC = (
    "id", "session_id", "tenant", "agent", "created_at_ms", "priority",
    "limits.turns", "limits.tool_calls", "limits.tokens", "limits.cost_usd", "limits.wall_seconds", "limits.depth", "limits.on_limit",
    "model.retries", "model.retry_delay_seconds", "model.reads_history",
    "request_digest", "traceparent", "start_at_ms", "parent_call", "remembers", "isolated", "version",
)
_LIVE = (
    "status", "run", "turn", "attempts", "started_at_ms", "reserve_tokens",
    "used.turns", "used.tool_calls", "used.input_tokens", "used.output_tokens", "used.cost_usd", "used.model_calls",
    "used.cached_calls", "used.cached_input_tokens",
    "reserve_usd", "best_answer", "finished_at_ms", "result", "error",
    "first_turn", "earlier", "before", "counted_from_ms", "untold",
)
_LIVE_DEFAULTS: list[Any] = [
    "pending", 1, 1, 0, None, 0, 0, 0, 0, 0, 0.0, 0, 0, 0, 0.0, "", None, None, None, 1, 0, None, 0, None,
]
_static_of, _live_of = attrgetter(*_STATIC), attrgetter(*_LIVE)
_NO_USED = Used()
_STATUSES = {status.value: status for status in JobStatus}
_CALL_STATUSES = {status.value: status for status in CallStatus}
_KINDS = {kind.value: kind for kind in LegKind}


def _trimmed(values: list[Any], defaults: list[Any]) -> list[Any]:
    size = len(values)
    while size and values[size - 1] == defaults[size - 1]:
        size -= 1
    return values[:size]


def dump_static(job: Job) -> str:
    """What the job was submitted with."""
    return encode(_static_of(job)).decode()


def dump_live(job: Job) -> str:
    """How far it got."""
    values = list(_live_of(job))
    if values[21] == _NO_USED:
        values[21] = None
    if values[23] == (0, 0):
        values[23] = None
    return encode(_trimmed(values, _LIVE_DEFAULTS)).decode()


_RECENT: dict[str, tuple[Any, ...]] = {}


def load_job(static: str, live: str) -> Job:
    """A job."""
    s = _RECENT.get(static)
    if s is None:
        v = decode(static)
        s = (*v[:6], Limits(*v[6:13]), ModelPolicy(*v[13:16]), *v[16:])
        if len(_RECENT) > 500:
            _RECENT.clear()
        _RECENT[static] = s
    v = decode(live)
    v += _LIVE_DEFAULTS[len(v):]
    return Job(
        id=s[0], session_id=s[1], tenant=s[2], agent=s[3], created_at_ms=s[4], priority=s[5], limits=s[6], model=s[7],
        request_digest=s[8], traceparent=s[9], start_at_ms=s[10], parent_call=s[11], remembers=s[12], isolated=s[13],
        version=s[14],
        status=_STATUSES[v[0]], run=v[1], turn=v[2], attempts=v[3], started_at_ms=v[4], reserve_tokens=v[5],
        used=Used(*v[6:14]), reserve_usd=v[14], best_answer=v[15], finished_at_ms=v[16], result=v[17],
        error=Failure(**v[18]) if v[18] else None, first_turn=v[19], earlier=v[20],
        before=Used(**v[21]) if v[21] else _NO_USED, counted_from_ms=v[22], untold=tuple(v[23]) if v[23] else (0, 0),
    )


class PackedCall(msgspec.Struct, array_like=True, gc=False):
    """One field per call: its result first, then its record."""

    result: Raw
    turn: int
    position: int
    tool: str
    arguments: dict[str, Any]
    status: str
    attempts: int = 0
    retries: int = 0
    retry_delay_seconds: float = 1.0
    started_at_ms: int | None = None
    finished_at_ms: int | None = None
    error: dict[str, Any] | None = None
    isolated: bool = False
    earlier: int = 0
    asked: int = 0
    approved: str = ""
    operation_id: str = ""
    child: str = ""
    step: str = ""
    on_failure: str = ""
    after: dict[str, str] | None = None
    dependants: tuple[str, ...] | None = None


class PackedResult(msgspec.Struct, array_like=True, gc=False):
    """Only what a turn is told of a call."""

    result: Raw


_CALL_DEFAULTS: list[Any] = [..., ..., ..., ..., ..., ..., 0, 0, 1.0, None, None, None, False, 0, 0, "", "", "", "", "", None, None]
_CALL_DEFAULTS[0] = object()
_call_of = attrgetter(
    "turn", "position", "tool", "arguments", "status", "attempts", "retries", "retry_delay_seconds", "started_at_ms",
    "finished_at_ms", "error", "isolated", "earlier", "asked", "approved", "operation_id", "child", "step", "on_failure",
)
_load_call, _load_result = msgspec.json.Decoder(PackedCall).decode, msgspec.json.Decoder(PackedResult).decode


def dump_call(record: CallRecord, result: str | None) -> str:
    """A call with its result, which is JSON text."""
    values = [Raw(result.encode()) if result is not None else None, *_call_of(record), record.after or None, record.dependants or None]
    return encode(_trimmed(values, _CALL_DEFAULTS)).decode()


def load_call(call_id: str, text: str) -> CallRecord:
    """The call's record."""
    p = _load_call(text)
    return CallRecord(
        id=call_id, turn=p.turn, position=p.position, tool=p.tool, arguments=p.arguments, status=_CALL_STATUSES[p.status],
        attempts=p.attempts, retries=p.retries, retry_delay_seconds=p.retry_delay_seconds, earlier=p.earlier,
        error=Failure(**p.error) if p.error else None, operation_id=p.operation_id, child=p.child, step=p.step,
        after=p.after or {}, dependants=tuple(p.dependants or ()), on_failure=p.on_failure, approved=p.approved,
        asked=p.asked, isolated=p.isolated, started_at_ms=p.started_at_ms, finished_at_ms=p.finished_at_ms,
    )


def load_result(text: str) -> str | None:
    """The call's result as JSON text."""
    raw = _load_result(text).result
    text = bytes(raw).decode()
    return None if text == "null" else text


_ITEM_DEFAULTS: list[Any] = [..., ..., ..., 0, 1, "", "", "", "", "", "", False, "", None]
_rare_of = attrgetter("step", "after", "event", "otherwise", "asks_for", "isolated", "want")


def begins(name: str) -> str:
    """How the text of an item of this name begins: names hold nothing that JSON would escape."""
    return f'["{name}",'


def dump_item(name: str, leg: Leg, run: int, creator: str, siblings: int, usage: list[int] | None = None) -> str:
    """The text of a work item, which never changes. `creator`: of the request that adds it."""
    values = [name, run, creator, leg.since_ms, siblings, leg.tool, *_rare_of(leg), usage]
    return encode(_trimmed(values, _ITEM_DEFAULTS)).decode()


def load_item(job_id: str, text: str, held: str, claimed_ms: int = 0) -> tuple[Leg, int, int, list[int] | None]:
    """The item as a leg; its run; how many siblings were added with it; what the job had used (of a slot release)."""
    v = decode(text)
    v += _ITEM_DEFAULTS[len(v):]
    owner, free_at, relay = held.split(" ", 2)
    free_at_ms = int(free_at)
    mine = owner != "-"
    kind, middle, last = v[0].split(":", 2)
    call_id, turn, position = "", middle, "0"
    if middle.startswith("-"):
        call_id = job_id + middle
        _, turn, position, _ = middle.split("-", 3)
    elif ":" in last:
        turn, last = last.split(":")
    else:
        turn = "1"
    leg = Leg(
        key=f"{kind}:{job_id}{v[0][len(kind) + 1:]}", kind=_KINDS[kind], job_id=job_id, turn=int(turn), attempt=int(last),
        since_ms=v[3], position=int(position), call_id=call_id, tool=v[5],
        group=f"{job_id}:{turn}" if call_id else "", step=v[6], after=v[7], event=v[8], otherwise=v[9],
        asks_for=v[10], isolated=v[11], want=v[12], carrier=relay, owner=owner if mine else "",
        lease_until_ms=free_at_ms if mine else 0, not_before_ms=0 if mine else free_at_ms, claimed_ms=claimed_ms,
    )
    return leg, v[1], v[4], v[13]

"""The calls of a job that has ended early, or was replaced, as lines for the next model: what was done stays done.

Invariant: a line follows from the job's records alone. A call without a recorded end is told as one whose outcome is
unknown, unless it certainly has not begun. Must not: know a conversation, or read a store by itself.
"""

from collections.abc import Awaitable, Callable
from typing import Any

from baton.engine.state import CallRecord
from baton.engine.transitions import CallStatus
from baton.engine.waits import APPROVALS
from baton.sdk.records.redaction import redacted
from baton.store.records.jobs import Snapshot
from baton.worker.conversation.fitting import cut
from baton_events.ids import canonical_json

_ARGUMENTS_BYTES, _RESULT_BYTES = 1_000, 4_000
# A line is never cut below this: the tool's name and the beginning of its arguments.
_LEAST_LINE_BYTES = 200
# Jobs below are read one by one; of more of them only the call that started each is told.
_MOST_BELOW = 20
_OVER = (CallStatus.COMPLETED, CallStatus.FAILED)

Reading = Callable[[str], Awaitable[Snapshot | None]]


async def lines_of(snapshot: Snapshot, read: Reading) -> tuple[str, ...]:
    """Tell each call of a job, in order, with those of the jobs below it that have not given their answer.

    Args:
        snapshot: the job.
        read: reads a job below it.
    """
    lines, below = list[str](), list[str]()
    await _add_lines(snapshot, read, "", lines, below)
    return tuple(lines)


async def _add_lines(snapshot: Snapshot, read: Reading, indent: str, lines: list[str], below: list[str]) -> None:
    for call in snapshot.calls:
        if call.tool in APPROVALS:
            continue
        arguments = _shown(redacted(call.arguments), _ARGUMENTS_BYTES)
        lines.append(f"{indent}- {call.tool} {arguments}: {_fate(call, snapshot)}")
        if not call.child or call.status is CallStatus.COMPLETED or len(below) >= _MOST_BELOW:
            continue
        below.append(call.child)
        child = await read(call.child)
        if child is not None:
            await _add_lines(child, read, f"{indent}  ", lines, below)


def _fate(call: CallRecord, snapshot: Snapshot) -> str:
    result = snapshot.results.get(call.id, {})
    if "ok" in result:
        return f"completed. Its result: {_shown(result['ok'], _RESULT_BYTES)}"
    if call.error is not None and call.status in _OVER:
        return f"failed: {call.error.type}: {cut(call.error.message, _ARGUMENTS_BYTES)}"
    if _has_not_begun(call, snapshot):
        return "has not begun."
    return "was not over. Whether it had an effect is unknown."


def _has_not_begun(call: CallRecord, snapshot: Snapshot) -> bool:
    """Return whether the call certainly has not run: it waits for a person's yes, or for a step before it."""
    over = {one.id for one in snapshot.calls if one.status in _OVER}
    if any(before not in over for before in call.after.values()):
        return True
    return call.status is CallStatus.WAITING and not call.attempts


def _shown(value: Any, limit_bytes: int) -> str:
    return cut(canonical_json(value), limit_bytes)


def fitting(lines: tuple[str, ...], limit_bytes: int) -> tuple[str, ...]:
    """Return as many of the newest lines as fit, with a line that counts those left out; none if nothing fits."""
    kept, left_bytes = list[str](), limit_bytes
    for at, line in enumerate(reversed(lines)):
        short = (
            line
            if len(line.encode("utf-8", "replace")) <= left_bytes
            else cut(line, max(left_bytes, _LEAST_LINE_BYTES))
        )
        left_bytes -= len(short.encode("utf-8", "replace"))
        if left_bytes < 0:
            return (f"- {len(lines) - at} calls before these are left out here.", *kept)
        kept.insert(0, short)
    return tuple(kept)

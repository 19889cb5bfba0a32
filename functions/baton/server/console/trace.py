"""The times of a job's turns and tool calls, read from its stream: when each attempt began and ended. Pure.

Invariant: a part of a newer version is left out, never an error. Must not: decide how anything looks.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from baton.engine.approvals import NEEDS_APPROVAL
from baton.engine.transitions import CallStatus
from baton.engine.waits import LIMIT_APPROVAL
from baton.store.records.jobs import Snapshot
from baton_events.ids import operation_id
from baton_events.schema import EventType

_MARKS = ('"data-event"', '"data-checkpoint"', '"data-operation"')
_RUNS = frozenset({EventType.LOOP_INIT.value, EventType.TOOL_CALL.value})


class Step(NamedTuple):
    """One handled event of the job. `runs`: a model or a tool ran; `abandoned`: the process before it died."""

    runs: bool
    start_ms: int
    end_ms: int
    attempt: int
    outcome: str
    failed: bool
    abandoned: bool


class Trace:
    """The attempts of a job's turns and calls; `take` gets the parts in order."""

    def __init__(self) -> None:
        self.turns: dict[int, list[Step]] = defaultdict(list)
        self.calls: dict[str, list[Step]] = defaultdict(list)
        self.waits: dict[str, str] = {}
        self._asked = dict[str, str]()

    def take(self, parts: Iterable[str]) -> None:
        for text in parts:
            if any(mark in text for mark in _MARKS):
                part = json.loads(text)
                try:
                    self._take(part["type"], part["data"])
                except (KeyError, TypeError, ValueError):  # of another version, in another shape
                    continue

    def _take(self, kind: str, data: dict[str, Any]) -> None:
        if kind == "data-checkpoint" and data["callId"]:
            self._asked[data["id"]] = data["callId"]
        elif kind == "data-operation" and data["status"] == CallStatus.WAITING:
            self.waits[data["callId"]] = _awaited(data)
        elif kind == "data-event":
            call_id, failed = str(data.get("callId") or ""), "failure" in data
            step = Step(
                data["type"] in _RUNS,
                data["at"] - data["durationMs"],
                data["at"],
                data["attempt"],
                data["outcome"],
                failed,
                bool(data.get("abandoned")),
            )
            if not call_id or data["tool"] == LIMIT_APPROVAL:
                self.turns[data["turn"]].append(step)
            else:
                self.calls[self._asked.get(operation_id(call_id)) or call_id].append(step)


def _awaited(data: Mapping[str, Any]) -> str:
    if data.get("jobId"):
        return "its job"
    if data.get("event"):
        return f"event {data['event']}"
    return "an outcome" if data.get("operationId") else "its time"


def gap_after(step: Step) -> str:
    """Return the kind of the time between a step and the next one of its row."""
    if step.outcome in ("waits", NEEDS_APPROVAL) or step.outcome.startswith("asks about"):
        return "wait"
    again = step.outcome.startswith("attempt ") or (step.failed and step.runs)
    return "pause" if again else "queue"


@dataclass(frozen=True, slots=True)
class Traced:
    """A job as it is stored, and the times read from its parts."""

    snapshot: Snapshot
    trace: Trace = field(default_factory=Trace)

    @property
    def first_ms(self) -> int:
        """The beginning of its first step, as far as it is known, in milliseconds."""
        first = [step.start_ms for step in self.trace.turns.get(1, ())]
        return min(first, default=self.snapshot.job.started_at_ms or 0)

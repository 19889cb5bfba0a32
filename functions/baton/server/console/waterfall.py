"""A job's life as rows: each turn with what it says, each tool call, its attempts and marks, each wait, each job below.

Pure. Invariant: the same parts always give the same rows, and time that no part covers is time in the queue. A part of
a newer version is left out, never an error. Must not: know markup.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from baton.engine.approvals import NEEDS_APPROVAL
from baton.engine.state import CallRecord, Job
from baton.engine.transitions import CallStatus
from baton.engine.waits import APPROVALS, LIMIT_APPROVAL
from baton.engine.work_items import FOLLOW_UPS, ItemKind, WorkItem
from baton.server.console.shown import lasted, one_line
from baton.store.records.jobs import Snapshot
from baton.worker.runtime.job_view import job_summary, summaries_of
from baton_events.ids import operation_id
from baton_events.schema import EventType

NEWEST_ROWS, CHILD_ROWS, DEEPEST, FOLDED_TURNS, NEWEST_MARKS = 40, 12, 4, 100, 5
_APPROVAL = "a decision"
_TEXT_CHARS = 120
_KINDS = ("event", "checkpoint", "operation", "progress", "reflection", "retry", "message", "job-retried")
_MARKS = ('"text-start"', '"text-delta"', *(f'"data-{kind}"' for kind in _KINDS))
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
    """What a job's stream tells of its turns and calls; `take` gets the parts in order.

    `text`: a turn's text so far. `marks`: of a call, or of a turn by its number: label, text, and the approval's id.
    """

    def __init__(self) -> None:
        self.turns: dict[int, list[Step]] = defaultdict(list)
        self.calls: dict[str, list[Step]] = defaultdict(list)
        self.waits: dict[str, str] = {}
        self.text: dict[int, str] = {}
        self.progress: dict[str, str] = {}
        self.marks: dict[str | int, dict[str, tuple[str, str, str]]] = defaultdict(dict)
        self._asked = dict[str, str]()

    def take(self, parts: Iterable[str]) -> None:
        for text in parts:
            if any(mark in text for mark in _MARKS):
                part = json.loads(text)
                try:
                    self._take(part["type"], part)
                except (LookupError, TypeError, ValueError, AttributeError):  # of another version, in another shape
                    continue

    def _take(self, kind: str, part: dict[str, Any]) -> None:
        if kind.startswith("text-"):
            turn = int(part["id"].split("-")[1])
            self.text[turn] = self.text.get(turn, "") + part["delta"] if kind == "text-delta" else ""
            return
        data, turn = part["data"], max(self.turns, default=0)
        match kind:
            case "data-retry":
                self.text.pop(int(data["textId"].split("-")[1]), None)
            case "data-reflection":
                self.text[data["turn"]] = data["text"]
            case "data-progress":
                self.progress[data["callId"]] = f"{data['fraction']:.0%} {data['text']}".strip()
            case "data-message":
                self.marks[turn + 1][part["id"]] = ("told meanwhile", data["text"], "")
            case "data-job-retried":
                again = (
                    f"retried from {'its failure' if data['from'] == 'failure' else 'the start'}",
                    f"by {data['by']}",
                )
                self.marks[turn + 1][f"run-{data['run']}"] = (*again, "")
            case "data-checkpoint" if data["callId"]:
                self._mark(data)
            case "data-operation" if data["status"] == CallStatus.WAITING:
                self.waits[data["callId"]] = _awaited(data)
            case "data-event":
                self._step(data)

    def _mark(self, data: dict[str, Any]) -> None:
        self._asked[data["id"]] = data["callId"]
        about = "" if data["data"] in (None, "", {}) else one_line(data["data"])
        if data["type"] == "info":
            self.marks[data["callId"]][data["id"]] = (data["title"], about, "")
        else:
            by = f"by {data['decidedBy']}" if data["decidedBy"] else ""
            words = ": ".join(filter(None, (by, data["reason"])))
            self.marks[data["callId"]][data["id"]] = (f"approval, {data['status']}", words, data["id"])

    def _step(self, data: dict[str, Any]) -> None:
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


class Bar(NamedTuple):
    """Some time of a row: `work`, `failed`, `take` (of a result), `queue`, `lease`, `wait`, `pause`, or `span`."""

    kind: str
    start_ms: int
    end_ms: int
    text: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """One row, nested `depth` deep; a row without bars stands for folded ones. `failed`, `open`: its state.

    `about`: what its job or call is about. `waits_for`: `person` or `wait`, where it is or was more than a run.
    `since_ms`: when its job was last retried; 0: never.
    """

    kind: str
    depth: int
    label: str
    href: str
    bars: tuple[Bar, ...] = ()
    failed: bool = False
    open: bool = False
    about: str = ""
    waits_for: str = ""
    since_ms: int = 0

    @property
    def begin_ms(self) -> int:
        """When it began, after the queue; of one that went on after its job's retry then, in milliseconds."""
        begins = [bar.start_ms for bar in self.bars if bar.kind != "queue"] or [self.bars[0].start_ms]
        return next((at_ms for at_ms in begins if at_ms >= self.since_ms), begins[0])

    @property
    def duration_ms(self) -> int:
        """The time from its begin to its last bar's end, in milliseconds."""
        return self.bars[-1].end_ms - self.begin_ms if self.bars else 0

    @property
    def spelled(self) -> str:
        """Its bars in words."""
        words = [f"{bar.text} {lasted(bar.end_ms - bar.start_ms)}" for bar in self.bars if bar.text]
        return f"{lasted(self.duration_ms)}: {', '.join(words)}" if words else lasted(self.duration_ms)


class Rows:
    """Makes rows of a job and of those below it, as far as they are given.

    `turns`: the shown turns; None: the newest ones, as many as fit. `everything`: nothing is folded.
    """

    def __init__(
        self, traced: Mapping[str, Traced], now_ms: int, turns: range | None = None, *, everything: bool = False
    ) -> None:
        self._traced, self._now_ms, self._turns, self._everything = traced, now_ms, turns, everything

    def of(self, job_id: str, depth: int = 0) -> Iterator[Row]:
        """Yield the rows of a job: its own, then those of its turns."""
        traced = self._traced[job_id]
        yield self._of_job(traced, depth)
        calls: dict[int, list[CallRecord]] = defaultdict(list)
        for call in traced.snapshot.calls:
            if call.tool not in APPROVALS:
                calls[call.turn].append(call)
        kinds, items = {*FOLLOW_UPS, ItemKind.SLOT_REQUEST}, () if traced.snapshot.job.ended else traced.snapshot.items
        turns = sorted({*traced.trace.turns, *calls, *(item.turn for item in items if item.kind not in kinds)})
        shown = self._shown(turns, calls, depth)
        older = [turn for turn in turns if turn < shown.start]
        yield from _folded(traced.snapshot.job, older, calls, depth + 1)
        ends, about = _Ends(traced, calls), summaries_of(traced.snapshot.calls)
        for turn in turns:
            if turn in shown:
                yield from self._of_turn(traced, turn, calls[turn], (ends, about), depth + 1)

    def _shown(self, turns: Sequence[int], calls: Mapping[int, Sequence[CallRecord]], depth: int) -> range:
        end = turns[-1] + 1 if turns else 1
        if self._turns is not None and depth == 0:
            return self._turns
        start, left = end, CHILD_ROWS if depth else NEWEST_ROWS
        for turn in reversed(turns):
            left -= 1 + min(len(calls[turn]), NEWEST_ROWS)
            if left < 0 and start < end and not self._everything:
                break
            start = turn
        return range(start, end)

    def _of_job(self, traced: Traced, depth: int) -> Row:
        job, about = traced.snapshot.job, job_summary(traced.snapshot)
        end_ms, since_ms = job.finished_at_ms or self._now_ms, job.counted_from_ms
        begin_ms = job.started_at_ms or end_ms
        bars = [Bar("queue", job.created_at_ms, begin_ms, "in the queue, or waiting for a free place")]
        if begin_ms < since_ms:
            bars.append(Bar("span", begin_ms, since_ms, "until it was retried"))
        bars.append(Bar("span", max(begin_ms, since_ms), max(begin_ms, end_ms), str(job.status)))
        failed, about = job.status == "failed", about.removeprefix(job.agent).removeprefix(": ")
        return Row(
            "job", depth, job.agent, f"/console/jobs/{job.id}", tuple(bars), failed, not job.ended, about, "", since_ms
        )

    def _of_turn(
        self, traced: Traced, turn: int, calls: Sequence[CallRecord], known: "_Known", depth: int
    ) -> Iterator[Row]:
        snapshot, steps, ends = traced.snapshot, traced.trace.turns.get(turn, []), known[0]
        job = snapshot.job
        items = [item for item in snapshot.items if not item.call_id or item.tool == LIMIT_APPROVAL]
        bars = self._bars(job, steps, ends.before(turn), [item for item in items if item.turn == turn], _APPROVAL)
        failed = bool(steps) and steps[-1].failed
        href = f"/console/jobs/{job.id}/turns/{turn}"
        if job.model.is_programmed:  # its code, or its plan, goes on between two steps, which is nobody's turn
            depth -= 1
        else:
            is_open, text = (
                bool(bars) and (not steps or gap_after(steps[-1]) != "queue"),
                traced.trace.text.get(turn, ""),
            )
            about = f"…{one_line(text[-_TEXT_CHARS:])}" if is_open and len(text) > _TEXT_CHARS else one_line(text)
            yield Row("turn", depth, f"turn {turn}", href, tuple(bars), failed, is_open, about, "", job.counted_from_ms)
        yield from self._marks(traced, turn, href, depth + 1)
        folded = 0 if self._everything or (self._turns and len(self._turns) == 1) else len(calls) - NEWEST_ROWS
        if folded > 0:
            href = f"/console/jobs/{job.id}?turns={turn}-{turn}"
            what = "more steps" if job.model.is_programmed else f"more calls of turn {turn}"
            yield Row("fold", depth + 1, f"{folded} {what}", href)
        for call in calls[max(0, folded) :]:
            row = self._of_call(traced, call, known, depth + 1)
            yield row
            yield from self._marks(traced, call.id, row.href, row.depth + 1)
            if call.child in self._traced and depth < DEEPEST:
                yield from self.of(call.child, depth + 2)

    @staticmethod
    def _marks(traced: Traced, of: str | int, href: str, depth: int) -> Iterator[Row]:
        for label, about, asked in [*traced.trace.marks.get(of, {}).values()][-NEWEST_MARKS:]:
            yield Row("mark", depth, label, f"/console/approvals/{asked}" if asked else href, about=about)

    def _of_call(self, traced: Traced, call: CallRecord, known: "_Known", depth: int) -> Row:
        snapshot, (ends, about) = traced.snapshot, known
        items = [item for item in snapshot.items if call.id in (item.call_id, item.approval_of_call)]
        awaited = traced.trace.waits.get(call.id, _APPROVAL)
        bars = list(self._bars(snapshot.job, traced.trace.calls.get(call.id, []), ends.ready(call), items, awaited))
        if not bars and call.started_at_ms and call.finished_at_ms:
            bars = [Bar("span", call.started_at_ms, call.finished_at_ms, "its events are no longer stored")]
        label = call.tool if call.step in ("", call.tool) else f"{call.step}: {call.tool}"
        waits = "person" if call.questions else "wait" if call.operation_id else ""
        is_open = not snapshot.job.ended and call.finished_at_ms is None
        href = f"/console/jobs/{snapshot.job.id}/calls/{call.id}"
        after = f"after {', '.join(call.after)}" if call.step and call.after else ""
        is_job = snapshot.job.handles[0] and call.tool == snapshot.job.agent  # which names the event
        words = "; ".join(filter(None, ("" if is_job else about[call.id], after, traced.trace.progress.get(call.id))))
        state = call.status is CallStatus.FAILED, is_open, words, waits
        return Row("call", depth, label, href, tuple(bars), *state, snapshot.job.counted_from_ms)

    def _bars(
        self, job: Job, steps: Sequence[Step], ready_ms: int, items: Sequence[WorkItem], awaited: str
    ) -> Iterator[Bar]:
        # Earlier parts may have left the stream: then the time that a step spent in the queue is unknown.
        at_ms, gap = ready_ms or (steps[0].start_ms if steps else 0), "queue"
        for step in steps:
            if at_ms < job.counted_from_ms <= step.start_ms:  # it had failed, until somebody retried its job
                gap = "pause"
            if step.start_ms > at_ms:
                yield _gap("lease" if step.abandoned else gap, at_ms, step.start_ms, awaited)
            kind = "take" if not step.runs else "failed" if step.failed else "work"
            yield Bar(kind, step.start_ms, step.end_ms, _words(step) if step.runs else "")
            at_ms, gap = max(at_ms, step.end_ms), gap_after(step)
        if job.ended:
            return
        for item in items:
            yield from self._open(item, at_ms or item.since_ms, gap, awaited)

    def _open(self, item: WorkItem, at_ms: int, gap: str, awaited: str) -> Iterator[Bar]:
        now_ms, is_held = self._now_ms, bool(item.owner)
        if is_held and item.claimed_ms > at_ms:
            yield _gap("lease" if item.abandoned else gap, at_ms, item.claimed_ms, awaited)
        if is_held and item.lease_until_ms > now_ms:
            yield Bar("work", max(at_ms, item.claimed_ms), now_ms, "runs")
        elif at_ms < now_ms:
            waits = "wait" if item.kind is ItemKind.WAIT else "pause" if item.not_before_ms > now_ms else gap
            yield _gap("lease" if is_held else waits, max(at_ms, item.claimed_ms), now_ms, awaited)


class _Ends:
    def __init__(self, traced: Traced, calls: Mapping[int, Sequence[CallRecord]]) -> None:
        self._trace, self._calls = traced.trace, calls
        self._created_ms = max(traced.snapshot.job.created_at_ms, traced.snapshot.job.start_at_ms)

    def before(self, turn: int) -> int:
        """Return when all work of the turn before was over; 0: unknown."""
        made = [self._made(turn - 1), *(self._of_call(call.id) for call in self._calls.get(turn - 1, ()))]
        return max(made) or (self._created_ms if turn == 1 else 0)

    def ready(self, call: CallRecord) -> int:
        """Return when all work that a call depends on was over; 0: unknown."""
        return max([self._made(call.turn), *(self._of_call(before) for before in call.after.values())])

    def _made(self, turn: int) -> int:
        return max((step.end_ms for step in self._trace.turns.get(turn, ())), default=0)

    def _of_call(self, call_id: str) -> int:
        return max((step.end_ms for step in self._trace.calls.get(call_id, ())), default=0)


# When the work before a turn's calls was over, and what each of them is about, by its id.
_Known = tuple[_Ends, dict[str, str]]


def _folded(job: Job, turns: Sequence[int], calls: Mapping[int, Sequence[CallRecord]], depth: int) -> Iterator[Row]:
    for start in range(0, len(turns), FOLDED_TURNS):
        some = turns[start : start + FOLDED_TURNS]
        steps = len(some) + sum(len(calls[turn]) for turn in some)
        href = f"/console/jobs/{job.id}?turns={some[0]}-{some[-1]}"
        named = f"turns {some[0]} to {some[-1]}" if len(some) > 1 else f"turn {some[0]}"
        label = f"{steps - len(some)} earlier steps" if job.model.is_programmed else f"{named}: {steps} steps"
        yield Row("fold", depth, label, href)


_GAPS = {"queue": "in the queue", "lease": "after a crash, until it was noticed", "pause": "before it is retried"}


def _gap(kind: str, start_ms: int, end_ms: int, awaited: str) -> Bar:
    return Bar(kind, start_ms, end_ms, _GAPS.get(kind) or f"waits for {awaited}")


def _words(step: Step) -> str:
    attempt = f"attempt {step.attempt} " if step.attempt > 1 or step.failed else ""
    return f"{attempt}{one_line(step.outcome, 200)}"


_NICE_MS = (
    *(1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 15_000, 30_000),
    *(60_000, 120_000, 300_000, 600_000, 900_000, 1_800_000, 3_600_000, 7_200_000, 10_800_000, 21_600_000, 43_200_000),
    86_400_000,
)
_MOST_TICKS, _FINER = 5, 5
_UNITS = ((86_400_000, "d"), (3_600_000, "h"), (60_000, "min"))


class Axis:
    """Times of rows as percentages of their width, and the ticks below them, counted from the job's beginning."""

    def __init__(self, rows: Sequence[Row], zero_ms: int) -> None:
        bars = [bar for row in rows if row.kind != "job" or row.depth or len(rows) == 1 for bar in row.bars]
        self.start_ms = min((bar.start_ms for bar in bars), default=zero_ms)
        self.end_ms = max((bar.end_ms for bar in bars), default=zero_ms)
        self._zero_ms = zero_ms

    def x(self, at_ms: int) -> float:
        """Convert a time to a percentage of the width, 0 to 100."""
        share = (at_ms - self.start_ms) / max(1, self.end_ms - self.start_ms)
        return round(100 * min(1.0, max(0.0, share)), 2)

    def after(self, row: Row) -> str:
        """Return when a row begins, from the job's beginning on."""
        return offset(max(0, row.begin_ms - self._zero_ms))

    @property
    def ticks(self) -> list[tuple[float, str, bool]]:
        """The place and text of each tick, and whether it shows only in a zoomed picture."""
        width_ms = max(1, self.end_ms - self.start_ms)
        step_ms = next((nice for nice in _NICE_MS if width_ms / nice <= _MOST_TICKS), 0)
        step_ms = step_ms or -(-width_ms // _MOST_TICKS // _NICE_MS[-1]) * _NICE_MS[-1]
        fine_ms = max(1, step_ms // _FINER)
        first = -(-(self.start_ms - self._zero_ms) // fine_ms) * fine_ms
        times = range(first, self.end_ms - self._zero_ms + 1, fine_ms)
        return [(self.x(self._zero_ms + at_ms), offset(at_ms), at_ms % step_ms != 0) for at_ms in times]


def offset(ms: int) -> str:
    """Format an offset: `0`, `250 ms`, `1.5 s`, `1 min 30 s`, `2 h`."""
    if ms < _UNITS[-1][0]:
        return f"{ms} ms" if 0 < ms < 1_000 else f"{ms / 1000:g} s"  # noqa: PLR2004 - a second
    words: list[str] = []
    for size_ms, unit in _UNITS:
        much, ms = divmod(ms, size_ms)
        words += [f"{much} {unit}"] if much else []
    return " ".join([*words, f"{ms / 1000:g} s"] if ms else words)

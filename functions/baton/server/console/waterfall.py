"""A job's life as rows: each turn with what it says, each tool call, its attempts and marks, each wait, each job below.

Pure. Invariant: the same parts always give the same rows, and time that no part covers is time in the queue. A part of
a newer version is left out, never an error. Must not: know markup.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

from baton.engine.approvals import NEEDS_APPROVAL
from baton.engine.state import CallRecord, Job
from baton.engine.stream_parts import CANCELLED, DIED
from baton.engine.transitions import CallStatus
from baton.engine.waits import APPROVALS, LIMIT_APPROVAL
from baton.engine.work_items import FOLLOW_UPS, ItemKind, WorkItem
from baton.server.console.shown import lasted, one_line, origin_of
from baton.store.records.jobs import Snapshot
from baton.worker.runtime.job_view import job_summary, summaries_of
from baton.worker.runtime.policy import LEASE_MS
from baton_events.ids import operation_id
from baton_events.schema import EventType

NEWEST_ROWS, CHILD_ROWS, DEEPEST, FOLDED_TURNS, NEWEST_MARKS = 40, 12, 4, 100, 5
_APPROVAL, _TEXT_CHARS = "a decision", 120
_KINDS = ("event", "lost", "checkpoint", "operation", "progress", "reflection", "retry", "message", "job-retried")
_MARKS = ('"text-start"', '"text-delta"', *(f'"data-{kind}"' for kind in _KINDS))
_RUNS = frozenset({EventType.LOOP_INIT.value, EventType.TOOL_CALL.value})


class Step(NamedTuple):
    """One handled event of the job. `runs`: a model or a tool ran; `lost`: without a result."""

    runs: bool
    start_ms: int
    end_ms: int
    attempt: int
    outcome: str
    failed: bool
    lost: bool


class Trace:
    """What a job's stream tells of its turns and calls; `take` gets the parts in order.

    `text`: a turn's text so far. `marks`: of a call, or of a turn by its number: label, text, and the approval's id.
    `retried`: when the job was.
    """

    def __init__(self) -> None:
        self.turns: dict[int, list[Step]] = defaultdict(list)
        self.calls: dict[str, list[Step]] = defaultdict(list)
        self.waits: dict[str, str] = {}
        self.text: dict[int, str] = {}
        self.progress: dict[str, str] = {}
        self.marks: dict[str | int, dict[str, tuple[str, str, str]]] = defaultdict(dict)
        self.retried: list[int] = []
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
                self.retried += [data["at"]] if "at" in data else []
                again = (
                    f"retried from {'its failure' if data['from'] == 'failure' else 'the start'}",
                    f"by {data['by']}",
                )
                self.marks[turn + 1][f"run-{data['run']}"] = (*again, "")
            case "data-checkpoint" if data["callId"]:
                self._mark(data)
            case "data-operation" if data["status"] == CallStatus.WAITING:
                self.waits[data["callId"]] = _awaited(data)
            case "data-event" | "data-lost":
                self._step(data, lost=kind == "data-lost")

    def _mark(self, data: dict[str, Any]) -> None:
        self._asked[data["id"]] = data["callId"]
        about = "" if data["data"] in (None, "", {}) else one_line(data["data"])
        if data["type"] == "info":
            self.marks[data["callId"]][data["id"]] = (data["title"], about, "")
        else:
            by = f"by {data['decidedBy']}" if data["decidedBy"] else ""
            words = ": ".join(filter(None, (by, data["reason"])))
            self.marks[data["callId"]][data["id"]] = (f"approval, {data['status']}", words, data["id"])

    def _step(self, data: dict[str, Any], *, lost: bool) -> None:
        call_id, failed = str(data.get("callId") or ""), "failure" in data
        at_ms, runs = data["at"], data["type"] in _RUNS
        step = Step(runs, at_ms - data["durationMs"], at_ms, data["attempt"], data["outcome"], failed, lost)
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
    if step.outcome in ("waits", NEEDS_APPROVAL) or step.outcome.startswith("asks about"):
        return "wait"
    if step.lost:
        return "lease" if step.outcome == DIED else "queue"
    again = step.outcome.startswith("attempt ") or (step.failed and step.runs)
    return "pause" if again else "queue"


@dataclass(frozen=True)
class Traced:
    """A job as it is stored, and the times read from its parts."""

    snapshot: Snapshot
    trace: Trace = field(default_factory=Trace)

    @cached_property
    def breaks(self) -> list[tuple[int, int]]:
        """When it had ended, and when it was retried then, of each retry."""
        known = (*self.trace.turns.values(), *self.trace.calls.values())
        ends = [step.end_ms for steps in known for step in steps]
        times = sorted({*self.trace.retried, self.snapshot.job.counted_from_ms} - {0})
        return [(max([end_ms for end_ms in ends if end_ms <= at_ms], default=at_ms), at_ms) for at_ms in times]

    def pieces(self, kind: str, start_ms: int, end_ms: int, text: str = "") -> Iterator["Bar"]:
        """Yield the bars of some time but that in which the job had ended; retried, a step is in the queue."""
        for stopped_ms, again_ms in self.breaks:
            if start_ms < again_ms <= end_ms:
                if start_ms < stopped_ms:
                    yield Bar(kind, start_ms, stopped_ms, text)
                start_ms = again_ms
                kind, text = (kind, text) if kind == "span" else ("queue", _GAPS["queue"])
        if start_ms < end_ms or kind == "span":
            yield Bar(kind, start_ms, end_ms, text)


class Bar(NamedTuple):
    """Some time of a row: `work`, `failed`, `take` (of a result), `queue`, `lease`, `wait`, `pause`, or `span`."""

    kind: str
    start_ms: int
    end_ms: int
    text: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """One row, nested `depth` deep. `state`: what became of it, where that is no success; `open`: it goes on.

    `about`: what its job or call is about. `waits_for`: `person` or `wait`, where it is or was more than a run.
    `since_ms`: when its job was last retried; 0: never.
    """

    kind: str
    depth: int
    label: str
    href: str
    bars: tuple[Bar, ...] = ()
    state: str = ""
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
        return self.bars[-1].end_ms - self.begin_ms if self.bars else 0

    @property
    def spelled(self) -> str:
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
        end_ms, about = job.finished_at_ms or self._now_ms, about.removeprefix(job.agent).removeprefix(": ")
        begin_ms = job.started_at_ms or end_ms
        waits = Bar("queue", job.created_at_ms, begin_ms, "in the queue, or waiting for a free place")
        bars = (waits, *traced.pieces("span", begin_ms, max(begin_ms, end_ms), str(job.status)))
        state, href = str(job.status) if job.status in ("failed", "cancelled") else "", f"/console/jobs/{job.id}"
        state = "rejected" if state and origin_of(job, traced.snapshot.calls)[1].type == "rejected" else state
        return Row("job", depth, job.agent, href, bars, state, not job.ended, about, "", job.counted_from_ms)

    def _of_turn(
        self, traced: Traced, turn: int, calls: Sequence[CallRecord], known: "_Known", depth: int
    ) -> Iterator[Row]:
        snapshot, steps, ends = traced.snapshot, traced.trace.turns.get(turn, []), known[0]
        job = snapshot.job
        items = [item for item in snapshot.items if not item.call_id or item.tool == LIMIT_APPROVAL]
        bars = self._bars(traced, steps, ends.before(turn), [item for item in items if item.turn == turn], _APPROVAL)
        state = "failed" if steps and steps[-1].failed else ""
        href = f"/console/jobs/{job.id}/turns/{turn}"
        if job.model.is_programmed:  # its code, or its plan, goes on between two steps, which is nobody's turn
            depth -= 1
        else:
            text = traced.trace.text.get(turn, "")
            is_open = bool(bars) and (not steps or gap_after(steps[-1]) != "queue")
            about = f"…{one_line(text[-_TEXT_CHARS:])}" if is_open and len(text) > _TEXT_CHARS else one_line(text)
            yield Row("turn", depth, f"turn {turn}", href, tuple(bars), state, is_open, about, "", job.counted_from_ms)
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
            state = label.replace("pending", "cancelled") if asked and traced.snapshot.job.ended else label
            yield Row("mark", depth, state, f"/console/approvals/{asked}" if asked else href, about=about)

    def _of_call(self, traced: Traced, call: CallRecord, known: "_Known", depth: int) -> Row:
        snapshot, (ends, about), steps = traced.snapshot, known, traced.trace.calls.get(call.id, [])
        items = [item for item in snapshot.items if call.id in (item.call_id, item.approval_of_call)]
        awaited = traced.trace.waits.get(call.id, _APPROVAL)
        bars = list(self._bars(traced, steps, ends.ready(call), items, awaited))
        if steps and snapshot.job.finished_at_ms and not call.finished_at_ms:
            bars += _gap(traced, gap_after(steps[-1]), bars[-1].end_ms, snapshot.job.finished_at_ms, awaited)
        if not bars and call.started_at_ms and call.finished_at_ms:
            bars = [Bar("span", call.started_at_ms, call.finished_at_ms, "its events are no longer stored")]
        label = call.tool if call.step in ("", call.tool) else f"{call.step}: {call.tool}"
        waits = "person" if call.questions else "wait" if call.operation_id else ""
        is_open = not snapshot.job.ended and call.finished_at_ms is None
        href = f"/console/jobs/{snapshot.job.id}/calls/{call.id}"
        after = f"after {', '.join(call.after)}" if call.step and call.after else ""
        is_job = snapshot.job.handles[0] and call.tool == snapshot.job.agent  # which names the event
        lost = Counter(step.outcome for step in steps if step.lost and step.outcome != CANCELLED)
        lost_words = [f"{why} {'once' if times == 1 else f'{times} times'}" for why, times in lost.items()]
        parts = (*lost_words, "" if is_job else about[call.id], after, traced.trace.progress.get(call.id))
        about_it, state = "; ".join(filter(None, parts)), "" if call.finished_at_ms or is_open else "cancelled"
        if call.status is CallStatus.FAILED:
            state = "rejected" if call.error and call.error.type == "rejected" else "failed"
        since_ms, made = snapshot.job.counted_from_ms, tuple(bars)
        return Row("call", depth, label, href, made, state, is_open, about_it, waits, since_ms)

    def _bars(
        self, traced: Traced, steps: Sequence[Step], ready_ms: int, items: Sequence[WorkItem], awaited: str
    ) -> Iterator[Bar]:
        # Earlier parts may have left the stream: then the time that a step spent in the queue is unknown.
        at_ms, gap = ready_ms or (steps[0].start_ms if steps else 0), "queue"
        for step in steps:
            yield from _gap(traced, gap, at_ms, step.start_ms, awaited)
            kind = "take" if not step.runs else "failed" if step.failed else "work"
            number = f"attempt {step.attempt} " if step.attempt > 1 or step.failed else ""
            text = f"{number}{one_line(step.outcome, 200)}" if step.runs else ""
            yield Bar(kind, step.start_ms, step.end_ms, text)
            at_ms, gap = max(at_ms, step.end_ms), gap_after(step)
        for item in () if traced.snapshot.job.ended else items:
            yield from self._open(traced, item, at_ms or item.since_ms, gap, awaited)

    def _open(self, traced: Traced, item: WorkItem, at_ms: int, gap: str, awaited: str) -> Iterator[Bar]:
        now_ms = self._now_ms
        if not item.owner:
            waits = "wait" if item.kind is ItemKind.WAIT else "pause" if item.not_before_ms > now_ms else gap
            yield from _gap(traced, waits, at_ms, now_ms, awaited)
            return
        yield from _gap(traced, gap, at_ms, item.claimed_ms, awaited)
        begin_ms = max(at_ms, item.claimed_ms)
        is_alive = item.lease_until_ms > now_ms
        alive_ms = now_ms if is_alive else max(begin_ms, item.lease_until_ms - LEASE_MS)
        yield Bar("work", begin_ms, alive_ms, "runs" if is_alive else "ran")
        yield from _gap(traced, "lease", alive_ms, now_ms, awaited)


class _Ends:
    def __init__(self, traced: Traced, calls: Mapping[int, Sequence[CallRecord]]) -> None:
        self._trace, self._calls = traced.trace, calls
        self._created_ms = max(traced.snapshot.job.created_at_ms, traced.snapshot.job.start_at_ms)

    def before(self, turn: int) -> int:
        """Return when all work of the turn before was over; 0: unknown."""
        calls = [self._trace.calls.get(call.id, ()) for call in self._calls.get(turn - 1, ())]
        return self._over(self._trace.turns.get(turn - 1, ()), *calls) or (self._created_ms if turn == 1 else 0)

    def ready(self, call: CallRecord) -> int:
        """Return when all work that a call depends on was over; 0: unknown."""
        before = [self._trace.calls.get(call_id, ()) for call_id in call.after.values()]
        return self._over(self._trace.turns.get(call.turn, ()), *before)

    @staticmethod
    def _over(*rows: Sequence[Step]) -> int:
        return max((step.end_ms for steps in rows for step in steps), default=0)


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


def _gap(traced: Traced, kind: str, start_ms: int, end_ms: int, awaited: str) -> Iterator[Bar]:
    return traced.pieces(kind, start_ms, end_ms, _GAPS.get(kind) or f"waits for {awaited}")


_NICE_MS = (
    *(1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 15_000, 30_000),
    *(60_000, 120_000, 300_000, 600_000, 900_000, 1_800_000, 3_600_000, 7_200_000, 10_800_000, 21_600_000, 43_200_000),
    86_400_000,
)
_MOST_TICKS, _FINER = 5, 5


class Axis:
    """Times of rows as percentages of their width, and the ticks below them, counted from the job's submission.

    `breaks`: the times between an end and a retry, which are left out; what follows is counted from there. `whole`: all
    that the job has done is in the rows. `cuts`: the place of each retry, and how much is left out.
    """

    def __init__(
        self, rows: Sequence[Row], zero_ms: int, breaks: Sequence[tuple[int, int]] = (), *, whole: bool = False
    ) -> None:
        bars = [bar for row in rows if row.kind != "job" or row.depth or whole for bar in row.bars]
        self.start_ms = min((bar.start_ms for bar in bars), default=zero_ms)
        self.end_ms = max((bar.end_ms for bar in bars), default=zero_ms)
        self._breaks = [each for each in breaks if self.start_ms <= each[0] and each[1] <= self.end_ms]
        self._zeros_ms = [zero_ms, *[again_ms for _, again_ms in breaks]]
        self._width_ms = max(1, self.end_ms - self.start_ms - sum(again - stopped for stopped, again in self._breaks))
        self.cuts = [(self.x(again_ms), lasted(again_ms - stopped_ms)) for stopped_ms, again_ms in self._breaks]

    def x(self, at_ms: int) -> float:
        """Convert a time to a percentage of the width, 0 to 100."""
        cut_ms = sum(min(at_ms, again_ms) - stopped_ms for stopped_ms, again_ms in self._breaks if stopped_ms < at_ms)
        return round(100 * min(1.0, max(0.0, (at_ms - self.start_ms - cut_ms) / self._width_ms)), 2)

    def after(self, row: Row) -> str:
        """Return when a row begins, from the job's submission on, or from its retry."""
        return offset(row.begin_ms - self._zero_of(row.begin_ms))

    def _zero_of(self, at_ms: int) -> int:
        return max([zero_ms for zero_ms in self._zeros_ms if zero_ms <= at_ms], default=at_ms)

    @property
    def ticks(self) -> list[tuple[float, str, bool]]:
        """The place and text of each tick, and whether it shows only in a zoomed picture."""
        step_ms = next((nice for nice in _NICE_MS if self._width_ms / nice <= _MOST_TICKS), 0)
        step_ms = step_ms or -(-self._width_ms // _MOST_TICKS // _NICE_MS[-1]) * _NICE_MS[-1]
        fine_ms, found = max(1, step_ms // _FINER), list[tuple[float, str, bool]]()
        begins = [self.start_ms, *[again_ms for _, again_ms in self._breaks]]
        ends = [*[stopped_ms for stopped_ms, _ in self._breaks], self.end_ms]
        for begin_ms, end_ms in zip(begins, ends, strict=True):
            zero_ms = self._zero_of(begin_ms)
            first = -(-(begin_ms - zero_ms) // fine_ms) * fine_ms
            times = range(first + (fine_ms if found else 0), end_ms - zero_ms + 1, fine_ms)
            found += [(self.x(zero_ms + at_ms), offset(at_ms), at_ms % step_ms != 0) for at_ms in times]
        return found


def offset(ms: int) -> str:
    """Format a time since the beginning, without what is nought in it: `0 s`, `1.5 s`, `2 h`."""
    return (lasted(ms) if ms else "0 s").replace(".0 s", " s").removesuffix(" 0 s").removesuffix(" 0 min")

"""Replay: plays a recording with an application's agents and says what is different, or how much was the same.

The differences come in the order in which they come about. What is compared: limits and model policy; turn by turn what
was retrieved of memory, what the model was asked, how often, and what it said; call by call attempts, jobs below, and
outcome; the end. Invariant: comparing is pure, and the order in which calls of one turn ran is no difference. Must not:
compare times, ids, or what follows from them.
"""

import asyncio
import difflib
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from baton.engine.commit.answers import History
from baton.engine.transitions import END_STATUSES, JobStatus
from baton.sdk.agents.registry import Registry
from baton.sdk.models.fingerprint import fingerprint, parts_of, prompt_value, specs_value
from baton.worker.executors.model_turn import messages
from baton_local.replay.playing import played
from baton_local.replay.recorded import Attempt, RecordedCall, RecordedJob, Recording
from baton_local.replay.recorded_agents import Play

_SHORT_CHARS = 160
_MOST_LINES, _MOST_CHARS = 60, 400


@dataclass(frozen=True, slots=True)
class Difference:
    """Where it is, and the two sides: texts or JSON values."""

    where: str
    recorded: Any
    now: Any

    def __str__(self) -> str:
        """Return both sides: in a line each, or as a comparison of their lines where they are long."""
        recorded, now = _text(self.recorded), _text(self.now)
        head = f"The first difference: {self.where}"
        if max(len(recorded), len(now)) <= _SHORT_CHARS and "\n" not in recorded + now:
            return f"{head}\n  recorded: {recorded}\n  now:      {now}"
        lines = list(difflib.unified_diff(_lines(self.recorded), _lines(self.now), "recorded", "now", lineterm="", n=2))
        shown = [f"  {line[:_MOST_CHARS]}{'…' * (len(line) > _MOST_CHARS)}" for line in lines[:_MOST_LINES]]
        more = [f"  … and {len(lines) - _MOST_LINES} more lines"] if len(lines) > _MOST_LINES else []
        return "\n".join([head, *shown, *more])


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True)


def _lines(value: Any) -> list[str]:
    if isinstance(value, str):
        return value.splitlines() or [""]
    return json.dumps(value, ensure_ascii=False, sort_keys=True, indent=2).splitlines()


_PARTS = ("instructions", "settings", "tools", "output", "messages")
_NOTHING = "(nothing)"


class Comparison:
    """Compares one recording with what was played."""

    def __init__(self, recording: Recording, play: Play) -> None:
        self._texts = recording.texts
        self._play = play

    def differences(self, then: RecordedJob, now: RecordedJob) -> Iterator[Difference]:
        """Yield all differences of this job in order; those after the first may follow from it."""
        where = f"job {then.id} (agent {then.job_type})"
        if then.job_type != now.job_type:
            yield Difference(f"{where}: its agent", then.job_type, now.job_type)
            return
        yield from _settings(where, "limit", then.limits, now.limits)
        # Which model it is makes no difference by itself: the recorded answers are given.
        named = {"name": now.model.get("name", "")}
        yield from _settings(where, "model policy", {**then.model, **named}, {**now.model, **named})
        unasked = {turn for job_id, turn, position in self._play.unrecorded if job_id == now.id and position is None}
        for turn in sorted({*then.turns(), *now.turns(), *unasked}):
            yield from self._turn(f"{where}, turn {turn}", turn, then, now)
        if not _ended_from_outside(then) or now.status == JobStatus.CANCELLED:
            yield from _end(where, then, now)

    def _turn(self, where: str, turn: int, then: RecordedJob, now: RecordedJob) -> Iterator[Difference]:
        attempts = [_became(attempt) for attempt in then.attempts(turn)]
        unrecorded = (now.id, turn, None) in self._play.unrecorded
        attempts_now = [_became(attempt) for attempt in now.attempts(turn)]
        if not attempts:
            if not _ended_from_outside(then):
                yield Difference(where, _how_it_ended(then), "the model is asked once more")
            return
        if not attempts_now and not unrecorded:
            yield Difference(where, "the model is asked", _how_it_ended(now))
            return
        if turn == 1 and (then.memory() or {}) != (now.memory() or {}):
            yield Difference(f"{where}: its memory entries", then.memory() or _NOTHING, now.memory() or _NOTHING)
        yield from self._was_called(where, turn, then, now)
        if unrecorded and not _ended_from_outside(then):
            yield Difference(f"{where}: attempts", attempts, [*attempts_now, "the model is asked once more"])
        elif attempts != attempts_now:
            yield Difference(f"{where}: attempts", attempts, attempts_now)
        for attempt in then.attempts(turn):
            yield from _answers(where, then.model_entry(turn, attempt.attempt), now.model_entry(turn, attempt.attempt))
        for call in sorted((call for call in then.tool_calls if call.turn == turn), key=lambda call: call.position):
            yield from self._call(where, call, now.call(turn, call.position), then, now)

    def _was_called(self, where: str, turn: int, then: RecordedJob, now: RecordedJob) -> Iterator[Difference]:
        digests: dict[str, str] = (then.model_answer(turn) or {}).get("requestDigests") or {}
        digests_now: dict[str, str] = (now.model_answer(turn) or {}).get("requestDigests") or {}
        request = self._play.requests.get((now.id, turn))
        if not digests or not digests_now or request is None:
            return  # nothing was recorded of it (a plan that is fixed asks nobody)
        values = {**parts_of(request), "messages": prompt_value(request.messages)}
        for name in _PARTS:
            digest, digest_now = digests.get(name, ""), digests_now.get(name, "")
            if digest == digest_now:
                continue
            known = _value_then(then, turn, digest) if name == "messages" else self._texts.get(digest)
            value = values.get(name, _NOTHING) if digest_now else _NOTHING
            if name == "tools" and isinstance(known, list):
                yield from _tools(where, known, specs_value(request.tools))
            yield Difference(f"{where}: {name} that the model reads", _known(name, digest, known), value)

    def _call(
        self, where: str, call: RecordedCall, call_now: RecordedCall | None, then: RecordedJob, now: RecordedJob
    ) -> Iterator[Difference]:
        where = f"{where}, call {call.position + 1} ({call.tool})"
        if call_now is None:
            yield Difference(where, _shown(call), "it is not made")
            return
        attempts = [_became(attempt) for attempt in call.attempts]
        attempts_now = [_became(attempt) for attempt in call_now.attempts]
        if (now.id, call.turn, call.position) in self._play.unrecorded and call.outcome is not None:
            attempts_now.append("one attempt more")
        if attempts != attempts_now:
            yield Difference(f"{where}: attempts", attempts or _NOTHING, attempts_now or _NOTHING)
        if call.child is not None and call_now.child is not None:
            yield from self.differences(call.child, call_now.child)
        elif call.child is not None:
            yield Difference(f"{where}: the job that it starts", f"agent {call.child.job_type}", _NOTHING)
        open_at_the_end = call.outcome is None and then.status != JobStatus.COMPLETED
        if not open_at_the_end and (call.status, call.outcome) != (call_now.status, call_now.outcome):
            yield Difference(f"{where}: outcome", _ending(call), _ending(call_now))


def _settings(where: str, what: str, then: dict[str, Any], now: dict[str, Any]) -> Iterator[Difference]:
    for name in then.keys() & now.keys():
        if then[name] != now[name]:
            yield Difference(f"{where}: {what} {name}", then[name], now[name])


def _answers(where: str, then: dict[str, Any] | None, now: dict[str, Any] | None) -> Iterator[Difference]:
    if then is None or now is None:
        return
    if then["text"] != now["text"]:
        yield Difference(f"{where}: the model's answer", then["text"], now["text"])
    for position, (call, call_now) in enumerate(zip(then["calls"], now["calls"], strict=False), start=1):
        if _wanted(call) != _wanted(call_now):
            yield Difference(f"{where}: call {position}", _wanted(call), _wanted(call_now))
    if len(then["calls"]) != len(now["calls"]):
        yield Difference(f"{where}: calls", list(map(_wanted, then["calls"])), list(map(_wanted, now["calls"])))


def _end(where: str, then: RecordedJob, now: RecordedJob) -> Iterator[Difference]:
    if then.status != now.status:
        yield Difference(f"{where}: its end", _how_it_ended(then), _how_it_ended(now))
    if then.result != now.result:
        yield Difference(f"{where}: its result", then.result or _NOTHING, now.result or _NOTHING)
    if _outcome(then.error) != _outcome(now.error):
        yield Difference(f"{where}: its error", _outcome(then.error), _outcome(now.error))


def _tools(where: str, then: list[dict[str, Any]], now: list[dict[str, Any]]) -> Iterator[Difference]:
    tools, tools_now = {tool["name"]: tool for tool in then}, {tool["name"]: tool for tool in now}
    for name in dict.fromkeys([*tools, *tools_now]):
        if tools.get(name) != tools_now.get(name):
            yield Difference(
                f"{where}: tool {name!r} as described to the model",
                tools.get(name, f"there is no tool {name!r}"),
                tools_now.get(name, f"there is no tool {name!r}"),
            )


def _value_then(job: RecordedJob, turn: int, digest: str) -> list[Any] | None:
    """Return the conversation up to a turn; None where a policy sent the model something else."""
    before = [entry for entry in job.transcript if entry.get("role") != "model" or entry["turn"] < turn]
    results = {call.id: call.outcome for call in job.tool_calls if call.outcome is not None and call.turn < turn}
    value = prompt_value(messages(History(tuple(before), results)))
    return value if f"{len(value)}-{fingerprint(value)}" == digest else None


def _wanted(call: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in call.items() if name != "id"}


def _shown(call: RecordedCall) -> dict[str, Any]:
    return {"tool": call.tool, "arguments": call.arguments}


def _ending(call: RecordedCall) -> dict[str, Any]:
    return {"status": call.status, **(call.outcome or {})}


def _became(attempt: Attempt) -> str:
    return str(attempt.failure) if attempt.failure else attempt.outcome


def _outcome(failure: object) -> str:
    return str(failure) if failure is not None else "no failure"


def _known(name: str, digest: str, text: Any) -> Any:
    if not digest:
        return _NOTHING
    if text is not None:
        return text
    count = digest.partition("-")[0]
    what = f"{count} messages, " if name == "messages" else ""
    return f"({what}digest {digest}; the text is not in the recording)"


def _how_it_ended(job: RecordedJob) -> str:
    if job.status not in END_STATUSES:
        return f"the job has not ended: it is {job.status}"
    why = f", {job.error}" if job.error else ""
    stopped = f", stopped by {job.result['stoppedBy']}" if job.result and "stoppedBy" in job.result else ""
    return f"the job is {job.status}{stopped}{why}"


def _ended_from_outside(job: RecordedJob) -> bool:
    """Return whether it was cancelled or undeliverable: what it was about to do is not recorded."""
    return job.status == JobStatus.CANCELLED or (job.error is not None and job.error.type == "delivery_failed")


@dataclass(frozen=True, slots=True)
class Replayed:
    """What came of it. `difference`: the first one; None: there is none. `summary`: in a line, what was played."""

    difference: Difference | None
    summary: str


async def replay(recording: Recording, registry: Registry) -> Replayed:
    """Play a recording. Raises ReplayError: it cannot be played with these agents."""
    found = await played(recording.job, registry)
    differences = Comparison(recording, found.play).differences(recording.job, found.job)
    return Replayed(next(differences, None), _summary(recording.job))


def replay_now(recording: Recording, registry: Registry) -> Replayed:
    """Replay for callers that may or may not be in an event loop: it plays in one of its own.

    Raises ReplayError: it cannot be played with these agents.
    """
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, replay(recording, registry)).result()


def _summary(job: RecordedJob) -> str:
    jobs = _all_jobs(job)
    turns, calls = sum(len(one.turns()) for one in jobs), sum(len(one.tool_calls) for one in jobs)
    below = f", {len(jobs) - 1} below it" if len(jobs) > 1 else ""
    what = f"{turns} turns and {calls} tool calls"
    return f"job {job.id} (agent {job.job_type}{below}): {what}, played without a difference"


def _all_jobs(job: RecordedJob) -> list[RecordedJob]:
    below = [found for call in job.tool_calls if call.child for found in _all_jobs(call.child)]
    return [job, *below]

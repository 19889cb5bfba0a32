"""The report of `crash_everywhere`: its runs compared with the run without a crash, and each finding's story.

Invariant: a run must equal the run without a crash, except for what differs between two such runs because of their ids.
Must not: play anything. Compared are values without the ids, times and names that differ in each world.
"""

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from msgspec import Struct

from baton.sdk.records.transcript import STRETCH
from baton.testing.process import Point
from baton.testing.records import Attempt, Run
from baton_events.ids import CALL_DIGEST_CHARS, child_of, digest, step_number

# Of a call's arguments, at the end of its id: they stand beside it, and may have a time.
_DIGEST = re.compile(rf"(-s?\d+-\d+)-[0-9a-f]{{{CALL_DIGEST_CHARS}}}(?![0-9a-f])")
# Of a message: its time, and ids that a framework made.
_OWN = frozenset(
    [
        "timestamp",
        "run_id",
        "runId",
        "tool_call_id",
        "toolCallId",
        "conversation_id",
        "provider_response_id",
        "createdAt",
        STRETCH,
    ]
)


def messages_of(transcript: Sequence[Mapping[str, Any]], results: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the model's input: the transcript, with the results of each turn's calls behind it.

    Of code that goes on with each call, the calls have an order of their own, and its stretches tell nothing.
    """
    messages, steps = list[dict[str, Any]](), list[dict[str, Any]]()
    for entry in transcript:
        is_stretch = STRETCH in (entry.get("provider") or {})
        if not is_stretch:
            messages.append({**entry, "turn": 0} if steps else dict(entry))
        of_calls = steps if is_stretch else messages
        for call in entry.get("calls", ()):
            if is_stretch:
                steps.append({"role": "step", **call})
            if call.get("id") in results:
                of_calls.append({"role": "tool", "callId": call["id"], **results[call["id"]]})
    return [*messages, *sorted(steps, key=_number)]


def _number(step: Mapping[str, Any]) -> int:
    return step_number(step.get("id") or step["callId"])


def names_of(root: Mapping[str, str], calls: Iterable[str]) -> dict[str, str]:
    """Return the names that differ in each world: `root`, and jobs below, each after the call that started it."""
    names = dict(root)
    for call in calls:
        below = child_of(call).rpartition(".")[2]
        if below not in names:
            names[below] = digest(comparable(call, names))
    return names


def together(runs: Sequence[Run], events: Sequence[str], point: Point | None, seconds: float) -> Run:
    """Make one run of those of all jobs that events have started, by their ids, which follow from the events'."""
    runs = sorted(runs, key=lambda run: (run.agent, next(iter(run.names))))
    names = {event: f"EVENT {number}" for number, event in enumerate(events)}
    for number, run in enumerate(runs):
        names |= {name: f"{word} {number}" if word.isupper() else word for name, word in run.names.items()}
    ended = next((run for run in runs if run.status != "completed"), None)
    first = runs[0] if runs else None
    return Run(
        point=point,
        agent="",
        status=ended.status if ended else "completed",
        result=[[run.agent, run.status, run.result] for run in runs],
        error=ended.error if ended else None,
        usage={},
        calls=[call for run in runs for call in run.calls],
        parts=[part for run in runs for part in run.parts],
        model_messages=[message for run in runs for message in run.model_messages],
        virtual_seconds=seconds,
        attempts=first.attempts if first else [],
        story=first.story if first else [],
        names=names,
        unsure=first.unsure if first else [],
    )


def comparable(value: Any, names: Mapping[str, str]) -> Any:
    """Remove from a value everything that differs between two worlds."""
    text = _DIGEST.sub(r"\1", json.dumps(value))
    for name, word in names.items():
        text = text.replace(name, word)
    return _without_own(json.loads(text))


def _without_own(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_own(one) for name, one in value.items() if name not in _OWN}
    if isinstance(value, list):
        return [_without_own(one) for one in value]
    return value


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield each value without parts, with the path to it."""
    if isinstance(value, dict) and value:
        for name, one in value.items():
            yield from leaves(one, f"{path}.{name}")
    elif isinstance(value, list) and value:
        for place, one in enumerate(value):
            yield from leaves(one, f"{path}[{place}]")
    else:
        yield path.removeprefix("."), value


_KEY = "use ctx.idempotency_key, or what follows from it: it is the same in every attempt"
_MEMORY = "keep nothing in memory between calls, and let results follow from the arguments and the key"
_NO_RESULT = {
    "timeout": "it is slower than its limit: return Pending, do less, or raise timeout_seconds",
    "still_running": "an earlier attempt still runs: it is slower than its limit",
    "unrecordable": "return JSON: texts, numbers, lists, dicts, or a pydantic model",
    "result_too_large": "return less, or a reference",
}
_ENDED = ("completed", "failed", "cancelled")


class Finding(Struct, frozen=True):
    """A fault of a run."""

    run: Run
    tool: str
    what: str
    way_out: str

    @property
    def story(self) -> str:
        """The story: the tool's starts, the death, the repeats."""
        at = f"where {self.run.point}" if self.run.point else "without any crash"
        lines = [f"  {seconds:8.1f} s  {text}" for seconds, text in self.run.story]
        return "\n".join([f"{self.what}, {at}:", *lines, f"Way out: {self.way_out}."])


class Report:
    """All runs.

    Attributes:
        points: at which the process ended, one for each of `runs`.
        usual: the run without a crash.
        different: runs whose status, result or messages differ from it.
        repeated: by tool, the most starts of one call.
        effects_repeated: tools whose effects repeat under another key; `effects_lost`: tools whose effects are missing.
        unsure: tools that start at most once, and may have run where the process died: such a run may end otherwise.
        findings: all faults.
    """

    def __init__(self, points: list[Point], usual: Run, other: Run, runs: list[Run]) -> None:
        self.points, self.usual, self.runs = points, usual, runs
        self._usual = _comparable(usual)
        second = _comparable(other)
        self._own = {path for path in self._usual.keys() | second.keys() if self._usual.get(path) != second.get(path)}
        self._keys, keys = _keys_of(usual), _keys_of(other)
        self._calls = [call for call in self._keys if call in keys]  # the same in every world
        self.different = [run for run in runs if self._difference(run)]
        self.repeated = _most_starts([usual, *runs])
        self.effects_repeated, self.effects_lost = list[str](), list[str]()
        self.unsure = sorted({tool for run in runs for tool in run.unsure})
        self.findings = [*_without_crash(usual), *(finding for run in runs for finding in self._in(run))]

    def check(self) -> None:
        """Raise AssertionError with the shortest finding's story, if there is any."""
        __tracebackhide__ = True
        if self.findings:
            raise AssertionError(min((finding.story for finding in self.findings), key=lambda story: story.count("\n")))

    def _in(self, run: Run) -> Iterator[Finding]:
        yield from self._effects(run)
        for attempt in run.attempts:
            if attempt.swallowed:
                way_out = "let asyncio.CancelledError pass: clean up, and raise it again"
                yield Finding(run, attempt.start.tool, f"{attempt.start.tool} swallows its cancellation", way_out)
        yield from _other_starts(run)
        yield from self._chance(run)
        if (difference := self._difference(run)) and not run.unsure:
            yield Finding(run, "", f"the job ends otherwise: {difference}", _MEMORY)

    def _difference(self, run: Run) -> str:
        compared = _comparable(run)
        for path in [*self._usual, *(path for path in compared if path not in self._usual)]:
            if path not in self._own and compared.get(path, _NOTHING) != self._usual.get(path, _NOTHING):
                return f"{path} is {compared.get(path, _NOTHING)!r} instead of {self._usual.get(path, _NOTHING)!r}"
        return ""

    def _effects(self, run: Run) -> Iterator[Finding]:
        found = _keys_of(run)
        for call in self._calls:
            tool, usual = self._keys[call]
            keys = found[call][1] if call in found else set[str]()
            if len(keys) > len(usual):
                _add(self.effects_repeated, tool)
                yield Finding(run, tool, f"{tool} repeats its effect under another key", _KEY)
            elif len(keys) < len(usual) and not run.unsure:
                _add(self.effects_lost, tool)
                way_out = "make the effect first, and note it as done afterwards"
                yield Finding(run, tool, f"an effect of {tool} is lost", way_out)

    def _chance(self, run: Run) -> Iterator[Finding]:
        """Yield differences between two attempts' results of one call, even where results differ between worlds."""
        if not self._own:
            return
        results: dict[str, str] = {}
        for attempt in run.attempts:
            if attempt.result is not None and results.setdefault(attempt.call, attempt.result) != attempt.result:
                what = f"{attempt.start.tool} returns another result when it is repeated"
                yield Finding(run, attempt.start.tool, what, f"let ids in results follow from the key: {_KEY}")


class _Nothing:
    def __repr__(self) -> str:
        return "nothing"


_NOTHING = _Nothing()


def _add(tools: list[str], tool: str) -> None:
    if tool not in tools:
        tools.append(tool)


def _comparable(run: Run) -> dict[str, object]:
    compared = {"status": run.status, "result": run.result, "error": run.error, "messages": run.model_messages}
    return dict(leaves(comparable(compared, run.names)))


def _other_starts(run: Run) -> Iterator[Finding]:
    """Yield calls whose repeated attempt starts its job with other words: only the first one's would count."""
    started: dict[str, str] = {}
    for attempt in run.attempts:
        if attempt.started and started.setdefault(attempt.call, attempt.started) != attempt.started:
            what = f"{attempt.start.tool} starts its job with another task when it is repeated"
            yield Finding(run, attempt.start.tool, what, f"let the task follow from the arguments and the key: {_KEY}")


def _keys_of(run: Run) -> dict[str, tuple[str, set[str]]]:
    """Return the keys of the effects of each call, by the call's name, which is the same in every world."""
    found: dict[str, tuple[str, set[str]]] = {}
    for attempt in run.attempts:
        call = comparable(attempt.call, run.names)
        found.setdefault(call, (attempt.start.tool, set()))[1].update(attempt.effects)
    return found


def _most_starts(runs: list[Run]) -> dict[str, int]:
    most: dict[str, int] = {}
    for run in runs:
        starts = Counter((attempt.start.tool, attempt.call) for attempt in run.attempts)
        for (tool, _), count in starts.items():
            most[tool] = max(count, most.get(tool, 0))
    return most


def _without_crash(run: Run) -> Iterator[Finding]:
    if run.status not in _ENDED:
        yield Finding(run, "", f"the job does not come to an end: it is {run.status}", "give it fewer steps, or Limits")
    last: dict[str, Attempt] = {}
    for attempt in run.attempts:
        last[attempt.call] = attempt
        if attempt.failure in _NO_RESULT:
            way_out = _NO_RESULT[attempt.failure]
            yield Finding(run, attempt.start.tool, f"{attempt.start.tool} fails: {attempt.failure}", way_out)
    for attempt in last.values():
        if attempt.failure and attempt.effects:
            what = f"{attempt.start.tool} has had an effect, and fails: {attempt.message}"
            yield Finding(run, attempt.start.tool, what, "check everything before the first effect")

"""A fork: a job of its own that takes over the turns of an ended one, with edits, up to a turn that is asked anew.

The ended job is kept with the fork as it was, and is read by turn, and by a call's place in its turn. Invariant: a fork
changes nothing of that job, and needs nothing of it later. A call that is taken over does not run, unless its arguments
are edited; the model gets its result as recorded, or as edited. Pure.

Source: decisions/0025-forks.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Literal

from msgspec import Struct, convert, field, structs, to_builtins

from baton.engine.state import FORK, CallRecord, Job
from baton.engine.step_results import ExtraUsage, ModelAnswered
from baton.engine.waits import APPROVALS
from baton.sdk.records.redaction import redacted
from baton.sdk.records.transcript import MEMORY_ROLE, MODEL_ROLE, SESSION_ROLE, STRETCH, USER_ROLE, Failure, Wanted
from baton_events.ids import canonical_json, step_number

ToolsRun = Literal["recorded", "again"]


class Edits(Struct, frozen=True, rename="camel", omit_defaults=True):
    """Differences from the ended job; None: none. Results and arguments are keyed by the ids of its calls."""

    task_description: str | None = None
    instructions: str | None = None
    model: str | None = None
    tool_results: dict[str, Any] = field(default_factory=dict[str, Any])
    arguments: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])


class Fork(Struct, frozen=True, rename="camel", omit_defaults=True):
    """The job that is forked, and how.

    `turn`: the first one that is asked anew, as the ended job counts; `first_own`: as the fork counts. `source`: the
    file of the fork's session that has the ended job.
    `tools_run`: whether later calls get the recorded result of the same call, or run.
    `asks`: whoever made it may run no tool again, nor with other arguments: a person is asked before each such call.
    """

    job_id: str
    turn: int
    source: str = ""
    edits: Edits = field(default_factory=Edits)
    tools_run: ToolsRun = "recorded"
    asks: bool = False
    first_own: int = 1


def fork_of(task: Mapping[str, Any]) -> Fork:
    return convert(task[FORK], Fork)


def forked_task(task: Mapping[str, Any], fork: Fork) -> dict[str, Any]:
    """Return the task of the fork: that of the ended job, outside of its chat."""
    text = fork.edits.task_description
    kept = {name: task[name] for name in ("text", "data", "files") if name in task}
    return kept | ({} if text is None else {"text": text}) | {FORK: to_builtins(fork)}


class Source(Struct, frozen=True):
    """An ended job as it was when it was forked. `results`: by call id; `transcript`: all of it."""

    job: Job
    calls: tuple[CallRecord, ...]
    results: dict[str, dict[str, Any]]
    transcript: tuple[dict[str, Any], ...]


class Ended:
    """What a fork takes over of an ended job. `stretches`: the turns that went on with a script, and asked no model."""

    def __init__(self, source: Source) -> None:
        self.job = job = source.job
        self.calls = {call.id: call for call in source.calls if call.tool not in APPROVALS}
        self.results = source.results
        self._transcript = transcript = source.transcript
        self._turns = {
            entry["turn"]: at
            for at, entry in enumerate(transcript)
            if entry["role"] == MODEL_ROLE and entry["turn"] >= job.first_turn
        }
        # The last entry before the run: the task, or of a job that was retried from its start what the run before left.
        self._before_run = max(0, job.begins_at - 1)
        others = [turn for turn in range(job.first_turn, job.turn + 1) if turn not in self._turns]
        self.stretches = frozenset(others[: job.stretches + bool(job.scripts)])

    def faults(self, fork: Fork) -> Iterator[tuple[str, str]]:
        """Yield why it cannot be forked so: each faulty field, with what is wrong with it."""
        turn, first, last = fork.turn, self.job.first_turn, self.job.turn
        if not first <= turn <= last:
            yield "turn", f"job {self.job.id!r} has no turn {turn}: name one from {first} to {last}"
            return
        if turn in self.stretches:
            asked = ", ".join(str(one) for one in range(first, last + 1) if one not in self.stretches)
            yield "turn", f"turn {turn} goes on with a script, and asks no model: name one of {asked}"
            return
        before_it = [before for before in range(first, turn) if before not in self.stretches]
        for before in before_it:
            if before not in self._turns:
                yield "turn", f"turn {before} is not recorded: name a turn from {first} to {before}"
                return
            if not self.entry(before)["calls"]:
                yield "turn", f"turn {before} is an answer, and a message followed: name a turn up to {before}"
                return
        known = {call["id"] for at in self._turns.values() for call in self._transcript[at]["calls"]}
        taken_over = {call["id"] for before in before_it for call in self.entry(before)["calls"]}
        for call_id in fork.edits.tool_results.keys() - known:
            yield f"edits.toolResults.{call_id}", f"job {self.job.id!r} has no tool call {call_id!r}"
        for call_id in fork.edits.arguments.keys() - taken_over:
            yield f"edits.arguments.{call_id}", f"no turn before turn {turn} has a tool call {call_id!r}"
        for call_id in fork.edits.arguments.keys() & fork.edits.tool_results.keys():
            yield f"edits.arguments.{call_id}", f"the result of tool call {call_id!r} is edited: edit one of both"

    def turn_of(self, number: int) -> int:
        """Return the job's turn that is the fork's turn of this number, from 1."""
        turns: list[int] = [*self._turns, self.job.turn]
        return turns[number - 1]

    def number_of(self, turn: int) -> int:
        """Return the fork's number of a turn; one that went on with a script is none of its turns."""
        return len([before for before in self._turns if before < turn]) + 1

    def entries_before(self, turn: int) -> tuple[dict[str, Any], ...]:
        """Return user messages since the turn before; the first turn also has the entries of memory and session."""
        since = max((at for before, at in self._turns.items() if before < turn), default=self._before_run)
        newer = self._transcript[since + 1 : self._turns.get(turn)]
        messages = [dict(entry) for entry in newer if entry["role"] == USER_ROLE]
        if turn > self.job.first_turn:
            return tuple(messages)
        return (*(dict(entry) for entry in self._transcript if entry["role"] in (MEMORY_ROLE, SESSION_ROLE)), *messages)

    def model_answer(self, turn: int, edits: Edits) -> ModelAnswered:
        """Return the model's answer in a turn that is taken over."""
        entry = self.entry(turn)
        usage, stretch = entry.get("usage", {}), (entry.get("provider") or {}).get(STRETCH) or {}
        wanted = [self._wanted(call, edits) for call in entry["calls"]]
        if stretch:
            pairs = zip(wanted, stretch["numbers"], strict=True)
            wanted = [structs.replace(call, number=number) for call, number in pairs]
        return ModelAnswered(
            entry["text"],
            tuple(wanted),
            usage.get("inputTokens", 0),
            usage.get("outputTokens", 0),
            usage.get("costUsd", 0.0),
            cached=True,
            extra_usage=ExtraUsage(self.entries_before(turn)),
            cached_input_tokens=usage.get("cachedInputTokens", 0),
            provider=entry.get("provider"),
            stretch=stretch.get("name", ""),
            waits=bool(stretch) and not wanted,
            gives_up=tuple(stretch.get("givenUp", ())),
        )

    def call_at(self, turn: int, position: int) -> str:
        """Return the id of the call at that place of a turn that is taken over; a step's is its number."""
        ids = [str(call["id"]) for call in self.entry(turn)["calls"]]
        return next(name for at, name in enumerate(ids) if (step_number(name) or at) == position)

    def same_calls(self, tool: str) -> list[CallRecord]:
        """Return the calls of a tool that are over, in the order in which they were requested."""
        mine = (call for call in self.calls.values() if call.tool == tool and call.turn >= self.job.first_turn)
        return [call for call in sorted(mine, key=place_of) if call.id in self.results]

    def outcome(self, call_id: str, edits: Edits) -> Mapping[str, Any] | None:
        """Return a call's outcome: `{"ok": …, "kept"?: …}` or `{"error": …}`; None: none is recorded."""
        if call_id in edits.tool_results:
            return {"ok": edits.tool_results[call_id]}
        return self.results.get(call_id)

    def entry(self, turn: int) -> Mapping[str, Any]:
        """Return the model's transcript entry of a turn."""
        return self._transcript[self._turns[turn]]

    def _wanted(self, call: Mapping[str, Any], edits: Edits) -> Wanted:
        record = self.calls.get(call["id"])
        edited = call["id"] in edits.arguments
        arguments: dict[str, Any] = edits.arguments[call["id"]] if edited else call["arguments"]
        steps = {"step": call.get("step", ""), "depends_on": tuple(call.get("dependsOn", ()))}
        if "error" in call and not edited:
            return Wanted(call["tool"], arguments, Failure(call["error"]["type"], call["error"]["message"]), **steps)
        if record is None:
            return Wanted(call["tool"], arguments, **steps)
        return Wanted(
            call["tool"],
            arguments,
            retries=record.retries,
            retry_delay_seconds=record.retry_delay_seconds,
            on_failure=record.on_failure,
            isolated=record.isolated,
            **steps,
        )


def same_arguments(left: Mapping[str, Any], right: Mapping[str, Any]) -> bool:
    """Return whether two calls have the same arguments, as far as they are recorded: secrets are not kept."""
    return canonical_json(redacted(left)) == canonical_json(redacted(right))


def place_of(call: CallRecord) -> tuple[int, int]:
    """Return a call's place among all calls of its job."""
    return call.turn, call.position

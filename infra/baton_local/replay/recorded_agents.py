"""What is being played, and a registry whose agents are the real ones and whose models and tools give what is recorded.

Invariants: jobs, turns and calls are found by their place (turn, position, attempt), never by an id that holds a digest
of arguments, since redacted arguments give other ids. Each model has the name and the ways of the model that it stands
for; tools' own functions never run.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from baton.engine.work_items import ItemKind, item_key_of, kind_of
from baton.sdk.agents.agent import Agent
from baton.sdk.agents.output import FINAL_TOOL
from baton.sdk.agents.registry import Registry
from baton.sdk.models.model import Call, Model, ModelAnswer, ModelError, ModelRequest
from baton.sdk.planning.plan import PLAN_TOOL
from baton.sdk.records.own_threads import in_own_thread
from baton.sdk.tools.context import ToolContext
from baton.sdk.tools.pending import ChildTask, Pending
from baton.sdk.tools.runnable import InThread
from baton.sdk.tools.tool import Tool
from baton.sdk.tools.tool_error import ToolError
from baton_events.ids import child_of, job_of_call
from baton_events.schema import Event, ToolPayload
from baton_events.values.durations import LONGEST_SECONDS
from baton_local.replay.recorded import Attempt, RecordedCall, RecordedJob


class ReplayClock:
    """`Clock` that is set to recorded times and never goes back."""

    def __init__(self, now_ms: int) -> None:
        self._now_ms = now_ms

    def now_ms(self) -> int:
        """Return the time that was reached."""
        return self._now_ms

    def reach(self, at_ms: int) -> None:
        """Move the time to at least this one."""
        self._now_ms = max(self._now_ms, at_ms)


@dataclass
class Play:
    """One replay.

    `jobs`: the recorded jobs by the ids that they have now. `current`: whose model is being asked: its job's id, the
    turn and its attempt. `requests`: what each model was asked, the last attempt of
    a turn. `unrecorded`: what was asked for and the recording does not have: (job id, turn, call's position or None).
    """

    jobs: dict[str, RecordedJob]
    clock: ReplayClock
    current: tuple[str, int, int] = ("", 0, 0)
    requests: dict[tuple[str, int], ModelRequest] = field(default_factory=dict[tuple[str, int], ModelRequest])
    unrecorded: list[tuple[str, int, int | None]] = field(default_factory=list[tuple[str, int, "int | None"]])
    summaries_given: dict[tuple[str, int], int] = field(default_factory=dict[tuple[str, int], int])

    def call(self, call_id: str) -> RecordedCall | None:
        job = self.jobs.get(job_of_call(call_id))
        if job is None:
            return None
        turn, position = call_id.rsplit("-", 3)[1:3]
        return job.call(int(turn), int(position))

    def starts(self, call_id: str, child: RecordedJob) -> None:
        """Note that a call starts a job: from now on it is found by its id."""
        self.jobs[child_of(call_id)] = child

    def recorded_ms(self, event: Event) -> int | None:
        """Return when an event's work began in the recording, or its end without work; None: no such work."""
        payload, kind = event.payload, kind_of(item_key_of(event))
        if isinstance(payload, ToolPayload):
            call = self.call(payload.call_id)
            found = call.attempt(payload.attempt) if call and kind is ItemKind.CALL else None
            return found.started_at_ms if found else None
        job = self.jobs.get(event.job_id)
        attempt: Attempt | None = job.attempt(payload.turn, payload.attempt) if job and kind is ItemKind.LOOP else None
        if job is None or attempt is None:
            return None
        was_called = job.was_called(payload.turn, payload.attempt)
        return attempt.started_at_ms if was_called else attempt.finished_at_ms


class RecordedModel:
    """Answers a turn as it was answered; keeps what it was asked."""

    def __init__(self, real: Model, play: Play) -> None:
        self.name = real.name
        self.reads_history = real.reads_history
        self.takes_files = getattr(real, "takes_files", ())
        self._play = play

    async def answer(self, request: ModelRequest) -> ModelAnswer:
        """Return the recorded answer of the attempt that is under way.

        Raises ModelError, TimeoutError: as it failed then.
        """
        job_id, turn, number = self._play.current
        self._play.requests[job_id, turn] = request
        job = self._play.jobs[job_id]
        entry = job.model_entry(turn, number)
        if entry is not None:
            return _answer(entry, _calls(job, turn, entry))
        attempt = job.attempt(turn, number)
        failure = attempt.failure if attempt else None
        assert failure is not None, "the executor looks first whether there is an answer or a failure"
        if failure.type == "model_timeout":
            raise TimeoutError
        raise ModelError(failure.message, retryable=failure.retryable)


class RecordedSummarizer(RecordedModel):
    """Gives the summaries that were written for the turn that is under way, in order; then it has none."""

    async def answer(self, request: ModelRequest) -> ModelAnswer:
        """Return the next recorded summary.

        Raises ModelError: none was written, or no other: the turn goes on without, as it did then.
        """
        del request
        job_id, turn, _ = self._play.current
        given = self._play.summaries_given.get((job_id, turn), 0)
        recorded = self._play.jobs[job_id].summaries(turn)
        if given >= len(recorded):
            raise ModelError("the recording has no summary here", retryable=False)
        self._play.summaries_given[job_id, turn] = given + 1
        return _answer(recorded[given], ())


class RecordedTurns:
    """Answers each turn as a job's model did, while tools run; of attempts that failed nothing is left."""

    name = "recorded"
    reads_history = False

    def __init__(self, job: RecordedJob) -> None:
        self._job = job

    async def answer(self, request: ModelRequest) -> ModelAnswer:
        """Return what was answered in this turn. Raises ModelError: nothing."""
        entry = self._job.model_answer(request.turn)
        if entry is None:
            raise ModelError(f"the recording of {self._job.id} has no answer in turn {request.turn}", retryable=False)
        return _answer(entry, _calls(self._job, request.turn, entry))


def _answer(entry: dict[str, Any], calls: tuple[Call, ...]) -> ModelAnswer:
    usage = entry.get("usage") or {}
    return ModelAnswer(
        entry["text"],
        calls,
        input_tokens=usage.get("inputTokens", 0),
        output_tokens=usage.get("outputTokens", 0),
        cost_usd=usage.get("costUsd", 0.0),
        cached=usage.get("cached", False),
        cached_input_tokens=usage.get("cachedInputTokens", 0),
        provider=entry.get("provider"),
    )


def _calls(job: RecordedJob, turn: int, entry: dict[str, Any]) -> tuple[Call, ...]:
    """Return the calls as the model made them: a plan is one, and so is a typed answer."""
    calls = entry["calls"]
    if any(call.get("step") for call in calls):
        return (Call(PLAN_TOOL, {"steps": [_step(job, turn, place, call) for place, call in enumerate(calls)]}),)
    if not calls and job.result is not None and isinstance(job.result.get("output"), dict):
        return (Call(FINAL_TOOL, job.result["output"]),)
    if len(calls) == 1 and calls[0]["tool"] == FINAL_TOOL and not calls[0]["arguments"] and entry["text"]:
        return ()  # the text was the answer, and did not fit
    return tuple(Call(call["tool"], call["arguments"]) for call in calls)


def _step(job: RecordedJob, turn: int, position: int, call: dict[str, Any]) -> dict[str, Any]:
    recorded = job.call(turn, position)
    return {
        "name": call["step"],
        "tool": call["tool"],
        "arguments": call["arguments"],
        "depends_on": list(call.get("dependsOn", ())),
        "on_failure": (recorded and recorded.on_failure) or "fail",
    }


@dataclass(frozen=True, eq=False, kw_only=True)
class RecordedTool(Tool):
    """The tool that it stands for, but for what it does."""

    play: Play

    async def run(self, arguments: Mapping[str, Any], context: ToolContext, in_thread: InThread = in_own_thread) -> Any:
        """Return what this attempt returned. Raises ToolError: as it failed then."""
        del arguments, in_thread  # their tool has checked them when the model asked for the call
        call = self.play.call(context.call_id)
        attempt = call.run(context.attempt) if call else None
        assert call is not None, "the executor looks first whether there is an attempt"
        assert attempt is not None, "the executor looks first whether there is an attempt"
        failure = attempt.failure
        if failure is not None:
            raise ToolError(failure.message, retryable=failure.retryable, type=failure.type)
        if call.wait is None:
            return call.result
        if call.child is not None:
            self.play.starts(context.call_id, call.child)
        return _pending(call, context.started_at_ms)


def recorded_tool(real: Tool, play: Play) -> RecordedTool:
    return RecordedTool(**{field.name: getattr(real, field.name) for field in fields(Tool) if field.init}, play=play)


def _pending(call: RecordedCall, now_ms: int) -> Pending:
    wait, child = call.wait, call.child
    assert wait is not None, "only calls that waited are asked"
    if child is not None:
        task = ChildTask(agent=child.job_type, task=child.task_description, data=child.input_data)
        return Pending(child=task, operation=False)
    until_ms = now_ms + 1 if wait.until_ms is None else wait.until_ms
    return Pending(
        timeout_seconds=min(LONGEST_SECONDS, max(0, until_ms - now_ms) / 1000),
        event=wait.event,
        otherwise=call.result,
        operation=bool(wait.operation_id),
    )


class RecordedRegistry(Registry):
    """The same agents, tools and their descriptions."""

    def __init__(self, real: Registry, play: Play) -> None:
        self._real, self._play = real, play

    def __getattr__(self, name: str) -> Any:
        """Return the real one's attribute: it is checked already, and may load its agents at the first use."""
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(vars(self)["_real"], name)

    def tool(self, name: str) -> Tool:
        return recorded_tool(self._real.tool(name), self._play)

    def model_of(self, agent: Agent | str) -> Model:
        return RecordedModel(self._real.model_of(agent), self._play)

    def summarizer_of(self, agent: Agent | str) -> Model:
        """Return the model that wrote the agent's summaries."""
        return RecordedSummarizer(self._real.summarizer_of(agent), self._play)

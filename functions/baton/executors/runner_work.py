"""Turns and tool calls of agents that have a runner: from the records to the runner, from its answer to a step result.

Invariant: every failure is a step result, as for Baton's own agents. Must not: know a runner's library.
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct
from msgspec.structs import replace
from pydantic_core import PydanticSerializationError, to_json

from baton.agents.output import FINAL_TOOL
from baton.agents.registry import Registry, UnknownAgentError
from baton.agents.runner import (
    CallReturned,
    JobInfo,
    NeedsApproval,
    Recorded,
    RunFailedError,
    Runner,
    RunnerAnswer,
    RunnerCall,
)
from baton.engine.commit.answers import History
from baton.engine.effects import RunTool
from baton.engine.state import FORK, Job
from baton.engine.step_results import FollowedUp, ModelAnswered, ModelFailed, NotFollowedUp, StepResult
from baton.engine.transcript import uncompacted
from baton.executors.model_call import CUT_CALL, cost, count, model_failed, unusable, usage_of_spent, whole_text
from baton.executors.text_stream import TextStream
from baton.models.model import Listener, Message, ModelError, files_of
from baton.runtime.gen_ai import chat_span
from baton.sdk.own_threads import in_own_thread
from baton.sdk.records import SESSION_ROLE, Failure, Wanted, messages_in, named_files, turns_of
from baton.storage.ports.jobs import Reader, Snapshot
from baton.tools.arguments import copied_json
from baton.tools.contained import CutShortError, contained
from baton.tools.context import ToolContext, running
from baton.tools.pending import Pending
from baton.tools.runnable import InThread
from baton_events.ids import job_of_call, started_by
from baton_events.values.text import storable, text_of

# A failure of the tool is final: retries are for attempts that died, or took too long.
_RETRIES = 2
# A fork's edits that replace settings of the agent (engine/fork.py).
_OVERRIDES = ("instructions", "model")


def recorded(job: Job, history: History) -> Recorded:
    """Return the records of a job for its runner."""
    task = history.transcript[0]
    info = JobInfo(
        job_id=job.id,
        session_id=job.session_id,
        tenant=job.tenant,
        task=task.get("text", ""),
        input_data=task.get("data") or {},
        files=files_of(task),
    )
    sessions = [entry for entry in history.transcript if entry["role"] == SESSION_ROLE]
    earlier, turns = _messages(sessions) if sessions else (), turns_of(history.transcript)
    files = tuple([one["data"] for one in named_files(history.transcript) if "data" in one])
    edits = {name: value for name, value in task.get(FORK, {}).get("edits", {}).items() if name in _OVERRIDES}
    return Recorded(info, earlier, turns, history.results, messages_in(history.transcript), files, edits)


def _messages(sessions: Sequence[Mapping[str, Any]]) -> tuple[Message | str, ...]:
    from baton.conversation import exchanges  # noqa: PLC0415 - calls of most agents have no need of it

    return tuple([message for entry in sessions for message in exchanges.as_history(entry)])


async def recorded_starter(reader: Reader, effect: RunTool) -> tuple[RunTool, Recorded] | None:
    """Read the call of an operation as its job has made it, and that job's run; None: its data is gone."""
    call_id, _ = started_by(effect.job.id)
    snapshot = await reader.job(job_of_call(call_id))
    made = next((call for call in snapshot.calls if call.id == call_id), None) if snapshot else None
    if snapshot is None or made is None:
        return None
    transcript = await reader.transcript(snapshot.job.id)
    history = History(uncompacted(transcript, snapshot.job.compacted), snapshot.results)
    call = replace(effect.call, turn=made.turn, position=made.position)
    return replace(effect, call=call), recorded(snapshot.job, history)


async def runner_turn(
    runner: Runner, record: Recorded, text_stream: TextStream | None, limit_seconds: float
) -> ModelAnswered | ModelFailed:
    """Do one turn."""
    listener: Listener | None = text_stream
    try:
        with chat_span(runner.name) as answered_with:
            async with asyncio.timeout(limit_seconds):
                turn = await contained(lambda: runner.turn(record, listener))
            answered_with(turn.answer)
        return _answered(turn, await text_stream.streamed_text() if text_stream else None)
    except TimeoutError:
        return ModelFailed(Failure("model_timeout", f"no answer within {limit_seconds:g} s", retryable=True))
    except ModelError as error:
        return model_failed(error)
    except RunFailedError as error:
        failure = Failure(storable(error.type), storable(error.message), partial=storable(error.partial))
        return ModelFailed(failure, extra_usage=usage_of_spent(error.spent))
    except Exception as error:  # noqa: BLE001 - foreign code: its failure is the job's
        kind = error.type if isinstance(error, CutShortError) else type(error).__name__
        return ModelFailed(Failure(kind, text_of(error) or "no message"))


def _answered(turn: RunnerAnswer, streamed_text: Any) -> ModelAnswered | ModelFailed:
    try:
        to_json(turn.answer.provider)  # data that no store can hold is not committed
        return _step_result(turn, streamed_text)
    except (ModelError, ValueError, PydanticSerializationError) as error:
        return unusable(turn.answer, error)


def _step_result(turn: RunnerAnswer, streamed_text: Any) -> ModelAnswered:
    answer = turn.answer
    wanted = tuple([Wanted(call.tool, call.arguments, None, _RETRIES) for call in answer.calls])
    if answer.is_cut and wanted:
        wanted = tuple([replace(call, fault=CUT_CALL) for call in wanted])
    elif any(turn.alone):
        wanted = _in_turn(wanted, turn.alone)
    if turn.correction:
        wanted = (Wanted(FINAL_TOOL, {}, Failure("invalid_output", storable(turn.correction))),)
    return ModelAnswered(
        whole_text(answer.text),
        wanted,
        count(answer.input_tokens, "answer.input_tokens"),
        count(answer.output_tokens, "answer.output_tokens"),
        cost(answer.cost_usd, "answer.cost_usd"),
        cached_input_tokens=count(answer.cached_input_tokens, "answer.cached_input_tokens"),
        provider=answer.provider,
        output=turn.output,
        streamed_text=streamed_text,
        cut=answer.is_cut,
        extra_usage=usage_of_spent(answer.spent_before),
    )


def _in_turn(calls: Sequence[Wanted], alone: Sequence[bool]) -> tuple[Wanted, ...]:
    """Make steps of the calls: a call runs whatever the outcome of those before it."""
    steps, last_alone, since = list[Wanted](), list[str](), list[str]()
    for at, (call, is_alone) in enumerate(zip(calls, alone, strict=True), start=1):
        before = (*last_alone, *since) if is_alone else tuple(last_alone)
        steps.append(replace(call, step=f"call {at}", depends_on=before, on_failure="continue"))
        since.append(f"call {at}")
        if is_alone:
            last_alone, since = [f"call {at}"], []
    return tuple(steps)


class RunnerTool(Struct, frozen=True):
    """A call of an agent with a runner, as it is run within limits."""

    name: str
    timeout_seconds: float
    runner: Runner
    record: Recorded
    effect: RunTool
    approved: bool
    background: bool | None = None

    async def run(
        self,
        arguments: Mapping[str, Any],
        context: ToolContext,
        in_thread: InThread = in_own_thread,  # noqa: ARG002 - the library has threads of its own
    ) -> CallReturned | NeedsApproval | Pending:
        """Run one attempt."""
        call = self.effect.call
        attempt = RunnerCall(call.turn, call.position, call.tool, copied_json(arguments), self.approved, context)
        with running(context):
            return await self.runner.call(self.record, attempt)


class StopProvider:
    """Asks the provider of a cancelled job to stop its remaining work."""

    def __init__(self, registry: Registry, limit_seconds: float) -> None:
        self._registry, self._limit_seconds = registry, limit_seconds

    async def __call__(self, snapshot: Snapshot, transcript: Sequence[dict[str, Any]]) -> StepResult:
        """Ask the provider, if it still works for the job."""
        job = snapshot.job
        try:
            runner = self._registry.agent(job.agent).runner
        except UnknownAgentError:
            return FollowedUp()
        if runner is None:
            return FollowedUp()
        history = History(uncompacted(transcript, job.compacted), snapshot.results)
        try:
            async with asyncio.timeout(self._limit_seconds):
                await contained(lambda: runner.abandon(recorded(job, history)))
        except Exception as error:  # noqa: BLE001 - foreign code
            retryable = error.retryable if isinstance(error, ModelError) else isinstance(error, TimeoutError)
            message = text_of(error) or "no answer in time"
            return NotFollowedUp(Failure("provider_not_stopped", message, retryable=retryable))
        return FollowedUp()

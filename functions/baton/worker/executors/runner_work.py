"""Tool calls of agents that have a runner, what both its turns and its calls get, and what it does after a job's end.

Invariant: every failure is a step result, as for Baton's own agents. Must not: know a runner's library.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from baton.engine.commit.answers import Claim, History
from baton.engine.effects import Release, RunTool, Work
from baton.engine.state import FORK, Job
from baton.engine.step_results import FollowedUp, NotFollowedUp, StepResult
from baton.engine.transcript import uncompacted
from baton.sdk.agents.registry import Registry, UnknownAgentError
from baton.sdk.agents.runner import CallReturned, JobInfo, NeedsApproval, Recorded, Runner, RunnerCall
from baton.sdk.models.model import Message, ModelError, UserMessage, files_of
from baton.sdk.records.own_threads import in_own_thread
from baton.sdk.records.redaction import copied_json
from baton.sdk.records.transcript import (
    MEMORY_ROLE,
    MODEL_ROLE,
    SESSION_ROLE,
    Failure,
    messages_in,
    named_files,
    turns_of,
)
from baton.sdk.tools.contained import contained
from baton.sdk.tools.context import ToolContext, running
from baton.sdk.tools.pending import Pending
from baton.sdk.tools.runnable import InThread
from baton.sdk.tools.running_calls import NotYetError
from baton.store.records.jobs import Snapshot
from baton.store.redis.reader import Reader
from baton.worker.executors.executor import MESSAGE_LIMIT_CHARS
from baton_events.ids import job_of_call, started_by
from baton_events.values.text import cut, text_of

# A fork's edits that replace settings of the agent (engine/fork.py).
_OVERRIDES = ("instructions", "model")
_Kind = tuple[dict[str, Any], ...]
_Entries = tuple[_Kind, _Kind, tuple[tuple[int, str], ...]]
_NO_ENTRIES: _Entries = ((), (), ())


def recorded(job: Job, history: History, now_ms: int = 0, reader: Reader | None = None) -> Recorded:
    """Return the records of a job for its runner. `reader`: of all that is compacted, too."""
    if job.stretch and not history.transcript:  # an open run needs no more, and another one reads the whole
        return Recorded(_info(job, {}), results=history.results, now_ms=now_ms, **_of_code(job, reader))
    task, info = history.transcript[0], _info(job, history.transcript[0])
    turns, others, messages = history.of_entries("recorded", _NO_ENTRIES, _with_entries)
    before = [entry for entry in others if entry["role"] in (MEMORY_ROLE, SESSION_ROLE)]
    earlier = _messages(before) if before else ()
    files = tuple([one["data"] for one in named_files(others) if "data" in one])
    edits = {name: value for name, value in task.get(FORK, {}).get("edits", {}).items() if name in _OVERRIDES}
    rest = (messages, files, edits, now_ms)
    return Recorded(info, earlier, turns, history.results, *rest, workspace=job.workspace, **_of_code(job, reader))


def _of_code(job: Job, reader: Reader | None) -> dict[str, Any]:
    whole = partial(_whole, job, reader) if reader and job.stretch else None
    return {"whole": whole, "stretch": job.stretch, "cancelled": job.cancelling is not None}


def _with_entries(known: _Entries, entries: Sequence[dict[str, Any]]) -> _Entries:
    """Return the model's entries, the others, and the user's messages while it ran, with those of further entries."""
    turns, others, messages = known
    new = [entry for entry in entries if entry["role"] != MODEL_ROLE]
    sent = messages_in((*others[:1], *turns[-1:], *entries))  # the first is the task, which is left out
    return (*turns, *turns_of(entries)), (*others, *new), (*messages, *sent)


def _info(job: Job, task: Mapping[str, Any]) -> JobInfo:
    return JobInfo(
        job_id=job.id,
        session_id=job.session_id,
        tenant=job.tenant,
        task=task.get("text", ""),
        input_data=task.get("data") or {},
        files=files_of(task),
    )


async def _whole(job: Job, reader: Reader) -> Recorded:
    snapshot = await reader.job(job.id, whole=True)
    entries = snapshot.transcript if snapshot else ()
    kept = [entry for entry in entries if entry["role"] != MODEL_ROLE or entry["turn"] >= job.first_turn]
    stored = snapshot.results if snapshot else {}
    results = {name: each for name, each in stored.items() if ":" not in name}  # signals that are kept for later waits
    return recorded(job, History(tuple(kept), results))


def _messages(before: Sequence[Mapping[str, Any]]) -> tuple[Message | str, ...]:
    """Return the session's messages, the first of which has the system prompt, then what is remembered."""
    from baton.sdk.memory.entries import as_prompt  # noqa: PLC0415 - calls of most agents have no need of them
    from baton.worker.conversation import exchanges  # noqa: PLC0415 - as above

    remembered = [as_prompt(entry) for entry in before if entry["role"] == MEMORY_ROLE]
    sessions = [entry for entry in before if entry["role"] == SESSION_ROLE]
    notes = [UserMessage(text, note=True) for text in remembered if text]
    return (*[message for entry in sessions for message in exchanges.as_history(entry)], *notes)


async def recorded_starter(reader: Reader, effect: RunTool) -> tuple[RunTool, Recorded] | None:
    """Read the call of an operation as its job has made it, and that job's run; None: its data is gone."""
    call_id, _ = started_by(effect.job.id)
    snapshot = await reader.job(job_of_call(call_id), kept=True)
    made = next((call for call in snapshot.calls if call.id == call_id), None) if snapshot else None
    if snapshot is None or made is None:
        return None
    transcript = await reader.transcript(snapshot.job.id)
    history = History(uncompacted(transcript, snapshot.job.compacted), snapshot.results)
    call = replace(effect.call, turn=made.turn, position=made.position)
    return replace(effect, call=call), recorded(snapshot.job, history)


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
        call = self.effect.call
        given = (call.turn, call.position, call.tool, copied_json(arguments))
        attempt = RunnerCall(*given, self.approved, context, self.effect.again)
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
            await contained(lambda: runner.abandon(recorded(job, history)), self._limit_seconds)
        except Exception as error:  # noqa: BLE001 - foreign code
            retryable = error.retryable if isinstance(error, ModelError) else isinstance(error, TimeoutError)
            message = cut(text_of(error), MESSAGE_LIMIT_CHARS) or "no answer in time"
            return NotFollowedUp(Failure("provider_not_stopped", message, retryable=retryable))
        return FollowedUp()


class ReleaseWorkspace:
    def __init__(self, registry: Registry, reader: Reader, limit_seconds: float) -> None:
        self._registry, self._reader, self._limit_seconds = registry, reader, limit_seconds

    async def __call__(self, effect: Work, history: History, claim: Claim) -> StepResult:
        """Release it, once no step can be at work any more. What its provider cannot do now is tried again.

        Raises NotYetError: a step may still be at work, whose claim has ended.
        """
        del history
        assert isinstance(effect, Release), "this executor is registered for Release"
        until_ms = effect.ended_ms + int(1000 * self._limit_seconds) if effect.ended_ms else 0
        if until_ms > claim.now_ms:
            raise NotYetError(until_ms - claim.now_ms)
        job, transcript = effect.job, await self._reader.transcript(effect.job.id)
        if not transcript:  # a read may be older than the last write
            return NotFollowedUp(Failure("not_read", "the job cannot be read yet", retryable=True))
        try:
            runner = self._registry.agent(job.agent).runner
            workspaces, info = None if runner is None else runner.workspaces, _info(job, transcript[0])
            if workspaces is not None:
                runs_again, seconds = job.run > effect.run, self._limit_seconds
                await contained(lambda: workspaces.destroy(info, effect.workspace, runs_again=runs_again), seconds)
        except Exception as error:  # noqa: BLE001 - foreign code
            message = cut(text_of(error), MESSAGE_LIMIT_CHARS) or "no answer in time"
            return NotFollowedUp(Failure("not_released", message, retryable=True))
        return FollowedUp()

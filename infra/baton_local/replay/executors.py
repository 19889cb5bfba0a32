"""The real executors, except that what the recording does not have is noted and left; and the world around them.

That world, as far as it is neither store nor model, is a queue that keeps, and tokens that count. Invariant: a recorded
failure that no model or tool raised (an unknown agent, an index that did not answer) happens as it is recorded; every
other comes through the real code.
"""

import dataclasses
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from baton.engine.commit.answers import Claim, History
from baton.engine.effects import CallModel, RunTool, Work
from baton.engine.state import Job
from baton.engine.step_results import FollowedUp, ModelFailed, StepResult
from baton.sdk.memory.entries import Recalled, Recollection
from baton.sdk.memory.keeper import MemoryKeeper
from baton.sdk.memory.policy import Memory
from baton.sdk.records.memory import EntryKind, MemoryEntry
from baton.sdk.records.transcript import Failure
from baton.worker.conversation.earlier_jobs import MessagesOf
from baton.worker.conversation.exchanges import Exchange
from baton.worker.executors.executor import Executing
from baton_events.messages import Outgoing
from baton_local.replay.play import CurrentCall, Play

_OF_MODELS = {"model_error", "model_timeout"}


class RecordedTurn:
    def __init__(self, turn: Executing, play: Play) -> None:
        self._turn, self._play = turn, play

    async def __call__(self, effect: Work, history: History, claim: Claim) -> StepResult | None:
        """Do the turn as it was done."""
        assert isinstance(effect, CallModel), "this executor is registered for CallModel"
        job = self._play.jobs.get(effect.job.id)
        if job is None or not job.was_called(effect.turn, effect.attempt):
            self._play.unrecorded.append((effect.job.id, effect.turn, None))
            return None
        attempt = job.attempt(effect.turn, effect.attempt)
        assert attempt is not None, "it was asked"
        self._play.current = CurrentCall(effect.job.id, effect.turn, effect.attempt)
        failure = None if job.model_entry(effect.turn, effect.attempt) else attempt.failure
        if failure is not None and failure.type not in _OF_MODELS:
            return ModelFailed(Failure(failure.type, failure.message, failure.retryable))
        return await self._turn(effect, history, claim)


class RecordedRun:
    def __init__(self, run: Executing, play: Play) -> None:
        self._run, self._play = run, play

    async def __call__(self, effect: Work, history: History, claim: Claim) -> StepResult | None:
        """Run the tool as it ran."""
        assert isinstance(effect, RunTool), "this executor is registered for RunTool"
        call = self._play.call(effect.call.id)
        attempt = call.attempt(effect.attempt + effect.call.questions) if call else None
        if call is None or attempt is None or call.tool != effect.call.tool:
            self._play.unrecorded.append((effect.job.id, effect.call.turn, effect.call.position))
            return None
        if effect.call.after:  # a step gets the whole results of those before it
            results = {name: self._whole(name, stored) for name, stored in history.results.items()}
            history = dataclasses.replace(history, results=results)
        return await self._run(effect, history, claim)

    def _whole(self, call_id: str, stored: dict[str, Any]) -> dict[str, Any]:
        call = self._play.call(call_id)
        large = call.result_ref if call else None
        return {"ok": large.value} if large and "value" in large.model_fields_set else stored


async def nothing_left_to_do(effect: Work, history: History, claim: Claim) -> StepResult:
    """Do nothing for follow-ups: what was played is not remembered, sent or released a second time."""
    del effect, history, claim
    return FollowedUp()


class RecordedMemory(MemoryKeeper):
    """What was retrieved of memory then."""

    def __init__(self, play: Play) -> None:
        self._play = play

    @property
    def has_index(self) -> bool:
        """Never: tools are not run, so there is no question."""
        return False

    async def retrieve(
        self, policy: Memory, tenant: str, session_id: str, text: str, job_id: str, replaced: Collection[str] = ()
    ) -> Recollection:
        """Return what the job's recording has; nothing where it has nothing."""
        del policy, tenant, text, replaced
        job = self._play.jobs.get(job_id)
        entry = (job.memory() if job else None) or {"entries": [], "warnings": []}
        entries = tuple(_recalled(values, job_id) for values in entry["entries"])
        return Recollection(session_id, entries, tuple(entry["warnings"]))


class RecordedEarlier:
    """What was said before in the session then."""

    def __init__(self, play: Play) -> None:
        self._play = play

    async def before(
        self, job: Job, task: Mapping[str, Any], messages_of: MessagesOf | None = None
    ) -> tuple[Exchange, ...]:
        """Return what the job's recording has; nothing where it has nothing."""
        del task, messages_of
        recorded = self._play.jobs.get(job.id)
        entry = (recorded.recorded_before() if recorded else None) or {"exchanges": []}
        return tuple(
            Exchange(
                exchange["jobId"],
                exchange["question"],
                exchange.get("answer"),
                exchange["status"],
                exchange.get("messages", ""),
                tuple(exchange.get("files", ())),
                tuple(exchange.get("calls", ())),
            )
            for exchange in entry["exchanges"]
        )


def _recalled(values: dict[str, object], job_id: str) -> Recalled:
    created_ms, score = values["created"], values.get("score")
    assert isinstance(created_ms, int), "it is recorded as a number"
    kind: EntryKind = "exchange" if values["kind"] == "exchange" else "note"
    entry = MemoryEntry(
        id=str(values["id"]),
        kind=kind,
        text=str(values["text"]),
        session_id=str(values["sessionId"]),
        agent=str(values["agent"]),
        job_id=job_id,
        created_ms=created_ms,
    )
    return Recalled(entry, score if isinstance(score, float | int) else None)


class ReplayQueue:
    """`Queue` in memory; the player takes the messages out and delivers them."""

    def __init__(self) -> None:
        self._published: list[tuple[str, Outgoing]] = []
        self._count = 0

    async def publish(self, messages: Sequence[Outgoing]) -> list[str]:
        ids = [f"msg_{self._count + n}" for n in range(len(messages))]
        self._count += len(messages)
        self._published += zip(ids, messages, strict=True)
        return ids

    def take(self) -> list[tuple[str, Outgoing]]:
        """Return everything that was published since the last time; ids and messages."""
        taken, self._published = self._published, []
        return taken

    async def cancel(self, message_id: str) -> None:
        """Do nothing: played messages are not taken back."""

    async def close(self) -> None:
        """Do nothing: nothing is open."""


class CountingTokens:
    """`Randomness` that counts, so that every replay is the same."""

    def __init__(self) -> None:
        self._count = 0

    def token(self) -> str:
        self._count += 1
        return f"replay{self._count:018d}"

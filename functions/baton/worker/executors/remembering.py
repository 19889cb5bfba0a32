"""Earlier jobs: a first turn gets the session's exchanges and its memory; an ended job is remembered itself.

Invariant: retrieved data is recorded with the turn and never retrieved again: later attempts and turns find it in the
transcript. Memory and exchanges take at most half each of what the turn may still read. An index that does not answer
is a warning, and fails nothing unless the agent requires its memory. An outage of the store is raised, for the queue to
repeat. Remembering a job twice stores one entry.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace as struct_replace

from baton.engine.commit.answers import Claim, History
from baton.engine.effects import CallModel, Remember, Work
from baton.engine.state import Job
from baton.engine.step_results import FollowedUp, ModelFailed, NotFollowedUp, StepResult
from baton.sdk.agents.agent import Agent
from baton.sdk.agents.history import KeepAll
from baton.sdk.agents.registry import Registry, UnknownAgentError
from baton.sdk.memory.entries import question_of
from baton.sdk.memory.keeper import MemoryKeeper
from baton.sdk.memory.policy import Memory
from baton.sdk.records.transcript import MEMORY_ROLE, SESSION_ROLE, Failure
from baton.worker.conversation.conversation import BYTES_PER_TOKEN, size_bytes
from baton.worker.conversation.earlier_jobs import EarlierJobs
from baton.worker.conversation.exchanges import TOTAL_BYTES, WHOLE_BYTES, continued_operation, is_chat, recorded
from baton.worker.executors.executor import Executing, with_entries
from baton.worker.executors.memory_entries import exchange_of
from baton_events.errors import MemoryUnavailableError

if TYPE_CHECKING:
    from baton.worker.conversation.originals import Originals

_log = logging.getLogger("baton.memory")
_Executor = Callable[[Work, History, Claim], Awaitable[StepResult | None]]


# What was retrieved takes this part of a limit, as a divisor; the rest is for the task and the turns after it.
_SHARE = 2


def _with(history: History, entry: dict[str, Any]) -> History:
    total_bytes = history.size_bytes + size_bytes(entry)
    # What is made of an entry that is not recorded yet is for this attempt alone.
    return replace(history, transcript=(*history.transcript, entry), size_bytes=total_bytes, memo={})


class Recalling:
    """Performs CallModel: `turn`, with memory before it where the agent has one. `limit_bytes`: that a turn reads."""

    def __init__(
        self,
        turn: _Executor,
        registry: Registry,
        keeper: MemoryKeeper,
        limit_bytes: int,
        originals: "Originals | None" = None,
    ) -> None:
        self._turn, self._registry, self._keeper, self._limit_bytes = turn, registry, keeper, limit_bytes
        self._originals = originals

    async def __call__(self, effect: Work, history: History, claim: Claim) -> StepResult | None:
        """Retrieve memory, unless that was done before, and call the model."""
        assert isinstance(effect, CallModel), "this executor is registered for CallModel"
        if effect.turn > 1 or any(entry["role"] == MEMORY_ROLE for entry in history.transcript):
            return await self._turn(effect, history, claim)
        job, task = effect.job, history.transcript[0] if history.transcript else {}
        replaced = await self._originals.replaced(job, task) if self._originals else ()
        if replaced:
            await self._forget(job, replaced)
        policy = self._policy_of(job.agent)
        if policy is None:
            return await self._turn(effect, history, claim)
        found = await self._keeper.retrieve(policy, job.tenant, job.session_id, question_of(task), job.id, replaced)
        if policy.required and found.warnings:
            message = f"{'; '.join(found.warnings)}, and agent {job.agent!r} requires its memory"
            return ModelFailed(Failure("memory_unavailable", message, retryable=True))
        entry = found.recorded((self._limit_bytes - history.size_bytes) // _SHARE)
        step_result = await self._turn(effect, _with(history, entry), claim)
        return with_entries(step_result, (entry,))

    async def _forget(self, job: Job, replaced: Sequence[str]) -> None:
        """Forget what the job replaces; where the index does not answer, its own end does it again."""
        try:
            await self._keeper.forget_jobs(job.tenant, job.session_id, replaced)
        except MemoryUnavailableError as error:
            _log.warning("what job %s replaces is forgotten in part: %s", job.id, error)

    def _policy_of(self, agent: str) -> Memory | None:
        try:
            return self._registry.agent(agent).memory_policy
        except UnknownAgentError:
            return None  # the turn reports it


class Conversing:
    """Performs CallModel: `turn`, with the session's conversation before it where the job is part of a chat.

    `take_back`: whether a job that tells an operation's outcome is taken back instead; None: it is replayed.
    """

    def __init__(
        self,
        turn: Executing,
        registry: Registry,
        earlier: EarlierJobs,
        limit_bytes: int,
        take_back: Callable[[Job, str], Awaitable[bool]] | None = None,
    ) -> None:
        self._turn, self._registry, self._earlier, self._limit_bytes = turn, registry, earlier, limit_bytes
        self._take_back = take_back

    async def __call__(self, effect: Work, history: History, claim: Claim) -> StepResult | None:
        """Retrieve the session's exchanges, unless that was done before, and call the model."""
        assert isinstance(effect, CallModel), "this executor is registered for CallModel"
        looked = effect.turn > 1 or effect.offloaded > 0
        looked = looked or any(entry["role"] == SESSION_ROLE for entry in history.transcript)
        if looked or not history.transcript or not is_chat(history.transcript[0]):
            return await self._turn(effect, history, claim)
        operation = continued_operation(history.transcript[0])
        if operation and self._take_back and await self._take_back(effect.job, operation):
            return None  # it is cancelled, and its work item is gone
        try:
            agent = self._registry.agent(effect.job.agent)
        except UnknownAgentError:
            return await self._turn(effect, history, claim)  # the turn reports it
        messages_of = agent.runner.messages if agent.runner else None
        earlier = await self._earlier.before(effect.job, history.transcript[0], messages_of)
        entry = recorded(earlier, min(_limit_bytes(agent), (self._limit_bytes - history.size_bytes) // _SHARE))
        if not entry["exchanges"]:
            return await self._turn(effect, history, claim)
        step_result = await self._turn(effect, _with(history, entry), claim)
        return with_entries(step_result, (entry,))


def _limit_bytes(agent: Agent) -> int:
    most_bytes = WHOLE_BYTES if agent.runner else TOTAL_BYTES
    if isinstance(agent.history, KeepAll):
        return most_bytes
    return min(most_bytes, agent.history.max_tokens * BYTES_PER_TOKEN // _SHARE)


class RememberJob:
    def __init__(
        self,
        keeper: MemoryKeeper,
        work_limit_seconds: float,
        hide: Callable[[str], str] = str,
        originals: "Originals | None" = None,
    ) -> None:
        self._keeper, self._originals, self._work_limit_seconds = keeper, originals, work_limit_seconds
        self._hide = hide  # hides secrets in a text

    async def __call__(self, effect: Work, history: History, claim: Claim) -> StepResult:  # noqa: ARG002 - one signature
        """Store the job's exchange, unless there is nothing to remember, or the session was forgotten.

        Raises StoreError: it may be stored in part, and must be stored again.
        """
        assert isinstance(effect, Remember), "this executor is registered for Remember"
        job, task = effect.job, history.transcript[0]
        entry = exchange_of(job, task)
        try:
            async with asyncio.timeout(self._work_limit_seconds):
                if self._originals:
                    await self._originals.forget_replaced(job, task)
                if entry is None:
                    return FollowedUp()
                await self._keeper.store(job.tenant, struct_replace(entry, text=self._hide(entry.text)))
        except (TimeoutError, MemoryUnavailableError) as error:
            reason = str(error) or f"no answer within {self._work_limit_seconds:g} s"
            return NotFollowedUp(Failure("memory_unavailable", reason, retryable=True))
        return FollowedUp()

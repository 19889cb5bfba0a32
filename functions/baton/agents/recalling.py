"""A job's first turn with what is remembered: retrieves, lets the model turn see it, and has it recorded with the turn.

Invariant: what was retrieved once is never retrieved again: later attempts and turns find it in the transcript. An
outage of memory is told, and fails nothing unless the agent requires its memory.
"""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

from msgspec import structs

from baton.agents.registry import Registry, UnknownAgentError
from baton.core.effects import CallModel, Work
from baton.core.state import Failure
from baton.core.step_results import ExtraUsage, ModelAnswered, ModelFailed, StepResult
from baton.core.transcript import MEMORY_ROLE
from baton.memory.entries import question_of
from baton.memory.keeper import MemoryKeeper
from baton.memory.policy import Memory
from baton.ports import Claim, History

_Executor = Callable[[Work, History, Claim], Awaitable[StepResult | None]]


class Recalling:
    """Performs CallModel: `turn`, with memory before it where the agent has one."""

    def __init__(self, turn: _Executor, registry: Registry, keeper: MemoryKeeper) -> None:
        self._turn = turn
        self._registry = registry
        self._keeper = keeper

    async def __call__(self, effect: Work, history: History, claim: Claim) -> StepResult | None:
        """Retrieve, if that is still to be done, and ask the model."""
        assert isinstance(effect, CallModel), "this executor is registered for CallModel"
        policy = self._policy_of(effect.job.agent)
        if policy is None or effect.turn > 1 or any(entry["role"] == MEMORY_ROLE for entry in history.transcript):
            return await self._turn(effect, history, claim)
        job, question = effect.job, question_of(history.transcript[0])
        found = await self._keeper.retrieve(policy, job.tenant, job.session_id, question, job.id)
        if policy.required and found.warnings:
            message = f"{'; '.join(found.warnings)}, and agent {job.agent!r} requires its memory"
            return ModelFailed(Failure("memory_unavailable", message, retryable=True))
        entry = found.recorded()
        step_result = await self._turn(effect, replace(history, transcript=(*history.transcript, entry)), claim)
        return _with_entry(step_result, entry)

    def _policy_of(self, agent: str) -> Memory | None:
        try:
            return self._registry.agent(agent).memory_policy
        except UnknownAgentError:
            return None  # the turn says so


def _with_entry(step_result: StepResult | None, entry: dict[str, Any]) -> StepResult | None:
    match step_result:
        case ModelAnswered() | ModelFailed():
            extra_usage: ExtraUsage = step_result.extra_usage
            return structs.replace(
                step_result, extra_usage=structs.replace(extra_usage, entries=(entry, *extra_usage.entries))
            )
        case _:
            return step_result

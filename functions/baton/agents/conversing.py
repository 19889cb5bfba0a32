"""A chat's turn with what was said before: finds the session's earlier exchanges, and has them recorded with the turn.

Invariant: what was found once is never looked for again: later attempts and turns find it in the transcript. An outage
of the store is raised, for the queue to repeat.
"""

from dataclasses import replace
from typing import Any

from msgspec import structs

from baton.agents.executing import Executing
from baton.agents.registry import Registry, UnknownAgentError
from baton.conversation.earlier import Earlier
from baton.conversation.estimate import BYTES_PER_TOKEN
from baton.conversation.exchanges import TOTAL_BYTES, is_chat, recorded
from baton.conversation.policy import KeepAll
from baton.core.effects import CallModel, Work
from baton.core.step_results import ExtraUsage, ModelAnswered, ModelFailed, StepResult
from baton.core.transcript import SESSION_ROLE
from baton.ports import Claim, History

# Of what a policy lets a model be told; the rest is for the task and what follows from it.
_SHARE = 2


class Conversing:
    """Performs CallModel: `turn`, with the session's conversation before it where the job is part of a chat."""

    def __init__(self, turn: Executing, registry: Registry, earlier: Earlier) -> None:
        self._turn = turn
        self._registry = registry
        self._earlier = earlier

    async def __call__(self, effect: Work, history: History, claim: Claim) -> StepResult | None:
        """Find what was said before, if that is still to be done, and ask the model."""
        assert isinstance(effect, CallModel), "this executor is registered for CallModel"
        if effect.turn > 1 or not history.transcript or not is_chat(history.transcript[0]) or _is_known(history):
            return await self._turn(effect, history, claim)
        entry = recorded(
            await self._earlier.before(effect.job, history.transcript[0]), self._limit_bytes(effect.job.agent)
        )
        if not entry["exchanges"]:
            return await self._turn(effect, history, claim)
        step_result = await self._turn(effect, replace(history, transcript=(*history.transcript, entry)), claim)
        return _with_entry(step_result, entry)

    def _limit_bytes(self, agent: str) -> int:
        try:
            policy = self._registry.agent(agent).history
        except UnknownAgentError:
            return TOTAL_BYTES  # the turn says so
        if isinstance(policy, KeepAll):
            return TOTAL_BYTES
        return min(TOTAL_BYTES, policy.max_tokens * BYTES_PER_TOKEN // _SHARE)


def _is_known(history: History) -> bool:
    return any(entry["role"] == SESSION_ROLE for entry in history.transcript)


def _with_entry(step_result: StepResult | None, entry: dict[str, Any]) -> StepResult | None:
    match step_result:
        case ModelAnswered() | ModelFailed():
            extra_usage: ExtraUsage = step_result.extra_usage
            return structs.replace(
                step_result, extra_usage=structs.replace(extra_usage, entries=(entry, *extra_usage.entries))
            )
        case _:
            return step_result

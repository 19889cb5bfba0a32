"""Calls of models for one turn: within the agent's and the function's time, and through the cache where there is one.

Invariant: the time of all calls of a turn together is the function's; what one has used, the next no longer has.
"""

import asyncio
from dataclasses import replace

from msgspec import Struct

from baton.agents.agent import Agent
from baton.models.answer_cache import AnswerCache
from baton.models.model import Model, ModelAnswer, ModelRequest
from baton.ports import ModelCache
from baton.tools.contained import contained


class ModelCalls(Struct, frozen=True):
    """`limit_seconds` of one call; `deadline`: of the turn, in the event loop's time."""

    limit_seconds: float
    deadline: float
    cache: AnswerCache | None = None

    async def ask(self, model: Model, request: ModelRequest, share: float = 1.0) -> ModelAnswer:
        """Ask the cache, then the model.

        Args:
            model: who is asked.
            request: the question.
            share: of the time that is left; the rest stays for what comes after.

        Raises:
            TimeoutError: no answer in time.
            Exception: whatever the model raises; `CutShortError` for what is no `Exception`.
        """
        found = await self.cache.find(model, request) if self.cache else None
        if found is not None:
            return found
        now = asyncio.get_running_loop().time()
        limit_seconds = min(self.limit_seconds, max(0.0, self.deadline - now) * share)
        async with asyncio.timeout_at(now + limit_seconds):
            answer = await contained(lambda: model.answer(replace(request, time_limit_seconds=limit_seconds)))
        if self.cache:
            await self.cache.keep(model, request, answer)
        return answer


def calls_of(agent: Agent, tenant: str, work_limit_seconds: float, cache: ModelCache | None) -> ModelCalls:
    """The calls of a turn that begins now."""
    kept = AnswerCache(cache, tenant, agent.name, agent.cache_seconds) if cache and agent.cache_seconds else None
    return ModelCalls(
        limit_seconds=min(agent.model_timeout_seconds, work_limit_seconds),
        deadline=asyncio.get_running_loop().time() + work_limit_seconds,
        cache=kept,
    )

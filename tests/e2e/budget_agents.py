"""One agent whose calls cost a cent each, and share a dollar: `--app tests.e2e.budget_agents:registry`."""

import asyncio
import os

from baton import Agent, Budget, Registry
from baton.sdk.models.model import ModelAnswer, ModelRequest

LIMIT_USD, CALL_USD = 1.0, 0.01


class Cent:
    """A model that notes who has called it, before it answers."""

    name, reads_history = "cent", True

    async def answer(self, request: ModelRequest) -> ModelAnswer:
        """Take a while, as a provider does."""
        with open(os.environ["NOTES"], "a", encoding="utf-8") as notes:  # noqa: ASYNC230, PTH123, TID251 - one line, of the test's own environment
            notes.write(f"{os.getpid()}\n")
        await asyncio.sleep(0.1)
        return ModelAnswer("done", input_tokens=1, output_tokens=1, cost_usd=CALL_USD)


budget = Budget("all", usd=LIMIT_USD, per="total", reserve=CALL_USD)
registry = Registry([Agent("cent", model=Cent(), budgets=[budget])])

"""Budgets in dollars that no call ever fills: of agents whose model has no list price here.

Must not: be told of a model object, which says itself what its calls cost.
"""

from collections.abc import Iterator

from baton.sdk.agents.agent import chosen_models
from baton.sdk.agents.registry import Registry
from baton.sdk.models.catalog import listed_usd


def never_counted(registry: Registry) -> Iterator[str]:
    """Yield, for each agent with a budget in dollars that its model's calls never fill, what is wrong."""
    for agent in registry.agents:
        if any(budget.unit == "usd" for budget in (*registry.budgets, *agent.budgets)):
            for model in chosen_models(agent.model):
                if isinstance(model, str) and ":" in model and not listed_usd(model, 1_000_000, 1_000_000):
                    yield f"agent {agent.name!r} has a budget in dollars, and {model} no list price: it counts as 0"

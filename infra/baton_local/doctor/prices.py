"""Budgets in dollars that no call ever fills: of agents whose model has no list price here.

Must not: be told of a model object, which says itself what its calls cost.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

from baton.sdk.agents.agent import chosen_models
from baton.sdk.agents.loader import RegistryNotLoadedError, load_registry
from baton.sdk.agents.registry import Registry
from baton.sdk.models.catalog import listed_usd
from baton.settings.settings import Settings
from baton_local.doctor.finding import Finding, warning

BUDGETS = "budgets"


def never_counted(registry: Registry) -> Iterator[str]:
    """Yield, for each agent with a budget in dollars that its model's calls never fill, what is wrong."""
    for agent in registry.agents:
        if any(budget.unit == "usd" for budget in (*registry.budgets, *agent.budgets)):
            for model in chosen_models(agent.model):
                if isinstance(model, str) and ":" in model and not listed_usd(model, 1_000_000, 1_000_000):
                    yield f"agent {agent.name!r} has a budget in dollars, and {model} no list price: it counts as 0"


def check_budgets(settings: Settings) -> list[Finding]:
    """Check the budgets of the deployment's agents, where they can be imported from here."""
    if settings.app == Settings().app:
        return []
    sys.path.insert(0, str(Path.cwd()))  # as `baton dev` and uvicorn do
    try:
        return [warning(BUDGETS, each, "give it tokens") for each in never_counted(load_registry(settings.app))]
    except RegistryNotLoadedError:
        return []

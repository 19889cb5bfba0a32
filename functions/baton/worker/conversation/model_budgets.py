"""The budgets of a turn: those of the registry and of its agent, and the most that its model call costs.

Invariant: a turn that asks no model has none: a workflow's own code, or the steps of a fixed plan. Must not: count.
"""

from collections.abc import Callable
from functools import partial

from baton.engine.commit.answers import History
from baton.engine.effects import CallModel
from baton.sdk.agents.agent import Agent, chosen_models
from baton.sdk.agents.registry import Registry, UnknownAgentError
from baton.sdk.agents.runner import CodeRunner
from baton.sdk.models.catalog import listed_usd
from baton.sdk.models.chain import models_of
from baton.sdk.records.budget import Unit
from baton.worker.admission.budgeted import Declared
from baton.worker.conversation.conversation import correction, fixed_bytes, tokens_of

# The answer to an offloaded request is late by no more than this.
_OFFLOADED_MARGIN_SECONDS = 60


def budgets_by(registry: Registry, lease_ms: int) -> Callable[[CallModel, History], Declared | None]:
    """Return a function that gives the budgets of a turn; None: it has none.

    `lease_ms`: how long a call is at work at most. An offloaded one is answered later.
    """

    def declared(effect: CallModel, history: History) -> Declared | None:
        try:
            agent = registry.agent(effect.job.agent)
        except UnknownAgentError:  # which its turn reports
            return None
        asks_none = isinstance(agent.runner, CodeRunner) or (agent.runner is None and not chosen_models(agent.model))
        budgets = (*registry.budgets, *agent.budgets)
        if asks_none or not budgets:
            return None
        later_seconds = 0.0
        if agent.offload:
            later_seconds = agent.model_timeout_seconds + _OFFLOADED_MARGIN_SECONDS * len(chosen_models(agent.model))
        return Declared(budgets, partial(_bound, registry, agent, history), lease_ms + int(1000 * later_seconds))

    return declared


def _bound(registry: Registry, agent: Agent, history: History, unit: Unit) -> float:
    """Return what a call costs at most: its input, and the longest answer, of the dearest of its models."""
    most = agent.model_settings.get("max_tokens")
    if agent.runner is not None or not isinstance(most, int):
        return 0
    fixed = fixed_bytes(agent.instructions, registry.specs_of(agent))
    from baton.worker.conversation.sent_files import files_bytes, weighing  # noqa: PLC0415 - few agents have budgets

    files = 0 if agent.plan else files_bytes(history, weighing(registry, agent))
    read = round(correction(history) * tokens_of(history.size_bytes + fixed + files))
    if unit == "tokens":
        return read + most
    return max(listed_usd(model.name, read, most) for model in models_of(registry.model_of(agent)))

"""The version of an agent: its given name, or else a digest of its definition.

Invariant: two processes that load the same code have the same version. A function's code is no part of the digest: a
tool counts with its name, its description and its parameters. A change of code needs a named version.
"""

import json
from functools import lru_cache
from typing import Any

from baton.sdk.agents.agent import Agent, chosen_models
from baton.sdk.agents.registry import Registry
from baton.sdk.models.fingerprint import specs_value
from baton_events.ids import digest

_CHARS = 12
_NAME_CHARS = 120


def model_names(agent: Agent) -> str:
    """Return the names of the agent's models, in their order; empty: it has none."""
    if agent.runner is not None:
        return agent.runner.name[:_NAME_CHARS]
    models = chosen_models(agent.model)
    return ", ".join(model if isinstance(model, str) else model.name for model in models)[:_NAME_CHARS]


@lru_cache(256)
def version_of(registry: Registry, agent: Agent) -> str:
    if agent.version:
        return agent.version
    # The text of another value may contain an object's address, which differs in each process.
    made_of = json.dumps(_made_of(registry, agent), sort_keys=True, default=lambda value: type(value).__name__)
    return digest(made_of)[:_CHARS]


def tool_names(registry: Registry, agent: Agent) -> list[str]:
    """Return the names of an agent's tools and servers, as far as they are known before a job."""
    of_runner = agent.runner.made_of().get("tools", ()) if agent.runner else ()
    return [*registry.tools_of(agent), *(name for name, *_ in of_runner), *(server.name for server in agent.servers)]


def _made_of(registry: Registry, agent: Agent) -> dict[str, Any]:
    if agent.runner is not None:
        return {"model": model_names(agent), **agent.runner.made_of()}
    steps = [[step.name, getattr(step.tool, "name", step.tool), dict(step.arguments)] for step in agent.plan]
    return {
        "model": model_names(agent),
        "instructions": agent.instructions,
        "tools": specs_value(registry.specs_of(agent)),
        "settings": agent.request_settings,
        "output": specs_value([agent.output.spec]) if agent.output else None,
        "mode": agent.mode,
        "plan": steps,
        **({"servers": [server.name for server in agent.servers]} if agent.servers else {}),
    }

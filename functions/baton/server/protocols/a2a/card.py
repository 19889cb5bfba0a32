"""Agent cards: what an exposed agent is, where it is reached, and how a caller authenticates.

Invariant: a card names no agent that is not exposed, and nothing of how an agent works.
"""

from typing import Any
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from baton.sdk.agents.agent import Agent
from baton.sdk.agents.registry import agent_takes
from baton.sdk.agents.version import version_of
from baton.server.api.jobs.context import Context
from baton.server.api.problem import ApiError
from baton.server.protocols.a2a.body import VERSION
from baton.worker.container import Container

CARD_PATH = "/.well-known/agent-card.json"
PROTOCOL = "a2a"
_TRIED_TYPES = ("image/png", "application/pdf")


async def default_card(context: Context, request: Request) -> Response:
    """Answer the root address with DEFAULT_AGENT's card if it is exposed, else the first exposed agent's."""
    exposed = [agent for agent in context.container.registry.agents if PROTOCOL in agent.expose]
    if not exposed:
        raise ApiError(404, "no agent is exposed by A2A here: write Agent(expose='a2a')")
    wanted = context.container.settings.default_agent
    return _card(context, request, next((agent for agent in exposed if agent.name == wanted), exposed[0]))


async def show_card(context: Context, request: Request) -> Response:
    """Answer `GET /a2a/{agent}/.well-known/agent-card.json` with the agent's card."""
    return _card(context, request, exposed_agent(context.container, request.path_params["agent"]))


def _card(context: Context, request: Request, agent: Agent) -> Response:
    return JSONResponse(card_of(context.container, agent, str(request.base_url)))


def exposed_agent(container: Container, name: str) -> Agent:
    """Return the exposed agent of that name. Raises ApiError: 404, no exposed agent has that name."""
    exposed = {agent.name: agent for agent in container.registry.agents if PROTOCOL in agent.expose}
    if name not in exposed:
        listed = ", ".join(sorted(exposed)) or "none"
        raise ApiError(404, f"no agent {name!r} is exposed by A2A; there are: {listed}")
    return exposed[name]


def card_of(container: Container, agent: Agent, base_url: str) -> dict[str, Any]:
    """Build an agent's card. `base_url`: the request's, used where the deployment does not know its own."""
    base = (container.settings.worker_base_url or base_url).rstrip("/")
    description = agent.description or f"The agent {agent.name}."
    files = [kind for kind in _TRIED_TYPES if agent_takes(container.registry, agent, kind)]
    interface = {"url": f"{base}/a2a/{quote(agent.name)}", "protocolBinding": "JSONRPC", "protocolVersion": VERSION}
    return {
        "name": agent.name,
        "description": description,
        "version": version_of(container.registry, agent),
        "supportedInterfaces": [interface],
        "capabilities": {
            "streaming": True,
            "pushNotifications": bool(container.settings.callback_key),
            "extendedAgentCard": False,
        },
        "securitySchemes": {"bearer": {"httpAuthSecurityScheme": {"scheme": "Bearer"}}},
        "securityRequirements": [{"schemes": {"bearer": {"list": []}}}],
        "defaultInputModes": ["text/plain", "application/json", *files],
        "defaultOutputModes": ["application/json" if agent.output is not None else "text/plain"],
        "skills": [{"id": agent.name, "name": agent.name, "description": description, "tags": [agent.name]}],
    }

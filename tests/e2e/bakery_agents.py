"""An agent that bakes by an MCP server: `--app tests.e2e.bakery_agents:registry`; `BAKERY_URL` leads to a test."""

import os

from baton import Agent, Call, Registry, ScriptedModel
from baton.mcp import McpServer

_URL = os.environ["BAKERY_URL"]  # noqa: TID251 - a user's agent may read its environment
bake = Call("bake", {"bread": "rye"})
registry = Registry(agents=[Agent("baker", model=ScriptedModel([[bake], "Here it is."]), tools=[McpServer(_URL)])])

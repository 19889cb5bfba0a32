"""Agents that are tools of MCP: one talks slowly, one asks before it pays."""

from dataclasses import replace

from baton import Registry
from tests.e2e import a2a_agents

talker, payer = (replace(agent, expose="mcp") for agent in (a2a_agents.talker, a2a_agents.payer))
registry = Registry(agents=[talker, payer])

"""The doctor names tools that an agent's model is not sent, and MCP servers that list none."""

from pathlib import Path

import pytest

from baton.settings.settings import read_settings
from baton_local.doctor.checkup import check_tools
from baton_local.doctor.finding import Level

AGENTS = """
from baton import Agent, Registry, ScriptedModel
from baton.mcp import McpServer
from baton.sdk.mcp.mcp_server import McpContext
from baton.sdk.mcp.server_tools import server_tools

ODD = {"type": "object", "properties": {"a": {"$ref": "https://example.com/a.json"}}}
PLAIN = {"type": "object", "oneOf": [{"required": ["a"]}]}
listed = [{"name": "odd", "inputSchema": ODD}, {"name": "plain", "inputSchema": PLAIN}]
odd, plain = server_tools(McpServer("http://127.0.0.1:9/mcp"), McpContext(""), listed)
registry = Registry(
    [
        Agent("asks", ["openai:gpt-5-mini", "anthropic:claude-haiku-4-5"], tools=[odd, plain]),
        Agent("scripted", ScriptedModel(["done"]), tools=[odd]),
        Agent("gone", "openai:gpt-5-mini", tools=[McpServer("http://127.0.0.1:9/mcp")]),
    ]
)
"""


async def test_a_tool_that_a_model_is_not_sent_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "odd_agents.py").write_text(AGENTS)
    monkeypatch.chdir(tmp_path)
    *odd, gone = await check_tools(read_settings({"BATON_APP": "odd_agents:registry"}))
    assert [(one.level, one.check) for one in (*odd, gone)] == [(Level.WARNING, "tools")] * 3
    fault = "tool odd: it refers to 'https://example.com/a.json', which is not in it"
    assert [one.text for one in odd] == [
        f"agent 'asks': openai:gpt-5-mini is not sent {fault}",
        f"agent 'asks': anthropic:claude-haiku-4-5 is not sent {fault}",
    ]
    assert gone.text.startswith("agent 'gone': MCP server http://127.0.0.1:9/mcp")
    assert "allow" in gone.way_out


async def test_agents_that_are_not_here_are_left_to_dev_and_check() -> None:
    assert await check_tools(read_settings({"BATON_APP": "agents_that_are_elsewhere:registry"})) == []

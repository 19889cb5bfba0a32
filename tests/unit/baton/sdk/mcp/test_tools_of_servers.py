"""Agents use the tools of MCP servers as any other."""

import asyncio
import sys
import tracemalloc
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator
from typing import Any

import pytest
from mcp.server.mcpserver import MCPServer

from baton import Agent, CallLimit, Registry, ScriptedModel, tool
from baton.engine.state import CallRecord
from baton.mcp import ClientCredentials, McpContext, McpServer
from baton.sdk.mcp.client import McpError
from baton.sdk.mcp.client import listed as tools_listed
from baton.sdk.mcp.connections import sharing
from baton.sdk.mcp.server_tools import server_tools
from baton.sdk.models.model import Call
from baton.sdk.records.transcript import Failure
from baton.sdk.tools.context import ToolContext
from baton.sdk.tools.tool_error import ToolError
from baton.worker.admission import limited_calls
from baton.worker.runtime.job_view import job_view
from baton_events.bounded import HTTP_LIMIT_BYTES
from tests.unit.baton.kit.stage import Stage
from tests.unit.baton.sdk.mcp.served import PNG, Served, serving, shop

ACME = McpContext("acme")


@pytest.fixture
def runs() -> list[str]:
    return []


@pytest.fixture
async def served(runs: list[str]) -> AsyncIterator[Served]:
    async with serving(shop(runs)) as made:
        yield made


def stage_of(server: McpServer, *calls: Call, **agent: Any) -> Stage:
    model = ScriptedModel([*([call] for call in calls), "done"])
    return Stage(registry=Registry([Agent("shopper", model=model, tools=[server], **agent)]))


async def ran(stage: Stage) -> tuple[CallRecord, ...]:
    await stage.submit("shopper")
    await stage.run()
    return await stage.calls()


async def failed(stage: Stage) -> Failure:
    """What the job's only call, or else the job, fails with."""
    calls = await ran(stage)
    error = calls[0].error if calls else (await stage.snapshot()).job.error
    assert error is not None
    return error


async def test_a_call_is_a_call_as_any_other(served: Served, runs: list[str]) -> None:
    """Prefix and name that models take, structured results, text, resources by link, pictures as files."""
    server = McpServer(
        served.url, prefix="shop_", headers=lambda context: {"Authorization": f"Bearer {context.tenant}"}
    )
    made = [
        Call("shop_price", {"item": "tea"}),
        Call("shop_order_item", {"item": "tea", "count": 2}),
        Call("shop_show"),
    ]
    stage = stage_of(server, *made)
    await ran(stage)
    results = [result["ok"] for result in (await stage.snapshot()).results.values()]
    assert results[:2] == [{"euros": 3}, {"result": "2 tea ordered"}]
    link = {"type": "resource_link", "name": "manual", "uri": "https://shop.example/manual"}
    assert results[2][0] == {"type": "text", "text": "a picture"}
    session_id = (await stage.snapshot()).job.session_id
    picture = await stage.ports.chats.read_file("acme", session_id, results[2][1]["name"])
    assert picture == f"image/png,{urlsafe_b64encode(PNG).decode()}"
    assert results[2][2] == link
    assert results[2][3] == {"type": "image", "data": f"[{len(PNG)} bytes, left out]"}  # it is no GIF
    assert (runs, served.tokens) == (["price tea", "order 2 tea"], {"Bearer acme"})
    assert "SET" not in stage.cache.connection.sent  # the server says that its list is stale at once


async def test_calls_of_a_server_share_its_limits(
    served: Served, runs: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limited_calls, "_WAIT_HERE_MS", 0)  # the stage's time stands still meanwhile
    limits = [CallLimit(lambda call: f"shop:{call.tool}", per_minute=1)]
    stage = stage_of(McpServer(served.url, call_limits=limits), *[Call("price", {"item": "tea"})] * 2)
    await stage.submit("shopper")
    await stage.run(within_seconds=30)
    assert runs == ["price tea"]
    waiting = str(job_view(await stage.snapshot(), stage.clock.now_ms())["waitingFor"])
    assert waiting.startswith("the limit 'shop:price'")
    await stage.run()
    assert [call.attempts for call in await stage.calls()] == [1, 1]
    with pytest.raises(TypeError, match="call_limits must be a list of CallLimit, got 3"):
        McpServer(served.url, call_limits=3)  # type: ignore[arg-type]


async def test_the_models_tools_are_those_that_the_server_lists(served: Served) -> None:
    """Description and schema are the server's; `allow` says which count."""
    kept = McpServer(served.url, allow=["price"])
    [listed] = server_tools(kept, ACME, await tools_listed(kept, ACME, None))
    assert (listed.name, listed.description, listed.retries) == ("price", "Say what an item costs.", 2)
    assert listed.parameters["required"] == ["item"]


async def test_an_invocation_has_one_connection_to_a_server(served: Served, runs: list[str]) -> None:
    @sharing
    async def invocation(server: McpServer) -> None:
        tools = {each.name: each for each in server_tools(server, ACME, await tools_listed(server, ACME, None))}
        run = ToolContext.for_test()
        await asyncio.gather(*(tools["price"].run({"item": item}, run) for item in ("tea", "milk")))
        assert served.heard.count("server/discover") == 1
        served.down = 1
        with pytest.raises(ToolError):
            await tools["price"].run({"item": "tea"}, run)
        await tools["price"].run({"item": "tea"}, run)

    await invocation(McpServer(served.url))
    assert (served.heard.count("server/discover"), len(runs)) == (2, 3)


async def test_tokens_are_got_with_the_clients_credentials(served: Served) -> None:
    served.secret = "s3cret"
    issuer = served.url.removesuffix("/mcp")
    auth = ClientCredentials("baton", "s3cret", issuer)
    server = McpServer(served.url, auth=auth)
    [call] = await ran(stage_of(server, Call("price", {"item": "tea"})))
    assert (call.status, served.asked) == ("completed", 1)
    refused = McpServer(served.url, auth=ClientCredentials("baton", "wr0ng", issuer))
    with pytest.raises(McpError) as caught:
        await tools_listed(refused, ACME, None)
    assert "wr0ng" not in str(caught.value)


async def test_a_name_that_the_server_does_not_have_is_said_at_once(served: Served) -> None:
    """The turn fails without another attempt, and names those that there are."""
    stage = stage_of(McpServer(served.url, allow=["prize"]))
    shown = (await failed(stage)).message
    assert "has no tool prize, which `allow` names; it has: order.item, price, refuse, show" in shown
    assert (await stage.snapshot()).job.attempts == 1


def test_a_tool_without_a_name_is_refused_unless_it_is_left_out() -> None:
    listing = [{"name": ""}, {"name": "price"}]
    with pytest.raises(McpError, match=r"lists a tool without a name; name those that you need"):
        list(server_tools(McpServer("https://a.example"), ACME, listing))
    [kept] = server_tools(McpServer("https://a.example", allow=["price"]), ACME, listing)
    assert kept.name == "price"


async def test_a_refusal_is_the_calls_error_and_is_not_retried(served: Served, runs: list[str]) -> None:
    error = await failed(stage_of(McpServer(served.url), Call("refuse")))
    assert (error.type, "refuse" in error.message, runs) == ("mcp_tool_error", True, ["refuse"])


async def test_arguments_are_checked_before_the_server_is_asked(served: Served, runs: list[str]) -> None:
    """Each fault names its place, without the value, which may be secret."""
    arguments = {"item": "tea", "count": "s3cret"}
    error = await failed(stage_of(McpServer(served.url), Call("order_item", arguments)))
    assert "count: does not fit type: integer" in error.message
    assert "s3cret" not in error.message
    assert not runs


@pytest.mark.parametrize(("made", "attempts"), [(Call("price", {"item": "tea"}), 2), (Call("refuse"), 1)])
async def test_a_lost_connection_is_retried_where_that_is_safe(served: Served, made: Call, attempts: int) -> None:
    """Tools that are read-only or idempotent by their annotations are; others may have done their work already."""
    served.down = 1
    [call] = await ran(stage_of(McpServer(served.url), made))
    assert served.heard.count("tools/call") == attempts
    assert (call.error is None) == (attempts > 1)


async def test_approval_comes_before_the_call(served: Served, runs: list[str]) -> None:
    """As for a tool with `requires_approval`."""
    stage = stage_of(McpServer(served.url, requires_approval=True), Call("price", {"item": "tea"}))
    await stage.submit("shopper")
    await stage.run(within_seconds=3_600)
    calls = await stage.calls()
    assert ({call.status for call in calls}, runs) == ({"waiting"}, [])


async def test_a_list_that_changes_in_mid_run_reaches_the_model_as_such(runs: list[str]) -> None:
    mcp = MCPServer("changing")

    @mcp.tool()
    def swap() -> str:
        """Put another tool in place of this one."""
        mcp.remove_tool("swap")
        mcp.add_tool(later)
        return "swapped"

    def later() -> str:
        """Come later."""
        runs.append("later")
        return "now"

    async with serving(mcp) as served:
        server = McpServer(served.url, list_seconds=0)
        calls = await ran(stage_of(server, Call("swap"), Call("later"), Call("swap")))
    assert [call.error and call.error.type for call in calls] == [None, None, "unknown_tool"]
    assert runs == ["later"]


async def test_a_server_that_is_away_is_a_failure_that_passes() -> None:
    """The turn is tried again, as with a model's failure; the words name the server."""
    error = await failed(stage_of(McpServer("http://127.0.0.1:9/mcp")))
    assert "MCP server http://127.0.0.1:9/mcp: its tools cannot be listed" in error.message


async def test_a_name_twice_is_refused_with_the_way_out(served: Served) -> None:
    @tool
    async def price(item: str) -> str:
        """Guess."""
        return item

    agent = Agent("shopper", model=ScriptedModel(["done"]), tools=[McpServer(served.url), price])
    error = await failed(Stage(registry=Registry([agent])))
    assert "has two tools named 'price'; give its MCP server a prefix" in error.message


@pytest.mark.long
async def test_a_program_of_this_machine_is_a_server(runs: list[str]) -> None:
    code = "from tests.unit.baton.sdk.mcp.served import shop; shop([]).run()"
    stage = stage_of(McpServer(command=[sys.executable, "-c", code]), Call("price", {"item": "tea"}))
    await ran(stage)
    [result] = (await stage.snapshot()).results.values()
    assert result == {"ok": {"euros": 3}}


ENDLESS = """
import json, sys
about = {"protocolVersion": "2025-06-18", "capabilities": {"tools": {}}, "serverInfo": {"name": "e", "version": "1"}}
tool = {"name": "price", "description": "d", "inputSchema": {"type": "object", "properties": {}}}
for line in sys.stdin:
    asked = json.loads(line)
    found = {"initialize": about, "tools/list": {"tools": [tool]}}.get(asked.get("method"), {})
    if asked.get("method") == "tools/call":
        found = {"content": [{"type": "text", "text": "x" * 40_000_000}]}
    reply = {"jsonrpc": "2.0", "id": asked.get("id"), "result": found}
    if "id" in asked:
        print(json.dumps(dict(sorted(reply.items(), reverse=BACKWARDS))), flush=True)
"""


@pytest.mark.parametrize("backwards", [False, True])
async def test_a_line_of_such_a_program_is_bounded(*, backwards: bool) -> None:
    """Its own call fails at once, wherever the line has its id."""
    server = McpServer(command=[sys.executable, "-c", ENDLESS.replace("BACKWARDS", str(backwards))])
    [tool] = server_tools(server, ACME, await tools_listed(server, ACME, None))
    tracemalloc.start()
    try:
        with pytest.raises(ToolError, match=f"more than {HTTP_LIMIT_BYTES} bytes"):
            async with asyncio.timeout(20):
                await tool.run({}, ToolContext.for_test())
        assert tracemalloc.get_traced_memory()[1] < 3 * HTTP_LIMIT_BYTES
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({}, "needs a url"),
        ({"url": "https://a.example/mcp", "command": ["x"]}, "needs a url"),
        ({"url": "a.example"}, "must begin with https://"),
        ({"url": "https://a.example", "prefix": "a b"}, "prefix 'a b'"),
        ({"url": "https://a.example", "allow": "price"}, "must be lists"),
        ({"url": "https://a.example", "timeout_seconds": 0}, "timeout_seconds"),
        ({"url": "https://a.example", "list_seconds": -1}, "list_seconds"),
        ({"command": ["x"], "headers": {"a": "b"}}, "takes no headers"),
    ],
)
def test_what_cannot_work_is_refused(fields: dict[str, Any], words: str) -> None:
    with pytest.raises((ValueError, TypeError), match=words):
        McpServer(**fields)

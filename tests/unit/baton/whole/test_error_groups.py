"""A group of errors, as task groups raise it: whoever is told of the failure reads what each of them says."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pydantic_ai
import pytest

from baton import Agent, Call, Event, HandlerContext, Registry, ScriptedModel, ToolContext, ToolError, on, tool
from baton.pydantic_ai import durable
from baton.sdk.mcp.client import McpError, listed
from baton.sdk.mcp.mcp_server import McpContext, McpServer
from baton.sdk.models.model import ModelAnswer, ModelRequest
from baton.testing import Simulation
from tests.unit.baton.kit.stage import Stage
from tests.unit.baton.sdk.pydantic_ai.played import call, scripted
from tests.unit.baton.server.api.client import ACME, Api, api_of, with_keys

FAULTS = ["PermissionError: no access to ledger 7", "KeyError: 'page'"]


async def _fails(error: Exception) -> None:
    raise error


async def book() -> str:
    async with asyncio.TaskGroup() as inner, asyncio.TaskGroup() as outer:
        outer.create_task(_fails(PermissionError("no access to ledger 7")))
        inner.create_task(_fails(KeyError("page")))
    return "booked"


def book_in_a_thread() -> str:
    raise ExceptionGroup("two faults", [PermissionError("no access to ledger 7"), KeyError("page")])


def _of_a_tool() -> Any:
    return Agent(name="a", model=_calling(), tools=[tool(name="book")(book_in_a_thread)])


def _of_an_approval_rule() -> Any:
    async def asks(_: dict[str, Any], __: ToolContext) -> bool:
        return bool(await book())

    @tool(name="book", requires_approval=asks)
    def pay() -> str:
        return "paid"

    return Agent(name="a", model=_calling(), tools=[pay])


def _of_a_librarys_tool() -> Any:
    agent = pydantic_ai.Agent(scripted([call("book")], "done"), name="a")
    agent.tool_plain(name="book")(book_in_a_thread)
    return durable(agent)


def _of_a_librarys_hook() -> Any:
    agent = pydantic_ai.Agent(scripted("done"), name="a")
    agent.instructions(book_in_a_thread)
    return durable(agent)


def _of_a_model() -> Any:
    class Own(ScriptedModel):
        async def answer(self, request: ModelRequest) -> ModelAnswer:
            del request
            return ModelAnswer(await book())

    return Agent(name="a", model=Own(["done"]), model_retries=0)


def _calling() -> ScriptedModel:
    return ScriptedModel([[Call("book", {})], "done"])


@pytest.mark.parametrize(
    "made", [_of_a_tool, _of_an_approval_rule, _of_a_librarys_tool, _of_a_librarys_hook, _of_a_model]
)
async def test_each_error_of_a_group_has_a_line(made: Callable[[], Any]) -> None:
    run = await Simulation(Registry([made()])).run("a", "Go.")
    message = run.calls[0]["error"]["message"] if run.calls else (run.error or {})["message"]
    assert sorted(message.split("\n")[1:]) == sorted(FAULTS)


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    @on("order.created", retries=0)
    async def ledger(event: Event, ctx: HandlerContext) -> None:
        await book()

    async with api_of(Stage(settings=with_keys(), registry=Registry([], handlers=[ledger]))) as made:
        yield made


async def test_a_handlers_failure_says_what_each_error_is(api: Api) -> None:
    sent = await api.request("POST", "/api/events", ACME, json={"name": "order.created", "data": {}})
    await api.stage.run()
    shown = (await api.request("GET", f"/api/events/{sent.json()['id']}", ACME)).json()["handlers"][0]
    assert sorted(shown["error"]["message"].split("\n")[1:]) == sorted(FAULTS)
    assert all(fault in letter.answer for letter in api.stage.records.dead.values() for fault in FAULTS[:1])


async def test_a_servers_connection_says_what_each_error_is() -> None:
    server = McpServer("http://127.0.0.1:9/mcp", headers=lambda _: {"a": book_in_a_thread()})
    with pytest.raises(McpError) as caught:
        await listed(server, McpContext("t", "s", "j"), None)
    assert all(f"\n{fault}" in str(caught.value) for fault in FAULTS)


@pytest.mark.parametrize(
    ("members", "runs"),
    [
        ([OSError("gone")], 2),
        ([OSError("gone"), ToolError("busy", retryable=True)], 2),
        ([OSError("gone"), ToolError("closed")], 1),
        ([OSError("gone"), ValueError("bad")], 1),
    ],
)
async def test_a_group_may_pass_where_each_of_its_errors_may(members: list[Exception], runs: int) -> None:
    seen = list[int]()

    @tool(name="book", retry_on=[OSError], retries=1)
    async def pay() -> str:
        seen.append(1)
        raise ExceptionGroup("faults", members)

    await Simulation(Registry([Agent(name="a", model=_calling(), tools=[pay])])).run("a", "Go.")
    assert len(seen) == runs

"""A client of MCP in both revisions: calls methods, and holds what comes to the protocol's own types."""

import json
import re
from contextlib import AbstractAsyncContextManager
from typing import Any

import httpx
from mcp_types.methods import validate_server_result
from pydantic import BaseModel

from baton import Agent, Registry, ScriptedModel, Step, task_data, tool
from baton.sdk.models.model import Call
from tests.unit.baton.kit.approval_kit import Kit
from tests.unit.baton.server.api.client import ACME, Api, api_with
from tests.unit.baton.server.api.sessions.chatting import delivering

MODERN, LEGACY = "2026-07-28", "2025-11-25"
TASKS = "io.modelcontextprotocol/tasks"
TAKES_TASKS: dict[str, Any] = {"extensions": {TASKS: {}}, "elicitation": {}}
HOUR_SECONDS = 3_600


class Price(BaseModel):
    euros: int


@tool
async def greet(name: str) -> str:
    """Greet."""
    return f"Hello, {name}!"


@tool
async def fail() -> None:
    """Fail."""
    raise ValueError("the sea is rough")


def registry_of(kit: Kit) -> Registry:
    pays = ScriptedModel([[Call("pay", {"to": "Ann", "amount": 5})], "done"])
    output = ScriptedModel([[Call("final_result", {"euros": 3})]])
    return Registry(
        [
            Agent(name="talks", model=ScriptedModel(["good day"]), description="Talks.", expose="mcp"),
            Agent(name="pays", model=pays, tools=[kit.pay], expose={"mcp", "a2a"}),
            Agent(name="prices", model=output, output_type=Price, expose="mcp"),
            Agent(name="greets", plan=[Step("greet", greet, {"name": task_data["name"]})], expose="mcp"),
            Agent(name="fails", plan=[Step("fail", fail)], expose="mcp"),
            Agent(name="hidden", model=ScriptedModel(["psst"]), expose="a2a"),
        ]
    )


def exposed(kit: Kit | None = None, **settings: Any) -> AbstractAsyncContextManager[Api]:
    return api_with(registry_of(kit or Kit()), **settings)


class Client:
    """A client of one revision. `capabilities`: what it declares in each request of the newer one."""

    def __init__(self, api: Api, revision: str = MODERN, key: str = ACME, **capabilities: Any) -> None:
        self._api, self.revision, self._key, self._capabilities = api, revision, key, capabilities
        self.modern = revision == MODERN

    def message(self, method: str, **params: Any) -> tuple[dict[str, Any], dict[str, str]]:
        headers = {"accept": "application/json, text/event-stream", "mcp-protocol-version": self.revision}
        if self.modern:
            meta = {"protocolVersion": self.revision, "clientCapabilities": self._capabilities}
            of_protocol = {f"io.modelcontextprotocol/{name}": value for name, value in meta.items()}
            params = params | {"_meta": params.get("_meta", {}) | of_protocol}
            headers["mcp-method"] = method
            if named := params.get("name") or params.get("taskId"):
                headers["mcp-name"] = named
        return {"jsonrpc": "2.0", "id": "call-1", "method": method, "params": params}, headers

    async def posted(self, method: str, **params: Any) -> httpx.Response:
        """The answer to a request, while the messages that follow from it are delivered; no question expires."""
        body, headers = self.message(method, **params)
        return await self.sent(body, headers)

    async def sent(self, body: Any, headers: dict[str, str]) -> httpx.Response:
        request = self._api.request("POST", "/mcp", self._key, json=body, headers=headers)
        return await delivering(self._api, request, within_seconds=HOUR_SECONDS)

    async def result(self, method: str, **params: Any) -> dict[str, Any]:
        answer = (await self.posted(method, **params)).json()
        assert answer["id"] == "call-1"
        assert "error" not in answer, answer["error"]
        found: dict[str, Any] = answer["result"]
        if not method.startswith("tasks/") and found.get("resultType") != "task" and "task" not in found:
            validate_server_result(method, self.revision, found)
        return found

    async def error(self, method: str, **params: Any) -> tuple[int, int, Any]:
        response = await self.posted(method, **params)
        found = response.json()["error"]
        assert found["message"]
        return response.status_code, found["code"], found.get("data")

    async def called(self, tool_name: str, arguments: Any = None, **params: Any) -> dict[str, Any]:
        return await self.result("tools/call", name=tool_name, arguments=arguments or {"task": "hello"}, **params)

    async def streamed(self, method: str, **params: Any) -> list[dict[str, Any]]:
        answer = await self.posted(method, **params)
        assert answer.headers["content-type"].startswith("text/event-stream"), answer.text
        return [json.loads(text) for text in re.findall(r"^data: (.*)$", answer.text, re.MULTILINE)]


def text_of(result: dict[str, Any]) -> str:
    (content,) = result["content"]
    found: str = content["text"]
    return found

"""A client of A2A: calls methods, and holds what comes to the protocol's own messages."""

import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import httpx
from a2a.types import a2a_pb2
from google.protobuf.json_format import ParseDict

from baton import Agent, Registry, ScriptedModel
from baton.models.model import Call
from tests.unit.baton.api.client import ACME, Api, api_of, with_keys
from tests.unit.baton.api.sessions.chatting import delivering
from tests.unit.baton.kit.approval_kit import Kit
from tests.unit.baton.kit.stage import Stage

HOUR_SECONDS = 3_600
_RESULTS = {
    "SendMessage": a2a_pb2.SendMessageResponse,
    "SendStreamingMessage": a2a_pb2.StreamResponse,
    "SubscribeToTask": a2a_pb2.StreamResponse,
    "GetTask": a2a_pb2.Task,
    "CancelTask": a2a_pb2.Task,
    "ListTaskPushNotificationConfigs": a2a_pb2.ListTaskPushNotificationConfigsResponse,
}


def registry_of(kit: Kit) -> Registry:
    """Agents that are exposed: one that talks, one whose tool asks people; and one that is not."""
    model = ScriptedModel([[Call("pay", {"to": "Ann", "amount": 5})], "done"])
    talks = Agent(name="talks", model=ScriptedModel(["good day"]), description="Talks.", expose="a2a")
    pays = Agent(name="pays", model=model, tools=[kit.pay], expose={"a2a"})
    return Registry([talks, pays, Agent(name="hidden", model=ScriptedModel(["psst"]))])


@asynccontextmanager
async def exposed(kit: Kit | None = None, **settings: Any) -> AsyncIterator[Api]:
    """The API of these agents."""
    stage = Stage(settings=replace(with_keys(), **settings), registry=registry_of(kit or Kit()))
    async with api_of(stage) as api:
        yield api


def message(message_id: str, *parts: Any, **fields: Any) -> dict[str, Any]:
    made = [{"text": part} if isinstance(part, str) else {"data": part} for part in parts]
    return {"message": {"messageId": message_id, "role": "ROLE_USER", "parts": made, **fields}}


async def called(api: Api, agent: str, method: str, params: Any, key: str = ACME, **headers: str) -> httpx.Response:
    """Call a method, while the messages that follow from it are delivered; no question expires meanwhile."""
    body = {"jsonrpc": "2.0", "id": "call-1", "method": method, "params": params}
    sent = {"a2a-version": "1.0", **headers}
    request = api.request("POST", f"/a2a/{agent}", key, json=body, headers=sent)
    return await delivering(api, request, within_seconds=HOUR_SECONDS)


async def result(api: Api, agent: str, method: str, params: Any, key: str = ACME) -> dict[str, Any]:
    answer = (await called(api, agent, method, params, key)).json()
    assert answer["id"] == "call-1"
    assert "error" not in answer, answer["error"]
    ParseDict(answer["result"], _RESULTS[method]())
    found: dict[str, Any] = answer["result"]
    return found


async def task(api: Api, agent: str, params: Any, key: str = ACME) -> dict[str, Any]:
    found: dict[str, Any] = (await result(api, agent, "SendMessage", params, key))["task"]
    return found


async def error(api: Api, agent: str, method: str, params: Any, key: str = ACME, **headers: str) -> tuple[int, str]:
    answer = (await called(api, agent, method, params, key, **headers)).json()
    found = answer["error"]
    assert found["message"]
    return found["code"], (found.get("data") or [{}])[0].get("reason", "")


async def streamed(api: Api, agent: str, method: str, params: Any, **headers: str) -> list[dict[str, Any]]:
    answer = await called(api, agent, method, params, **headers)
    found = [json.loads(text)["result"] for text in re.findall(r"^data: (.*)$", answer.text, re.MULTILINE)]
    for one in found:
        ParseDict(one, _RESULTS[method]())
    return found

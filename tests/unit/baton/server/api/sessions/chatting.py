"""A client of chats: sends what `useChat` sends, while the messages that follow from it are delivered."""

import asyncio
import json
import math
import re
from collections.abc import Coroutine
from typing import Any

import httpx

from tests.unit.baton.server.api.client import ACME, Api


def user_message(message_id: str, text: str) -> dict[str, Any]:
    return {"id": message_id, "role": "user", "parts": [{"type": "text", "text": text}]}


def chat_body(chat: str, message_id: str, text: str, **fields: Any) -> dict[str, Any]:
    return {"id": chat, "messages": [user_message(message_id, text)], "trigger": "submit-message", **fields}


async def send(api: Api, chat: str, message_id: str, text: str, key: str = ACME, **fields: Any) -> httpx.Response:
    body = chat_body(chat, message_id, text, **fields)
    return await delivering(api, api.request("POST", "/api/chat", key, json=body))


async def delivering(
    api: Api, request: Coroutine[Any, Any, httpx.Response], within_seconds: float = math.inf
) -> httpx.Response:
    """Read an answer to its end, while the messages that follow from its request are delivered."""
    requesting = asyncio.create_task(request)
    while not requesting.done():
        await api.stage.run(within_seconds=within_seconds)
        await asyncio.sleep(0.005)
    return await requesting


async def send_now(api: Api, chat: str, message_id: str, text: str, **fields: Any) -> httpx.Response:
    """Send a message that is answered at once; nothing is delivered meanwhile."""
    return await api.request("POST", "/api/chat", json=chat_body(chat, message_id, text, **fields))


async def sending(api: Api, chat: str, message_id: str, text: str, **fields: Any) -> "asyncio.Task[httpx.Response]":
    """Send a message, of which nothing is delivered yet; whoever calls ends the task."""
    known, body = len(api.stage.queue.published), chat_body(chat, message_id, text, **fields)
    requesting = asyncio.create_task(api.request("POST", "/api/chat", json=body))
    for _ in range(1_000):
        if len(api.stage.queue.published) >= known + 2 or requesting.done():
            break
        await asyncio.sleep(0.005)
    return requesting


def parts_of(response: httpx.Response) -> list[dict[str, Any]]:
    found = re.findall(r"^data: (.*)$", response.text, re.MULTILINE)
    assert found[-1] == "[DONE]", response.text
    return [json.loads(text) for text in found[:-1]]


def job_of(response: httpx.Response) -> str:
    job_id: str = parts_of(response)[0]["messageId"]
    return job_id


def text_of(response: httpx.Response) -> str:
    return "".join(part["delta"] for part in parts_of(response) if part["type"] == "text-delta")

"""A front end of AG-UI: sends runs, and reads their events as the protocol's own types."""

import json
import re
from typing import Any

import httpx
from ag_ui.core import Event
from pydantic import TypeAdapter

from tests.unit.baton.api.client import ACME, Api
from tests.unit.baton.api.sessions.chatting import delivering

_EVENT = re.compile(r"id: (\d+-\d+\.\d+)\ndata: (.*)")
_Event = TypeAdapter[Any](Event)


def user(message_id: str, text: str) -> dict[str, Any]:
    return {"id": message_id, "role": "user", "content": text}


def run_input(run: str, *messages: dict[str, Any], thread: str = "thread-1", **fields: Any) -> dict[str, Any]:
    return {"threadId": thread, "runId": run, "messages": list(messages), "tools": [], "context": [], **fields}


async def send(api: Api, agent: str, body: dict[str, Any], key: str = ACME, last_id: str = "") -> httpx.Response:
    """Run an agent, and read its events to the end of the answer; no question expires meanwhile."""
    headers = {"last-event-id": last_id} if last_id else {}
    request = api.request("POST", f"/api/ag-ui/{agent}", key, json=body, headers=headers)
    return await delivering(api, request, within_seconds=3_600)


def ids_of(response: httpx.Response) -> list[str]:
    return [event_id for event_id, _ in _EVENT.findall(response.text)]


def events_of(response: httpx.Response) -> list[dict[str, Any]]:
    """The events, each held to the protocol's types: nothing in it may be unknown to them."""
    assert response.status_code == 200, response.text
    events = [json.loads(text) for _, text in _EVENT.findall(response.text)]
    for event in events:
        typed = _Event.validate_python(event)
        assert not typed.model_extra, f"AG-UI knows no {typed.model_extra} of {event}"
    return events


def kinds_of(response: httpx.Response) -> list[str]:
    return [event["type"] for event in events_of(response)]


def outcome_of(response: httpx.Response) -> dict[str, Any]:
    last = events_of(response)[-1]
    assert last["type"] == "RUN_FINISHED", last
    outcome: dict[str, Any] = last["outcome"]
    return outcome

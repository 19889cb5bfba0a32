"""`POST /api/agent/start` and the updates of its workflow."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from baton.server.app import build_app
from baton_events.errors import UnreadablePayloadError
from tests.unit.baton.server.api.client import ACME, ADMIN, OTHER, Api, api_with, assert_problem


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    async with api_with(redis_token="of the store") as made:
        yield made


class Socket:
    """A WebSocket of a client, as a server hands it to the app."""

    def __init__(self, api: Api, query: str, headers: dict[str, str] | None = None) -> None:
        self.received: list[dict[str, Any]] = []
        self._incoming: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._incoming.put_nowait({"type": "websocket.connect"})
        self._scope = {
            "type": "websocket",
            "path": "/api/agent/updates",
            "raw_path": b"/api/agent/updates",
            "query_string": query.encode(),
            "root_path": "",
            "headers": [(name.encode(), value.encode()) for name, value in (headers or {}).items()],
            "client": ("127.0.0.1", 1),
            "server": ("testserver", 80),
            "scheme": "ws",
            "subprotocols": [],
            "extensions": {"websocket.http.response": {}},
        }
        self.served = asyncio.create_task(self._serve(api))

    async def _serve(self, api: Api) -> None:
        await build_app(api.stage.container)(self._scope, self._incoming.get, self._send)

    async def _send(self, message: Any) -> None:
        self.received.append(dict(message))

    def leave(self) -> None:
        self._incoming.put_nowait({"type": "websocket.disconnect", "code": 1000})

    @property
    def parts(self) -> list[dict[str, Any]]:
        return [json.loads(one["text"]) for one in self.received if one["type"] == "websocket.send"]

    @property
    def status(self) -> int:
        """Of a refusal; 0: there was none."""
        found = (one["status"] for one in self.received if one["type"] == "websocket.http.response.start")
        return next(found, 0)


async def start(api: Api, **fields: Any) -> str:
    answer = await api.request("POST", "/api/agent/start", json={"request": "do it", **fields})
    assert answer.status_code == 202, answer.text
    assert list(answer.json()) == ["workflowId"]
    workflow: str = answer.json()["workflowId"]
    return workflow


async def test_a_socket_reports_all_parts_and_closes(api: Api) -> None:
    """One JSON part a message, the same as the stream's; the key is a header."""
    workflow = await start(api, agent="adds")
    socket = Socket(api, f"workflowId={workflow}", {"authorization": f"Bearer {ADMIN}"})
    await asyncio.sleep(0.02)
    await api.stage.run()
    await socket.served
    assert socket.parts == [json.loads(part) for part in (await api.stage.reader.parts(workflow, 0)).parts]
    assert socket.parts[-1]["type"] == "finish"
    assert socket.received[-1]["type"] == "websocket.close"
    assert socket.received[-1]["code"] == 1000


async def test_a_token_and_a_position_are_taken_from_the_query(api: Api) -> None:
    """Browsers can send no header with a WebSocket; who comes back is told the rest."""
    workflow = await start(api)
    await api.stage.run()
    made = (await api.request("POST", "/api/stream-tokens", json={"jobId": workflow})).json()["token"]
    socket = Socket(api, f"workflowId={workflow}&token={made}&last_message_id=1-2")
    await socket.served
    told = [json.loads(part) for part in (await api.stage.reader.parts(workflow, 2)).parts]
    assert socket.parts == [part for part in told if part["type"] not in ("data-event", "data-usage")]


async def test_who_may_not_follow_is_refused(api: Api) -> None:
    workflow, other = await start(api), await start(api)
    of_other = (await api.request("POST", "/api/stream-tokens", json={"jobId": other})).json()["token"]
    for query, key, status in (
        (workflow, "", 401),
        (f"{workflow}&token=x", "", 401),
        (f"{workflow}&token={of_other}", "", 403),
        (f"{workflow}&last_message_id=x", ACME, 400),
        (workflow, OTHER, 403),
        ("job_unknown", ACME, 404),
    ):
        socket = Socket(api, f"workflowId={query}", {"authorization": f"Bearer {key}"} if key else {})
        await socket.served
        assert (socket.status, socket.parts) == (status, []), query
    plain = await api.request("GET", "/api/agent/updates?workflowId=x", "")  # as where a host has no WebSocket
    assert "/stream" in assert_problem(plain, 426)
    assert plain.headers["upgrade"] == "websocket"


async def test_who_leaves_is_looked_for_no_longer(api: Api) -> None:
    workflow = await start(api, agent="adds")
    socket = Socket(api, f"workflowId={workflow}", {"authorization": f"Bearer {ADMIN}"})
    await asyncio.sleep(0.02)
    socket.leave()
    await socket.served
    await api.stage.run()
    assert (await api.read(workflow))["status"] == "completed"
    assert [part["type"] for part in socket.parts] == ["start"]


@pytest.mark.parametrize("ends", ["its process", "what is stored of its job", "its key"])
async def test_a_socket_that_ends_before_its_job_has_the_client_come_back(api: Api, ends: str) -> None:
    workflow = await start(api, agent="adds")
    socket = Socket(api, f"workflowId={workflow}", {"authorization": f"Bearer {ADMIN}"})
    await asyncio.sleep(0.02)
    if ends == "its process":
        api.stage.container.stopping.begun = True
    elif ends == "its key":
        api.stage.reader.connection.down = UnreadablePayloadError("k1")
    else:
        del api.stage.store.trees[workflow]
    await asyncio.wait_for(socket.served, 5)
    assert socket.received[-1].items() >= {"type": "websocket.close", "code": 1013}.items()

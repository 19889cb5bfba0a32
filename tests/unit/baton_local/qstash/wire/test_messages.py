import json
from base64 import b64encode
from typing import Any

import pytest

from baton_local.qstash.core.message import AttemptResult
from tests.unit.baton_local.qstash.served import Served

URL = "https://example.com/hook"


async def published(server: Served, path: str = URL, content: bytes = b"hello", **headers: str) -> str:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    answer: dict[str, str] = await server.call("POST", f"/v2/publish/{path}", content=content, headers=named)
    await server.settle()
    return answer["messageId"]


async def test_bulk_cancel_by_body_as_python_and_by_query_as_js(server: Served) -> None:
    delivered = await published(server)
    assert await server.call("DELETE", f"/v2/messages/{delivered}") == {"cancelled": 0}
    ids = [await published(server, Upstash_Delay="1h", Upstash_Label="x") for _ in range(4)]

    async def cancel(path: str = "/v2/messages", body: Any = None) -> Any:
        content = None if body is None else json.dumps(body)
        return await server.call("DELETE", path, content=content)

    assert await cancel(body={"messageIds": []}) == {"cancelled": 0}
    assert await cancel(body={"messageIds": ids[:1]}) == {"cancelled": 1}
    assert await cancel(f"/v2/messages?messageIds={ids[1]}&messageIds={ids[0]}") == {"cancelled": 1}
    assert await cancel("/v2/messages?label=x&count=1") == {"cancelled": 1, "cursor": await_seq(server, ids[2])}
    assert await cancel() == {"cancelled": 1}


def await_seq(server: Served, message_id: str) -> str:
    """The position of a message in the order of acceptance, which is what a cursor holds."""
    message = server.engine.storage.message("defaultUser", message_id)
    assert message is not None
    return str(message.seq)


@pytest.mark.parametrize(
    ("method", "path", "content"),
    [
        ("DELETE", "/v2/messages?lable=x", None),
        ("DELETE", "/v2/dlq?lable=x", None),
        ("POST", "/v2/dlq/retry?lable=x", None),
        ("DELETE", "/v2/messages", '{"ids": ["a"]}'),
        ("DELETE", "/v2/messages", "[]"),
        ("DELETE", "/v2/messages", "nope"),
        ("DELETE", "/v2/messages", '{"messageIds": [{}]}'),
        ("DELETE", "/v2/messages?count=9999", None),
    ],
)
async def test_unclear_bulk_calls_are_refused(server: Served, method: str, path: str, content: str | None) -> None:
    """A misspelt filter must never mean everything."""
    await published(server, Upstash_Delay="1h")
    response = await server.client.request(method, path, content=content)
    assert response.status_code == 400
    assert (await server.call("GET", "/admin/counters"))["users"]["defaultUser"]["unfinished"] == 1


async def test_events_are_newest_first_and_carry_the_messages_data(server: Served) -> None:
    """Every event has label, retry expression and flow data; bodies are base64."""
    server.answer = lambda _request: AttemptResult(500, {"X-Y": ["z"]}, b"no")
    message_id = await published(
        server,
        Upstash_Label="l",
        Upstash_Retries="1",
        Upstash_Retry_Delay="1000",
        Upstash_Flow_Control_Key="k",
        Upstash_Flow_Control_Value="rate=5",
    )
    await server.advance(2)
    events = (await server.call("GET", "/v2/events"))["events"]
    assert [event["state"] for event in events] == [
        "FAILED", "ERROR", "ACTIVE", "RETRY", "ERROR", "ACTIVE", "CREATED",
    ]  # fmt: skip
    for event in events:
        assert event["messageId"] == message_id
        assert (event["label"], event["labels"], event["retryDelayExpr"]) == ("l", ["l"], "1000")
        assert (event["flowControlKey"], event["rate"], event["period"]) == ("k", 5, 1)
        assert event["body"] == b64encode(b"hello").decode()
    error, retry = events[1], events[3]
    assert error["responseStatus"] == 500
    assert error["responseHeader"] == error["responseHeaders"] == {"X-Y": ["z"]}
    assert error["responseBody"] == b64encode(b"no").decode()
    assert retry["nextDeliveryTime"] == retry["time"] + 1_000


async def test_the_log_comes_in_pages_under_either_key(server: Served) -> None:
    """The last page has no cursor; `/v2/logs` shows the same; test_log.py looks at each filter."""
    for _ in range(2):
        await published(server)
    pages, cursor = [], ""
    while True:
        page = await server.call("GET", f"/v2/logs?count=4{cursor}")
        pages.append([event["state"] for event in page["logs"]])
        if "cursor" not in page:
            break
        cursor = f"&cursor={page['cursor']}"
    assert pages == [["DELIVERED", "ACTIVE", "CREATED", "DELIVERED"], ["ACTIVE", "CREATED"]]


async def test_dead_letter_is_retried_and_gone(server: Served) -> None:
    server.answer = lambda _request: AttemptResult(404, {}, b"\xff")
    await published(server, Upstash_Retries="0")
    (entry,) = (await server.call("GET", "/v2/dlq"))["messages"]
    assert (entry["responseStatus"], entry["responseBodyBase64"]) == (404, "/w==")
    assert await server.call("GET", f"/v2/dlq/{entry['dlqId']}") == entry
    response = await server.client.post(f"/v2/dlq/retry/{entry['dlqId']}")
    assert (response.status_code, set(response.json())) == (201, {"messageId"})
    assert (await server.client.delete(f"/v2/dlq/{entry['dlqId']}")).status_code == 404
    await server.settle()
    (again,) = (await server.call("GET", "/v2/dlq"))["messages"]
    assert await server.call("DELETE", "/v2/dlq", content=json.dumps({"dlqIds": [again["dlqId"]]})) == {"deleted": 1}
    assert (await server.client.post("/v2/dlq/retry")).json() == {"responses": []}

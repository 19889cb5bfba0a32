import asyncio
import json

import pytest

from baton_local.qstash.core.message import AttemptResult
from tests.unit.baton_local.qstash.served import OTHER_TOKEN, Served

URL = "https://Example.com:8443/hook?a=1"
OPTIONS = {
    "Upstash-Label": 'x"y,second',
    "Upstash-Flow-Control-Key": "k",
    "Upstash-Flow-Control-Value": "parallelism=5",
    "Upstash-Retries": "0",
}


@pytest.mark.parametrize(
    ("search", "found"),
    [
        ("host=example.com", 2), ("host=Example.com:8443", 2), ("host=com", 0), ("path=/hook", 2), ("path=/", 1),
        ("label=x%22y", 2), ("label=second", 2), ("label=second&label=none", 2), ("label=none,second", 2),
        ("label=x", 0), ("flowControlKey=k", 2), ("flowControlKey=q", 0), ("queueName=q", 2), ("queueName=k", 0),
        ("topicName=t", 1), ("scheduleId=s", 0), ("callerIp=10.0.0.1", 3), ("callerIp=10.0.0.2", 0),
        (f"url={URL.replace('?', '%3F')}", 2), ("label=second&topicName=t", 0), ("api=llm", 0), ("source=workflow", 0),
        ("responseStatus=500", 1), ("responseStatus=404", 0), ("state=DELIVERED&responseStatus=200", 2),
        ("state=FAILED&label=second", 1), ("state=FAILED&topicName=t", 0), ("state=CREATED,FAILED", 4),
        ("fromDate=1700000001000", 1), ("toDate=1700000000999", 2), ("fromDate=1700000000000&toDate=1700000001000", 3),
        ("messageId=none", 0), ("", 3),
    ],
)  # fmt: skip
async def test_each_filter_finds_the_messages_that_it_is_about(server: Served, search: str, found: int) -> None:
    """Two like one another, one of them failed, and one to a group a second later; another user sees none."""
    server.answer = lambda request: AttemptResult(500 if request.body == b"fail" else 200)
    await server.call("POST", "/v2/topics/t/endpoints", json={"endpoints": [{"url": "https://g.example/"}]})
    for body in (b"ok", b"fail"):
        await server.call("POST", f"/v2/enqueue/q/{URL}", headers=OPTIONS, content=body)
    await server.advance(1)
    await server.call("POST", "/v2/publish/t")
    await server.settle()
    events = (await server.call("GET", f"/v2/events?{search}"))["events"]
    if "state" not in search and "responseStatus" not in search:
        events = [event for event in events if event["state"] == "CREATED"]
    elif "responseStatus=500" in search:
        events = [event for event in events if event["state"] == "FAILED"]
    assert len(events) == found
    others = {"Authorization": f"Bearer {OTHER_TOKEN}"}
    assert (await server.call("GET", f"/v2/events?{search}", headers=others))["events"] == []


async def test_pages_follow_each_other_through_a_long_log_while_others_go_on(server: Served) -> None:
    """No event is shown twice, and none is left out; readers of a message are answered meanwhile."""
    items = json.dumps([{"destination": URL, "headers": {"Upstash-Delay": "1h"}}] * 1_000)
    accepted = [await server.call("POST", "/v2/batch", content=items) for _ in range(3)]
    message_id = accepted[-1][-1]["messageId"]
    shown, answers = list[str](), 0
    query: str | None = "state=CREATED&count=900&host=example.com"
    while query:
        page = asyncio.create_task(server.call("GET", f"/v2/events?{query}"))
        while not page.done():
            await server.call("GET", f"/v2/messages/{message_id}")
            await asyncio.sleep(0)
            answers += 1
        shown += [event["messageId"] for event in page.result()["events"]]
        cursor = page.result().get("cursor")
        query = cursor and f"state=CREATED&count=900&host=example.com&cursor={cursor}"
    assert (len(shown), len(set(shown)), shown[0]) == (3_000, 3_000, message_id)
    assert answers > 4

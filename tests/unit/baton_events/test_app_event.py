"""App events: what can be sent, and how `emit` sends it."""

import json
from collections.abc import Iterator

import pytest
import respx

from baton_events import emit
from baton_events.app_event import DATA_LIMIT_BYTES, AppEvent, AppEventError, app_event, name_fault, parse_app_event
from baton_events.emitter import OF_CALL
from baton_events.errors import MalformedEventError, SettingsError, TooLargeError


def made(name: str, data: object = None, key: str = "") -> AppEvent:
    return app_event(name, data, key, event_id="evt_1", tenant="acme", now_ms=0)


def test_data_and_key_are_checked_before_anything_is_sent() -> None:
    with pytest.raises(AppEventError, match="is not JSON"):
        made("order.created", {"at": object()})
    with pytest.raises(AppEventError, match="at most 200"):
        made("order.created", key="k" * 201)
    assert made("order.created", "x" * (DATA_LIMIT_BYTES - 2)).data
    with pytest.raises(TooLargeError, match="send a reference"):
        made("order.created", "x" * (DATA_LIMIT_BYTES - 1))


@pytest.mark.parametrize(
    "body", [b"no JSON", b"{}", b'{"id":"e","name":"a b","tenant":"t","createdAt":"2026-01-01T00:00:00Z"}']
)
def test_a_body_that_is_no_app_event_is_malformed(body: bytes) -> None:
    with pytest.raises(MalformedEventError, match="not an app event"):
        parse_app_event(body)


QUEUE = {"QSTASH_URL": "https://q.example.com", "QSTASH_TOKEN": "token", "WORKER_BASE_URL": "https://fn.example.com"}


@pytest.fixture
def queue(monkeypatch: pytest.MonkeyPatch) -> Iterator[respx.Route]:
    for name, value in QUEUE.items():
        monkeypatch.setenv(name, value)
    with respx.mock(assert_all_called=False) as mock:
        yield mock.post(url__startswith="https://q.example.com").respond(json={"messageId": "msg_1"})


async def test_emit_says_what_is_wrong(queue: respx.Route, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(AppEventError, match="7 days"):
        await emit("order.created", delay_seconds=7 * 86_400 + 1)
    monkeypatch.delenv("QSTASH_TOKEN")
    with pytest.raises(SettingsError, match="QSTASH_TOKEN"):
        await emit("order.created")
    assert not queue.called


async def test_inside_a_call_the_call_emits(queue: respx.Route) -> None:
    async def of_call(name: str, data: object = None, key: str = "", delay_seconds: float = 0) -> str:
        return f"{name} {data} {key} {delay_seconds}"

    token = OF_CALL.set(of_call)
    assert await emit("order.created", 1, "k", 2) == "order.created 1 k 2"
    OF_CALL.reset(token)
    assert not queue.called


@pytest.mark.parametrize("name", ["", "a b", ".a", "a..b", "é", "x" * 101, "agent.loop.init", "agent-tool-call"])
def test_a_name_is_letters_and_digits_with_single_signs_between_and_none_of_ours(name: str) -> None:
    with pytest.raises(AppEventError, match=r"name|event of Baton"):
        made(name)
    assert [name_fault(usual) for usual in ("order.created", "a", "Order_1-b.c", "x" * 100)] == [""] * 4


async def test_emit_publishes_to_the_names_endpoint_or_topic(
    queue: respx.Route, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the tenant of the environment, delayed where it says so; each event has an id of its own."""
    first = await emit("order.created", {"number": "A-7"}, key="A-7")
    monkeypatch.setenv("TENANT", "acme")
    monkeypatch.setenv("PUBLISH_BY", "topic")
    second = await emit("order.created", delay_seconds=60)
    requests = [call.request for call in queue.calls]
    assert [str(request.url).removeprefix("https://q.example.com/v2/publish/") for request in requests] == [
        "https://fn.example.com/workers/events/order.created",
        "agent.order-created",
    ]
    bodies = [json.loads(request.content) for request in requests]
    told = [(body["id"], body["tenant"], body["key"]) for body in bodies]
    assert told == [(first, "default", "A-7"), (second, "acme", "")]
    assert bodies[0]["data"] == {"number": "A-7"}
    assert [request.headers.get("upstash-delay") for request in requests] == [None, "60s"]
    assert first != second

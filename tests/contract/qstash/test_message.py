import json

import pytest

from tests.contract.qstash.destination import Destination
from tests.contract.qstash.either_client import EitherClient


@pytest.fixture
def url(destination: Destination, name: str) -> str:
    return destination.url(f"/{name}")


async def test_publish_arrives_with_options(sdk: EitherClient, destination: Destination, name: str) -> None:
    """Raw body, method, forwarded headers, content type; the id is the one that arrives."""
    answer = await sdk.message.publish(
        url=destination.url(f"/{name}?a=b"),
        body="text",
        content_type="text/plain",
        method="PUT",
        headers={"X-A": "1", "Authorization": "Bearer theirs"},
    )
    (request,) = destination.wait(f"/{name}?a=b")
    assert (request.method, request.body, request.headers["x-a"]) == ("PUT", b"text", "1")
    assert request.headers["authorization"] == "Bearer theirs"
    assert request.headers["content-type"] == "text/plain"
    assert request.headers["upstash-message-id"] == answer.message_id
    assert answer.deduplicated is False


async def test_publish_json_and_get(sdk: EitherClient, destination: Destination, name: str, url: str) -> None:
    """A message is readable right after publish, though it may be delivered already."""
    answer = await sdk.message.publish_json(
        url=url,
        body={"ex": "1"},
        retries=1,
        retry_delay="pow(2, retried)",
        callback=destination.url("/cb"),
        failure_callback=destination.url("/failed"),
        callback_headers={"Forward-X-A": "b"},
        label="test",
        flow_control={"key": name, "parallelism": 2, "rate": 10, "period": "1h30m3s"},
        timeout=300,
    )
    message = await sdk.message.get(answer.message_id)
    assert (message.url, message.body, message.method, message.max_retries) == (url, '{"ex": "1"}', "POST", 1)
    assert message.headers == {"Content-Type": ["application/json"]}
    assert (message.callback, message.failure_callback) == (destination.url("/cb"), destination.url("/failed"))
    assert message.callback_headers == {"Upstash-Forward-X-A": ["b"]}
    assert (message.label, message.retry_delay_expression) == ("test", "pow(2, retried)")
    control = message.flow_control
    assert (control.key, control.parallelism, control.rate, control.period) == (name, 2, 10, 5_403)
    assert message.not_before == message.created_at
    assert message.caller_ip == "127.0.0.1"
    (callback,) = destination.wait("/cb", 1)[-1:]
    assert callback.headers["x-a"] == "b"


async def test_what_was_not_given_is_absent(sdk: EitherClient, destination: Destination, name: str, url: str) -> None:
    """And a body that is no text comes as base64."""
    answer = await sdk.message.publish(url=url, body=b"\xff\x00")
    assert destination.wait(f"/{name}")[0].body == b"\xff\x00"
    plain = await sdk.message.get(answer.message_id)
    assert (plain.body, plain.body_base64) == ("", "/wA=")
    assert (plain.label, plain.callback, plain.flow_control) == (None, None, None)
    answer = await sdk.message.publish(url=url, flow_control={"key": name, "parallelism": 3})
    control = (await sdk.message.get(answer.message_id)).flow_control
    assert (control.parallelism, control.rate, control.period) == (3, None, 1)


async def test_enqueued_messages_arrive_in_order(
    sdk: EitherClient, destination: Destination, name: str, url: str
) -> None:
    for number in range(3):
        await sdk.message.enqueue(queue=name, url=url, body=str(number))
    last = await sdk.message.enqueue_json(queue=name, url=url, body=[1])
    assert [request.body for request in destination.wait(f"/{name}", 4)] == [b"0", b"1", b"2", b"[1]"]
    assert (await sdk.message.get(last.message_id)).queue == name


async def test_batch_mixes_kinds(sdk: EitherClient, destination: Destination, name: str, url: str) -> None:
    """URLs, groups and queues in one call, in order; GET with a body, null bodies."""
    await sdk.url_group.upsert_endpoints(name, [{"url": f"{url}/group"}])
    answer = await sdk.message.batch(
        [
            {"url": f"{url}/1", "method": "GET", "body": "body"},
            {"url_group": name},
            {"url": f"{url}/3", "queue": name, "headers": {"X-B": "2"}, "label": "l"},
        ]
    )
    assert [type(item).__name__ for item in answer] == ["BatchResponse", "list", "BatchResponse"]
    first, third = destination.wait(f"/{name}/1")[0], destination.wait(f"/{name}/3")[0]
    assert (first.method, first.body) == ("GET", b"body")
    assert first.headers["upstash-message-id"] == answer[0].message_id
    assert third.headers["x-b"] == "2"
    assert answer[1][0].url == f"{url}/group"
    single = await sdk.message.batch_json([{"url": f"{url}/4", "body": {"a": 1}}])
    assert len(single) == 1
    assert json.loads(destination.wait(f"/{name}/4")[0].body) == {"a": 1}


async def test_item_that_fails_leaves_the_batch_going(
    sdk: EitherClient, destination: Destination, name: str, url: str
) -> None:
    """The SDK cannot read an error item, but the others were sent."""
    with pytest.raises(KeyError):
        await sdk.message.batch([{"url": url}, {"url_group": f"{name}-unknown"}])
    destination.wait(f"/{name}")


async def test_cancelled_messages_never_arrive(sdk: EitherClient, name: str, url: str) -> None:
    """Only what is there counts."""
    ids = [(await sdk.message.publish(url=url, delay="1h", label=name)).message_id for _ in range(3)]
    await sdk.message.cancel(ids[0])
    logs = (await sdk.log.list(filter={"label": name, "message_id": ids[0]})).logs
    assert [(log.state.value, log.url) for log in logs] == [
        (state, url) for state in ("CANCELED", "CANCEL_REQUESTED", "CREATED")
    ]
    assert await sdk.message.cancel_many([ids[1], "msg_none"]) == 1
    assert await sdk.message.cancel_all() >= 1
    assert await sdk.message.cancel_all() == 0

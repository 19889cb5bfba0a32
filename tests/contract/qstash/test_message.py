import json

import pytest

from tests.contract.qstash.destination import Destination
from tests.contract.qstash.either_client import EitherClient


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


async def test_publish_json_and_get(sdk: EitherClient, destination: Destination, name: str) -> None:
    """A message is readable right after publish, though it may be delivered already."""
    flow_control = {"key": name, "parallelism": 2, "rate": 10, "period": "1h30m3s"}
    answer = await sdk.message.publish_json(
        url=destination.url(f"/{name}"),
        body={"ex": "1"},
        retries=1,
        retry_delay="pow(2, retried)",
        callback=destination.url("/cb"),
        failure_callback=destination.url("/failed"),
        callback_headers={"Forward-X-A": "b"},
        label="test",
        flow_control=flow_control,
        timeout=300,
    )
    message = await sdk.message.get(answer.message_id)
    assert (message.url, message.body, message.method, message.max_retries) == (
        destination.url(f"/{name}"),
        '{"ex": "1"}',
        "POST",
        1,
    )
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


async def test_flow_control_fields_absent_when_not_given(
    sdk: EitherClient, destination: Destination, name: str
) -> None:
    """The SDK tells unset from null by membership."""
    url = destination.url(f"/{name}")
    plain = await sdk.message.get((await sdk.message.publish(url=url)).message_id)
    assert plain.flow_control is None
    assert (plain.body, plain.label, plain.callback) == (None, None, None)
    answer = await sdk.message.publish(url=url, flow_control={"key": name, "parallelism": 3})
    control = (await sdk.message.get(answer.message_id)).flow_control
    assert (control.parallelism, control.rate, control.period) == (3, None, 1)


async def test_binary_body(sdk: EitherClient, destination: Destination, name: str) -> None:
    """Bytes that are no text arrive as they are and are shown in base64."""
    answer = await sdk.message.publish(url=destination.url(f"/{name}"), body=b"\xff\x00")
    assert destination.wait(f"/{name}")[0].body == b"\xff\x00"
    message = await sdk.message.get(answer.message_id)
    assert (message.body, message.body_base64) == ("", "/wA=")


async def test_batch_mixes_kinds(sdk: EitherClient, destination: Destination, name: str) -> None:
    """URLs, groups and queues in one call, in order; GET with a body, null bodies."""
    await sdk.url_group.upsert_endpoints(name, [{"url": destination.url(f"/{name}/group")}])
    answer = await sdk.message.batch(
        [
            {"url": destination.url(f"/{name}/1"), "method": "GET", "body": "body"},
            {"url_group": name},
            {"url": destination.url(f"/{name}/3"), "queue": name, "headers": {"X-B": "2"}, "label": "l"},
        ]
    )
    assert [type(item).__name__ for item in answer] == ["BatchResponse", "list", "BatchResponse"]
    first, third = destination.wait(f"/{name}/1")[0], destination.wait(f"/{name}/3")[0]
    assert (first.method, first.body) == ("GET", b"body")
    assert third.headers["x-b"] == "2"
    assert answer[1][0].url == destination.url(f"/{name}/group")
    single = await sdk.message.batch_json([{"url": destination.url(f"/{name}/4"), "body": {"a": 1}}])
    assert len(single) == 1
    assert json.loads(destination.wait(f"/{name}/4")[0].body) == {"a": 1}


async def test_item_that_fails_leaves_the_batch_going(sdk: EitherClient, destination: Destination, name: str) -> None:
    """The SDK cannot read an error item, but the others were sent."""
    items = [{"url": destination.url(f"/{name}")}, {"url_group": f"{name}-unknown"}]
    with pytest.raises(KeyError):
        await sdk.message.batch(items)
    destination.wait(f"/{name}")

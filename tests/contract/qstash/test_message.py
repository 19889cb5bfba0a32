import json
import time
from typing import Any

import pytest
from qstash.errors import QStashError

from tests.contract.qstash.destination import Destination, Received, Reply
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


@pytest.mark.parametrize("option", ["delay", "not_before"])
async def test_delayed_message_waits(sdk: EitherClient, destination: Destination, name: str, option: str) -> None:
    """`not_before` of the message is in the future, and nothing has arrived."""
    value: Any = "1h" if option == "delay" else int(time.time()) + 3_600  # noqa: TID251 - the real server's time
    answer = await sdk.message.publish(url=destination.url(f"/{name}"), **{option: value})
    message = await sdk.message.get(answer.message_id)
    assert message.not_before - message.created_at > 3_590_000
    assert not destination.at(f"/{name}")
    await sdk.message.cancel(answer.message_id)


async def test_deduplication_by_id_and_by_content(sdk: EitherClient, destination: Destination, name: str) -> None:
    """The second publish names the first message."""
    url = destination.url(f"/{name}")
    for options in ({"deduplication_id": name}, {"content_based_deduplication": True, "body": name}):
        first = await sdk.message.publish(url=url, **options)
        second = await sdk.message.publish(url=url, **options)
        assert (first.deduplicated, second.deduplicated) == (False, True)
        assert second.message_id == first.message_id


async def test_binary_body(sdk: EitherClient, destination: Destination, name: str) -> None:
    """Bytes that are no text arrive as they are and are shown in base64."""
    answer = await sdk.message.publish(url=destination.url(f"/{name}"), body=b"\xff\x00")
    assert destination.wait(f"/{name}")[0].body == b"\xff\x00"
    message = await sdk.message.get(answer.message_id)
    assert (message.body, message.body_base64) == ("", "/wA=")


async def test_retries_follow_the_expression(sdk: EitherClient, destination: Destination, name: str) -> None:
    """`Upstash-Retried` counts up; the message id stays."""

    def answer(request: Received) -> Reply:
        return Reply(200 if request.headers["upstash-retried"] == "2" else 500)

    destination.replies[f"/{name}"] = answer
    published = await sdk.message.publish(url=destination.url(f"/{name}"), retries=2, retry_delay="20 * (1 + retried)")
    requests = destination.wait(f"/{name}", 3)
    assert [request.headers["upstash-retried"] for request in requests] == ["0", "1", "2"]
    assert {request.headers["upstash-message-id"] for request in requests} == {published.message_id}


async def test_enqueue_keeps_the_order(sdk: EitherClient, destination: Destination, name: str) -> None:
    """First in, first out, one at a time; JSON too."""
    url = destination.url(f"/{name}")
    for number in range(4):
        await sdk.message.enqueue(queue=name, url=url, body=str(number))
    answer = await sdk.message.enqueue_json(queue=name, url=url, body={"last": True})
    requests = destination.wait(f"/{name}", 5)
    assert [request.body for request in requests] == [b"0", b"1", b"2", b"3", b'{"last": true}']
    assert (await sdk.message.get(answer.message_id)).queue == name


async def test_url_group_answers_a_list(sdk: EitherClient, destination: Destination, name: str) -> None:
    """Publishing and enqueuing to a group: one item per endpoint."""
    endpoints = [{"url": destination.url(f"/{name}/1")}, {"url": destination.url(f"/{name}/2"), "name": "second"}]
    await sdk.url_group.upsert_endpoints(name, endpoints)
    published = await sdk.message.publish(url_group=name, body="x")
    enqueued = await sdk.message.enqueue_json(queue=name, url_group=name, body=1)
    assert [item.url for item in published] == [item.url for item in enqueued] == [each["url"] for each in endpoints]
    message = await sdk.message.get(published[1].message_id)
    assert (message.url_group, message.endpoint) == (name, "second")
    destination.wait(f"/{name}/1", 2)
    destination.wait(f"/{name}/2", 2)


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


async def test_redacted_message_shows_digests(sdk: EitherClient, destination: Destination, name: str) -> None:
    """Views hide, delivery does not."""
    redact = {"body": True, "header": ["X-Secret"]}
    headers = {"X-Secret": "hidden", "X-Open": "shown"}
    answer = await sdk.message.publish(url=destination.url(f"/{name}"), body="hidden", headers=headers, redact=redact)
    message = await sdk.message.get(answer.message_id)
    assert message.body.startswith("REDACTED:")
    assert message.headers["X-Secret"][0].startswith("REDACTED:")
    assert message.headers["X-Open"] == ["shown"]
    request = destination.wait(f"/{name}")[0]
    assert (request.body, request.headers["x-secret"]) == (b"hidden", "hidden")


async def test_cancel_one_many_and_all(sdk: EitherClient, destination: Destination, name: str) -> None:
    """Counts are of what was really cancelled; nothing arrives."""
    url = destination.url(f"/{name}")
    ids = [(await sdk.message.publish(url=url, delay="1h")).message_id for _ in range(5)]
    await sdk.message.cancel(ids[0])
    assert await sdk.message.cancel_many(ids[:3]) == 2
    assert await sdk.message.cancel_many([]) == 0
    assert await sdk.message.cancel_all() == 2
    assert await sdk.message.cancel_all() == 0
    assert not destination.at(f"/{name}")


async def test_messages_that_just_failed_are_cancellable(
    sdk: EitherClient, destination: Destination, name: str, eventually: Any
) -> None:
    """They wait for their retry for 12 s by default."""
    destination.reply(f"/{name}", 404)
    ids = [(await sdk.message.publish(url=destination.url(f"/{name}"))).message_id for _ in range(2)]

    async def both_failed() -> bool:
        logs = await sdk.log.list(filter={"message_ids": ids})
        return [log.state.value for log in logs.logs].count("RETRY") == 2

    await eventually(both_failed)
    assert await sdk.message.cancel_many(ids) == 2


@pytest.mark.parametrize("method", ["get", "cancel"])
async def test_unknown_message_is_an_error(sdk: EitherClient, method: str) -> None:
    """404 as the SDK reports it."""
    with pytest.raises(QStashError, match="404"):
        await getattr(sdk.message, method)("msg_none")


@pytest.mark.parametrize(
    ("options", "status"),
    [
        ({"url": "http://"}, 400),
        ({"url": "no-scheme.example"}, 404),
        ({"url_group": "un:known"}, 400),
        ({"url": "http://h/", "retry_delay": "oops("}, 400),
        ({"url": "http://h/", "delay": "soon"}, 400),
        ({"url": "http://h/", "callback": "nowhere"}, 400),
        ({"url": "http://h/", "retries": -1}, 400),
        ({"url": "http://h/", "flow_control": {"key": "k"}}, 400),
    ],
)
async def test_bad_publish_is_an_error(sdk: EitherClient, options: dict[str, Any], status: int) -> None:
    """The status of the spec, as the SDK reports it."""
    with pytest.raises(QStashError, match=str(status)):
        await sdk.message.publish(**options)


async def test_item_that_fails_leaves_the_batch_going(sdk: EitherClient, destination: Destination, name: str) -> None:
    """The SDK cannot read an error item, but the others were sent."""
    items = [{"url": destination.url(f"/{name}")}, {"url_group": f"{name}-unknown"}]
    with pytest.raises(KeyError):
        await sdk.message.batch(items)
    destination.wait(f"/{name}")

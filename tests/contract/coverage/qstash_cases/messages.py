from tests.contract.coverage.qstash_cases.scene import UNAUTHORISED, QStashCase, Scene
from tests.contract.qstash.either_client import EitherClient


async def publish(sdk: EitherClient, scene: Scene) -> None:
    """It arrives under the id that was answered."""
    answer = await sdk.message.publish(url=scene.url, body="text", headers={"X-A": "1"})
    (request,) = await scene.received()
    assert (request.body, request.headers["x-a"]) == (b"text", "1")
    assert request.headers["upstash-message-id"] == answer.message_id


async def publish_json(sdk: EitherClient, scene: Scene) -> None:
    """As JSON."""
    await sdk.message.publish_json(url=scene.url, body={"a": 1})
    (request,) = await scene.received()
    assert (request.body, request.headers["content-type"]) == (b'{"a": 1}', "application/json")


async def enqueue(sdk: EitherClient, scene: Scene) -> None:
    """In order."""
    for number in range(3):
        await sdk.message.enqueue(queue=scene.name, url=scene.url, body=str(number))
    assert [request.body for request in await scene.received(3)] == [b"0", b"1", b"2"]


async def enqueue_json(sdk: EitherClient, scene: Scene) -> None:
    """As JSON."""
    answer = await sdk.message.enqueue_json(queue=scene.name, url=scene.url, body=[1])
    assert (await scene.received())[0].body == b"[1]"
    assert (await sdk.message.get(answer.message_id)).queue == scene.name


async def batch(sdk: EitherClient, scene: Scene) -> None:
    """One answer per message, in order."""
    answers = await sdk.message.batch([{"url": scene.url, "body": "a"}, {"url": scene.url, "body": "b"}])
    ids = [request.headers["upstash-message-id"] for request in await scene.received(2)]
    assert sorted(ids) == sorted(answer.message_id for answer in answers)


async def batch_json(sdk: EitherClient, scene: Scene) -> None:
    """As JSON."""
    (answer,) = await sdk.message.batch_json([{"url": scene.url, "body": {"a": 1}}])
    (request,) = await scene.received()
    assert (request.body, request.headers["upstash-message-id"]) == (b'{"a": 1}', answer.message_id)


async def get(sdk: EitherClient, scene: Scene) -> None:
    """What was published."""
    answer = await sdk.message.publish(url=scene.url, body="x", retries=1, label=scene.name)
    message = await sdk.message.get(answer.message_id)
    assert (message.url, message.body, message.max_retries, message.label) == (scene.url, "x", 1, scene.name)


async def cancel(sdk: EitherClient, scene: Scene) -> None:
    """It never arrives."""
    answer = await sdk.message.publish(url=scene.url, delay="1h", label=scene.name)
    await sdk.message.cancel(answer.message_id)
    logs = (await sdk.log.list(filter={"label": scene.name})).logs
    assert [log.state.value for log in logs] == ["CANCELED", "CANCEL_REQUESTED", "CREATED"]


async def cancel_many(sdk: EitherClient, scene: Scene) -> None:
    """Only what is there counts."""
    answer = await sdk.message.publish(url=scene.url, delay="1h")
    assert await sdk.message.cancel_many([answer.message_id, "msg_none"]) == 1


async def cancel_all(sdk: EitherClient, scene: Scene) -> None:
    """Everything that is unfinished."""
    await sdk.message.publish(url=scene.url, delay="1h")
    assert await sdk.message.cancel_all() >= 1
    assert await sdk.message.cancel_all() == 0


CASES = {
    "MessageApi.publish": QStashCase(publish, lambda sdk, _: sdk.message.publish(url_group="none")),
    "MessageApi.publish_json": QStashCase(
        publish_json, lambda sdk, s: sdk.message.publish_json(url=s.url, retry_delay="what(1)"), "400"
    ),
    "MessageApi.enqueue": QStashCase(enqueue, lambda sdk, s: sdk.message.enqueue(queue="a b", url=s.url), "400"),
    "MessageApi.enqueue_json": QStashCase(
        enqueue_json, lambda sdk, s: sdk.message.enqueue_json(queue="a:b", url=s.url), "400"
    ),
    "MessageApi.batch": QStashCase(batch, lambda sdk, s: sdk.message.batch([{"url": s.url}]), UNAUTHORISED),
    "MessageApi.batch_json": QStashCase(
        batch_json, lambda sdk, s: sdk.message.batch_json([{"url": s.url}]), UNAUTHORISED
    ),
    "MessageApi.get": QStashCase(get, lambda sdk, _: sdk.message.get("msg_none")),
    "MessageApi.cancel": QStashCase(cancel, lambda sdk, _: sdk.message.cancel("msg_none")),
    "MessageApi.cancel_many": QStashCase(cancel_many, lambda sdk, _: sdk.message.cancel_many(["x"]), UNAUTHORISED),
    "MessageApi.cancel_all": QStashCase(cancel_all, lambda sdk, _: sdk.message.cancel_all(), UNAUTHORISED),
}

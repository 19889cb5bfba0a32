from tests.contract.coverage.qstash_cases.scene import UNAUTHORISED, QStashCase, Scene
from tests.contract.qstash.either_client import EitherClient

ENDPOINTS = [{"url": "https://a.example/"}, {"url": "https://b.example/", "name": "b"}]


async def upsert_endpoints(sdk: EitherClient, scene: Scene) -> None:
    """Added, then changed by name."""
    await sdk.url_group.upsert_endpoints(scene.name, ENDPOINTS)
    await sdk.url_group.upsert_endpoints(scene.name, [{"url": "https://new.example/", "name": "b"}])
    group = await sdk.url_group.get(scene.name)
    assert [(each.url, each.name) for each in group.endpoints] == [
        ("https://a.example/", None),
        ("https://new.example/", "b"),
    ]


async def remove_endpoints(sdk: EitherClient, scene: Scene) -> None:
    """By name."""
    await sdk.url_group.upsert_endpoints(scene.name, ENDPOINTS)
    await sdk.url_group.remove_endpoints(scene.name, [{"name": "b"}])
    assert [each.url for each in (await sdk.url_group.get(scene.name)).endpoints] == ["https://a.example/"]


async def get_group(sdk: EitherClient, scene: Scene) -> None:
    """With its times."""
    await sdk.url_group.upsert_endpoints(scene.name, ENDPOINTS)
    group = await sdk.url_group.get(scene.name)
    assert (group.name, len(group.endpoints)) == (scene.name, 2)
    assert group.created_at <= group.updated_at


async def list_groups(sdk: EitherClient, scene: Scene) -> None:
    """Among others."""
    await sdk.url_group.upsert_endpoints(scene.name, ENDPOINTS)
    assert scene.name in [group.name for group in await sdk.url_group.list()]


async def delete_group(sdk: EitherClient, scene: Scene) -> None:
    """It is gone."""
    await sdk.url_group.upsert_endpoints(scene.name, ENDPOINTS)
    await sdk.url_group.delete(scene.name)
    assert scene.name not in [group.name for group in await sdk.url_group.list()]


async def upsert_queue(sdk: EitherClient, scene: Scene) -> None:
    """Created, then changed."""
    await sdk.queue.upsert(scene.name, parallelism=2)
    await sdk.queue.upsert(scene.name, parallelism=3, paused=True)
    queue = await sdk.queue.get(scene.name)
    assert (queue.parallelism, queue.paused, queue.lag) == (3, True, 0)


async def get_queue(sdk: EitherClient, scene: Scene) -> None:
    """Made by the first message."""
    await sdk.queue.upsert(scene.name, paused=True)
    await sdk.message.enqueue(queue=scene.name, url=scene.url)
    queue = await sdk.queue.get(scene.name)
    assert (queue.name, queue.parallelism, queue.lag) == (scene.name, 1, 1)


async def list_queues(sdk: EitherClient, scene: Scene) -> None:
    """Among others."""
    await sdk.queue.upsert(scene.name)
    assert scene.name in [queue.name for queue in await sdk.queue.list()]


async def delete_queue(sdk: EitherClient, scene: Scene) -> None:
    """It is gone."""
    await sdk.queue.upsert(scene.name)
    await sdk.queue.delete(scene.name)
    assert scene.name not in [queue.name for queue in await sdk.queue.list()]


async def pause_queue(sdk: EitherClient, scene: Scene) -> None:
    """Nothing starts."""
    await sdk.queue.upsert(scene.name)
    await sdk.queue.pause(scene.name)
    await sdk.message.enqueue(queue=scene.name, url=scene.url)
    assert (await sdk.queue.get(scene.name)).paused
    assert not scene.destination.at(f"/{scene.name}")


async def resume_queue(sdk: EitherClient, scene: Scene) -> None:
    """What waited goes."""
    await sdk.queue.upsert(scene.name, paused=True)
    await sdk.message.enqueue(queue=scene.name, url=scene.url, body="x")
    await sdk.queue.resume(scene.name)
    assert (await scene.received())[0].body == b"x"


CASES = {
    "UrlGroupApi.upsert_endpoints": QStashCase(
        upsert_endpoints, lambda sdk, s: sdk.url_group.upsert_endpoints(s.name, [{"url": "nowhere"}]), "400"
    ),
    "UrlGroupApi.remove_endpoints": QStashCase(
        remove_endpoints, lambda sdk, s: sdk.url_group.remove_endpoints(s.name, [{"name": "b"}])
    ),
    "UrlGroupApi.get": QStashCase(get_group, lambda sdk, s: sdk.url_group.get(s.name)),
    "UrlGroupApi.list": QStashCase(list_groups, lambda sdk, _: sdk.url_group.list(), UNAUTHORISED),
    "UrlGroupApi.delete": QStashCase(delete_group, lambda sdk, s: sdk.url_group.delete(s.name), UNAUTHORISED),
    "QueueApi.upsert": QStashCase(upsert_queue, lambda sdk, s: sdk.queue.upsert(s.name, parallelism=0), "400"),
    "QueueApi.get": QStashCase(get_queue, lambda sdk, s: sdk.queue.get(s.name)),
    "QueueApi.list": QStashCase(list_queues, lambda sdk, _: sdk.queue.list(), UNAUTHORISED),
    "QueueApi.delete": QStashCase(delete_queue, lambda sdk, s: sdk.queue.delete(s.name), UNAUTHORISED),
    "QueueApi.pause": QStashCase(pause_queue, lambda sdk, s: sdk.queue.pause(s.name)),
    "QueueApi.resume": QStashCase(resume_queue, lambda sdk, s: sdk.queue.resume(s.name)),
}

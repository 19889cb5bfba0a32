"""What has a name: URL groups, queues, schedules, flow-control keys, dead letters; each from its making to its end."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from tests.contract.qstash.destination import Destination
from tests.contract.qstash.either_client import EitherClient

YEARLY = "1 1 1 1 1"
Eventually = Callable[[Callable[[], Awaitable[Any]]], Awaitable[Any]]


@pytest.fixture
def url(destination: Destination, name: str) -> str:
    return destination.url(f"/{name}")


async def test_a_group_has_endpoints_by_name(sdk: EitherClient, name: str) -> None:
    endpoints = [{"url": "https://a.example/"}, {"url": "https://b.example/", "name": "b"}]
    await sdk.url_group.upsert_endpoints(name, endpoints)
    await sdk.url_group.upsert_endpoints(name, [{"url": "https://new.example/", "name": "b"}])
    group = await sdk.url_group.get(name)
    assert group.name == name
    assert [(each.url, each.name) for each in group.endpoints] == [
        ("https://a.example/", None),
        ("https://new.example/", "b"),
    ]
    assert group.created_at <= group.updated_at
    await sdk.url_group.remove_endpoints(name, [{"name": "b"}])
    assert [each.url for each in (await sdk.url_group.get(name)).endpoints] == ["https://a.example/"]
    assert name in [group.name for group in await sdk.url_group.list()]
    await sdk.url_group.delete(name)
    assert name not in [group.name for group in await sdk.url_group.list()]


async def test_a_paused_queue_keeps_its_messages_until_it_is_resumed(
    sdk: EitherClient, destination: Destination, name: str, url: str
) -> None:
    await sdk.queue.upsert(name)
    await sdk.queue.pause(name)
    await sdk.message.enqueue(queue=name, url=url, body="x")
    queue = await sdk.queue.get(name)
    assert (queue.name, queue.parallelism, queue.lag, queue.paused) == (name, 1, 1, True)
    assert not destination.at(f"/{name}")
    await sdk.queue.resume(name)
    assert destination.wait(f"/{name}")[0].body == b"x"
    await sdk.queue.upsert(name, parallelism=3, paused=True)
    changed = await sdk.queue.get(name)
    assert (changed.parallelism, changed.paused) == (3, True)
    assert name in [queue.name for queue in await sdk.queue.list()]
    await sdk.queue.delete(name)
    assert name not in [queue.name for queue in await sdk.queue.list()]


async def test_a_schedule_is_replaced_paused_and_deleted(sdk: EitherClient, name: str, url: str) -> None:
    await sdk.schedule.create(destination=url, cron="*/5 * * * *", schedule_id=name, body="old")
    assert await sdk.schedule.create(destination=url, cron=YEARLY, schedule_id=name) == name
    schedule = await sdk.schedule.get(name)
    assert (schedule.schedule_id, schedule.destination, schedule.cron) == (name, url, YEARLY)
    assert (schedule.body, schedule.retries, schedule.paused) == (None, 3, False)
    await sdk.schedule.pause(name)
    assert (await sdk.schedule.get(name)).paused
    await sdk.schedule.resume(name)
    assert not (await sdk.schedule.get(name)).paused
    assert name in [schedule.schedule_id for schedule in await sdk.schedule.list()]
    await sdk.schedule.delete(name)
    assert name not in [schedule.schedule_id for schedule in await sdk.schedule.list()]
    second = await sdk.schedule.get(await sdk.schedule.create_json(destination=url, cron=YEARLY, body={"a": 1}))
    assert (second.body, second.headers) == ('{"a": 1}', {"Content-Type": ["application/json"]})


async def test_a_paused_flow_keeps_its_messages_until_it_is_resumed(
    sdk: EitherClient, destination: Destination, name: str, url: str
) -> None:
    await sdk.flow_control.pause(name)
    await sdk.message.publish(url=url, flow_control={"key": name, "parallelism": 1})
    flow = await sdk.flow_control.get(name)
    assert (flow.is_paused, flow.wait_list_size) == (True, 1)
    await sdk.flow_control.resume(name)
    destination.wait(f"/{name}")
    found = await sdk.flow_control.get_global_parallelism()
    assert 0 <= found.parallelism_count < found.parallelism_max


async def test_what_is_pinned_no_message_changes(sdk: EitherClient, name: str, url: str) -> None:
    await sdk.flow_control.pin(name, {"parallelism": 4})
    await sdk.message.publish(url=url, flow_control={"key": name, "parallelism": 9, "rate": 7, "period": "1h"})
    flow = await sdk.flow_control.get(name)
    assert (flow.parallelism_max, flow.is_pinned_parallelism, flow.is_pinned_rate) == (4, True, False)
    assert (flow.rate_max, flow.rate_period, flow.rate_count) == (7, 3_600, 1)
    await sdk.flow_control.reset_rate(name)
    assert (await sdk.flow_control.get(name)).rate_count == 0
    await sdk.flow_control.unpin(name, {"parallelism": True})
    assert not (await sdk.flow_control.get(name)).is_pinned_parallelism


async def test_dead_letters_are_found_by_label_and_deleted(
    sdk: EitherClient, destination: Destination, eventually: Eventually, name: str, url: str
) -> None:
    """With the response; unknown ids do not count."""
    destination.reply(f"/{name}", 500, b"broken")

    async def died(count: int) -> list[Any]:
        found: list[Any] = (await sdk.dlq.list(filter={"label": name})).messages
        return found if len(found) == count else []

    for _ in range(2):
        await sdk.message.publish(url=url, retries=0, label=name)
    entry, other = await eventually(lambda: died(2))
    assert (entry.url, entry.response_status, entry.response_body) == (url, 500, "broken")
    assert await sdk.dlq.get(entry.dlq_id) == entry
    await sdk.dlq.delete(entry.dlq_id)
    assert await died(1) == [other]
    assert await sdk.dlq.delete_many([other.dlq_id, "1-1"]) == 1
    assert (await sdk.dlq.list(filter={"label": name})).messages == []

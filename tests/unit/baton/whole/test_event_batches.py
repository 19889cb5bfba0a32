"""Batches of events of your own: what a handler is given at once, and what becomes of it."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from baton import Event, HandlerContext, Registry, on
from baton.worker.runtime.batches import Batch, batch_of
from baton_events.app_event import DATA_LIMIT_BYTES, parse_app_event
from tests.unit.baton.kit.stage import Stage
from tests.unit.baton.server.api.client import ACME, ADMIN, OTHER, Api, api_of, with_keys

NAME, WINDOW_MS = "order.created", 5_000


class Shop:
    """Two handlers that note which batches they took; one fails so often as a test says."""

    def __init__(self) -> None:
        self.packed: list[tuple[str, list[Any]]] = []
        self.counted: list[list[Any]] = []
        self.failures = 0

    def registry(self) -> Registry:
        @on(NAME, schema=int, batch=(3, 5), retries=1)
        async def pack(events: list[Event[int]], ctx: HandlerContext) -> None:
            self.packed.append((ctx.idempotency_key, [event.data for event in events]))
            if self.failures:
                self.failures -= 1
                raise RuntimeError("the box is too small")

        @on(NAME, batch=(2, 60))
        def count(events: list[Event], ctx: HandlerContext) -> None:
            self.counted.append([event.data for event in events])

        return Registry(handlers=[pack, count])


@pytest.fixture
def shop() -> Shop:
    return Shop()


@pytest.fixture
async def api(shop: Shop) -> AsyncIterator[Api]:
    async with api_of(Stage(settings=with_keys(), registry=shop.registry())) as made:
        yield made


async def sent(api: Api, *numbers: int, by: str = ACME) -> list[str]:
    ids = []
    for number in numbers:
        response = await api.request("POST", "/api/events", by, json={"name": NAME, "data": number})
        ids.append(str(response.json()["id"]))
        await api.stage.run(within_seconds=0)
    return ids


async def shown(api: Api, event_id: str, handler: str = "pack") -> dict[str, Any]:
    response = await api.request("GET", f"/api/events/{event_id}", ACME)
    return next(each for each in response.json()["handlers"] if each["handler"] == handler)


async def test_a_batch_is_whole_however_short_the_retention(shop: Shop) -> None:
    async with api_of(Stage(settings=with_keys(job_retention_seconds=1), registry=shop.registry())) as api:
        for number in (1, 2):
            await sent(api, number)
            await api.stage.run(within_seconds=2)
        await api.stage.run(within_seconds=60)
    assert [numbers for _, numbers in shop.packed] == [[1, 2]]
    assert shop.counted == [[1, 2]]


async def test_a_batch_begins_once_it_is_full_or_its_time_is_up(api: Api, shop: Shop) -> None:
    ids = await sent(api, 1, 2, 3, 4)
    assert [numbers for _, numbers in shop.packed] == [[1, 2, 3]]
    assert shop.counted == [[1, 2], [3, 4]]
    views = [await shown(api, event_id) for event_id in ids]
    assert len({view["jobId"] for view in views[:3]}) == 1
    assert [(view["status"], view["jobId"] is None) for view in views] == [("completed", False)] * 3 + [
        ("pending", True)
    ]
    await api.stage.run(within_seconds=WINDOW_MS // 1000 - 1)
    assert len(shop.packed) == 1
    await api.stage.run()
    assert [numbers for _, numbers in shop.packed] == [[1, 2, 3], [4]]
    assert (await shown(api, ids[3]))["status"] == "completed"
    assert len(shop.counted) == 2, "a copy that comes late takes nothing again"


async def test_a_batch_has_events_of_one_tenant(api: Api, shop: Shop) -> None:
    await sent(api, 1)
    await sent(api, 7, by=OTHER)
    await sent(api, 2, 3)
    await api.stage.run()
    assert [numbers for _, numbers in shop.packed] == [[1, 2, 3], [7]]


async def test_an_event_that_comes_twice_is_in_one_batch(api: Api, shop: Shop) -> None:
    await sent(api, 1, 2)
    message_id, message = next(pair for pair in api.stage.queue.published if "closes" not in pair[1].body)
    for later in ((), (3,), (4,)):
        await api.stage.deliver_app_event(message_id, message, 1)
        await sent(api, *later)
    await api.stage.run()
    assert [numbers for _, numbers in shop.packed] == [[1, 2, 3], [4]]


async def test_a_batch_is_tried_again_as_it_is_and_fails_and_is_replayed_as_one(api: Api, shop: Shop) -> None:
    shop.failures = 2
    ids = await sent(api, 1, 2, 3)
    await sent(api, 4)
    await api.stage.run()
    assert {(await shown(api, event_id))["status"] for event_id in ids} == {"failed"}
    (letter,) = api.stage.records.dead.values()
    assert "the box is too small" in letter.answer
    assert [event["data"] for event in parse_app_event(letter.message.body.encode()).data["data"]] == [1, 2, 3]
    assert (await api.request("POST", f"/api/admin/messages/{letter.message.id}/replay", ADMIN)).json()["sent"] is True
    await api.stage.run()
    assert [numbers for _, numbers in shop.packed if numbers != [4]] == [[1, 2, 3]] * 3
    assert len({key for key, numbers in shop.packed if numbers != [4]}) == 1
    assert {(await shown(api, event_id))["status"] for event_id in ids} == {"completed"}


async def test_what_a_failover_forgets_joins_again(api: Api, shop: Shop) -> None:
    await sent(api, 1, 2)
    api.stage.redis.forget("baton:app-event:")
    await api.stage.run()
    assert sorted(number for _, numbers in shop.packed for number in numbers) == [1, 2]


def test_a_batch_ends_where_it_is_full_or_closed_and_what_is_behind_changes_nothing() -> None:
    """Its size is that of its first event; a repeat counts once, and no batch has more data than an event may."""
    assert batch_of(["2:1:a", "9:1:a"]) == Batch(("a",), closed=False)
    assert batch_of(["2:1:a", "9:1:b", "9:1:c", "end"]) == Batch(("a", "b"), closed=True)
    assert batch_of(["9:1:a", "end", "9:1:b"]) == Batch(("a",), closed=True)
    half = DATA_LIMIT_BYTES // 2
    assert batch_of([f"9:{half}:{name}" for name in "abc"]) == Batch(("a", "b"), closed=True)
    assert batch_of([f"9:{4 * half}:a"]) == Batch(("a",), closed=False)

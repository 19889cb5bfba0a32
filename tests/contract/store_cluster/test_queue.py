"""The queue in a store that is a cluster: each script's keys are one shard's, and what is due is delivered."""

import asyncio
import re
from collections.abc import Iterator
from contextlib import suppress

import pytest

from baton.queue.account import TopicEndpoint
from baton.queue.redis.in_store import QueueInStore
from baton.sdk.clock import SystemClock, SystemRandomness
from baton_events.messages import Flow, Outgoing
from tests.contract.qstash.destination import Destination
from tests.contract.store_cluster.cluster_node import ClusterNode
from tests.contract.store_cluster.watched_connection import Requested, WatchedConnection

_TAG = re.compile(r"\{([^}]*)\}")


@pytest.fixture
def endpoint() -> Iterator[Destination]:
    with Destination() as made:
        yield made


async def test_what_is_published_to_a_cluster_is_delivered(
    connection: WatchedConnection, node: ClusterNode, endpoint: Destination
) -> None:
    """To addresses and to a topic, with flow keys, again after a failure, at last as a dead letter."""
    made = QueueInStore(connection, SystemClock(), SystemRandomness())
    endpoint.reply("/bad", 500)
    await made.setup.put_endpoint("some", TopicEndpoint(endpoint.url("/topic")))
    later_ms = SystemClock().now_ms() + 1_500
    await made.queue.publish(
        [Outgoing(f'{{"n":{n}}}', url=endpoint.url("/x"), flow=Flow(f"key-{n}", 1)) for n in range(20)]
        + [Outgoing("{}", topic="some", deduplication_id=f"d{n}") for n in range(5)]
        + [
            Outgoing("{}", url=endpoint.url("/bad"), retries=0),
            Outgoing("{}", url=endpoint.url("/x"), not_before_ms=later_ms),
        ]
    )
    pump = asyncio.create_task(made.pump().run())
    try:
        await asyncio.to_thread(endpoint.wait, "/x", 21)
        await asyncio.to_thread(endpoint.wait, "/topic", 5)
        letters = (await made.records.dead_letters()).letters  # by now: it was due before the last of those
    finally:
        pump.cancel()
        with suppress(asyncio.CancelledError):
            await pump
    assert [letter.message.url for letter in letters] == [endpoint.url("/bad")]
    assert len((await made.records.log(limit=100)).entries) >= 27
    several = [each for each in connection.requested if len(slots_of(node, each)) > 1]
    assert len(several) == 1, "by the first claim, which is refused, the pump learns that it is a cluster"
    assert all(
        tag.startswith("queue") for each in connection.requested for key in each.keys for tag in _TAG.findall(key)
    )


def slots_of(node: ClusterNode, requested: Requested) -> set[int]:
    return {node.request("CLUSTER", "KEYSLOT", key) for key in set(requested.keys)}

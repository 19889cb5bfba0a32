"""A cluster with a server that hangs: it costs one time-out, and no command that another server can answer."""

import asyncio
import time
from collections.abc import AsyncIterator

import pytest

from baton.settings.settings import Settings
from baton.store.redis.connection import RedisConnection
from baton_events.errors import StoreError
from tests.unit.baton.store.transport.resp_server import Hangs
from tests.unit.baton.store.transport.test_redis_resp import connected, pong
from tests.unit.baton.store.transport.test_resp_cluster import HIGH, LOW, Cluster, cluster, gets

__all__ = ["cluster"]
LIMIT_SECONDS = 1


@pytest.fixture(params=[0, 1])
async def named(cluster: Cluster, request: pytest.FixtureRequest) -> AsyncIterator[RedisConnection]:
    """Each of the two servers is the one of the setting."""
    url = f"{cluster.servers[request.param].address}?cluster=true"
    made = RedisConnection(Settings(resp_url=url, store_timeout_seconds=LIMIT_SECONDS))
    yield made
    await made.close()


async def errors_of(redis: RedisConnection, *commands: str) -> list[str]:
    failed = list[str]()
    for key in commands:
        try:
            await redis.execute("GET", key)
        except StoreError:
            failed.append(key)
    return failed


async def test_a_server_that_hangs_is_given_up_after_one_time_out(cluster: Cluster, named: RedisConnection) -> None:
    """And the map is read anew from the one that answers, whichever is named."""
    assert await named.pipeline(["GET", HIGH], ["GET", LOW]) == ["1", "0"]
    cluster.hung.add(0)
    cluster.owners = [1, 1]
    assert await errors_of(named, LOW, LOW, HIGH, LOW) == [LOW]
    assert len(gets(cluster.servers[0])) == 2


async def test_a_healthy_owner_answers_while_another_server_hangs(cluster: Cluster, named: RedisConnection) -> None:
    """Nobody has taken the place of the one that hangs, and its callers wait meanwhile."""
    assert await named.pipeline(["GET", HIGH], ["GET", LOW]) == ["1", "0"]
    cluster.hung.add(0)
    hanging = asyncio.create_task(errors_of(named, LOW, LOW))
    begun = time.monotonic()
    assert await errors_of(named, *[HIGH] * 10) == []
    assert time.monotonic() - begun < LIMIT_SECONDS
    assert await hanging == [LOW, LOW]
    assert await errors_of(named, *[HIGH] * 10) == []


async def test_a_replica_is_asked_for_the_map_when_the_only_owner_hangs(
    cluster: Cluster, named: RedisConnection
) -> None:
    """As in a cluster of one shard: nobody else knows who took its place."""
    cluster.owners, cluster.replicas = [0, 0], (1,)
    assert await named.execute("GET", LOW) == "0"
    cluster.hung.add(0)
    cluster.owners = [1, 1]
    assert await errors_of(named, LOW, LOW, LOW) == [LOW]


async def test_a_process_that_starts_while_the_named_server_hangs_reads_the_map_elsewhere_later(
    cluster: Cluster,
) -> None:
    """Nobody else is known yet, so its time is over; the store's error names it, and nothing else breaks."""
    cluster.hung.add(0)
    url = f"{cluster.servers[0].address}?cluster=true"
    redis = RedisConnection(Settings(resp_url=url, store_timeout_seconds=LIMIT_SECONDS))
    assert await errors_of(redis, LOW) == [LOW]
    cluster.hung.clear()
    assert await errors_of(redis, LOW, HIGH) == []
    await redis.close()


async def test_what_was_never_sent_goes_to_the_new_owner_at_once(cluster: Cluster, named: RedisConnection) -> None:
    """The old one no longer takes connections: nothing can have run there."""
    assert await named.pipeline(["GET", HIGH], ["GET", LOW]) == ["1", "0"]
    first = cluster.servers[0]
    await first.__aexit__()
    cluster.owners = [1, 1]
    assert await errors_of(named, LOW, HIGH, LOW) == []


async def test_a_redirection_and_the_command_have_one_time_limit(cluster: Cluster, named: RedisConnection) -> None:
    """To a server that hangs, too."""
    assert await named.execute("GET", HIGH) == "1"
    cluster.owners, cluster.hung = [0, 0], {0}
    begun = time.monotonic()
    assert await errors_of(named, HIGH) == [HIGH]
    assert time.monotonic() - begun < 1.7 * LIMIT_SECONDS


async def test_all_kept_connections_to_a_server_that_hung_are_given_up() -> None:
    """Else each of them would cost a time-out, with another server under the same name."""
    hangs = False
    async with connected(lambda command: Hangs() if hangs else pong(command), store_timeout_seconds=1) as (
        server,
        redis,
    ):
        together = [redis.execute("GET", str(number)) for number in range(16)]  # by two connections
        await asyncio.gather(*together)
        assert server.connections == 2
        hangs = True
        with pytest.raises(StoreError):
            await redis.execute("GET", "a")
        hangs = False
        assert await redis.execute("GET", "a") == "a"
        assert server.connections == 3

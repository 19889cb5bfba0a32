"""Why a cluster is not spoken to by redis-py's own client: each of its ways breaks a promise of ours.

Where one of these fails with a newer version, the library may take the place of redis_resp.py.
"""

import gc
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from typing import Any, cast

import pytest
from redis.asyncio.cluster import RedisCluster
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from tests.unit.baton.store.transport.resp_server import HangsUp, Say
from tests.unit.baton.store.transport.test_resp_cluster import HIGH, LOW, Cluster, cluster

__all__ = ["cluster"]
LIMIT_SECONDS = 0.3
# The library leaves connections of servers that it gave up open: they are collected here, not in another test.
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")


@pytest.fixture(autouse=True)
def _collected() -> Iterator[None]:
    yield
    gc.collect()


# What COMMAND says of the two commands here: one key each.
COMMANDS = [[name, 2, [flag], 1, 1, 1, [], [], [], []] for name, flag in ((b"get", b"readonly"), (b"incrby", b"write"))]


def client(cluster: Cluster, **options: Any) -> RedisCluster:
    for server in cluster.servers:
        server.reply = partial(told_of_commands, server.reply)
    seconds: dict[str, Any] = {"socket_timeout": LIMIT_SECONDS, "socket_connect_timeout": LIMIT_SECONDS}
    return RedisCluster(host="127.0.0.1", port=cluster.servers[1].port, protocol=2, **seconds, **options)


def told_of_commands(say: Say, command: list[str]) -> Any:
    return COMMANDS if command == ["COMMAND"] else say(command)


async def test_by_default_it_sends_again_what_may_have_run(cluster: Cluster) -> None:
    """A counter counts twice, and a script runs twice, where only the answer was lost."""
    redis = client(cluster)
    owner = cluster.servers[0]
    owner.reply = partial(losing_answers, owner.reply)
    with pytest.raises(RedisError):
        await cast("Callable[..., Awaitable[Any]]", redis.execute_command)("INCRBY", LOW, 1)
    assert [command[0] for command in owner.requested].count("INCRBY") > 1
    await redis.aclose()


def losing_answers(say: Say, command: list[str]) -> Any:
    return HangsUp() if command[0] == "INCRBY" else say(command)


async def test_without_that_a_pipeline_never_reads_the_map_anew(cluster: Cluster) -> None:
    """Each fails for ever, although another server has the slots."""
    redis = client(cluster, retry=Retry(NoBackoff(), 0))
    assert await read(redis) == [b"0", b"1"]
    cluster.hung.add(0)
    cluster.owners = [1, 1]
    for _ in range(4):
        with pytest.raises(RedisError):
            await read(redis)
    await redis.aclose()


async def read(redis: RedisCluster) -> list[Any]:
    pipeline = redis.pipeline()
    pipeline.get(LOW)
    pipeline.get(HIGH)
    return await pipeline.execute()

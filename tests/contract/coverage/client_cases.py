"""A case for what the Python SDKs' clients have beside commands: how they are made, ended, batched, chained.

Each function holds a success and an error of the method that it stands beside in `CASES`.
"""

from collections.abc import Awaitable, Callable, Mapping

import pytest
from qstash import Receiver
from qstash.errors import SignatureError
from upstash_redis.errors import UpstashError
from upstash_vector.errors import UpstashError as VectorError

from baton_local.fixtures.servers import QStashServer, RedisServer, VectorServer
from tests.contract.coverage.either import Either, EitherIndex, EitherRedis
from tests.contract.qstash.destination import Destination
from tests.contract.qstash.either_client import EitherClient


class Servers:
    """Where everything is; the environment is set for it."""

    def __init__(self, qstash: QStashServer, redis: RedisServer, vector: VectorServer, kind: str) -> None:
        self.qstash, self.redis, self.vector, self.kind = qstash, redis, vector, kind

    def redis_client(self, token: str | None = None) -> EitherRedis:
        """A client, with the right token unless another is given."""
        return EitherRedis(self.kind, self.redis.url, token or self.redis.token)


async def redis_from_env(servers: Servers) -> None:
    """By the variables that the server prints."""
    client = servers.redis_client()
    made = Either(type(client.real).from_env(rest_retries=0))
    assert await made.set("k", "v")
    assert await made.get("k") == "v"
    await made.close()
    await client.close()
    stranger = servers.redis_client("wrong")
    with pytest.raises(UpstashError, match="WRONGPASS"):
        await stranger.get("k")
    await stranger.close()


async def redis_close(servers: Servers) -> None:
    """Afterwards nothing goes."""
    client = servers.redis_client()
    assert await client.ping() == "PONG"
    await client.close()
    with pytest.raises(RuntimeError):
        await client.ping()


async def redis_pipeline(servers: Servers) -> None:
    """Several commands, one request; an error is raised after all of them ran."""
    client = servers.redis_client()
    requests = servers.redis.counters()["http_requests"]
    batch = client.real.pipeline().set("k", "v").incr("n")
    assert await Either(batch).exec() == [True, 1]
    assert servers.redis.counters()["http_requests"] == requests + 1
    with pytest.raises(UpstashError, match="WRONGTYPE"):
        await Either(client.real.pipeline().lpush("k", "x").incr("n")).exec()
    assert await client.get("n") == "2"
    await client.close()


async def redis_multi(servers: Servers) -> None:
    """All or nothing at queueing; the SDK trips over the refusal (redis-rest.md 7)."""
    client = servers.redis_client()
    assert await Either(client.real.multi().incr("n").incr("n")).exec() == [1, 2]
    with pytest.raises(AttributeError):
        await Either(client.real.multi().incr("n").execute(["BLPOP", "l", "0"])).exec()
    assert await client.get("n") == "2"
    await client.close()


async def pipeline_reset(servers: Servers) -> None:
    """What was added is forgotten; an empty batch is refused."""
    client = servers.redis_client()
    batch = client.real.pipeline().set("k", "v")
    batch.reset()
    with pytest.raises((UpstashError, AttributeError)):
        await Either(batch).exec()
    assert await client.get("k") is None
    await client.close()


async def bitfield(servers: Servers) -> None:
    """A chain of operations on one key, sent by `execute`."""
    client = servers.redis_client()
    chain = client.real.bitfield("b").set("u8", 0, 200).incrby("u8", 0, 50).overflow("SAT").incrby("u8", 0, 50)
    assert await Either(chain.get("u8", "#0")).execute() == [0, 250, 255, 255]
    await client.set("b", "text")
    with pytest.raises(UpstashError, match="bit offset"):
        await Either(client.real.bitfield("b").get("u8", -1)).execute()
    await client.close()


async def bitfield_ro(servers: Servers) -> None:
    """Reading only."""
    client = servers.redis_client()
    await client.set("b", "a")
    assert await Either(client.real.bitfield_ro("b").get("u8", 0)).execute() == [97]
    await client.delete("b")
    await client.lpush("b", "x")
    with pytest.raises(UpstashError, match="WRONGTYPE"):
        await Either(client.real.bitfield_ro("b").get("u8", 0)).execute()
    await client.close()


async def index_from_env(servers: Servers) -> None:
    """By the variables that the server prints."""
    index = EitherIndex(servers.kind, servers.vector.url, "wrong")
    with pytest.raises(VectorError, match="Unauthorized"):
        await index.info()
    await index.close()
    index.real = type(index.real).from_env()
    assert (await index.info()).vector_count == 0
    await index.close()


async def receiver_verify(servers: Servers) -> None:
    """What the server signs is valid for that URL and body, and for no other."""
    sdk = EitherClient(servers.kind, servers.qstash.token, servers.qstash.url)
    with Destination() as destination:
        url = destination.url("/signed?a=b")
        await sdk.message.publish(url=url, body="text")
        (request,) = destination.wait("/signed?a=b")
    await sdk.close()
    receiver = Receiver(servers.qstash.current_signing_key, servers.qstash.next_signing_key)
    signature = request.headers["upstash-signature"]
    receiver.verify(signature=signature, body="text", url=url)
    with pytest.raises(SignatureError):
        receiver.verify(signature=signature, body="other", url=url)


CASES: Mapping[str, Callable[[Servers], Awaitable[None]]] = {
    "upstash-redis Redis.from_env": redis_from_env,
    "upstash-redis Redis.close": redis_close,
    "upstash-redis Redis.pipeline": redis_pipeline,
    "upstash-redis Redis.multi": redis_multi,
    "upstash-redis Pipeline.exec": redis_pipeline,
    "upstash-redis Pipeline.reset": pipeline_reset,
    "upstash-redis Commands.bitfield": bitfield,
    "upstash-redis BitFieldCommands.get": bitfield,
    "upstash-redis BitFieldCommands.set": bitfield,
    "upstash-redis BitFieldCommands.incrby": bitfield,
    "upstash-redis BitFieldCommands.overflow": bitfield,
    "upstash-redis BitFieldCommands.execute": bitfield,
    "upstash-redis Commands.bitfield_ro": bitfield_ro,
    "upstash-redis BitFieldROCommands.get": bitfield_ro,
    "upstash-redis BitFieldROCommands.execute": bitfield_ro,
    "upstash-vector Index.from_env": index_from_env,
    "qstash Receiver.verify": receiver_verify,
}

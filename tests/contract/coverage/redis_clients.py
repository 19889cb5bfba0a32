"""The Python SDK's four ways to run a Redis command, behind one: sync, async, in a pipeline, in a transaction."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from upstash_redis import Redis
from upstash_redis.asyncio import Redis as AsyncRedis

from baton_local.fixtures.servers import RedisServer
from tests.contract.coverage.method_case import Arguments

ALONE = ("sync", "async")
BATCHED = ("pipeline", "transaction", "async pipeline", "async transaction")


class RedisClients:
    """A client of each kind on one server, kept for a whole module: making one costs more than a test."""

    def __init__(self, server: RedisServer, token: str) -> None:
        self._runner = asyncio.Runner()
        self._sync: Any = Redis(server.url, token, rest_retries=0)
        self._async: Any = AsyncRedis(server.url, token, rest_retries=0)
        self._ways: Mapping[str, Callable[[str, Arguments], Any]] = {
            "sync": lambda name, given: _call(self._sync, name, given),
            "async": lambda name, given: self._run(_call(self._async, name, given)),
            "pipeline": lambda name, given: _batch(self._sync.pipeline(), name, given).exec()[0],
            "transaction": lambda name, given: _batch(self._sync.multi(), name, given).exec()[0],
            "async pipeline": lambda name, given: self._run(_batch(self._async.pipeline(), name, given).exec())[0],
            "async transaction": lambda name, given: self._run(_batch(self._async.multi(), name, given).exec())[0],
        }

    def run(self, kind: str, name: str, given: Arguments) -> Any:
        return self._ways[kind](name, given)

    def close(self) -> None:
        self._sync.close()
        self._run(self._async.close())
        self._runner.close()

    def _run(self, waiting: Any) -> Any:
        async def settle() -> Any:
            return await waiting

        return self._runner.run(settle())


def _call(target: Any, name: str, given: Arguments) -> Any:
    return getattr(target, name)(*given.positional, **given.named)


def _batch(batch: Any, name: str, given: Arguments) -> Any:
    _call(batch, name, given)
    return batch

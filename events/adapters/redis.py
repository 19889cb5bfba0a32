"""The store's connection: scripts and pipelines through the official Upstash SDK, with time limits.

Invariant: whatever goes wrong is a StoreError; what was asked may have been applied or not. The SDK's own retries are
off: it would repeat writes after seconds (redis-rest.md 10), while the queue repeats whole events.
"""

import asyncio
import logging
from collections.abc import Sequence
from importlib.resources import files
from typing import Any

import httpx
from upstash_redis.asyncio import Redis
from upstash_redis.errors import UpstashError

from events.errors import StoreError
from events.settings import Settings, require

_log = logging.getLogger("baton.store")

_SHEBANG = "#!lua flags=allow-key-locking\n"


def script(name: str, shared: str = "prelude") -> str:
    """The text of a Lua script beside this file, with what it shares with others, if anything, before it."""
    folder = files("events.adapters") / "lua"
    before = (folder / f"{shared}.lua").read_text() if shared else ""
    return _SHEBANG + before + (folder / f"{name}.lua").read_text()


class RedisConnection:
    """One SDK client, made on first use: importing and constructing opens nothing."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._client: Redis | None = None

    def _redis(self) -> Redis:
        if self._client is None:
            require(self._settings, "UPSTASH_REDIS_REST_URL", "UPSTASH_REDIS_REST_TOKEN")
            self._client = Redis(
                self._settings.redis_url, self._settings.redis_token, rest_retries=0, allow_telemetry=False
            )
        return self._client

    async def run(
        self,
        text: str,
        keys: Sequence[str],
        args: Sequence[str | int],
        beside: Sequence[Sequence[str | int]] = (),
    ) -> Any:
        """Run a script, and in the same request commands `beside` it whose answers nobody needs; one request.

        What is beside may fail: the SDK then keeps the script's answer back, too, so the script is asked once more,
        alone. It must be one that does nothing the second time.
        """
        command = ["EVAL", text, len(keys), *keys, *args]
        if not beside:
            return await self.execute(*command)
        try:
            return (await self.pipeline(command, *beside))[0]
        except StoreError as error:
            if not isinstance(error.__cause__, UpstashError):
                raise
            _log.warning("counting failed, or what it stood beside: %s", error)
            return await self.execute(*command)

    async def execute(self, *command: str | int) -> Any:
        """Run one command; one request."""
        try:
            async with asyncio.timeout(self._settings.store_timeout_seconds):
                return await self._redis().execute(list(command))
        except (TimeoutError, httpx.HTTPError, UpstashError, ValueError, KeyError) as error:
            raise self._store_error(error) from error

    async def pipeline(self, *commands: Sequence[str | int]) -> list[Any]:
        """Run several commands in one request; not atomic. Any error among them is raised."""
        try:
            async with asyncio.timeout(self._settings.store_timeout_seconds):
                pipeline = self._redis().pipeline()
                for command in commands:
                    pipeline.execute(list(command))
                return list(await pipeline.exec())
        except (TimeoutError, httpx.HTTPError, UpstashError, ValueError, KeyError, AttributeError) as error:
            raise self._store_error(error) from error

    def _store_error(self, error: Exception) -> StoreError:
        where = self._settings.redis_url
        if isinstance(error, TimeoutError):
            return StoreError(f"no answer from the store at {where} within {self._settings.store_timeout_seconds} s")
        if isinstance(error, UpstashError):
            hint = ": check UPSTASH_REDIS_REST_TOKEN" if "WRONGPASS" in str(error) else ""
            return StoreError(f"the store at {where} answered {str(error)[:300]!r}{hint}")
        return StoreError(f"no usable answer from the store at {where} ({type(error).__name__}): is it running?")

    async def close(self) -> None:
        """Close connections; a later use opens them again."""
        if self._client is not None:
            client, self._client = self._client, None
            await client.close()

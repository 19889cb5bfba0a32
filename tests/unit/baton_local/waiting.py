"""Waiting for something that a test cannot be told of, but not forever."""

import asyncio
from collections.abc import Callable

_LIMIT_SECONDS = 120.0
_POLL_SECONDS = 0.005


async def until(holds: Callable[[], object]) -> None:
    async with asyncio.timeout(_LIMIT_SECONDS):
        while not holds():  # noqa: ASYNC110 - what is waited for happens outside of this loop
            await asyncio.sleep(_POLL_SECONDS)

"""Tools in groups and scopes of anyio, with generators: each ends at its limit, and no cancellation is lost."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace

import anyio
import pytest

from baton.sdk.tools.contained import CutShortError
from baton.sdk.tools.running_calls import OverLimitError, RunningCalls
from baton.sdk.tools.tool import tool
from tests.unit.baton.sdk.tools.test_tool import CONTEXT

LIMIT_SECONDS = 0.2


async def ticks() -> AsyncIterator[int]:
    """Yield for ever."""
    while True:
        yield 1
        await anyio.sleep(0.01)


async def scoped_ticks(seconds: float) -> AsyncIterator[int]:
    """Yield within a scope that ends by itself."""
    with anyio.move_on_after(seconds):
        async for each in ticks():
            yield each


async def grouped_ticks() -> AsyncIterator[int]:
    """Yield within a group one of whose tasks fails."""

    async def fails() -> None:
        await anyio.sleep(0.05)
        raise ValueError("child")

    async with anyio.create_task_group() as group:
        group.start_soon(fails)
        async for each in ticks():
            yield each


async def _reads(found: AsyncIterator[int]) -> None:
    async for _ in found:
        pass


async def in_a_group() -> None:
    async with anyio.create_task_group() as group:
        group.start_soon(_reads, ticks())
        await _reads(ticks())


async def scope_ends_at_the_limit() -> None:
    async with anyio.create_task_group() as group:
        group.start_soon(anyio.sleep, 100)
        with anyio.move_on_after(LIMIT_SECONDS):
            await _reads(ticks())
        await anyio.sleep(100)


async def generator_ends_at_the_limit() -> None:
    await _reads(scoped_ticks(LIMIT_SECONDS))
    await anyio.sleep(100)


async def group_is_cancelled() -> None:
    async with anyio.create_task_group() as group:
        group.start_soon(_reads, ticks())
        await anyio.sleep(0.01)
        group.cancel_scope.cancel()
    await anyio.sleep(100)


async def generator_is_left() -> None:
    async for _ in scoped_ticks(0.05):
        break
    await anyio.sleep(100)


async def group_of_a_generator_fails() -> None:
    await _reads(grouped_ticks())


Body = Callable[[], Awaitable[None]]
ENDS: list[tuple[Body, type[Exception]]] = [
    (in_a_group, OverLimitError),
    (scope_ends_at_the_limit, OverLimitError),
    (generator_ends_at_the_limit, OverLimitError),
    (group_is_cancelled, OverLimitError),
    (generator_is_left, CutShortError),  # anyio cancels whoever left it
    (group_of_a_generator_fails, ExceptionGroup),
]


@pytest.mark.parametrize(("body", "error"), ENDS)
async def test_a_tool_of_anyio_ends_at_its_limit(body: Body, error: type[Exception]) -> None:
    @tool
    async def work() -> None:
        await body()

    calls, caller = RunningCalls(60), asyncio.current_task()
    assert caller is not None
    with pytest.raises(error):
        await calls.result(replace(work, timeout_seconds=LIMIT_SECONDS), {}, CONTEXT)
    assert (calls.hung, caller.cancelling()) == (0, 0)

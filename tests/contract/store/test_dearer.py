"""A step gets no dearer unnoticed: exact requests and commands of each event, and a bound for its bytes.

Whoever makes a step cheaper lowers the number here; whoever makes it dearer has to say so here.
"""

from collections.abc import AsyncIterator

import pytest

from tests.contract.store.planted_connection import PlantedConnection
from tests.contract.store.redis_process import Counted, RedisProcess
from tests.contract.store.side import Side, side_over
from tests.contract.store.test_cost import measured

pytestmark = pytest.mark.bridge

# event → commands; bytes at most.
EVENTS = {"loop asks": (10, 6_500), "loop answers": (15, 4_100), "call returns": (12, 3_700), "complete": (9, 3_050)}


@pytest.fixture
async def dearer(redis_process: RedisProcess) -> AsyncIterator[Side]:
    """The real adapters, with a command more in the script."""
    connection = PlantedConnection(redis_process, "local plan", "redis.call('TIME') local plan")
    try:
        yield side_over(connection)
    finally:
        await connection.close()


def why_dearer(name: str, spent: Counted) -> str:
    """What is wrong with an event's cost; empty: nothing."""
    commands, most_bytes = EVENTS[name]
    if (spent.requests, spent.commands) != (2, commands):
        return f"{name}: {spent.requests} requests, {spent.commands} commands; it was 2 and {commands}"
    return f"{name}: {spent.size_bytes} bytes; at most {most_bytes}" if spent.size_bytes > most_bytes else ""


@pytest.mark.parametrize("name", EVENTS)
async def test_an_event_costs_what_it_did(real: Side, redis_process: RedisProcess, name: str) -> None:
    """Both of its requests, as the bridge counts them."""
    spent, _ = await measured(real, redis_process, name, turns=10, reads_history=False)
    assert not why_dearer(name, spent)


@pytest.mark.parametrize("name", EVENTS)
async def test_a_command_more_is_noticed(dearer: Side, redis_process: RedisProcess, name: str) -> None:
    """In each of the two scripts."""
    spent, books = await measured(dearer, redis_process, name, turns=10, reads_history=False)
    assert why_dearer(name, spent)
    assert spent == books

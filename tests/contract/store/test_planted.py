"""Each planted defect in a script that runs is caught by a contract test that speaks of it."""

import asyncio
import inspect
from importlib import import_module
from typing import Any

import pytest

from baton.store.redis.connection import RedisConnection, counted
from tests.contract.store.planted import APPLY, COUNTED, SEMAPHORE, Defect, planted_connection
from tests.contract.store.planted_budgets import BUDGET
from tests.contract.store.planted_members import MEMBERS
from tests.contract.store.side import side_over


async def test_a_script_says_what_it_costs(redis: RedisConnection) -> None:
    """EVAL, and each call in it."""
    text = counted("redis.call('SET', KEYS[1], 'x')\nreturn redis.call('GET', KEYS[1])")
    assert list(await redis._evaluate(redis._text(text), ["baton:{a}:text"], [], ())) == [3, "x"]


@pytest.mark.parametrize("defect", [*MEMBERS, *SEMAPHORE, *APPLY, *COUNTED, *BUDGET], ids=lambda defect: defect.name)
def test_a_defect_in_a_script_is_caught(defect: Defect) -> None:
    module, _, name = defect.caught_by.partition("::")
    tests = import_module(f"tests.contract.store.{module}")
    test, world = getattr(tests, name), getattr(tests, "World", None)
    connection, redis = planted_connection(defect)
    [takes] = inspect.signature(test).parameters
    make: dict[str, Any] = {"redis": lambda given: given, "side": side_over, "world": world}
    with pytest.raises(AssertionError):
        asyncio.run(test(make[takes](connection)))
    assert redis.planted, "the script has other words by now"

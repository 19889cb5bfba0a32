"""What our own code does of a step, counted: calls of functions, which no machine and no other program changes.

Whoever makes a step leaner lowers the number here; whoever makes it fatter has to say so here. A coroutine counts each
time that it goes on. Source: tests/bench/own_time.py.
"""

import pytest

from tests.bench.own_time import STEPS, recorded_job

pytestmark = pytest.mark.bridge

# By Python 3.11; later ones take fewer.
MOST_A_STEP, MOST_A_CALL_AT_ONCE = 657, 704
FEW, MANY = 8, 14


async def test_a_step_takes_no_more_of_our_own_calls() -> None:
    assert await (await recorded_job()).calls() / STEPS <= MOST_A_STEP


async def test_a_call_beside_others_takes_no_more_however_many_there_are() -> None:
    """What some calls more add to a turn: none of them looks at all others."""
    few, many = [await (await recorded_job(at_once)).calls() for at_once in (FEW, MANY)]
    assert (many - few) / (MANY - FEW) <= MOST_A_CALL_AT_ONCE

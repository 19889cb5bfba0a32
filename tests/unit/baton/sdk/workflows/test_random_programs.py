"""Random programs do as jobs what they do in an ordinary event loop, at the same times, however often made again."""

import pytest

from tests.unit.baton.sdk.workflows.random_programs import as_a_job, as_it_is

_IN_A_TEST, _IN_A_SOAK, _AT_ONCE = 200, 10_000, 100


@pytest.mark.parametrize(
    "first",
    [
        pytest.param(first, marks=[] if first < _IN_A_TEST else pytest.mark.long)
        for first in range(0, _IN_A_SOAK, _AT_ONCE)
    ],
)
async def test_a_program_is_as_in_an_ordinary_loop(first: int) -> None:
    for seed in range(first, first + _AT_ONCE):
        assert await as_a_job(seed, again=0.3) == as_it_is(seed), seed

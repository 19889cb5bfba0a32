"""Every door lets an odd value in whole, or records why not; `python -m tests.values.soak` plays more of them."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.values.doors import DOORS, SERVERS, Door
from tests.values.odd import Drawn


@pytest.mark.parametrize("door", [*DOORS, *SERVERS], ids=lambda door: door.__name__)
@given(seed=st.integers(0, 2**40))
@settings(max_examples=40)
async def test_an_odd_value_is_recorded_or_refused(door: Door, seed: int) -> None:
    await door(Drawn(seed))

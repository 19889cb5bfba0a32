"""Defects that show where a piece of work kills its process each time, with all that is in it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from events.core import calls, turns
from functions.suspects import Suspects
from tests.simulation.planting import Defect, constant, replaced


@contextmanager
def _all_at_once(_self: Suspects, _leg: Any) -> Iterator[int]:
    yield 0


DEFECTS = (
    Defect(
        "a call that kills has always another start",
        "a_call_that_kills_is_not_started_for_ever",
        (constant(calls, "no_start_left", answer=False),),
        kills=True,
    ),
    Defect(
        "a turn that kills has always another start",
        "a_turn_that_kills_is_not_asked_for_ever",
        (constant(turns, "no_start_left", answer=False),),
        kills=True,
    ),
    Defect(
        "steps of which a process has died are worked on together",
        "a_death_counts_once_for_who_was_only_there",
        (replaced(Suspects, "turn_of", _all_at_once),),
        kills=True,
    ),
)

"""Defects that show where a piece of work kills its process each time, with all that is in it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from msgspec.structs import replace

from baton.engine import approvals, attempts, tool_call, turn
from baton.engine.work_items import ItemKind, WorkItem
from baton.runtime.policy import Suspects
from tests.simulation.planting import Defect, Patch, constant, replaced


@contextmanager
def _all_at_once(_self: Suspects, _item: Any) -> Iterator[int]:
    yield 0


def _with_deaths_of_others(original: Callable[..., WorkItem]) -> Callable[..., WorkItem]:
    def following(item: WorkItem, kind: ItemKind, *arguments: Any, **named: Any) -> WorkItem:
        then = original(item, kind, *arguments, **named)
        return replace(then, died=then.died + item.abandoned) if kind is ItemKind.CALL else then

    return following


DEFECTS = (
    Defect(
        "who dies taking in a failure or a decision counts as the call",
        "a_call_has_the_deaths_of_its_own_attempts",
        tuple(Patch(module, "following", _with_deaths_of_others) for module in (tool_call, approvals)),
        approvals=True,
    ),
    Defect(
        "who was overtaken leaves the deaths that it knows",
        "a_step_keeps_its_deaths",
        (Patch(attempts, "with_deaths", lambda _original: lambda following, _done: following),),
    ),
    Defect(
        "a call that kills has always another start",
        "a_call_that_kills_is_not_started_for_ever",
        (constant(tool_call, "no_start_left", answer=False),),
        kills=True,
    ),
    Defect(
        "a turn that kills has always another start",
        "a_turn_that_kills_is_not_run_for_ever",
        (constant(turn, "no_start_left", answer=False),),
        kills=True,
    ),
    Defect(
        "steps of which a process has died are worked on together",
        "a_death_counts_once_for_who_was_only_there",
        (replaced(Suspects, "turn_of", _all_at_once),),
        kills=True,
    ),
)

"""Defects of usual steps: what they write, what they read, what they know afterwards."""

from collections.abc import Callable
from typing import Any

from msgspec.structs import replace

from baton.engine.work_items import WorkItem
from baton.store.redis.tree import usual
from baton.store.redis.tree.billing import Bill
from baton.store.redis.tree.snapshot import TreeSnapshot
from tests.simulation import plan
from tests.simulation.planting import around, constant, defects


def _one_later(following: Callable[..., WorkItem | None], *arguments: Any) -> WorkItem | None:
    item = following(*arguments)
    return item and replace(item, attempt=item.attempt + 1)


def _without_messages(is_alone: Callable[..., bool], snapshot: TreeSnapshot, item: WorkItem) -> bool:
    return is_alone(replace(snapshot, tree=replace(snapshot.tree, messages={})), item)


def _unpaid(alone: Callable[..., Any], bill: Bill, job_id: str, _meter: Any, *rest: Any) -> Any:
    return alone(bill, job_id, None, *rest)


DEFECTS = (
    *defects(
        0,
        of_usual_steps=True,
        a_usual_step_is_as_any_other={
            "a usual step adds another item": around(usual, "_following", _one_later),
            "a usual step pays nothing": around(Bill, "alone", _unpaid),
            "a usual step compares nothing": constant(usual, "known_end", ""),
            "a usual step is made of a tree with others": constant(usual, "_is_alone", answer=True),
            "a usual step goes on with what others dispatch": constant(usual, "_is_held", answer=True),
        },
    ),
    *defects(
        plan.STEERING_SEEDS,
        of_usual_steps=True,
        a_usual_step_is_as_any_other={"a usual step forgets a message": around(usual, "_is_alone", _without_messages)},
    ),
)

"""What holds of sandboxes in many worlds; planted defects, each found by the promise that it breaks."""

from typing import Any

import pytest
from msgspec.structs import replace as with_fields

from baton.engine import lifecycle
from baton.engine.commit import claiming, operations
from baton.engine.work_items import ItemKind
from baton.sdk.pydantic_ai.workspaces import WorkspaceOfPiece, Workspaces
from tests.simulation.planting import Defect, around, idle, planted
from tests.simulation.sandboxes import Broken, play

_WORLDS = 60


def test_sandboxes_are_kept_and_released_whatever_fails() -> None:
    for seed in range(20):
        play(seed)


@pytest.mark.long
def test_sandboxes_are_kept_and_released_in_many_worlds() -> None:
    for seed in range(1_000, 1_120):
        play(seed)


def _never(after_end: Any, *arguments: Any) -> Any:
    decision = after_end(*arguments)
    if decision.changes is None:
        return decision
    items = tuple(item for item in decision.changes.items if item.kind is not ItemKind.RELEASE)
    return with_fields(decision, changes=with_fields(decision.changes, items=items))


async def _twice(destroy: Any, *arguments: Any, **named: Any) -> None:
    await destroy(*arguments, **named)
    await destroy(*arguments, **named)


def _at_once(drop_items_of: Any, *arguments: Any) -> int:
    drop_items_of(*arguments)
    return 0


def _of_another_run(release_item: Any, job_id: str, run: int, workspace: str, *times: Any) -> Any:
    del workspace
    return release_item(job_id, run, "", *times)


def _defect(name: str, promise: str, *patches: Any, marks: Any = ()) -> Any:
    return pytest.param(Defect(name, promise, patches, 0), id=name, marks=marks)


@pytest.mark.parametrize(
    "defect",
    [
        _defect("never released", "no_box_is_left", around(lifecycle, "after_end", _never)),
        _defect("released twice", "a_box_is_destroyed_once", around(Workspaces, "destroy", _twice)),
        _defect(
            "released before the last step",
            "a_box_is_there_for_each_step",
            around(operations, "drop_items_of", _at_once),
            around(claiming, "drop_items_of", _at_once),
        ),
        _defect(
            "not destroyed by who was overtaken", "no_box_is_left", idle(Workspaces, "undo"), marks=pytest.mark.long
        ),
        _defect("made by each call", "a_box_is_destroyed_once", idle(WorkspaceOfPiece, "make")),
        _defect("a job below keeps it", "no_box_is_left", around(claiming, "release_item", _of_another_run)),
    ],
)
def test_a_defect_is_found(defect: Defect) -> None:
    with planted(defect):
        assert _broken().startswith(defect.invariant)


def _broken() -> str:
    """Return what the first world finds; empty: none finds anything."""
    for seed in range(_WORLDS):
        try:
            play(seed)
        except Broken as broken:
            return str(broken)
    return ""

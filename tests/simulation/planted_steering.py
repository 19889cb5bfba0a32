"""Defects of messages to running jobs."""

from typing import Any

from baton.engine.commit import claiming, operations
from baton.engine.commit.tree import Tree
from tests.fakes import FakeAdmission
from tests.simulation.planting import Defect, Patch, replaced


def _kept(_tree: Tree, _job_id: str, changes: Any) -> Any:
    """End a job, whatever is said to it."""
    return changes


async def _asked_anew(_self: Any, _name: str, value: str) -> str:
    """Forget what was chosen first."""
    return value


def _again(tell: Any) -> Any:
    """Tell it, and note nowhere that it is told."""

    def told(tree: Tree, job_id: str) -> Tree:
        after: Tree = tell(tree, job_id)
        for at, entry in tree.messages.get(job_id, {}).items():
            after = after.with_message(job_id, at, entry)
        return after

    return told


def _steered(name: str, invariant: str, *patches: Patch) -> Defect:
    return Defect(name, invariant, patches, steers=True)


DEFECTS = (
    _steered(
        "what is said in the last turn is not told", "what_is_said_is_told", replaced(operations, "steered", _kept)
    ),
    _steered("what is said is told in each turn", "a_message_is_told_once", Patch(claiming, "_with_messages", _again)),
    _steered(
        "a message that comes again goes to whichever job runs",
        "a_message_is_told_once",
        replaced(FakeAdmission, "first_value", _asked_anew),
    ),
)

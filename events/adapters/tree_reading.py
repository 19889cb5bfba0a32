"""What is read of a tree before a step of it is decided: commands, and what comes of their answers."""

import json
from collections.abc import Sequence
from typing import Any

from events.adapters import keys
from events.adapters.tree_attempt import Transition
from events.adapters.tree_details import as_dict
from events.adapters.tree_snapshot import Place, TreeSnapshot
from events.core.records import load_call
from events.engine.patch import Command
from events.ports import Tombstone


def suffices(snapshot: TreeSnapshot, transitions: Sequence[Transition]) -> bool:
    """Whether all is known that the transitions read."""
    for transition in transitions:
        for place, must in transition.places(snapshot.tree):
            if must and not snapshot.knows_result(place):
                return False
        for place in transition.calls(snapshot.tree):
            if not snapshot.knows_call(place):
                return False
    return True


def reads_of(root_id: str, results: Sequence[Place], calls: Sequence[Place]) -> list[Command]:
    """The commands that read a tree, and these results and calls."""
    return [
        ["HGETALL", keys.state_key(root_id)],
        ["GET", keys.tombstone_key(root_id)],
        *(["HGET", keys.results_key(job_id), name] for job_id, name in results),
        *(["HGET", keys.calls_key(job_id), name] for job_id, name in calls),
    ]


def read_again(
    snapshot: TreeSnapshot, answers: Sequence[Any], results: Sequence[Place], calls: Sequence[Place]
) -> TreeSnapshot:
    """What is known of a tree once `reads_of` was answered."""
    state, stone, *texts = answers
    state = as_dict(state)
    kept = json.loads(stone) if stone else None
    tombstone = Tombstone(kept["tenant"], kept["deleted"]) if kept else None
    found, records = texts[: len(results)], texts[len(results) :]
    known = {place: load_call(text) if text else None for place, text in zip(calls, records, strict=True)}
    return snapshot.read_again(state, tombstone, dict(zip(results, found, strict=True)), known)

"""The state of a run as it is read: from its record, or still open since the last turn, so that none is read twice.

Invariant: a state goes on only from a record that ends with what its turn has kept; else the record is read anew.
"""

from collections.abc import Mapping, Sequence
from copy import copy
from typing import Any, TypeVar

from baton.sdk.agents.runner import OPEN_RUNS, OpenRun, Recorded, RunFailedError, RunnerAnswer
from baton.sdk.models.model import NEWER_STATE, ModelError

State = TypeVar("State")
_MOST = 8


class HeldState(OpenRun):
    """One state, with the turn that `kept` is of, as the last of so many."""

    def __init__(self, state: Any, kept: Mapping[str, Any], turns: int) -> None:
        self.state, self.kept, self.turns = state, kept, turns

    async def close(self) -> None:
        """Leave it: it holds nothing outside."""


def begun_state(
    recorded: Recorded, kind: type[State], up_to_turn: int | None
) -> tuple[State | None, Sequence[Mapping[str, Any]]]:
    """Return the state that is still open, and the turns that are to be read beyond it; None: it begins with these.

    `up_to_turn`: the turn whose call is made, with a state of its own; None: a turn, which takes the open one.
    """
    runs, job_id = OPEN_RUNS.get({}), recorded.job.job_id
    turns = [entry for entry in recorded.turns if up_to_turn is None or entry["turn"] <= up_to_turn]
    held = runs.pop(job_id, None) if up_to_turn is None else runs.get(job_id)
    if not isinstance(held, HeldState) or not isinstance(held.state, kind) or len(turns) != held.turns:
        return None, turns
    return (copy(held.state), ()) if turns[-1].get("provider") == held.kept else (None, turns)


def sent_since(recorded: Recorded) -> list[str]:
    """Return the user's messages since the last request."""
    last = recorded.turns[-1]["turn"] if recorded.turns else 0
    return [text for turn, text in recorded.messages if turn >= last]


def require_own(kept: Mapping[str, Any], turn: int, kind: str, library: str, version: int = 0) -> None:
    """Check that an agent of the library has kept this of a turn, in this version or one before.

    Raises RunFailedError: another agent has. ModelError: a newer version has.
    """
    if kept.get("kind") != kind:
        raise RunFailedError("unknown_run", f"turn {turn} was not made by an agent of {library}: submit the job again")
    if (newer := kept.get("version", 0)) > version:
        message = f"turn {turn} was recorded by a newer version: {newer} instead of {version}"
        raise ModelError(message, retryable=True, type=NEWER_STATE)


def hold(recorded: Recorded, state: Any, answer: RunnerAnswer) -> RunnerAnswer:
    """Keep a state for the pieces after this turn, and return its answer."""
    runs, kept = OPEN_RUNS.get(None), answer.answer.provider or {}
    if runs is not None and len(runs) < _MOST:
        state.take(kept, recorded.turn)
        runs[recorded.job.job_id] = HeldState(state, kept, len(recorded.turns) + 1)
    return answer

"""The state of a run as it is read: from its record, or still open since the turn before, so that none is read twice.

Invariant: a state goes on only from the record that it was read of, and one turn more; else the record is read anew.
"""

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from baton.sdk.agents.runner import OPEN_RUNS, OpenRun, Recorded, RunFailedError
from baton.sdk.models.model import NEWER_STATE, ModelError

State = TypeVar("State")
_MOST = 8


class HeldState(OpenRun):
    """One state, as it was before the turn that `kept` is of."""

    def __init__(self, state: Any, kept: Mapping[str, Any] | None, turns: int) -> None:
        self.state, self.kept, self.turns = state, kept, turns

    async def close(self) -> None:
        """Leave it: it holds nothing outside."""


def begun_state(
    recorded: Recorded, kind: type[State], up_to_turn: int | None
) -> tuple[State | None, Sequence[Mapping[str, Any]]]:
    """Return the state that is still open, and the turns that are to be read beyond it; None: it begins with these.

    `up_to_turn`: the last turn to read; such a state is always read from its beginning.
    """
    if up_to_turn is not None:
        return None, [entry for entry in recorded.turns if entry["turn"] <= up_to_turn]
    state = _held_state(recorded, kind)
    return state, recorded.turns if state is None else recorded.turns[-1:]


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


def _held_state(recorded: Recorded, kind: type[State]) -> State | None:
    """Take the state of a job before its last recorded turn; None: that turn was not made here."""
    held = OPEN_RUNS.get({}).pop(recorded.job.job_id, None)
    if not isinstance(held, HeldState) or not isinstance(held.state, kind) or len(recorded.turns) != held.turns:
        return None
    return held.state if recorded.turns[-1].get("provider") == held.kept else None


def hold(recorded: Recorded, state: Any, kept: Mapping[str, Any] | None) -> None:
    """Keep a state for the turn after this one. `kept`: what this one keeps."""
    runs = OPEN_RUNS.get(None)
    if runs is not None and len(runs) < _MOST:
        runs[recorded.job.job_id] = HeldState(state, kept, len(recorded.turns) + 1)

"""The state of a run that stays open from turn to turn of one invocation, so that a long record is read once.

Invariant: a state goes on only from the record that it was read of, and one turn more; else the record is read anew.
"""

from collections.abc import Mapping
from typing import Any, TypeVar

from baton.sdk.agents.runner import OPEN_RUNS, OpenRun, Recorded

State = TypeVar("State")
_MOST = 8


class HeldState(OpenRun):
    """One state, as it was before the turn that `kept` is of."""

    def __init__(self, state: Any, kept: Mapping[str, Any] | None, turns: int) -> None:
        self.state, self.kept, self.turns = state, kept, turns

    async def close(self) -> None:
        """Leave it: it holds nothing outside."""


def held_state(recorded: Recorded, kind: type[State]) -> State | None:
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

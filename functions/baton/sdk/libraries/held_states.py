"""The state of a run as it is read: from its record, or still open since the last turn, so that none is read twice.

Invariant: a state goes on only from a record that ends with what its turn has kept; else the record is read anew.
"""

from collections.abc import Callable, Mapping, Sequence
from copy import copy
from typing import Any, NamedTuple, TypeVar

from baton.sdk.agents.runner import OPEN_RUNS, OpenRun, Recorded, RunFailedError, RunnerAnswer
from baton.sdk.models.model import NEWER_STATE, File, Message, ModelError, ModelMessage, UserMessage

State = TypeVar("State")
_MOST = 8


class HeldState(OpenRun):
    """One state, with the turn that `kept` is of, as the last of so many."""

    def __init__(self, state: Any, kept: Mapping[str, Any], turns: int) -> None:
        self.state, self.kept, self.turns = state, kept, turns

    async def close(self) -> None:
        """Leave it: it holds nothing outside."""


class MessageForm(NamedTuple):
    """A library's form of messages: reads a list of its JSON, makes a user's message with files, and an answer."""

    read: Callable[[str], list[Any]]
    user: Callable[[str, Sequence[File]], Any]
    answer: Callable[[str], Any]

    def messages(self, known: Message | str) -> list[Any]:
        """Convert an earlier message of the session; calls of other libraries' jobs are told as texts."""
        if isinstance(known, str):
            return self.read(known)
        if isinstance(known, UserMessage):
            return [self.user(known.text, known.files)]
        return [self.answer(known.text)] if isinstance(known, ModelMessage) and known.text else []


def begun_state(recorded: Recorded, made: Callable[[list[Any]], State], form: MessageForm, last: int | None) -> State:
    """Return the run's state: the one that is still open, or read from its record.

    `made`: makes one of the session's conversation before the job. `form`: the library's of its messages.
    `last`: the turn whose call is made, with a state of its own; None: a turn, which takes the open one.

    Raises RunFailedError: the job began with another agent. ModelError: a newer version wrote the record.
    """
    runs, job_id = OPEN_RUNS.get({}), recorded.job.job_id
    turns = [entry for entry in recorded.turns if last is None or entry["turn"] <= last]
    held = runs.pop(job_id, None) if last is None else runs.get(job_id)
    if isinstance(held, HeldState) and len(turns) == held.turns and turns[-1].get("provider") == held.kept:
        state: Any = copy(held.state)
    else:
        state = made([])
        state.files.kept_elsewhere(recorded.files)
        known = [state.files.whole(one) if isinstance(one, str) else one for one in recorded.earlier]
        state.earlier = [message for one in known for message in form.messages(one)]
        for at, entry in enumerate(turns):
            state.take(entry.get("provider") or {}, entry["turn"], head=last is not None and at > 0)
    requested = recorded.turns[-1]["turn"] if recorded.turns else 0
    state.sent = [text for turn, text in recorded.messages if turn >= requested]
    return state  # type: ignore[no-any-return]


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

"""The state of a run as it is read: from its record, or still open since the last turn, so that none is read twice.

Invariant: a state goes on only from a record that ends with what its turn has kept; else the record is read anew.
"""

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field
from typing import Any, ClassVar, NamedTuple, Self

from baton.sdk.agents.runner import OPEN_RUNS, OpenRun, Recorded, RunFailedError, RunnerAnswer
from baton.sdk.models.model import NEWER_STATE, File, Message, ModelError, ModelMessage, UserMessage
from baton.sdk.records.file_contents import FileContents

Results = Mapping[str, Mapping[str, Any]]
_MOST = 8


class MessageForm(NamedTuple):
    """A library's form of messages: reads a list of its JSON, makes a user's message with files, and an answer."""

    read: Callable[[str], list[Any]]
    user: Callable[[str, Sequence[File]], Any]
    answer: Callable[[str], Any]


@dataclass
class LibraryState(OpenRun):
    """A run of a library as recorded so far, which holds nothing outside.

    Attributes:
        kind: of what a turn has kept. `library`: for people. `version`: the newest that is read. `form`: of messages.
        complete: whether a job's messages are read with all contents that they refer to.
        earlier: the session's conversation before the job.
        sent: the user's messages since the last request.
        files: large contents of the texts read.
        ends: while it is kept open: what its last turn has kept, and the number of its turns.
    """

    kind: ClassVar[str]
    library: ClassVar[str]
    version: ClassVar[int] = 0
    form: ClassVar[MessageForm]
    complete: ClassVar[bool] = False
    earlier: list[Any] = field(default_factory=list[Any])
    sent: list[str] = field(default_factory=list[str])
    files: FileContents = field(default_factory=FileContents)
    ends: tuple[Any, int] = (None, 0)

    @abstractmethod
    def take(self, kept: Mapping[str, Any], turn: int, *, head: bool = False) -> None:
        """Take what a turn has kept. `head`: a call needs its conversation's beginning alone."""

    @abstractmethod
    def request(self) -> str:
        """Return the messages of the last request in the library's JSON."""

    @abstractmethod
    def conversation(self, turns: Sequence[Mapping[str, Any]], results: Results) -> str:
        """Return the messages of the job, with the results of its last calls so far."""

    @classmethod
    def of(cls, recorded: Recorded, up_to_turn: int | None = None) -> Self:
        """Return the run's state: the one that is still open, or read from its record.

        `up_to_turn`: the turn whose call is made, with a state of its own; None: a turn, which takes the open one.

        Raises RunFailedError: the job began with another agent. ModelError: a newer version wrote the record.
        """
        runs, job_id, last = OPEN_RUNS.get({}), recorded.job.job_id, up_to_turn
        turns = [entry for entry in recorded.turns if last is None or entry["turn"] <= last]
        open_one = runs.pop(job_id, None) if last is None else runs.get(job_id)
        if isinstance(open_one, cls) and open_one.ends == (turns[-1].get("provider") if turns else {}, len(turns)):
            state = copy(open_one)
        else:
            state = cls()
            state.files.kept_elsewhere(recorded.files)
            state.earlier = [message for one in recorded.earlier for message in state._message(one)]
            state._take_turns(turns, recorded.results, head=last is not None)
        requested = recorded.turns[-1]["turn"] if recorded.turns else 0
        state.sent = [text for turn, text in recorded.messages if turn >= requested]
        return state

    @classmethod
    def job_messages(cls, turns: Sequence[Mapping[str, Any]], results: Results, *, sent: bool = False) -> str:
        """Return a job's messages, as `Runner.messages`."""
        if not turns or any((entry.get("provider") or {}).get("kind") != cls.kind for entry in turns):
            return ""
        state = cls.after(turns, results)
        return state.request() if sent else state.conversation(turns, results)

    @classmethod
    def after(cls, turns: Sequence[Mapping[str, Any]], results: Results | None = None) -> Self:
        """Read these turns alone, without the results of the last one's calls. No `results`: tools' files are empty."""
        state = cls(files=FileContents(complete=cls.complete and results is not None))
        state._take_turns(turns, results or {})
        return state

    def _take_turns(self, turns: Sequence[Mapping[str, Any]], results: Results, *, head: bool = False) -> None:
        """Take what turns have kept. `results`: of their calls. `head`: as in `take`, but for the first one."""
        del results
        for at, entry in enumerate(turns):
            self.take(self._own(entry), entry["turn"], head=head and at > 0)

    def _message(self, known: Message | str) -> list[Any]:
        """Convert an earlier message of the session; calls of other libraries' jobs are told as texts."""
        if isinstance(known, str):
            return self.form.read(self.files.whole(known))
        if isinstance(known, UserMessage):
            return [self.form.user(known.text, known.files)]
        return [self.form.answer(known.text)] if isinstance(known, ModelMessage) and known.text else []

    def _own(self, entry: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return what an agent of the library has kept of a turn, in this version or one before.

        Raises RunFailedError: another agent has. ModelError: a newer version has.
        """
        kept: Mapping[str, Any] = entry.get("provider") or {}
        if kept.get("kind") != self.kind:
            text = f"turn {entry['turn']} was not made by an agent of {self.library}: submit the job again"
            raise RunFailedError("unknown_run", text)
        if (newer := kept.get("version", 0)) > self.version:
            message = f"turn {entry['turn']} was recorded by a newer version: {newer} instead of {self.version}"
            raise ModelError(message, retryable=True, type=NEWER_STATE)
        return kept

    def hold(self, recorded: Recorded, answer: RunnerAnswer) -> RunnerAnswer:
        """Keep it for the pieces after this turn, and return the turn's answer."""
        runs, kept = OPEN_RUNS.get(None), answer.answer.provider or {}
        if runs is not None and len(runs) < _MOST:
            self.take(kept, recorded.turn)
            self.ends, runs[recorded.job.job_id] = (kept, len(recorded.turns) + 1), self
        return answer

    async def close(self) -> None:
        """Leave it: nothing is to be closed."""


def stored_calls(entry: Mapping[str, Any], results: Results) -> list[tuple[Mapping[str, Any], Mapping[str, Any]]]:
    """Return the calls of a turn, each with its result as it is stored, or itself."""
    return [(call, results.get(call["id"]) or call) for call in entry["calls"]]

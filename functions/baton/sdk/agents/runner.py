"""The runner of an agent that is written with another library: it runs turns and tool calls.

Invariant: a runner needs nothing but recorded JSON, and returns JSON. What it keeps open between two pieces of work of
one invocation saves time alone. Must not: know the engine. An exception that it raises is a failure of the piece.
"""

import json
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from contextvars import ContextVar
from typing import Any, Protocol

from msgspec import field

from baton.sdk.models.model import NOTHING_SPENT, File, Listener, Message, ModelAnswer, Spent
from baton.sdk.records.record import Record
from baton.sdk.records.transcript import MODEL_ROLE, WITHHELD_ROLE, turns_of
from baton.sdk.tools.context import ToolContext
from baton.sdk.tools.pending import Pending


class JobInfo(Record, frozen=True, kw_only=True):
    """The job that a piece of work belongs to: its ids, its task's text, data and files."""

    job_id: str
    session_id: str
    tenant: str
    task: str
    input_data: dict[str, Any] = field(default_factory=dict[str, Any])
    files: tuple[File, ...] = ()


class Recorded(Record, frozen=True):
    """The records of a job so far.

    `job`: the job. `earlier`: the session's conversation before the job; a text is the result of `Runner.messages` for
    a job. `turns`: the transcript's entries of the model, in order; `provider` is the runner's own of that turn.
    `results`: by call id: `{"ok": …, "kept"?: …}` or `{"error": {"type", "message"}}`. `messages`: the user's messages
    while it ran: the turn before each (0: before the first turn), and the text. `files`: known contents of the
    session's files, as in `File.data`. `edits`: a fork's replacements of the agent's own `instructions` and `model`.
    `now_ms`: the time of the piece of work, in milliseconds since 1970. `whole`: reads the records with all that is
    compacted; None: nothing is. `turn`: the number of the turn to make, which a repeated one has, too. `again`:
    whether that turn has begun before. `workspace`: the handle of the job's workspace; empty: it has none (yet).
    `cancelled`: whether a cancel was asked for: the code of a workflow cleans up, and nothing else is begun.
    `stretch`: of a job that runs code: names the stretches that are recorded, as `RunnerAnswer.stretch` does. `news`:
    the calls that have ended since the last stretch, in that order. Their results are given; of the rest of the record
    only `whole` tells.
    """

    job: JobInfo
    earlier: tuple[Message | str, ...] = ()
    turns: tuple[Mapping[str, Any], ...] = ()
    results: Mapping[str, Mapping[str, Any]] = field(default_factory=dict[str, Mapping[str, Any]])
    messages: tuple[tuple[int, str], ...] = ()
    files: tuple[str, ...] = ()
    edits: Mapping[str, str] = field(default_factory=dict[str, str])
    now_ms: int = 0
    whole: "Callable[[], Awaitable[Recorded]] | None" = None
    turn: int = 0
    again: bool = False
    workspace: str = ""
    cancelled: bool = False
    stretch: str = ""
    news: tuple[str, ...] = ()


class RunnerAnswer(Record, frozen=True):
    """The result of one turn.

    `answer`: its calls are made; its `provider` is kept unchanged, for the next pieces of work. `output`: the job's
    result, any JSON but null; None: the job continues. `correction`: why the answer does not fit and the model is
    called again, for people. `alone`: for each call, whether it runs alone, after those before it and before those
    after it. `asked`: whether a model was asked in this turn. `workspace`: the handle of the workspace that it has
    made; empty: none. `numbers`: the step number of each call in its run; empty: calls go by turn and position.
    `waits`: whether it asks for nothing because calls of earlier turns are still at work. `given_up`: the step numbers
    of such calls that nothing waits for any more. `stretch`: a name of this stretch and all before it; empty: the code
    has ended. `own`: the output as code above gets it, where people are shown another one.
    """

    answer: ModelAnswer
    output: Any = None
    correction: str = ""
    alone: tuple[bool, ...] = ()
    asked: bool = True
    workspace: str = ""
    numbers: tuple[int, ...] = ()
    waits: bool = False
    given_up: tuple[int, ...] = ()
    stretch: str = ""
    own: Any = None


class RunnerCall(Record, frozen=True):
    """One attempt of a tool call: the one at `position` of turn `turn`.

    `approved`: a person approved the arguments. `again`: the call has begun before.
    """

    turn: int
    position: int
    tool: str
    arguments: dict[str, Any]
    approved: bool
    context: ToolContext
    again: bool = False


class CallReturned(Record, frozen=True):
    """A call's result, and further data that the runner needs; both are JSON."""

    value: Any
    kept: dict[str, Any] | None = None


class NeedsApproval(Record, frozen=True):
    """The call may not run before a person has approved it; `metadata` is what the tool says to them."""

    title: str
    metadata: dict[str, Any] | None = None


class RunFailedError(Exception):
    """The run has failed for good: the job fails with this error, whose name is `type`.

    `partial`: the text of an answer that was cut off. `spent`: the usage of the answers that were not taken. `kept`:
    the runner's own data of the turn that ended the run, as an answer's `provider`; None: no model had answered in it.
    """

    def __init__(self, kind: str, message: str, partial: str = "", spent: Spent = NOTHING_SPENT) -> None:
        super().__init__(message)
        self.type = kind
        self.message, self.partial, self.spent = message, partial, spent
        self.kept: dict[str, Any] | None = None


class OwnWorkspaces(ABC):
    """The workspaces outside that jobs of an agent make for themselves."""

    @abstractmethod
    async def destroy(self, job: JobInfo, workspace: str, *, runs_again: bool) -> None:
        """Destroy that of a job's run that has ended, by its handle, and one named by the job unless it runs again.

        It may be called again for one that is gone. Any exception means that it is to be tried again.
        """


class Runner(Protocol):
    """Runs an agent piece by piece. `workspaces`: None: its jobs make none."""

    workspaces: OwnWorkspaces | None

    @property
    def name(self) -> str:
        """The name of its model in traces."""
        ...

    @property
    def functions(self) -> Sequence[Callable[..., Any]]:
        """The user's functions that it calls, as far as they are known before a run."""
        ...

    @property
    def toolsets(self) -> Sequence[Any]:
        """The library's objects that may have connections, which end with their process."""
        ...

    def made_of(self) -> dict[str, Any]:
        """Return the agent's definition as JSON, as far as it is known before a run."""
        ...

    def takes_file(self, media_type: str) -> bool:
        """Return whether its model takes such a file, as far as it is known before the call."""
        ...

    def check(self, tool: str, arguments: dict[str, Any]) -> None:
        """Check arguments that a person has edited.

        Raises InvalidArguments: they do not fit, as far as that can be known outside of a run.
        """
        ...

    async def turn(self, recorded: Recorded, listener: Listener | None) -> RunnerAnswer:
        """Call the model once. Raises ModelError: it could not answer. RunFailedError: the run has failed for good."""
        ...

    async def call(self, recorded: Recorded, call: RunnerCall) -> CallReturned | NeedsApproval | Pending:
        """Run one attempt of a call. Raises ToolError: it failed."""
        ...

    async def abandon(self, recorded: Recorded) -> None:
        """Stop a provider's work for a job that was cancelled. Raises ModelError: the provider did not accept it."""
        ...

    def messages(
        self, turns: Sequence[Mapping[str, Any]], results: Mapping[str, Mapping[str, Any]], *, sent: bool = False
    ) -> str:
        """Return the messages of a job in the library's own JSON.

        `turns`: as in `Recorded`. `results`: of the calls, as far as they have any. `sent`: those that the model was
        sent in the last turn, with its instructions, without its answer.

        Returns:
            A JSON list; empty: no agent of this library made the turns.

        Raises:
            LookupError: the turns refer to results that are not given.
        """
        ...


class OpenRun(ABC):
    """A run that a runner keeps open for the next piece of work."""

    @abstractmethod
    async def close(self) -> None:
        """Leave it; the next piece of work begins from the records."""


# Of an invocation, by job: a runner takes what fits its piece of work from here, and leaves what may go on.
OPEN_RUNS: ContextVar[dict[str, OpenRun]] = ContextVar("baton_open_runs")


class OpenCode(ABC):
    """A run of code that stays open for its next turn."""

    @abstractmethod
    def let_go(self) -> None:
        """Leave it; the next turn begins from the records. It may take a while."""


class CodeRuns:
    """The runs of code that a process keeps open between turns, by job; of more than `most` the oldest is left.

    `limit_seconds`: how long code may run without waiting.
    """

    def __init__(self, most: int, limit_seconds: float) -> None:
        self._most, self.limit_seconds, self._runs = most, limit_seconds, dict[str, OpenCode]()

    def take(self, job_id: str) -> OpenCode | None:
        """Take a job's run; None: there is none."""
        return self._runs.pop(job_id, None)

    def keeps(self, job_id: str, run: OpenCode) -> list[OpenCode]:
        """Keep a job's run open; return those that are to be left in its place."""
        over = [self._runs.pop(job_id)] if job_id in self._runs else []
        self._runs[job_id] = run
        return over + ([self._runs.pop(next(iter(self._runs)))] if len(self._runs) > self._most else [])

    def let_go_of_all(self) -> None:
        while self._runs:
            self._runs.popitem()[1].let_go()


# Of the process, in a turn of code.
CODE_RUNS: ContextVar[CodeRuns | None] = ContextVar("baton_code_runs", default=None)


# Of an invocation, by job: undoes what its piece of work has made outside, where nothing of the piece is recorded.
UNDO: ContextVar[dict[str, Callable[[], Awaitable[None]]]] = ContextVar("baton_undo")


async def close_all(runs: Iterable[OpenRun]) -> None:
    """Close runs that are left open. Their hooks' errors are no result: these runs are not over."""
    for run in runs:
        with suppress(Exception):
            await run.close()


class CodeRunner(ABC):
    """The base of a runner whose calls are those of the registry's tools, and whose turns call no model.

    It numbers its steps, and goes on whenever one of them has ended.
    """

    workspaces: OwnWorkspaces | None = None

    @abstractmethod
    def check_input(self, data: dict[str, Any]) -> None:
        """Check a job's data before the job is accepted. Raises InvalidArguments: it does not fit."""


def run_messages(
    runner: Runner | None,
    first_turn: int,
    transcript: Sequence[dict[str, Any]],
    results: Mapping[str, dict[str, Any]],
    *,
    sent: bool = False,
) -> list[dict[str, Any]] | None:
    """Read a job's messages in the library's own JSON, with those of a turn that ended it; None: no runner made any.

    `sent`: those that its model was sent in the last turn.
    """
    last: Mapping[str, Any] = next(
        (entry for entry in reversed(transcript) if entry["role"] in (MODEL_ROLE, WITHHELD_ROLE)), {}
    )
    ended = (dict(last),) if last.get("role") == WITHHELD_ROLE and last["turn"] >= first_turn else ()
    text = "" if runner is None else runner.messages((*turns_of(transcript, first_turn), *ended), results, sent=sent)
    return json.loads(text, parse_constant=str) if text else None

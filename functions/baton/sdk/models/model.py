"""The model protocol, and the records that cross the border to any model: requests, answers, messages, calls.

Invariant: the records are frozen JSON-like data. A model is given everything it may know and remembers nothing between
turns, because the next turn may run in another process. A call carries no id: ids are derived from the job, the turn,
the position and the digest of tool and arguments. Must not: import a provider's library, or know of tools' code.
"""

import re
from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any, Protocol, runtime_checkable

from msgspec import field

from baton.sdk.records.record import Record
from baton_events.values.durations import Duration

# The largest answer that is taken: its texts and the arguments of its calls.
ANSWER_LIMIT_BYTES = 1_000_000


class Call(Record, frozen=True):
    """One call: a tool's name and its arguments (a JSON object). `fault`: why they cannot be read; empty: they can."""

    tool: str
    arguments: dict[str, Any] = field(default_factory=dict)
    fault: str = ""

    def __post_init__(self) -> None:
        """Refuse values that could not be a tool call."""
        if not isinstance(self.tool, str) or not self.tool:
            raise TypeError(
                f"Call(tool=...) must be a tool's name, got {self.tool!r}; write Call('read_file', {{...}})"
            )
        if not isinstance(self.arguments, dict) or not all(isinstance(key, str) for key in self.arguments):
            raise TypeError(
                f"Call({self.tool!r}, arguments) must be a dict with text keys, got {self.arguments!r};"
                " write Call('read_file', {'path': 'a.txt'})"
            )


# Every provider accepts such a name of a function, as `TOOL_NAME` of sdk/tools has it; for Google's it begins with a
# letter or `_` (ai.google.dev/api/caching#FunctionDeclaration).
NAME_CHARS, _NOT_IN_NAMES = 64, re.compile(r"[^A-Za-z0-9_-]")


def accepted_name(name: str) -> str:
    """Return the name of a tool in the form that every provider takes."""
    changed = _NOT_IN_NAMES.sub("_", name)
    return (changed if changed[:1].isalpha() or changed[:1] == "_" else f"_{changed}")[:NAME_CHARS]


class ToolSpec(Record, frozen=True):
    """A tool as the model sees it; `parameters` is the JSON schema of its arguments."""

    name: str
    description: str
    parameters: dict[str, Any]


class File(Record, frozen=True):
    """A file that a user or a tool has sent: at a public `url`, or its content, `data` as URL-safe Base64.

    Without both, it is left out here, since it is no longer kept or there are too many. `name`: of its content.
    """

    media_type: str
    filename: str = ""
    url: str = ""
    data: str = ""
    name: str = ""

    @property
    def standard_data(self) -> str:
        """Its content in the usual Base64."""
        return self.data.replace("-", "+").replace("_", "/")


def files_of(entry: Mapping[str, Any]) -> tuple[File, ...]:
    """Return the recorded files of a task, or of an exchange; of one that its model does not take, the name alone."""
    return tuple(
        [
            File(one["mediaType"], one.get("filename", ""), *(one.get(name, "") for name in ("url", "data", "name")))
            if not one.get("refused")
            else File(one["mediaType"], one.get("filename", ""))
            for one in entry.get("files", ())
        ]
    )


def takes_file(model: object, media_type: str) -> bool:
    """Return whether a model takes such a file, by its `takes_files` (`("image/*",)`); without it, it takes none."""
    return any(fnmatchcase(media_type, pattern) for pattern in getattr(model, "takes_files", ()))


class UserMessage(Record, frozen=True):
    """The task: its text, its files, and `data`, the job's inputData.

    `note`: no user sent this; it is added to the conversation (a summary of turns that the model is not sent).
    """

    text: str
    data: dict[str, Any] = field(default_factory=dict)
    note: bool = False
    files: tuple[File, ...] = ()


class PastCall(Record, frozen=True):
    """A tool call that was made in an earlier turn; `call_id` ties it to its result."""

    call_id: str
    tool: str
    arguments: dict[str, Any]


class ModelMessage(Record, frozen=True):
    """A model's answer in an earlier turn. `provider`: the `ModelAnswer`'s own."""

    text: str
    calls: tuple[PastCall, ...] = ()
    provider: Mapping[str, Any] | None = None


class ToolMessage(Record, frozen=True):
    """The result of a tool call: any JSON value, or its error. `files`: those that it names, if still known."""

    call_id: str
    tool: str
    content: Any
    is_error: bool = False
    files: tuple[File, ...] = ()


Message = UserMessage | ModelMessage | ToolMessage


class Listener(Protocol):
    """A receiver of an answer's text while it is made. It never raises, and does not delay a model for long."""

    async def write(self, text: str) -> None: ...

    async def withdrawn(self) -> None:
        """Discard the text so far: the answer begins anew."""
        ...


class ModelRequest(Record, frozen=True):
    """One turn's request to a model.

    Attributes:
        turn: counts from 1 within the job.
        settings: the model's settings (`temperature`, `max_tokens`, …), as plain JSON values.
        output: the final answer is to be a call of this tool, alone in its turn; None: the final answer is text.
        step_tools: the tools that a plan's steps may run, where a plan is requested; else empty.
        time_limit_seconds: the caller waits no longer; None: as long as it takes.
        listener: receives the text of the answer piece by piece, if the model can stream; None: no receiver.
    """

    instructions: str
    messages: tuple[Message, ...]
    tools: tuple[ToolSpec, ...]
    turn: int
    settings: Mapping[str, Any] = field(default_factory=dict)
    output: ToolSpec | None = None
    step_tools: tuple[ToolSpec, ...] = ()
    time_limit_seconds: float | None = None
    listener: Listener | None = None


class Origin(Record, frozen=True):
    """The source of an answer, for traces; unknown values are empty or 0.

    `name`: the model's here; `provider`, `model`, `id`: the provider's names for itself, the model and the answer.
    `finish_reason`: `stop`, `length`, `tool_call`, … `streamed`: it came piece by piece.
    """

    name: str = ""
    provider: str = ""
    model: str = ""
    id: str = ""
    finish_reason: str = ""
    url: str = ""
    streamed: bool = False
    cache_written_tokens: int = 0
    reasoning_tokens: int = 0


class Spent(Record, frozen=True):
    """The usage of calls whose answers were not taken: refused, empty, broken."""

    model_calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: float = 0.0

    def __add__(self, other: "Spent") -> "Spent":
        return Spent(
            self.model_calls + other.model_calls,
            self.input_tokens + other.input_tokens,
            self.output_tokens + other.output_tokens,
            self.cost_usd + other.cost_usd,
        )


NOTHING_SPENT = Spent()


class ModelAnswer(Record, frozen=True):
    """A model's answer in one turn; without calls, `text` is the final answer.

    Attributes:
        cost_usd: the cost of this turn; 0 if the price is unknown.
        cached: it was stored for the same request before, so no model was called, and it costs nothing.
        cached_input_tokens: those of the input tokens that the provider had in a cache of its own.
        provider: JSON that only the provider reads, sent back to it in the next turn (signatures, ids).
        origin: its source; None: unknown. Its `finish_reason` says whether the answer was cut off.
        spent_before: the usage of answers to the same request that were not taken, such as those of other models.
    """

    text: str = ""
    calls: tuple[Call, ...] = ()
    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: float = 0.0
    cached: bool = False
    cached_input_tokens: int = 0
    provider: dict[str, Any] | None = None
    origin: Origin | None = None
    spent_before: Spent = NOTHING_SPENT

    @property
    def is_cut(self) -> bool:
        """Whether a limit of its length cut it off: `max_tokens`, or the context window."""
        return self.origin is not None and self.origin.finish_reason == "length"


# The failure of an answer that was cut off, and what the model and people are told of it.
ANSWER_CUT = "answer_cut"
# The types of failures of code that does not fit the record of its job: it asks for other steps, or is too old for it.
CHANGED_CODE, NEWER_STATE = "changed_code", "newer_state"
CUT_CAUSE = "the answer was cut off by its length limit (max_tokens, or the context window)"
CUT_NOTE = "[The answer above was cut off by its length limit.]"


class ModelError(Exception):
    """A model's failure to answer.

    Attributes:
        message: for people.
        retryable: whether a retry may help; `retry_after_seconds`: the wait before it.
        spent: the usage of the answers that were not taken, which counts.
        type: the failure's name for programs.
        unanswered: the request may have arrived, and its answer may have to be paid for: a budget counts it in full.
    """

    def __init__(
        self,
        message: str,
        *,
        retryable: bool,
        retry_after_seconds: Duration | None = None,
        spent: Spent = NOTHING_SPENT,
        type: str = "model_error",  # noqa: A002 - as `ToolError` has it
        unanswered: bool = False,
    ) -> None:
        super().__init__(message)
        self.message, self.retryable, self.retry_after_seconds = message, retryable, retry_after_seconds
        self.spent, self.type, self.unanswered = spent, type, unanswered


def answer_too_large(size_bytes: int, spent: Spent = NOTHING_SPENT) -> ModelError:
    message = f"{size_bytes} bytes of answer, over the limit of {ANSWER_LIMIT_BYTES}: ask for less, or lower max_tokens"
    return ModelError(message, retryable=False, spent=spent, type="answer_too_large")


@runtime_checkable
class Model(Protocol):
    """Anything that can answer a turn."""

    @property
    def name(self) -> str:
        """The model's name in logs and usage counters."""
        ...

    @property
    def reads_history(self) -> bool:
        """Whether the model reads `messages`; if False, they need not be loaded for it."""
        ...

    async def answer(self, request: ModelRequest) -> ModelAnswer:
        """Answer one turn, or raise `ModelError`."""
        ...

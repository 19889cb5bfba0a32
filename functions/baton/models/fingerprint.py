"""Digests of a model's requests: small enough to be recorded with every turn, and told apart part by part.

A conversation grows from turn to turn: what was digested before is compared, and not read anew. Invariant: the same
question has the same digests in any process and any job: a call's number stands for its id, and equal numbers count as
the same. Secrets do not count, by name, so a replay of a redacted recording has the same digests. All that is kept
between turns may be dropped at any time. Must not: keep the question.
"""

import hashlib
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from msgspec import Struct, field

from baton.models.model import Message, ModelMessage, ModelRequest, ToolMessage, ToolSpec, UserMessage
from baton.sdk.redaction import redacted
from baton_events.ids import canonical_json, digest

if TYPE_CHECKING:
    from hashlib import _Hash


# As JSON, of all jobs together.
LIMIT_BYTES = 8_000_000

# What messages are as JSON; calls are numbered in the order of their coming, on from those that have a number.
Rendering = Callable[[Sequence[Message], dict[str, int]], list[Any]]


class _Sent(Struct):
    """What was digested in a job's last turn. `hashed`: the JSON text of `[messages]`, but for its ends' brackets."""

    messages: tuple[Message, ...] = ()
    numbers: dict[str, int] = field(default_factory=dict[str, int])
    hashed: "_Hash" = field(default_factory=lambda: hashlib.sha256(b"[["))
    size_bytes: int = 0

    def begins(self, messages: tuple[Message, ...]) -> bool:
        """Whether that is how these begin."""
        return self.messages == messages[: len(self.messages)]

    def go_on(self, messages: tuple[Message, ...], render: Rendering) -> None:
        """Digest what has come since."""
        values = render(messages[len(self.messages) :], self.numbers)
        text = ",".join([canonical_json(each) for each in values]).encode("utf-8", "surrogatepass")
        self.hashed.update(b"," + text if self.messages and text else text)
        self.messages, self.size_bytes = messages, self.size_bytes + len(text)

    def digest(self) -> str:
        """That of all of them, as `baton_events.ids.digest` has it."""
        whole = self.hashed.copy()
        whole.update(b"]]")
        return whole.hexdigest()


class PromptDigests:
    """Those of the jobs that were last at work, within a limit."""

    def __init__(self, render: Rendering, limit_bytes: int = LIMIT_BYTES) -> None:
        self._render = render
        self._limit_bytes = limit_bytes
        self._size_bytes = 0
        self._jobs: dict[str, _Sent] = {}  # the longest unused first

    def of(self, job_id: str, messages: tuple[Message, ...]) -> str:
        """The digest of what a job's model was sent.

        Raises:
            ValueError, TypeError: a part of it is no JSON.
        """
        sent = self._jobs.pop(job_id, None)
        self._size_bytes -= sent.size_bytes if sent else 0
        if sent is None or not sent.begins(messages):
            sent = _Sent()
        sent.go_on(messages, self._render)
        if sent.size_bytes <= self._limit_bytes:  # else the others would have to go for it
            self._jobs[job_id] = sent
            self._size_bytes += sent.size_bytes
        while self._size_bytes > self._limit_bytes:
            self._size_bytes -= self._jobs.pop(next(iter(self._jobs))).size_bytes
        return sent.digest()


DIGEST_CHARS = 16
_KEPT = 64
# What agents declare of their tools is the same in every turn: the digest of a tuple that is still that tuple.
_OF_TOOLS: dict[int, tuple[tuple[ToolSpec, ...], str]] = {}


def fingerprint(value: Any) -> str:
    """The digest of one part: a JSON value."""
    return digest(value)[:DIGEST_CHARS]


def specs_value(tools: Sequence[ToolSpec]) -> list[dict[str, Any]]:
    """What a model is sent of tools, as JSON."""
    return [{"name": tool.name, "description": tool.description, "parameters": tool.parameters} for tool in tools]


def request_digests(request: ModelRequest, *, reads_history: bool = True, job_id: str = "") -> dict[str, str] | None:
    """The digests of a question: `instructions`, `tools`, and where there are any `settings`, `output`, `messages`.

    `messages` begins with how many there are: `3-0f…`. None: a part of the question is no JSON. `job_id`: of whose
    model, which is asked more with each turn.
    """
    try:
        digests = {"instructions": _of_text(request.instructions), "tools": _of_tools(request.tools)}
        digests |= {name: fingerprint(value) for name, value in _own_parts(request).items()}
        if reads_history:
            digest_of_all = _DIGESTS.of(job_id, request.messages)
            digests["messages"] = f"{len(request.messages)}-{digest_of_all[:DIGEST_CHARS]}"
    except (TypeError, ValueError):
        return None
    return digests


@lru_cache(_KEPT)
def _of_text(text: str) -> str:
    return fingerprint(text)


def _of_tools(tools: tuple[ToolSpec, ...]) -> str:
    found = _OF_TOOLS.get(id(tools))
    if found is None or found[0] is not tools:
        if len(_OF_TOOLS) >= _KEPT:
            _OF_TOOLS.clear()
        found = _OF_TOOLS[id(tools)] = tools, fingerprint(specs_value(tools))
    return found[1]


def parts_of(request: ModelRequest) -> dict[str, Any]:
    """What is asked besides the conversation, part by part, as JSON."""
    return {"instructions": request.instructions, "tools": specs_value(request.tools), **_own_parts(request)}


def _own_parts(request: ModelRequest) -> dict[str, Any]:
    """Those that not every question has."""
    parts: dict[str, Any] = {}
    if request.settings:
        parts["settings"] = dict(request.settings)
    if request.output:
        parts["output"] = specs_value([request.output])
    return parts


def prompt_value(messages: Sequence[Message], numbers: dict[str, int] | None = None) -> list[Any]:
    """The conversation as JSON, each message a list; what only its provider reads is left out.

    `numbers`: those of calls that were sent before; the others get theirs.
    """
    numbers = {} if numbers is None else numbers
    values: list[Any] = []
    for message in messages:  # in one function: each turn goes through all that was said
        match message:
            case ToolMessage():
                number = numbers.setdefault(message.call_id, len(numbers))
                kind = "error" if message.is_error else "result"
                values.append([kind, number, message.tool, message.content])
            case ModelMessage():
                calls: list[Any] = []
                for call in message.calls:
                    number = numbers.setdefault(call.call_id, len(numbers))
                    calls.append([number, call.tool, redacted(call.arguments)])
                values.append(["model", message.text, calls])
            case UserMessage():
                files = [[one.media_type, one.filename, one.url or one.name] for one in message.files]
                kind = "note" if message.note else "user"
                values.append([kind, message.text, redacted(message.data), *([files] if files else [])])
    return values


_DIGESTS = PromptDigests(prompt_value)

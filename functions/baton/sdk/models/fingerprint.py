"""Digests of a model's requests: small enough to be recorded with every turn, and comparable part by part.

A conversation grows from turn to turn: its known beginning is compared, and not digested anew. Invariant: the same
request has the same digests in any process and any job: a call's number replaces its id, and equal numbers are equal
whatever their type. Secrets do not count, by name, so a replay of a redacted recording has the same digests. All state
kept between turns may be dropped at any time. Must not: keep the request.
"""

import hashlib
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from msgspec import Struct, field

from baton.sdk.models.model import Message, ModelMessage, ModelRequest, ToolMessage, ToolSpec, UserMessage
from baton.sdk.records.redaction import redacted
from baton_events.ids import canonical_json, digest

if TYPE_CHECKING:
    from hashlib import _Hash


# Of all jobs together, counted as JSON.
LIMIT_BYTES = 8_000_000

# Renders messages as JSON; calls are numbered in their order, continuing from those that have a number.
Rendering = Callable[[Sequence[Message], dict[str, int]], list[Any]]


class _Sent(Struct):
    """The messages digested in a job's last turn. `hashed`: the JSON of `[messages]` without closing brackets."""

    messages: tuple[Message, ...] = ()
    numbers: dict[str, int] = field(default_factory=dict[str, int])
    hashed: "_Hash" = field(default_factory=lambda: hashlib.sha256(b"[["))
    size_bytes: int = 0

    def go_on(self, messages: tuple[Message, ...], render: Rendering) -> None:
        """Digest the messages that were added since."""
        values = render(messages[len(self.messages) :], self.numbers)
        text = canonical_json(values)[1:-1].encode("utf-8", "surrogatepass")
        self.hashed.update(b"," + text if self.messages and text else text)
        self.messages, self.size_bytes = messages, self.size_bytes + len(text)

    def digest(self) -> str:
        """Return the digest of all messages, equal to that of `baton_events.ids.digest`."""
        whole = self.hashed.copy()
        whole.update(b"]]")
        return whole.hexdigest()


class PromptDigests:
    """The digests of the jobs that ran last, within a limit."""

    def __init__(self, render: Rendering, limit_bytes: int = LIMIT_BYTES) -> None:
        self._render, self._limit_bytes = render, limit_bytes
        self._size_bytes = 0
        self._jobs: dict[str, _Sent] = {}  # the longest unused first

    def of(self, job_id: str, messages: tuple[Message, ...]) -> str:
        """Return the digest of the messages sent to a job's model.

        Raises ValueError, TypeError: a part of it is no JSON.
        """
        sent = self._jobs.pop(job_id, None)
        self._size_bytes -= sent.size_bytes if sent else 0
        if sent is None or sent.messages != messages[: len(sent.messages)]:
            sent = _Sent()
        sent.go_on(messages, self._render)
        if sent.size_bytes <= self._limit_bytes:  # a larger one would displace all others
            self._jobs[job_id] = sent
            self._size_bytes += sent.size_bytes
        while self._size_bytes > self._limit_bytes:
            self._size_bytes -= self._jobs.pop(next(iter(self._jobs))).size_bytes
        return sent.digest()


DIGEST_CHARS = 16
_KEPT = 64
# An agent's tools are the same in every turn: the digest of a tuple, valid while it is the same tuple.
_OF_TOOLS: dict[int, tuple[tuple[ToolSpec, ...], str]] = {}


def fingerprint(value: Any) -> str:
    """Return the digest of one part: a JSON value."""
    return digest(value)[:DIGEST_CHARS]


def specs_value(tools: Sequence[ToolSpec]) -> list[dict[str, Any]]:
    """Return tools as a model is sent them, as JSON."""
    return [{"name": tool.name, "description": tool.description, "parameters": tool.parameters} for tool in tools]


def request_digests(request: ModelRequest, *, reads_history: bool = True, job_id: str = "") -> dict[str, str] | None:
    """Return the digests of a request: `instructions`, `tools`, and, if present, `settings`, `output`, `messages`.

    `messages` begins with their number: `3-0f…`. None: a part of the request is no JSON. `job_id`: the job, whose
    request grows with each turn.
    """
    try:
        digests = {"instructions": _of_text(request.instructions), "tools": _of_tools(request.tools)}
        for name, value in _own_parts(request).items():
            digests[name] = fingerprint(value)
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
    """Return the parts of the request beside the conversation, as JSON."""
    return {"instructions": request.instructions, "tools": specs_value(request.tools), **_own_parts(request)}


def _own_parts(request: ModelRequest) -> dict[str, Any]:
    parts: dict[str, Any] = {}
    if request.settings:
        parts["settings"] = dict(request.settings)
    if request.output:
        parts["output"] = specs_value([request.output])
    return parts


def prompt_value(messages: Sequence[Message], numbers: dict[str, int] | None = None) -> list[Any]:
    """Render the conversation as JSON, each message a list, without the fields that only its provider reads.

    `numbers`: those of calls in earlier messages; further calls get the next ones.
    """
    numbers = {} if numbers is None else numbers
    values: list[Any] = []
    for message in messages:  # in one function for speed: each turn goes through all messages
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

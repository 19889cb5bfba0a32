"""Digests of what a model was asked: small enough to be recorded with every turn, and told apart part by part.

Invariant: the same question has the same digests in any process and any job: a call's number stands for its id. Secrets
do not count, by name, so what is played back from a redacted recording has them, too. Must not: keep the question.
"""

from collections.abc import Sequence
from typing import Any

from events.core.redaction import redacted
from events.ids import digest
from functions.models.model import Message, ModelMessage, ModelRequest, ToolMessage, ToolSpec, UserMessage

DIGEST_CHARS = 16


def fingerprint(value: Any) -> str:
    """The digest of one part: a JSON value."""
    return digest(value)[:DIGEST_CHARS]


def specs_value(tools: Sequence[ToolSpec]) -> list[dict[str, Any]]:
    """What a model is told of tools, as JSON."""
    return [{"name": tool.name, "description": tool.description, "parameters": tool.parameters} for tool in tools]


def asked(request: ModelRequest, *, reads_history: bool = True) -> dict[str, str] | None:
    """The digests of a question: `instructions`, `tools`, and where there are any `settings`, `output`, `messages`.

    `messages` begins with how many there are: `3-0f…`. None: a part of the question is no JSON.
    """
    try:
        digests = {name: fingerprint(value) for name, value in parts_of(request).items()}
        if reads_history:
            told = told_value(request.messages)
            digests["messages"] = f"{len(told)}-{fingerprint(told)}"
    except (TypeError, ValueError):
        return None
    return digests


def parts_of(request: ModelRequest) -> dict[str, Any]:
    """What is asked besides the conversation, part by part, as JSON."""
    parts: dict[str, Any] = {"instructions": request.instructions, "tools": specs_value(request.tools)}
    if request.settings:
        parts["settings"] = dict(request.settings)
    if request.output:
        parts["output"] = specs_value([request.output])
    return parts


def told_value(messages: Sequence[Message]) -> list[Any]:
    """The conversation as JSON, each message a list; what only its provider reads is left out."""
    numbers: dict[str, int] = {}
    return [_told(message, numbers) for message in messages]


def _told(message: Message, numbers: dict[str, int]) -> list[Any]:
    match message:
        case UserMessage():
            return ["note" if message.note else "user", message.text, redacted(message.data)]
        case ModelMessage():
            calls = [
                [numbers.setdefault(call.call_id, len(numbers)), call.tool, redacted(call.arguments)]
                for call in message.calls
            ]
            return ["model", message.text, calls]
        case ToolMessage():
            number = numbers.setdefault(message.call_id, len(numbers))
            return ["error" if message.is_error else "result", number, message.tool, message.content]

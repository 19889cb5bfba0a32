"""One answer as each provider streams it, event by event: a text in two pieces, and the call of a tool.

Sources: as in stream_bodies.py; ai.google.dev/api/generate-content, "streamGenerateContent".
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tests.unit.baton.sdk.models.providers import openai_bodies, other_bodies
from tests.unit.baton.sdk.models.providers.provider_cases import (
    ANTHROPIC,
    GOOGLE,
    GROQ,
    MISTRAL,
    OPENAI,
    OPENAI_CHAT,
    ProviderCase,
)

PIECES = ("Pay 40", "00 euros.")
TEXT = "".join(PIECES)
CALL = ("add", '{"a": 1, "b": 2}')
Body = dict[str, Any]


@dataclass(frozen=True)
class Recorded:
    """One stream. `events`: its server-sent events. `stride`: of the bytes to cut it at: some libraries are slow."""

    name: str
    case: ProviderCase
    events: tuple[bytes, ...]
    stride: int = 1


def named(*events: Body) -> tuple[bytes, ...]:
    return tuple([f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode() for event in events])


def unnamed(*events: Body, done: bool = True) -> tuple[bytes, ...]:
    pieces = [f"data: {json.dumps(event)}\n\n".encode() for event in events]
    return (*pieces, *([b"data: [DONE]\n\n"] if done else []))


def chunk(delta: Body | None = None, finish: str | None = None, **more: Any) -> Body:
    choices = [] if delta is None else [{"index": 0, "delta": delta, "finish_reason": finish}]
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1741569952,
        "model": "gpt-4o-mini-2024-07-18",
        "choices": choices,
        **more,
    }


USAGE = openai_bodies.completion_text("")["usage"]


def chat(finish: str | None = "tool_calls", *, usage: bool = True, done: bool = True) -> tuple[bytes, ...]:
    call = {"index": 0, "id": "call_0", "type": "function", "function": {"name": CALL[0], "arguments": CALL[1]}}
    return unnamed(
        *(chunk({"content": piece}) for piece in PIECES),
        chunk({"tool_calls": [call]}),
        *([chunk({}, finish)] if finish else []),
        *([chunk(usage=USAGE)] if usage else []),
        done=done,
    )


def responses() -> tuple[bytes, ...]:
    message, item = openai_bodies.text_item(TEXT), openai_bodies.call_item(1, *CALL)
    ids = {"item_id": message["id"], "output_index": 0, "content_index": 0}
    events: list[Body] = [
        {"type": "response.created", "response": openai_bodies.response(status="in_progress", usage=None)},
        {
            "type": "response.output_item.added",
            "output_index": 0,
            "item": message | {"content": [], "status": "in_progress"},
        },
        *({"type": "response.output_text.delta", **ids, "delta": piece, "logprobs": []} for piece in PIECES),
        {"type": "response.output_text.done", **ids, "text": TEXT, "logprobs": []},
        {"type": "response.output_item.done", "output_index": 0, "item": message},
        {"type": "response.output_item.added", "output_index": 1, "item": item | {"arguments": ""}},
        {"type": "response.function_call_arguments.delta", "item_id": "fc_1", "output_index": 1, "delta": CALL[1]},
        {"type": "response.output_item.done", "output_index": 1, "item": item},
        {"type": "response.completed", "response": openai_bodies.response(message, item)},
    ]
    return named(*({**event, "sequence_number": at} for at, event in enumerate(events)))


def messages(stop: str = "tool_use") -> tuple[bytes, ...]:
    whole = other_bodies.message_text(TEXT)
    use = {"type": "tool_use", "id": "toolu_0", "name": CALL[0], "input": {}}
    return named(
        {"type": "message_start", "message": {**whole, "content": [], "stop_reason": None}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        *(
            {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": piece}}
            for piece in PIECES
        ),
        {"type": "content_block_stop", "index": 0},
        {"type": "content_block_start", "index": 1, "content_block": use},
        {
            "type": "content_block_delta",
            "index": 1,
            "delta": {"type": "input_json_delta", "partial_json": CALL[1]},
        },
        {"type": "content_block_stop", "index": 1},
        {"type": "message_delta", "delta": {"stop_reason": stop, "stop_sequence": None}, "usage": whole["usage"]},
        {"type": "message_stop"},
    )


def gemini() -> tuple[bytes, ...]:
    call = {"functionCall": {"name": CALL[0], "args": json.loads(CALL[1])}}
    last = other_bodies.candidate("STOP", call)
    bodies = [other_bodies.candidate("STOP", {"text": piece}) for piece in PIECES]
    for body in bodies:
        del body["candidates"][0]["finishReason"]
    return unnamed(*bodies, last, done=False)


_GOOGLE = replace(GOOGLE, url=GOOGLE.url.replace(":generateContent", ":streamGenerateContent"))
STREAMS = (
    Recorded("chat", OPENAI_CHAT, chat()),
    Recorded("chat without finish reason", OPENAI_CHAT, chat(None)),
    Recorded("chat with usage alone", OPENAI_CHAT, chat(None, done=False)),
    Recorded("chat with [DONE] alone", OPENAI_CHAT, chat(None, usage=False)),
    Recorded("groq", GROQ, chat()),
    Recorded("mistral", MISTRAL, chat(), stride=7),
    Recorded("responses", OPENAI, responses()),
    Recorded("messages", ANTHROPIC, messages()),
    Recorded("gemini", _GOOGLE, gemini()),
)


Variant = Callable[[Sequence[bytes]], list[bytes]]


def doubled(events: Sequence[bytes]) -> list[bytes]:
    """Return the streams in which one event comes twice."""
    return [b"".join((*events[:at], events[at], *events[at:])) for at in range(len(events))]


def swapped(events: Sequence[bytes]) -> list[bytes]:
    """Return the streams in which two events that follow each other have changed places."""
    return [b"".join((*events[:at], events[at + 1], events[at], *events[at + 2 :])) for at in range(len(events) - 1)]

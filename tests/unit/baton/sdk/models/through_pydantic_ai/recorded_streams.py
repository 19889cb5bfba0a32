"""One answer as each provider streams it, event by event: a text in two pieces, and the call of a tool.

Sources: platform.openai.com/docs/api-reference/responses-streaming,
docs.anthropic.com/en/docs/build-with-claude/streaming; ai.google.dev/api/generate-content, "streamGenerateContent".
Providers' libraries are imported when they read: each worker of a test run imports this file, and one of them reads.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from importlib import import_module
from typing import Any

import httpx2

from tests.unit.baton.sdk.models.through_pydantic_ai import openai_bodies, other_bodies
from tests.unit.baton.sdk.models.through_pydantic_ai.provider_cases import (
    ANTHROPIC,
    GOOGLE,
    GROQ,
    MISTRAL,
    OPENAI,
    OPENAI_CHAT,
    ProviderCase,
)

PIECES = ("Pay € 40", "00 ≥ now.")
TEXT = "".join(PIECES)
CALL = ("add", '{"a": 1, "b": 2}')
Body = dict[str, Any]
Calls = Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Recorded:
    """One stream. `events`: its server-sent events. `read`: how the provider's library takes events out of bytes."""

    name: str
    case: ProviderCase
    events: tuple[bytes, ...]
    read: Callable[[bytes], Iterable[object]]

    def seen(self, body: bytes) -> tuple[str, ...]:
        """Return the events that the library finds in a body, and how it fails: all that it can make an answer of."""
        found = list[str]()
        try:
            found += map(repr, self.read(body))
        except Exception as error:  # noqa: BLE001 - whatever a library raises
            found.append(type(error).__name__)
        return tuple(found)


def _by_mistral(body: bytes) -> Iterable[object]:
    def decoded(text: str) -> object:
        data = json.loads(text)["data"]
        return data if isinstance(data, dict) else "no JSON"

    library: Any = import_module("mistralai.client.utils.eventstreaming")
    found: Iterable[object] = library.stream_events(httpx2.Response(200, content=body), decoded, "[DONE]")
    return found


def _by_sse(name: str, body: bytes) -> Iterable[object]:
    library: Any = import_module(f"{name}._streaming")
    found: Iterable[object] = library.SSEDecoder().iter_bytes(iter([body]))
    return found


def _by_google(body: bytes) -> Iterable[object]:
    library: Any = import_module("google.genai._api_client")
    found: Iterable[object] = library.HttpResponse({}, httpx2.Response(200, content=body)).segments()
    return found


def _data(event: Body) -> bytes:
    """Write the event with its characters as they are, but for halves of them."""
    return f"data: {json.dumps(event, ensure_ascii=False)}\n\n".encode(errors="backslashreplace")


def named(*events: Body) -> tuple[bytes, ...]:
    return tuple([f"event: {event['type']}\n".encode() + _data(event) for event in events])


def unnamed(*events: Body, done: bool = True) -> tuple[bytes, ...]:
    return (*map(_data, events), *([b"data: [DONE]\n\n"] if done else []))


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


USAGE = openai_bodies.completion_with("")["usage"]


def chat(finish: str | None = "tool_calls", *, usage: bool = True, done: bool = True) -> tuple[bytes, ...]:
    call = {"index": 0, "id": "call_0", "type": "function", "function": {"name": CALL[0], "arguments": CALL[1]}}
    return unnamed(
        *(chunk({"content": piece}) for piece in PIECES),
        chunk({"tool_calls": [call]}),
        *([chunk({}, finish)] if finish else []),
        *([chunk(usage=USAGE)] if usage else []),
        done=done,
    )


def responses(pieces: Sequence[str] = PIECES, calls: Calls = (CALL,)) -> tuple[bytes, ...]:
    text = "".join(pieces)
    message, *items = (
        openai_bodies.text_item(text),
        *(openai_bodies.call_item(at, *call) for at, call in enumerate(calls, 1)),
    )
    ids = {"item_id": message["id"], "output_index": 0, "content_index": 0}
    begun = message | {"content": [], "status": "in_progress"}
    events: list[Body] = [
        {"type": "response.created", "response": openai_bodies.response(status="in_progress", usage=None)},
        {"type": "response.output_item.added", "output_index": 0, "item": begun},
        *({"type": "response.output_text.delta", **ids, "delta": piece, "logprobs": []} for piece in pieces),
        {"type": "response.output_text.done", **ids, "text": text, "logprobs": []},
        {"type": "response.output_item.done", "output_index": 0, "item": message},
    ]
    for at, item in enumerate(items, 1):
        delta = {"item_id": item["id"], "output_index": at, "delta": item["arguments"]}
        events += [
            {"type": "response.output_item.added", "output_index": at, "item": item | {"arguments": ""}},
            {"type": "response.function_call_arguments.delta", **delta},
            {"type": "response.output_item.done", "output_index": at, "item": item},
        ]
    events.append({"type": "response.completed", "response": openai_bodies.response(message, *items)})
    return named(*({**event, "sequence_number": at} for at, event in enumerate(events)))


def messages(stop: str = "tool_use", pieces: Sequence[str] = PIECES, calls: Calls = (CALL,)) -> tuple[bytes, ...]:
    whole = other_bodies.message_with("".join(pieces))
    blocks: list[tuple[Body, list[Body]]] = [
        ({"type": "text", "text": ""}, [{"type": "text_delta", "text": piece} for piece in pieces]),
        *(
            (
                {"type": "tool_use", "id": f"toolu_{at}", "name": name, "input": {}},
                [{"type": "input_json_delta", "partial_json": arguments}],
            )
            for at, (name, arguments) in enumerate(calls)
        ),
    ]
    events: list[Body] = [{"type": "message_start", "message": {**whole, "content": [], "stop_reason": None}}]
    for at, (block, deltas) in enumerate(blocks):
        events += [
            {"type": "content_block_start", "index": at, "content_block": block},
            *({"type": "content_block_delta", "index": at, "delta": delta} for delta in deltas),
            {"type": "content_block_stop", "index": at},
        ]
    end = {"delta": {"stop_reason": stop, "stop_sequence": None}, "usage": whole["usage"]}
    return named(*events, {"type": "message_delta", **end}, {"type": "message_stop"})


def gemini() -> tuple[bytes, ...]:
    call = {"functionCall": {"name": CALL[0], "args": json.loads(CALL[1])}}
    last = other_bodies.candidate("STOP", call)
    bodies = [other_bodies.candidate("STOP", {"text": piece}) for piece in PIECES]
    for body in bodies:
        del body["candidates"][0]["finishReason"]
    return unnamed(*bodies, last, done=False)


_by_openai = partial(_by_sse, "openai")
_GOOGLE = replace(GOOGLE, url=GOOGLE.url.replace(":generateContent", ":streamGenerateContent"))
STREAMS = (
    Recorded("chat", OPENAI_CHAT, chat(), _by_openai),
    Recorded("chat without finish reason", OPENAI_CHAT, chat(None), _by_openai),
    Recorded("chat with usage alone", OPENAI_CHAT, chat(None, done=False), _by_openai),
    Recorded("chat with [DONE] alone", OPENAI_CHAT, chat(None, usage=False), _by_openai),
    Recorded("groq", GROQ, chat(), partial(_by_sse, "groq")),
    Recorded("mistral", MISTRAL, chat(), _by_mistral),
    Recorded("responses", OPENAI, responses(), _by_openai),
    Recorded("messages", ANTHROPIC, messages(), partial(_by_sse, "anthropic")),
    Recorded("gemini", _GOOGLE, gemini(), _by_google),
)


def _whole_responses() -> Iterator[Recorded]:
    """One answer, of which ever less comes before its last event."""
    whole = responses()
    dones = tuple(event for event in whole if b"output_item.done" in event)
    begun = tuple(event for event in whole if b"delta" not in event and b"arguments.done" not in event)
    for name, events in {
        "last event alone": whole[-1:],
        "first and last event": (whole[0], whole[-1]),
        "whole items": (whole[0], *dones, whole[-1]),
        "items begun and whole": begun,
        "items begun": (*(event for event in begun if event not in dones),),
        "text in pieces": (*whole[:6], whole[-1]),
        "call alone in pieces": (whole[0], *whole[6:]),
    }.items():
        yield Recorded(f"responses, {name}", OPENAI, events, _by_openai)


def _whole_message(finish: str = "tool_calls") -> Body:
    call = {"id": "call_0", "type": "function", "function": {"name": CALL[0], "arguments": CALL[1]}}
    message = {"role": "assistant", "content": TEXT, "tool_calls": [call]}
    return {**chunk(), "choices": [{"index": 0, "message": message, "finish_reason": finish}]}


def _whole_blocks() -> tuple[bytes, ...]:
    use = {"type": "tool_use", "id": "toolu_0", "name": CALL[0], "input": json.loads(CALL[1])}
    blocks: list[Body] = [{"type": "text", "text": TEXT}, use]
    starts = ({"type": "content_block_start", "index": at, "content_block": one} for at, one in enumerate(blocks))
    return (messages()[0], *named(*starts), *messages()[-2:])


SAID_WHOLE = tuple(_whole_responses())
SAID_WHOLE_BY_OTHERS = (
    Recorded("chat, a message", OPENAI_CHAT, unnamed(_whole_message()), _by_openai),
    Recorded("chat, a message and usage", OPENAI_CHAT, unnamed(_whole_message(), chunk(usage=USAGE)), _by_openai),
    Recorded("messages, whole blocks", ANTHROPIC, _whole_blocks(), partial(_by_sse, "anthropic")),
)


def doubled(events: Sequence[bytes]) -> list[bytes]:
    """Return the streams in which one event comes twice."""
    return [b"".join((*events[:at], events[at], *events[at:])) for at in range(len(events))]


def swapped(events: Sequence[bytes]) -> list[bytes]:
    """Return the streams in which two events that follow each other have changed places."""
    return [b"".join((*events[:at], events[at + 1], events[at], *events[at + 2 :])) for at in range(len(events) - 1)]

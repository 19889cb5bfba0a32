"""Answers as their providers stream them: server-sent events of OpenAI's Responses and Anthropic's Messages.

Sources: platform.openai.com/docs/api-reference/responses-streaming,
docs.anthropic.com/en/docs/build-with-claude/streaming.
"""

import json
from collections.abc import Sequence
from typing import Any

import httpx

from tests.unit.baton.sdk.models.through_pydantic_ai import openai_bodies, other_bodies

Body = dict[str, Any]


def openai_stream(pieces: Sequence[str], calls: Sequence[tuple[str, str]] = ()) -> httpx.Response:
    text = "".join(pieces)
    message = openai_bodies.text_item(text)
    items = [message, *(openai_bodies.call_item(at, *call) for at, call in enumerate(calls))]
    ids = {"item_id": message["id"], "output_index": 0, "content_index": 0}
    claim_result = {**message, "status": "in_progress", "content": []}
    events: list[Body] = [
        {"type": "response.created", "response": openai_bodies.response(status="in_progress", usage=None)},
        {"type": "response.output_item.added", "output_index": 0, "item": claim_result},
        *({"type": "response.output_text.delta", **ids, "delta": piece, "logprobs": []} for piece in pieces),
        {"type": "response.output_text.done", **ids, "text": text, "logprobs": []},
    ]
    for at, item in enumerate(items):
        if at:
            added = {**item, "arguments": "", "status": "in_progress"}
            events.append({"type": "response.output_item.added", "output_index": at, "item": added})
            done = {"item_id": item["id"], "output_index": at, "arguments": item["arguments"], "name": item["name"]}
            events.append({"type": "response.function_call_arguments.done", **done})
        events.append({"type": "response.output_item.done", "output_index": at, "item": item})
    events.append({"type": "response.completed", "response": openai_bodies.response(*items)})
    return _sent([{**event, "sequence_number": at} for at, event in enumerate(events)])


def anthropic_stream(pieces: Sequence[str]) -> httpx.Response:
    whole = other_bodies.message_text("".join(pieces))
    usage = whole["usage"]
    claim_result = {**whole, "content": [], "stop_reason": None, "usage": {**usage, "output_tokens": 1}}
    events: list[Body] = [
        {"type": "message_start", "message": claim_result},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        *(
            {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": piece}}
            for piece in pieces
        ),
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": None}, "usage": usage},
        {"type": "message_stop"},
    ]
    return _sent(events)


def _sent(events: Sequence[Body]) -> httpx.Response:
    text = "".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in events)
    return httpx.Response(200, headers={"content-type": "text/event-stream"}, text=text)

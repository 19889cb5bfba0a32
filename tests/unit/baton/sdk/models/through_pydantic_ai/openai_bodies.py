"""Bodies of OpenAI's APIs: Responses and Chat Completions, which many others speak as well.

Source: platform.openai.com/docs/api-reference, "Create a model response" and "Create chat completion".
"""

from collections.abc import Sequence
from typing import Any

Body = dict[str, Any]
Calls = Sequence[tuple[str, str]]


def response(*output: Body, **more: Any) -> Body:
    return {
        "id": "resp_67ccd2bed1ec8190",
        "created_at": 1741476542,
        "status": "completed",
        "model": "gpt-5-mini-2025-08-07",
        "output": list(output),
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "usage": {
            "input_tokens": 100,
            "input_tokens_details": {"cached_tokens": 20},
            "output_tokens": 10,
            "output_tokens_details": {"reasoning_tokens": 4},
            "total_tokens": 110,
        },
        **more,
    }


def text_item(text: str) -> Body:
    content = [{"type": "output_text", "text": text, "annotations": []}]
    return {"type": "message", "id": "msg_67ccd2bf17f0", "status": "completed", "role": "assistant", "content": content}


def call_item(position: int, tool: str, arguments: str) -> Body:
    return {
        "type": "function_call",
        "id": f"fc_{position}",
        "call_id": f"call_{position}",
        "name": tool,
        "arguments": arguments,
        "status": "completed",
    }


def reasoning_item(encrypted: str) -> Body:
    """What the model thought, for its provider's eyes only."""
    return {"type": "reasoning", "id": "rs_67ccd2bf", "summary": [], "encrypted_content": encrypted}


def response_with(text: str, calls: Calls = ()) -> Body:
    items = [call_item(position, tool, arguments) for position, (tool, arguments) in enumerate(calls)]
    return response(text_item(text), *items)


def response_filtered() -> Body:
    return response(status="incomplete", incomplete_details={"reason": "content_filter"})


def completion(finish_reason: str, **message: Any) -> Body:
    shown = {"role": "assistant", "content": None, "refusal": None, **message}
    return {
        "id": "chatcmpl-B9MBs8Cj",
        "object": "chat.completion",
        "created": 1741569952,
        "model": "gpt-4o-mini-2024-07-18",
        "choices": [{"index": 0, "message": shown, "logprobs": None, "finish_reason": finish_reason}],
        "usage": {
            "prompt_tokens": 100,
            "completion_tokens": 10,
            "total_tokens": 110,
            "prompt_tokens_details": {"cached_tokens": 20, "audio_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": 0},
        },
    }


def completion_with(text: str, calls: Calls = ()) -> Body:
    requested = [
        {"id": f"call_{position}", "type": "function", "function": {"name": tool, "arguments": arguments}}
        for position, (tool, arguments) in enumerate(calls)
    ]
    return completion("tool_calls", content=text, tool_calls=requested) if calls else completion("stop", content=text)


def completion_filtered() -> Body:
    return completion("content_filter", content="")


def refusal(status: int, message: str) -> Body:
    kind = "server_error" if status >= 500 else "invalid_request_error"
    return {"error": {"message": message, "type": kind, "param": None, "code": None}}

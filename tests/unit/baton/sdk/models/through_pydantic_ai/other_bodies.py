"""Bodies of Anthropic's Messages API and of Gemini's generateContent.

Sources: docs.anthropic.com/en/api/messages, ai.google.dev/api/generate-content.
"""

import json
from collections.abc import Sequence
from typing import Any

Body = dict[str, Any]
Calls = Sequence[tuple[str, str]]

MESSAGE_ERRORS = {
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    500: "api_error",
    504: "timeout_error",
    529: "overloaded_error",
}
GEMINI_ERRORS = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}


def message(stop_reason: str, *content: Body) -> Body:
    return {
        "id": "msg_013Zva2CMHLNnXjNJJKqJ2EF",
        "type": "message",
        "role": "assistant",
        "model": "claude-sonnet-5",
        "content": list(content),
        "stop_reason": stop_reason,
        "stop_sequence": None,
        "usage": {
            "input_tokens": 80,
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 20,
            "output_tokens": 10,
        },
    }


def thinking_block(thinking: str, signature: str) -> Body:
    return {"type": "thinking", "thinking": thinking, "signature": signature}


def message_with(text: str, calls: Calls = (), *before: Body) -> Body:
    """A turn; arguments are objects, so what is no JSON cannot come."""
    uses = [
        {"type": "tool_use", "id": f"toolu_{position}", "name": tool, "input": json.loads(arguments)}
        for position, (tool, arguments) in enumerate(calls)
    ]
    return message("tool_use" if calls else "end_turn", *before, {"type": "text", "text": text}, *uses)


def message_filtered() -> Body:
    return message("refusal")


def message_refusal(status: int, text: str) -> Body:
    kind = MESSAGE_ERRORS.get(status, "invalid_request_error")
    return {"type": "error", "error": {"type": kind, "message": text}, "request_id": "req_011CSH"}


def candidate(finish_reason: str, *parts: Body) -> Body:
    """An answer of Gemini; thoughts count as output."""
    content = {"content": {"parts": list(parts), "role": "model"}} if parts else {}
    return {
        "candidates": [{**content, "finishReason": finish_reason, "index": 0}],
        "usageMetadata": {
            "promptTokenCount": 100,
            "cachedContentTokenCount": 20,
            "candidatesTokenCount": 7,
            "thoughtsTokenCount": 3,
            "totalTokenCount": 110,
        },
        "modelVersion": "gemini-2.5-flash",
        "responseId": "aBcDeFg",
    }


def gemini_with(text: str, calls: Calls = (), signature: str = "") -> Body:
    parts: list[Body] = [{"functionCall": {"name": tool, "args": json.loads(arguments)}} for tool, arguments in calls]
    if signature:
        parts[0]["thoughtSignature"] = signature
    return candidate("STOP", {"text": text}, *parts)


def gemini_filtered() -> Body:
    return candidate("SAFETY")


def gemini_refusal(status: int, text: str) -> Body:
    return {"error": {"code": status, "message": text, "status": GEMINI_ERRORS.get(status, "UNKNOWN")}}

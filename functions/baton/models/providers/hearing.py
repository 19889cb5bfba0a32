"""A provider's answer in our form, and the part of it that the provider wants to see again.

Invariant: what is kept for the provider is its answer, word for word, in pydantic-ai's own JSON, which its later
versions read as well. It is kept only where it holds more than texts and calls (signatures, item ids), and only up to
a size. Must not: judge whether a call can run.
"""

import json
from collections.abc import Mapping
from typing import Any

from pydantic import TypeAdapter, ValidationError
from pydantic_ai.messages import ModelResponse, ModelResponsePart, TextPart, ToolCallPart

from baton.models.call import Call

PROVIDER_LIMIT_BYTES = 256 * 1024
_KIND = "pydantic-ai"
_RESPONSE: TypeAdapter[ModelResponse] = TypeAdapter(ModelResponse)
_NOT_TOLD_AGAIN = {"usage", "timestamp", "metadata", "finish_reason", "run_id", "conversation_id", "failed_attempts"}


def text_of(response: ModelResponse) -> str:
    """What the model says to people; its thinking is not part of it."""
    return response.text or ""


def calls_of(response: ModelResponse) -> tuple[Call, ...]:
    """The tool calls; arguments that are not JSON stand under a name that no tool knows, so that it is told back."""
    return tuple(Call(part.tool_name, part.args_as_dict()) for part in response.tool_calls)


def provider_field(response: ModelResponse) -> dict[str, Any] | None:
    """What the provider wants to see again, or None where texts and calls say it all, or where it is too large."""
    if all(_is_plain(part) for part in response.parts):
        return None
    dumped = _RESPONSE.dump_json(response, exclude=_NOT_TOLD_AGAIN, exclude_none=True)
    if len(dumped) > PROVIDER_LIMIT_BYTES:
        return None
    return {"kind": _KIND, "response": json.loads(dumped)}


def said_before(provider: Mapping[str, Any] | None) -> ModelResponse | None:
    """The answer that was kept; None: nothing was, or nothing that this version can read."""
    if provider is None or provider.get("kind") != _KIND:
        return None
    try:
        return _RESPONSE.validate_python(provider.get("response"))
    except ValidationError:
        return None


def _is_plain(part: ModelResponsePart) -> bool:
    return isinstance(part, TextPart | ToolCallPart) and part.id is None and not part.provider_details

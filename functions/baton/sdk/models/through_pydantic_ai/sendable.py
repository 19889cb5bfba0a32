"""A conversation in the form that every provider takes: some refuse a request, and with it the job, for one word in it.

Claude refuses texts without a visible character, and thoughts that another server of its protocol has signed. All
refuse names of tools that a model has made up, as in `functions.add`. Invariant: nothing that is recorded changes, and
what is well is the same object. Must not: leave out anything that says something.
"""

import json
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import replace
from operator import is_
from typing import Any

from pydantic_ai.messages import (
    ModelMessage,
    ModelRequest,
    ModelResponse,
    RetryPromptPart,
    TextPart,
    ToolCallPart,
    ToolReturnPart,
    UserPromptPart,
    is_multi_modal_content,
)

from baton.sdk.models.model import accepted_name

_OF_ITS_SERVER = ("provider_name", "provider_details", "signature", "id")


def sendable(
    messages: Iterable[ModelMessage], known: Collection[str], servers: Collection[str] = ()
) -> list[ModelMessage]:
    """Return the messages as they can be sent.

    Args:
        messages: the conversation.
        known: the names of the tools that are sent with it.
        servers: where it may go.
    """
    return [_message(one, known, servers) for one in messages]


def _message(message: ModelMessage, known: Collection[str], servers: Collection[str]) -> ModelMessage:
    parts: Any = [sent for part in message.parts if (sent := _part(part, known)) is not None]
    if isinstance(message, ModelResponse) and message.provider_url and servers and message.provider_url not in servers:
        parts = list(map(_of_nobody, parts))
    return message if isinstance(message, ModelRequest) and not parts else with_parts(message, parts)


def with_parts(message: Any, parts: Sequence[Any]) -> Any:
    """Return the message with these parts: the same object where they are its own."""
    same = len(parts) == len(message.parts) and all(map(is_, parts, message.parts))
    return message if same else replace(message, parts=parts)


def mapped(content: Any, leaf: Callable[[Any], Any]) -> Any:
    """Return content with each key and each leaf of its lists and mappings changed: the same object where none is."""
    match content:
        case list() | tuple():
            items = [mapped(one, leaf) for one in content]
            return content if all(map(is_, items, content)) else items
        case dict():
            made = {leaf(key): mapped(one, leaf) for key, one in content.items()}
            same = all(map(is_, made, content)) and all(map(is_, made.values(), content.values()))
            return content if same else made
        case _:
            return leaf(content)


def _part(part: Any, known: Collection[str]) -> Any:
    match part:
        case TextPart(content=str() as text, id=None) if not text.strip():
            return None
        case UserPromptPart(content=str() as text) if not text.strip():
            return None
        case UserPromptPart(content=list() as contents) if any(map(_is_blank, contents)):
            return replace(part, content=[one for one in contents if not _is_blank(one)])
        case ToolReturnPart(content=each) if each in (None, []) or any(
            map(_is_blank, each if isinstance(each, list) else [each])
        ):
            part = replace(part, content=_result(part))
        case _:
            pass
    if isinstance(part, ToolCallPart | ToolReturnPart | RetryPromptPart):
        name = part.tool_name
        if name and name not in known and (sent := accepted_name(name)) != name:
            return replace(part, tool_name=sent)
    return part


def _of_nobody(part: Any) -> Any:
    """Return a part without what only the server that made it can read: signatures, ids of items."""
    known = {name: None for name in _OF_ITS_SERVER if getattr(part, name, None) is not None}
    return replace(part, **known) if known else part


def _is_blank(content: Any) -> bool:
    return isinstance(content, str) and not content.strip()


def _result(part: ToolReturnPart) -> Any:
    """Return a result without visible text, or with such an item, as its JSON; beside files its blank texts go."""
    content: Any = part.content
    if isinstance(content, str) or not content:
        return json.dumps(content)
    if any(map(is_multi_modal_content, content)):
        return [one for one in content if not _is_blank(one)]
    return part.model_response_str(wrap_if_error=False)

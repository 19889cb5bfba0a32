"""Conversion of our messages to pydantic-ai's, and of its answers to ours: whole, or piece by piece.

Invariant: every tool call sent has its result right behind it, under one id. A provider's answer is kept word for word,
in pydantic-ai's own JSON, if it has more than texts and calls (signatures, item ids) and is not too large. It is sent
back unchanged. Must not: judge whether a call can run, or stream a model's thinking or the arguments of its calls.
"""

import base64
import json
from collections.abc import AsyncIterable, Mapping, Sequence
from itertools import chain
from typing import Any, Literal, get_args

from pydantic import TypeAdapter, ValidationError
from pydantic_ai.messages import (
    AudioMediaType,
    AudioUrl,
    BinaryContent,
    DocumentMediaType,
    DocumentUrl,
    ImageMediaType,
    ImageUrl,
    ModelResponse,
    ModelResponseStreamEvent,
    PartDeltaEvent,
    PartStartEvent,
    TextPart,
    TextPartDelta,
    ToolCallPart,
    ToolReturnPart,
    UserContent,
    UserPromptPart,
    VideoMediaType,
    VideoUrl,
)
from pydantic_ai.messages import ModelMessage as PromptMessage
from pydantic_ai.messages import ModelRequest as PromptRequest

from baton.sdk.models.model import Call, File, Listener, ModelMessage, ModelRequest, ToolMessage, UserMessage
from baton.sdk.models.through_pydantic_ai.refused_files import left_out
from baton.sdk.models.through_pydantic_ai.whole import CALL_ID_CHARS
from baton_events.ids import canonical_json, digest
from baton_events.values.text import Joiner, cut

PROVIDER_LIMIT_BYTES = 256 * 1024
_KIND = "pydantic-ai"
_SHOWN_CHARS = 200
_RESPONSE: TypeAdapter[ModelResponse] = TypeAdapter(ModelResponse)
_NOT_SENT_AGAIN = {"usage", "timestamp", "metadata", "finish_reason", "run_id", "conversation_id", "failed_attempts"}


def text_of(response: ModelResponse) -> str:
    """Return the model's text for people, without its thinking."""
    return response.text or ""


def calls_of(response: ModelResponse) -> tuple[Call, ...]:
    """Return the tool calls; arguments that are no object have their fault beside them, which the model gets back."""
    return tuple([_call_of(part) for part in response.tool_calls])


def _call_of(part: ToolCallPart) -> Call:
    try:
        return Call(part.tool_name, part.args_as_dict(raise_if_invalid=True))
    except (ValueError, AssertionError) as error:
        shown = cut(str(part.args), _SHOWN_CHARS)
        return Call(part.tool_name, {}, fault=f"the arguments must be a JSON object ({error}), got {shown}")


def provider_field(response: ModelResponse) -> dict[str, Any] | None:
    """Return the fields that the provider needs back; None: texts and calls suffice, or they are too large."""
    plain = (part for part in response.parts if isinstance(part, TextPart | ToolCallPart))
    if sum(part.id is None and not part.provider_details for part in plain) == len(response.parts):
        return None
    dumped = _RESPONSE.dump_json(response, exclude=_NOT_SENT_AGAIN, exclude_none=True)
    if len(dumped) > PROVIDER_LIMIT_BYTES:
        return None
    return {"kind": _KIND, "response": json.loads(dumped)}


def recorded_before(provider: Mapping[str, Any] | None) -> ModelResponse | None:
    """Return the recorded answer; None: there is none, or this version cannot read it."""
    if provider is None or provider.get("kind") != _KIND:
        return None
    try:
        return _RESPONSE.validate_python(provider.get("response"))
    except ValidationError:
        return None


Part = UserPromptPart | ToolReturnPart
# The provider refuses an unknown type of a user's file; a tool's file must not end its job.
_SENT_OF_TOOLS = frozenset(
    map(str, chain(*map(get_args, (AudioMediaType, DocumentMediaType, ImageMediaType, VideoMediaType))))
)


def to_messages(request: ModelRequest) -> list[PromptMessage]:
    """Convert the whole conversation; it ends with the message to answer."""
    prompt: list[PromptMessage] = []
    waiting: list[Part] = []
    ids: dict[str, str] = {}
    for message in request.messages:
        match message:
            case UserMessage():
                text, files = _task(message), contents_of(message.files)
                # Providers take no empty text.
                waiting.append(UserPromptPart([*([text] if text else []), *files] if files else text))
            case ToolMessage():
                waiting.append(_result(message, ids.get(message.call_id)))
            case ModelMessage():
                if waiting:
                    prompt.append(_request(waiting, request.instructions))
                    waiting = []
                response, ids = _response_of(message)
                prompt.append(response)
    if waiting or not prompt:
        prompt.append(_request(waiting, request.instructions))
    return prompt


def _request(parts: Sequence[Part], instructions: str) -> PromptRequest:
    return PromptRequest(parts=list(parts), instructions=instructions if instructions.strip() else None)


_URLS: dict[str, type[ImageUrl | AudioUrl | VideoUrl]] = {"image": ImageUrl, "audio": AudioUrl, "video": VideoUrl}


def contents_of(files: Sequence[File]) -> list[UserContent]:
    """Convert files to pydantic-ai's form; a file that is left out is named."""
    return [_content(one) for one in files]


def _content(one: File) -> UserContent:
    name = one.filename or None  # by which it is told, should the provider refuse it
    if one.url:
        kind = _URLS.get(one.media_type.partition("/")[0], DocumentUrl)
        return kind(one.url, media_type=one.media_type, identifier=name)
    if one.data:
        return BinaryContent(base64.urlsafe_b64decode(one.data), media_type=one.media_type, identifier=name)
    return left_out(one.filename, one.media_type)


def _task(message: UserMessage) -> str:
    if not message.data:
        return message.text
    return f"{message.text}\n\nInput data (JSON):\n{canonical_json(message.data)}".lstrip()


def _response_of(message: ModelMessage) -> tuple[ModelResponse, dict[str, str]]:
    """Return the model's message, and the id under which each of its calls is sent."""
    before = recorded_before(message.provider)
    if before is not None:
        requested = [part.tool_call_id for part in before.tool_calls]
        # A further call was never made: it represents a text that was no answer, and its error is sent as text.
        return before, {call.call_id: prompt for call, prompt in zip(message.calls, requested, strict=False)}
    ids = {call.call_id: digest(call.call_id)[:CALL_ID_CHARS] for call in message.calls}
    parts = [TextPart(message.text)] if message.text else []
    calls = [ToolCallPart(call.tool, call.arguments, ids[call.call_id]) for call in message.calls]
    return ModelResponse(parts=[*parts, *calls]), ids


def _result(message: ToolMessage, sent_id: str | None) -> Part:
    content = _error(message) if message.is_error else message.content
    files = contents_of([file for file in message.files if file.data and file.media_type in _SENT_OF_TOOLS])
    if sent_id is None:
        text = content if isinstance(content, str) else canonical_json(content)
        return UserPromptPart([text, *files] if files else text)
    outcome: Literal["failed", "success"] = "failed" if message.is_error else "success"
    return ToolReturnPart(message.tool, [content, *files] if files else content, sent_id, outcome=outcome)


def _error(message: ToolMessage) -> str:
    """Return an error's own text, where it is one of ours: `{"type", "message"}`."""
    content = message.content
    if isinstance(content, dict) and isinstance(content.get("message"), str):
        return f"{content.get('type', 'error')}: {content['message']}"
    return content if isinstance(content, str) else canonical_json(content)


async def listen(events: AsyncIterable[ModelResponseStreamEvent], listener: Listener) -> None:
    """Send the text to the listener, joined as `ModelResponse.text` joins it: interrupted texts stay apart."""
    last_text: int | None = None
    joiner = Joiner()
    async for event in events:
        match event:
            case PartStartEvent(index=index, part=TextPart(content=text)):
                if last_text is not None and index > last_text + 1:
                    text = f"\n\n{text}"
                last_text = index
            case PartDeltaEvent(delta=TextPartDelta(content_delta=text)):
                pass
            case _:
                continue
        if text := joiner.next(text):
            await listener.write(text)
    if text := joiner.rest():
        await listener.write(text)

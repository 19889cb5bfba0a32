"""Our messages as pydantic-ai's: what a provider is told.

Invariant: every tool call told has its result right behind it, under one id. Must not: change what the provider itself
said: where it wants that back (`provider`), it gets it as it came.
"""

from collections.abc import Sequence

from pydantic_ai.messages import ModelMessage as Told
from pydantic_ai.messages import ModelRequest as ToldRequest
from pydantic_ai.messages import ModelResponse, TextPart, ToolCallPart, ToolReturnPart, UserPromptPart

from baton.models.model import ModelMessage, ModelRequest, PastCall, ToolMessage, UserMessage
from baton.models.providers.hearing import said_before
from baton_events.ids import canonical_json, digest

# Mistral takes nothing but nine letters and digits, and no provider minds them.
_CALL_ID_CHARS = 9

Part = UserPromptPart | ToolReturnPart


def to_messages(request: ModelRequest) -> list[Told]:
    """The whole conversation, ending with what the model is to answer."""
    told: list[Told] = []
    waiting: list[Part] = []
    ids: dict[str, str] = {}
    for message in request.messages:
        match message:
            case UserMessage():
                waiting.append(UserPromptPart(_task(message)))
            case ToolMessage():
                waiting.append(_result(message, ids.get(message.call_id)))
            case ModelMessage():
                if waiting:
                    told.append(_request(waiting, request.instructions))
                    waiting = []
                response, ids = _said(message)
                told.append(response)
    if waiting or not told:
        told.append(_request(waiting, request.instructions))
    return told


def _request(parts: Sequence[Part], instructions: str) -> ToldRequest:
    return ToldRequest(parts=list(parts), instructions=instructions or None)


def _task(message: UserMessage) -> str:
    if not message.data:
        return message.text
    return f"{message.text}\n\nInput data (JSON):\n{canonical_json(message.data)}".lstrip()


def _said(message: ModelMessage) -> tuple[ModelResponse, dict[str, str]]:
    """What the model said, and under which id each of its calls is told."""
    before = said_before(message.provider)
    if before is not None:
        asked = [part.tool_call_id for part in before.tool_calls]
        # A call beyond those was never made: it stands for a text that was no answer, and its error is told as text.
        return before, {call.call_id: told for call, told in zip(message.calls, asked, strict=False)}
    ids = {call.call_id: digest(call.call_id)[:_CALL_ID_CHARS] for call in message.calls}
    parts = [TextPart(message.text)] if message.text else []
    return ModelResponse(parts=[*parts, *(_call(call, ids[call.call_id]) for call in message.calls)]), ids


def _call(call: PastCall, told_id: str) -> ToolCallPart:
    return ToolCallPart(call.tool, call.arguments, told_id)


def _result(message: ToolMessage, told_id: str | None) -> Part:
    content = _error(message) if message.is_error else message.content
    if told_id is None:
        return UserPromptPart(content if isinstance(content, str) else canonical_json(content))
    return ToolReturnPart(message.tool, content, told_id, outcome="failed" if message.is_error else "success")


def _error(message: ToolMessage) -> str:
    """An error's own text, where it is one of ours: `{"type", "message"}`."""
    content = message.content
    if isinstance(content, dict) and isinstance(content.get("message"), str):
        return f"{content.get('type', 'error')}: {content['message']}"
    return content if isinstance(content, str) else canonical_json(content)

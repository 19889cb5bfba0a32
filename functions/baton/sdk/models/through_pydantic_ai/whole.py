"""A model of pydantic-ai whose answers are whole, or fail: the one door of what a provider says.

For Baton's own agents and for agents of pydantic-ai alike. A stream is whole by its end mark: a finish reason. Servers
of Chat Completions that never send one are judged by `[DONE]`, or by the usage in a chunk of its own. That is read by
three private names of pydantic-ai and one of the library of OpenAI, which a test holds; without them the finish reason
and the usage remain. Some servers give all calls of an answer one index (Ollama, Gemini's Chat Completions, many
gateways), and some repeat a call's name in each piece (NVIDIA NIM), which the library would join as `addadd`: a piece
with a name begins another call where the call before it is whole. Invariant: each call of an answer has an id that no
other call of the conversation has, and its text can be stored. Must not: judge whether an answer is good, what a call
says, or whether it is cut off by its length.
"""

import json
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import fields, replace
from functools import partial
from operator import is_
from typing import Any, TypeVar

from msgspec import Struct, field
from pydantic_ai.exceptions import ModelAPIError, UnexpectedModelBehavior
from pydantic_ai.messages import (
    FinishReason,
    ModelMessage,
    ModelRequest,
    ModelResponse,
    ModelResponsePart,
    ModelResponseStreamEvent,
    PartDeltaEvent,
    PartStartEvent,
    TextPart,
    ThinkingPart,
    ToolCallPart,
)
from pydantic_ai.models import Model, ModelRequestParameters, StreamedResponse
from pydantic_ai.models.fallback import FallbackModel
from pydantic_ai.models.wrapper import WrapperModel
from pydantic_ai.settings import ModelSettings
from pydantic_ai.tools import RunContext

from baton.sdk.models.model import ANSWER_LIMIT_BYTES, answer_too_large
from baton.sdk.models.provider_rules import meaning_of, rules_of, strictest
from baton.sdk.models.through_pydantic_ai.guarded import guard
from baton.sdk.models.through_pydantic_ai.prices import spent_of
from baton.sdk.models.through_pydantic_ai.refused_files import asked
from baton.sdk.models.through_pydantic_ai.sendable import mapped, sendable
from baton.sdk.models.through_pydantic_ai.sent_tools import (
    Names,
    sent_tools,
    with_names,
    with_sent_names,
    without_refused,
)
from baton.sdk.models.through_pydantic_ai.whole_events import WholeEvents
from baton_events.ids import digest
from baton_events.values.text import cut, storable, text_of

# The fields of a delta that have nothing of the answer.
_NO_ANSWER = frozenset({"role"})


class ChatChunks:
    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self._last, self._is_done = "", False
        # The usage in a chunk is that of the whole answer so far: without this setting it would be added up.
        stream._model_settings = {**(stream._model_settings or {}), "openai_continuous_usage_stats": True}  # noqa: SLF001
        self.is_watched = self._watch()

    @staticmethod
    def of(stream: StreamedResponse) -> "ChatChunks | None":
        """Return the chunks of the stream; None: it is in another format."""
        return ChatChunks(stream) if hasattr(stream, "_has_finish_reason") else None

    @property
    def have_end_mark(self) -> bool:
        """Whether the stream, which is over, has marked as whole."""
        if self._stream._has_finish_reason or self._is_done:  # noqa: SLF001
            return True
        return _is_usage_alone(self._last) if self.is_watched else not self._stream.usage.unmeasured_requests

    def _watch(self) -> bool:
        try:
            decoder = self._stream._response.source._decoder  # noqa: SLF001
            decode = decoder.decode
        except AttributeError:
            return False

        def watching(line: str) -> Any:
            event = decode(line)
            if event is not None and event.data.startswith("[DONE]"):
                self._is_done = True
            elif event is not None:
                self._last = event.data
            return event

        decoder.decode = watching
        return True


def _is_usage_alone(data: str) -> bool:
    """Return whether a chunk has the usage and nothing of the answer: it comes last."""
    try:
        chunk = json.loads(data)
        names = [
            name for choice in chunk.get("choices") or () for name, one in (choice.get("delta") or {}).items() if one
        ]
        return bool(chunk.get("usage")) and _NO_ANSWER.issuperset(names)
    except (ValueError, AttributeError, TypeError):
        return False


class _Begun(Struct):
    """A call so far. `key`: of its pieces, for the library."""

    key: Any
    id: str
    name: str
    pieces: list[str] = field(default_factory=list)

    def is_followed_by(self, call_id: str, name: str, arguments: Any) -> bool:
        """Return whether a piece with a name begins another call."""
        has_other_id, sent = bool(call_id and self.id and call_id != self.id), "".join(self.pieces).strip()
        if not sent:
            return has_other_id
        return _is_whole(sent) and (has_other_id or name != self.name or bool(arguments))


class CallPieces:
    """Stands before the library's own method that takes a piece of a call in."""

    def __init__(self, manager: Any) -> None:
        self._take, self._begun = manager.handle_tool_call_delta, dict[Any, _Begun]()
        manager.handle_tool_call_delta = self.take

    def take(
        self, *, vendor_part_id: Any, tool_name: Any = None, args: Any = None, tool_call_id: Any = None, **more: Any
    ) -> Any:
        """Take a piece, under the key of its call, with its name once. `vendor_part_id`: what the server calls it."""
        begun = self._begun.get(vendor_part_id)
        if vendor_part_id is not None and isinstance(tool_name, str) and tool_name:
            if begun is None or begun.is_followed_by(tool_call_id, tool_name, args):
                key = vendor_part_id if begun is None else (begun.key, len(self._begun), "another")
                begun = self._begun[vendor_part_id] = _Begun(key, tool_call_id, tool_name)
            elif begun.name == tool_name:
                tool_name = None
        if begun is not None and args:
            begun.pieces.append(args if isinstance(args, str) else json.dumps(args))
        key = vendor_part_id if begun is None else begun.key
        return self._take(vendor_part_id=key, tool_name=tool_name, args=args, tool_call_id=tool_call_id, **more)


def _is_whole(arguments: str) -> bool:
    try:
        json.loads(arguments)
    except ValueError:
        return False
    return True


_Answer = TypeVar("_Answer")
# Mistral accepts only nine letters and digits, and every other provider accepts those.
CALL_ID_CHARS, _SHOWN_CHARS = 9, 80
# Arguments that mean none: servers send them for a tool without arguments.
_NONE, _NONE_WITHOUT_ARGUMENTS = frozenset({"", "null"}), "[]"

# What libraries raise for an answer that was cut within a character or its JSON, or that has another form.
_UNREADABLE = (UnexpectedModelBehavior, ValueError, TypeError, LookupError, AttributeError)


class BrokenAnswerError(ModelAPIError):
    """An answer that came without its end; `response`: what came of it, which counts."""

    def __init__(self, response: ModelResponse, message: str) -> None:
        super().__init__(response.model_name or "the model", message)
        self.response = response


class CallIds:
    """The ids of a conversation's calls. What it has told of a conversation that only grows is not looked at again."""

    def __init__(self) -> None:
        self._seen: list[ModelMessage] = []
        self._ids = set[str]()

    def of(self, messages: Sequence[ModelMessage]) -> set[str]:
        """Return those in the messages; the caller may add to them."""
        if len(messages) < len(self._seen) or not all(map(is_, self._seen, messages)):
            self._seen, self._ids = [], set()
        new = messages[len(self._seen) :]
        self._ids.update(call.tool_call_id for one in new if isinstance(one, ModelResponse) for call in one.tool_calls)
        self._seen += new
        return set(self._ids)


class WholeModel(WrapperModel):
    """The wrapped model, whose answers are whole, with storable texts and an id of its own for each call.

    `ids`: of one conversation, whose model this is; None: it is the model of many.
    """

    def __init__(self, wrapped: Any, ids: CallIds | None = None) -> None:
        super().__init__(wrapped)
        self._ids = ids
        for leaf in leaves_of(self.wrapped):
            guard(leaf)

    async def request(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
    ) -> ModelResponse:
        """Send the request, and take its answer in."""
        model_request_parameters = _with_storable_instructions(messages, model_request_parameters)
        try:
            answer, names = await self._asked(
                messages,
                model_request_parameters,
                lambda parameters, sent: WrapperModel.request(self, sent, model_settings, parameters),
            )
            response = _named(answer)
        except _UNREADABLE as error:
            raise _unreadable(error, self.model_name, is_sent=self._is_sent()) from error
        if not _has_finish_reason(response) and all(map(_is_of_library, leaves_of(self.wrapped))):
            raise BrokenAnswerError(response, "the answer has no finish reason, so it is not whole")
        return self._taken(response, messages, model_request_parameters, names)

    @asynccontextmanager
    async def request_stream(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
        run_context: RunContext[Any] | None = None,
    ) -> AsyncGenerator[StreamedResponse]:
        """Send the request, and watch its answer come."""
        model_request_parameters = _with_storable_instructions(messages, model_request_parameters)
        async with AsyncExitStack() as stack:
            try:
                stream, names = await self._asked(
                    messages,
                    model_request_parameters,
                    lambda parameters, sent: stack.enter_async_context(
                        WrapperModel.request_stream(self, sent, model_settings, parameters, run_context)
                    ),
                )
            except _UNREADABLE as error:  # it ended before it began
                raise _unreadable(error, self.model_name, is_sent=self._is_sent()) from error
            _Watched(stream, lambda response: self._taken(response, messages, model_request_parameters, names))
            yield stream

    def _taken(
        self,
        response: ModelResponse,
        messages: Sequence[ModelMessage],
        parameters: ModelRequestParameters,
        names: Names,
    ) -> ModelResponse:
        # A function's ids may repeat, as in a direct run: a capability that cuts the history goes by them.
        ids = (self._ids or CallIds()).of(messages) if self._is_sent() else set[str]()
        return _taken(response, messages, parameters, ids, names)

    async def _asked(
        self,
        messages: list[ModelMessage],
        parameters: ModelRequestParameters,
        send: Callable[[ModelRequestParameters, list[ModelMessage]], Awaitable[_Answer]],
    ) -> tuple[_Answer, Names]:
        """Send messages and tools as providers take them, and the names of properties that differ.

        A function of a user's gets them as they are, but for files that it refuses.
        """
        if not self._is_sent():
            return await asked(self.model_name, messages, partial(send, parameters)), {}
        leaves = tuple(leaves_of(self.wrapped))
        rules = strictest(tuple([rules_of(leaf.system, leaf.model_name) for leaf in leaves]))
        tools, names = sent_tools(self.model_name, parameters, rules)
        servers = {leaf.base_url or "" for leaf in leaves}
        while True:
            known = {tool.name for tool in (*tools.function_tools, *tools.output_tools)}
            forms = with_sent_names(sendable(messages, known, servers), names)
            try:
                return await asked(self.model_name, forms, partial(send, tools)), names
            except ModelAPIError as error:
                fewer = without_refused(self.model_name, error, tools)
                if fewer is None:
                    raise
                tools = fewer

    def _is_sent(self) -> bool:
        return all(_is_of_library(leaf) and leaf.base_url for leaf in leaves_of(self.wrapped))


def _with_storable_instructions(
    messages: Sequence[ModelMessage], parameters: ModelRequestParameters
) -> ModelRequestParameters:
    """Make the instructions of the request and of its last message storable; the earlier messages' are so."""
    last = messages[-1] if messages else None
    if isinstance(last, ModelRequest) and last.instructions:
        last.instructions = storable(last.instructions)
    if not any(part.content != storable(part.content) for part in parameters.instruction_parts or ()):
        return parameters
    parts = [replace(part, content=storable(part.content)) for part in parameters.instruction_parts or ()]
    return replace(parameters, instruction_parts=parts)


def _unreadable(error: Exception, model: str, *, is_sent: bool) -> Exception:
    """Return the error of an answer that its library cannot read. `is_sent`: no function of a user's makes it.

    Subclasses of pydantic-ai's own error say more, and stay.
    """
    if type(error) is UnexpectedModelBehavior:
        message = error.message
    elif is_sent and not isinstance(error, UnexpectedModelBehavior):
        message = f"the answer cannot be read: {type(error).__name__}: {text_of(error)}"
    else:
        return error
    return BrokenAnswerError(ModelResponse(parts=[], model_name=model), message)


class _Watched:
    """Watches one stream: it replaces what the library reads of it, its events and its answer."""

    def __init__(self, stream: StreamedResponse, taken: Callable[[ModelResponse], ModelResponse]) -> None:
        self._stream, self._taken = stream, taken
        self._events, self._read = stream._get_event_iterator, stream.get  # noqa: SLF001 - what its subclasses define
        self._is_over, self._size_bytes = False, 0
        self._chunks = ChatChunks.of(stream)
        if self._chunks is not None or hasattr(stream, "_last_sequence_number"):  # of OpenAI's library
            WholeEvents(stream)
        CallPieces(stream._parts_manager)  # noqa: SLF001 - as above
        vars(stream).update(_get_event_iterator=self.events, get=self.get)

    async def events(self) -> AsyncIterator[ModelResponseStreamEvent]:
        """Pass the events on, up to the size limit, and fail where the end mark is missing."""
        try:
            async for event in self._events():
                self._size_bytes += _size_bytes(event)
                if self._size_bytes > ANSWER_LIMIT_BYTES:
                    raise answer_too_large(self._size_bytes, spent_of(self._get()))
                yield event
        except _UNREADABLE as error:
            is_sent = _is_of_library(self._stream) and self._stream.provider_url is not None
            raise _unreadable(error, self._stream.model_name, is_sent=is_sent) from error
        if not self._stream.cancelled and not self._has_end_mark():
            raise BrokenAnswerError(self._get(), "the stream ended without its end mark, so the answer is not whole")
        self._is_over = True

    def get(self) -> ModelResponse:
        """Return the answer; so far, as it is."""
        return self._taken(self._get()) if self._is_over else self._get()

    def _get(self) -> ModelResponse:
        return _named(self._read())

    def _has_end_mark(self) -> bool:
        if self._chunks is not None:
            return self._chunks.have_end_mark
        return not _is_of_library(self._stream) or _has_finish_reason(self._get())


def leaves_of(model: Model) -> Iterator[Model]:
    """Yield the models that send a model's requests."""
    while isinstance(model, WrapperModel):
        model = model.wrapped
    if isinstance(model, FallbackModel):
        for one in model.models:
            yield from leaves_of(one)
    else:
        yield model


def _is_of_library(thing: object) -> bool:
    return type(thing).__module__.startswith("pydantic_ai.")


def _has_finish_reason(response: ModelResponse) -> bool:
    """Return whether the provider named a reason; a function or a test has no address, and ends where it ends."""
    known = response.finish_reason is not None or bool((response.provider_details or {}).get("finish_reason"))
    return known or response.provider_url is None or response.state == "suspended"


def _size_bytes(event: ModelResponseStreamEvent) -> int:
    match event:
        case PartStartEvent(part=part):
            texts = (getattr(part, "content", ""), getattr(part, "args", ""))
        case PartDeltaEvent(delta=delta):
            texts = (getattr(delta, "content_delta", ""), getattr(delta, "args_delta", ""))
        case _:
            return 0
    return sum(len(one.encode("utf-8", "replace")) for one in texts if isinstance(one, str))


def _taken(
    response: ModelResponse,
    messages: Sequence[ModelMessage],
    parameters: ModelRequestParameters,
    ids: set[str],
    names: Names,
) -> ModelResponse:
    """Return the whole answer in the form that is kept. `ids`: of the conversation's calls; `names`: as sent.

    Raises BrokenAnswerError: it is not whole.
    """
    asked_anew = response.provider_url is not None and not isinstance(messages[-1], ModelResponse)
    if response.state == "incomplete" or (
        response.state == "suspended" and asked_anew and not response.provider_response_id
    ):  # without its id, nobody can ask for the rest
        raise BrokenAnswerError(response, "the answer is not whole")
    if fault := next(filter(None, map(_fault_of, response.parts)), ""):
        raise BrokenAnswerError(response, f"the answer cannot be read: {fault}")
    reason, word = _finish_reason(response)
    if reason == "error":
        raise BrokenAnswerError(response, f"the answer ended with {cut(str(word), _SHOWN_CHARS)!r}, so it is not whole")
    bare = {tool.name for tool in parameters.function_tools if not tool.parameters_json_schema.get("properties")}
    parts = [_part(part, ids, bare, names) for part in response.parts]
    details = _clean(response.provider_details)
    known = details is response.provider_details and reason == response.finish_reason
    if known and all(map(is_, parts, response.parts)):
        return response
    return replace(response, parts=parts, provider_details=details, finish_reason=reason)


def _named(response: ModelResponse) -> ModelResponse:
    """Return an answer whose model has a text for its name, or none."""
    return response if isinstance(response.model_name, str | None) else replace(response, model_name=None)


def _fault_of(part: ModelResponsePart) -> str:
    """Return what no library checks of a part: a call's name and arguments, a text; empty: it is well."""
    match part:
        case ToolCallPart(tool_name=str() as name, args=str() | dict() | None) if name:
            return ""
        case ToolCallPart(tool_name=str() as name, args=args) if name:
            return f"the arguments of a call of {cut(name, _SHOWN_CHARS)!r} are {cut(repr(args), _SHOWN_CHARS)}"
        case ToolCallPart(tool_name=name):
            return f"a call names no tool, but {cut(repr(name), _SHOWN_CHARS)}"
        case TextPart(content=content) | ThinkingPart(content=content) if not isinstance(content, str):
            return f"a text is {cut(repr(content), _SHOWN_CHARS)}"
        case _:
            return ""


def _finish_reason(response: ModelResponse) -> tuple[FinishReason | None, object]:
    """Return the reason, also where its library does not know the server's word for it, and the word."""
    reason, word = response.finish_reason, (response.provider_details or {}).get("finish_reason")
    if reason is None and word is not None and response.state != "suspended":  # which has not ended
        reason = meaning_of(word)
    return reason, reason if word is None else word


def _part(part: ModelResponsePart, ids: set[str], bare: set[str], names: Names) -> ModelResponsePart:
    """Return the part in the form that is kept. `ids`: those that are taken; `bare`: tools without arguments."""
    part = with_names(part, names) if isinstance(part, ToolCallPart) else part
    changes = {
        each.name: _clean(value) for each in fields(part) if (value := getattr(part, each.name, None)) is not None
    }
    changes = {name: value for name, value in changes.items() if value is not getattr(part, name)}
    if isinstance(part, ToolCallPart):
        if isinstance(part.args, str) and part.args:
            arguments = part.args.strip()
            if arguments in _NONE or (arguments == _NONE_WITHOUT_ARGUMENTS and part.tool_name in bare):
                changes["args"] = ""
        if part.tool_call_id in ids:
            changes["tool_call_id"] = _another_id(part.tool_call_id, ids)
        ids.add(changes.get("tool_call_id", part.tool_call_id))
    return replace(part, **changes) if changes else part


def _another_id(taken: str, ids: set[str]) -> str:
    number = 2
    while (another := digest(taken, number)[:CALL_ID_CHARS]) in ids:
        number += 1
    return another


def _clean(value: Any) -> Any:
    """Return the value with storable texts: the same object where all of them are."""
    return mapped(value, lambda one: storable(one) if isinstance(one, str) and storable(one) != one else one)

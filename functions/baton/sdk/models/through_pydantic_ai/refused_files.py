"""Files that a provider does not take: its refusal ends no conversation, and the model is told of them by name.

A request that is refused goes out again without the files of a tool's results, then without those of earlier messages.
The newest message keeps its own: where the provider refuses those, it fails in the provider's words. Invariant: what is
recorded keeps its files. What a model has refused is left out from the beginning, as long as this process lives.
"""

import logging
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import replace
from hashlib import sha256
from typing import Any, TypeVar

from pydantic_ai.exceptions import (
    AgentRunError,
    ContentFilterError,
    FallbackExceptionGroup,
    ModelAuthenticationError,
    ModelHTTPError,
    ModelRequestRejectedError,
    UserError,
)
from pydantic_ai.messages import (
    BinaryContent,
    ModelMessage,
    ModelRequest,
    RetryPromptPart,
    ToolReturnPart,
    UserPromptPart,
    is_multi_modal_content,
)

_log = logging.getLogger("baton.models")

_Answer = TypeVar("_Answer")
# Of what is too large, or of no type that the server takes: no category of the library's.
_REFUSED = frozenset({413, 415})
_DOWNLOADS = "pydantic_ai._ssrf"
_MOST_KNOWN = 1_000
# Models, each with a file that it has refused; the oldest first.
_KNOWN: dict[tuple[str, str], None] = {}


def left_out(name: str, media_type: str) -> str:
    """Return what a model is told in a file's place."""
    return f"[The file {name!r} ({media_type}) is left out here.]"


async def asked(
    model: str, messages: list[ModelMessage], send: Callable[[list[ModelMessage]], Awaitable[_Answer]]
) -> _Answer:
    """Send the messages, and again with fewer files where they are refused.

    Raises:
        ModelRequestRejectedError: the library has no form for a file of the newest message. Exception: any of `send`.
    """
    forms = _forms(model, messages)
    form = first = next(forms)
    while True:
        try:
            answer = await send(form)
        except Exception as error:
            if not _refuses(error):
                raise
            fewer = next(forms, None)
            if fewer is not None:
                form = fewer
                continue
            if _has_no_form(error) and any(_files_of(form)):
                raise ModelRequestRejectedError(model, str(error)) from error
            raise
        if form is not first:
            refused = set(_files_of(first)) - set(_files_of(form))
            _log.warning("model %s refuses %d files of a conversation: it is told their names", model, len(refused))
            _note(model, refused)
        return answer


def _forms(model: str, messages: list[ModelMessage]) -> Iterator[list[ModelMessage]]:
    """Yield the messages as they may be sent, each time with fewer files."""
    last = messages[-1] if messages else None
    parts = last.parts if isinstance(last, ModelRequest) else ()
    is_asked = not any(isinstance(part, ToolReturnPart | RetryPromptPart) for part in parts)
    newest = next((part for part in reversed(parts) if is_asked and isinstance(part, UserPromptPart)), None)
    known = {file for name, file in _KNOWN if name == model}
    first = _without(messages, newest, known) if known else messages
    yield first
    if not is_asked:
        results = [*first[:-1], *_without(first[-1:], newest)]
        if results[-1] is not first[-1]:
            yield results
            first = results
    rest = _without(first, newest)
    if any(one is not other for one, other in zip(rest, first, strict=True)):
        yield rest


def _refuses(error: Exception) -> bool:
    """Return whether a request was refused for what it is, before or by the provider."""
    match error:
        case FallbackExceptionGroup():
            return any(_refuses(one) for one in error.exceptions if isinstance(one, Exception))
        case ModelAuthenticationError():
            return False
        case ModelRequestRejectedError() | ContentFilterError():
            return True
        case ModelHTTPError(status_code=status):
            return status in _REFUSED
        case _:
            return _has_no_form(error) or _is_raised_in(error, _DOWNLOADS)


def _has_no_form(error: Exception) -> bool:
    """Return whether the library has no form for a part of the request: it says so by Python's own errors, mostly."""
    return isinstance(error, UserError) or (isinstance(error, RuntimeError) and not isinstance(error, AgentRunError))


def _is_raised_in(error: Exception, module: str) -> bool:
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_globals.get("__name__") == module:
            return True
        trace = trace.tb_next
    return False


def _note(model: str, files: set[str]) -> None:
    for file in sorted(files):
        _KNOWN.pop((model, file), None)
        _KNOWN[model, file] = None
    while len(_KNOWN) > _MOST_KNOWN:
        del _KNOWN[next(iter(_KNOWN))]


def _without(
    messages: Sequence[ModelMessage], newest: UserPromptPart | None, which: set[str] | None = None
) -> list[ModelMessage]:
    """Return the messages without these files, or without any; the newest message keeps its own."""
    return [_request_without(one, newest, which) if isinstance(one, ModelRequest) else one for one in messages]


def _request_without(message: ModelRequest, newest: UserPromptPart | None, which: set[str] | None) -> ModelRequest:
    parts = [part if part is newest else _part_without(part, which) for part in message.parts]
    same = all(part is old for part, old in zip(parts, message.parts, strict=True))
    return message if same else replace(message, parts=parts)


def _part_without(part: Any, which: set[str] | None) -> Any:
    content = getattr(part, "content", None)
    kept = _content_without(content, which)
    return part if kept is content else replace(part, content=kept)


def _content_without(content: Any, which: set[str] | None) -> Any:
    """Return the content with names in the place of its files: the same object where it has none of them."""
    if is_multi_modal_content(content):
        is_left_out = which is None or _key_of(content) in which
        return left_out(content.identifier, content.media_type) if is_left_out else content
    if isinstance(content, list | tuple):
        items = [_content_without(one, which) for one in content]
        return content if all(one is old for one, old in zip(items, content, strict=True)) else items
    if isinstance(content, dict):
        values = {name: _content_without(one, which) for name, one in content.items()}
        return content if all(values[name] is one for name, one in content.items()) else values
    return content


def _files_of(messages: Sequence[ModelMessage]) -> Iterator[str]:
    """Yield the files of the user and of tools, each by its address or by a digest of its content."""
    waiting: list[Any] = [part for one in messages if isinstance(one, ModelRequest) for part in one.parts]
    waiting = [getattr(part, "content", None) for part in waiting]
    while waiting:
        content = waiting.pop()
        if is_multi_modal_content(content):
            yield _key_of(content)
        elif isinstance(content, list | tuple):
            waiting += content
        elif isinstance(content, dict):
            waiting += content.values()


def _key_of(file: Any) -> str:
    if isinstance(file, BinaryContent):
        return sha256(file.data).hexdigest()
    return str(getattr(file, "url", None) or getattr(file, "file_id", ""))

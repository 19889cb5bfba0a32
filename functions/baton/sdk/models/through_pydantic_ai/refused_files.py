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

from baton.sdk.models.through_pydantic_ai.sendable import mapped, with_parts

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
            if _has_no_form(error) and _files_of(form):
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
    """Return the messages with names in the place of these files, or of all; the newest message keeps its own."""

    def without(part: Any) -> Any:
        content = getattr(part, "content", None)
        kept = content if part is newest else mapped(content, named)
        return part if kept is content else replace(part, content=kept)

    def named(content: Any) -> Any:
        is_left = is_multi_modal_content(content) and (which is None or _key_of(content) in which)
        return left_out(content.identifier, content.media_type) if is_left else content

    return [
        with_parts(one, list(map(without, one.parts))) if isinstance(one, ModelRequest) else one for one in messages
    ]


def _files_of(messages: Sequence[ModelMessage]) -> list[str]:
    """Return the files of the user and of tools, each by its address or by a digest of its content."""
    found = list[str]()
    parts = [part for one in messages if isinstance(one, ModelRequest) for part in one.parts]
    leaf = lambda one: found.append(_key_of(one)) if is_multi_modal_content(one) else None  # noqa: E731
    for part in parts:
        mapped(getattr(part, "content", None), leaf)
    return found


def _key_of(file: Any) -> str:
    if isinstance(file, BinaryContent):
        return sha256(file.data).hexdigest()
    return str(getattr(file, "url", None) or getattr(file, "file_id", ""))

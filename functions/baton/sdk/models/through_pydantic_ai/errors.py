"""A provider's failure as a `ModelError`: its message, whether a retry may help, and the wait before it.

The wait is read from the headers, whose names come in lower case, or as the library has read it, or from the body.
Invariant: no key is in a message. Must not: decide the number of retries.
"""

import json
import re
from collections.abc import Mapping
from typing import Any

import httpx
import httpx2
from pydantic_ai.exceptions import (
    ContentFilterError,
    FallbackExceptionGroup,
    ModelAPIError,
    ModelHTTPError,
    ModelQuotaExceededError,
    ModelRequestRejectedError,
    UserError,
)
from pydantic_ai.messages import ModelResponse

from baton.sdk.clock import SystemClock
from baton.sdk.models.model import NOTHING_SPENT, ModelError
from baton.sdk.models.through_pydantic_ai.guarded import NoAnswerError, title_of
from baton.sdk.models.through_pydantic_ai.prices import spent_of
from baton.sdk.models.through_pydantic_ai.whole import BrokenAnswerError
from baton_events.bounded import TooLargeError
from baton_events.values.text import text_of
from baton_events.values.waits import requested_wait_seconds, wait_in_words, wait_seconds

_MAX_CHARS = 2_000
_FIRST_SERVER_STATUS = 500
_OF_TRANSPORT = (TooLargeError, NoAnswerError, httpx.ProxyError, httpx2.ProxyError)
_MAY_PASS = frozenset({408, 409, 425, 429})
# Of a proxy that has waited for the provider's answer.
_NO_ANSWER = frozenset({408, 504})
# Where bodies have their words, and their waits.
_WORDS = ("error", "message", "detail", "msg")
_WAITS = ("retryDelay", "retry_delay", "retryAfter", "retry_after", "retry_after_seconds")
_MOST_FAULTS, _DEEPEST = 3, 8
# Keys in the providers' formats, and any text behind a scheme of authorization.
_SECRET = re.compile(
    r"\b(?:sk|pk|rk|gsk|xai|r8|hf)[-_][A-Za-z0-9_\-]{8,}|\bAIza[A-Za-z0-9_\-]{10,}|\b(?:Bearer|Basic)\s+[^\s\"']{8,}"
)


def model_error(error: Exception) -> ModelError:
    """Convert any failure to a `ModelError`."""
    return error if isinstance(error, ModelError) else _of_transport(error) or _of_library(error)


def _of_transport(error: Exception) -> ModelError | None:
    """Convert a failure of our own transport, whose words the provider's library hides."""
    cause: BaseException | None = error
    seen = set[int]()  # an error that a library raises again may be among its own causes
    while cause is not None and id(cause) not in seen:
        if isinstance(cause, _OF_TRANSPORT):
            return ModelError(_clean(text_of(cause)), retryable=not isinstance(cause, TooLargeError))
        seen.add(id(cause))
        cause = cause.__cause__
    return None


def _of_library(error: Exception) -> ModelError:
    match error:
        case ContentFilterError():
            return ModelError(_clean(f"the provider's content filter stopped the answer: {error}"), retryable=False)
        case ModelAPIError():
            return _from_provider(error)
        case FallbackExceptionGroup():
            failures = [model_error(one) for one in error.exceptions if isinstance(one, ModelAPIError)]
            message = "; ".join(failure.message for failure in failures) or _clean(str(error))
            spent = sum((failure.spent for failure in failures), NOTHING_SPENT)
            retryable = any(failure.retryable for failure in failures)
            unanswered = any(failure.unanswered for failure in failures)
            return ModelError(message, retryable=retryable, spent=spent, unanswered=unanswered)
        case UserError():
            return ModelError(_clean(error.message), retryable=False)
        case _:
            return ModelError(_clean(f"{type(error).__name__}: {text_of(error)}"), retryable=True, unanswered=True)


def refusal_in(response: ModelResponse) -> str:
    """Return the provider's words for why it stopped the answer; empty: none."""
    details = response.provider_details or {}
    words = [details.get(name) for name in ("refusal", "block_reason_message", "block_reason")]
    return next((_clean(one) for one in words if isinstance(one, str) and one), "")


def _from_provider(error: ModelAPIError) -> ModelError:
    status = f"{error.status_code} " if isinstance(error, ModelHTTPError) else ""
    text = _message_of(error.body) or error.message
    retryable = _may_pass(error)
    wait_seconds = _wait_seconds(error) if retryable else None
    message = _clean(f"{status}from {error.model_name}: {text}")
    spent = spent_of(error.response) if isinstance(error, BrokenAnswerError) else NOTHING_SPENT
    answered = isinstance(error, ModelHTTPError) and error.status_code not in _NO_ANSWER
    unanswered = retryable and not answered and spent == NOTHING_SPENT
    return ModelError(
        message, retryable=retryable, retry_after_seconds=wait_seconds, spent=spent, unanswered=unanswered
    )


def _may_pass(error: ModelAPIError) -> bool:
    """Return whether a failure is temporary: time-outs, connections, 429, 5xx; refusals and spent quotas are not."""
    if isinstance(error, ModelRequestRejectedError | ModelQuotaExceededError):
        return False
    if not isinstance(error, ModelHTTPError):
        return True
    return error.status_code in _MAY_PASS or error.status_code >= _FIRST_SERVER_STATUS


def _wait_seconds(error: ModelAPIError) -> float | None:
    headers = (error.headers or {}) if isinstance(error, ModelHTTPError) else {}
    requested = requested_wait_seconds(headers, SystemClock().now_ms())
    if requested is None:
        requested = wait_seconds(error.retry_after)
    if requested is None:
        requested = _wait_in(error.body, _DEEPEST)
    return wait_in_words(error.message) if requested is None else requested


def _wait_in(body: Any, depth: int) -> float | None:
    """Return the wait that a body names in a field or in its words; None: none, so deep."""
    body = _parsed(body)
    if isinstance(body, str):
        return wait_in_words(body)
    named = [wait_seconds(body[key]) for key in _WAITS if key in body] if isinstance(body, Mapping) else []
    inner = body.values() if isinstance(body, Mapping) else body if isinstance(body, list) else ()
    deeper = (_wait_in(one, depth - 1) for one in inner if depth)
    return next((wait for wait in (*named, *deeper) if wait is not None), None)


def _message_of(body: Any) -> str:
    """Return the provider's own message, which each provider puts in another place; of a page, its title."""
    body = _parsed(body)
    if isinstance(body, str):
        return title_of(body) if body.startswith("<") else body
    if isinstance(body, list):
        return "; ".join(filter(None, map(_message_of, body[:_MOST_FAULTS])))
    if not isinstance(body, Mapping):
        return ""
    text = next(filter(None, (_message_of(body[key]) for key in _WORDS if body.get(key))), "")
    details = body.get("metadata")  # of OpenRouter, with what the provider behind it said
    inner = _message_of(details.get("raw")) if isinstance(details, Mapping) else ""
    return f"{text}: {inner}" if text and inner else text or inner


def _parsed(body: Any) -> Any:
    """Return the JSON that a text is; otherwise the text, or what it was."""
    if not isinstance(body, str):
        return body
    text = body.strip()
    try:
        return json.loads(text) if text.startswith(("{", "[")) else text
    except (ValueError, RecursionError):
        return text


def _clean(text: str) -> str:
    line = _SECRET.sub("(key)", " ".join(text.split()))
    return line if len(line) <= _MAX_CHARS else f"{line[: _MAX_CHARS - 1]}…"

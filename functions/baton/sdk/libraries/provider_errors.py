"""What a provider's own library raises, as a `ModelError`: whether a retry may help, and the wait before it.

The libraries of OpenAI, Anthropic and others have an error with a status and an answer, and one of the connection,
whose classes are told by their names: none of them need be installed. Must not: decide the number of retries.
"""

from typing import Any

import httpx

from baton.sdk.clock import SystemClock
from baton.sdk.models.model import ModelError
from baton_events.values.text import text_of
from baton_events.values.waits import requested_wait_seconds

_MAY_PASS = frozenset({408, 409, 425, 429})
_FIRST_SERVER_STATUS = 500
_UNANSWERED = frozenset({"APIConnectionError", "APITimeoutError"})


def provider_error(error: Exception) -> ModelError | None:
    """Return the failure of a provider that an error is; None: it is none."""
    if isinstance(error, ModelError):
        return error
    status, answer = getattr(error, "status_code", None), getattr(error, "response", None)
    if isinstance(status, int) and answer is not None:
        retryable = status in _MAY_PASS or status >= _FIRST_SERVER_STATUS
        headers: Any = getattr(answer, "headers", {})
        wait = requested_wait_seconds(dict(headers), SystemClock().now_ms()) if retryable else None
        return ModelError(f"{status}: {text_of(error)}", retryable=retryable, retry_after_seconds=wait)
    names = {kind.__name__ for kind in type(error).__mro__}
    if names & _UNANSWERED or isinstance(error, httpx.TransportError):
        return ModelError(text_of(error) or "no answer", retryable=True, unanswered=True)
    return None

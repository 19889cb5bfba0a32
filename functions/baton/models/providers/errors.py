"""A provider's failure as a `ModelError`: its message, whether a retry may help, and the wait before it.

The wait comes from `Retry-After`, or from related headers, whose names come in lower case. Invariant: no key is in a
message. Must not: decide the number of retries.
"""

import re
from collections.abc import Mapping
from typing import Any

from pydantic_ai.exceptions import (
    ContentFilterError,
    FallbackExceptionGroup,
    ModelAPIError,
    ModelHTTPError,
    ModelQuotaExceededError,
    ModelRequestRejectedError,
    UserError,
)

from baton.models.model import ModelError

_UNIT_SECONDS = {"ms": 0.001, "s": 1, "m": 60, "h": 3_600, "d": 86_400}
_PIECE = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
_KINDS = ("requests", "tokens")


def retry_after_seconds(headers: Mapping[str, str]) -> float | None:
    """Return the seconds to wait; None: the headers have none, or none that can be read.

    `Retry-After` may have a fraction, which RFC 9110 forbids and providers send. Otherwise the later of OpenAI's
    `x-ratelimit-reset-requests` and `-tokens` counts, of those that are used up (`6m0s`, `120ms`).
    """
    plain = _number(headers.get("retry-after", ""))
    if plain is not None:
        return plain
    waits = [_reset_seconds(headers, kind) for kind in _KINDS]
    return max((wait for wait in waits if wait is not None), default=None)


def _reset_seconds(headers: Mapping[str, str], kind: str) -> float | None:
    remaining = _number(headers.get(f"x-ratelimit-remaining-{kind}", ""))
    if remaining is None or remaining > 0:
        return None
    return duration_seconds(headers.get(f"x-ratelimit-reset-{kind}", ""))


def duration_seconds(text: str) -> float | None:
    """Convert `1h2m3.5s` to seconds; None: it is no such duration."""
    pieces = _PIECE.findall(text)
    if not pieces or "".join(number + unit for number, unit in pieces) != text:
        return None
    return sum(float(number) * _UNIT_SECONDS[unit] for number, unit in pieces)


def _number(text: str) -> float | None:
    return float(text) if re.fullmatch(r"\d+(\.\d+)?", text) else None


_MAX_CHARS = 2_000
_FIRST_SERVER_STATUS = 500
_MAY_PASS = frozenset({408, 409, 425, 429})
# Keys in the providers' formats, and any text behind a scheme of authorization.
_SECRET = re.compile(
    r"\b(?:sk|pk|rk|gsk|xai|r8|hf)[-_][A-Za-z0-9_\-]{8,}|\bAIza[A-Za-z0-9_\-]{10,}|\b(?:Bearer|Basic)\s+[^\s\"']{8,}"
)


def model_error(error: Exception) -> ModelError:
    """Convert any failure to a `ModelError`."""
    match error:
        case ModelError():
            return error
        case ContentFilterError():
            return ModelError("the provider's content filter stopped the answer", retryable=False)
        case ModelAPIError():
            return _from_provider(error)
        case FallbackExceptionGroup():
            failures = [model_error(one) for one in error.exceptions if isinstance(one, ModelAPIError)]
            message = "; ".join(failure.message for failure in failures) or _clean(str(error))
            return ModelError(message, retryable=any(failure.retryable for failure in failures))
        case UserError():
            return ModelError(_clean(error.message), retryable=False)
        case _:
            return ModelError(_clean(f"{type(error).__name__}: {error}"), retryable=True)


def _from_provider(error: ModelAPIError) -> ModelError:
    status = f"{error.status_code} " if isinstance(error, ModelHTTPError) else ""
    text = _message_of(error.body) or error.message
    retryable = _may_pass(error)
    wait_seconds = _wait_seconds(error) if retryable else None
    message = _clean(f"{status}from {error.model_name}: {text}")
    return ModelError(message, retryable=retryable, retry_after_seconds=wait_seconds)


def _may_pass(error: ModelAPIError) -> bool:
    """Return whether a failure is temporary: time-outs, connections, 429, 5xx; refusals and spent quotas are not."""
    if isinstance(error, ModelRequestRejectedError | ModelQuotaExceededError):
        return False
    if not isinstance(error, ModelHTTPError):
        return True
    return error.status_code in _MAY_PASS or error.status_code >= _FIRST_SERVER_STATUS


def _wait_seconds(error: ModelAPIError) -> float | None:
    if error.retry_after is not None:
        return error.retry_after
    return retry_after_seconds(error.headers or {}) if isinstance(error, ModelHTTPError) else None


def _message_of(body: Any) -> str:
    """Return the provider's own message, which each provider puts in another place."""
    if isinstance(body, str):
        return body.strip()
    if not isinstance(body, Mapping):
        return ""
    for key in ("error", "message", "detail", "msg"):
        inner = body.get(key)
        text = inner if isinstance(inner, str) else _message_of(inner)
        if text:
            return text
    return ""


def _clean(text: str) -> str:
    line = _SECRET.sub("(key)", " ".join(text.split()))
    return line if len(line) <= _MAX_CHARS else f"{line[: _MAX_CHARS - 1]}…"

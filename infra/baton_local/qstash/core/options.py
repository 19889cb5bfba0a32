"""The `Upstash-*` headers of one publish as a checked record (qstash.md 4).

Invariant: a record that exists is valid; every refusal is a 400 (or 412 over a limit) that names the header.
Unknown `Upstash-*` headers are ignored, as the hosted service does.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from baton_local.qstash.core.answer import bad_request, not_served, over_quota
from baton_local.qstash.core.destinations import check_name, check_url
from baton_local.qstash.core.flow_control import FlowSpec, is_number, parse_flow
from baton_local.qstash.core.headers import (
    NOTHING_REDACTED,
    HeaderMap,
    Redaction,
    canonical_name,
    kept_headers,
    parse_redaction,
)
from baton_local.qstash.core.limits import Limits, parse_duration_ms
from baton_local.qstash.core.retry_delay import check_retry_delay

METHODS = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE"})
_CALLBACK, _FAILURE_CALLBACK = "upstash-callback", "upstash-failure-callback"
_MAX_NAME_LENGTH = 256
_MAX_NOT_BEFORE_SECONDS = 253_402_300_799  # the last second of the year 9999


@dataclass(frozen=True, slots=True)
class CallbackSpec:
    """Where a callback goes, and the headers that its message is published with."""

    url: str
    headers: HeaderMap = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Options:
    """Everything in the headers of a publish."""

    header: HeaderMap
    method: str = "POST"
    timeout_ms: int | None = None
    max_retries: int | None = None
    retry_delay: str | None = None
    delay_ms: int = 0
    not_before_ms: int | None = None
    labels: tuple[str, ...] = ()
    dedup_id: str | None = None
    dedup_by_content: bool = False
    flow: FlowSpec | None = None
    callback: CallbackSpec | None = None
    failure_callback: CallbackSpec | None = None
    redaction: Redaction = NOTHING_REDACTED
    cron: str | None = None
    schedule_id: str | None = None
    queue: str | None = None


def parse_options(headers: Mapping[str, Sequence[str]], limits: Limits) -> Options:
    """Read and check the options among lower-case headers."""
    check_served(headers)
    for name in headers:
        if len(name) > _MAX_NAME_LENGTH:  # else nested callback prefixes would never end
            raise bad_request(f"header name {name[:80]!r}... is longer than {_MAX_NAME_LENGTH} characters; shorten it")
    schedule_id, queue = _one(headers, "upstash-schedule-id"), _one(headers, "upstash-queue-name")
    retry_delay, redacted = _one(headers, "upstash-retry-delay"), _one(headers, "upstash-redact-fields")
    return Options(
        header=kept_headers(headers, forward_all=_flag(headers, "upstash-header-forward")),
        method=_method(headers),
        timeout_ms=_duration(headers, "upstash-timeout", limits.max_timeout_ms),
        max_retries=_retries(headers, limits),
        retry_delay=None if retry_delay is None else check_retry_delay(retry_delay, "Upstash-Retry-Delay"),
        delay_ms=_duration(headers, "upstash-delay", limits.max_delay_ms) or 0,
        not_before_ms=_not_before(headers),
        labels=_labels(headers),
        dedup_id=_one(headers, "upstash-deduplication-id"),
        dedup_by_content=_flag(headers, "upstash-content-based-deduplication"),
        flow=parse_flow(_one(headers, "upstash-flow-control-key"), _one(headers, "upstash-flow-control-value")),
        callback=_callback(headers, _CALLBACK, limits),
        failure_callback=_callback(headers, _FAILURE_CALLBACK, limits),
        redaction=NOTHING_REDACTED if redacted is None else parse_redaction(redacted, "Upstash-Redact-Fields"),
        cron=_one(headers, "upstash-cron"),
        schedule_id=None if schedule_id is None else check_name(schedule_id, "Upstash-Schedule-Id"),
        queue=None if queue is None else check_name(queue, "Upstash-Queue-Name"),
    )


def _one(headers: Mapping[str, Sequence[str]], name: str) -> str | None:
    values = headers.get(name)
    return values[0].strip() or None if values else None


def _flag(headers: Mapping[str, Sequence[str]], name: str) -> bool:
    text = (_one(headers, name) or "false").lower()
    if text not in {"true", "false", "1", "0"}:
        raise bad_request(f"{canonical_name(name)}: {text[:80]!r} is not a boolean; use true or false")
    return text in {"true", "1"}


def _method(headers: Mapping[str, Sequence[str]]) -> str:
    method = (_one(headers, "upstash-method") or "POST").upper()
    if method not in METHODS:
        raise bad_request(f"Upstash-Method: {method[:80]!r} is not allowed; use one of {', '.join(sorted(METHODS))}")
    return method


def _duration(headers: Mapping[str, Sequence[str]], name: str, limit_ms: int) -> int | None:
    text = _one(headers, name)
    if text is None:
        return None
    duration_ms = parse_duration_ms(text, canonical_name(name))
    if duration_ms > limit_ms:
        raise over_quota(f"{canonical_name(name)}: {text!r} is over the limit of {limit_ms // 1_000}s; shorten it")
    return duration_ms


def _retries(headers: Mapping[str, Sequence[str]], limits: Limits) -> int | None:
    text = _one(headers, "upstash-retries")
    if text is None:
        return None
    if not is_number(text):
        raise bad_request(f"Upstash-Retries: {text[:80]!r} is not a whole number of at least 0")
    if int(text) > limits.max_retries:
        raise over_quota(f"Upstash-Retries: {text} is over the limit of {limits.max_retries}")
    return int(text)


def _not_before(headers: Mapping[str, Sequence[str]]) -> int | None:
    text = _one(headers, "upstash-not-before")
    if text is None:
        return None
    if not (text.isascii() and text.isdigit()) or len(text) > 12 or int(text) > _MAX_NOT_BEFORE_SECONDS:  # noqa: PLR2004 - digits of that bound
        raise bad_request(f"Upstash-Not-Before: {text[:80]!r} is not a time in Unix seconds")
    return int(text) * 1_000


def _labels(headers: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    values = headers.get("upstash-label", ())
    parts = (part.strip() for value in values for part in value.split(","))
    return tuple(dict.fromkeys(part for part in parts if part))


def _callback(headers: Mapping[str, Sequence[str]], prefix: str, limits: Limits) -> CallbackSpec | None:
    url = _one(headers, prefix)
    if url is None:
        return None
    name = canonical_name(prefix)
    own = {
        canonical_name("upstash-" + key.removeprefix(f"{prefix}-")): list(values)
        for key, values in headers.items()
        if key.startswith(f"{prefix}-")
    }
    parse_options({key.lower(): values for key, values in own.items()}, limits)  # only to refuse bad ones early
    return CallbackSpec(check_url(url, name), own)


def check_served(headers: Mapping[str, Sequence[str]]) -> None:
    """Refuse what the hosted service has and this server has not."""
    for name in headers:
        if name.startswith("upstash-workflow-"):
            raise not_served(f"{canonical_name(name)}: Upstash Workflow is not available on this local server")

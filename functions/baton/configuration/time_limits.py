"""The time limits of the functions, and of the deliveries to them. Pure.

Invariant: a function ends before the queue stops waiting for it.
"""

from baton_events.schema import DELIVERY_FAILED_ENDPOINT, ENDPOINTS, EventType

# A function that does work of a job: calls a model, runs tools. So long may a look at all jobs take, too.
FUNCTION_TIMEOUT_SECONDS = 240
# The others take in what work came to. Behind an HTTP API a request ends after 30 s.
_WITHOUT_WORK = {
    ENDPOINTS[EventType.TOOL_COMPLETE]: 60,
    ENDPOINTS[EventType.TOOL_FAILED]: 60,
    DELIVERY_FAILED_ENDPOINT: 29,
}
_MARGIN_SECONDS = 10
# How long the queue waits for the answer to a failure callback.
CALLBACK_SECONDS = _WITHOUT_WORK[DELIVERY_FAILED_ENDPOINT] + _MARGIN_SECONDS


def function_seconds(endpoint: str) -> int:
    """The limit of the function at one of our endpoints."""
    return _WITHOUT_WORK.get(endpoint, FUNCTION_TIMEOUT_SECONDS)


def delivery_seconds(endpoint: str, longest_seconds: int) -> int:
    """How long the queue waits for an answer of one of our endpoints (`Upstash-Timeout`).

    For one that does work it is `longest_seconds`, the setting: it goes with the work's own limit.
    """
    without_work_seconds = _WITHOUT_WORK.get(endpoint)
    if without_work_seconds is None:
        return longest_seconds
    return min(longest_seconds, without_work_seconds + _MARGIN_SECONDS)

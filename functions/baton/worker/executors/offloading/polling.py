"""The state of a provider's response in the background, as the turn's work item keeps it between two polls. Pure.

Invariant: a poll that fails says nothing of the response, so the next one follows; a response that has ended is read as
a direct one.
"""

import json
from typing import Any

from msgspec.structs import replace

from baton.engine.step_results import ModelWaits
from baton.sdk.records.transcript import HttpResponse
from baton_events.values.waits import requested_wait_seconds

_SHORTEST_SECONDS, _LONGEST_SECONDS = 2.0, 30.0
LATE, _SUCCESS, _MAY_PASS, _FIRST_SERVER_STATUS = 408, 200, frozenset({0, 408, 409, 425, 429}), 500
_PENDING = ("queued", "in_progress")
# The status that a failed response has for a direct request; other failures are the request's fault.
_STATUSES = {"server_error": 500, "rate_limit_exceeded": 429}


def after_begin(response: HttpResponse, now_ms: int, seconds: float) -> HttpResponse | ModelWaits:
    """Return the response to a request, to be read, or when to poll, for this many seconds at most."""
    found = _read(response)
    if response.status != _SUCCESS or found.get("status") not in _PENDING or not found.get("id"):
        return _ended(response, found)
    memo = {"id": str(found["id"]), "number": response.number, "sinceMs": now_ms}
    return _waits(memo | {"untilMs": now_ms + round(seconds * 1000)}, now_ms)


def after_poll(response: HttpResponse, memo: dict[str, Any], now_ms: int) -> HttpResponse | ModelWaits:
    """Return the response to a poll, to be read, or when to poll again."""
    missed = response.status in _MAY_PASS or response.status >= _FIRST_SERVER_STATUS
    found = _read(response)
    if not missed and found.get("status") not in _PENDING:
        return _ended(response, found)
    if now_ms < memo["untilMs"]:
        return _waits(memo, now_ms, requested_wait_seconds(response.headers, now_ms) or 0)
    seconds = (memo["untilMs"] - memo["sinceMs"]) / 1000
    return _error(response, LATE, f"the provider had no answer within {seconds:g} s")


def _waits(memo: dict[str, Any], now_ms: int, pause_seconds: float = 0) -> ModelWaits:
    age_seconds = (now_ms - memo["sinceMs"]) / 1000
    seconds = max(pause_seconds, min(max(_SHORTEST_SECONDS, age_seconds), _LONGEST_SECONDS))
    return ModelWaits(min(now_ms + round(seconds * 1000), memo["untilMs"]), memo["number"], memo=memo)


def _ended(response: HttpResponse, found: dict[str, Any]) -> HttpResponse:
    """Return the response; a failed one as the provider answers a direct request that fails."""
    match found.get("status"):
        case "failed":
            error = found.get("error") or {}
            return _error(response, _STATUSES.get(error.get("code", ""), 400), str(error.get("message") or "it failed"))
        case "cancelled":
            return _error(response, 409, "the response was cancelled")
        case _:
            return response


def _error(response: HttpResponse, status: int, message: str) -> HttpResponse:
    body = json.dumps({"error": {"message": message}}).encode()
    return replace(response, status=status, headers={"content-type": "application/json"}, body=body)


def _read(response: HttpResponse) -> dict[str, Any]:
    try:
        found = json.loads(response.body)
    except ValueError:
        return {}
    return found if isinstance(found, dict) and response.status == _SUCCESS else {}

"""A request's failures as exceptions: one class, and others only where a caller acts differently."""

import time
from typing import Any

import httpx

from baton.client.results import Json

_SHOWN_CHARS = 300


class ApiError(Exception):
    """The API has refused a request, or does not answer.

    Attributes:
        status: of the answer; 0 without one.
        title, detail: the API's texts.
        code: its name of the problem, such as SESSION_BUSY.
        errors: the fields at fault, each with `field` and `message`.
        retry_after_seconds: the wait that the API requests; None: it requests none.
    """

    def __init__(self, request: str, status: int, problem: Json, retry_after_seconds: float | None = None) -> None:
        self.status = status
        self.title = str(problem.get("title") or "")
        self.detail = str(problem.get("detail") or "")
        self.code = str(problem.get("code") or "")
        errors = problem.get("errors")
        self.errors: list[dict[str, str]] = (
            [fault for fault in errors if isinstance(fault, dict)] if isinstance(errors, list) else []
        )
        self.retry_after_seconds = retry_after_seconds
        faults = "; ".join(f"{fault.get('field')}: {fault.get('message')}" for fault in self.errors)
        super().__init__(f"{request} answered {status}: {faults or self.detail}")


class NotFoundError(ApiError):
    """It never existed (404), or its data was removed (410)."""


class ConflictError(ApiError):
    """The state does not allow it, as when a checkpoint was decided before (409)."""


class UnreachableError(ApiError):
    """The address does not answer, or is not Baton's. Meanwhile a job continues."""

    def __init__(self, message: str) -> None:
        super().__init__("", 0, {"detail": message})
        self.args = (message,)


_BY_STATUS = {404: NotFoundError, 410: NotFoundError, 409: ConflictError}


def refusal(response: httpx.Response) -> ApiError:
    """Return the error for an answer that is no success; its body is read already."""
    from baton_events.values.waits import requested_wait_seconds  # noqa: PLC0415 - importing the client loads nothing of it

    problem = _problem(response)
    request = f"{response.request.method} {response.request.url}"
    seconds = requested_wait_seconds(response.headers, int(time.time() * 1000))  # noqa: TID251 - a caller's own clock
    return _BY_STATUS.get(response.status_code, ApiError)(request, response.status_code, problem, seconds)


def _problem(response: httpx.Response) -> Json:
    try:
        found: Any = response.json()
    except (ValueError, RecursionError):
        found = None
    if isinstance(found, dict) and "detail" in found:
        return found
    return {"title": response.reason_phrase, "detail": response.text[:_SHOWN_CHARS]}

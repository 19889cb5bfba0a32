"""What a command answers: a status and a JSON value (None: an empty body), or a refusal, by its meaning."""

from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from baton_local.stand_in.api_error import ApiError


@dataclass(frozen=True, slots=True)
class Answer:
    """The HTTP answer, before it is put on the wire."""

    status: int
    body: Any = None
    headers: tuple[tuple[str, str], ...] = ()


def bad_request(message: str) -> ApiError:
    return ApiError(HTTPStatus.BAD_REQUEST, message)


def not_found(message: str) -> ApiError:
    """Make the error for an unknown id or name (404)."""
    return ApiError(HTTPStatus.NOT_FOUND, message)


def over_quota(message: str) -> ApiError:
    """Make the error for a limit of the plan that is reached (412, qstash.md 20)."""
    return ApiError(HTTPStatus.PRECONDITION_FAILED, message)


def not_served(message: str) -> ApiError:
    """Make the error for a feature that only the hosted service has (501)."""
    return ApiError(HTTPStatus.NOT_IMPLEMENTED, message)

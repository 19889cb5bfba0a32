"""A request that was routed and authorised, and what a command answers: a status and a JSON value, or a refusal."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl, unquote

from baton_local.stand_in.api_error import ApiError

_TOKEN_KEY = "qstash_token"  # noqa: S105 - the name of a query key, not a token
_CONTROL_PREFIX = "upstash-"


@dataclass(frozen=True, slots=True)
class Answer:
    """The HTTP answer, before it is put on the wire; a body that is None is empty."""

    status: int
    body: Any = None
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Request:
    """What a caller sent; `params` are the variable parts of the path, as sent; header names are lower-case."""

    params: Mapping[str, str] = field(default_factory=dict)
    query: str = ""
    headers: dict[str, list[str]] = field(default_factory=dict)
    body: bytes = b""
    client_ip: str | None = None

    def param(self, name: str) -> str:
        """Return a part of the path, decoded."""
        return unquote(self.params[name])

    def query_pairs(self) -> list[tuple[str, str]]:
        """Return the query, without control keys."""
        try:
            pairs = parse_qsl(self.query, keep_blank_values=True, max_num_fields=10_000)
        except ValueError as error:
            raise bad_request(f"query: {error}") from error
        return [(name, value) for name, value in pairs if not is_control_key(name)]

    def json(self) -> Any:
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError) as error:
            raise bad_request(f"body: is not JSON ({str(error)[:200]})") from error


def is_control_key(name: str) -> bool:
    """Return whether a query key is meant for this server and not for the destination."""
    return name == _TOKEN_KEY or name.lower().startswith(_CONTROL_PREFIX)


def ok(body: Any = None) -> Answer:
    return Answer(HTTPStatus.OK, body)


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

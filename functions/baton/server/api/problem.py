"""Errors as RFC 9457 problem details, never with internals, and checked JSON bodies (CONTRACT)."""

import logging
from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from baton.sdk.records.any_json import AnyJson, JsonObject
from baton.server.api.route import ApiRoute
from baton.settings.limits import COUNTED_FAULTS, FAULTS
from baton.store.transport.bodies import check_announced, check_values, read_body, utf8_json
from baton_events.errors import (
    BatonError,
    CodedBodyError,
    HungUpError,
    JobGoneError,
    MemoryUnavailableError,
    NewerVersionError,
    ObjectStoreError,
    PayloadGoneError,
    PublishError,
    SessionBusyError,
    SettingsError,
    StorageFullError,
    StoreError,
    StoreFullError,
    StoreRefusedError,
    TooLargeError,
    TooLargeForStoreError,
    UnknownJobError,
    UnreadablePayloadError,
)
from baton_events.values.text import storable_json

_log = logging.getLogger("baton.api")

_SHOWN_CHARS = 80
_LONGEST_CHARS = 1_000


class Code(Enum):
    """Every problem: its status and its title. An error without a code gets the first one of its status."""

    BAD_REQUEST = 400, "bad request"
    UNAUTHORIZED = 401, "unauthorized"
    ACCESS_DENIED = 403, "forbidden"
    NOT_FOUND = 404, "not found"
    TASK_NOT_FOUND = 404, "task not found"
    SESSION_NOT_FOUND = 404, "session not found"
    OPERATION_NOT_FOUND = 404, "operation not found"
    METHOD_NOT_ALLOWED = 405, "method not allowed"
    CONFLICT = 409, "conflict"
    SESSION_BUSY = 409, "session busy"
    UNREADABLE = 409, "unreadable"
    TASK_EXPIRED = 410, "gone"
    TOO_LARGE = 413, "too large"
    ADDRESS_TOO_LONG = 414, "address too long"
    UNSUPPORTED_FILE = 415, "unsupported media type"
    CODED_BODY = 415, "unsupported content coding"
    RANGE_OUTSIDE = 416, "range outside"
    INVALID = 422, "unprocessable"
    UPGRADE_REQUIRED = 426, "upgrade required"
    TOO_MANY_REQUESTS = 429, "too many requests"
    STORAGE_FULL = 429, "storage full"
    HEADERS_TOO_LARGE = 431, "headers too large"
    INTERNAL_ERROR = 500, "error"
    UNAVAILABLE = 503, "unavailable"

    def __init__(self, status: int, title: str) -> None:
        self.status, self.title = status, title


_OF_STATUS = {code.status: code for code in reversed(Code)}


class ApiError(BatonError):
    """An answer other than success. `faults`: (field, message) of a faulty body or query."""

    def __init__(
        self,
        status: int,
        detail: str,
        faults: Sequence[tuple[str, str]] = (),
        headers: Mapping[str, str] | None = None,
        code: Code | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code or _OF_STATUS.get(status, Code.INTERNAL_ERROR)
        self.faults = tuple(faults)
        self.headers = dict(headers or {})


class NotUtf8Error(ApiError):
    """A body that is no JSON, by its encoding."""


def problem(error: ApiError) -> Response:
    body: dict[str, Any] = {
        "type": "about:blank",
        "title": error.code.title,
        "status": error.status,
        "code": error.code.name,
        "detail": _cut(str(error)),
    }
    if error.faults:
        body["errors"] = [{"field": _cut(field), "message": _cut(message)} for field, message in error.faults[:FAULTS]]
    return JSONResponse(body, error.status, error.headers, media_type="application/problem+json")


def _cut(text: str) -> str:
    """Shorten a text: errors name values, which may be as long as a client likes."""
    return text if len(text) <= _LONGEST_CHARS else f"{text[:_LONGEST_CHARS]}…"


def invalid(error: ValidationError, what: str) -> ApiError:
    """Make a 422 that lists the faults of a body or query, as many as an answer shows."""
    count = error.error_count()
    if count > COUNTED_FAULTS:  # to list some, pydantic lists all
        return invalid_by([(what, f"it has {count:,} faults, too many to list")], what)
    found = error.errors(include_url=False, include_context=False)[:FAULTS]
    faults = [(".".join(str(part) for part in fault["loc"]) or what, _message(fault)) for fault in found]
    return invalid_by(faults, what)


def invalid_by(faults: Sequence[tuple[str, str]], what: str = "body") -> ApiError:
    listed = "; ".join(f"{field}: {message}" for field, message in faults)
    return ApiError(422, f"the {what} is not valid: {listed}", faults)


def is_no_json(error: ValidationError) -> bool:
    return error.error_count() == 1 and error.errors(include_url=False)[0]["type"] == "json_invalid"


def _message(fault: ErrorDetails) -> str:
    """Return the fault's message, with the offending value where it is short and was given."""
    given, text = fault["input"], fault["msg"].removeprefix("Value error, ")
    shown = (
        isinstance(given, str | int | float | bool)
        and fault["type"] != "missing"
        and len(repr(given)) <= _SHOWN_CHARS
        and repr(given) not in text
    )
    return f"{text}, got {given!r}" if shown else text


async def on_error(request: Request, error: Exception) -> Response:
    """Build the response of any error that an endpoint raised."""
    if isinstance(error, HTTPException):
        detail = f"{request.method} {request.url.path}: {error.detail.lower()} here; /openapi.json lists the routes"
        return problem(ApiError(error.status_code, detail, headers=error.headers))
    return problem(api_error(error))


def api_error(error: Exception) -> ApiError:  # noqa: PLR0911 - one for each kind
    """Return what any error of an endpoint is to its caller."""
    match error:
        case ApiError():
            return error
        case SessionBusyError() | UnreadablePayloadError():
            return _conflict(error)
        case CodedBodyError():
            taken = {"Accept-Encoding": "identity"}
            return ApiError(error.status, str(error), headers=taken, code=Code.CODED_BODY)
        case JobGoneError() | PayloadGoneError() | HungUpError() | TooLargeError():
            return ApiError(error.status, str(error))
        case TooLargeForStoreError():
            _log.warning("the store: %s", error)
            return ApiError(error.status, "this is larger than the store takes: send less")
        case StorageFullError():
            wait = {"Retry-After": str(error.wait_seconds)}
            return ApiError(error.status, str(error), headers=wait, code=Code.STORAGE_FULL)
        case PublishError():
            _log.warning("the queue: %s", error)
            return ApiError(503, "the queue does not take messages; try again", headers={"Retry-After": "5"})
        case UnknownJobError() | NewerVersionError():
            return ApiError(503, f"{error}; try again", headers={"Retry-After": "5"})
        case StoreError() | SettingsError() | MemoryUnavailableError():
            what = "vector index" if isinstance(error, MemoryUnavailableError) else "store"
            what = "object store" if isinstance(error, ObjectStoreError) else what
            _log.warning("the %s: %s", what, error)
            detail = error.detail if isinstance(error, StoreError) else StoreError.detail
            seconds = "60" if isinstance(error, StoreFullError | StoreRefusedError) else "5"
            return ApiError(503, f"the {what} {detail}", headers={"Retry-After": seconds})
        case _:
            _log.error("an endpoint failed", exc_info=error)
            return ApiError(500, "internal error")


def _conflict(error: BatonError) -> ApiError:
    if isinstance(error, UnreadablePayloadError):
        _log.warning("an answer needs a text: %s", error)
        return ApiError(409, f"{error}; add it again, or delete what it has sealed", code=Code.UNREADABLE)
    return ApiError(409, str(error), code=Code.SESSION_BUSY)


__all__ = ["AnyJson", "JsonObject", "limited_body", "parsed"]

_Body = TypeVar("_Body", bound=BaseModel)


# In the scope of an admitted request: the line of the table that it came by.
ROUTE = "baton.route"


def check_body(request: Request, route: ApiRoute) -> None:
    """Refuse a body by its headers, and let `limited_body` read it up to the route's limit.

    Raises ApiError: 413, it says that it is larger. CodedBodyError: it has a content coding.
    """
    request.scope[ROUTE] = route
    try:
        check_announced(request.headers.raw, route.body_limit_bytes)
    except TooLargeError as error:
        raise _too_large(error, route) from error


async def limited_body(request: Request) -> bytes:
    """Read the body, up to the limit of its route; the texts in its JSON are storable.

    Raises ApiError: 413, it is larger. NotUtf8Error. HungUpError.
    """
    route: ApiRoute = request.scope[ROUTE]
    try:
        body = await read_body(request.scope, request.receive, route.body_limit_bytes)
    except TooLargeError as error:
        raise _too_large(error, route) from error
    try:
        return storable_json(utf8_json(body))
    except UnicodeError as error:
        named = request.headers.get("content-type", "").lower().partition("charset=")[2].strip(' "')[:_SHOWN_CHARS]
        written = f", and its charset is {named!r}" if named and named not in ("utf-8", "utf8") else ""
        raise NotUtf8Error(400, f"the body is not JSON in UTF-8: {error.args[-1]}{written}; send UTF-8") from error


def _too_large(error: TooLargeError, route: ApiRoute) -> ApiError:
    setting = f"; {route.limit_setting} is {route.body_limit_bytes}" if route.limit_setting else ""
    return ApiError(413, f"{error}{setting}")


def parsed_query(kind: type[_Body], given: Mapping[str, Any], what: str = "query") -> _Body:
    """Parse a query, or the fields of a form. Raises ApiError: 422, with every fault."""
    try:
        return kind.model_validate(dict(given))
    except ValidationError as error:
        raise invalid(error, what) from error


def parsed(kind: type[_Body], body: bytes) -> _Body:
    """Parse the body.

    Raises ApiError: 400 not JSON, 422 with its faults otherwise. TooLargeError: it has too many values.
    """
    check_values(body)
    try:
        return kind.model_validate_json(body)
    except ValidationError as error:
        if is_no_json(error):
            why = error.errors()[0]["msg"].removeprefix("Invalid JSON: ")
            raise ApiError(400, f"the body is not JSON: {why}") from error
        raise invalid(error, "body") from error

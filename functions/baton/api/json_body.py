"""The JSON body of a request: read up to a limit, and checked; what is wrong with it is said as CONTRACT says it."""

from typing import TypeVar

from pydantic import BaseModel, ValidationError
from starlette.requests import Request

from baton.any_json import AnyJson, JsonObject
from baton.api.problem import ApiError, invalid
from baton.runtime.edge import read_body
from baton_events.errors import TooLargeError

__all__ = ["AnyJson", "JsonObject", "limited_body", "parsed"]

_Body = TypeVar("_Body", bound=BaseModel)


async def limited_body(request: Request, limit_bytes: int, setting: str = "") -> bytes:
    """The body; `setting` names the setting that its limit is.

    Raises:
        ApiError: 413, it is larger.
    """
    try:
        return await read_body(request.receive, limit_bytes)
    except TooLargeError as error:
        raise ApiError(413, f"{error}; {setting} is {limit_bytes}" if setting else str(error)) from error


def parsed(kind: type[_Body], body: bytes, *, explains: bool = False) -> _Body:
    """The body as what it should be; `explains`: the answer says why it is not JSON.

    Raises:
        ApiError: 400 not JSON, 422 with every fault otherwise.
    """
    try:
        return kind.model_validate_json(body)
    except ValidationError as error:
        if any(fault["type"] == "json_invalid" for fault in error.errors()):
            why = f": {error.errors()[0]['msg'].removeprefix('Invalid JSON: ')}" if explains else ""
            raise ApiError(400, f"the body is not JSON{why}") from error
        raise invalid(error, "body") from error

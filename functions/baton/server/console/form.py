"""A form of the console: fields as text, up to a limit, and a field that holds a JSON object."""

import json
from typing import Any
from urllib.parse import parse_qs

from starlette.requests import Request

from baton.server.api.problem import ApiError
from baton.settings.limits import FORM_BYTES
from baton.store.transport.bodies import read_body
from baton_events.errors import CodedBodyError, HungUpError, TooLargeError

_MOST_DIGITS = 9  # more are no number of anything here, and Python refuses thousands of them
_FIELDS = 1_200  # a page of messages, each with a box to tick

Form = dict[str, list[str]]


async def read_form(request: Request) -> Form:
    """Read the fields, each with all its values, empty ones included.

    Raises ApiError: 413 too large, 415 with a content coding, 400 no form, or not the whole of one.
    """
    try:
        body = await read_body(request.scope, request.receive, FORM_BYTES)
        return parse_qs(body.decode(), keep_blank_values=True, max_num_fields=_FIELDS, errors="strict")
    except (TooLargeError, CodedBodyError, HungUpError) as error:
        raise ApiError(error.status, str(error)) from error
    except ValueError as error:
        raise ApiError(
            400, "this is not a form of the console: go back, load the page again, and send it anew"
        ) from error


def field(form: Form, name: str) -> str:
    """Return a field's first value without white space around it; empty where it is missing."""
    return form.get(name, [""])[0].replace("\r\n", "\n").strip()


def whole_number(text: str) -> Any:
    """Return the number that a field or an address has, of up to nine digits; any other text as it is."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= _MOST_DIGITS else text


def number_in(text: str) -> Any:
    """Parse a field with a number or a bool; return any other text as it is."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return text
    return value if isinstance(value, bool | int | float) else text


def read_object(text: str, name: str) -> dict[str, Any]:
    """Parse a JSON object; an empty text is an empty object. Raises ApiError: 422, with the place of the fault."""
    if not text:
        return {}
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ApiError(422, f"{name}: not JSON: {error}", [(name, f"not JSON: {error}")]) from error
    if not isinstance(found, dict):
        detail = f"must be a JSON object such as {{}}, got {type(found).__name__}"
        raise ApiError(422, f"{name}: {detail}", [(name, detail)])
    return found

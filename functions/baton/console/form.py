"""What a form of the console sends: fields as text, up to a limit."""

from urllib.parse import parse_qs

from starlette.requests import Request

from baton.api.problem import ApiError
from baton.runtime.edge import read_body
from baton_events.errors import HungUpError, TooLargeError

BODY_LIMIT_BYTES = 1_000_000
_FIELDS = 1_200  # a page of messages, each with a box to tick

Form = dict[str, list[str]]


async def read_form(request: Request) -> Form:
    """The fields, each with all its values; a field that is empty is there.

    Raises:
        ApiError: 413 too large, 400 no form, or not the whole of one.
    """
    try:
        body = await read_body(request.receive, BODY_LIMIT_BYTES)
        return parse_qs(body.decode(), keep_blank_values=True, max_num_fields=_FIELDS, errors="strict")
    except (TooLargeError, HungUpError) as error:
        raise ApiError(error.status, str(error)) from error
    except ValueError as error:
        raise ApiError(
            400, "this is not a form of the console: go back, load the page again, and send it anew"
        ) from error


def field(form: Form, name: str) -> str:
    """A field's first value without white space around it; empty where it is missing."""
    return form.get(name, [""])[0].replace("\r\n", "\n").strip()

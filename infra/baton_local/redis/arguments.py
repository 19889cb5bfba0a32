"""The arguments of commands out of JSON bodies and URL paths.

Invariant: what the caller wrote arrives verbatim. Numbers keep their text (1.10 stays 1.10), a `%2F` stays inside its
argument, bodies stay bytes (redis-rest.md 1). Nothing here knows which commands exist.
"""

import json
from collections.abc import Callable
from typing import Any, TypeAlias
from urllib.parse import unquote_to_bytes

_SURROGATES = "utf-16-le"

Parameters: TypeAlias = list[tuple[bytes, bytes | None]]  # of a query, in order; without `=` a name has None


class MalformedRequestError(Exception):
    """The request does not hold a command in the expected form; the text tells the caller how it should be."""


def _no_constant(name: str) -> str:
    raise MalformedRequestError(f"{name} is not JSON")


_decode: Callable[[str], Any] = json.JSONDecoder(parse_int=str, parse_float=str, parse_constant=_no_constant).decode


def parse_json(body: bytes) -> Any:
    """Return a request body, numbers as text. Raises MalformedRequestError: the body is not JSON in UTF-8."""
    try:
        return _decode(body.decode())
    except (ValueError, RecursionError) as error:
        raise MalformedRequestError(f"failed to parse the request body as JSON: {error}"[:200]) from None


def command_from_json(value: Any) -> list[bytes]:
    """Return one command from its JSON array.

    Raises MalformedRequestError: it is not a non-empty array of a name and of strings, numbers and booleans.
    """
    if type(value) is not list or not value:
        raise MalformedRequestError('a command must be a non-empty JSON array such as ["SET","key","value"]')
    if type(value[0]) is not str or not value[0]:
        raise MalformedRequestError("the first element of a command must be its name, as a string")
    try:
        return [item.encode() for item in value]
    except (AttributeError, UnicodeEncodeError):
        return [_argument(item) for item in value]


def commands_from_json(value: Any) -> list[list[bytes]]:
    """Several commands, for a pipeline or a transaction.

    Raises MalformedRequestError: it is not a non-empty array of commands.
    """
    if type(value) is not list or not value:
        raise MalformedRequestError('the body must be a non-empty JSON array of commands such as [["GET","key"]]')
    return [command_from_json(item) for item in value]


def _argument(item: Any) -> bytes:
    if type(item) is str:
        return _encoded(item)
    if item is True:
        return b"true"
    if item is False:
        return b"false"
    shown = "null" if item is None else type(item).__name__.replace("dict", "object").replace("list", "array")
    raise MalformedRequestError(f"an argument must be a string, a number or a boolean, not {shown}")


def _encoded(text: str) -> bytes:
    """Encode as UTF-8; lone surrogates, which JSON can express and UTF-8 cannot, become U+FFFD."""
    try:
        return text.encode()
    except UnicodeEncodeError:
        return text.encode(_SURROGATES, "surrogatepass").decode(_SURROGATES, "replace").encode()


def split_target(target: bytes) -> tuple[bytes, Parameters]:
    """Return the raw path without its leading slashes, and the query decoded; `+` means a space, as in forms."""
    path, mark, query = target.partition(b"?")
    if not path.startswith(b"/"):  # absolute form, as sent to a proxy
        path = b"/" + path.partition(b"://")[2].partition(b"/")[2]
    parameters: Parameters = []
    for field in query.split(b"&") if mark else ():
        name, equals, value = field.partition(b"=")
        if field:
            parameters.append((_unquoted(name), _unquoted(value) if equals else None))
    return path.lstrip(b"/"), parameters


def command_from_path(path: bytes, parameters: Parameters, body: bytes) -> list[bytes]:
    """Return a path-style command: segments, then the body, then the query (redis-rest.md 1)."""
    arguments = [unquote_to_bytes(segment) for segment in path.split(b"/")]
    if body:
        arguments.append(body)
    for name, value in parameters:
        if name != b"_token":
            arguments.append(name)
            if value is not None:
                arguments.append(value)
    return arguments


def _unquoted(text: bytes) -> bytes:
    return unquote_to_bytes(text.replace(b"+", b" "))

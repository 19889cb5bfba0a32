"""What a request's body and path say, and replies as the client gets them: JSON, with base64 strings, or raw RESP2.

Invariants: what the caller wrote arrives verbatim. Numbers keep their text (1.10 stays 1.10), a `%2F` stays inside its
argument, bodies stay bytes (redis-rest.md 1). Exactly one of `result` and `error` per reply; errors are never encoded
(3 to 5 there). A form that the service does not have is refused before anything runs. Nothing here knows which commands
exist.
"""

import json
from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from json.encoder import encode_basestring
from typing import Any, TypeAlias
from urllib.parse import unquote_to_bytes

from baton_local.redis.resp import Reply, ServerError, encode_reply

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


def text_json(text: bytes) -> bytes:
    """Return a JSON string; what is not UTF-8 becomes U+FFFD."""
    return encode_basestring(text.decode("utf-8", "replace")).encode()


def error_body(text: str) -> bytes:
    """Return the body of a failure that the bridge itself reports."""
    return b'{"error":' + text_json(text.encode()) + b"}"


def member(reply: Reply, *, base64: bool) -> bytes:
    """Return `{"result": …}` or `{"error": …}` for one reply."""
    if isinstance(reply, bytes):
        if not base64:
            return b'{"result":' + text_json(reply) + b"}"
        # Bare `OK` only where it is the whole result: JavaScript decodes all strings inside arrays (redis-rest.md 4).
        return b'{"result":"' + (reply if reply == b"OK" else b64encode(reply)) + b'"}'
    if isinstance(reply, ServerError):
        return b'{"error":' + text_json(reply.text) + b"}"
    return b'{"result":' + _value(reply, base64=base64) + b"}"


def _value(reply: Reply, *, base64: bool) -> bytes:
    if isinstance(reply, bytes):
        return b'"' + b64encode(reply) + b'"' if base64 else text_json(reply)
    if reply is None:
        return b"null"
    if isinstance(reply, int):
        return b"%d" % reply
    if isinstance(reply, ServerError):
        return b'{"error":' + text_json(reply.text) + b"}"
    return b"[" + b",".join([_value(item, base64=base64) for item in reply]) + b"]"


@dataclass(frozen=True, slots=True)
class Wire:
    """How replies are written."""

    base64: bool = False
    resp2: bool = False

    @property
    def content_type(self) -> bytes:
        """The header that goes with the bodies below."""
        return b"application/octet-stream" if self.resp2 else b"application/json"

    def single(self, reply: Reply) -> bytes:
        return encode_reply(reply) if self.resp2 else member(reply, base64=self.base64)

    def batch(self, replies: list[Reply]) -> bytes:
        """Return the body for a pipeline or a transaction."""
        if self.resp2:
            return b"".join(map(encode_reply, replies))
        return b"[" + b",".join([member(reply, base64=self.base64) for reply in replies]) + b"]"


JSON = Wire()
JSON_BASE64 = Wire(base64=True)
RESP2 = Wire(resp2=True)


def wire_of(headers: Mapping[bytes, bytes]) -> Wire:
    """Return the form that the request's headers ask for (redis-rest.md 4 and 5).

    Raises MalformedRequestError: an unknown format, or base64 together with resp2.
    """
    encoding = headers.get(b"upstash-encoding")
    base64 = encoding is not None and (encoding == b"base64" or encoding.lower() == b"base64")
    response_format = headers.get(b"upstash-response-format")
    if response_format is None or response_format.lower() == b"json":
        return JSON_BASE64 if base64 else JSON
    if response_format.lower() != b"resp2":
        shown = response_format[:64].decode("ascii", "replace")
        raise MalformedRequestError(f"unknown Upstash-Response-Format {shown!r}; use json or resp2")
    if base64:
        raise MalformedRequestError("Upstash-Encoding: base64 cannot be combined with Upstash-Response-Format: resp2")
    return RESP2


def event(reply: Reply) -> bytes:
    r"""Return one server-sent event (redis-rest.md 8), which no payload can break.

    Line ends inside it become `\n` and `\r` in two characters, as JSON writes them.
    """
    items = reply if isinstance(reply, list) else [reply]
    payload = b",".join([item if isinstance(item, bytes) else str(item).encode() for item in items])
    if payload == b"OK":
        payload = b'"OK"'  # the monitor's first line, in quotes
    text = payload.decode("utf-8", "replace").encode()
    return b"data: " + text.replace(b"\r", b"\\r").replace(b"\n", b"\\n") + b"\n\n"

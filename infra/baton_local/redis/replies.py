"""The server's replies as the client gets them: JSON, JSON with base64 strings, or raw RESP2.

Invariants: exactly one of `result` and `error` per reply; errors are never encoded (redis-rest.md 3 to 5). A form that
the service does not have is refused before anything runs.
"""

from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from json.encoder import encode_basestring

from baton_local.redis.arguments import MalformedRequestError
from baton_local.redis.resp import Reply, ServerError, encode_reply


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

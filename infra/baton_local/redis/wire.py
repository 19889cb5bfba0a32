"""The form in which a caller wants its replies: JSON, JSON with base64 strings, or raw RESP2.

Invariant: a caller that asks for something the service does not have is told so before anything runs.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from baton_local.redis.arguments import MalformedRequestError
from baton_local.redis.reply import member
from baton_local.redis.resp import Reply, encode_reply


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
        """The body for one command."""
        return encode_reply(reply) if self.resp2 else member(reply, base64=self.base64)

    def batch(self, replies: list[Reply]) -> bytes:
        """The body for a pipeline or a transaction."""
        if self.resp2:
            return b"".join(map(encode_reply, replies))
        return b"[" + b",".join([member(reply, base64=self.base64) for reply in replies]) + b"]"


JSON = Wire()
JSON_BASE64 = Wire(base64=True)
RESP2 = Wire(resp2=True)


def wire_of(headers: Mapping[bytes, bytes]) -> Wire:
    """The form that the request's headers ask for (redis-rest.md 4 and 5).

    Raises:
        MalformedRequestError: an unknown format, or base64 together with resp2.
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

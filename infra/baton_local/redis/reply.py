"""Replies of the server as the REST API's bodies: JSON, JSON with base64, or raw RESP2.

Invariant: exactly one of `result` and `error` per reply; errors are never encoded (redis-rest.md 3 to 5).
Pure. Written by hand rather than through `json.dumps`, since bytes are the common case.
"""

from base64 import b64encode
from json.encoder import encode_basestring

from baton_local.redis.resp import Reply, ServerError


def text_json(text: bytes) -> bytes:
    """A JSON string; what is not UTF-8 becomes U+FFFD."""
    return encode_basestring(text.decode("utf-8", "replace")).encode()


def error_body(text: str) -> bytes:
    """The body of a failure that the bridge itself reports."""
    return b'{"error":' + text_json(text.encode()) + b"}"


def member(reply: Reply, *, base64: bool) -> bytes:
    """`{"result": …}` or `{"error": …}` for one reply."""
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

"""Bodies of requests: read once, counted while they come, and taken only as they are.

Invariant: no more than the limit is held, nobody is waited for without end, and no body with a content coding is taken
for what it is not. Every route that reads a body reads it here. Must not: know what a body is about.
"""

import asyncio
import codecs
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any

from baton.settings.limits import BODY_BYTES_A_SECOND, BODY_SECONDS, ESCAPES, VALUES
from baton_events.errors import CodedBodyError, HungUpError, TooLargeError

Headers = Iterable[tuple[bytes, bytes]]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]  # of ASGI
Scope = MutableMapping[str, Any]
_LENGTH_DIGITS, _SHOWN_CHARS = 15, 80
STOPPING = "baton.stopping"  # in a scope: the stop of its process, with `begun`
_LOOK_SECONDS = 0.5


async def read_body(scope: Scope, receive: Receive, limit_bytes: int) -> bytes:
    """Read a request's body.

    Raises TooLargeError: it is larger than the limit, or says so; no more than that is read. CodedBodyError: it has a
    content coding. HungUpError: the sender has gone, or is too slow, or this process stops: nothing was done yet.
    """
    check_announced(scope["headers"], limit_bytes)
    chunks, size_bytes, more = list[bytes](), 0, True
    clock = asyncio.get_running_loop().time
    began = clock()
    while more:
        _check_patience(scope, clock() - began, size_bytes)
        try:
            async with asyncio.timeout(_LOOK_SECONDS):
                message = await receive()
        except TimeoutError:
            continue
        if message["type"] == "http.disconnect":
            raise HungUpError("the client hung up before the request's body was complete")
        chunk, more = message.get("body", b""), message.get("more_body", False)
        size_bytes += len(chunk)
        if size_bytes > limit_bytes:
            raise TooLargeError(f"the body is larger than {limit_bytes} bytes")
        chunks.append(chunk)
    return b"".join(chunks)


def _check_patience(scope: Scope, seconds: float, size_bytes: int) -> None:
    most_seconds = BODY_SECONDS + size_bytes / BODY_BYTES_A_SECOND
    if seconds > most_seconds:
        raise HungUpError(f"{size_bytes} bytes of the body came within {most_seconds:.0f} s: send it faster", 408)
    stopping = scope.get(STOPPING)
    if stopping is not None and stopping.begun and seconds > _LOOK_SECONDS:
        raise HungUpError("this process stops, and the body is not complete: send the request again", 503)


def check_announced(headers: Headers, limit_bytes: int) -> None:
    """Refuse by what the headers say of a body, before any of it is read.

    Raises TooLargeError, CodedBodyError: as of `read_body`.
    """
    codings = list[str]()
    for name, value in headers:
        if name == b"content-encoding":
            codings += [each.strip().lower() for each in value.decode("latin-1").split(",")]
        elif name == b"content-length" and value.isdigit() and _is_over(value, limit_bytes):
            raise TooLargeError(f"the body is larger than {limit_bytes} bytes")
    if named := [each for each in codings if each not in ("", "identity")]:
        raise CodedBodyError(", ".join(named)[:_SHOWN_CHARS])


def _is_over(length: bytes, limit_bytes: int) -> bool:
    digits = length.lstrip(b"0")
    return len(digits) > _LENGTH_DIGITS or int(digits or b"0") > limit_bytes


def utf8_json(body: bytes) -> bytes:
    """Return a body of JSON without the mark of UTF-8 before it, which JSON has not.

    Raises UnicodeError: it is in another encoding; no other is guessed, for a wrong guess is kept as garbled words.
    """
    body = body.removeprefix(codecs.BOM_UTF8)
    wide = "UTF-32" if b"\0\0" in body[:4] else "UTF-16"
    if body[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE) or 0 in body[:4]:  # no text of JSON has a zero byte
        raise UnicodeError(f"it is in {wide}")
    try:
        body.decode()
    except UnicodeDecodeError as error:
        raise UnicodeError(f"its byte {error.start} is none of UTF-8") from error
    return body


def check_values(body: bytes) -> None:
    """Refuse JSON of more values or escapes than a body may have, before it is parsed.

    A value takes up to 100 times the memory of its text, and an escape ten times the time of a letter. Raises
    TooLargeError: there are more.
    """
    if len(body) > ESCAPES and body.count(b"\\") > ESCAPES:
        raise TooLargeError(f"the body has more than {ESCAPES} escapes: send such data in Base64")
    if _openings(body) <= VALUES:  # also those in texts: nearly every body ends here
        return
    unescaped = body.replace(b"\\\\", b"").replace(b'\\"', b"")
    strings = unescaped.count(b'"') // 2
    if strings > 2 * VALUES or _openings(b"".join(unescaped.split(b'"')[::2])) > VALUES:
        raise TooLargeError(f"the body has more than {VALUES} values: send less, or send it as a file")


def _openings(text: bytes) -> int:
    return text.count(b",") + text.count(b"[") + text.count(b"{")

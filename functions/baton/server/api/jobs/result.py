"""The answer with one result of a tool call, as JSON or as the bytes of its JSON, whole or a range of them.

Invariant: a large result passes in pieces, and is never gathered here. Once the answer has begun, a result that cannot
be read further breaks it off. Must not: decide who may read it.
"""

import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response, StreamingResponse

from baton.server.api.problem import ApiError
from baton.store.records.jobs import Snapshot
from baton.store.records.objects import JSON
from baton.worker.container import Container
from baton_events.errors import PayloadGoneError
from baton_events.ids import canonical_json

_BYTES = "application/octet-stream"
_RANGE = re.compile(r"bytes=([0-9]{0,15})-([0-9]{0,15})")


async def with_results(container: Container, snapshot: Snapshot) -> Snapshot:
    """Return a job with its results as models get them: read where they are not too large for that."""
    if container.payloads is None:
        return snapshot
    return replace(snapshot, results=await container.payloads.for_people(snapshot.results))


async def answer_of(
    container: Container, request: Request, names: tuple[str, str], stored: Mapping[str, Any], *, raw: bool = False
) -> Response:
    """Return the answer to a request for a recorded result. `names`: of its job and its call; `raw`: its bytes."""
    raw = raw or "range" in request.headers or _BYTES in request.headers.get("accept", "")
    job_id, call_id = names
    if "apart" not in stored:
        if not raw:
            return JSONResponse({"jobId": job_id, "callId": call_id, "result": stored["ok"]})
        data = canonical_json(stored["ok"]).encode()
        start, end = _span(request, len(data))
        return _bytes(request, _only(data[start:end]), (start, end, len(data)))
    there, payloads = stored["ok"], container.payloads
    if payloads is None:
        raise ApiError(410, f"the result of tool call {call_id!r} is in an object store: set OBJECT_STORE_URL")
    start, end = _span(request, there["bytes"]) if raw else (0, there["bytes"])
    if raw and container.settings.lambda_runtime_api and "range" not in request.headers:
        # A function's answer is limited, and the store's is not.
        url = await payloads.objects.signed_url(there["ref"])
        if url is not None:
            return RedirectResponse(url, 307, {"cache-control": "no-store"})
    pieces = await _begun(payloads.chunks(there["ref"], start, end), call_id)
    if raw:
        return _bytes(request, pieces, (start, end, there["bytes"]))
    head = canonical_json({"callId": call_id, "jobId": job_id})[:-1].encode() + b',"result":'
    return StreamingResponse(_around(head, pieces), media_type=JSON)


async def _begun(pieces: AsyncIterator[bytes], call_id: str) -> AsyncIterator[bytes]:
    """Return the pieces with the first one read: until then, the answer can be an error."""
    try:
        first = await anext(pieces, b"")
    except PayloadGoneError as error:
        raise ApiError(410, f"the result of tool call {call_id!r} is gone: {error}") from error

    async def whole() -> AsyncIterator[bytes]:
        yield first
        async for piece in pieces:
            yield piece

    return whole()


async def _around(head: bytes, pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield head
    async for piece in pieces:
        yield piece
    yield b"}"


async def _only(data: bytes) -> AsyncIterator[bytes]:
    yield data


def _bytes(request: Request, pieces: AsyncIterator[bytes], span: tuple[int, int, int]) -> Response:
    start, end, size = span
    headers = {"accept-ranges": "bytes", "content-length": str(end - start)}
    is_part = "range" in request.headers
    if is_part:
        headers["content-range"] = f"bytes {start}-{end - 1}/{size}"
    return StreamingResponse(pieces, 206 if is_part else 200, headers, media_type=_BYTES)


def _span(request: Request, size: int) -> tuple[int, int]:
    """Return the requested span of a result's bytes.

    Raises ApiError: 416: there is no such span in it; 422: it asks for several.
    """
    given = request.headers.get("range", "")
    if not given:
        return 0, size
    found = _RANGE.fullmatch(given.replace(" ", ""))
    if found is None or not (found[1] or found[2]):
        raise ApiError(422, f"Range {given[:100]!r} is not one range of bytes, such as bytes=0-999")
    if not found[1]:
        start, end = max(0, size - int(found[2])), size
    else:
        start, end = int(found[1]), min(size, int(found[2]) + 1 if found[2] else size)
    if start >= end:
        raise ApiError(416, f"Range {given[:100]!r} is outside of the result's {size} bytes")
    return start, end

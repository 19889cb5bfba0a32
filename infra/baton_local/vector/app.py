"""The ASGI application: identifies the caller, routes, answers JSON; counters for cost tests, faults on demand.

Invariants: whatever comes in, an answer in JSON goes out, since the SDK reads any body: `{"result": …}`, or
`{"error": text, "status": number}` (vector-rest.md 1). The token is compared in constant time, before a body is
read. The server's own paths are neither counted nor struck by a fault. A dropped answer belongs to a request that was
carried out, as when a connection breaks after the server has acted; a refused one was not.

Null counts as absent, unknown fields are let pass, and a value of the wrong type is a 400 that names it. A batch is
checked, and embedded, whole before anything of it is stored (vector-rest.md 3). What belongs to sparse and hybrid
indexes, and the operations that no agent uses, are answered 501 by their names.
"""

import asyncio
import json
import logging
import sqlite3
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict
from hmac import compare_digest
from http import HTTPStatus
from itertools import islice
from typing import Annotated, Any, NamedTuple
from urllib.parse import unquote_to_bytes

import msgspec

from baton_local.stand_in.api_error import ApiError
from baton_local.stand_in.fault_plan import FaultPlan, Strike, read_plan
from baton_local.stand_in.http_server import Event, Receive, Send, lose_answer, read_body, send_json
from baton_local.vector.embeddings import EmbedderError, EmbeddingModel
from baton_local.vector.index import Index, Metadata, Record, parse_filter, unacceptable

MAX_METADATA_BYTES = 48 * 1_024
_MAX_FETCHED_BY_PREFIX = 1_000
_LARGEST_SINGLE = 3.4028235e38  # the hosted service keeps single precision (vector-rest.md 2)
_NO_MODEL = "Embedding data for this index is not allowed. The index must be created with an embedding model to use it."
# What belongs to sparse and hybrid indexes.
_OTHER_KINDS = ("sparseVector", "weightingStrategy", "fusionAlgorithm", "queryMode")

Id = Annotated[str, msgspec.Meta(min_length=1)] | int
Answer = tuple[Any, int]  # a result, and how many operations it counts for (vector-rest.md 9)


class _Body(msgspec.Struct, rename="camel", kw_only=True):
    """The fields of all bodies; each operation reads those that it knows."""

    id: Id | None = None
    vector: list[float] | None = None
    metadata: Metadata | None = None
    data: str | None = None
    top_k: Annotated[int, msgspec.Meta(ge=1)] | None = None
    filter: str | None = None
    ids: list[Id] | None = None
    prefix: str | None = None
    include_vectors: bool | None = None
    include_metadata: bool | None = None
    include_data: bool | None = None
    sparse_vector: Any = None
    weighting_strategy: Any = None
    fusion_algorithm: Any = None
    query_mode: Any = None


_one_or_several = msgspec.json.Decoder(_Body | list[_Body])
_one_or_ids = msgspec.json.Decoder(_Body | list[Id])


class Request(NamedTuple):
    """A request after routing; `everywhere`: `?all` of `/reset`."""

    of: Index
    model: EmbeddingModel | None
    operation: str
    namespace: str
    body: bytes
    everywhere: bool = False

    def decoded(self, decoder: msgspec.json.Decoder[Any]) -> Any:
        try:
            return decoder.decode(self.body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise _malformed(f"body: {error}") from None


async def _upsert(request: Request) -> Answer:
    bodies = _dense(request)
    if any(each.id is None for each in bodies):
        raise _malformed("id: is missing")
    pairs = zip(bodies, await _vectors(request, bodies), strict=True)
    records = [Record(str(each.id), vector, _checked(each.metadata), each.data) for each, vector in pairs]
    request.of.upsert(request.namespace, records)
    return "Success", len(records)


async def _query(request: Request) -> Answer:
    bodies = _dense(request)
    filters, vectors, results = [parse_filter(each.filter) for each in bodies], await _vectors(request, bodies), []
    for body, vector, wanted in zip(bodies, vectors, filters, strict=True):
        hits = request.of.search(request.namespace, vector, wanted)[: body.top_k or 10]
        results.append([{"id": record.id, "score": score, **_shown(record, body)} for score, record in hits])
    return results[0] if len(results) == 1 else results, len(results)


async def _fetch(request: Request) -> Answer:
    body = request.decoded(_one_or_ids)
    if isinstance(body, list):
        raise _malformed("body: Expected `object`, got `array`")
    ids = list(islice(_selected(request, body, "ids", "prefix"), _MAX_FETCHED_BY_PREFIX if body.prefix else None))
    found = request.of.fetch(request.namespace, ids)
    return [each and {"id": each.id, **_shown(each, body)} for each in found], 1


async def _delete(request: Request) -> Answer:
    given = request.decoded(_one_or_ids)
    body = _Body(ids=given) if isinstance(given, list) else given
    deleted = request.of.delete(request.namespace, _selected(request, body, "ids", "prefix", "filter"))
    return {"deleted": deleted}, max(1, deleted)


async def _other(request: Request) -> Answer:
    index = request.of
    match request.operation:
        case "info":
            return index.info(), 0
        case "list-namespaces":
            return index.namespaces(), 0
        case "reset":
            index.reset(index.namespaces() if request.everywhere else [request.namespace])
        case _:
            index.delete_namespace(request.namespace)
    return "Success", 0


OPERATIONS: Mapping[str, Callable[[Request], Awaitable[Answer]]] = {
    **dict.fromkeys(("upsert", "upsert-data"), _upsert),
    **dict.fromkeys(("query", "query-data"), _query),
    "fetch": _fetch,
    "delete": _delete,
    **dict.fromkeys(("reset", "delete-namespace", "info", "list-namespaces"), _other),
}
LEFT_OUT = (
    *("update", "range", "random", "rename-namespace"),
    *("resumable-query", "resumable-query-data", "resumable-query-next", "resumable-query-end"),
)


def not_emulated(what: str) -> ApiError:
    """Make the error for what only the hosted service has (501)."""
    return ApiError(HTTPStatus.NOT_IMPLEMENTED, f"{what} is not emulated locally; the hosted service has it")


def _malformed(message: str) -> ApiError:
    return ApiError(HTTPStatus.BAD_REQUEST, message)


def _dense(request: Request) -> list[_Body]:
    given = request.decoded(_one_or_several)
    bodies: list[_Body] = given if isinstance(given, list) else [given]
    for each in bodies:
        for name, value in zip(_OTHER_KINDS, msgspec.structs.astuple(each)[-len(_OTHER_KINDS) :], strict=True):
            if value is not None:
                raise not_emulated(f"{name}, of sparse and hybrid indexes,")
    return bodies


async def _vectors(request: Request, bodies: Sequence[_Body]) -> list[Sequence[float]]:
    """Return the vectors of bodies, or of their texts where the operation takes those."""
    if not request.operation.endswith("-data"):
        return [_vector(each.vector or (), request.of.dimension) for each in bodies]
    if request.model is None:
        raise unacceptable(_NO_MODEL)
    texts = [each.data for each in bodies if each.data is not None]
    if len(texts) < len(bodies):
        raise _malformed("data: is missing")
    return await request.model.vectors_of(texts)


def _vector(numbers: Sequence[float], dimension: int) -> Sequence[float]:
    if len(numbers) != dimension:
        raise unacceptable(f"Invalid vector dimension: {len(numbers)}, expected: {dimension}")
    if (largest := max(map(abs, numbers))) > _LARGEST_SINGLE:
        raise unacceptable(f"vector: {largest} is beyond what single precision can hold")
    return numbers


def _checked(metadata: Metadata | None) -> Metadata | None:
    size_bytes = len(json.dumps(metadata, ensure_ascii=False).encode())
    if size_bytes > MAX_METADATA_BYTES:
        raise unacceptable(f"metadata: {size_bytes} bytes are over the limit of {MAX_METADATA_BYTES}")
    return metadata


def _selected(request: Request, body: _Body, *ways: str) -> list[str]:
    """Return the ids that are selected in exactly one way; an empty text is none, it would select everything."""
    given = [way for way in ways if getattr(body, way) not in (None, "")]
    if len(given) != 1:
        raise _malformed(f"body: must have one of {', '.join(ways)}, not {' and '.join(given) or 'none of them'}")
    if body.ids is not None:
        return [str(each) for each in body.ids]
    matches = parse_filter(body.filter) if given == ["filter"] else None
    if given == ["filter"] and matches is None:
        raise _malformed("filter: is blank, which would select everything; use /reset to delete that")
    found = request.of.records(request.namespace)
    return [each.id for each in found if (matches(each.metadata) if matches else each.id.startswith(body.prefix or ""))]


def _shown(record: Record, body: _Body) -> dict[str, Any]:
    """Return the parts that are asked for; what is absent is left out, not null (vector-rest.md 3)."""
    parts = {
        "vector": list(record.vector) if body.include_vectors else None,
        "metadata": record.metadata if body.include_metadata else None,
        "data": record.data if body.include_data else None,
    }
    return {name: value for name, value in parts.items() if value is not None}


_OWN_PATHS = {"/readyz", "/admin/counters", "/admin/faults"}
_MAX_REQUEST_BYTES = 100 * 1_024 * 1_024
_log = logging.getLogger(__name__)


class Api:
    """The HTTP surface over an index; `proof`: what `/readyz` shows, so that its starter knows it among others."""

    def __init__(
        self, index: Index, model: EmbeddingModel | None, token: str, *, faults: bool = False, proof: str | None = None
    ) -> None:
        self._index, self._model, self._token, self._faults = index, model, token.encode(), faults
        self._ready = {"status": "ready"} | ({"proof": proof} if proof else {})
        self._plan, self._requests, self._operations = FaultPlan(), 0, Counter[str]()

    async def __call__(self, scope: Event, receive: Receive, send: Send) -> None:
        operation = scope["raw_path"].lstrip(b"/").partition(b"/")[0].decode("latin-1")
        strike = self._plan.next_strike((operation,)) if operation in OPERATIONS else None
        delay_seconds = self._plan.delay_seconds
        if strike is Strike.REFUSE:
            text = "refused by the fault plan (POST /admin/faults); the request was not executed"
            status, answer = _failed(HTTPStatus.SERVICE_UNAVAILABLE, text)
        else:
            status, answer = await self._answered(scope, receive, operation)
        if strike is Strike.DROP:
            await lose_answer(send)
            return
        if strike is Strike.DELAY:
            await asyncio.sleep(delay_seconds)
        await send_json(send, status, answer)

    async def _answered(self, scope: Event, receive: Receive, operation: str) -> tuple[int, dict[str, Any]]:
        try:
            return HTTPStatus.OK, await self._answer(scope, receive, operation)
        except ApiError as error:
            return _failed(error.status, error.message)
        except EmbedderError as error:
            return _failed(HTTPStatus.INTERNAL_SERVER_ERROR, str(error))
        except sqlite3.Error as error:
            text = f"cannot write to the data folder ({error}); nothing was stored"
            return _failed(HTTPStatus.SERVICE_UNAVAILABLE, text)
        except Exception:  # noqa: BLE001 - a fault of ours is one bad answer, never a dead server
            _log.exception("%s %s failed", scope["method"], scope["path"])
            return _failed(HTTPStatus.INTERNAL_SERVER_ERROR, "internal error; see the server's log")

    async def _answer(self, scope: Event, receive: Receive, operation: str) -> dict[str, Any]:
        path = scope["raw_path"].decode("latin-1")
        if path == "/readyz":
            return self._ready
        scheme, _, given = dict(scope["headers"]).get(b"authorization", b"").partition(b" ")
        if scheme.lower() != b"bearer" or not compare_digest(given.strip(), self._token):
            raise ApiError(HTTPStatus.UNAUTHORIZED, "Unauthorized: Invalid auth token")
        body = await read_body(scope, receive, _MAX_REQUEST_BYTES)
        if path in _OWN_PATHS:
            return self._own(scope["method"], path, body)
        self._requests += 1
        if operation in LEFT_OUT:
            raise not_emulated(f"/{operation}")
        if operation not in OPERATIONS:
            there = ", ".join(f"/{known}" for known in OPERATIONS)
            raise ApiError(HTTPStatus.NOT_FOUND, f"{path[:200]} does not exist; there are {there}")
        everywhere = scope["query_string"].partition(b"=")[0] == b"all"
        request = Request(self._index, self._model, operation, _namespace_of(scope["raw_path"]), body, everywhere)
        result, count = await OPERATIONS[operation](request)
        self._operations[operation] += count
        return {"result": result}

    def _own(self, method: str, path: str, body: bytes) -> dict[str, Any]:
        if path == "/admin/counters":
            by_name = {name: count for name, count in sorted(self._operations.items()) if count}
            operations = self._operations.total()
            return {"http_requests": self._requests, "operations": operations, "operations_by_name": by_name}
        if not self._faults:
            raise ApiError(HTTPStatus.NOT_FOUND, "faults are off; start the server with --faults")
        if method == "POST":
            try:
                self._plan = read_plan(body)
            except ValueError as error:
                raise ApiError(HTTPStatus.BAD_REQUEST, str(error)) from None
        return asdict(self._plan)


def _failed(status: int, message: str) -> tuple[int, dict[str, Any]]:
    return status, {"error": message, "status": int(status)}


def _namespace_of(raw_path: bytes) -> str:
    quoted = raw_path.lstrip(b"/").partition(b"/")[2]
    try:
        return unquote_to_bytes(quoted).decode()
    except UnicodeDecodeError:
        text = f"namespace: {quoted[:200]!r} is not percent-encoded UTF-8"
        raise ApiError(HTTPStatus.BAD_REQUEST, text) from None

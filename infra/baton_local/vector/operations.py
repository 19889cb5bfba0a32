"""What the index answers to each operation, out of a JSON body.

Invariants: null counts as absent, unknown fields are let pass, and a value of the wrong type is a 400 that names it. A
batch is checked, and embedded, whole before anything of it is stored (vector-rest.md 3). What belongs to sparse and
hybrid indexes, and the operations that no agent uses, are answered 501 by their names.
"""

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from http import HTTPStatus
from itertools import islice
from typing import Annotated, Any, NamedTuple

import msgspec

from baton_local.stand_in.api_error import ApiError
from baton_local.vector.embeddings import EmbeddingModel
from baton_local.vector.filters import parse_filter
from baton_local.vector.index import Index, Metadata, Record, unacceptable

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
        """Return the body in its form."""
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
    """Answer a list of hits, or a list of lists for more than one query."""
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
    """Return one body, or a list of them."""
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

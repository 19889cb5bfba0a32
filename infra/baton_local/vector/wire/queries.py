"""Searches: one, several, and those that go on."""

from collections.abc import Awaitable, Callable
from typing import Any

from baton_local.vector.core.querying import Query, hits_as_json
from baton_local.vector.core.record import Vector
from baton_local.vector.wire.call import Answer, Call
from baton_local.vector.wire.fields import (
    Body,
    an_object,
    filter_of,
    include_of,
    positive,
    refuse_other_kinds,
    required_text,
    vector_of,
)

_DEFAULT_TOP_K = 10
_DEFAULT_MAX_IDLE_SECONDS = 3_600

_Vectors = Callable[[Call, list[Body]], Awaitable[list[Vector]]]


async def query(call: Call) -> Answer:
    """Answer `/query`: by vectors."""
    return await _query(call, _vectors)


async def query_data(call: Call) -> Answer:
    """Answer `/query-data`: by texts."""
    return await _query(call, _embedded)


async def resumable_query(call: Call) -> Answer:
    """Answer `/resumable-query`: by a vector."""
    return await _begin(call, _vectors)


async def resumable_query_data(call: Call) -> Answer:
    """Answer `/resumable-query-data`: by a text."""
    return await _begin(call, _embedded)


async def resumable_query_next(call: Call) -> Answer:
    """Answer `/resumable-query-next`: the hits that follow."""
    body = an_object(call.json())
    engine = call.engine
    name, count = required_text(body, "uuid"), positive(body, "additionalK")
    hits, include = engine.resumable.more(name, count, engine.surroundings.now_ms())
    return Answer(hits_as_json(hits, include))


async def resumable_query_end(call: Call) -> Answer:
    """Answer `/resumable-query-end`."""
    body = an_object(call.json())
    call.engine.resumable.end(required_text(body, "uuid"), call.engine.surroundings.now_ms())
    return Answer("Success", 0)


async def _query(call: Call, vectors_of: _Vectors) -> Answer:
    """Return a list of hits, or a list of lists when there is more than one query (vector-rest.md 3)."""
    value = call.json()
    bodies = [an_object(one, "query") for one in (value if isinstance(value, list) else [value])]
    results = []
    for wanted in await _queries(call, bodies, vectors_of):
        hits = await call.engine.search(call.namespace, wanted)
        results.append(hits_as_json(hits[: wanted.top_k], wanted.include))
    return Answer(results[0] if len(results) == 1 else results, len(results))


async def _begin(call: Call, vectors_of: _Vectors) -> Answer:
    body = an_object(call.json())
    engine = call.engine
    max_idle_ms = positive(body, "maxIdle", _DEFAULT_MAX_IDLE_SECONDS) * 1_000
    (wanted,) = await _queries(call, [body], vectors_of)
    engine.resumable.check_capacity(engine.surroundings.now_ms())
    hits = await engine.search(call.namespace, wanted)
    name = engine.surroundings.new_uuid()
    first = engine.resumable.begin(
        name,
        hits,
        first=wanted.top_k,
        include=wanted.include,
        max_idle_ms=max_idle_ms,
        now_ms=engine.surroundings.now_ms(),
    )
    result: dict[str, Any] = {"uuid": name, "scores": hits_as_json(first, wanted.include)}
    return Answer(result)


async def _queries(call: Call, bodies: list[Body], vectors_of: _Vectors) -> list[Query]:
    """Return all queries; each is checked before the first is run."""
    rest = []
    for body in bodies:
        refuse_other_kinds(body)
        rest.append((positive(body, "topK", _DEFAULT_TOP_K), include_of(body), filter_of(body)))
    vectors = await vectors_of(call, bodies)
    return [Query(vector, *others) for vector, others in zip(vectors, rest, strict=True)]


async def _vectors(call: Call, bodies: list[Body]) -> list[Vector]:
    return [vector_of(body.get("vector"), call.engine.index.dimension) for body in bodies]


async def _embedded(call: Call, bodies: list[Body]) -> list[Vector]:
    return await call.engine.embed([required_text(body, "data") for body in bodies])

"""Texts: embedded by the server's model, which finds shared words (vector-rest.md 8)."""

import pytest
from upstash_vector.errors import UpstashError
from upstash_vector.types import Data

from tests.contract.coverage.either import EitherIndex
from tests.contract.vector_rest.local_vector import LocalVector

TEXTS = [
    Data("lamp", "The lighthouse keeper lit the lamp at dusk", {"topic": "sea"}),
    Data("bread", "Knead the dough and let it rise overnight", {"topic": "food"}),
    Data("soup", "A soup of lentils, carrots and cumin", {"topic": "food"}),
]


async def test_a_text_is_found_by_its_words(text_sdk: EitherIndex) -> None:
    await text_sdk.upsert(TEXTS)
    (hit,) = await text_sdk.query(data="who kept the lighthouses?", top_k=1, include_data=True)
    assert (hit.id, hit.data) == ("lamp", TEXTS[0].data)
    (hit,) = await text_sdk.query(data="lighthouse", top_k=1, filter="topic = 'food'", include_metadata=True)
    assert hit.metadata == {"topic": "food"}
    (hit, *others) = await text_sdk.query(data=TEXTS[1].data)
    assert (hit.id, hit.score) == ("bread", 1)
    assert all(other.score < 1 for other in others)
    info = await text_sdk.info()
    assert (info.dimension, info.dense_index.embedding_model) == (384, "BATON_HASH_384")


async def test_texts_and_vectors_are_of_one_space(text_sdk: EitherIndex) -> None:
    await text_sdk.upsert(TEXTS, namespace="ns")
    (record,) = await text_sdk.fetch(["soup"], namespace="ns", include_vectors=True)
    (hit, *_) = await text_sdk.query(record.vector, namespace="ns")
    assert (hit.id, hit.score) == ("soup", 1)


async def test_several_texts_at_once(text_sdk: EitherIndex) -> None:
    await text_sdk.upsert(TEXTS)
    queries = [{"data": "lentil soup", "top_k": 1}, {"data": "dough", "top_k": 1}]
    found = await text_sdk.query_many(queries=queries)
    assert [[hit.id for hit in hits] for hits in found] == [["soup"], ["bread"]]


async def test_a_record_without_vector_or_text_is_refused(text_sdk: EitherIndex, texts: LocalVector) -> None:
    with pytest.raises(UpstashError, match="Invalid vector dimension: 0, expected: 384"):
        await text_sdk.upsert([("a", [])])
    assert texts.error("/upsert-data", {"id": "a"}) == (400, "data: is missing")
    assert texts.error("/upsert-data", [{"id": "a", "data": "x"}, {"id": "", "data": "x"}])[0] == 400
    assert texts.error("/query-data", {"vector": [1]}) == (400, "data: is missing")
    assert texts.result("/fetch", {"ids": ["a"]}) == [None]


async def test_any_text_has_a_vector(text_sdk: EitherIndex) -> None:
    odd = ["", "!?", "…", "日本語", "🙂", "a\x00b", "x" * 10_000]
    await text_sdk.upsert([Data(str(number), text) for number, text in enumerate(odd)])
    for number, text in enumerate(odd):
        (hit, *_) = await text_sdk.query(data=text, include_data=True)
        assert (hit.id, hit.score, hit.data) == (str(number), 1, text)

"""The worked cases of the filter language over the wire (vector-rest.md 7)."""

from tests.contract.vector_rest.local_vector import LocalVector
from tests.unit.baton_local.vector.core.filter.worked_cases import FALSE, METADATA, TRUE


def test_worked_cases_decide_queries_and_deletes(plane: LocalVector) -> None:
    plane.result("/upsert", [{"id": "a", "vector": [1, 0], "metadata": METADATA}, {"id": "bare", "vector": [1, 0]}])
    for text in TRUE:
        assert "a" in [hit["id"] for hit in plane.result("/query", {"vector": [1, 0], "filter": text})], text
    for text in FALSE:
        assert plane.result("/query", {"vector": [1, 0], "filter": text}) == [], text
        assert plane.result("/delete", {"filter": text}) == {"deleted": 0}
    assert plane.result("/delete", {"filter": TRUE[0]}) == {"deleted": 1}

"""The worked cases of the filter language over the wire (vector-rest.md 7)."""

import pytest

from tests.contract.vector_rest.local_vector import LocalVector
from tests.unit.baton_local.vector.core.filter.worked_cases import ERRORS, FALSE, METADATA, TRUE


def test_worked_cases_decide_queries_and_deletes(plane: LocalVector) -> None:
    """What is true finds the record, what is false does not."""
    plane.result("/upsert", [{"id": "a", "vector": [1, 0], "metadata": METADATA}, {"id": "bare", "vector": [1, 0]}])
    for text in TRUE:
        assert "a" in [hit["id"] for hit in plane.result("/query", {"vector": [1, 0], "filter": text})], text
    for text in FALSE:
        assert plane.result("/query", {"vector": [1, 0], "filter": text}) == [], text
        assert plane.result("/delete", {"filter": text}) == {"deleted": 0}
    assert plane.result("/delete", {"filter": TRUE[0]}) == {"deleted": 1}


@pytest.mark.parametrize("text", ERRORS)
def test_what_is_no_filter_is_refused(plane: LocalVector, text: str) -> None:
    """400, with the filter named."""
    for path, body in (("/query", {"vector": [1, 0], "filter": text}), ("/delete", {"filter": text})):
        status, said = plane.error(path, body)
        assert status == 400
        assert said.startswith(f"filter: {text!r} ")

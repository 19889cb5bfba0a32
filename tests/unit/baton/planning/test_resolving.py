"""Arguments once the results are there."""

from typing import Any

import pytest

from baton import result_of
from baton.planning.reference import UnresolvedReference, recorded, resolved

AFTER = {"a": "call-a", "bad": "call-bad", "lost": "call-lost"}
RESULTS: dict[str, dict[str, Any]] = {
    "call-a": {"ok": {"rows": [{"n": 1}, {"n": 2}], "none": None, "looks": {"$resultOf": {"step": "bad"}}}},
    "call-bad": {"error": {"type": "Broken", "message": "it broke"}},
}


def resolve(value: Any) -> Any:
    return resolved(recorded({"value": value}), AFTER, RESULTS)["value"]


def test_references_become_what_they_refer_to_and_literals_stay() -> None:
    assert resolve([result_of("a")["rows"][-1]["n"], "x", {"k": result_of("a")["rows"][0]}]) == [
        2,
        "x",
        {"k": {"n": 1}},
    ]


def test_null_is_a_result() -> None:
    assert resolve(result_of("a")["none"]) is None


def test_nothing_in_a_result_is_taken_for_a_reference() -> None:
    assert resolve(result_of("a")["looks"]) == {"$resultOf": {"step": "bad"}}


def test_a_failed_step_gives_its_error() -> None:
    """As an object that no other result is mistaken for; a path may lead into it."""
    assert resolve(result_of("bad")) == {"error": {"type": "Broken", "message": "it broke"}}
    assert resolve(result_of("bad")["error"]["type"]) == "Broken"


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        (result_of("a")["x"], r"result_of\('a'\)\['x'\]: result_of\('a'\) is an object with 'looks', 'none', 'rows'"),
        (result_of("a")["rows"]["n"], r"result_of\('a'\)\['rows'\] is a list of 2, which has no 'n'"),
        (result_of("a")["rows"][2], r"\['rows'\] is a list of 2, which has no 2"),
        (result_of("a")["rows"][-3], r"\['rows'\] is a list of 2, which has no -3"),
        (result_of("a")["none"]["x"], r"\['none'\] is null, which has no 'x'"),
        (result_of("a")["rows"][0]["n"]["x"], r"\['n'\] is a int, which has no 'x'"),
        (result_of("bad")["rows"], r"result_of\('bad'\)\['rows'\]: step 'bad' failed \(it broke\)"),
        (result_of("lost"), "no result of step 'lost' is recorded"),
        (result_of("other"), "does not depend on 'other'"),
    ],
)
def test_a_reference_that_leads_nowhere_says_so(reference: Any, message: str) -> None:
    with pytest.raises(UnresolvedReference, match=message):
        resolve(reference)


def test_a_damaged_reference_leads_nowhere() -> None:
    with pytest.raises(UnresolvedReference, match="is no reference"):
        resolved({"value": {"$resultOf": 3}}, AFTER, RESULTS)

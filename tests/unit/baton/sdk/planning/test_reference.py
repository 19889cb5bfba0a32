"""References to results, as authors write them, as they are recorded, and once the results are there."""

from typing import Any

import pytest

from baton import result_of, task_data
from baton.sdk.planning.reference import (
    InvalidReference,
    ResultOf,
    UnresolvedReference,
    filled,
    read,
    recorded,
    references,
    resolved,
)


def test_arguments_are_recorded_at_any_depth() -> None:
    """As CONTRACT and README show it; a reference shows itself as it was written."""
    reference = result_of("a")["field"][0]
    assert reference.as_json() == {"$resultOf": {"step": "a", "path": ["field", 0]}}
    assert repr(reference) == "result_of('a')['field'][0]"
    arguments = {"a": [1, {"b": result_of("x")}], "c": (result_of("y")["z"],)}
    assert recorded(arguments) == {
        "a": [1, {"b": {"$resultOf": {"step": "x", "path": []}}}],
        "c": [{"$resultOf": {"step": "y", "path": ["z"]}}],
    }


def test_recorded_references_are_found_again_where_they_stand() -> None:
    arguments = recorded({"a": [1, {"b": result_of("x")}], "c": result_of("y")["z"][-1], "d": "text"})
    assert read({"$resultOf": {"step": "a"}}) == result_of("a")
    assert list(references(arguments)) == [(("a", 1, "b"), ResultOf("x")), (("c",), ResultOf("y", ("z", -1)))]


def test_a_literal_that_looks_like_a_reference_is_refused() -> None:
    with pytest.raises(InvalidReference, match="may not have the key"):
        recorded({"a": [{"$resultOf": {"step": "x", "path": []}}]})


@pytest.mark.parametrize(
    "value",
    [
        {"$resultOf": "a"},
        {"$resultOf": {"path": []}},
        {"$resultOf": {"step": 1}},
        {"$resultOf": {"step": "a", "path": "b"}},
        {"$resultOf": {"step": "a", "path": [True]}},
        {"$resultOf": {"step": "a", "where": []}},
        {"$resultOf": {"step": "a"}, "and": 1},
    ],
)
def test_what_looks_like_a_reference_and_is_none_is_refused(value: dict[str, Any]) -> None:
    with pytest.raises(InvalidReference, match=r'write \{"\$resultOf"'):
        read(value)


@pytest.mark.parametrize("part", [True, 1.5, None])
def test_a_path_has_names_and_positions_only_and_a_step_its_name(part: Any) -> None:
    with pytest.raises(TypeError, match="a name or a position"):
        result_of("a")[part]
    with pytest.raises(TypeError, match="give the step's name"):
        result_of(part or "")


def test_a_reference_is_not_looped_over_nor_put_into_a_text() -> None:
    """The result is not there yet; both would give nonsense."""
    with pytest.raises(TypeError, match="cannot be looped over"):
        list(result_of("a"))
    with pytest.raises(TypeError, match="cannot be put into a text"):
        f"{result_of('a')}"


AFTER = {"a": "call-a", "bad": "call-bad", "lost": "call-lost"}
RESULTS: dict[str, dict[str, Any]] = {
    "call-a": {"ok": {"rows": [{"n": 1}, {"n": 2}], "none": None, "looks": {"$resultOf": {"step": "bad"}}}},
    "call-bad": {"error": {"type": "Broken", "message": "it broke"}},
}


def resolve(value: Any) -> Any:
    return resolved(recorded({"value": value}), AFTER, RESULTS)["value"]


def test_references_become_what_they_refer_to_and_literals_stay() -> None:
    """Null is a result, too; nothing in a result is taken for a reference."""
    rows = result_of("a")["rows"]
    assert resolve([rows[-1]["n"], "x", {"k": rows[0]}]) == [2, "x", {"k": {"n": 1}}]
    assert resolve(result_of("a")["none"]) is None
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
    with pytest.raises(UnresolvedReference, match="is no reference"):
        resolved({"value": {"$resultOf": 3}}, AFTER, RESULTS)


@pytest.mark.parametrize(
    "data",
    [
        {"$resultOf": {"step": "a"}},
        {"$resultOf": {"literal": {"x": 1}}},
        {"rows": [{"$resultOf": {"step": "bad", "path": []}, "and": 1}]},
        {"$resultOf": {"literal": {"$resultOf": {"step": "a"}}}, "x": {"$resultOf": 3}},
    ],
)
def test_nothing_in_a_task_is_taken_for_a_reference(data: dict[str, Any]) -> None:
    """Neither where the plan is recorded, nor when the step runs."""
    given = filled(recorded({"event": task_data, "beside": [result_of("a")["rows"], task_data]}), {"data": data})
    assert [found for _, found in references(given)] == [result_of("a")["rows"]]
    rows = RESULTS["call-a"]["ok"]["rows"]
    assert resolved(given, AFTER, RESULTS) == {"event": data, "beside": [rows, data]}

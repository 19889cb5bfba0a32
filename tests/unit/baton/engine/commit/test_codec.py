"""How records are kept: what is written is read back, also by other versions."""

import json
from collections.abc import Callable
from functools import cache
from types import EllipsisType, UnionType
from typing import Any, get_args, get_origin, get_type_hints

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Struct
from msgspec.structs import replace

from baton.engine.all_jobs.slots import SlotState
from baton.engine.commit.codec import (
    dump,
    job_from,
    job_values,
    load_call,
    load_item,
    load_job,
    load_results,
    load_slot_state,
    load_usage,
    load_values,
)
from baton.engine.state import STATE_VERSION, CallRecord, Job, Usage
from baton.engine.transitions import JobStatus
from baton.engine.work_items import ItemKind, WorkItem
from baton.sdk.records.limits import MOST, MOST_USD, CodeMode, Limits
from baton.sdk.records.transcript import Failure
from baton_events.errors import NewerVersionError
from tests.unit.baton.engine.sample_state import JOB, NOW_MS, call_state

FULL_JOB = replace(
    JOB,
    status=JobStatus.FAILED,
    result={"answer": "é/", "more": [1, None]},
    error=Failure("t", "m", retryable=True),
    limits=Limits(cost_usd=0.5, on_limit="fail"),
)
FINITE = st.floats(allow_nan=False, allow_infinity=False)
ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | FINITE | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


@cache
def values_of(kind: Any) -> st.SearchStrategy[Any]:  # noqa: PLR0911 - one for each kind
    """What a field of this type may hold."""
    match get_origin(kind), get_args(kind):
        case (origin, kinds) if origin is UnionType:
            return st.one_of([values_of(each) for each in kinds])
        case (origin, (_, inner)) if origin is dict:
            return st.dictionaries(st.text(), values_of(inner), max_size=3)
        case (origin, (inner, EllipsisType())) if origin is tuple:
            return st.lists(values_of(inner), max_size=3).map(tuple)
        case _:
            pass
    if kind is Limits:
        return st.builds(Limits, turns=st.integers(1, MOST), cost_usd=st.none() | st.floats(0.01, MOST_USD))
    if kind is CodeMode:
        return st.just(CodeMode())
    if isinstance(kind, type) and issubclass(kind, Struct):
        return st.builds(kind, **{name: values_of(inner) for name, inner in get_type_hints(kind).items()})
    return ANY_JSON if kind is Any else FINITE if kind is float else st.from_type(kind)


KEPT: list[tuple[type[Struct], Callable[[str], Any]]] = [
    (Job, load_job),
    (WorkItem, load_item),
    (CallRecord, load_call),
    (SlotState, load_slot_state),
]


@pytest.mark.parametrize(("kind", "load"), KEPT)
@given(data=st.data())
@settings(max_examples=40)
def test_whatever_a_record_holds_is_read_back(kind: Any, load: Any, data: st.DataObject) -> None:
    record = data.draw(values_of(kind))
    if kind is Job:
        record = replace(record, version=STATE_VERSION)
        assert job_from(job_values(record)) == record
    text = dump(record)
    assert repr(load(text)) == repr(record)
    assert list(json.loads(text)) == [name for name in kind.__struct_encode_fields__ if name in json.loads(text)]


def test_an_item_and_a_call_say_only_what_differs_from_the_defaults() -> None:
    """Many are written for each job."""
    item = replace(WorkItem("wait:c:1", ItemKind.WAIT, "job_1", 2, 1), relay_id="m1", redelivered=True)
    assert load_item(dump(item)) == item
    assert [*json.loads(dump(item))] == ["key", "kind", "job_id", "turn", "attempt", "relay_id", "redelivered"]
    assert [*json.loads(dump(CallRecord("c", 1, 0, "add", {})))] == ["id", "turn", "position", "tool", "arguments"]


@pytest.mark.parametrize("turn", ["1e+14", "100000000000000.0", '"100000000000000"'])
def test_whole_numbers_are_read_as_scripts_write_them(turn: str) -> None:
    assert load_job(dump(JOB).replace('"turn":2', f'"turn":{turn}')) == replace(JOB, turn=10**14)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("{", "truncated"),
        ("[]", "Expected `object`"),
        ('{"id":1}', r"Expected `str`, got `int` - at `\$\.id`"),
        ('{"id":"job_1"}', "missing required field `session_id`"),
        (
            dump(JOB).replace('"turns":5', '"turns":0'),
            r"turns=0\): a limit is a positive number: .* up to 9007199254740992 - at `\$\.limits`",
        ),
    ],
)
def test_damage_is_reported_with_its_place(text: str, found: str) -> None:
    with pytest.raises(NewerVersionError, match=rf"a stored Job cannot be read by this version \(.*{found}"):
        load_job(text)


def test_a_job_is_read_back_as_it_was_written() -> None:
    assert load_job(f"{dump(FULL_JOB)} ") == FULL_JOB
    assert job_from(json.loads(json.dumps(job_values(FULL_JOB)))) == FULL_JOB
    assert job_from(job_values(JOB)).limits.cost_usd is None, "left out, it would become a limit's default"


def test_a_state_of_a_newer_version_is_left_to_that() -> None:
    """It says that it means something else; the queue brings what is about it again.

    So does a record that cannot be read, such as a work item of a kind that nobody knew.
    """
    newer = json.loads(dump(JOB)) | {"version": STATE_VERSION + 1}
    found = rf"job_1.* has version {STATE_VERSION + 1}, this code reads {STATE_VERSION}"
    with pytest.raises(NewerVersionError, match=found):
        load_job(json.dumps(newer))
    with pytest.raises(NewerVersionError, match=found):
        job_from(newer)
    item = json.loads(dump(call_state(ItemKind.CALL).item)) | {"kind": "dance"}
    with pytest.raises(NewerVersionError, match=r"stored WorkItem cannot be read by this version .*\$\.kind") as raised:
        load_item(json.dumps(item))
    assert (raised.value.status, raised.value.retryable) == (503, True)


def test_what_another_version_wrote_is_ignored_or_has_its_default() -> None:
    """A deploy may be half done. A job of before there were priorities has the usual one."""
    newer: dict[str, Any] = {**json.loads(dump(JOB)), "added": {"a": 1}}
    assert load_job(json.dumps(newer)) == JOB
    item = call_state(ItemKind.CALL).item
    assert load_item(json.dumps({**json.loads(dump(item)), "added": 1})) == item
    older = {name: value for name, value in json.loads(dump(JOB)).items() if name not in ("priority", "limits")}
    assert (load_job(json.dumps(older)).priority, load_job(json.dumps(older)).limits) == (5, Limits())


@given(st.lists(ANY_JSON))
def test_values_are_read_as_they_were_written(values: list[Any]) -> None:
    read = load_values([json.dumps(value) for value in values])
    assert repr(read) == repr(values)


@pytest.mark.parametrize("text", ["", "{", "1]", "1,2"])
def test_what_is_no_json_is_refused_however_deep_it_may_be(text: str) -> None:
    """A tool may return what the quick decoder refuses."""
    with pytest.raises(ValueError, match=r"Expecting|Extra data|1 JSON texts have"):
        load_values([text])
    assert load_values(["[" * 500 + "]" * 500, "1"])[1:] == [1]


def test_usage_results_and_slot_states_are_read() -> None:
    """As the scripts write them: without spaces, in any order."""
    assert load_usage('{"messages":1,"redis_requests":2,"redis_commands":3,"updated_ms":4}') == Usage(1, 2, 3, 4)
    results = {"a": {"ok": 1}, "b": {"error": {"type": "t"}}}
    assert load_results({name: json.dumps(result) for name, result in results.items()}) == results
    assert load_slot_state('{"slot":false,"epoch":1800000000000,"want":"none"}') == SlotState(
        "none", NOW_MS, slot=False
    )

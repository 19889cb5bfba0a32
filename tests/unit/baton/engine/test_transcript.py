"""The transcript's entries: what is written can be read, and what older code wrote as well."""

import json
from typing import Any

import pytest

from baton.engine.state import CallRecord
from baton.engine.step_results import ModelAnswered
from baton.engine.transcript import NewerEntryError, model_entry, recalled, refuse_newer, task_entry
from baton.sdk.records.transcript import ENTRY_VERSION, Failure

CALL = CallRecord("c0", 1, 0, "add", {"a": 1})
REFUSED = CallRecord("c1", 1, 1, "no", {}, error=Failure("unknown_tool", "there is no tool 'no'"))


def test_a_task_is_kept_as_it_came() -> None:
    """But cannot pass for another entry: role and version are ours."""
    entry = json.loads(task_entry({"text": "add", "data": {"v": 7}, "role": "model", "v": 99}))
    assert entry == {"role": "user", "v": ENTRY_VERSION, "text": "add", "data": {"v": 7}}


def test_a_turn_is_kept_with_its_calls_and_the_errors_of_those_that_could_not_run() -> None:
    """And with whatever its provider wants to see again."""
    provider = {"parts": [{"signature": "é"}]}
    entry = json.loads(model_entry(3, ModelAnswered("I add", provider=provider), (CALL, REFUSED)))
    error = {"type": "unknown_tool", "message": "there is no tool 'no'"}
    assert entry == {
        "role": "model",
        "v": ENTRY_VERSION,
        "turn": 3,
        "text": "I add",
        "calls": [
            {"id": "c0", "tool": "add", "arguments": {"a": 1}},
            {"id": "c1", "tool": "no", "arguments": {}, "error": error},
        ],
        "provider": provider,
    }


def test_an_entry_of_newer_code_is_refused() -> None:
    """Jobs that run during the deploy are not misread."""
    mine = {"role": "user", "text": "a", "v": ENTRY_VERSION}
    refuse_newer([mine])
    for version in (ENTRY_VERSION + 1, "2", None):
        with pytest.raises(NewerEntryError, match=f"has version {version!r}, this code knows up to {ENTRY_VERSION}"):
            refuse_newer([mine, {"role": "user", "v": version}])


@pytest.mark.parametrize(
    ("entries", "found"),
    [
        ([], None),
        (['{"role":"user"}'], None),
        (['{"role":"user"}', '{"role":"model"}'], None),
        (['{"role":"user"}', '{"role":"memory","v":1}'], {"role": "memory", "v": 1}),
    ],
)
def test_what_was_retrieved_stands_behind_the_task(entries: list[str], found: dict[str, Any] | None) -> None:
    assert recalled(entries) == found

"""The transcript's entries: what is written can be read, and what older code wrote as well."""

import json
from typing import Any

import pytest

from baton.engine.state import CallRecord
from baton.engine.step_results import ModelAnswered
from baton.engine.transcript import NewerEntryError, model_entry, recalled, task_entry, upcast
from baton.sdk.records import ENTRY_VERSION, Failure

CALL = CallRecord("c0", 1, 0, "add", {"a": 1})
REFUSED = CallRecord("c1", 1, 1, "no", {}, error=Failure("unknown_tool", "there is no tool 'no'"))


def test_a_task_is_kept_as_it_came() -> None:
    """With its data, and today's version."""
    entry = json.loads(task_entry({"text": "add", "data": {"v": 7}}))
    assert entry == {"role": "user", "v": ENTRY_VERSION, "text": "add", "data": {"v": 7}}


def test_a_task_cannot_pass_for_another_entry() -> None:
    """Role and version are ours."""
    entry = json.loads(task_entry({"text": "x", "role": "model", "v": 99}))
    assert (entry["role"], entry["v"]) == ("user", ENTRY_VERSION)


def test_a_turn_is_kept_with_its_calls_and_the_errors_of_those_that_could_not_run() -> None:
    entry = json.loads(model_entry(3, ModelAnswered("I add"), (CALL, REFUSED)))
    assert entry == {
        "role": "model",
        "v": ENTRY_VERSION,
        "turn": 3,
        "text": "I add",
        "calls": [
            {"id": "c0", "tool": "add", "arguments": {"a": 1}},
            {
                "id": "c1",
                "tool": "no",
                "arguments": {},
                "error": {"type": "unknown_tool", "message": "there is no tool 'no'"},
            },
        ],
    }


def test_what_a_provider_wants_to_see_again_is_kept_as_it_is() -> None:
    """Whatever is in it."""
    provider = {"parts": [{"signature": "é"}]}
    assert json.loads(model_entry(1, ModelAnswered("", provider=provider), ()))["provider"] == provider


def test_an_entry_without_a_version_is_of_the_first() -> None:
    """Jobs that run during the deploy."""
    assert upcast({"role": "user", "text": "a"}) == {"role": "user", "text": "a", "v": ENTRY_VERSION}
    assert upcast({"role": "user", "v": ENTRY_VERSION})["v"] == ENTRY_VERSION


@pytest.mark.parametrize("version", [ENTRY_VERSION + 1, "2", None])
def test_an_entry_of_newer_code_is_refused(version: object) -> None:
    """Rather than misread."""
    with pytest.raises(NewerEntryError, match=f"has version {version!r}, this code knows up to {ENTRY_VERSION}"):
        upcast({"role": "user", "v": version})


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
    """Where anything was."""
    assert recalled(entries) == found

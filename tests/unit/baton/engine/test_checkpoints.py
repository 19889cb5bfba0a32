"""Checkpoints as people see them, and arguments that they edited without seeing secrets."""

import json
from typing import Any

import pytest
from msgspec.structs import replace

from baton.engine.state import CallRecord
from baton.engine.transitions import CallStatus
from baton.engine.waits import TOOL_APPROVAL, approval_part, approval_view, info_part, left_hidden, restored
from baton.sdk.records.redaction import redacted
from tests.unit.baton.engine.sample_state import NOW_MS

ABOUT = {"callId": "job_1-2-0-a", "tool": "pay", "title": "pay", "digest": "d", "untilMs": NOW_MS + 60_000}
REQUESTED = CallRecord(
    "job_1-2-2000001-b",
    2,
    2_000_001,
    TOOL_APPROVAL,
    {**ABOUT, "arguments": {"to": "Ann", "password": "open sesame"}},
    CallStatus.WAITING,
    started_at_ms=NOW_MS,
)
TWO = [{"user": "ann", "password": "p-ann"}, {"user": "ben", "password": "p-ben"}]


@pytest.mark.parametrize(
    ("decision", "ended", "status", "decided"),
    [
        ({}, False, "pending", None),
        ({}, True, "cancelled", None),
        ({"ok": {"by": "ops", "at": NOW_MS}}, False, "approved", "2027-01-15T08:00:00.000Z"),
        ({"ok": {"by": "ops", "at": NOW_MS}}, True, "approved", "2027-01-15T08:00:00.000Z"),
        ({"error": {"type": "rejected", "by": "ops", "at": NOW_MS}}, False, "rejected", "2027-01-15T08:00:00.000Z"),
        ({"error": {"type": "expired", "message": "late"}}, False, "expired", "2027-01-15T08:00:01.000Z"),
    ],
)
def test_a_status_follows_from_what_is_recorded(
    decision: dict[str, Any], ended: bool, status: str, decided: str | None
) -> None:
    """A decision that has not been taken in yet counts; without one, the job's end does.

    It was decided when the decision says, else when that was recorded.
    """
    view = approval_view(replace(REQUESTED, finished_at_ms=NOW_MS + 1_000), "job_1", decision, ended=ended)
    assert (view["status"], view["id"], view["tool"]) == (status, "op_job_1-2-2000001-b", "pay")
    assert (view["createdAt"], view["decidedAt"]) == ("2027-01-15T08:00:00.000Z", decided)
    assert view["expiresAt"] == "2027-01-15T08:01:00.000Z"
    assert "open sesame" not in json.dumps(view)


def test_a_text_that_says_so_of_itself_hides_nothing() -> None:
    original = {"text": "the word [redacted]", "n": 1}
    found = restored({**redacted(original), "n": 2}, original)
    assert found == {"text": "the word [redacted]", "n": 2}
    assert not left_hidden(found, original)


def test_all_checkpoints_have_the_same_fields() -> None:
    question = json.loads(approval_part(REQUESTED, "job_1"))
    answer = json.loads(approval_part(REQUESTED, "job_1", '{"ok":{"arguments":{"to":"Ben"},"comment":"fine"}}'))
    mark = json.loads(info_part("job_1", "job_1-2-0-a", "1-1", "half way", {"n": 1}, NOW_MS))
    assert set(question["data"]) == set(answer["data"]) == set(mark["data"])
    assert question["id"] == answer["id"] == question["data"]["id"]
    assert (answer["data"]["editedArguments"], answer["data"]["reason"]) == ({"to": "Ben"}, "fine")
    assert mark["id"] == "info_job_1-2-0-a-1-1"


@pytest.mark.parametrize(
    ("edited", "found"),
    [
        ([{"user": "ann", "password": "[redacted]"}, {"user": "ben", "password": "[redacted]"}], TWO),
        ([{"user": "ben", "password": "[redacted]"}], TWO[1:]),
        ([{"user": "ben", "password": "[redacted]"}, {"user": "ann", "password": "[redacted]"}], [TWO[1], TWO[0]]),
        (
            [{"user": "eve", "password": "[redacted]"}, {"user": "ben", "password": "[redacted]"}],
            [{"user": "eve", "password": "p-ann"}, TWO[1]],
        ),
        ([{"user": "ann", "password": "mine"}, TWO[1]], [{"user": "ann", "password": "mine"}, TWO[1]]),
    ],
)
def test_a_secret_that_is_left_as_it_is_shown_stays(edited: Any, found: Any) -> None:
    assert restored({"users": edited}, {"users": TWO}) == {"users": found}


@pytest.mark.parametrize(
    ("edited", "original"),
    [
        ([{"user": "eve", "password": "[redacted]"}], TWO),
        ([{"user": "eve", "password": "[redacted]"}, {"user": "ann", "password": "[redacted]"}], TWO),
        ([{"user": "x", "password": "[redacted]"}], [{"user": "x", "password": "a"}, {"user": "x", "password": "b"}]),
        ({"token": "[redacted]"}, {"path": "a"}),
        ({"text": "[redacted]"}, {"text": "plain"}),
        ({"text": "see [redacted]"}, {"text": "plain"}),
    ],
)
def test_a_secret_goes_nowhere_else(edited: Any, original: Any) -> None:
    """Where it is not clear whose it was, or there was none, it is missing, and that is said."""
    found = restored(edited, original)
    assert left_hidden(found, original)
    assert "p-ben" not in json.dumps(found)

"""A job's parts as the message that AI SDK's client makes of them."""

from typing import Any

from baton.server.api.sessions.ui_message import assistant_message


def parts_of(*stored: dict[str, Any]) -> list[dict[str, Any]]:
    message = assistant_message("job_1", "completed", stored)
    assert (message["id"], message["role"], message["metadata"]) == ("job_1", "assistant", {"status": "completed"})
    parts: list[dict[str, Any]] = message["parts"]
    return parts


def test_a_text_is_put_together() -> None:
    """Several may be under way; one that has no end yet says so."""
    assert parts_of(
        {"type": "start", "messageId": "job_1"},
        {"type": "start-step"},
        {"type": "text-start", "id": "a"},
        {"type": "text-delta", "id": "a", "delta": "hel"},
        {"type": "text-start", "id": "b"},
        {"type": "text-delta", "id": "a", "delta": "lo"},
        {"type": "text-end", "id": "a"},
        {"type": "text-delta", "id": "unknown", "delta": "x"},
        {"type": "finish-step"},
        {"type": "finish"},
    ) == [
        {"type": "step-start"},
        {"type": "text", "text": "hello", "state": "done"},
        {"type": "text", "text": "", "state": "streaming"},
    ]


def test_data_keeps_its_id_and_an_answer_that_was_not_streamed_comes_last() -> None:
    said = [{"type": "text-start", "id": "a"}, {"type": "text-delta", "id": "a", "delta": "hi"}]
    stored = [{"type": "data-note", "id": "n", "data": {"at": 1}, "transient": False}, *said]
    for answer, more in (("hi", []), ("bye", [{"type": "text", "text": "bye", "state": "done"}])):
        message = assistant_message("job_1", "completed", stored, answer)
        note, text = {"type": "data-note", "id": "n", "data": {"at": 1}}, {"type": "text", "text": "hi"}
        assert message["parts"] == [note, text | {"state": "streaming"}, *more]


def test_the_text_of_an_abandoned_attempt_is_left_out() -> None:
    assert parts_of(
        {"type": "text-start", "id": "a"},
        {"type": "text-delta", "id": "a", "delta": "hel"},
        {"type": "text-end", "id": "a"},
        {"type": "data-retry", "data": {"textId": "a"}},
        {"type": "text-start", "id": "b"},
        {"type": "text-end", "id": "b"},
    ) == [{"type": "text", "text": "", "state": "done"}]


def test_a_tool_call_has_its_input_and_what_came_of_it() -> None:
    """One that nobody asked for is passed over."""
    assert parts_of(
        {"type": "tool-input-available", "toolCallId": "1", "toolName": "add", "input": {"a": 1}},
        {"type": "tool-input-available", "toolCallId": "2", "toolName": "add", "input": {}},
        {"type": "tool-input-available", "toolCallId": "3", "toolName": "add", "input": {}},
        {"type": "tool-output-available", "toolCallId": "1", "output": 3},
        {"type": "tool-output-error", "toolCallId": "2", "errorText": "no"},
        {"type": "tool-output-error", "toolCallId": "4", "errorText": "no"},
    ) == [
        {"type": "tool-add", "toolCallId": "1", "state": "output-available", "input": {"a": 1}, "output": 3},
        {"type": "tool-add", "toolCallId": "2", "state": "output-error", "input": {}, "errorText": "no"},
        {"type": "tool-add", "toolCallId": "3", "state": "input-available", "input": {}},
    ]

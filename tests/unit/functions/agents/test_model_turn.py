"""One model call: what the model is told."""

from events.ports import History
from functions.agents.model_turn import messages
from functions.models.model import ModelMessage, PastCall, ToolMessage, UserMessage


def test_the_model_is_told_results_and_errors_of_its_calls() -> None:
    """A result that is stored, an error that is stored, and the error of a call that never ran."""
    history = History(
        (
            {"role": "user", "text": "add", "data": {"n": 1}},
            {
                "role": "model",
                "turn": 1,
                "text": "t",
                "calls": [
                    {"id": "c0", "tool": "add", "arguments": {"a": 1}},
                    {"id": "c1", "tool": "add", "arguments": {"a": 2}},
                    {"id": "c2", "tool": "no", "arguments": {}, "error": {"type": "unknown_tool", "message": "no"}},
                ],
            },
        ),
        {"c0": {"ok": 2}, "c1": {"error": {"type": "E", "message": "m"}}},
    )
    calls = (PastCall("c0", "add", {"a": 1}), PastCall("c1", "add", {"a": 2}), PastCall("c2", "no", {}))
    assert messages(history) == (
        UserMessage("add", {"n": 1}),
        ModelMessage("t", calls),
        ToolMessage("c0", "add", 2),
        ToolMessage("c1", "add", {"type": "E", "message": "m"}, is_error=True),
        ToolMessage("c2", "no", {"type": "unknown_tool", "message": "no"}, is_error=True),
    )

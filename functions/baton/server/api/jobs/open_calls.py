"""The calls of a job that wait, read from its parts: they decide where a run ends with interrupts and the next begins.

A run ends when people are asked and every call only waits: for them, for an outcome from outside, for a step before it.
Invariant: the end follows from the parts alone, so every reader sees a run end at the same part. Pure.
"""

from typing import Any

from baton.sdk.records.stream_part import StreamPart, left_out

Part = dict[str, Any]


class OpenCalls:
    """The calls without a result, and the questions without a decision, after the parts so far."""

    def __init__(self) -> None:
        self.questions: dict[str, Part] = {}
        self._waiting: dict[str, bool] = {}
        self._before: dict[str, list[str]] = {}
        self._steps: dict[str, str] = {}

    def take(self, part: StreamPart) -> None:
        match part["type"]:
            case "tool-input-available":
                self._waiting[part["toolCallId"]] = False
            case "tool-output-available" | "tool-output-error":
                self._waiting.pop(part["toolCallId"], None)
            case "data-plan-created":
                self._steps = {step["step"]: step["callId"] for step in part["data"]["steps"]}
                self._before |= {step["callId"]: step["dependsOn"] for step in part["data"]["steps"]}
            case "data-operation":
                self._call(part["data"].get("callId", ""), waits=part["data"]["status"] == "waiting")
            case "data-checkpoint":
                self._question(part["data"])
            case "finish" | "data-job-retried":
                self.questions, self._waiting = {}, {}
            case (
                "start" | "start-step" | "finish-step" | "text-start" | "text-delta" | "text-end" | "abort" | "error"
                | "data-usage" | "data-cut" | "data-retry" | "data-memory" | "data-message" | "data-progress"
                | "data-step-started" | "data-step-completed" | "data-reflection" | "data-event" | "data-lost"
                | "data-job-cancelling"
            ):  # fmt: skip
                pass
            case unknown:
                left_out(unknown)

    @property
    def only_people_are_awaited(self) -> bool:
        """Whether every open call waits for a person's decision or an outcome from outside."""
        return bool(self.questions) and all(
            waiting or self._is_blocked(call_id) for call_id, waiting in self._waiting.items()
        )

    def decided(self, question_ids: frozenset[str]) -> None:
        """Mark questions as decided whose decisions are recorded but have no part yet."""
        for question_id in question_ids:
            if question := self.questions.pop(question_id, None):
                self._call(question["callId"], waits=False)

    def _question(self, view: Part) -> None:
        if view["type"] != "approval":
            return
        pending = view["status"] == "pending"
        if pending:
            self.questions[view["id"]] = view
        else:
            self.questions.pop(view["id"], None)
        self._call(view["callId"], waits=pending)

    def _call(self, call_id: str, *, waits: bool) -> None:
        if call_id in self._waiting:
            self._waiting[call_id] = waits

    def _is_blocked(self, call_id: str) -> bool:
        """Return whether a step that must come before the call has no result yet."""
        return any(self._steps.get(step) in self._waiting for step in self._before.get(call_id, ()))

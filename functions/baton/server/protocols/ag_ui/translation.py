"""A job's parts as AG-UI events (protocol 1.0): texts, reasoning, tool calls, steps, state, activities, errors.

A part without an AG-UI event is a CUSTOM one under its own type. Invariant: the events of a run open and close as
the protocol's verifier requires, even after an interruption; ids are the same for every reader. Must not: know when
a run ends for want of a decision, or how events are sent.

Source: https://docs.ag-ui.com/spec/1.0.
"""

from typing import Any

from baton.sdk.records.stream_part import DataPart, StreamPart, TextDelta, TextMark, ToolFailure, ToolInput, ToolOutput
from baton_events.ids import canonical_json

Part = dict[str, Any]
Event = dict[str, Any]

# A mark with this title is the new state that the front end shares with the agent.
STATE_TITLE = "state"


class Translation:
    """One run's events. `messages`: those of the conversation before the run, as its front end has them."""

    def __init__(self, job_id: str, messages: list[Part]) -> None:
        self._job_id, self._messages = job_id, list(messages)
        self._texts: dict[str, Part] = {}
        self._open_steps, self._turns = list[str](), 0
        self._parent = ""
        self._tokens = {"inputTokens": 0, "outputTokens": 0}
        self.error_text = ""

    def events(self, number: int, part: StreamPart) -> list[Event]:
        match part["type"]:
            case "text-start" | "text-delta" | "text-end":
                return self._text(part)
            case "tool-input-available" | "tool-output-available" | "tool-output-error":
                return self._tool(part)
            case "start-step":
                self._turns, self._parent = self._turns + 1, ""
                return self._step_started(f"turn-{self._turns}")
            case "finish-step":
                return self._step_finished(f"turn-{self._turns}")
            case "error":
                self.error_text = f"{part['errorText']} ({part['id']})" if "id" in part else part["errorText"]
            case "start" | "abort" | "finish":
                pass
            case _:
                return self._data(number, part)
        return []

    def closed(self) -> list[Event]:
        """Close what is open and return the ends: no run finishes before them."""
        texts = [self._text_event("END", message_id) for message_id in self._texts]
        self._texts = {}
        return [*texts, *(event for name in list(self._open_steps) for event in self._step_finished(name))]

    def snapshot(self) -> Event:
        """Return the current conversation, for a front end that has more of it."""
        return {"type": "MESSAGES_SNAPSHOT", "messages": self._messages}

    def begin_again(self) -> None:
        """Forget the end of a job that runs again."""
        self.closed()
        self.error_text = ""

    @property
    def usage(self) -> dict[str, Any]:
        """The usage of the run's model calls, for the event of its end."""
        total = sum(self._tokens.values())
        return {"usage": [self._tokens | {"totalTokens": total}]} if total else {}

    def _text(self, part: TextMark | TextDelta) -> list[Event]:
        message_id = f"{self._job_id}-{part['id']}"
        if part["type"] == "text-start":
            self._texts[message_id] = self._add({"id": message_id, "role": "assistant", "content": ""})
            self._parent = message_id
            return [self._text_event("START", message_id, role="assistant")]
        if message_id not in self._texts:
            return []  # its beginning is no longer kept
        if part["type"] == "text-delta":
            self._texts[message_id]["content"] += part["delta"]
            return [self._text_event("CONTENT", message_id, delta=part["delta"])]
        del self._texts[message_id]
        return [self._text_event("END", message_id)]

    def _tool(self, part: ToolInput | ToolOutput | ToolFailure) -> list[Event]:
        call_id: str = part["toolCallId"]
        if part["type"] == "tool-input-available":
            self._parent = parent = self._parent or call_id
            arguments = canonical_json(part["input"])
            function = {"name": part["toolName"], "arguments": arguments}
            self._message(parent).setdefault("toolCalls", []).append(
                {"id": call_id, "type": "function", "function": function}
            )
            start = {"type": "TOOL_CALL_START", "toolCallId": call_id, "toolCallName": part["toolName"]}
            return [
                start | {"parentMessageId": parent},
                {"type": "TOOL_CALL_ARGS", "toolCallId": call_id, "delta": arguments},
                {"type": "TOOL_CALL_END", "toolCallId": call_id},
            ]
        failed = part["type"] == "tool-output-error"
        output = part["errorText"] if part["type"] == "tool-output-error" else part["output"]
        content = output if isinstance(output, str) else canonical_json(output)
        result: Event = {"messageId": f"{call_id}-result", "toolCallId": call_id, "content": content, "role": "tool"}
        message = {"id": result["messageId"], "role": "tool", "toolCallId": call_id, "content": content}
        self._add(message | ({"error": content} if failed else {}))
        return [{"type": "TOOL_CALL_RESULT"} | result | ({"metadata": {"error": True}} if failed else {})]

    def _data(self, number: int, part: DataPart) -> list[Event]:
        kind, data = part["type"], part.get("data") or {}
        match kind:
            case "data-event" | "data-lost":  # only for operators' timelines
                events = list[Event]()
            case "data-usage":
                self._tokens = {name: count + data.get(name, 0) for name, count in self._tokens.items()}
                events = []
            case "data-retry":
                events = self._retracted(f"{self._job_id}-{data['textId']}")
            case "data-message":
                events = self._user_message(part)
            case "data-reflection":
                events = _reasoning(f"{self._job_id}-{number}", data["text"])
            case "data-progress":
                events = [_activity(f"{data['callId']}-progress", "progress", data)]
            case "data-plan-created":
                events = [_activity(f"{self._job_id}-plan-{data['turn']}", "plan", data)]
            case _:  # of a newer version, too
                events = self._custom(kind, data) if kind.startswith("data-") else []
        return events

    def _custom(self, kind: str, data: Part) -> list[Event]:
        """Convert a part without an event of AG-UI, behind its step's event if it has one; a mark may be the state."""
        if kind == "data-checkpoint" and data["type"] == "info" and data["title"] == STATE_TITLE:
            return [{"type": "STATE_SNAPSHOT", "snapshot": data["data"]}]
        steps = {"data-step-started": self._step_started, "data-step-completed": self._step_finished}
        step = steps[kind](data["step"]) if kind in steps else []
        return [*step, {"type": "CUSTOM", "name": kind, "value": data}]

    def _user_message(self, part: DataPart) -> list[Event]:
        message_id, text = part.get("id", ""), part["data"].get("text", "")
        self._add({"id": message_id, "role": "user", "content": text})
        return [
            self._text_event("START", message_id, role="user"),
            self._text_event("CONTENT", message_id, delta=text),
            self._text_event("END", message_id),
        ]

    def _retracted(self, message_id: str) -> list[Event]:
        """Remove an abandoned text, which is no part of the answer, and return the conversation without it."""
        self._messages = [message for message in self._messages if message["id"] != message_id]
        self._parent = ""
        return [self.snapshot()]

    def _step_started(self, name: str) -> list[Event]:
        if name in self._open_steps:
            return []
        self._open_steps.append(name)
        return [{"type": "STEP_STARTED", "stepName": name}]

    def _step_finished(self, name: str) -> list[Event]:
        if name not in self._open_steps:
            return []
        self._open_steps.remove(name)
        return [{"type": "STEP_FINISHED", "stepName": name}]

    def _message(self, message_id: str) -> Part:
        found = next((message for message in self._messages if message["id"] == message_id), None)
        return found if found is not None else self._add({"id": message_id, "role": "assistant"})

    def _add(self, message: Part) -> Part:
        self._messages.append(message)
        return message

    @staticmethod
    def _text_event(what: str, message_id: str, **fields: str) -> Event:
        return {"type": f"TEXT_MESSAGE_{what}", "messageId": message_id, **fields}


def _activity(message_id: str, kind: str, content: Part) -> Event:
    return {"type": "ACTIVITY_SNAPSHOT", "messageId": message_id, "activityType": kind, "content": content}


def _reasoning(message_id: str, text: str) -> list[Event]:
    return [
        {"type": "REASONING_START", "messageId": message_id},
        {"type": "REASONING_MESSAGE_START", "messageId": message_id, "role": "reasoning"},
        {"type": "REASONING_MESSAGE_CONTENT", "messageId": message_id, "delta": text},
        {"type": "REASONING_MESSAGE_END", "messageId": message_id},
        {"type": "REASONING_END", "messageId": message_id},
    ]

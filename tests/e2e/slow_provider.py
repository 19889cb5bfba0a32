"""A provider with OpenAI's protocols that thinks for a while: its answer adds two numbers first, where it has a tool.

Whoever asks for a response in the background gets its id at once.
"""

import json
import time
from functools import partial
from typing import Any

from tests.contract.qstash.destination import Destination, Received, Reply

_CALL: dict[str, Any] = {
    "id": "call_1",
    "type": "function",
    "function": {"name": "add", "arguments": '{"a": 1, "b": 2}'},
}


def _reply(answer: dict[str, Any], status: int = 200, **headers: str) -> Reply:
    return Reply(status, json.dumps(answer).encode(), (("content-type", "application/json"), *headers.items()))


class SlowProvider(Destination):
    """`asked`: the bodies of its requests. `seconds`: how long it thinks. `refusals`: so often it answers 429 first.

    `looks`: how often it was asked for a response that it makes in the background.
    """

    def __init__(self) -> None:
        super().__init__()
        self.replies |= {"/v1/chat/completions": self._answer, "/v1/responses": self._begin}
        self.asked: list[dict[str, Any]] = []
        self.keys: set[str] = set()
        self.seconds = 0.0
        self.refusals = 0
        self.looks = 0

    def _answer(self, request: Received) -> Reply:
        asked = json.loads(request.body)
        self.asked.append(asked)
        self.keys.add(request.headers["authorization"])
        if self.refusals:
            self.refusals -= 1
            return _reply({"error": {"message": "Slow down.", "type": "rate_limit"}}, 429, **{"retry-after": "1"})
        time.sleep(self.seconds)
        first = bool(asked.get("tools")) and asked["messages"][-1]["role"] != "tool"
        message: dict[str, Any] = {"role": "assistant", "content": None if first else "Thought."}
        if first:
            message |= {"tool_calls": [_CALL]}
        choice = {"index": 0, "finish_reason": "tool_calls" if first else "stop", "message": message}
        made = {"id": "chatcmpl_1", "object": "chat.completion", "created": 1_800_000_000, "model": asked["model"]}
        usage = {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110}
        return _reply(made | {"choices": [choice], "usage": usage})

    def _begin(self, request: Received) -> Reply:
        """Take a request for the background."""
        asked = json.loads(request.body)
        assert asked["background"]
        self.asked.append(asked)
        response_id = f"resp_{len(self.asked)}"
        first = bool(asked.get("tools")) and asked["input"][-1].get("type") != "function_call_output"
        text = {"type": "output_text", "text": "Thought.", "annotations": []}
        said = {"type": "message", "id": "msg_1", "status": "completed", "role": "assistant", "content": [text]}
        called = {"type": "function_call", "id": "fc_1", "call_id": "call_1", "status": "completed"}
        output = called | _CALL["function"] if first else said
        made = {"id": response_id, "object": "response", "created_at": 1_800_000_000, "model": asked["model"]}
        made |= {"parallel_tool_calls": True, "tool_choice": "auto", "tools": [], "background": True}
        ready_at = time.monotonic() + self.seconds
        self.replies[f"/v1/responses/{response_id}"] = partial(self._look, ready_at, made | {"output": [output]})
        return _reply(made | {"status": "queued", "output": []})

    def _look(self, ready_at: float, made: dict[str, Any], _request: Received) -> Reply:
        self.looks += 1
        if time.monotonic() < ready_at:
            return _reply(made | {"status": "in_progress", "output": []})
        details = {"input_tokens_details": {"cached_tokens": 0}, "output_tokens_details": {"reasoning_tokens": 0}}
        usage = {"input_tokens": 100, "output_tokens": 10, "total_tokens": 110} | details
        return _reply(made | {"status": "completed", "usage": usage})

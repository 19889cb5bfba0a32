"""A provider with OpenAI's protocols that thinks for a while: its answer adds two numbers first, where it has a tool.

Whoever asks for a response in the background gets its id at once.
"""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

_CALL: dict[str, Any] = {
    "id": "call_1",
    "type": "function",
    "function": {"name": "add", "arguments": '{"a": 1, "b": 2}'},
}


class SlowProvider:
    """`asked`: the bodies of its requests. `seconds`: how long it thinks. `refusals`: so often it answers 429 first.

    `looks`: how often it was asked for a response that it makes in the background.
    """

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self.keys: set[str] = set()
        self.seconds = 0.0
        self.refusals = 0
        self.looks = 0
        self.url = ""
        self._ready: dict[str, tuple[float, dict[str, Any]]] = {}

    def answer(self, headers: Any, asked: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        self.asked.append(asked)
        self.keys.add(headers["authorization"])
        if self.refusals:
            self.refusals -= 1
            return 429, {"error": {"message": "Slow down.", "type": "rate_limit"}}
        time.sleep(self.seconds)
        first = bool(asked.get("tools")) and asked["messages"][-1]["role"] != "tool"
        message = {"role": "assistant", "content": None if first else "Thought."} | (
            {"tool_calls": [_CALL]} if first else {}
        )
        choice = {"index": 0, "finish_reason": "tool_calls" if first else "stop", "message": message}
        usage = {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110}
        return 200, {
            "id": "chatcmpl_1",
            "object": "chat.completion",
            "created": 1_800_000_000,
            "model": asked["model"],
            "choices": [choice],
            "usage": usage,
        }

    def begin(self, asked: dict[str, Any]) -> dict[str, Any]:
        self.asked.append(asked)
        response_id = f"resp_{len(self.asked)}"
        first = bool(asked.get("tools")) and asked["input"][-1].get("type") != "function_call_output"
        text = {"type": "output_text", "text": "Thought.", "annotations": []}
        said = {"type": "message", "id": "msg_1", "status": "completed", "role": "assistant", "content": [text]}
        called = {"type": "function_call", "id": "fc_1", "call_id": "call_1", "status": "completed"}
        output = called | _CALL["function"] if first else said
        made = {"id": response_id, "object": "response", "created_at": 1_800_000_000, "model": asked["model"]}
        made |= {"parallel_tool_calls": True, "tool_choice": "auto", "tools": [], "background": True}
        self._ready[response_id] = time.monotonic() + self.seconds, made | {"output": [output]}
        return made | {"status": "queued", "output": []}

    def look(self, response_id: str) -> dict[str, Any]:
        self.looks += 1
        ready_at, made = self._ready[response_id]
        if time.monotonic() < ready_at:
            return made | {"status": "in_progress", "output": []}
        details = {"input_tokens_details": {"cached_tokens": 0}, "output_tokens_details": {"reasoning_tokens": 0}}
        usage = {"input_tokens": 100, "output_tokens": 10, "total_tokens": 110} | details
        return made | {"status": "completed", "usage": usage}


@contextmanager
def slow_provider() -> Iterator[SlowProvider]:
    provider = SlowProvider()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
            if asked.get("background"):
                self._answer(200, provider.begin(asked))
            else:
                self._answer(*provider.answer(self.headers, asked))

        def do_GET(self) -> None:
            self._answer(200, provider.look(self.path.rpartition("/")[2]))

        def _answer(self, status: int, answer: dict[str, Any]) -> None:
            body = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            if status == 429:
                self.send_header("retry-after", "1")
            self.end_headers()
            self.wfile.write(body)

        def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    provider.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield provider
    finally:
        server.shutdown()
        server.server_close()
        thread.join()

"""A job's parts as the lines of its timeline. Pure: the same parts always give the same lines.

Invariant: a line's key never changes, so a page can replace an older line by its key. A part that a newer version adds
to the stream is shown by its name, never an error.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from baton.server.console.shown import one_line, usd
from baton_events.timestamps import rfc3339

_EVENT_NAMES = {
    "agent.loop.init": "model",
    "agent.tool.call": "tool",
    "tool.execution.complete": "result",
    "tool.execution.failed": "failure",
}
# Covered by another line, or by the list of tool calls.
_SHOWN_ELSEWHERE = frozenset({"start", "start-step", "finish-step", "text-end", "tool-input-start", "tool-input-delta"})


@dataclass(frozen=True, slots=True)
class Line:
    """One line.

    `kind`: its style. what: its subject in a word. text: the rest; `prose`: it may take several lines. `open`: it may
    still grow.
    """

    key: str
    kind: str
    what: str
    text: str = ""
    prose: bool = False
    open: bool = False
    at_ms: int | None = None
    duration_ms: int | None = None

    @property
    def of_engine(self) -> bool:
        """Whether it is about a handled event, which the picture of the run also shows."""
        return self.duration_ms is not None


class Timeline:
    """Takes parts in order; `lines` are all so far. `position`: the number of the last part."""

    def __init__(self, position: int = 0) -> None:
        self.lines: dict[str, Line] = {}
        self.position = position
        self._tools: dict[str, str] = {}

    def take(self, parts: Iterable[str]) -> list[Line]:
        """Return the lines that these parts add or change, each once."""
        changed: dict[str, Line] = {}
        for text in parts:
            self.position += 1
            line = self._readable(json.loads(text))
            if line is not None:
                changed[line.key] = self.lines[line.key] = line
        return list(changed.values())

    def _readable(self, part: dict[str, Any]) -> Line | None:
        try:
            return self._line(part)
        except (KeyError, TypeError, ValueError, AttributeError):  # of another version, in another shape
            return self._new("other", str(part.get("type") or "a part"), one_line(part))

    def _line(self, part: dict[str, Any]) -> Line | None:
        kind, data = str(part.get("type", "")), part.get("data")
        if kind in _SHOWN_ELSEWHERE:
            return self._closed(part) if kind == "text-end" else None
        if kind.startswith("text-"):
            return self._described(part)
        if kind.startswith("tool-"):
            return self._tool(kind, part)
        if kind.startswith("data-") and isinstance(data, dict):
            return self._data(kind.removeprefix("data-"), data)
        return self._end(kind, part)

    def _new(self, kind: str, what: str, text: str = "", **more: Any) -> Line:
        return Line(f"part-{self.position}", kind, what, text, **more)

    def _described(self, part: dict[str, Any]) -> Line:
        key = f"says-{part['id']}"
        known = self.lines.get(key) or Line(key, "text", "says", prose=True, open=True)
        return replace(known, text=known.text + str(part.get("delta", "")))

    def _closed(self, part: dict[str, Any]) -> Line | None:
        known = self.lines.get(f"says-{part['id']}")
        return replace(known, open=False) if known else None

    def _tool(self, kind: str, part: dict[str, Any]) -> Line | None:
        call_id = str(part.get("toolCallId", ""))
        if kind == "tool-input-available":
            self._tools[call_id] = str(part["toolName"])
            return self._new("call", f"asks {part['toolName']}", one_line(part["input"]))
        name = self._tools.get(call_id, "a tool")
        if kind == "tool-output-error":
            return self._new("bad", f"{name} failed", one_line(part["errorText"]))
        return self._new("good", f"{name} answers", one_line(part["output"]))

    def _data(self, kind: str, data: dict[str, Any]) -> Line | None:
        shows = getattr(self, f"_{kind.replace('-', '_')}", None)
        if shows is None:
            return self._new("other", kind.replace("-", " "), one_line(data))
        line: Line | None = shows(data)
        return line

    def _event(self, data: dict[str, Any]) -> Line:
        name = _EVENT_NAMES.get(data["type"], data["type"])
        what = f"{name} {data['tool']}" if data.get("tool") else f"{name}, turn {data['turn']}"
        attempt = f" (attempt {data['attempt']})" if data["attempt"] > 1 else ""
        failure = data.get("failure")
        why = f": {failure['type']}: {failure['message']}" if failure else ""
        if failure and str(failure["message"]) in str(data["outcome"]):
            why = ""
        kind = "bad" if failure else "event"
        text = f"{data['outcome']}{attempt}{why}"
        return self._new(kind, what, text, at_ms=data["at"], duration_ms=data["durationMs"])

    def _plan_created(self, data: dict[str, Any]) -> Line:
        steps = [f"{step['step']} = {step['tool']}{_after(step['dependsOn'])}" for step in data["steps"]]
        return self._new("plan", f"plan of {len(steps)} steps", "\n".join(steps), prose=True)

    def _step_started(self, data: dict[str, Any]) -> Line:
        return self._new("plan", f"step {data['step']}", "begins")

    def _step_completed(self, data: dict[str, Any]) -> Line:
        error = data.get("error")
        why = f": {error['message']}" if error else ""
        return self._new("bad" if error else "plan", f"step {data['step']}", f"{data['status']}{why}")

    def _reflection(self, data: dict[str, Any]) -> Line:
        return self._new("plan", "reflects", str(data["text"]), prose=True)

    def _checkpoint(self, data: dict[str, Any]) -> Line:
        about = data.get("data")
        text = str(data.get("title", "")) + (f" {one_line(about)}" if about not in (None, {}, "") else "")
        return self._new("mark", f"checkpoint, {data.get('status', '')}", text)

    def _operation(self, data: dict[str, Any]) -> Line:
        until = f" until {rfc3339(data['until'])}" if "until" in data else ""
        for_what = data.get("jobId") or data.get("event") or data.get("operationId") or ""
        return self._new("mark", f"{data['tool']} {data['status']}", f"{for_what}{until}".strip())

    def _progress(self, data: dict[str, Any]) -> Line:
        key = f"progress-{data.get('callId', '')}"
        text = f"{data['fraction']:.0%} {data['text']}".strip()
        return Line(key, "mark", f"{self._tools.get(data.get('callId', ''), 'a tool')} at", text)

    def _usage(self, data: dict[str, Any]) -> Line | None:
        if not (data["inputTokens"] or data["outputTokens"]):
            return None
        cached = ", from the cache" if data.get("cached") else ""
        tokens = f"{data['inputTokens']} tokens in, {data['outputTokens']} out"
        return self._new("other", f"used in turn {data['turn']}", f"{tokens}, {usd(data['costUsd'])}{cached}")

    def _memory(self, data: dict[str, Any]) -> Line:
        warnings = "".join(f"; {warning}" for warning in data["warnings"])
        return self._new("other", "memory", f"{data['entries']} entries retrieved{warnings}")

    def _retry(self, data: dict[str, Any]) -> Line:
        known = self.lines.get(f"says-{data.get('textId', '')}")
        if known is not None:
            return replace(known, kind="left", what="said, and left", open=False)
        return self._new("other", "runs again", one_line(data))

    def _end(self, kind: str, part: dict[str, Any]) -> Line:
        match kind:
            case "finish":
                status = str((part.get("messageMetadata") or {}).get("status", ""))
                return self._new("good" if status == "completed" else "bad", "ends", status)
            case "error":
                return self._new("bad", "error", str(part["errorText"]), prose=True)
            case "abort":
                return self._new("bad", "stopped", str(part.get("reason", "")))
        return self._new("other", kind or "a part", one_line(part))


def _after(steps: list[str]) -> str:
    return f", after {' and '.join(steps)}" if steps else ""

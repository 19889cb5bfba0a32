"""The lines that one job's parts are shown as: each event, then what belongs to it.

Only formats. Invariant: everything from the job is plain text on one line: control characters are taken out, markup is
not interpreted. On the stream an event comes after what belongs to it, so that is kept until its event comes.
"""

import json
from typing import Any

from rich.text import Text

from baton.sdk.records.stream_part import DataPart, StreamPart, ToolFailure, ToolInput, ToolOutput, left_out
from baton_events.timestamps import rfc3339

INDENT = 9
INDENT_PER_LEVEL = 2
EVENT_STYLES = {
    "agent.loop.init": "bold blue",
    "agent.tool.call": "cyan",
    "tool.execution.complete": "green",
    "tool.execution.failed": "bold red",
}
_TIME_OF_DAY = slice(11, 19)


class JobLines:
    """One job; `name` is said on every line of a job below another one, `depth` levels down."""

    def __init__(self, name: str = "", depth: int = 0) -> None:
        self._name = f"{name} " if depth and name else ""
        self._left = " " * (INDENT_PER_LEVEL * depth)
        self._tools: dict[str, str] = {}
        self._steps: dict[str, str] = {}
        self._text = ""
        self._calls = False
        self._details: list[Text] = []

    def of(self, part: StreamPart, elapsed_seconds: float) -> list[Text]:
        """Return the lines to show now; none, while the event that the part belongs to is still to come."""
        match part["type"]:
            case "data-event" | "data-lost":
                return self._event(part["data"], elapsed_seconds)
            case "tool-input-available" | "tool-output-available" | "tool-output-error":
                self._call(part)
            case "error":
                self._detail("", f"error: {part['errorText']}", "bold red")
            case "text-delta":
                self._text += part["delta"]
            case "data-retry":
                self._text = ""
            case "start" | "start-step" | "finish-step" | "text-start" | "text-end" | "abort" | "finish":
                pass
            case _:
                self._kept(part)
                return self._at_once(part)
        return []

    def _call(self, part: ToolInput | ToolOutput | ToolFailure) -> None:
        call_id = part["toolCallId"]
        match part["type"]:
            case "tool-input-available":
                self._calls, self._tools[call_id] = True, part["toolName"]
                self._detail(call_id, compact(part["input"]), "cyan")
            case "tool-output-available":
                self._detail(call_id, f"-> {compact(part['output'])}", "green")
            case "tool-output-error":
                self._detail(call_id, f"failed: {part['errorText']}", "red")
            case unknown:
                left_out(unknown)

    def _at_once(self, part: DataPart) -> list[Text]:
        """Return lines for parts of an event being handled, whose own line comes at its end."""
        data = part.get("data") or {}
        match part["type"]:
            case "data-step-started":
                return [self._line(f"step {data['step']} begins", "magenta")]
            case "data-progress":
                return [self._line(f"progress {data['fraction']:.0%} {data['text']}".rstrip(), "dim")]
            case "data-checkpoint":
                return [self._line(f"checkpoint ({data['type']}, {data['status']}): {data['title']}", "bold yellow")]
            case _:
                return []

    def _kept(self, part: DataPart) -> None:
        data = part.get("data") or {}
        match part["type"]:
            case "data-memory":
                self._memory(data)
            case "data-operation":
                self._operation(data)
            case "data-plan-created":
                for step in data["steps"]:
                    self._steps[step["callId"]] = step["step"]
                    after = f", after {' and '.join(step['dependsOn'])}" if step["dependsOn"] else ""
                    self._detail("", f"plan: step {step['step']} = {step['tool']}{after}", "magenta")
            case "data-step-completed":
                self._detail("", f"step {data['step']} is over: {data['status']}", "magenta")
            case "data-cut":
                self._detail("", "cut off by its length limit", "bold yellow")
            case "data-reflection":
                self._detail("", f"reflects: {data['text']}", "italic magenta")
            case "data-step-started" | "data-progress" | "data-checkpoint" | "data-event" | "data-lost" | "data-retry":
                pass  # at once
            case "data-job-cancelling":
                self._detail("", f"{data['message']}: the workflow cleans up", "italic magenta")
            case "data-usage" | "data-message" | "data-job-retried":
                pass
            case unknown:
                left_out(unknown)

    def _event(self, event: dict[str, Any], elapsed_seconds: float) -> list[Text]:
        kind, tool = event["type"], event.get("tool")
        step = self._steps.get(event.get("callId", ""), "")
        what = f"{step} ({tool})" if step else tool or f"turn {event['turn']}"
        line = Text.assemble(
            (f"{elapsed_seconds:6.2f}s", "dim"),
            f"  {self._left}",
            (f"{kind:<23}", EVENT_STYLES.get(kind, "")),
            f" {event['durationMs']:>5} ms  {event['attempt']:>3}  ",
            (f"{self._name}{what}: ", "bold"),
            plain(str(event["outcome"])),
        )
        lines = [line]
        if self._text and self._calls:  # with no tool call after it, it is the answer and has a place of its own
            lines.append(self._line(f'"{self._text}"', "italic"))
        lines += self._details
        self._text, self._calls, self._details = "", False, []
        return lines

    def _memory(self, data: dict[str, Any]) -> None:
        many = data["entries"]
        found = f"{many} {'entry' if many == 1 else 'entries'} retrieved" if many else "nothing is remembered yet"
        self._detail("", f"memory: {found}{''.join(f'; {warning}' for warning in data['warnings'])}", "yellow")

    def _operation(self, data: dict[str, Any]) -> None:
        if data["status"] != "waiting":
            return
        what = "to be completed from outside" if "operationId" in data else ""
        if "jobId" in data:
            what = f"for its job ….{data['jobId'].rpartition('.')[2]}"
        elif "event" in data:
            what = f"for the event {data['event']!r}"
        until = f"until {rfc3339(data['until'])[_TIME_OF_DAY]} UTC" if "until" in data else ""
        self._detail(data["callId"], f"waits, at no cost, {', '.join(filter(None, (what, until)))}", "yellow")

    def _detail(self, call_id: str, text: str, style: str) -> None:
        prefix = f"{self._tools[call_id]} " if call_id in self._tools else ""
        self._details.append(self._line(prefix + text, style))

    def _line(self, text: str, style: str) -> Text:
        return Text(" " * INDENT + self._left + plain(text), style=style)


def plain(text: str) -> str:
    """Return the text as one line of printable characters."""
    return "".join(character if character.isprintable() else " " for character in text)


def compact(value: Any) -> str:
    """Return a text as it is, any other value as JSON; a reference to a step's result as `<step.path>`."""
    shown = _readable(value)
    return shown if isinstance(shown, str) else json.dumps(shown, ensure_ascii=False, separators=(", ", ": "))


def _readable(value: Any) -> Any:
    match value:
        case {"$resultOf": {"step": step, "path": list() as path}} if len(value) == 1:
            return f"<{'.'.join(map(str, [step, *path]))}>"
        case dict():
            return {name: _readable(inner) for name, inner in value.items()}
        case list():
            return [_readable(inner) for inner in value]
        case _:
            return value

"""What the demo shows: one line per event as it happens, then the answer and the bill.

Only formats and prints; it decides nothing. Invariant: one line stays one line, cut to the width of the terminal, and
everything reads well in 80 columns and without colour. Text from the job is shown as plain text: control characters
are taken out, markup is not interpreted.
"""

import json
from collections import deque
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from infra.cli.demo.cost import Cost

ANSWER_WIDTH = 100
ANSWER_INDENT = "  "
INDENT = 9
LOG_LINES_KEPT = 12
EVENT_STYLES = {
    "agent.loop.init": "bold blue",
    "agent.tool.call": "cyan",
    "tool.execution.complete": "green",
    "tool.execution.failed": "bold red",
}


class DemoView:
    """The demo on a screen; also hears what the stack has to say."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._tools: dict[str, str] = {}
        self._text = ""
        self._details: list[Text] = []
        self._log_lines: deque[str] = deque(maxlen=LOG_LINES_KEPT)
        self.events = 0

    def say(self, text: str, style: str = "") -> None:
        """Print one line."""
        self._line(Text(_plain(text), style=style))

    def begin(self, job_type: str, task: str, job_id: str) -> None:
        """Show the job, and the heads of the columns."""
        self._line(Text.assemble(("Question  ", "bold"), _plain(task)))
        self._line(Text.assemble(("Job       ", "bold"), f"{job_id} (agent {job_type})"))
        self._line(Text(""))
        self._line(Text(f"{'time':>7}  {'event':<23} {'took':>8}  try  what happened", style="dim"))

    def part(self, part: dict[str, Any], elapsed_seconds: float) -> None:
        """Show one part of the job's stream."""
        match part.get("type"):
            case "data-event":
                self._event(part["data"], elapsed_seconds)
            case "tool-input-available":
                self._tools[part["toolCallId"]] = part["toolName"]
                self._detail(part["toolCallId"], _compact(part["input"]), "cyan")
            case "tool-output-available":
                self._detail(part["toolCallId"], f"-> {_compact(part['output'])}", "green")
            case "tool-output-error":
                self._detail(part["toolCallId"], f"failed: {part['errorText']}", "red")
            case "error":
                self._detail("", f"error: {part['errorText']}", "bold red")
            case "text-delta":
                self._text += part["delta"]

    def notice(self, name: str, line: str) -> None:
        """Show what the supervisor says about a part."""
        self.say(f"  !!  {name} {line}", "yellow")

    def log_line(self, name: str, line: str) -> None:
        """Keep a line of a part's log, in case the demo fails."""
        self._log_lines.append(f"{name} | {line}")

    def show_last_log_lines(self) -> None:
        """Show what the parts' logs last complained about."""
        for line in self._log_lines:
            self.say(line, "dim")

    def answer(self, text: str) -> None:
        """Show the job's answer, wrapped."""
        self._line(Text(""))
        self._line(Text("Answer", style="bold"))
        shown = Text("\n".join(_plain(line) for line in text.splitlines()))
        for line in shown.wrap(self._console, min(self._console.width, ANSWER_WIDTH) - len(ANSWER_INDENT)):
            self._line(Text(ANSWER_INDENT + line.plain.rstrip()))

    def bill(self, cost: Cost, wall_seconds: float) -> None:
        """Show what the job cost."""
        per_event = max(self.events, 1)
        table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
        table.add_column(style="bold")
        table.add_column(justify="right")
        table.add_column(style="dim")
        table.add_row("Events handled", str(self.events), "each one signed webhook, no state in between")
        table.add_row("Queue messages", str(cost.messages), f"{cost.deliveries} deliveries")
        table.add_row(
            "Redis requests",
            str(cost.redis_requests),
            f"{cost.redis_requests / per_event:.1f} per event, reading this stream included",
        )
        table.add_row("Redis commands", str(cost.redis_commands), f"{cost.redis_commands / per_event:.1f} per event")
        table.add_row("Wall time", f"{wall_seconds:.2f} s", "")
        self._line(Text(""))
        self._console.print(table)
        self._line(Text(""))

    def _event(self, event: dict[str, Any], elapsed_seconds: float) -> None:
        """Show the event's line, then what belongs to it: those parts come before it on the stream."""
        self.events += 1
        kind = event["type"]
        what = event["tool"] if event.get("tool") else f"turn {event['turn']}"
        self._line(
            Text.assemble(
                (f"{elapsed_seconds:6.2f}s", "dim"),
                "  ",
                (f"{kind:<23}", EVENT_STYLES.get(kind, "")),
                f" {event['durationMs']:>5} ms  {event['attempt']:>3}  ",
                (f"{what}: ", "bold"),
                _plain(str(event["outcome"])),
            )
        )
        if self._text and self._details:  # with no tool call after it, it is the answer and has a place of its own
            self._line(Text(" " * INDENT + _plain(f'"{self._text}"'), style="italic"))
        for detail in self._details:
            self._line(detail)
        self._text, self._details = "", []

    def _detail(self, call_id: str, text: str, style: str) -> None:
        """Keep a line until its event comes."""
        prefix = f"{self._tools[call_id]} " if call_id in self._tools else ""
        self._details.append(Text(" " * INDENT + _plain(prefix + text), style=style))

    def _line(self, text: Text) -> None:
        self._console.print(text, no_wrap=True, overflow="ellipsis", highlight=False)


def _plain(text: str) -> str:
    """Return the text as one line of printable characters."""
    return "".join(character if character.isprintable() else " " for character in text)


def _compact(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(", ", ": "))

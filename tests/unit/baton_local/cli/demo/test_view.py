import io
from typing import Any

import pytest
from rich.console import Console

from baton_local.cli.demo.view import Cost, DemoView, Member


@pytest.fixture
def screen() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def view(screen: io.StringIO) -> DemoView:
    return DemoView(Console(file=screen, width=80, no_color=True, force_terminal=False))


def event(**data: Any) -> Any:
    usual = {"type": "agent.tool.call", "turn": 2, "attempt": 1, "durationMs": 12, "outcome": "done", "tool": "look"}
    return {"type": "data-event", "data": usual | data}


def test_long_values_are_cut_to_the_width(view: DemoView, screen: io.StringIO) -> None:
    view.part({"type": "tool-input-available", "toolCallId": "c", "toolName": "look", "input": {"x": "y" * 200}}, 0)
    view.part({"type": "tool-output-available", "toolCallId": "c", "output": "a\nb\x1b[31m" * 50}, 0)
    view.part(event(), 0)
    _, *lines = screen.getvalue().splitlines()
    assert len(lines) == 2
    assert all(len(line) == 80 and line.endswith("…") for line in lines)
    assert "look -> a b [31m" in lines[1]


def test_a_failed_call_is_shown_with_its_error(view: DemoView, screen: io.StringIO) -> None:
    """And the bill counts per event."""
    view.part({"type": "tool-input-available", "toolCallId": "c", "toolName": "look", "input": {}}, 0)
    view.part({"type": "tool-output-error", "toolCallId": "c", "errorText": "no such file"}, 0)
    view.part(event(), 0)
    assert "look failed: no such file" in screen.getvalue()
    view.part(event(), 0)
    view.bill(Cost(messages=5, deliveries=6, redis_requests=4, redis_commands=21), 1.5)
    shown = screen.getvalue()
    for text in ("2.0 per event", "10.5 per event", "1.50 s"):
        assert text in shown
    assert max(map(len, shown.splitlines())) <= 80


def test_jobs_do_not_mix(view: DemoView, screen: io.StringIO) -> None:
    """What belongs to the event of one is not shown with the event of another; both count."""
    below = Member("b", 1, "helper")
    view.part({"type": "tool-input-available", "toolCallId": "c", "toolName": "look", "input": {}}, 0, below)
    view.part(event(outcome="above"), 0, Member("a"))
    view.part(event(outcome="below"), 0, below)
    lines = [line.strip() for line in screen.getvalue().splitlines()]
    assert [line.split()[-1] for line in lines] == ["above", "below", "{}"]
    assert view.events == 2


def test_errors_in_logs_are_shown_only_when_requested(view: DemoView, screen: io.StringIO) -> None:
    """A demo that fails tells the last of them; notices are shown at once."""
    view.notice("app", "ended by itself")
    for number in range(20):
        view.log_line("app", f"line {number}")
    assert screen.getvalue().splitlines() == ["  !!  app ended by itself"]
    view.show_last_log_lines()
    assert screen.getvalue().splitlines()[-1] == "app | line 19"
    assert "line 3" not in screen.getvalue()


def test_without_colour_there_are_no_escape_codes(view: DemoView, screen: io.StringIO) -> None:
    """Markup in a job's text is shown as it is."""
    view.show("hello", "bold red")
    view.show_task("research", "Why?", "job_1")
    view.show_answer("Light bends [fresnel-lens.md] [bold]really[/bold].")
    assert "\x1b" not in screen.getvalue()
    assert "Light bends [fresnel-lens.md] [bold]really[/bold]." in screen.getvalue()

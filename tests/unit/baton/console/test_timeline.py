"""Parts become lines; the same parts always the same lines."""

import json

from baton.console.timeline import Timeline
from baton.engine import stream_parts


def _part(kind: str, **fields: object) -> str:
    return json.dumps({"type": kind, **fields})


def test_text_that_streams_is_one_line_that_grows() -> None:
    """It keeps its key, and is open until its end."""
    timeline = Timeline()
    first = timeline.take(stream_parts.text("text-1", "Hel")[:2])
    second = timeline.take([_part("text-delta", id="text-1", delta="lo"), _part("text-end", id="text-1")])
    assert [(line.key, line.text, line.open) for line in (*first, *second)] == [
        ("says-text-1", "Hel", True),
        ("says-text-1", "Hello", False),
    ]


def test_text_that_was_left_is_marked() -> None:
    """An attempt that was abandoned is not the answer."""
    timeline = Timeline()
    timeline.take(stream_parts.text("text-1", "Hel"))
    (line,) = timeline.take([_part("data-retry", data={"textId": "text-1"})])
    assert (line.key, line.kind, line.text) == ("says-text-1", "left", "Hel")


def test_what_comes_in_one_go_or_part_by_part_is_the_same() -> None:
    """So a browser that comes back sees what one that stayed sees."""
    found = [
        *stream_parts.text("text-1", "a"),
        _part("tool-input-available", toolCallId="c", toolName="add", input={"a": 1}),
    ]
    found += [_part("data-progress", data={"callId": "c", "fraction": 0.5, "text": "half"})] * 2
    found += [stream_parts.tool_output("c", "3"), *stream_parts.finish("completed")]
    at_once, one_by_one = Timeline(), Timeline()
    at_once.take(found)
    for part in found:
        one_by_one.take([part])
    assert at_once.lines == one_by_one.lines
    assert [line.what for line in at_once.lines.values()] == ["says", "asks add", "add at", "add answers", "ends"]


def test_what_a_newer_version_says_is_shown_by_its_name() -> None:
    """Unknown kinds of parts are no error."""
    lines = Timeline().take([_part("data-something-new", data={"a": 1}), _part("brand-new"), _part("data-odd", data=3)])
    assert [line.what for line in lines] == ["something new", "brand-new", "data-odd"]


def test_a_part_in_another_shape_is_shown_as_it_is() -> None:
    """Of another version's code; nothing that a job says breaks its page."""
    lines = Timeline().take([_part("data-event", data={"type": 3}), _part("text-delta"), _part("tool-output-error")])
    assert [line.what for line in lines] == ["data-event", "text-delta", "tool-output-error"]

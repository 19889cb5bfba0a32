"""Server-sent events."""

import pytest

from baton.client.requests import Events


@pytest.mark.parametrize("size", [1, 3, 100])
def test_events_have_ids_and_data_of_several_lines(size: int) -> None:
    text, events = "id: 1-0\ndata: a\ndata: b\n\ndata:c\r\n\r\n", Events()
    pieces = [text[start : start + size] for start in range(0, len(text), size)]
    assert [event for piece in pieces for event in events.take(piece)] == [("1-0", "a\nb"), ("", "c")]


def test_heartbeats_and_unfinished_events_are_nothing_and_the_server_says_when_to_come_back() -> None:
    """A comment begins with a colon; what is cut off did not arrive; a time that is no number is passed over."""
    events = Events()
    assert events.take("retry: 30000\n\nretry: soon\nretry: ²\n\n: still here\n\nevent: x\n\ndata: cut off") == []
    assert events.retry_seconds == 30

"""Server-sent events."""

from baton_local.cli.job_stream import ServerSentEvent, SseLines


def events(text: str) -> list[ServerSentEvent]:
    """Read a whole stream."""
    lines = SseLines()
    return [event for line in text.split("\n") if (event := lines.decode(line)) is not None]


def test_events_have_ids_and_data_of_several_lines() -> None:
    """A blank line ends each."""
    assert events("id: 1-0\ndata: a\ndata: b\n\ndata:c\n\n") == [ServerSentEvent("a\nb", "1-0"), ServerSentEvent("c")]


def test_heartbeats_and_unfinished_events_are_nothing() -> None:
    """A comment begins with a colon; what is cut off did not arrive."""
    assert events(": still here\n\nevent: x\n\ndata: cut off") == []


def test_the_server_says_when_it_wants_its_reader_back() -> None:
    """A number of milliseconds; anything else is passed over."""
    lines = SseLines()
    for line in ("retry: 30000", "", "retry: soon", "retry: ²"):
        assert lines.decode(line) is None
    assert lines.retry_seconds == 30

"""Promises of the schema and the core that are not kept yet."""

import json

import pytest

from baton.engine import stream_parts
from baton.engine.state import CallRecord
from baton_events.errors import MalformedEventError
from baton_events.schema import parse_event


@pytest.mark.parametrize("kind", [[], {}, ["agent.loop.init"]])
def test_a_type_that_is_no_text_is_malformed(kind: object) -> None:
    """Now TypeError (unhashable), so the edge answers 500 and the queue repeats it."""
    with pytest.raises(MalformedEventError, match="unknown event type"):
        parse_event(json.dumps({"type": kind}).encode())


@pytest.mark.parametrize("body", [b"[" * 100_000, b'{"type":"agent.loop.init","a":' * 3_000])
def test_json_that_is_nested_too_deeply_is_malformed(body: bytes) -> None:
    """Now RecursionError from json.loads, so 500; the failure callback's own parse fails the same way."""
    with pytest.raises(MalformedEventError):
        parse_event(body)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_number_that_json_does_not_have_is_never_written(value: float) -> None:
    """`NaN` in a part would break every browser's JSON.parse."""
    with pytest.raises(ValueError, match="not JSON compliant"):
        stream_parts.tool_input(CallRecord("c", 1, 0, "unknown", {"x": value}))

"""The wire: names, topics, endpoints, payloads, and what is refused."""

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import to_builtins
from msgspec.structs import replace

from baton_events.errors import MalformedEventError, NewerVersionError
from baton_events.schema import (
    DELIVERY_FAILED_ENDPOINT,
    ENDPOINTS,
    SWEEP_ENDPOINT,
    TOPIC_SUFFIXES,
    AgentLoopInit,
    Event,
    EventType,
    LoopPayload,
    Submission,
    encode_event,
    event_type,
    parse_event,
)
from tests.unit.baton_events.sample_events import EVENTS, LOOP_INIT, SUBMISSION, SUBMITTED, TOOL, TOOL_CALL

# decisions/0002-four-events, word by word: event type, topic with the prefix `agent`, endpoint.
TABLE = [
    ("agent.loop.init", "agent.agent-loop-init", "/workers/agent-loop"),
    ("agent.tool.call", "agent.agent-tool-call", "/workers/tool-executor"),
    ("tool.execution.complete", "agent.tool-execution-complete", "/workers/tool-result-complete"),
    ("tool.execution.failed", "agent.tool-execution-failed", "/workers/tool-result-failed"),
]


def wire(event: Event) -> dict[str, Any]:
    decoded: dict[str, Any] = json.loads(encode_event(event))
    return decoded


def body(**changes: Any) -> bytes:
    raw = {**wire(TOOL_CALL), **changes}
    return json.dumps({name: value for name, value in raw.items() if value is not None}).encode()


def test_types_topics_and_endpoints_are_those_of_the_design() -> None:
    """Two endpoints take no events."""
    found = [(kind.value, f"agent.{TOPIC_SUFFIXES[kind]}", ENDPOINTS[kind]) for kind in EventType]
    assert found == TABLE
    assert (DELIVERY_FAILED_ENDPOINT, SWEEP_ENDPOINT) == ("/workers/delivery-failed", "/workers/sweep")


@pytest.mark.parametrize("name", EVENTS)
def test_an_event_comes_back_as_it_was_sent(name: str) -> None:
    event = EVENTS[name]
    assert parse_event(encode_event(event).encode()) == event
    assert event_type(event) == event.type


def test_an_event_has_the_names_of_the_design_on_the_wire() -> None:
    """A tool call's holds neither arguments nor results.

    None is kept inside what a submission carries: the job is created from it a second time, after a failover, and must
    be the same.
    """
    assert wire(LOOP_INIT) == {
        "id": "evt_1",
        "type": "agent.loop.init",
        "sessionId": "session 1",
        "jobId": "job_1",
        "createdAt": "2026-11-20T09:03:25.120000Z",
        "schemaVersion": 1,
        "payload": {"turn": 2, "attempt": 3},
    }
    called = {"turn": 2, "position": 0, "callId": "job_1-2-0-aaaaaaaaaa", "tool": "read_file", "attempt": 3}
    assert wire(TOOL_CALL)["payload"] == called
    fact = {"kind": "submit", "job": SUBMISSION.job, "task": SUBMISSION.task}
    assert wire(SUBMITTED)["payload"] == {"turn": 1, "attempt": 1, "command": fact}


def test_what_a_newer_sender_adds_is_ignored_and_an_attempt_that_is_left_out_is_the_first() -> None:
    """A deploy may be half done."""
    payload = {**wire(TOOL_CALL)["payload"], "added": 1}
    assert parse_event(body(added={"a": 1}, payload=payload)) == TOOL_CALL
    event = parse_event(body(type="agent.loop.init", payload={"turn": 1}))
    assert isinstance(event, AgentLoopInit)
    assert event.payload == LoopPayload(turn=1, attempt=1)


@pytest.mark.parametrize(
    ("raw", "fault"),
    [
        *((raw, rf"not JSON \({len(raw)} bytes") for raw in (b"", b"not json", b"{", b"\xff\xfe{}", b"\x00")),
        *((raw, "not an object") for raw in (b"[]", b"null", b'"text"')),
        *((raw, "") for raw in (b"[" * 100_000, b'{"type":"agent.loop.init","a":' * 3_000)),
    ],
    ids=lambda value: repr(value)[:20],
)
def test_what_is_no_json_object_is_malformed(raw: bytes, fault: str) -> None:
    """However deeply it is nested: else a 500, which the queue repeats."""
    with pytest.raises(MalformedEventError) as caught:
        parse_event(raw)
    assert re.search(fault, str(caught.value))


@pytest.mark.parametrize("kind", ["agent.loop.stop", "AGENT.LOOP.INIT", 1, "agent.loop.init ", None, [], {}])
def test_an_unknown_type_is_malformed_and_named(kind: object) -> None:
    with pytest.raises(MalformedEventError, match=r"unknown event type .*agent\.loop\.init, agent\.tool\.call"):
        parse_event(json.dumps(wire(TOOL_CALL) | {"type": kind}).encode())


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"id": None}, "id"),
        ({"id": ""}, "id"),
        ({"id": "a b"}, "id"),
        ({"id": "a\n"}, "id"),
        ({"jobId": "a/b"}, "jobId"),
        ({"jobId": "j" * 201}, "jobId"),
        ({"sessionId": ""}, "sessionId"),
        ({"sessionId": "s" * 201}, "sessionId"),
        ({"createdAt": "2026-11-20T09:03:25"}, "createdAt"),
        ({"payload": None}, "payload"),
        ({"payload": {**to_builtins(TOOL), "turn": 0}}, "payload.turn"),
        ({"payload": {**to_builtins(TOOL), "position": -1}}, "payload.position"),
        ({"payload": {**to_builtins(TOOL), "callId": "a:b"}}, "payload.callId"),
        ({"payload": {**to_builtins(TOOL), "attempt": 0}}, "payload.attempt"),
        ({"id": "", "jobId": "", "payload": {}}, r"id: .*jobId: .*payload\.turn"),
    ],
)
def test_wrong_fields_are_malformed_and_all_named(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(MalformedEventError, match=rf"not a valid agent\.tool\.call: .*{field}: "):
        parse_event(body(**changes))


@pytest.mark.parametrize("version", [0, "1", 1.5, [1]])
def test_an_unknown_version_is_malformed_and_named(version: object) -> None:
    with pytest.raises(MalformedEventError, match=r"unknown schemaVersion .* of agent\.tool\.call: this code reads 1"):
        parse_event(body(schemaVersion=version))


@pytest.mark.parametrize("changes", [{}, {"type": "agent.loop.stop"}, {"payload": {"other": 1}}], ids=str)
def test_an_event_of_a_newer_version_is_left_to_that(changes: dict[str, object]) -> None:
    """In the middle of a deploy; whatever it holds, it is not malformed."""
    with pytest.raises(NewerVersionError, match="schemaVersion 2, this code reads 1"):
        parse_event(body(schemaVersion=2, **changes))


def test_a_command_of_an_unknown_kind_is_malformed() -> None:
    """A backup message that nobody can take in stays in the dead letter queue for a person."""
    with pytest.raises(MalformedEventError, match=r"payload\.command"):
        parse_event(body(type="agent.loop.init", payload={"turn": 1, "command": {"kind": "bribe"}}))


def test_an_event_never_changes() -> None:
    with pytest.raises(AttributeError, match="immutable"):
        setattr(TOOL_CALL.payload, "turn", 3)  # noqa: B010 - a type checker would refuse it, too


@given(st.binary(max_size=200))
def test_whatever_the_body_is_it_is_an_event_or_malformed(raw: bytes) -> None:
    with pytest.raises(MalformedEventError):
        parse_event(raw)


@given(st.text(min_size=1, max_size=200), st.text(max_size=50))
def test_any_session_and_tool_name_comes_back(session_id: str, tool: str) -> None:
    """Texts of all kinds; a lone surrogate cannot be a Python program's text on the wire, hypothesis leaves it out."""
    event = replace(TOOL_CALL, session_id=session_id, payload=replace(TOOL, tool=tool))
    assert parse_event(encode_event(event).encode()) == event


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


@given(st.dictionaries(st.text(), JSON_VALUES, max_size=3))
def test_any_task_comes_back_out_of_a_submission(data: dict[str, Any]) -> None:
    fact = Submission(job={"id": "job_1"}, task={"text": "", "data": data})
    event = replace(SUBMITTED, payload=LoopPayload(turn=1, command=fact))
    assert parse_event(encode_event(event).encode()) == event

"""The four core events on the wire: names, topics, endpoints, payloads, version (decisions/0002-four-events).

Invariant: a body that `parse_event` accepts is an event that every function of this version can handle; anything else
is a MalformedEventError, but for what a newer version has sent: that is left to it. Later versions read older ones
here, by `schemaVersion`, and nowhere else.
"""

import json
from datetime import datetime
from enum import StrEnum
from functools import lru_cache
from typing import Annotated, Any, ClassVar, Literal

from msgspec import Meta, Struct, ValidationError, convert, field
from msgspec.json import Decoder, Encoder
from msgspec.structs import fields, replace
from pydantic_core import to_jsonable_python

from baton_events.errors import MalformedEventError, NewerVersionError

SCHEMA_VERSION: Literal[1] = 1

Identifier = Annotated[str, Meta(min_length=1, max_length=200, pattern=r"^[A-Za-z0-9._-]+\Z")]
AwareDatetime = Annotated[datetime, Meta(tz=True)]
Count = Annotated[int, Meta(ge=1)]


class EventType(StrEnum):
    """The four core types."""

    LOOP_INIT = "agent.loop.init"
    TOOL_CALL = "agent.tool.call"
    TOOL_COMPLETE = "tool.execution.complete"
    TOOL_FAILED = "tool.execution.failed"


ENDPOINTS = {
    EventType.LOOP_INIT: "/workers/agent-loop",
    EventType.TOOL_CALL: "/workers/tool-executor",
    EventType.TOOL_COMPLETE: "/workers/tool-result-complete",
    EventType.TOOL_FAILED: "/workers/tool-result-failed",
}
DELIVERY_FAILED_ENDPOINT = "/workers/delivery-failed"
SWEEP_ENDPOINT = "/workers/sweep"
# Below it the queue brings the answers of requests that it sent for models.
ANSWERS_ENDPOINT = f"{ENDPOINTS[EventType.LOOP_INIT]}/answers"
# Of app events: each name has an endpoint below it (app_event.py).
EVENTS_ENDPOINT = "/workers/events"
WEBHOOK_ENDPOINTS = (*ENDPOINTS.values(), EVENTS_ENDPOINT, DELIVERY_FAILED_ENDPOINT, SWEEP_ENDPOINT)

# What follows the prefix and a dot in a topic's name: `agent.agent-loop-init`.
TOPIC_SUFFIXES = {
    EventType.LOOP_INIT: "agent-loop-init",
    EventType.TOOL_CALL: "agent-tool-call",
    EventType.TOOL_COMPLETE: "tool-execution-complete",
    EventType.TOOL_FAILED: "tool-execution-failed",
}


@lru_cache(128)
def function_of(endpoint: str) -> str:
    """Return the endpoint that a function is known by: all app events have one, and the one of turns takes answers."""
    if endpoint.startswith(f"{ANSWERS_ENDPOINT}/"):
        return ENDPOINTS[EventType.LOOP_INIT]
    return EVENTS_ENDPOINT if endpoint.startswith(f"{EVENTS_ENDPOINT}/") else endpoint


class WireRecord(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """camelCase on the wire; unknown fields are ignored, so that a newer sender may add some.

    A default is left out, but for one that is made anew: that is on the wire always. Fields are checked where they are
    read; what this code makes is right by its types.
    """


class Submission(WireRecord, frozen=True, kw_only=True, tag_field="kind", tag="submit"):
    """A job is submitted, in the first event and again in its backup message.

    `job`: the new job's state, `task`: what the model is asked; both as the store keeps them.
    """

    kind: ClassVar[str] = "submit"
    job: dict[str, Any]
    task: dict[str, Any]


class Cancellation(WireRecord, frozen=True, kw_only=True, tag_field="kind", tag="cancel"):
    """Somebody cancels this run of the job; `by`: who, for people. `rolls_back`: its session is to forget it.

    `force`: at once, also where its code would clean up.
    """

    kind: ClassVar[str] = "cancel"
    by: str = ""
    run: int = 1
    rolls_back: bool = False
    force: bool = False


class Retrial(WireRecord, frozen=True, kw_only=True, tag_field="kind", tag="retry"):
    """Somebody wants the job to run again after this run, which had ended; `by`: who, for people."""

    kind: ClassVar[str] = "retry"
    run: int = 1
    from_start: bool = False
    by: str = ""


class Removal(WireRecord, frozen=True, kw_only=True, tag_field="kind", tag="remove"):
    """Somebody deletes the data of the job, whose run this was; it had ended."""

    kind: ClassVar[str] = "remove"
    run: int = 1


class Completion(WireRecord, frozen=True, kw_only=True, tag_field="kind", tag="complete"):
    """An operation is completed from outside, in this run.

    `outcome`: `{"ok": …}` or `{"error": {type, message}}`.
    """

    kind: ClassVar[str] = "complete"
    call_id: Identifier
    outcome: dict[str, Any]
    run: int = 1


class Occurrence(WireRecord, frozen=True, kw_only=True, tag_field="kind", tag="event"):
    """Somebody sends an event that a job may wait for. `own`: its data as code gets it, where people see others."""

    kind: ClassVar[str] = "event"
    name: str
    data: Any = None
    own: Any = None


class Steering(WireRecord, frozen=True, kw_only=True, tag_field="kind", tag="steer"):
    """Somebody sends more to this run of the job: its model gets it before its next turn. `id`: of the message."""

    kind: ClassVar[str] = "steer"
    id: Identifier
    text: str
    data: dict[str, Any] | None = None
    run: int = 1


class Recurrence(WireRecord, frozen=True, kw_only=True, tag_field="kind", tag="recur"):
    """It is time for a schedule's next job; its event's `jobId` is the schedule's id.

    `job`: what the new job is made after, `task`: what its model is asked; empty where a list of schedules cannot open
    it. `schedule`: for people: cron and time zone.
    """

    kind: ClassVar[str] = "recur"
    job: dict[str, Any]
    task: dict[str, Any] = {}
    schedule: dict[str, Any]


Command = Submission | Cancellation | Retrial | Removal | Completion | Occurrence | Steering | Recurrence


class Spending(WireRecord, frozen=True, kw_only=True):
    """What a call has used of the store after its last write: the handler of its event keeps it with the job."""

    requests: int = 0
    commands: int = 0
    size_bytes: int = 0


class LoopPayload(WireRecord, frozen=True, kw_only=True):
    """`turn` and `attempt` count from 1.

    `slotRequest`: the request epoch of the job's slot request, where the event is one to the admission. `remember`: the
    job has ended, and is to be remembered. `notify`: its end is to be sent out;
    `release`: its workspace is to be released. `turn` is the run that ended.
    `announces`: the call that waits for a person, of which people get a notice; `escalated`: nobody decides.
    `command`: an API call's command, where the event is its backup message.
    `spent`: what the call that sent it has used of Redis since its last write.
    """

    turn: Count
    attempt: Count = field(default_factory=lambda: 1)
    slot_request: int | None = None
    remember: bool | None = None
    notify: bool | None = None
    release: bool | None = None
    announces: str | None = None
    escalated: bool | None = None
    command: Command | None = None
    spent: Spending | None = None


class ToolPayload(WireRecord, frozen=True, kw_only=True):
    """One tool call's attempt. Arguments and results are in the store, never on the wire.

    `wait`: the call waits for something from outside, or for a time, and this is its timer or what ends it. `step`: the
    call's name in a plan.
    """

    turn: Count
    position: Annotated[int, Meta(ge=0)]
    call_id: Identifier
    tool: str
    attempt: Count = field(default_factory=lambda: 1)
    wait: bool | None = None
    step: str | None = None


class BaseEvent(WireRecord, frozen=True, kw_only=True):
    """What every event has; `id` follows from content. `traceparent`: where in a trace it was dispatched."""

    id: Identifier
    session_id: Annotated[str, Meta(min_length=1, max_length=200)]
    job_id: Identifier
    created_at: AwareDatetime
    schema_version: Literal[1] = field(default_factory=lambda: SCHEMA_VERSION)
    traceparent: str | None = None


class AgentLoopInit(BaseEvent, frozen=True, kw_only=True, tag_field="type", tag="agent.loop.init"):
    """The next turn."""

    type: ClassVar[str] = "agent.loop.init"
    payload: LoopPayload

    def with_spent(self, spent: Spending | None) -> "AgentLoopInit":
        """Return the same event, of a call that has spent this."""
        return replace(self, payload=replace(self.payload, spent=spent))


class AgentToolCall(BaseEvent, frozen=True, kw_only=True, tag_field="type", tag="agent.tool.call"):
    """Run one tool call."""

    type: ClassVar[str] = "agent.tool.call"
    payload: ToolPayload


class ToolExecutionComplete(BaseEvent, frozen=True, kw_only=True, tag_field="type", tag="tool.execution.complete"):
    """A tool call returned; take its result in."""

    type: ClassVar[str] = "tool.execution.complete"
    payload: ToolPayload


class ToolExecutionFailed(BaseEvent, frozen=True, kw_only=True, tag_field="type", tag="tool.execution.failed"):
    """A tool call failed; retry it, or give the model the error."""

    type: ClassVar[str] = "tool.execution.failed"
    payload: ToolPayload


Event = AgentLoopInit | AgentToolCall | ToolExecutionComplete | ToolExecutionFailed

_DECODER: Decoder[Event] = Decoder(Event)
_ENCODER = Encoder(enc_hook=to_jsonable_python)  # of what a caller's task may hold
_EVENTS: dict[str, type[BaseEvent]] = {
    kind.type: kind for kind in (AgentLoopInit, AgentToolCall, ToolExecutionComplete, ToolExecutionFailed)
}


def event_type(event: Event) -> EventType:
    """Return the event's type as the enum that routes it."""
    return EventType(event.type)


def encode_event(event: WireRecord) -> str:
    """Return the event as the JSON text that goes on the wire."""
    return _ENCODER.encode(event).decode()


def parse_event(body: bytes) -> Event:
    """Parse the event in a request's body.

    Raises MalformedEventError: not JSON, not an object, an unknown type or version, or fields that are missing or
    wrong. NewerVersionError: its version is one that a newer version of this code knows.
    """
    try:
        return _DECODER.decode(body)
    except (ValueError, RecursionError) as error:
        refuse_newer(body, error)
        raise MalformedEventError(_what_is_wrong(body, error)) from error


def refuse_newer(body: bytes, error: Exception) -> None:
    """Leave an event to a newer version of this code, if one has sent it. Raises NewerVersionError: one has."""
    try:
        version = json.loads(body).get("schemaVersion")
    except (ValueError, AttributeError, RecursionError):
        return
    if isinstance(version, int) and not isinstance(version, bool) and version > SCHEMA_VERSION:
        raise NewerVersionError(
            f"an event has schemaVersion {version}, this code reads {SCHEMA_VERSION}: it comes again,"
            " until an instance of the newer version takes it"
        ) from error


def faults_of(values: dict[str, Any], kind: type[Struct], below: str = "") -> list[str]:
    """Return all faults of a record's fields: a decoder tells the first one."""
    faults: list[str] = []
    for one in fields(kind):
        name, value = f"{below}{one.encode_name}", values.get(one.encode_name)
        if one.encode_name not in values:
            faults += [f"{name}: is missing"] if one.required else []
        elif isinstance(value, dict) and isinstance(one.type, type) and issubclass(one.type, Struct):
            faults += faults_of(value, one.type, f"{name}.")
        else:
            try:
                convert(value, one.type)
            except (ValidationError, UnicodeEncodeError) as error:  # half a character is no text
                faults.append(f"{name}: {error}")
    return faults


def _what_is_wrong(body: bytes, error: Exception) -> str:
    try:
        raw = json.loads(body)
    except RecursionError:
        return "the body is nested too deeply: send an event as a flat JSON object"
    except ValueError:
        return f"the body is not JSON ({len(body)} bytes, beginning with {body[:40]!r}): send an event as a JSON object"
    if not isinstance(raw, dict):
        return f"the body is a JSON {type(raw).__name__}, not an object: send one event"
    if not isinstance(raw.get("type"), str) or raw["type"] not in ENDPOINTS:
        return f"unknown event type {raw.get('type')!r}: known are {', '.join(ENDPOINTS)}"
    version = raw.get("schemaVersion", SCHEMA_VERSION)
    if version != SCHEMA_VERSION:
        return f"unknown schemaVersion {version!r} of {raw['type']}: this code reads {SCHEMA_VERSION}"
    faults = faults_of(raw, _EVENTS[raw["type"]]) or [str(error)]
    return f"not a valid {raw['type']}: {'; '.join(faults)}"

"""The four core events on the wire: names, topics, endpoints, payloads, version (decisions/0002-four-events).

Invariant: a body that `parse_event` accepts is an event that every function of this version can handle; anything else
is a MalformedEventError, but for what a newer version has sent: that is left to it. Later versions read older ones
here, by `schemaVersion`, and nowhere else.
"""

import json
from enum import StrEnum
from functools import lru_cache
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.alias_generators import to_camel

from baton_events.errors import MalformedEventError, NewerVersionError

SCHEMA_VERSION: Literal[1] = 1

Identifier = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[A-Za-z0-9._-]+$")]


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


class WireModel(BaseModel):
    """camelCase on the wire; unknown fields are ignored, so that a newer sender may add some."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, frozen=True, extra="ignore")


class Submission(WireModel):
    """A job is submitted, in the first event and again in its backup message.

    `job`: the new job's state, `task`: what the model is asked; both as the store keeps them.
    """

    kind: Literal["submit"] = "submit"
    job: dict[str, Any]
    task: dict[str, Any]


class Cancellation(WireModel):
    """Somebody cancels this run of the job; `by`: who, for people. `rolls_back`: its session is to forget it."""

    kind: Literal["cancel"] = "cancel"
    by: str = ""
    run: int = 1
    rolls_back: bool = False


class Retrial(WireModel):
    """Somebody wants the job to run again after this run, which had ended; `by`: who, for people."""

    kind: Literal["retry"] = "retry"
    run: int = 1
    from_start: bool = False
    by: str = ""


class Removal(WireModel):
    """Somebody deletes the data of the job, whose run this was; it had ended."""

    kind: Literal["remove"] = "remove"
    run: int = 1


class Completion(WireModel):
    """An operation is completed from outside, in this run.

    `outcome`: `{"ok": …}` or `{"error": {type, message}}`.
    """

    kind: Literal["complete"] = "complete"
    call_id: Identifier
    outcome: dict[str, Any]
    run: int = 1


class Occurrence(WireModel):
    """Somebody sends an event that a job may wait for."""

    kind: Literal["event"] = "event"
    name: str
    data: Any = None


class Steering(WireModel):
    """Somebody sends more to this run of the job: its model gets it before its next turn. `id`: of the message."""

    kind: Literal["steer"] = "steer"
    id: Identifier
    text: str
    data: dict[str, Any] | None = None
    run: int = 1


class Recurrence(WireModel):
    """It is time for a schedule's next job; its event's `jobId` is the schedule's id.

    `job`: what the new job is made after, `task`: what its model is asked; empty where a list of schedules cannot open
    it. `schedule`: for people: cron and time zone.
    """

    kind: Literal["recur"] = "recur"
    job: dict[str, Any]
    task: dict[str, Any] = {}
    schedule: dict[str, Any]


Command = Annotated[
    Submission | Cancellation | Retrial | Removal | Completion | Occurrence | Steering | Recurrence,
    Field(discriminator="kind"),
]


class Spending(WireModel):
    """What a call has used of the store after its last write: the handler of its event keeps it with the job."""

    requests: int = 0
    commands: int = 0
    size_bytes: int = 0


class LoopPayload(WireModel):
    """`turn` and `attempt` count from 1.

    `slotRequest`: the request epoch of the job's slot request, where the event is one to the admission. `remember`: the
    job has ended, and is to be remembered. `notify`: its end is to be sent out;
    `release`: its workspace is to be released. `turn` is the run that ended.
    `announces`: the call that waits for a person, of which people get a notice; `escalated`: nobody decides.
    `command`: an API call's command, where the event is its backup message.
    `spent`: what the call that sent it has used of Redis since its last write.
    """

    turn: Annotated[int, Field(ge=1)]
    attempt: Annotated[int, Field(ge=1)] = 1
    slot_request: int | None = None
    remember: bool | None = None
    notify: bool | None = None
    release: bool | None = None
    announces: str | None = None
    escalated: bool | None = None
    command: Command | None = None
    spent: Spending | None = None


class ToolPayload(WireModel):
    """One tool call's attempt. Arguments and results are in the store, never on the wire.

    `wait`: the call waits for something from outside, or for a time, and this is its timer or what ends it. `step`: the
    call's name in a plan.
    """

    turn: Annotated[int, Field(ge=1)]
    position: Annotated[int, Field(ge=0)]
    call_id: Identifier
    tool: str
    attempt: Annotated[int, Field(ge=1)] = 1
    wait: bool | None = None
    step: str | None = None


class BaseEvent(WireModel):
    """What every event has; `id` follows from content. `traceparent`: where in a trace it was dispatched."""

    id: Identifier
    session_id: Annotated[str, Field(min_length=1, max_length=200)]
    job_id: Identifier
    created_at: AwareDatetime
    schema_version: Literal[1] = SCHEMA_VERSION
    traceparent: str | None = None


class AgentLoopInit(BaseEvent):
    """The next turn."""

    type: Literal["agent.loop.init"] = "agent.loop.init"
    payload: LoopPayload

    def with_spent(self, spent: Spending | None) -> "AgentLoopInit":
        """Return the same event, of a call that has spent this."""
        return self.model_copy(update={"payload": self.payload.model_copy(update={"spent": spent})})


class AgentToolCall(BaseEvent):
    """Run one tool call."""

    type: Literal["agent.tool.call"] = "agent.tool.call"
    payload: ToolPayload


class ToolExecutionComplete(BaseEvent):
    """A tool call returned; take its result in."""

    type: Literal["tool.execution.complete"] = "tool.execution.complete"
    payload: ToolPayload


class ToolExecutionFailed(BaseEvent):
    """A tool call failed; retry it, or give the model the error."""

    type: Literal["tool.execution.failed"] = "tool.execution.failed"
    payload: ToolPayload


Event = AgentLoopInit | AgentToolCall | ToolExecutionComplete | ToolExecutionFailed

_EVENT: TypeAdapter[Event] = TypeAdapter(Annotated[Event, Field(discriminator="type")])


def event_type(event: Event) -> EventType:
    """Return the event's type as the enum that routes it."""
    return EventType(event.type)


def encode_event(event: Event) -> str:
    """Return the event as the JSON text that goes on the wire."""
    return event.model_dump_json(by_alias=True, exclude_none=True)


def parse_event(body: bytes) -> Event:
    """Parse the event in a request's body.

    Raises:
        MalformedEventError: not JSON, not an object, an unknown type or version, or fields that are missing or wrong.
        NewerVersionError: its version is one that a newer version of this code knows.
    """
    try:
        return _EVENT.validate_json(body)
    except ValidationError as error:
        refuse_newer(body, error)
        raise MalformedEventError(_what_is_wrong(body, error)) from error


def refuse_newer(body: bytes, error: ValidationError) -> None:
    """Leave an event to a newer version of this code, if one has sent it.

    Raises:
        NewerVersionError: one has.
    """
    try:
        version = json.loads(body).get("schemaVersion")
    except (ValueError, AttributeError, RecursionError):
        return
    if isinstance(version, int) and not isinstance(version, bool) and version > SCHEMA_VERSION:
        raise NewerVersionError(
            f"an event has schemaVersion {version}, this code reads {SCHEMA_VERSION}: it comes again,"
            " until an instance of the newer version takes it"
        ) from error


def _what_is_wrong(body: bytes, error: ValidationError) -> str:
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
    faults = [f"{'.'.join(map(str, fault['loc'][1:]))}: {fault['msg']}" for fault in error.errors()]
    return f"not a valid {raw['type']}: {'; '.join(faults)}"

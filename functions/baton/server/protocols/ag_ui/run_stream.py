"""A run of AG-UI as a stream of its job: where it begins and ends, and the ids by which a reader comes back.

A job is one run, or several: each of its interrupts ends one, and the run that answers them is the next. An event's id
is `<ms>-<n>.<k>`: the job's creation time, the part's number, and the event's number within the part. Invariant: the
same parts give the same events under the same ids, so exactly the events that a reader already has are left out.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from baton.engine.state import Job
from baton.sdk.records.stream_part import StreamPart
from baton.server.api.jobs.approval_answers import answer_schema
from baton.server.api.jobs.open_calls import OpenCalls
from baton.server.api.stream_form import HEADERS, numbered
from baton.server.protocols.ag_ui.translation import Event, Part, Translation
from baton_events.ids import canonical_json

PROTOCOL_VERSION = "1.0"
_LIMIT_CHARS = 300


@dataclass(frozen=True, slots=True)
class Run:
    """A run.

    Attributes:
        messages: the conversation before it, as its front end has it.
        has_more: the front end has messages behind those: of this run, or of an answer that it replaces.
        answers: the questions that its request decides.
    """

    thread_id: str
    run_id: str
    messages: list[Part] = field(default_factory=list[Part])
    has_more: bool = False
    answers: frozenset[str] = frozenset()


class RunStream:
    """`Form` of a run. `seen`: the last event that its reader has received."""

    headers: ClassVar[Mapping[str, str]] = HEADERS
    over = False

    def __init__(self, run: Run, job_id: str, seen: tuple[int, int] | None = None) -> None:
        self._run, self._seen = run, seen or (0, 0)
        self._calls, self._translation = OpenCalls(), Translation(job_id, run.messages)
        self._begun = not run.answers
        self._started = self._finished = False

    def part(self, job: Job, number: int, part: str) -> str:
        """Return the run's events of one part."""
        read: StreamPart = json.loads(part)
        self._calls.take(read)
        if self.over:
            return ""  # of the next run
        if not self._begun:
            self._look_for_the_beginning()
            return ""
        events = self._events(job, number, read)
        if self._calls.only_people_are_awaited and not self._finished:
            events += [*self._translation.closed(), self._finish(outcome=self._interrupts)]
            self.over = True
        return numbered(job, number, events, self._seen)

    def ending(self, job: Job) -> str:
        """Return only a comment, since the run has its own end; an error where its beginning is no longer kept."""
        if self.over:
            return ""
        if self._finished:
            return ": end\n\n"
        message = f"job {job.id} has ended, and this run of it is no longer kept"
        lost = [self._start, {"type": "RUN_ERROR", "message": message, "code": "gone"}]
        return "".join(f"data: {canonical_json(event)}\n\n" for event in lost[self._started :])

    def _look_for_the_beginning(self) -> None:
        """Find the run's beginning: it follows the part at which the run before ended with this one's questions."""
        if self._calls.only_people_are_awaited and self._run.answers.issuperset(self._calls.questions):
            self._begun = True
            self._calls.decided(self._run.answers)

    def _events(self, job: Job, number: int, part: StreamPart) -> list[Event]:
        events = list[Event]()
        if self._finished and part["type"] == "data-job-retried":
            self._started = self._finished = False
            self._translation.begin_again()
        if self._finished:
            return events  # events after a job's end are not part of its run
        if not self._started:
            events += [self._start, *([self._translation.snapshot()] if self._run.has_more else [])]
            self._started = True
        events += self._translation.events(number, part)
        if part["type"] == "finish":
            events += self._end_of(job, part["messageMetadata"]["status"])
        return events

    def _end_of(self, job: Job, status: str) -> list[Event]:
        translation = self._translation
        if status == "failed":
            self._finished = True
            code = {"code": job.error.type} if job.error else {}
            error = {"type": "RUN_ERROR", "message": translation.error_text or "the job failed", **code}
            return [error | translation.usage]
        result = {} if job.result is None else {"result": job.result}
        outcome = {"type": "cancelled"} if status == "cancelled" else {"type": "success"}
        return [*translation.closed(), self._finish(**result, outcome=outcome)]

    @property
    def _start(self) -> Event:
        names = {"threadId": self._run.thread_id, "runId": self._run.run_id}
        return {"type": "RUN_STARTED", **names, "protocolVersion": PROTOCOL_VERSION}

    def _finish(self, **fields: Any) -> Event:
        self._finished = True
        names = {"threadId": self._run.thread_id, "runId": self._run.run_id}
        return {"type": "RUN_FINISHED", **names, **fields, **self._translation.usage}

    @property
    def _interrupts(self) -> dict[str, Any]:
        return {"type": "interrupt", "interrupts": [_interrupt(view) for view in self._calls.questions.values()]}


def _interrupt(view: Part) -> dict[str, Any]:
    """Convert a question about a tool call or a limit into AG-UI's form."""
    about = {name: view[name] for name in ("tool", "arguments", "digest")}
    expires = {"expiresAt": view["expiresAt"]} if view["expiresAt"] else {}
    call = {"reason": "tool_call", "toolCallId": view["callId"]} if view["tool"] else {"reason": "confirmation"}
    return {
        "id": view["id"],
        **call,
        "message": view["title"][:_LIMIT_CHARS],
        "responseSchema": answer_schema(view),
        **expires,
        "metadata": {"baton": about},
    }

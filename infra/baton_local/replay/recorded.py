"""A recording as records, read from its JSON document (`baton.server.api.jobs.recording` says what is in it).

Invariant: what cannot be played is refused with the reason and the way out; fields that are not known are ignored.
"""

import json
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator
from pydantic.alias_generators import to_camel

from baton.engine.approvals import NEEDS_APPROVAL
from baton.sdk.records.transcript import MEMORY_ROLE, SESSION_ROLE, WITHHELD_ROLE
from baton.server.api.jobs.recording import RECORDING_VERSION
from baton.store.transport.bodies import utf8_json
from baton_local.dev.stack_error import StackError


class ReplayError(StackError):
    """The recording cannot be read, or cannot be played here."""


# What entries of these roles must have to be played.
_STREAMED_TEXT: dict[str, type] = {"turn": int, "text": str, "calls": list}
_NEEDED: dict[str, dict[str, type]] = {
    "model": _STREAMED_TEXT,
    WITHHELD_ROLE: {**_STREAMED_TEXT, "attempt": int},
    "summary": {"text": str},
    MEMORY_ROLE: {"entries": list, "warnings": list},
    SESSION_ROLE: {"exchanges": list},
}
# Why a job may end in a turn whose model was not asked, though a failure is reported of it.
_NOT_CALLED = {"limit_exceeded", "delivery_failed"}


class _Record(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, extra="ignore", frozen=True)


class RecordedFailure(_Record):
    """Why an attempt failed."""

    type: str
    message: str
    retryable: bool = False

    def __str__(self) -> str:
        return f"{self.type}: {self.message}"


class Attempt(_Record):
    """One attempt of a model call or a tool call."""

    turn: int
    attempt: int
    started_at_ms: int
    finished_at_ms: int
    outcome: str
    failure: RecordedFailure | None = None


class Wait(_Record):
    event: str = ""
    operation_id: str = ""
    until_ms: int | None = None


class LargeResult(_Record):
    """The reference to a large result; `value`: as it was fetched with the recording."""

    value: Any = None


class RecordedCall(_Record):
    """One tool call; `outcome` is there once it is over."""

    id: str
    turn: int
    position: int
    tool: str
    arguments: dict[str, Any]
    status: str
    attempts: list[Attempt] = Field(default_factory=list[Attempt])
    step: str = ""
    on_failure: str = ""
    result: Any = None
    result_ref: LargeResult | None = None
    error: RecordedFailure | None = None
    wait: Wait | None = None
    child: "RecordedJob | None" = None

    @property
    def outcome(self) -> dict[str, Any] | None:
        """`{"ok": …}` or `{"error": …}`; None while it is open."""
        if "result" in self.model_fields_set:
            return {"ok": self.result}
        return {"error": {"type": self.error.type, "message": self.error.message}} if self.error else None

    def run(self, number: int) -> Attempt | None:
        """Return the outcome of the tool's run of this number: an attempt that only asked a person is none."""
        runs = [attempt for attempt in self.attempts if attempt.outcome != NEEDS_APPROVAL]
        return runs[number - 1] if number <= len(runs) else None

    def attempt(self, number: int) -> Attempt | None:
        return next((attempt for attempt in self.attempts if attempt.attempt == number), None)


class RecordedJob(_Record):
    """One job, with the jobs below it in its calls."""

    id: str
    job_type: str
    task_description: str = ""
    input_data: dict[str, Any] = Field(default_factory=dict[str, Any])
    session_id: str
    tenant: str
    priority: int = 5
    limits: dict[str, Any]
    model: dict[str, Any]
    created_at_ms: int
    status: str
    result: dict[str, Any] | None = None
    error: RecordedFailure | None = None
    transcript: list[dict[str, Any]]
    model_calls: list[Attempt]
    tool_calls: list[RecordedCall]

    @field_validator("transcript")
    @classmethod
    def _readable(cls, transcript: list[dict[str, Any]]) -> list[dict[str, Any]]:
        for number, entry in enumerate(transcript):
            needed = _NEEDED.get(entry.get("role", ""), {})
            wrong = next((name for name, kind in needed.items() if not isinstance(entry.get(name), kind)), "")
            if wrong:
                raise ValueError(
                    f"entry {number} needs {wrong!r}, {needed[wrong].__name__}: it has {entry.get(wrong)!r}"
                )
            for call in entry.get("calls", ()):
                if not {"id", "tool", "arguments"} <= set(call):
                    raise ValueError(
                        f"entry {number}: a call needs 'id', 'tool' and 'arguments': it has {sorted(call)}"
                    )
        return transcript

    def model_answer(self, turn: int) -> dict[str, Any] | None:
        """Return what the model said in a turn: its entry of the transcript."""
        model_entry = (entry for entry in self.transcript if entry.get("role") == "model" and entry["turn"] == turn)
        return next(model_entry, None)

    def model_entry(self, turn: int, number: int) -> dict[str, Any] | None:
        """Return the model's entry of this attempt: those before the last failed, or a limit dropped them."""
        for entry in self.transcript:
            if entry.get("role") == WITHHELD_ROLE and (entry["turn"], entry["attempt"]) == (turn, number):
                return entry
        last = max((attempt.attempt for attempt in self.model_calls if attempt.turn == turn), default=0)
        return self.model_answer(turn) if number == last else None

    def attempts(self, turn: int) -> list[Attempt]:
        """Return the attempts of a turn in which its model was asked."""
        return [attempt for attempt in self.model_calls if attempt.turn == turn and self._was_called(attempt)]

    def attempt(self, turn: int, number: int) -> Attempt | None:
        """Return one attempt, or the end of the job in place of it."""
        of_turn = (attempt for attempt in self.model_calls if attempt.turn == turn)
        return next((attempt for attempt in of_turn if attempt.attempt == number), None)

    def was_called(self, turn: int, number: int) -> bool:
        found = self.attempt(turn, number)
        return found is not None and self._was_called(found)

    def turns(self) -> list[int]:
        """Return the turns in which the model was asked."""
        return sorted({attempt.turn for attempt in self.model_calls if self._was_called(attempt)})

    def call(self, turn: int, position: int) -> RecordedCall | None:
        return next((call for call in self.tool_calls if (call.turn, call.position) == (turn, position)), None)

    def memory(self) -> dict[str, Any] | None:
        return next((entry for entry in self.transcript if entry.get("role") == MEMORY_ROLE), None)

    def recorded_before(self) -> dict[str, Any] | None:
        """Return what was said before in its session."""
        return next((entry for entry in self.transcript if entry.get("role") == SESSION_ROLE), None)

    def summaries(self, turn: int) -> list[dict[str, Any]]:
        """Return the summaries that were written for a turn, in order."""
        found: list[dict[str, Any]] = []
        for entry in self.transcript:
            if entry.get("role") == "model":
                if entry["turn"] >= turn:
                    break
                found = []
            elif entry.get("role") == "summary":
                found.append(entry)
        return found

    def _was_called(self, attempt: Attempt) -> bool:
        if self.model_entry(attempt.turn, attempt.attempt) is not None:
            return True
        return attempt.failure is not None and attempt.failure.type not in _NOT_CALLED


def job_of_agent(root: RecordedJob, agent: str) -> RecordedJob:
    """Return the first of a job and those below it that is this agent's; without a name the job itself.

    Raises ReplayError: there is none.
    """
    todo = [root]
    while todo:
        job = todo.pop(0)
        if agent in ("", job.job_type):
            return job
        todo += [call.child for call in job.tool_calls if call.child is not None]
    raise ReplayError(f"the recording of {root.id} has no job of agent {agent!r}")


class Recording(_Record):
    job: RecordedJob
    texts: dict[str, Any] = Field(default_factory=dict[str, Any])


def read_recording(text: str, where: str) -> Recording:
    """Return the recording in a JSON text; `where` it is from, for people.

    Raises ReplayError: it is no recording, it is damaged, or a newer version of this code wrote it.
    """
    try:
        document = json.loads(text)
    except ValueError as error:
        raise ReplayError(f"{where} is not JSON: {error}") from error
    version = document.get("v") if isinstance(document, dict) else None
    if not isinstance(version, int) or isinstance(version, bool):
        raise ReplayError(f"{where} is no recording: save one with `baton replay JOB --offline --save FILE`")
    if version > RECORDING_VERSION:
        raise ReplayError(
            f"{where} is a recording of version {version}, and this code reads up to {RECORDING_VERSION}:"
            " install the version of Baton that wrote it"
        )
    try:
        return Recording.model_validate(document)
    except ValidationError as error:
        fault = error.errors()[0]
        place = ".".join(map(str, fault["loc"]))
        raise ReplayError(f"{where} is a damaged recording: {place}: {fault['msg']}") from error


def file_text(path: Path) -> str:
    """Return the JSON text of a recording's file. Raises ReplayError: the file cannot be read."""
    try:
        return utf8_json(path.read_bytes()).decode()
    except (OSError, UnicodeError) as error:
        raise ReplayError(f"{path} cannot be read: {error}") from error


def read_file(path: Path) -> Recording:
    """Return the recording in a file. Raises ReplayError: as above."""
    return read_recording(file_text(path), str(path))

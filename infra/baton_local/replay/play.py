"""What is being played: where each job stands in the recording, and what was asked that the recording does not have.

Invariant: jobs, turns and calls are found by their place (turn, position, attempt), never by an id that holds a digest
of arguments, since redacted arguments give other ids.
"""

from dataclasses import dataclass, field

from baton.engine.work_items import ItemKind, item_key_of, kind_of
from baton.sdk.models.model import ModelRequest
from baton_events.ids import child_of, job_of_call
from baton_events.schema import Event, ToolPayload
from baton_local.replay.recorded import Attempt, RecordedCall, RecordedJob


@dataclass(frozen=True, slots=True)
class CurrentCall:
    """Whose model is being asked, and in which attempt of which turn."""

    job_id: str
    turn: int
    attempt: int


class ReplayClock:
    """`Clock` that is set to recorded times and never goes back."""

    def __init__(self, now_ms: int) -> None:
        self._now_ms = now_ms

    def now_ms(self) -> int:
        """Return the time that was reached."""
        return self._now_ms

    def reach(self, at_ms: int) -> None:
        """Move the time to at least this one."""
        self._now_ms = max(self._now_ms, at_ms)


@dataclass
class Play:
    """One replay.

    `jobs`: the recorded jobs by the ids that they have now. `requests`: what each model was asked, the last attempt of
    a turn. `unrecorded`: what was asked for and the recording does not have: (job id, turn, call's position or None).
    """

    jobs: dict[str, RecordedJob]
    clock: ReplayClock
    current: CurrentCall = field(default_factory=lambda: CurrentCall("", 0, 0))
    requests: dict[tuple[str, int], ModelRequest] = field(default_factory=dict[tuple[str, int], ModelRequest])
    unrecorded: list[tuple[str, int, int | None]] = field(default_factory=list[tuple[str, int, "int | None"]])
    summaries_given: dict[tuple[str, int], int] = field(default_factory=dict[tuple[str, int], int])

    def call(self, call_id: str) -> RecordedCall | None:
        job = self.jobs.get(job_of_call(call_id))
        if job is None:
            return None
        turn, position = call_id.rsplit("-", 3)[1:3]
        return job.call(int(turn), int(position))

    def starts(self, call_id: str, child: RecordedJob) -> None:
        """Note that a call starts a job: from now on it is found by its id."""
        self.jobs[child_of(call_id)] = child

    def recorded_ms(self, event: Event) -> int | None:
        """Return when an event's work began in the recording, or its end without work; None: no such work."""
        payload, kind = event.payload, kind_of(item_key_of(event))
        if isinstance(payload, ToolPayload):
            call = self.call(payload.call_id)
            found = call.attempt(payload.attempt) if call and kind is ItemKind.CALL else None
            return found.started_at_ms if found else None
        job = self.jobs.get(event.job_id)
        attempt: Attempt | None = job.attempt(payload.turn, payload.attempt) if job and kind is ItemKind.LOOP else None
        if job is None or attempt is None:
            return None
        was_called = job.was_called(payload.turn, payload.attempt)
        return attempt.started_at_ms if was_called else attempt.finished_at_ms

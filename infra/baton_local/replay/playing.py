"""Plays a recorded job: submits it as it was submitted, and delivers its events until nothing is left to do.

Invariant: events come in the order in which the recording has their work, and what it does not have comes last. So
whatever ended the job before some of its work was done ends it before that work now, too.
"""

import heapq
from dataclasses import dataclass, field

from baton.agents.registry import Registry
from baton.api.problem import ApiError
from baton.api.submit_body import SubmitBody, new_job
from baton.core.state import Job
from baton.core.transitions import JobStatus
from baton.core.work_items import FOREVER_MS, ItemKind
from baton.dispatch.delivery import Delivered
from baton.dispatch.dispatching import dispatch
from baton.ports import OutsideFact
from baton.recording.collecting import collect
from baton.recording.document import recording
from baton_events.ids import canonical_json
from baton_events.schema import Cancellation, Event, EventType, ToolPayload, event_type, parse_event
from baton_local.replay.play import Play, ReplayClock
from baton_local.replay.recorded import RecordedJob
from baton_local.replay.replay_error import ReplayError
from baton_local.replay.stage import Stage

_SUBMISSION, _OUTSIDE = "replay_submission", "replay_outside"
_LAST_MS = 10 * FOREVER_MS
# A job has some events for each turn and call; beyond this the code under test goes round in circles.
_MOST_EVENTS = 1_000_000


@dataclass(frozen=True, slots=True)
class Played:
    """What came of it: the job as its recording would be now, and what was asked on the way."""

    job: RecordedJob
    play: Play


async def played(recorded: RecordedJob, registry: Registry) -> Played:
    """Play the job.

    Raises:
        ReplayError: its agent is not there, or the code that is played does not come to an end.
    """
    play = Play({recorded.id: recorded}, ReplayClock(recorded.created_at_ms))
    player = _Player(Stage(registry, play), play)
    task: dict[str, object] = {"text": recorded.task_description, "data": recorded.input_data}
    if recorded.said_before() is not None:
        task["chat"] = {}
    await player.submit(_job(recorded, registry), task)
    await player.run()
    if recorded.status == JobStatus.CANCELLED:
        await player.cancel(recorded)
    sources = await collect(player.stage.reader, recorded.id)
    return Played(RecordedJob.model_validate(recording(recorded.id, sources, {})["job"]), play)


def _job(recorded: RecordedJob, registry: Registry) -> Job:
    body = SubmitBody.model_validate(
        {
            "jobType": recorded.job_type,
            "taskDescription": recorded.task_description,
            "inputData": recorded.input_data,
            "priority": recorded.priority,
            "sessionId": recorded.session_id,
        }
    )
    try:
        return new_job(
            body,
            registry,
            job_id=recorded.id,
            session_id=recorded.session_id,
            tenant=recorded.tenant,
            now_ms=recorded.created_at_ms,
        )
    except ApiError as error:
        raise ReplayError(f"{error}; name the application that ran the job with --app MODULE:ATTR") from error


@dataclass(frozen=True, slots=True)
class _Message:
    """An event to deliver, once it is `at_ms`."""

    id: str
    event: Event
    at_ms: int


@dataclass
class _Player:
    stage: Stage
    play: Play
    _waiting: list[tuple[int, int, "_Message"]] = field(default_factory=list[tuple[int, int, "_Message"]])
    _told: set[str] = field(default_factory=set[str])
    _count: int = 0

    async def submit(self, job: Job, task: dict[str, object]) -> None:
        created = await self.stage.facts.submitting.submit(job, task, _SUBMISSION)
        await dispatch(self.stage.emitter, job.session_id, created.pending, _SUBMISSION)

    async def run(self) -> None:
        self._take()
        while self._waiting:
            message = heapq.heappop(self._waiting)[2]
            self.play.clock.reach(message.at_ms)
            await self.stage.pipeline.handle(Delivered(message.id, 0, message.event))
            await self._tell_outcomes(message.event.job_id)
            self._take()

    async def cancel(self, recorded: RecordedJob) -> None:
        """Cancel the job, as somebody did."""
        by = (recorded.error.message if recorded.error else "").removeprefix("cancelled").removeprefix(" by ")
        await self.stage.facts.cancelled(recorded.id, Cancellation(by=by), _OUTSIDE)

    def _take(self) -> None:
        """Queue what was published; what is no event is no matter of one job (a sweep)."""
        for message_id, message in self.stage.queue.take():
            if "x-event-id" not in message.headers:
                continue
            self._count += 1
            if self._count > _MOST_EVENTS:
                raise ReplayError(f"the replay does not come to an end: {_MOST_EVENTS} events, and more to come")
            event = parse_event(message.body.encode())
            recorded_ms = self.play.recorded_ms(event)
            at_ms = max(recorded_ms or self.play.clock.now_ms(), message.not_before_ms)
            order_ms = at_ms + _LAST_MS if recorded_ms is None and _is_work(event) else at_ms
            heapq.heappush(self._waiting, (order_ms, self._count, _Message(message_id, event, at_ms)))

    async def _tell_outcomes(self, job_id: str) -> None:
        """Whatever calls wait for has happened: by hand of a person, by an event, or by the time."""
        tree = self.stage.store.tree(job_id)
        for item in tuple(tree.items.values()):
            if item.kind is not ItemKind.WAIT or item.call_id in self._told:
                continue
            call = self.play.call(item.call_id)
            if call is None or call.child is not None or call.outcome is None:
                continue
            self._told.add(item.call_id)
            fact = OutsideFact(f"evt_{item.call_id}", canonical_json(call.outcome), call_id=item.call_id)
            now_ms = self.play.clock.now_ms()
            told = await self.stage.store.tell(item.job_id, f"{_OUTSIDE}_{item.call_id}", fact, now_ms)
            await dispatch(self.stage.emitter, tree.jobs[item.job_id].session_id, told.items, item.call_id)


def _is_work(event: Event) -> bool:
    """Whether a model or a tool may be asked for it."""
    payload = event.payload
    if isinstance(payload, ToolPayload):
        return event_type(event) is EventType.TOOL_CALL
    return payload.slot_request is None and not payload.remember

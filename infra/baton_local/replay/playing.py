"""Plays a recorded job: submits it as it was submitted, and delivers its events until nothing is left to do.

The stage is the product, over a Redis in this process, for one recorded job; what the recording does not have is noted
and left. Invariants: nothing opens a connection, and jobs, calls and ends come from the real code. A recorded failure
that no model or tool raised (an unknown agent, an index that did not answer) happens as it is recorded. Events come in
the order in which the recording has their work, and what it does not have comes last. So whatever ended the job before
some of its work was done ends it before that work now, too.
"""

import dataclasses
import heapq
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from msgspec.structs import replace

from baton.engine.commit.answers import Claim, History
from baton.engine.effects import Alert, CallModel, Effect, Notify, Release, Remember, RunTool, Work
from baton.engine.state import Job
from baton.engine.step_results import FollowedUp, ModelFailed, StepResult
from baton.engine.transitions import JobStatus
from baton.engine.work_items import ItemKind
from baton.observability.alerts import Alerting
from baton.queue.dispatch import Delivered
from baton.sdk.agents.registry import Registry
from baton.sdk.memory.entries import Recollection
from baton.sdk.records.transcript import FOREVER_MS, Failure
from baton.server.api.jobs.recording import collect, recording
from baton.server.api.jobs.submission import SubmitBody, new_job
from baton.server.api.problem import ApiError
from baton.settings.settings import Settings
from baton.store.redis.in_process.server import InProcessConnection, InProcessRedis
from baton.worker.container import Container
from baton.worker.executors.executor import Executing, OutcomeDoor
from baton.worker.executors.forked import asked_with
from baton.worker.executors.model_turn import ModelTurn
from baton.worker.executors.tool_run import ResultLimit, ToolRun
from baton.worker.runtime.spec import Executor, Spec, event_spec
from baton.worker.wiring import real_ports
from baton_events.messages import Outgoing
from baton_events.schema import Completion, Event, EventType, ToolPayload, event_type, parse_event
from baton_local.replay.recorded import RecordedJob, ReplayError
from baton_local.replay.recorded_agents import Play, RecordedRegistry, ReplayClock

_OF_MODELS = {"model_error", "model_timeout"}


class RecordedTurn:
    def __init__(self, turn: Executing, registry: Registry, play: Play) -> None:
        self._turn, self._registry, self._play = turn, registry, play

    async def __call__(self, effect: Work, history: History, claim: Claim) -> StepResult | None:
        """Do the turn as it was done."""
        assert isinstance(effect, CallModel), "this executor is registered for CallModel"
        job = self._play.jobs.get(effect.job.id)
        if job is None or not job.was_called(effect.turn, effect.attempt):
            self._play.unrecorded.append((effect.job.id, effect.turn, None))
            return None
        attempt = job.attempt(effect.turn, effect.attempt)
        assert attempt is not None, "it was asked"
        self._play.current = (effect.job.id, effect.turn, effect.attempt)
        failure = None if job.model_entry(effect.turn, effect.attempt) else attempt.failure
        if failure is not None and failure.type not in _OF_MODELS:
            return ModelFailed(Failure(failure.type, failure.message, failure.retryable))
        return await asked_with(self._retrieved(effect, history, job), self._turn, effect, history, claim)

    def _retrieved(self, effect: CallModel, history: History, job: RecordedJob) -> list[dict[str, Any]]:
        """Return what was retrieved before the first turn, of the kinds that the code retrieves now."""
        remembers = any(one.name == job.job_type and one.memory_policy for one in self._registry.agents)
        memory = job.memory() or Recollection(job.session_id).recorded(0)
        chat = job.recorded_before() if history.transcript else None  # only a model that reads its history has it
        return [*([memory] if remembers else []), *([chat] if chat else [])] if effect.turn == 1 else []


class RecordedRun:
    def __init__(self, run: Executing, play: Play) -> None:
        self._run, self._play = run, play

    async def __call__(self, effect: Work, history: History, claim: Claim) -> StepResult | None:
        """Run the tool as it ran."""
        assert isinstance(effect, RunTool), "this executor is registered for RunTool"
        call = self._play.call(effect.call.id)
        attempt = call.attempt(effect.attempt + effect.call.questions) if call else None
        if call is None or attempt is None or call.tool != effect.call.tool:
            self._play.unrecorded.append((effect.job.id, effect.call.turn, effect.call.position))
            return None
        if effect.call.after:  # a step gets the whole results of those before it
            results = {name: self._whole(name, stored) for name, stored in history.results.items()}
            history = dataclasses.replace(history, results=results)
        return await self._run(effect, history, claim)

    def _whole(self, call_id: str, stored: dict[str, Any]) -> dict[str, Any]:
        call = self._play.call(call_id)
        large = call.result_ref if call else None
        return {"ok": large.value} if large and "value" in large.model_fields_set else stored


async def nothing_left_to_do(effect: Work, history: History, claim: Claim) -> StepResult:
    """Do nothing for follow-ups: what was played is not remembered, sent or released a second time."""
    del effect, history, claim
    return FollowedUp()


class ReplayQueue:
    """`Queue` in memory; the player takes the messages out and delivers them."""

    def __init__(self) -> None:
        self._published: list[tuple[str, Outgoing]] = []
        self._count = 0

    async def publish(self, messages: Sequence[Outgoing]) -> list[str]:
        ids = [f"msg_{self._count + n}" for n in range(len(messages))]
        self._count += len(messages)
        self._published += zip(ids, messages, strict=True)
        return ids

    def take(self) -> list[tuple[str, Outgoing]]:
        """Return everything that was published since the last time; ids and messages."""
        taken, self._published = self._published, []
        return taken

    async def cancel(self, message_id: str) -> None:
        """Do nothing: played messages are not taken back."""

    async def close(self) -> None:
        """Do nothing: nothing is open."""


class CountingTokens:
    """`Randomness` that counts, so that every replay is the same."""

    def __init__(self) -> None:
        self._count = 0

    def token(self) -> str:
        self._count += 1
        return f"replay{self._count:018d}"


# What was recorded was within the limits of its time, slots are no part of a job's decisions, and nothing expires.
_NO_LIMIT = 1_000_000_000
SETTINGS = Settings(
    worker_base_url="https://replay.invalid",
    qstash_token="replay",  # noqa: S106 - opens nothing
    result_limit_bytes=_NO_LIMIT,
    max_concurrent_jobs=_NO_LIMIT,
    job_retention_seconds=_NO_LIMIT,
)


class _NoAlerts(Alerting):
    async def __call__(self, alert: Alert) -> None:
        """Do nothing: what was recorded is no news."""


class Stage(Container):
    """The product for one replay: nothing opens a connection, and outside of its jobs nothing is done."""

    def __init__(self, registry: Registry, play: Play) -> None:
        connection = InProcessConnection(InProcessRedis(play.clock.now_ms, expires=False))
        self.play, self.queue = play, ReplayQueue()
        outside: dict[str, Any] = {"queue": self.queue, "clock": play.clock, "randomness": CountingTokens()}
        super().__init__(SETTINGS, replace(real_ports(SETTINGS, connection), **outside), registry)
        self.alerting = _NoAlerts(None, self.secrets, "")

    def _executors(self, spec: Spec) -> dict[type[Effect], Executor]:
        registry, ports = RecordedRegistry(self.registry, self.play), self.ports
        turn = RecordedTurn(ModelTurn(registry, SETTINGS.work_timeout_seconds), registry, self.play)
        limit = ResultLimit(SETTINGS.result_limit_bytes)
        run = ToolRun(registry, ports.store, self.memory, ports.clock, self.running_calls, limit, self.secrets)
        return {
            **super()._executors(spec),
            CallModel: OutcomeDoor(turn, self.secrets),
            RunTool: OutcomeDoor(RecordedRun(run, self.play), self.secrets),
            Remember: nothing_left_to_do,
            Notify: nothing_left_to_do,
            Release: nothing_left_to_do,
        }


_SPEC = event_spec("replay", EventType.LOOP_INIT, frozenset({ItemKind.SLOT_REQUEST}))
_LAST_MS = 10 * FOREVER_MS
# A job has some events for each turn and call; beyond this the code under test goes round in circles.
_MOST_EVENTS = 1_000_000


@dataclass(frozen=True, slots=True)
class Played:
    """What came of it: the job as its recording would be now, and what was asked on the way."""

    job: RecordedJob
    play: Play


async def played(recorded: RecordedJob, registry: Registry) -> Played:
    """Play the job. Raises ReplayError: its agent is not there, or the code that is played does not come to an end."""
    play = Play({recorded.id: recorded}, ReplayClock(recorded.created_at_ms))
    player = _Player(Stage(registry, play), play)
    task: dict[str, object] = {"text": recorded.task_description, "data": recorded.input_data}
    if recorded.transcript and (files := recorded.transcript[0].get("files")):
        task["files"] = files  # by their names: a recording has no contents
    stage = player.stage
    job = _job(recorded, stage)
    await stage.commands.submit(job, task)
    await player.run()
    if recorded.status == JobStatus.CANCELLED:
        by = (recorded.error.message if recorded.error else "").removeprefix("cancelled").removeprefix(" by ")
        await stage.commands.cancel(job, by)
    sources = await collect(stage.ports.reader, recorded.id)
    return Played(RecordedJob.model_validate(recording(recorded.id, sources, {})["job"]), play)


def _job(recorded: RecordedJob, container: Container) -> Job:
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
        ids = {"job_id": recorded.id, "session_id": recorded.session_id, "tenant": recorded.tenant}
        return new_job(body, container, **ids, now_ms=recorded.created_at_ms)
    except ApiError as error:
        raise ReplayError(f"{error}; name the application that ran the job with --app MODULE:ATTR") from error


@dataclass
class _Player:
    """Delivers what is published. `_waiting`: each with its place in line, when it comes, and its message's id."""

    stage: Stage
    play: Play
    _waiting: list[tuple[int, int, int, str, Event]] = field(default_factory=list[tuple[int, int, int, str, Event]])
    _signalled: set[str] = field(default_factory=set[str])
    _count: int = 0

    async def run(self) -> None:
        pipeline = self.stage.pipeline(_SPEC)
        self._take()
        while self._waiting:
            *_, at_ms, message_id, event = heapq.heappop(self._waiting)
            self.play.clock.reach(at_ms)
            await pipeline.handle(Delivered(message_id, 0, event))
            await self._signal_outcomes(event.job_id)
            self._take()

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
            heapq.heappush(self._waiting, (order_ms, self._count, at_ms, message_id, event))

    async def _signal_outcomes(self, job_id: str) -> None:
        snapshot = await self.stage.ports.reader.job(job_id)
        for item in snapshot.items if snapshot else ():
            call = self.play.call(item.call_id) if item.kind is ItemKind.WAIT else None
            if call is None or call.child is not None or call.outcome is None or item.call_id in self._signalled:
                continue
            self._signalled.add(item.call_id)
            assert snapshot is not None, "it has the item"
            await self.stage.commands.signal(snapshot.job, Completion(call_id=item.call_id, outcome=call.outcome))


def _is_work(event: Event) -> bool:
    payload = event.payload
    if isinstance(payload, ToolPayload):
        return event_type(event) is EventType.TOOL_CALL
    return payload.slot_request is None and not payload.remember

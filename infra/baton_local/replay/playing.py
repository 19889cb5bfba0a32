"""Plays a recorded job: submits it as it was submitted, and delivers its events until nothing is left to do.

The stage is the product, over a Redis in this process, for one recorded job; what the recording does not have is noted
and left. Invariants: nothing opens a connection, and jobs, calls and ends come from the real code. A recorded failure
that no model or tool raised (an unknown agent, an index that did not answer) happens as it is recorded. Events come in
the order in which the recording has their work, and what it does not have comes last. So whatever ended the job before
some of its work was done ends it before that work now, too.
"""

import dataclasses
import heapq
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from baton.engine.commit.answers import Claim, History, Signal
from baton.engine.effects import CallModel, Effect, Notify, Release, Remember, RequestSlot, RunTool, Work
from baton.engine.state import Job
from baton.engine.step_results import FollowedUp, ModelFailed, StepResult
from baton.engine.transitions import JobStatus
from baton.engine.work_items import ItemKind
from baton.queue.dispatch import Delivered, dispatch
from baton.sdk.agents.registry import Registry
from baton.sdk.memory.entries import Recalled, Recollection
from baton.sdk.memory.keeper import MemoryKeeper
from baton.sdk.memory.policy import Memory
from baton.sdk.records.memory import EntryKind, MemoryEntry
from baton.sdk.records.redaction import KnownSecrets
from baton.sdk.records.transcript import FOREVER_MS, Failure
from baton.sdk.tools.running_calls import RunningCalls
from baton.server.api.jobs.recording import collect, recording
from baton.server.api.jobs.submission import SubmitBody, new_job
from baton.server.api.problem import ApiError
from baton.settings.settings import Settings
from baton.store.redis.admission import Admission
from baton.store.redis.archive import Archive
from baton.store.redis.in_process.server import InProcessConnection, InProcessRedis
from baton.store.redis.listing import Listing
from baton.store.redis.reader import Reader
from baton.store.redis.store import Store
from baton.store.redis.totals import Counters
from baton.worker.admission.slot_client import JobRows, SlotClient
from baton.worker.admission.stored_quota import StoredQuota
from baton.worker.commands.commands import Commands
from baton.worker.commands.follow import JobNotices
from baton.worker.conversation.earlier_jobs import MessagesOf
from baton.worker.conversation.exchanges import Exchange
from baton.worker.executors.executor import Executing, OutcomeDoor
from baton.worker.executors.model_turn import ModelTurn
from baton.worker.executors.remembering import Conversing, Recalling
from baton.worker.executors.tool_run import ResultLimit, ToolRun
from baton.worker.runtime.pipeline import Pipeline
from baton.worker.runtime.policy import Policy
from baton.worker.runtime.spec import Executor, work_limits_ms
from baton_events.emitter import Emitter
from baton_events.ids import canonical_json
from baton_events.messages import Outgoing
from baton_events.schema import Cancellation, Event, EventType, ToolPayload, event_type, parse_event
from baton_local.replay.play import CurrentCall, Play, ReplayClock
from baton_local.replay.recorded import RecordedJob, ReplayError
from baton_local.replay.recorded_agents import RecordedRegistry

_OF_MODELS = {"model_error", "model_timeout"}


class RecordedTurn:
    def __init__(self, turn: Executing, play: Play) -> None:
        self._turn, self._play = turn, play

    async def __call__(self, effect: Work, history: History, claim: Claim) -> StepResult | None:
        """Do the turn as it was done."""
        assert isinstance(effect, CallModel), "this executor is registered for CallModel"
        job = self._play.jobs.get(effect.job.id)
        if job is None or not job.was_called(effect.turn, effect.attempt):
            self._play.unrecorded.append((effect.job.id, effect.turn, None))
            return None
        attempt = job.attempt(effect.turn, effect.attempt)
        assert attempt is not None, "it was asked"
        self._play.current = CurrentCall(effect.job.id, effect.turn, effect.attempt)
        failure = None if job.model_entry(effect.turn, effect.attempt) else attempt.failure
        if failure is not None and failure.type not in _OF_MODELS:
            return ModelFailed(Failure(failure.type, failure.message, failure.retryable))
        return await self._turn(effect, history, claim)


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


class RecordedMemory(MemoryKeeper):
    """What was retrieved of memory then."""

    def __init__(self, play: Play) -> None:
        self._play = play

    @property
    def has_index(self) -> bool:
        """Never: tools are not run, so there is no question."""
        return False

    async def retrieve(
        self, policy: Memory, tenant: str, session_id: str, text: str, job_id: str, replaced: Collection[str] = ()
    ) -> Recollection:
        """Return what the job's recording has; nothing where it has nothing."""
        del policy, tenant, text, replaced
        job = self._play.jobs.get(job_id)
        entry = (job.memory() if job else None) or {"entries": [], "warnings": []}
        entries = tuple(_recalled(values, job_id) for values in entry["entries"])
        return Recollection(session_id, entries, tuple(entry["warnings"]))


class RecordedEarlier:
    """What was said before in the session then."""

    def __init__(self, play: Play) -> None:
        self._play = play

    async def before(
        self, job: Job, task: Mapping[str, Any], messages_of: MessagesOf | None = None
    ) -> tuple[Exchange, ...]:
        """Return what the job's recording has; nothing where it has nothing."""
        del task, messages_of
        recorded = self._play.jobs.get(job.id)
        entry = (recorded.recorded_before() if recorded else None) or {"exchanges": []}
        return tuple(
            Exchange(
                exchange["jobId"],
                exchange["question"],
                exchange.get("answer"),
                exchange["status"],
                exchange.get("messages", ""),
                tuple(exchange.get("files", ())),
                tuple(exchange.get("calls", ())),
            )
            for exchange in entry["exchanges"]
        )


def _recalled(values: dict[str, object], job_id: str) -> Recalled:
    created_ms, score = values["created"], values.get("score")
    assert isinstance(created_ms, int), "it is recorded as a number"
    kind: EntryKind = "exchange" if values["kind"] == "exchange" else "note"
    entry = MemoryEntry(
        id=str(values["id"]),
        kind=kind,
        text=str(values["text"]),
        session_id=str(values["sessionId"]),
        agent=str(values["agent"]),
        job_id=job_id,
        created_ms=created_ms,
    )
    return Recalled(entry, score if isinstance(score, float | int) else None)


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


# Slots are no part of a job's decisions: there is always one.
_SLOTS = 1_000_000
_RESULT_LIMIT_BYTES = 1_000_000_000  # what was recorded was within the limit of its time
_RETENTION_MS = 1_000_000_000  # nothing expires
SETTINGS = Settings(worker_base_url="https://replay.invalid", qstash_token="replay")  # noqa: S106 - opens nothing


class Stage:
    """Store, queue and pipeline of one replay."""

    def __init__(self, registry: Registry, play: Play) -> None:
        connection = InProcessConnection(InProcessRedis(play.clock.now_ms, expires=False))
        self.store, self.queue = Store(connection, _RETENTION_MS), ReplayQueue()
        self.reader = Reader(connection)
        self.emitter = Emitter(SETTINGS, self.queue)
        sweep_ms = SETTINGS.sweep_interval_seconds * 1000
        admission, quota = Admission(connection, _SLOTS, sweep_ms), StoredQuota(None, play.clock, SETTINGS)
        rows = JobRows(Listing(connection), Counters(connection))
        slot_client = SlotClient(admission, rows, self.emitter, play.clock, quota)
        randomness, stores = (
            CountingTokens(),
            (self.store, Archive(connection, _RETENTION_MS), admission, slot_client),
        )
        self.commands = Commands(*stores, self.emitter, play.clock, randomness, JobNotices())
        self.pipeline = Pipeline(
            self.store,
            self.emitter,
            play.clock,
            randomness,
            _executors(RecordedRegistry(registry, play), self.store, slot_client, play),
            self.commands,
            nothing_follows,
            Policy(
                work_limits_ms(SETTINGS.work_timeout_seconds, registry.tools),
                continues=frozenset({ItemKind.SLOT_REQUEST}),
            ),
        )


async def nothing_follows(_effects: Sequence[Effect]) -> None:
    """Do nothing: a replay sends no alert."""


def _executors(registry: Registry, store: Store, slot_client: SlotClient, play: Play) -> dict[type[Effect], Executor]:
    limit_seconds, secrets, memory = SETTINGS.work_timeout_seconds, KnownSecrets(), RecordedMemory(play)
    most_bytes, asked = SETTINGS.prompt_limit_bytes, ModelTurn(registry, limit_seconds)
    conversing = Conversing(asked, registry, RecordedEarlier(play), most_bytes)
    turn = Recalling(conversing, registry, memory, most_bytes)
    calls = RunningCalls(limit_seconds)
    run = ToolRun(registry, store, memory, play.clock, calls, ResultLimit(_RESULT_LIMIT_BYTES), secrets)
    return {
        RequestSlot: slot_client,
        CallModel: OutcomeDoor(RecordedTurn(turn, play), secrets),
        RunTool: OutcomeDoor(RecordedRun(run, play), secrets),
        Remember: nothing_left_to_do,
        Notify: nothing_left_to_do,
        Release: nothing_left_to_do,
    }


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
    """Play the job. Raises ReplayError: its agent is not there, or the code that is played does not come to an end."""
    play = Play({recorded.id: recorded}, ReplayClock(recorded.created_at_ms))
    player = _Player(Stage(registry, play), play)
    task: dict[str, object] = {"text": recorded.task_description, "data": recorded.input_data}
    if recorded.recorded_before() is not None:
        task["chat"] = {}
    if recorded.transcript and (files := recorded.transcript[0].get("files")):
        task["files"] = files  # by their names: a recording has no contents
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
    _signalled: set[str] = field(default_factory=set[str])
    _count: int = 0

    async def submit(self, job: Job, task: dict[str, object]) -> None:
        created = await self.stage.commands.submit.create(job, task, _SUBMISSION)
        await dispatch(self.stage.emitter, job.session_id, created.pending, _SUBMISSION)

    async def run(self) -> None:
        self._take()
        while self._waiting:
            message = heapq.heappop(self._waiting)[2]
            self.play.clock.reach(message.at_ms)
            await self.stage.pipeline.handle(Delivered(message.id, 0, message.event))
            await self._signal_outcomes(message.event.job_id)
            self._take()

    async def cancel(self, recorded: RecordedJob) -> None:
        by = (recorded.error.message if recorded.error else "").removeprefix("cancelled").removeprefix(" by ")
        await self.stage.commands.cancel.commit(recorded.id, Cancellation(by=by), _OUTSIDE)

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

    async def _signal_outcomes(self, job_id: str) -> None:
        snapshot = await self.stage.reader.job(job_id)
        if snapshot is None:
            return
        for item in snapshot.items:
            if item.kind is not ItemKind.WAIT or item.call_id in self._signalled:
                continue
            call = self.play.call(item.call_id)
            if call is None or call.child is not None or call.outcome is None:
                continue
            self._signalled.add(item.call_id)
            signal = Signal(f"evt_{item.call_id}", canonical_json(call.outcome), call_id=item.call_id)
            now_ms = self.play.clock.now_ms()
            answer = await self.stage.store.signal(item.job_id, f"{_OUTSIDE}_{item.call_id}", signal, now_ms)
            await dispatch(self.stage.emitter, snapshot.job.session_id, answer.items, item.call_id)


def _is_work(event: Event) -> bool:
    payload = event.payload
    if isinstance(payload, ToolPayload):
        return event_type(event) is EventType.TOOL_CALL
    return payload.slot_request is None and not payload.remember

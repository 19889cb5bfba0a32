"""Executors of the agent loop alone: call a job's model, and follow up its end.

An end goes to the address that the submission named, to its session, or out as a dead letter. A provider that still
works for a cancelled job is asked to stop, and operations of a rolled-back job are taken back. Invariant: each run's
end is one message, with one id, however often it is sent. Must not: change the job.
"""

from collections.abc import Callable, Mapping
from functools import cache
from typing import TYPE_CHECKING

from baton.engine.commit.answers import Claim, History
from baton.engine.effects import CallModel, Effect, Notify, Release, Remember, RunScript, Work
from baton.engine.step_results import StepResult
from baton.sdk.agents.registry import Registry, has_servers, remembers
from baton.worker.commands.taking_back import TakeBack
from baton.worker.container import Container
from baton.worker.conversation.earlier_jobs import EarlierJobs
from baton.worker.executors.bounded import bounded, with_payloads
from baton.worker.executors.chat_files import ChatFiles
from baton.worker.executors.continuing import ContinueSession
from baton.worker.executors.executor import Executing, OutcomeDoor, UnlessForked
from baton.worker.executors.model_turn import ModelTurn
from baton.worker.executors.remembering import Conversing, Recalling, RememberJob
from baton.worker.executors.runner_work import ReleaseWorkspace, StopProvider
from baton.worker.executors.text_stream import Batching, TextStreams
from baton.worker.runtime.spec import Executor

if TYPE_CHECKING:
    from baton.worker.conversation.originals import Originals
    from baton.worker.executors.offloading.calls import OffloadedCalls
from typing import Any

from msgspec.structs import replace
from pydantic_core import to_json

from baton.engine.lifecycle import is_abandoned, is_rolled_back, is_sent_out
from baton.engine.state import A2A, Job
from baton.engine.step_results import FollowedUp, NotFollowedUp
from baton.sdk.clock import Clock
from baton.sdk.records.transcript import Failure
from baton.store.records.jobs import Snapshot
from baton.store.redis.reader import Reader
from baton.worker.runtime.callbacks import Callbacks, signed_headers
from baton.worker.runtime.job_view import job_view
from baton_events.app_event import AppEvent, DeadLetter
from baton_events.emitter import Emitter
from baton_events.errors import MemoryUnavailableError, PublishError
from baton_events.timestamps import moment


class NotifyOfEnd:
    def __init__(
        self,
        reader: Reader,
        emitter: Emitter,
        clock: Clock,
        callbacks: Callbacks | None,
        secret: str,
        continue_session: ContinueSession,
        stop_provider: StopProvider,
        take_back: TakeBack,
    ) -> None:
        self._reader, self._emitter, self._clock, self._callbacks = reader, emitter, clock, callbacks
        self._secret, self._continue_session, self._stop_provider = secret, continue_session, stop_provider
        self._take_back = take_back

    async def __call__(self, effect: Work, history: History, claim: Claim) -> StepResult:
        del history, claim
        assert isinstance(effect, Notify), "this executor is registered for Notify"
        job, snapshot = effect.job, await self._reader.job(effect.job.id)
        if snapshot is None or (not snapshot.job.ended and snapshot.job.run <= job.run):
            # A read may be older than the last write.
            return NotFollowedUp(Failure("not_read", "the job cannot be read yet", retryable=True))
        if snapshot.job.run > job.run:
            return FollowedUp()  # it was retried: its next end is sent
        if is_rolled_back(job):
            try:
                await self._take_back.operations_of(job, snapshot.calls)
            except MemoryUnavailableError as error:
                return NotFollowedUp(Failure("memory_unavailable", str(error), retryable=True))
        step_result = await self._sent(job, snapshot) if is_sent_out(job) else FollowedUp()
        if isinstance(step_result, FollowedUp) and is_abandoned(job):
            return await self._stop_provider(snapshot, await self._reader.transcript(job.id))
        return step_result

    async def _sent(self, job: Job, snapshot: Snapshot) -> StepResult:
        if job.is_operation:
            return await self._continue_session(job, snapshot)
        if not job.notifies.startswith("event:"):
            return await self._call_back(job, snapshot)
        try:
            letter = dead_letter_of(job, snapshot.task.get("data"))
            await self._emitter.send(letter, deduplication_id=f"{job.id}.dead.{job.run}")
        except PublishError as error:
            return NotFollowedUp(Failure("not_published", str(error), retryable=True))
        return FollowedUp()

    async def _call_back(self, job: Job, snapshot: Snapshot) -> StepResult:
        now_ms = self._clock.now_ms()
        body = to_json(_shown(snapshot, now_ms))
        headers = signed_headers(self._secret, f"msg_{job.id}.{job.run}", now_ms, body)
        why = "nobody sends callbacks here"
        if self._callbacks is not None:
            why = await self._callbacks.send(job.notifies, headers, body)
        return NotFollowedUp(Failure("callback_failed", why, retryable=True)) if why else FollowedUp()


def _shown(snapshot: Snapshot, now_ms: int) -> dict[str, Any]:
    if A2A not in snapshot.task:
        return job_view(snapshot, now_ms)
    from baton.worker.commands.audience import Audience  # noqa: PLC0415 - likewise
    from baton.worker.runtime.a2a_task import task_of  # noqa: PLC0415 - few jobs come by A2A

    return {"task": task_of(replace(snapshot, job=Audience().shown_job(snapshot.job)), now_ms)}


def dead_letter_of(job: Job, data: object) -> AppEvent:
    """Return the message that keeps a failed job of a handler in the queue."""
    name, event_id = job.handles
    error = f"{job.error.type}: {job.error.message}" if job.error else ""
    return AppEvent(
        id=event_id,
        name=name,
        tenant=job.tenant,
        data=data,
        created_at=moment(job.finished_at_ms or 0),
        dead_letter=DeadLetter(handler=job.agent, run=job.run, error=error),
    )


def model_work(container: Container) -> Mapping[type[Effect], Executor]:
    """Make the executors from the process's container."""
    ports, settings, secrets = container.ports, container.settings, container.secrets
    registry, memory, seconds = container.registry, container.memory, settings.work_timeout_seconds
    text_streams = TextStreams(ports.store, secrets, Batching(settings.stream_batch_ms, settings.stream_batch_bytes))
    files, offloaded = ChatFiles(ports.chats, settings.files_limit_bytes), _offloaded_calls(container)
    take_back, earlier = TakeBack(container.commands), EarlierJobs(ports.listing, ports.reader, ports.store)
    originals = _originals(container)

    def asked_of(registry: Registry) -> Executing:
        others = (files, offloaded, ports.reader, container.code_runs)
        model_turn = ModelTurn(registry, seconds, ports.model_cache, text_streams, *others)
        turn = Conversing(model_turn, registry, earlier, settings.prompt_limit_bytes, take_back.before_it_continues)
        if originals is None:
            return turn
        return Recalling(turn, registry, memory, settings.prompt_limit_bytes, originals)

    def turn_with(registry: Registry) -> Executing:
        if not has_servers(registry):
            return asked_of(registry)
        from baton.worker.executors.server_agents import WithServers  # noqa: PLC0415 - few applications have such agents

        return WithServers(registry, asked_of, ports.model_cache)

    def forked(turn: Executing) -> Executing:
        from baton.worker.executors.forked import ForkedTurn, ForkSources  # noqa: PLC0415 - most jobs are none

        return ForkedTurn(turn, turn_with, registry, ForkSources(ports.chats, ports.reader))

    return {
        RunScript: with_payloads(container, _script_run(container)),
        CallModel: bounded(
            container, OutcomeDoor(UnlessForked(turn_with(registry), forked), secrets), asks_models=True
        ),
        Remember: RememberJob(memory, seconds, secrets.hide, originals),
        Notify: NotifyOfEnd(
            *(ports.reader, container.emitter, ports.clock, ports.callbacks, settings.callback_key),
            ContinueSession(registry, container.commands, ports.clock, take_back),
            StopProvider(registry, seconds),
            take_back,
        ),
        Release: ReleaseWorkspace(registry, ports.reader, seconds),
    }


def _originals(container: Container) -> "Originals | None":
    if not remembers(container.registry):
        return None
    from baton.worker.conversation.originals import Originals  # noqa: PLC0415 - few applications have a memory

    return Originals(container.ports.listing, container.ports.reader, container.memory)


def _script_run(container: Container) -> Executor:
    made = list[Executor]()

    async def run(effect: Work, history: History, claim: Claim) -> StepResult | None:
        if not made:
            from baton.worker.executors.scripting.script_run import script_run  # noqa: PLC0415

            made.append(script_run(container))
        return await made[0](effect, history, claim)

    return run


def _offloaded_calls(container: Container) -> "Callable[[], OffloadedCalls]":
    @cache
    def offloaded() -> "OffloadedCalls":
        from baton.worker.executors.offloading.calls import OffloadedCalls  # noqa: PLC0415

        return OffloadedCalls(container.emitter, container.ports.clock)

    return offloaded

"""Executors of the agent loop alone: call a job's model, and follow up its end."""

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
from baton.worker.executors.notifying import NotifyOfEnd
from baton.worker.executors.remembering import Conversing, Recalling, RememberJob
from baton.worker.executors.runner_work import ReleaseWorkspace, StopProvider
from baton.worker.executors.text_stream import Batching, TextStreams
from baton.worker.runtime.spec import Executor

if TYPE_CHECKING:
    from baton.worker.conversation.originals import Originals
    from baton.worker.executors.offloading.calls import OffloadedCalls


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

"""The executor that runs tools, for the functions that may."""

from collections.abc import Mapping
from contextlib import suppress

from baton.engine.commit.answers import Claim, History
from baton.engine.effects import Effect, RunTool, Work
from baton.engine.state import Job
from baton.engine.step_results import StepResult, ToolNeedsApproval, ToolReturned, ToolRunsAgain, ToolWaits
from baton.sdk.agents.registry import Registry, has_servers
from baton.sdk.clock import Clock
from baton.sdk.records.transcript import FOREVER_MS
from baton.store.redis.agent_memory import Chats
from baton.worker.commands.taking_back import TakeBack
from baton.worker.container import Container
from baton.worker.executors.bounded import bounded, limited, limits_of_servers
from baton.worker.executors.executor import Executing, OutcomeDoor, UnlessForked
from baton.worker.executors.started_jobs import BackgroundCalls
from baton.worker.executors.tool_context import Outside
from baton.worker.executors.tool_run import ResultLimit, ToolRun
from baton.worker.runtime.spec import Executor
from baton_events.errors import StoreError


def tool_work(container: Container) -> Mapping[type[Effect], Executor]:
    """Make the executor from the process's container."""
    ports, secrets, settings, commands = container.ports, container.secrets, container.settings, container.commands
    large_bytes = settings.large_result_limit_bytes if container.payloads else 0
    runs = (container.running_calls, ResultLimit(settings.result_limit_bytes, large_bytes))
    background = BackgroundCalls(commands, container.operations.outcomes, ports.clock, TakeBack(commands))
    outside = Outside(
        *(ports.reader, ports.app_events, container.commands, container.emitter, ports.clock, background),
        *(ports.chats, container.settings.files_limit_bytes, ports.listing, container.payloads),
    )

    def run_with(registry: Registry) -> Executing:
        tool_run = ToolRun(registry, ports.store, container.memory, ports.clock, *runs, secrets, outside)
        if registry is container.registry:
            return tool_run
        return limited(container, tool_run, limits_of_servers(registry, container.registry))

    tool_run = run_with(container.registry)
    if has_servers(container.registry):
        from baton.worker.executors.server_agents import WithServers  # noqa: PLC0415 - few applications have such agents

        tool_run = WithServers(container.registry, run_with, ports.model_cache)

    def forked(run: Executing) -> Executing:
        from baton.worker.executors.forked import ForkedRun, ForkSources  # noqa: PLC0415 - most jobs are none

        return ForkedRun(run, ForkSources(ports.chats, ports.reader), container.registry)

    done = OutcomeDoor(UnlessForked(_with_files(container, tool_run), forked), secrets)
    return {RunTool: bounded(container, FilesOfWaits(done, ports.chats, ports.clock))}


def _with_files(container: Container, tool_run: Executing) -> Executing:
    """Add the files of chats, where an agent has a runner: only its tools read their conversation."""
    if all(agent.runner is None for agent in container.registry.agents):
        return tool_run
    from baton.worker.executors.chat_files import ChatFiles, ToolsWithFiles  # noqa: PLC0415 - others load nothing of it

    return ToolsWithFiles(tool_run, ChatFiles(container.ports.chats, container.settings.files_limit_bytes))


class FilesOfWaits:
    """Performs RunTool: `run`, after which the job's files live for as long as its call waits."""

    def __init__(self, run: Executing, chats: Chats, clock: Clock) -> None:
        self._run, self._chats, self._clock = run, chats, clock

    async def __call__(self, effect: Work, history: History, claim: Claim) -> StepResult | None:
        """Run the tool; its result stands where the store does not answer, which the commit needs as well."""
        assert isinstance(effect, RunTool), "this executor is registered for RunTool"
        step_result, job = await self._run(effect, history, claim), effect.job
        if until_ms := _waits_until_ms(step_result, job):
            with suppress(StoreError):
                await self._chats.need_files(job.tenant, job.session_id, until_ms - self._clock.now_ms())
        return step_result


def _waits_until_ms(step_result: StepResult | None, job: Job) -> int:
    """Return until when the call waits; 0: it does not. A job that it waits for ends by the deadline of its parent."""
    match step_result:
        case ToolReturned(until_ms=until_ms) | ToolWaits(until_ms=until_ms) | ToolNeedsApproval(until_ms=until_ms):
            return until_ms if until_ms < FOREVER_MS else job.deadline_ms
        case ToolRunsAgain(at_ms=at_ms):
            return at_ms
        case _:
            return 0

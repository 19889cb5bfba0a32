"""The executor that runs tools, for the functions that may."""

from collections.abc import Mapping

from baton.agents.registry import Registry, has_servers
from baton.commands.taking_back import TakeBack
from baton.container import Container
from baton.engine.effects import Effect, RunTool
from baton.executors.bounded import bounded, limited, limits_of_servers
from baton.executors.executor import Executing, OutcomeDoor, UnlessForked
from baton.executors.started_jobs import BackgroundCalls
from baton.executors.tool_context import Outside
from baton.executors.tool_run import ToolRun
from baton.runtime.spec import Executor


def tool_work(container: Container) -> Mapping[type[Effect], Executor]:
    """Make the executor from the process's container."""
    ports, secrets = container.ports, container.secrets
    runs = (container.running_calls, container.settings.result_limit_bytes)
    commands = container.commands
    background = BackgroundCalls(commands, container.operations.outcomes, ports.clock, TakeBack(commands))
    outside = Outside(
        *(ports.reader, ports.app_events, container.commands, container.emitter, ports.clock, background),
        *(ports.chats, container.settings.files_limit_bytes),
    )

    def run_with(registry: Registry) -> Executing:
        tool_run = ToolRun(registry, ports.store, container.memory, ports.clock, *runs, secrets, outside)
        if registry is container.registry:
            return tool_run
        return limited(container, tool_run, limits_of_servers(registry, container.registry))

    tool_run = run_with(container.registry)
    if has_servers(container.registry):
        from baton.executors.server_agents import WithServers  # noqa: PLC0415 - few applications have such agents

        tool_run = WithServers(container.registry, run_with, ports.model_cache)

    def forked(run: Executing) -> Executing:
        from baton.executors.forked import ForkedRun, ForkSources  # noqa: PLC0415 - most jobs are none

        return ForkedRun(run, ForkSources(ports.reader), container.registry)

    return {RunTool: bounded(container, OutcomeDoor(UnlessForked(_with_files(container, tool_run), forked), secrets))}


def _with_files(container: Container, tool_run: Executing) -> Executing:
    """Add the files of chats, where an agent has a runner: only its tools read their conversation."""
    if all(agent.runner is None for agent in container.registry.agents):
        return tool_run
    from baton.executors.chat_files import ChatFiles, ToolsWithFiles  # noqa: PLC0415 - others load nothing of it

    return ToolsWithFiles(tool_run, ChatFiles(container.ports.chats, container.settings.files_limit_bytes))

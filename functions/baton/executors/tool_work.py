"""The executor that runs tools, for the functions that may."""

from collections.abc import Mapping

from baton.container import Container
from baton.engine.effects import Effect, RunTool
from baton.executors.background_calls import BackgroundCalls
from baton.executors.bounded import bounded
from baton.executors.executor import Hiding
from baton.executors.tool_context import Outside
from baton.executors.tool_run import ToolRun
from baton.runtime.pipeline import Executor


def tool_work(container: Container) -> Mapping[type[Effect], Executor]:
    """Make it from the process's container."""
    ports, secrets = container.ports, container.secrets
    runs = (container.running_calls, container.settings.result_limit_bytes)
    background = BackgroundCalls(container.commands, container.operations.outcomes, ports.clock)
    outside = Outside(ports.reader, ports.app_events, container.commands, container.emitter, ports.clock, background)
    tool_run = ToolRun(container.registry, ports.store, container.memory, ports.clock, *runs, secrets, outside)
    return {RunTool: bounded(container, Hiding(tool_run, secrets))}

"""The executor that runs tools, for the functions that may."""

from collections.abc import Mapping

from events.core.effects import Effect, RunTool
from functions.agents.hiding import Hiding
from functions.agents.tool_run import ToolRun
from functions.bounded import bounded
from functions.container import Container
from functions.pipeline import Performer


def tool_work(container: Container) -> Mapping[type[Effect], Performer]:
    """Make it from the process's container."""
    ports, secrets = container.ports, container.secrets
    runs = (container.running_calls, container.settings.result_limit_bytes)
    tool_run = ToolRun(container.registry, ports.store, container.memory, ports.clock, *runs, secrets, ports.reader)
    return {RunTool: bounded(container, Hiding(tool_run, secrets))}

"""Limits of each piece of work: no result is larger than the store reads at once. Traced where that is configured."""

from baton.container import Container
from baton.runtime.pipeline import Executor
from baton.runtime.told_limit import ToldLimit
from baton.runtime.traced import Traced


def bounded(container: Container, work: Executor) -> Executor:
    """Do a piece of work so."""
    limited = ToldLimit(work, container.settings.told_limit_bytes)
    if container.ports.tracer is None:
        return limited
    return Traced(limited, container.ports.clock, lambda agent: container.registry.model_of(agent).name)

"""Limits of each piece of work: no result is larger than the store reads at once. Traced where that is configured."""

from functions.container import Container
from functions.pipeline import Performer
from functions.told_limit import ToldLimit
from functions.traced import Traced


def bounded(container: Container, work: Performer) -> Performer:
    """Do a piece of work so."""
    limited = ToldLimit(work, container.settings.told_limit_bytes)
    if container.ports.tracer is None:
        return limited
    return Traced(limited, container.ports.clock, lambda agent: container.registry.model_of(agent).name)

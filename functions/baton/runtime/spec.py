"""What one function is: its endpoint, its limits, and the work that it may do. A record each, in webhooks."""

from collections.abc import Callable, Mapping
from typing import Any

from msgspec import Struct

from baton.core.effects import Effect
from baton.core.work_items import WORK_KINDS, ItemKind
from baton_events.messages import function_seconds
from baton_events.schema import ENDPOINTS, EventType

TAKES_IN = frozenset({ItemKind.COMPLETE, ItemKind.FAILED, ItemKind.WAIT})


# From the container, which stands above this module: what does a piece of work, by the effect that asks for it.
Executors = Callable[[Any], Mapping[type[Effect], Any]]


class Spec(Struct, frozen=True):
    """One webhook function.

    Attributes:
        name: the function's name in deployments.
        path: its endpoint.
        event_type: the one event type that it handles; None for the two endpoints that take no events.
        continues: kinds of work items that it may go on with in place. The tool executor never goes into a model turn,
            so it stays free of model libraries.
        retries: delivery attempts after the first.
        executors: make what does its work, from the process's container, by the effect that asks for it. They are named
            by the function itself, so that it imports no other's.
    """

    name: str
    path: str
    event_type: EventType | None = None
    continues: frozenset[ItemKind] = frozenset()
    retries: int = 3
    executors: tuple[Executors, ...] = ()

    @property
    def timeout_seconds(self) -> int:
        """The function's limit; below the queue's, and above the work limit where it does work."""
        return function_seconds(self.path)

    @property
    def works(self) -> bool:
        """Whether it does work of a job: calls a model, or runs tools."""
        return not self.continues.isdisjoint(WORK_KINDS)


def event_spec(name: str, event_type: EventType, continues: frozenset[ItemKind], *executors: Executors) -> Spec:
    """The spec of a function that handles one event type."""
    return Spec(name, ENDPOINTS[event_type], event_type, continues, executors=executors)

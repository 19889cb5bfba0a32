"""What one function is: its endpoint, its limits, and the work that it may do. A record each, in functions/webhooks."""

from dataclasses import dataclass

from events.core.legs import WORK_KINDS, LegKind
from events.schema import ENDPOINTS, EventType
from events.time_limits import function_seconds

TAKES_IN = frozenset({LegKind.COMPLETE, LegKind.FAILED, LegKind.WAIT})


@dataclass(frozen=True, slots=True)
class Spec:
    """One webhook function.

    Attributes:
        name: the function's name in deployments.
        path: its endpoint.
        event_type: the one event type that it handles; None for the two endpoints that take no events.
        continues: kinds of legs that it may go on with in place. The tool executor never goes into a model turn, so it
            stays free of model libraries.
        retries: delivery attempts after the first.
    """

    name: str
    path: str
    event_type: EventType | None = None
    continues: frozenset[LegKind] = frozenset()
    retries: int = 3

    @property
    def timeout_seconds(self) -> int:
        """The function's limit; below the queue's, and above the work limit where it does work."""
        return function_seconds(self.path)

    @property
    def works(self) -> bool:
        """Whether it does work of a job: calls a model, or runs tools."""
        return not self.continues.isdisjoint(WORK_KINDS)


def event_spec(name: str, event_type: EventType, continues: frozenset[LegKind]) -> Spec:
    """The spec of a function that handles one event type."""
    return Spec(name=name, path=ENDPOINTS[event_type], event_type=event_type, continues=continues)

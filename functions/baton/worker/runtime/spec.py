"""The spec of one function: its endpoint, its limits, the work that it may do; and the time limits of that work.

A record each, in handlers. A tool may have a limit of its own, below the one of all work.
"""

import math
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, Protocol

from msgspec import Struct

from baton.engine.commit.answers import Claim, History
from baton.engine.effects import Effect, Work
from baton.engine.step_results import StepResult
from baton.engine.work_items import WORK_KINDS, ItemKind
from baton.sdk.tools.tool import Tool
from baton.settings.settings import Settings
from baton.worker.runtime.policy import LEASE_MARGIN_MS
from baton_events.messages import delivery_seconds, function_seconds
from baton_events.schema import ENDPOINTS, EventType

TAKES_IN = frozenset({ItemKind.COMPLETE, ItemKind.FAILED, ItemKind.WAIT})


class Executor(Protocol):
    """Does one kind of work; an error in foreign code is a step result, never raised."""

    async def __call__(self, effect: Work, history: History, claim: Claim) -> StepResult | None:
        """Do the work. None: nothing happened yet, and the work item stays until it is dispatched again."""
        ...


# Made from the container, which stands above this module: the executor of each effect.
Executors = Callable[[Any], Mapping[type[Effect], Any]]


class Spec(Struct, frozen=True):
    """One webhook function.

    `name`: the function's name in deployments. `path`: its endpoint. `event_type`: the one event type that it handles;
    None for the two endpoints that take no events. `continues`: kinds of work items that it may continue inline. The
    tool executor never goes into a model turn, so it stays free of model libraries. `retries`: delivery attempts after
    the first. `executors`: functions that make its executors, by effect, from the process's container. The function
    names them itself, so that it imports no other's. `ended`: continues the session of an operation that the stream of
    outcomes has ended, given the container.
    """

    name: str
    path: str
    event_type: EventType | None = None
    continues: frozenset[ItemKind] = frozenset()
    retries: int = 3
    executors: tuple[Executors, ...] = ()
    ended: Callable[..., Awaitable[None]] | None = None

    @property
    def timeout_seconds(self) -> int:
        """The function's limit; below the queue's, and above the work limit where it does work."""
        return function_seconds(self.path)

    @property
    def works(self) -> bool:
        """Whether it does work of a job: calls a model, or runs tools."""
        return not self.continues.isdisjoint(WORK_KINDS)


def event_spec(name: str, event_type: EventType, continues: frozenset[ItemKind], *executors: Executors) -> Spec:
    return Spec(name, ENDPOINTS[event_type], event_type, continues, executors=executors)


# The time that a function without work needs for one more result: to claim and commit it, also with a slow store.
TAKING_IN_SECONDS = 30


def work_limits_ms(
    work_timeout_seconds: float, tools: Iterable[Tool], *, runners: bool = False
) -> Mapping[ItemKind, int]:
    """Return the limits of a model's turn, of a follow-up, and of the tool that may run longest.

    `runners`: there are agents whose calls have no limit but that of all work.

    A tool's limit counts twice: an attempt waits for an earlier one that still runs in its process, then runs itself.
    A call is claimed for no longer than that (decisions/0006-first-commit-wins).
    """
    of_tools_seconds = max((tool.timeout_seconds for tool in tools), default=0)
    longest_seconds = work_timeout_seconds if runners else min(work_timeout_seconds, 2 * of_tools_seconds)
    all_ms = math.ceil(work_timeout_seconds * 1000)
    return {
        ItemKind.LOOP: all_ms,
        ItemKind.REMEMBER: all_ms,
        ItemKind.NOTIFY: all_ms,
        ItemKind.RELEASE: all_ms,
        ItemKind.CALL: math.ceil(longest_seconds * 1000),
    }


def guard_ms(spec: Spec, settings: Settings) -> int:
    """Return how long a function may continue inline: one more piece of work still fits into every limit afterwards."""
    piece_seconds = settings.work_timeout_seconds if spec.works else TAKING_IN_SECONDS
    limit_seconds = min(spec.timeout_seconds, delivery_seconds(spec.path, settings.message_timeout_seconds))
    return max(0, (limit_seconds - piece_seconds) * 1000 - LEASE_MARGIN_MS)

"""A process as a world builds it: the product's container, with its work and cancellations observed.

Invariant: work is done as in production; a world is notified before and after. Must not: change a result, except for
the faults that a run requests.
"""

import asyncio
from typing import Any, Protocol

from baton.engine.commit.answers import Claim, History
from baton.engine.effects import CallModel, Effect, RequestSlot, RunTool, Work
from baton.engine.step_results import ModelFailed, StepResult, ToolFailed, ToolReturned, ToolWaits
from baton.sdk.agents.registry import Registry
from baton.sdk.agents.runner import CodeRuns
from baton.sdk.planning.reference import UnresolvedReference
from baton.sdk.records.transcript import Failure
from baton.sdk.tools.contained import Outcome
from baton.sdk.tools.context import ToolContext
from baton.sdk.tools.runnable import Runnable
from baton.sdk.tools.running_calls import RunningCalls
from baton.settings.settings import Settings
from baton.testing.dice import Dice
from baton.testing.records import Attempt, ToolStart
from baton.worker.admission.limited_calls import Executing, Waking
from baton.worker.container import Container, Ports
from baton.worker.executors.tool_run import arguments_of
from baton.worker.runtime.spec import Executor, Spec
from baton_events.ids import canonical_json

_SLOW, _SLOWEST_SECONDS = 11, 20.0
_CODE_SECONDS = 10.0  # that code runs without waiting; it takes no virtual time


class Watching(Protocol):
    """The container's view of its world."""

    dice: Dice
    faults: frozenset[str]
    failed_turns: set[tuple[str, int]]

    async def point(self, what: str) -> None:
        """Mark a point at which the process can die."""
        ...

    def began(self, attempt: Attempt) -> None:
        """Record that a call starts."""
        ...

    def ended(self, attempt: Attempt) -> None:
        """Record that a call's work is over."""
        ...

    def swallowed(self, key: str) -> None:
        """Record that the call of this idempotency key was cancelled and continues."""
        ...


class WatchedCalls(RunningCalls):
    """`RunningCalls` that notices a call which continues although it was cancelled."""

    def __init__(self, world: Watching, calls: RunningCalls) -> None:
        vars(self).update(vars(calls))
        self._world = world

    async def _outcome(
        self, running: Any, task: asyncio.Task[Outcome], tool: Runnable, context: ToolContext, limit_seconds: float
    ) -> Outcome:
        try:
            return await super()._outcome(running, task, tool, context, limit_seconds)
        finally:
            if running.stopped and not task.cancelled():
                self._world.swallowed(context.idempotency_key)


class SimulatedContainer(Container):
    """Everything of one simulated process."""

    def __init__(self, settings: Settings, ports: Ports, registry: Registry, world: Watching) -> None:
        super().__init__(settings, ports, registry)
        self._world = world
        self.running_calls = WatchedCalls(world, self.running_calls)
        self.code_runs = CodeRuns(settings.open_workflows, _CODE_SECONDS)

    def _executors(self, spec: Spec) -> dict[type[Effect], Executor]:
        return {
            kind: executor if kind is RequestSlot else _watched(executor, self._world)
            for kind, executor in super()._executors(spec).items()
        }


def _watched(executor: Any, world: Watching) -> Any:
    """Observe the work alone: a call that waits for its limit, or its budget, has not begun."""
    waking, inner = None, executor
    while inner is not None:
        waking, inner = inner if isinstance(inner, Waking) else waking, getattr(inner, "executor", None)
    if waking is None:
        return Watched(executor, world)
    waking.executor = Watched(waking.executor, world)
    return executor


class Watched:
    """Does one kind of work, and notifies the world."""

    def __init__(self, executor: Executing, world: Watching) -> None:
        self._executor, self._world = executor, world

    async def __call__(self, effect: Work, history: History, claim: Claim) -> StepResult | None:
        if isinstance(effect, RunTool):
            return await self._run(effect, history, claim)
        what = f"turn {effect.job.turn}" if isinstance(effect, CallModel) else "the job is remembered"
        await self._world.point(f"before {what}")
        step_result = await self._request(effect, history, claim)
        await self._world.point(f"after {what}, before its result is committed")
        return step_result

    async def _request(self, effect: Work, history: History, claim: Claim) -> StepResult | None:
        world = self._world
        if isinstance(effect, CallModel):
            turn = (effect.job.id, effect.job.turn)
            if "failing_provider" in world.faults and turn not in world.failed_turns:
                world.failed_turns.add(turn)
                return ModelFailed(Failure("provider_unavailable", "the provider is away", retryable=True))
            if "slow_model" in world.faults:
                await asyncio.sleep(_SLOWEST_SECONDS * world.dice.roll(_SLOW, effect.job.turn))
        return await self._executor(effect, history, claim)

    async def _run(self, effect: RunTool, history: History, claim: Claim) -> StepResult | None:
        tool, world = effect.call.tool, self._world
        try:
            arguments = arguments_of(effect.call, history)
        except UnresolvedReference:
            arguments = effect.call.arguments
        start = ToolStart(tool, arguments, effect.call.idempotency_key, effect.attempt)
        attempt = Attempt(effect.call.id, start)
        await world.point(f"before {tool} starts")
        world.began(attempt)
        step_result = await self._executor(effect, history, claim)
        if isinstance(step_result, ToolReturned):
            attempt.result = step_result.result_json
        elif isinstance(step_result, ToolWaits) and step_result.child is not None:
            attempt.started = canonical_json([step_result.child.job.agent, step_result.child.task])
        elif isinstance(step_result, ToolFailed):
            attempt.failure, attempt.message = step_result.failure.type, step_result.failure.message
        world.ended(attempt)
        await world.point(f"after {tool} has run, before its result is committed")
        return step_result

"""The frame of each piece of work: its input's limit, and its span where a deployment traces.

A store has a limit for one answer, and a model one for its input: data beyond that can never be read, however often it
is tried. So such work is not begun, and its job or step fails with the reason. Must not: change the work itself.
"""

import json
from collections.abc import Callable, Sequence

from baton.engine.commit.answers import Claim, History
from baton.engine.effects import CallModel, RunScript, RunTool, Work, failed
from baton.engine.state import CallRecord
from baton.engine.step_results import (
    ModelAnswered,
    ScriptEnded,
    StepResult,
    ToolFailed,
    ToolNeedsApproval,
    ToolReturned,
)
from baton.observability.logs import name_job_in_logs
from baton.observability.spans import OpenItem
from baton.observability.tracing import open_item
from baton.sdk.agents.registry import Registry, UnknownToolError
from baton.sdk.records.call_limit import CallLimit
from baton.sdk.records.transcript import Failure
from baton.worker.container import Container
from baton.worker.executors.executor import Executing
from baton.worker.runtime.gen_ai import plan_attributes, tool_attributes
from baton.worker.runtime.policy import LEASE_MARGIN_MS
from baton.worker.runtime.spec import Executor

PROMPT_TOO_LARGE = "too_much_told"


def prompt_too_large(size_bytes: int, limit_bytes: int) -> Failure | None:
    """Return why the history and results are too large to read; None: they are within the limit."""
    if size_bytes <= limit_bytes:
        return None
    message = (
        f"{size_bytes} bytes of conversation and results would be read at once, over the limit "
        f"of {limit_bytes}: let tools return less, or store what is large elsewhere and return a reference to it; an "
        "agent's `history` bounds what a long job reads"
    )
    return Failure(PROMPT_TOO_LARGE, message)


class PromptLimit:
    """Runs `executor` for a turn or a tool call whose input is within the limit."""

    def __init__(self, executor: Executing, limit_bytes: int) -> None:
        self.executor, self._limit_bytes = executor, limit_bytes

    async def __call__(self, effect: Work, history: History, claim: Claim) -> StepResult | None:
        """Do the work, or fail it with the reason."""
        assert isinstance(effect, CallModel | RunTool), "others are given little"
        name_job_in_logs(effect.job.id)
        failure = prompt_too_large(history.size_bytes, self._limit_bytes)
        if failure is None:
            return await self.executor(effect, history, claim)
        return failed(effect, failure)


class Traced:
    """Runs `executor`, traced: tool runs, scripts, and turns that plan; calls of models trace themselves."""

    def __init__(self, executor: Executor, registry: Registry) -> None:
        self._executor, self._registry = executor, registry

    async def __call__(self, effect: Work, history: History, claim: Claim) -> StepResult | None:
        item = open_item()
        start_ms = item.clock.now_ms() if item else 0
        step_result = await self._executor(effect, history, claim)
        if item is None:
            return step_result
        if isinstance(effect, CallModel) and isinstance(step_result, ModelAnswered):
            item.attributes["baton.cached"] = step_result.cached
            if step_result.plan:
                item.add_above(f"plan {effect.job.agent}", start_ms, plan_attributes(item))
        elif isinstance(effect, RunTool) and not isinstance(step_result, ToolNeedsApproval):
            self._ran(item, effect.call, step_result, start_ms)
        elif isinstance(effect, RunScript) and isinstance(step_result, ScriptEnded):
            script = effect.job.scripts[0].call
            self._ran(item, script, step_result, script.started_at_ms or start_ms)
        return step_result

    def _ran(self, item: OpenItem, call: CallRecord, step_result: StepResult | None, start_ms: int) -> None:
        error = ""
        try:
            description = self._registry.tool(call.tool).description
        except UnknownToolError:  # an agent's runner has it, or it runs a script
            description = ""
        shown = tool_attributes(call.tool, call.id, description) | item.content(tool__call__arguments=call.arguments)
        failure = step_result.failure if isinstance(step_result, ToolFailed | ScriptEnded) else None
        if failure is not None:
            shown["error.type"], error = failure.type, failure.message
        elif isinstance(step_result, ToolReturned | ScriptEnded) and item.details.content:
            shown |= item.content(tool__call__result=json.loads(step_result.result_json))
        item.add(f"execute_tool {call.tool}", start_ms, shown, error=error)


def bounded(container: Container, work: Executor, *, asks_models: bool = False) -> Executor:
    """Return the executor within its limits and budgets, and traced. `asks_models`: what it does costs money."""
    bound = work if container.ports.tracer is None else Traced(work, container.registry)
    bound = _budgeted(container, bound) if asks_models else bound
    agents, tools = container.registry.agents, container.registry.tools
    has_limits = any(one.call_limits for one in agents) or any(one.call_limits for one in tools)
    bound = limited(container, bound, limits_by(container.registry)) if has_limits else bound
    # Read before: keys are made of a task's data, and nothing is reserved for a read.
    return PromptLimit(with_payloads(container, bound), container.settings.prompt_limit_bytes)


def with_payloads(container: Container, work: Executor) -> Executor:
    """Return the executor that reads and stores large results, where there is an object store."""
    if container.payloads is None:
        return work
    from baton.worker.executors.payloads.large_results import WithPayloads  # noqa: PLC0415 - few deployments have one

    return WithPayloads(work, container.payloads, container.registry, prompt_too_large)


def limited(
    container: Container, work: Executor, declared: Callable[[CallModel | RunTool], Sequence[CallLimit]]
) -> Executor:
    """Return the executor within the limits that are `declared` for it."""
    call_limits = container.ports.call_limits
    if call_limits is None:
        return work
    from baton.worker.admission.limited_calls import Limited  # noqa: PLC0415 - few have any

    lease_ms = _lease_ms(container)
    longest_pause_ms = 1000 * container.settings.call_pause_limit_seconds
    return Limited(work, declared, call_limits(), container.emitter, lease_ms, longest_pause_ms)


def _lease_ms(container: Container) -> int:
    return 1000 * container.settings.work_timeout_seconds + LEASE_MARGIN_MS


def _budgeted(container: Container, work: Executor) -> Executor:
    registry, budgets = container.registry, container.ports.budgets
    if budgets is None or not (registry.budgets or any(agent.budgets for agent in registry.agents)):
        return work
    from baton.worker.admission.budgeted import Budgeted  # noqa: PLC0415 - few have any
    from baton.worker.conversation.model_budgets import budgets_by  # noqa: PLC0415 - as above

    return Budgeted(work, budgets_by(registry, _lease_ms(container)), budgets(), container.emitter, container.alerting)


def limits_of_servers(registry: Registry, known: Registry) -> Callable[[CallModel | RunTool], Sequence[CallLimit]]:
    """Return a function that gives limits of tools of MCP servers, which `known` has not. A poll of a task has none."""
    of_all, of_known = limits_by(registry), limits_by(known)

    def declared(effect: CallModel | RunTool) -> Sequence[CallLimit]:
        is_look = isinstance(effect, RunTool) and effect.call.memo
        return () if is_look or of_known(effect) else of_all(effect)

    return declared


def limits_by(registry: Registry) -> Callable[[CallModel | RunTool], Sequence[CallLimit]]:
    """Return a function that gives the limits of a piece of work. A question about a call is not yet the call."""

    def declared(effect: CallModel | RunTool) -> Sequence[CallLimit]:
        if isinstance(effect, CallModel):
            return registry.agent(effect.job.agent).call_limits
        try:
            tool = registry.tool(effect.call.tool)
        except UnknownToolError:  # an agent's runner has it, or it runs a script
            return ()
        # A function may let the call run at once.
        return () if tool.requires_approval is True and not effect.call.approved else tool.call_limits

    return declared

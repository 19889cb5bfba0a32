"""One attempt of a tool call: run it with the recorded arguments, within its time limit, and check its result.

A call of an agent's tool starts a job below its own, inside the limits of the job that starts it. Invariant: a failure
is a step result with a clear message, never raised. Each attempt of a call starts the same job. Must not: import a
model.
"""

import logging
import sys
from dataclasses import replace
from typing import Any, NamedTuple

from msgspec.structs import replace as struct_replace

from baton.engine.background_calls import CallWaits, call_of
from baton.engine.commit.answers import Claim, History
from baton.engine.effects import RunTool, Work
from baton.engine.state import CallRecord, Job
from baton.engine.step_results import (
    StepResult,
    ToolFailed,
    ToolNeedsApproval,
    ToolRan,
    ToolReturned,
    ToolRunsAgain,
    ToolWaits,
)
from baton.engine.waits import tool_digest
from baton.observability.logs import place_of
from baton.sdk.agents.registry import Registry, UnknownAgentError, UnknownToolError
from baton.sdk.agents.runner import CallReturned, CodeRunner, NeedsApproval
from baton.sdk.clock import Clock
from baton.sdk.memory.keeper import MemoryKeeper
from baton.sdk.memory.policy import Memory
from baton.sdk.planning.reference import UnresolvedReference, resolved
from baton.sdk.records.foreign_text import ForeignText
from baton.sdk.records.redaction import KnownSecrets
from baton.sdk.records.transcript import Failure
from baton.sdk.tools.approval_rule import WEEK_SECONDS, ApprovalRule
from baton.sdk.tools.arguments import InvalidArguments
from baton.sdk.tools.contained import CutShortError, traceback_of
from baton.sdk.tools.context import ToolContext
from baton.sdk.tools.pending import Pending, RunAgain
from baton.sdk.tools.printed import CODE, Printing, listen, printed_by
from baton.sdk.tools.return_type import InvalidResult
from baton.sdk.tools.runnable import Runnable
from baton.sdk.tools.running_calls import NoTimeLeftError, OverLimitError, RunningCalls, StillRunsError
from baton.sdk.tools.tool import Tool
from baton.sdk.tools.tool_error import ToolError
from baton.store.redis.store import Store
from baton.worker.executors.executor import UNRECORDABLE, canonical, is_for_the_queue
from baton.worker.executors.runner_work import RunnerTool, recorded, recorded_starter
from baton.worker.executors.started_jobs import NoChildError, child_job
from baton.worker.executors.tool_context import CallMemory, CallOutlet, Outside, StoreChannel, TenantOperations
from baton_events.app_event import occurrence_name
from baton_events.emitter import OF_CALL
from baton_events.errors import StoreError
from baton_events.ids import awaited_name, call_of_operation, operation_id
from baton_events.values.durations import plain_seconds
from baton_events.values.json_value import TooLarge, Unrecordable, recorded_json
from baton_events.values.text import members_of, storable, text_of

_log = logging.getLogger("baton.tools")
_ANY_MEMORY = Memory()
_Found = tuple[Runnable, dict[str, Any]]
_EXPECTED = (ToolError, InvalidArguments, InvalidResult, Unrecordable, StillRunsError)
_MISFITS = {
    InvalidArguments: "invalid_arguments",
    InvalidResult: "invalid_result",
    Unrecordable: UNRECORDABLE,
    TooLarge: "too_large",
}


class ResultLimit(NamedTuple):
    """The largest result of a tool: with its record, and in the object store; 0: there is none."""

    small_bytes: int
    large_bytes: int = 0

    @property
    def most_bytes(self) -> int:
        return self.large_bytes or self.small_bytes

    @property
    def name(self) -> str:
        """The setting that raises it."""
        return "LARGE_RESULT_LIMIT_BYTES" if self.large_bytes else "RESULT_LIMIT_BYTES"


class ToolRun:
    def __init__(
        self,
        registry: Registry,
        store: Store,
        keeper: MemoryKeeper,
        clock: Clock,
        calls: RunningCalls,
        result_limit: ResultLimit,
        secrets: KnownSecrets | None = None,
        outside: Outside | None = None,
    ) -> None:
        self._registry = registry
        self._secrets = secrets or KnownSecrets()
        self._store, self._outside, self._keeper, self._clock = store, outside, keeper, clock
        self._calls = calls
        self._limit = result_limit

    async def __call__(self, effect: Work, history: History, claim: Claim) -> StepResult:
        """Run the tool; a plan's step gets the values that it refers to."""
        assert isinstance(effect, RunTool), "this executor is registered for RunTool"
        found = await self._runner_tool(effect, history) or self._tool(effect, history)
        if not isinstance(found, tuple):
            return found
        tool, arguments = found
        outside = self._outside if effect.job.lets_go_of(effect.call, tool.background) else None
        secrets = self._secrets.and_those_in(arguments)
        context = self._context(effect, claim, secrets)
        result = await self._not_run(tool, arguments, effect, context, secrets)
        if outside is None:
            return result or await self._run(tool, arguments, effect, context, secrets)
        if result is None and not tool.background:
            context = replace(context, operation_id=operation_id(call_of(effect.job, effect.call)))
            result = await self._run(tool, arguments, effect, context, secrets)
        if result is None or (isinstance(result, CallWaits) and _goes_on(tool, result)):
            kept: Any = result and canonical(result, secrets)  # it waits as the result does
            started = await outside.background.start(effect, arguments, kept)
            return struct_replace(started, printed=result.printed) if isinstance(result, ToolRan) else started
        return result

    async def _run(
        self, tool: Runnable, arguments: dict[str, Any], effect: RunTool, context: ToolContext, secrets: KnownSecrets
    ) -> StepResult:
        now_ms, output = context.started_at_ms, [effect.call.id]
        CODE.set(output)
        if sys.stdout.__class__ is not Printing:
            listen()
        step_result: StepResult
        match await self._attempt(tool, arguments, context, secrets):
            case ToolFailed() as failure:
                step_result = failure
            case Pending() as pending:
                step_result = await self._waits(tool, pending, context, effect.job, now_ms)
            case (NeedsApproval() | RunAgain()) as later:
                step_result = _later(later, arguments, now_ms)
            case CallReturned() as returned:
                step_result = self._returned(tool, returned.value, returned.kept)
            case result:
                step_result = self._returned(tool, result)
        printed = secrets.hide(storable(printed_by(output))) if output[1:] else ""
        return struct_replace(step_result, printed=printed) if printed else step_result

    async def _not_run(
        self, tool: Runnable, arguments: dict[str, Any], effect: RunTool, context: ToolContext, secrets: KnownSecrets
    ) -> StepResult | None:
        """Return why the tool is not run: its arguments are bad, or a person must be asked; None: it can run."""
        if not isinstance(tool, Tool):
            return None
        if arguments != effect.call.arguments and (tool.requires_approval or tool.background):
            try:  # results of other steps are among them: arguments without any were checked when they were requested
                tool.check(arguments)
            except InvalidArguments as error:
                return _failed("invalid_arguments", str(error), retryable=False)
        asks = await self._asks(tool, arguments, effect.call, context, secrets)
        if isinstance(asks, ToolFailed):
            return asks
        return question_of(tool, arguments, context.started_at_ms) if asks else None

    async def _asks(
        self, tool: Tool, arguments: dict[str, Any], call: CallRecord, context: ToolContext, secrets: KnownSecrets
    ) -> bool | ToolFailed:
        """Return whether a person must be asked, or how the tool's own function for that has failed."""
        rule = tool.requires_approval
        if isinstance(rule, bool) or _is_approved(call):
            return bool(rule) and not _is_approved(call)
        # An earlier attempt of the tool that still runs is not joined. Reports of both are numbered by one channel.
        context = replace(context, idempotency_key=f"{context.idempotency_key}-approval")
        runs = ApprovalRule(tool.name, rule, tool.timeout_seconds)
        decided: bool | ToolFailed = await self._attempt(runs, arguments, context, secrets)
        return decided

    def _context(self, effect: RunTool, claim: Claim, secrets: KnownSecrets) -> ToolContext:
        return ToolContext(
            job_id=effect.job.id,
            session_id=effect.job.session_id,
            call_id=effect.call.id,
            operation_id=operation_id(effect.call.id),
            attempt=effect.attempt,
            idempotency_key=effect.call.idempotency_key,
            started_at_ms=claim.now_ms,
            memo=effect.call.memo,
            channel=StoreChannel(self._store, self._clock, claim, effect.call.id, secrets),
            memory=CallMemory(
                self._keeper, effect.job, effect.call.id, self._memory_of(effect.job.agent), secrets.hide
            ),
            **self._reach(effect, secrets),
        )

    def _reach(self, effect: RunTool, secrets: KnownSecrets) -> dict[str, Any]:
        if self._outside is None:
            return {}
        model = effect.job.model  # code may pass its own secrets on
        passed_on = self._secrets if model.runs_code or (effect.call.step and model.is_programmed) else secrets
        return {
            "operations": TenantOperations(self._outside.reader, effect.job.tenant),
            "outlet": CallOutlet(self._outside, self._registry, effect.job, effect.call.id, passed_on),
        }

    def _tool(self, effect: RunTool, history: History) -> _Found | StepResult:
        try:
            return self._registry.tool(effect.call.tool), arguments_of(effect.call, history)
        except UnknownToolError as error:
            # Old code in the middle of a deploy may not know it yet.
            try:
                self._registry.agent(effect.job.agent)
            except UnknownAgentError as unknown:
                return ToolFailed(Failure("unknown_agent", str(unknown), retryable=True), is_unfit=True)
            failure = Failure("unknown_tool", str(error), retryable=True)
            return ToolFailed(failure, is_unfit=effect.job.model.runs_code)
        except UnresolvedReference as error:
            return _failed("unresolved_reference", str(error), retryable=False)

    async def _runner_tool(self, effect: RunTool, history: History) -> _Found | StepResult | None:
        try:
            runner = self._registry.agent(effect.job.agent).runner
        except UnknownAgentError:
            return None
        # A job may have begun before its agent had a runner.
        if runner is None or isinstance(runner, CodeRunner) or not history.transcript:
            return None
        call, seconds, record = effect.call, self._calls.work_limit_seconds, recorded(effect.job, history)
        if effect.job.is_operation and self._outside is not None:
            started = await recorded_starter(self._outside.reader, effect)
            if started is None:
                return _failed("job_gone", "the data of the job that made the call is gone", retryable=False)
            effect, record = started
        return RunnerTool(call.tool, seconds, runner, record, effect, _is_approved(call)), call.arguments

    async def _waits(self, tool: Runnable, pending: Pending, context: ToolContext, job: Job, now_ms: int) -> StepResult:
        try:
            child = child_job(self._registry, job, context.call_id, pending.child, now_ms) if pending.child else None
        except NoChildError as error:
            failure = Failure(error.type, str(error), error.retryable)
            return ToolFailed(failure, is_unfit=job.model.runs_code and error.retryable)
        timeout_result = self._returned(tool, pending.otherwise, small=True)
        if not isinstance(timeout_result, ToolReturned):
            return timeout_result
        until_ms, event = pending.until_ms(now_ms), pending.event
        if pending.key is not None and self._outside is not None:
            # Noted before the wait is committed: an event that comes meanwhile is kept with the job, for that wait.
            name, event = awaited_name(job.tenant, event, pending.key), occurrence_name(event, pending.key)
            waiting = call_of_operation(context.operation_id)
            kept = await self._outside.app_events.wait(name, waiting, until_ms, now_ms)
            if kept:
                return ToolReturned(kept)
        return ToolWaits(
            until_ms=until_ms,
            timeout_result=f'{{"ok":{timeout_result.result_json}}}',
            event=event,
            operation_id=context.operation_id if pending.operation and not pending.event else "",
            child=child,
            holds_job=pending.holds_its_job,
        )

    def _memory_of(self, agent: str) -> Memory:
        try:
            return self._registry.agent(agent).memory_policy or _ANY_MEMORY
        except UnknownAgentError:
            return Memory(scope="session")

    async def _attempt(
        self, tool: Runnable, arguments: dict[str, Any], context: ToolContext, secrets: KnownSecrets
    ) -> Any:
        emitting = OF_CALL.set(context.emit)
        try:
            return await self._calls.result(tool, arguments, context)
        except OverLimitError as error:
            late = f"tool {tool.name!r} did not return within {self._calls.limit_seconds(tool):g} s"
            return _failed("timeout", f"{late}; it still runs, and was written off" if error.hung else late)
        except Exception as error:
            if isinstance(error, StoreError | NoTimeLeftError) and is_for_the_queue(error):
                raise  # not a failure of the tool
            if not isinstance(error, _EXPECTED):
                trace = secrets.hide(storable(traceback_of(error)))
                _log.warning("tool %r: %s", tool.name, ForeignText(trace, place_of(error)))
            return _failure_of(error, tool.retry_on if isinstance(tool, Tool) else ())
        finally:
            OF_CALL.reset(emitting)

    def _returned(self, tool: Runnable, result: Any, kept: Any = None, *, small: bool = False) -> StepResult:
        limit = ResultLimit(self._limit.small_bytes) if small else self._limit
        try:
            text = recorded_json(result, "result", limit.most_bytes)
            return ToolReturned(text, "" if kept is None else recorded_json(kept, "kept", limit.most_bytes))
        except TooLarge as error:
            message = (
                f"tool {tool.name!r} returned {error.size_bytes} bytes, over the limit of {error.limit_bytes}: "
                f"return less, or a reference ({limit.name} raises the limit)"
            )
            return _failed("result_too_large", message, retryable=False)
        except Unrecordable as error:
            message = f"tool {tool.name!r} returned what cannot be recorded: {error}"
            return _failed(UNRECORDABLE, message, retryable=False)


def arguments_of(call: CallRecord, history: History) -> dict[str, Any]:
    """Return the tool's arguments; references are resolved in a plan's step that was not approved by a person.

    Raises UnresolvedReference: a reference leads nowhere.
    """
    if not call.step or call.approved:
        return call.arguments
    return resolved(call.arguments, call.after, history.results)


def _is_approved(call: CallRecord) -> bool:
    return call.approved == tool_digest(call.tool, call.arguments)


def question_of(tool: Tool, arguments: dict[str, Any], now_ms: int) -> ToolNeedsApproval:
    """Return the question whether the tool may run with these arguments."""
    until_ms = now_ms + round(plain_seconds(tool.approval.get("seconds", WEEK_SECONDS)) * 1000)
    escalates = plain_seconds(tool.approval.get("escalate_after_seconds", 0))
    escalates_ms = now_ms + round(escalates * 1000) if escalates else 0
    title = tool.approval.get("title") or f"run tool {tool.name}"
    of_user = tool.approval.get("by") == "user"
    return ToolNeedsApproval(arguments, title, until_ms, escalates_ms, tool.approval_people, of_user=of_user)


def _later(result: NeedsApproval | RunAgain, arguments: dict[str, Any], now_ms: int) -> StepResult:
    """Return the step result of a call that runs later: after an approval or answer, or after some time."""
    until_ms = now_ms + WEEK_SECONDS * 1000
    if isinstance(result, RunAgain) and result.timeout_seconds is not None:
        until_ms = now_ms + round(plain_seconds(result.timeout_seconds) * 1000)
    if isinstance(result, NeedsApproval):
        return ToolNeedsApproval(arguments, result.title, until_ms, data=result.metadata)
    if result.form is None:
        return ToolRunsAgain(result.at_ms(now_ms), result.memo)
    return ToolNeedsApproval(result.begins_with, result.title, until_ms, form=result.form, memo=result.memo)


def _goes_on(tool: Runnable, waits: CallWaits) -> bool:
    """Return whether the waiting call can continue in the background.

    A runner's call that waits for a person cannot: its run would go on as if the call had been made.
    """
    return not waits.holds_job if isinstance(waits, ToolWaits) else isinstance(tool, Tool)


def _failure_of(error: Exception, retry_on: tuple[type[Exception], ...]) -> ToolFailed:
    match error:
        case ToolError():
            failed = _failed(error.type, error.message, retryable=error.retryable, traceback=traceback_of(error))
            return ToolFailed(failed.failure, plain_seconds(error.retry_after_seconds))
        case InvalidArguments() | InvalidResult() | Unrecordable():
            return _failed(_MISFITS[type(error)], str(error), retryable=False)
        case StillRunsError():
            return _failed("still_running", str(error))
        case _:
            kind = error.type if isinstance(error, CutShortError) else type(error).__name__
            retryable = isinstance(error, retry_on) or all(
                one.retryable if isinstance(one, ToolError) else isinstance(one, retry_on) for one in members_of(error)
            )
            return _failed(kind, text_of(error), retryable=retryable, traceback=traceback_of(error))


def _failed(kind: str, message: str, *, retryable: bool = True, traceback: str = "") -> ToolFailed:
    return ToolFailed(Failure(kind, message, retryable, traceback))

"""The shape of an executor, and the door of its outcomes: what foreign code made becomes a step result to be recorded.

Invariant: an outcome is a step result of storable text, JSON of finite numbers and bounded waits, each of its fields
within a size limit, whatever was raised, returned or handed over; what cannot be recorded is a failed attempt of type
`unrecordable`, which names the place. No value that the settings know as a secret, and none under a secret's name in a
call's arguments, is in it. A model's arguments are cleaned of the settings' values before the tool gets them: a model
has no business with them. Must not: swallow what is for the queue to repeat (the store, the queue, a call that has to
wait), or change the arguments' own secrets, which the tool needs; they are redacted in records
(`baton.sdk.records.redaction`).
"""

import json
import logging
from collections.abc import Callable
from typing import Any, Protocol

from msgspec.structs import replace

from baton.engine.commit.answers import Claim, History
from baton.engine.effects import RunTool, Work
from baton.engine.state import FORK
from baton.engine.step_results import (
    ExtraUsage,
    ModelAnswered,
    ModelFailed,
    ModelWaits,
    ScriptEnded,
    ScriptWaits,
    StepResult,
    ToolFailed,
    ToolNeedsApproval,
    ToolReturned,
    ToolRunsAgain,
    ToolWaits,
    used_by,
)
from baton.observability.logs import place_in, place_of
from baton.sdk.models.model import ANSWER_LIMIT_BYTES
from baton.sdk.records.foreign_text import ForeignText
from baton.sdk.records.redaction import OWN_VALUE, KnownSecrets, outcome_for_code, redacted, redacted_json
from baton.sdk.records.transcript import Failure, Wanted
from baton.sdk.tools.contained import is_foreign, traceback_of
from baton.sdk.tools.running_calls import NoTimeLeftError, NotYetError
from baton_events.errors import BatonError
from baton_events.ids import canonical_json, step_number
from baton_events.values.json_value import TooLarge, Unrecordable, plain
from baton_events.values.text import cut, storable, text_of
from baton_events.values.waits import wait_seconds

UNRECORDABLE = "unrecordable"
MESSAGE_LIMIT_CHARS, TRACEBACK_LIMIT_CHARS = 2_000, 4_000
_log = logging.getLogger("baton.tools")


class Executing(Protocol):
    """Does one kind of work."""

    async def __call__(self, effect: Work, history: History, claim: Claim) -> StepResult | None: ...


def with_entries(step_result: StepResult | None, entries: tuple[dict[str, Any], ...]) -> StepResult | None:
    """Return a turn's step result, with entries for the transcript before its own."""
    match step_result:
        case ModelAnswered() | ModelFailed() | ModelWaits():
            extra_usage: ExtraUsage = step_result.extra_usage
            return replace(step_result, extra_usage=replace(extra_usage, entries=(*entries, *extra_usage.entries)))
        case _:
            return step_result


class UnlessForked:
    """Runs a job's work by `plain`; a fork's by the executor of `make_forked`, which no other job loads."""

    def __init__(self, plain: Executing, make_forked: Callable[[Executing], Executing]) -> None:
        self._plain, self._make_forked = plain, make_forked
        self._forked: Executing | None = None

    async def __call__(self, effect: Work, history: History, claim: Claim) -> StepResult | None:
        if not history.transcript or FORK not in history.transcript[0]:
            return await self._plain(effect, history, claim)
        self._forked = self._forked or self._make_forked(self._plain)
        return await self._forked(effect, history, claim)


class OutcomeDoor:
    """Runs another executor, and lets its outcome in."""

    def __init__(self, executor: Executing, secrets: KnownSecrets) -> None:
        self._executor, self._secrets = executor, secrets

    async def __call__(self, effect: Work, history: History, claim: Claim) -> StepResult | None:
        secrets = self._secrets.and_those_in(effect.call.arguments) if isinstance(effect, RunTool) else self._secrets
        step_result: StepResult | None = None
        try:
            step_result = await self._executor(effect, history, claim)
            if isinstance(step_result, ModelFailed) and (trace := step_result.failure.traceback):
                place = place_in(step_result.failure.type, trace)
                marked = ForeignText(secrets.hide(storable(trace)), place)
                _log.warning("%s: %s", claim.item_key, marked)
            if step_result is None:
                return None
            shown = canonical(step_result, secrets)
            model, call = effect.job.model, effect.call if isinstance(effect, RunTool) else None
            is_step = call and (call.step or (model.runs_code and step_number(call.id)))
            return self._for_code(shown, step_result) if is_step and model.is_programmed else shown
        except Exception as error:
            if is_for_the_queue(error):
                raise
            if not isinstance(error, Unrecordable):
                trace = secrets.hide(storable(traceback_of(error)))
                _log.warning("%s: %s", claim.item_key, ForeignText(trace, place_of(error)))
            return _failed(effect, error, secrets, used_by(step_result))

    def _for_code(self, shown: StepResult, returned: StepResult) -> StepResult:
        """Keep what a step of code gives beside what is shown of it; the settings' secrets are in neither.

        The job that it starts is code's as well: it gets what it was given.
        """
        hide = self._secrets
        if isinstance(shown, ToolWaits) and isinstance(returned, ToolWaits):
            child = returned.child
            child = child and replace(child, task=hide.hide_in(bounded_plain(child.task, "start")))
            own = hide.hide_in(json.loads(returned.timeout_result))
            otherwise = outcome_for_code(json.loads(shown.timeout_result), own)
            return replace(shown, timeout_result=canonical_json(otherwise), child=child)
        if not (isinstance(shown, ToolReturned) and isinstance(returned, ToolReturned)):
            return shown
        own_json = hide.hide_in_json(returned.result_json)
        return shown if own_json == shown.result_json else replace(shown, kept_json=f'{{"{OWN_VALUE}":{own_json}}}')


def is_for_the_queue(error: Exception) -> bool:
    """Return whether the delivery is to be repeated: the store or the queue failed, and not in foreign code's words."""
    if isinstance(error, NoTimeLeftError | NotYetError):
        return True
    return isinstance(error, BatonError) and error.retryable and not is_foreign(error)


def _failed(effect: Work, error: Exception, secrets: KnownSecrets, used: ExtraUsage) -> StepResult:
    """Return the outcome of work whose own outcome cannot be recorded. Another answer of a model may fit."""
    is_tool, kind = isinstance(effect, RunTool), type(error).__name__
    message = text_of(error) if isinstance(error, Unrecordable) else f"{kind}: {text_of(error)}"
    failure = _failure(Failure(UNRECORDABLE, message, not is_tool, traceback_of(error)), secrets)
    return ToolFailed(failure) if is_tool else ModelFailed(failure, extra_usage=used)


def canonical(step_result: StepResult, secrets: KnownSecrets) -> StepResult:
    """Return the step result as it can be recorded, without secrets. Raises Unrecordable: a value of it cannot be."""
    match step_result:
        case ToolReturned():
            kept_json = step_result.kept_json and _json(step_result.kept_json, secrets)
            return replace(step_result, result_json=_json(step_result.result_json, secrets), kept_json=kept_json)
        case ToolWaits():
            child = step_result.child
            if child is not None:
                child = replace(child, task=secrets.hide_in(bounded_plain(child.task, "start")))
            otherwise = _json(step_result.timeout_result, secrets)
            event = cut(storable(step_result.event), MESSAGE_LIMIT_CHARS)
            return replace(step_result, timeout_result=otherwise, event=event, child=child)
        case ToolRunsAgain():
            return replace(step_result, memo=bounded_plain(step_result.memo, "memo"))
        case ToolNeedsApproval():
            return _question(step_result)
        case ToolFailed():
            failure = _failure(step_result.failure, secrets)
            return replace(
                step_result, failure=failure, retry_after_seconds=wait_seconds(step_result.retry_after_seconds)
            )
        case _:
            return _of_turn(step_result, secrets)


def _of_turn(step_result: StepResult, secrets: KnownSecrets) -> StepResult:
    match step_result:
        case ModelFailed():
            return replace(
                step_result,
                failure=_failure(step_result.failure, secrets),
                retry_after_seconds=wait_seconds(step_result.retry_after_seconds),
                extra_usage=_extra_usage(step_result.extra_usage, secrets),
            )
        case ModelWaits():
            memo = bounded_plain(step_result.memo, "memo")
            return replace(step_result, memo=memo, extra_usage=_extra_usage(step_result.extra_usage, secrets))
        case ModelAnswered():
            return _answered(step_result, secrets)
        case ScriptWaits():
            return replace(step_result, wanted=tuple([_wanted(each, secrets) for each in step_result.wanted]))
        case ScriptEnded():
            failure = step_result.failure  # whose text the interpreter has made, and bounds
            failure = failure and replace(failure, message=secrets.hide(failure.message))
            return ScriptEnded(_json(step_result.result_json, secrets), failure)
        case _:
            return step_result


def _question(asked: ToolNeedsApproval) -> ToolNeedsApproval:
    return replace(
        asked,
        arguments=bounded_plain(asked.arguments, "arguments"),
        title=cut(text_of(asked.title), MESSAGE_LIMIT_CHARS),
        form=bounded_plain(asked.form, "form"),
        memo=bounded_plain(asked.memo, "memo"),
        data=bounded_plain(asked.data, "metadata"),
    )


def _answered(step_result: ModelAnswered, secrets: KnownSecrets) -> ModelAnswered:
    provider = step_result.provider
    return replace(
        step_result,
        text=secrets.hide(step_result.text),
        reflection=secrets.hide(step_result.reflection),
        wanted=tuple([_wanted(wanted_call, secrets) for wanted_call in step_result.wanted]),
        # The provider's data may hold the arguments a second time, in a form of its own.
        provider=None if provider is None else secrets.hide_in(redacted(provider)),
        output=secrets.hide_in(step_result.output),
        own=step_result.own and secrets.hide_in(step_result.own),
        workspace=step_result.workspace and bounded_plain(step_result.workspace, "workspace"),
        extra_usage=_extra_usage(step_result.extra_usage, secrets),
    )


def _wanted(wanted_call: Wanted, secrets: KnownSecrets) -> Wanted:
    fault, script, tool = wanted_call.fault, wanted_call.script, text_of(wanted_call.tool)
    return replace(
        wanted_call,
        tool=cut(tool, MESSAGE_LIMIT_CHARS) if fault else tool,  # the name of one that can run is a tool's
        arguments=secrets.hide_in(wanted_call.arguments),
        fault=fault and _failure(fault, secrets.and_those_in(wanted_call.arguments)),
        script=script and replace(script, code=secrets.hide(script.code)),
    )


def _extra_usage(extra_usage: ExtraUsage, secrets: KnownSecrets) -> ExtraUsage:
    if not extra_usage.entries:
        return extra_usage
    return replace(extra_usage, entries=tuple(secrets.hide_in(plain(entry, "entry")) for entry in extra_usage.entries))


def _failure(failure: Failure, secrets: KnownSecrets) -> Failure:
    # Cut after secrets are hidden: half of one would not be found.
    kind, message = (secrets.hide(text_of(text)) for text in (failure.type, failure.message))
    return replace(
        failure,
        type=cut(kind, MESSAGE_LIMIT_CHARS),
        message=cut(message, MESSAGE_LIMIT_CHARS) or "no message",
        retryable=isinstance(failure.retryable, int) and bool(failure.retryable),
        traceback=cut(secrets.hide(text_of(failure.traceback)), TRACEBACK_LIMIT_CHARS),
        partial=cut(secrets.hide(text_of(failure.partial)), ANSWER_LIMIT_BYTES),
    )


def bounded_plain(value: Any, at: str) -> Any:
    """Return a value that stands in a job's records, as JSON data.

    Raises Unrecordable: JSON cannot hold it. TooLarge: it is over the limit of an answer.
    """
    kept = plain(value, at)
    if kept is not None and (size_bytes := len(canonical_json(kept).encode())) > ANSWER_LIMIT_BYTES:
        raise TooLarge(at, size_bytes, ANSWER_LIMIT_BYTES)
    return kept


def _json(text: str, secrets: KnownSecrets) -> str:
    return secrets.hide_in_json(redacted_json(text))

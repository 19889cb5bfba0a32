"""The shape of an executor, and two rules for its output: no secrets, and no text that the store cannot hold.

Invariant: no value that the settings know as a secret, and none under a secret's name in a call's arguments, gets into
a result, an error, an answer or a part. A model's arguments are cleaned of the settings' values before the tool gets
them: a model has no business with them. Half a surrogate pair is no UTF-8 and would fail every COMMIT, so it is
replaced. Must not: change the arguments' own secrets, which the tool needs; they are redacted in records
(`baton.sdk.redaction`).
"""

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
    StepResult,
    ToolFailed,
    ToolReturned,
    ToolWaits,
)
from baton.sdk.records import Failure, Wanted
from baton.sdk.redaction import KnownSecrets, redacted, redacted_json

TRACEBACK_LIMIT_CHARS = 4_000


class Executing(Protocol):
    """Does one kind of work."""

    async def __call__(self, effect: Work, history: History, claim: Claim) -> StepResult | None:
        """Do the work."""
        ...


def storable(text: str) -> str:
    """Return the text with characters that UTF-8 cannot hold replaced by `?`."""
    return text.encode("utf-8", "replace").decode()


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
        """Do the work."""
        if not history.transcript or FORK not in history.transcript[0]:
            return await self._plain(effect, history, claim)
        self._forked = self._forked or self._make_forked(self._plain)
        return await self._forked(effect, history, claim)


class Hiding:
    """Runs another executor, and hides secrets in its step result."""

    def __init__(self, executor: Executing, secrets: KnownSecrets) -> None:
        self._executor = executor
        self._secrets = secrets

    async def __call__(self, effect: Work, history: History, claim: Claim) -> StepResult | None:
        """Do the work."""
        secrets = self._secrets.and_those_in(effect.call.arguments) if isinstance(effect, RunTool) else self._secrets
        step_result = await self._executor(effect, history, claim)
        return hidden(step_result, secrets) if step_result is not None else None


def hidden(step_result: StepResult, secrets: KnownSecrets) -> StepResult:  # noqa: PLR0911 - one each
    """Return the step result without secrets."""
    match step_result:
        case ToolReturned():
            result_json, kept_json = (_json(text, secrets) for text in (step_result.result_json, step_result.kept_json))
            return replace(step_result, result_json=result_json, kept_json=kept_json)
        case ToolWaits():
            child = step_result.child and replace(step_result.child, task=secrets.hide_in(step_result.child.task))
            return replace(step_result, timeout_result=_json(step_result.timeout_result, secrets), child=child)
        case ToolFailed():
            return replace(step_result, failure=_failure(step_result.failure, secrets))
        case ModelFailed():
            failure = _failure(step_result.failure, secrets)
            return replace(step_result, failure=failure, extra_usage=_extra_usage(step_result.extra_usage, secrets))
        case ModelWaits():
            return replace(step_result, extra_usage=_extra_usage(step_result.extra_usage, secrets))
        case ModelAnswered():
            return _answered(step_result, secrets)
        case _:
            return step_result


def _answered(step_result: ModelAnswered, secrets: KnownSecrets) -> ModelAnswered:
    return replace(
        step_result,
        text=secrets.hide(step_result.text),
        reflection=secrets.hide(step_result.reflection),
        wanted=tuple([_wanted(wanted_call, secrets) for wanted_call in step_result.wanted]),
        # The provider's data may hold the arguments a second time, in a form of its own.
        provider=None if step_result.provider is None else secrets.hide_in(redacted(step_result.provider)),
        output=secrets.hide_in(step_result.output),
        extra_usage=_extra_usage(step_result.extra_usage, secrets),
    )


def _wanted(wanted_call: Wanted, secrets: KnownSecrets) -> Wanted:
    arguments = secrets.hide_in(wanted_call.arguments)
    if wanted_call.fault is None:
        return wanted_call if arguments == wanted_call.arguments else replace(wanted_call, arguments=arguments)
    return replace(
        wanted_call,
        arguments=arguments,
        fault=_failure(wanted_call.fault, secrets.and_those_in(wanted_call.arguments)),
    )


def _extra_usage(extra_usage: ExtraUsage, secrets: KnownSecrets) -> ExtraUsage:
    if not extra_usage.entries:
        return extra_usage
    return replace(extra_usage, entries=tuple(secrets.hide_in(entry) for entry in extra_usage.entries))


def _failure(failure: Failure, secrets: KnownSecrets) -> Failure:
    # Cut after secrets are hidden: half of one would not be found.
    traceback = secrets.hide(failure.traceback)[:TRACEBACK_LIMIT_CHARS]
    return replace(failure, type=secrets.hide(failure.type), message=secrets.hide(failure.message), traceback=traceback)


def _json(text: str, secrets: KnownSecrets) -> str:
    return secrets.hide_in_json(redacted_json(text))

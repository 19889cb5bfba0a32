"""One call of a model or a runner: within its time, a model's through the cache, and its answer as a step result.

A step result holds calls that can run, calls whose fault goes back to the model, or the job's result. Invariant: all
calls of a turn together have the function's time; a later one has what the earlier ones left. An answer in any form
gives a step result, never an error. Must not: run a tool.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext, suppress
from math import ceil, inf, isnan, nan
from typing import Any

from msgspec import Struct
from msgspec.structs import replace as replace_struct

from baton.engine.commit.answers import History
from baton.engine.state import Job
from baton.engine.step_results import NO_EXTRA_USAGE, ExtraUsage, ModelAnswered, ModelFailed
from baton.engine.transcript import ended_entry
from baton.sdk.agents.agent import Agent
from baton.sdk.agents.output import FINAL_TOOL, InvalidOutput, OutputType
from baton.sdk.agents.runner import CodeRunner, Recorded, RunFailedError, Runner, RunnerAnswer
from baton.sdk.models.answer_cache import AnswerCache
from baton.sdk.models.model import (
    ANSWER_CUT,
    ANSWER_LIMIT_BYTES,
    CHANGED_CODE,
    CUT_CAUSE,
    NEWER_STATE,
    NOTHING_SPENT,
    Call,
    Listener,
    Model,
    ModelAnswer,
    ModelError,
    ModelRequest,
    Spent,
    answer_too_large,
)
from baton.sdk.records.foreign_text import ForeignText
from baton.sdk.records.limits import MOST, MOST_USD
from baton.sdk.records.memory import ModelCache
from baton.sdk.records.redaction import REDACTED, redacted
from baton.sdk.records.transcript import MODEL_ROLE, Failure, Wanted
from baton.sdk.tools.arguments import ARGUMENTS_LIMIT_BYTES
from baton.sdk.tools.contained import CutShortError, contained, has_place, traceback_of
from baton.sdk.tools.tool import Tool, checked_call
from baton.worker.conversation.exchanges import is_chat
from baton.worker.executors.text_stream import TextStream
from baton.worker.runtime.gen_ai import chat_span
from baton_events.errors import BatonError
from baton_events.ids import canonical_json
from baton_events.values.durations import plain_seconds
from baton_events.values.json_value import Unrecordable, plain
from baton_events.values.text import cut, storable, text_of

_log = logging.getLogger("baton.models")
CUT_CALL = Failure(ANSWER_CUT, f"{CUT_CAUSE}, so its calls did not run: make fewer calls at once, or shorter ones")
# Of a call that a runner runs. A failure of the tool is final: retries are for attempts that died, or took too long.
_RETRIES = 2
_NAME_CHARS = 2_000
# Of the record of each call, beside what the model gives.
_CALL_BYTES = 100
# Of so many the arguments are within the size limit of an answer, since those of each are within its own.
_FEW_CALLS = ANSWER_LIMIT_BYTES // ARGUMENTS_LIMIT_BYTES


def answered(
    answer: ModelAnswer,
    tools: Mapping[str, Tool],
    output: OutputType | None = None,
    keeps_cut: Callable[[], bool] = bool,
) -> ModelAnswered | ModelFailed:
    """Return what follows from the answer; calls that cannot run carry their fault back to the model.

    `keeps_cut`: asked of a text that was cut off: whether it is an answer, too.
    """
    try:
        if answer.is_cut:
            return cut_off(answer, output, keeps_cut=keeps_cut())
        text = whole_text(answer.text)
        wanted = tuple([wanted_of(call, tools) for call in answer.calls])
        if len(wanted) > _FEW_CALLS:
            _check_together(wanted)
        if output is None:
            return step_result(answer, text, wanted)
        return _with_output(answer, text, wanted, output)
    except Exception as error:  # noqa: BLE001 - a model is foreign code, and so is all that it returns
        return unusable(answer, error)


def keeps_cut(agent: Agent, job: Job, history: History) -> bool:
    """Return whether a text that was cut off is an answer: by default in a chat, whose reader sees its mark."""
    if agent.on_cut_answer is not None:
        return agent.on_cut_answer == "keep"
    # A model that reads no history is given none.
    return is_chat(history.transcript[0]) if history.transcript else job.background


def unusable(answer: object, error: Exception) -> ModelFailed:
    """Return the failure of an answer that cannot be read or recorded; its usage counts as far as it can be read."""
    if isinstance(error, ModelError):
        failed = model_failed(error)
        return replace_struct(failed, extra_usage=failed.extra_usage + usage_of(answer))
    kind = "unrecordable" if isinstance(error, Unrecordable) else "invalid_answer"
    message = text_of(error) if isinstance(error, Unrecordable) else f"not a usable answer: {text_of(error)}"
    return ModelFailed(Failure(kind, message, retryable=True), extra_usage=usage_of(answer))


def whole_text(text: str) -> str:
    """Return an answer's text as it is kept. Raises ModelError: it is over the size limit."""
    kept = storable(text)
    if len(kept) * 4 > ANSWER_LIMIT_BYTES and (size_bytes := len(kept.encode())) > ANSWER_LIMIT_BYTES:
        raise answer_too_large(size_bytes)
    return kept


def _check_together(calls: Sequence[Wanted]) -> None:
    """Check the size of an answer's calls. Raises ModelError: together they are over the size limit."""
    text = canonical_json([[call.tool, call.arguments] for call in calls])
    if (size_bytes := len(text.encode()) + _CALL_BYTES * len(calls)) > ANSWER_LIMIT_BYTES:
        raise answer_too_large(size_bytes)


def cut_off(answer: ModelAnswer, output: OutputType | None, *, keeps_cut: bool) -> ModelAnswered | ModelFailed:
    """Return what follows from an answer that was cut off: none of its calls runs, and no half output is kept."""
    text = whole_text(answer.text)
    if answer.calls or output is not None:
        finals = () if answer.calls else (Wanted(FINAL_TOOL, {}, CUT_CALL),)
        return step_result(answer, text, (*(refused(call, CUT_CALL) for call in answer.calls), *finals))
    if keeps_cut and text:
        return step_result(answer, text, ())
    failure = Failure(ANSWER_CUT, f"{CUT_CAUSE}; allow more, or Agent(on_cut_answer='keep')", partial=text)
    return ModelFailed(failure, extra_usage=usage_of(answer))


def step_result(
    answer: ModelAnswer, text: str, wanted: tuple[Wanted, ...], output: dict[str, Any] | None = None
) -> ModelAnswered:
    """Return the answer with these calls, or with this output, and with its cost."""
    return ModelAnswered(
        text,
        wanted,
        count(answer.input_tokens, "answer.input_tokens"),
        count(answer.output_tokens, "answer.output_tokens"),
        cost(answer.cost_usd, "answer.cost_usd"),
        answer.cached,
        cached_input_tokens=count(answer.cached_input_tokens, "answer.cached_input_tokens"),
        # An output ends the job; its call has no result that a provider could be sent.
        provider=None if output is not None or answer.provider is None else _kept(answer.provider),
        output=output,
        cut=answer.is_cut,
        extra_usage=usage_of_spent(answer.spent_before),
    )


def _with_output(answer: ModelAnswer, text: str, wanted: tuple[Wanted, ...], output: OutputType) -> ModelAnswered:
    """Return the first final answer that is right, or send all back with their faults, as calls that could not run."""
    finals = [call for call in answer.calls if call.tool == FINAL_TOOL]
    if len(finals) < len(answer.calls):
        fault = Failure(
            "invalid_output",
            f"it counts once all other calls of this turn have succeeded; else call {FINAL_TOOL!r} again",
        )
        return step_result(
            answer, text, tuple([replace_struct(one, fault=fault) if one.tool == FINAL_TOOL else one for one in wanted])
        )
    faults = list[Wanted]()
    for final in finals or (None,):
        try:
            result = _checked(output, final) if final else output.read(text)
            result_json = canonical_json(result)
            result_json.encode()
        except (InvalidOutput, UnicodeEncodeError) as error:
            fault = Failure("invalid_output", storable(str(error)))
            faults.append(refused(final or Call(FINAL_TOOL), fault))
        else:
            return step_result(answer, text if final and text else result_json, (), result)
    return step_result(answer, text, tuple(faults))


def waiting_output(output: OutputType, history: History) -> ModelAnswered | None:
    """Return the output that has come beside calls of tools, once all of them have succeeded; None: there is none."""
    last = history.transcript[-1] if history.transcript else {}
    calls = last["calls"] if last.get("role") == MODEL_ROLE else ()
    others = [call["id"] for call in calls if call["tool"] != FINAL_TOOL]
    if not others or not all("ok" in history.results.get(call_id, ()) for call_id in others):
        return None
    for final in (call["arguments"] for call in calls if call["tool"] == FINAL_TOOL):
        with suppress(InvalidOutput):
            result = output.check(final)
            if REDACTED not in (text := canonical_json(result)):  # else the model has to say it again
                return ModelAnswered(last["text"] or text, output=result, model_calls=0)
    return None


def _checked(output: OutputType, final: Call) -> dict[str, Any]:
    if final.fault:
        raise InvalidOutput(final.fault)
    return output.check(final.arguments)


def refused(call: Call, fault: Failure) -> Wanted:
    """Return a call that cannot run; its arguments are kept where the store can hold them."""
    return Wanted(call.tool, _kept(call.arguments) or {}, fault)


def _kept(values: dict[str, Any]) -> dict[str, Any] | None:
    try:
        kept: dict[str, Any] = plain(values, "values")
    except Unrecordable:
        return None
    return kept if len(canonical_json(kept).encode()) <= ARGUMENTS_LIMIT_BYTES * 2 else None


def wanted_of(call: Call, tools: Mapping[str, Tool]) -> Wanted:
    """Let a requested call in; one that cannot run has its fault."""
    if call.fault:
        return Wanted(call.tool, {}, Failure("invalid_arguments", storable(call.fault)))
    try:
        arguments = plain(call.arguments, "arguments")
    except Unrecordable as error:
        return Wanted(call.tool, {}, Failure("invalid_arguments", str(error)))
    return checked_call(call.tool, arguments, tools)


async def runner_turn(
    runner: Runner,
    record: Recorded,
    text_stream: TextStream | None,
    limit_seconds: float,
    tools: Mapping[str, Tool] | None = None,
    attempt: int = 1,
) -> ModelAnswered | ModelFailed:
    """Do one turn of an agent that has a runner. `tools`: those that its calls are of, where they are not its own."""
    listener: Listener | None = text_stream
    try:
        with nullcontext() if isinstance(runner, CodeRunner) else chat_span(runner.name) as answered_with:
            turn = await contained(lambda: runner.turn(record, listener), limit_seconds)
            if answered_with:
                answered_with(turn.answer)
        streamed_text = await text_stream.streamed_text() if text_stream else None
        try:
            return _runner_step_result(turn, streamed_text, tools or {})
        except (ModelError, ValueError) as error:
            return unusable(turn.answer, error)
    except TimeoutError:
        late = Failure("model_timeout", f"no answer within {limit_seconds:g} s", retryable=True)
        return ModelFailed(late, unanswered=True)
    except ModelError as error:
        return model_failed(error)
    except RunFailedError as error:
        cause = error.__cause__  # of a library's run; without code of its user there is nothing to show
        trace = traceback_of(cause) if cause not in (None, error) and has_place(cause) else ""
        partial = storable(error.partial)
        failure = Failure(storable(error.type), storable(error.message), traceback=trace, partial=partial)
        used = usage_of_spent(error.spent)
        if error.kept is not None:  # for people: no model gets it
            used = replace_struct(used, entries=(ended_entry(record.turn, attempt, redacted(error.kept)),))
        return ModelFailed(failure, extra_usage=used)
    except Exception as error:  # foreign code: its failure is the job's
        if isinstance(runner, CodeRunner) and isinstance(error, BatonError) and error.retryable:
            raise  # of a read: what its code raises is `RunFailedError`
        kind = error.type if isinstance(error, CutShortError) else type(error).__name__
        failure = Failure(kind, text_of(error) or "no message", traceback=traceback_of(error))
        return ModelFailed(failure, unanswered=True)


def _runner_step_result(turn: RunnerAnswer, streamed_text: Any, tools: Mapping[str, Tool]) -> ModelAnswered:
    answer = turn.answer
    wanted = tuple(
        [
            wanted_of(call, tools)
            if call.tool in tools
            else Wanted(cut(text_of(call.tool), _NAME_CHARS), plain(call.arguments, "arguments"), None, _RETRIES)
            for call in answer.calls
        ]
    )
    if answer.is_cut and wanted:
        wanted = tuple([replace_struct(call, fault=CUT_CALL) for call in wanted])
    elif any(turn.alone):
        wanted = _in_turn(wanted, turn.alone)
    if turn.numbers:
        pairs = zip(wanted, turn.numbers, strict=True)
        wanted = tuple([replace_struct(call, number=number) for call, number in pairs])
    if turn.correction:
        wanted = (Wanted(FINAL_TOOL, {}, Failure("invalid_output", storable(turn.correction))),)
    return ModelAnswered(
        whole_text(answer.text),
        wanted,
        count(answer.input_tokens, "answer.input_tokens"),
        count(answer.output_tokens, "answer.output_tokens"),
        cost(answer.cost_usd, "answer.cost_usd"),
        cached_input_tokens=count(answer.cached_input_tokens, "answer.cached_input_tokens"),
        provider=plain(answer.provider, "provider"),
        output=plain(turn.output, "output"),
        model_calls=int(turn.asked),
        streamed_text=streamed_text,
        cut=answer.is_cut,
        workspace=turn.workspace,
        extra_usage=usage_of_spent(answer.spent_before),
        stretch=turn.stretch,
        waits=turn.waits,
        gives_up=turn.given_up,
        own=turn.own,
    )


def _in_turn(calls: Sequence[Wanted], alone: Sequence[bool]) -> tuple[Wanted, ...]:
    """Make steps of the calls: a call runs whatever the outcome of those before it."""
    steps, last_alone, since = list[Wanted](), list[str](), list[str]()
    for at, (call, is_alone) in enumerate(zip(calls, alone, strict=True), start=1):
        before = (*last_alone, *since) if is_alone else tuple(last_alone)
        steps.append(replace_struct(call, step=f"call {at}", depends_on=before, on_failure="continue"))
        since.append(f"call {at}")
        if is_alone:
            last_alone, since = [f"call {at}"], []
    return tuple(steps)


def model_failed(error: ModelError) -> ModelFailed:
    """Return a model's failure, with what it has used."""
    failure = Failure(text_of(error.type), text_of(error.message), retryable=bool(error.retryable))
    wait_seconds = plain_seconds(error.retry_after_seconds)
    spent, unanswered = usage_of_spent(error.spent), bool(error.unanswered)
    return ModelFailed(failure, wait_seconds, spent, unanswered, is_unfit=failure.type in (CHANGED_CODE, NEWER_STATE))


def usage_of_spent(spent: Spent) -> ExtraUsage:
    """Return the usage of answers that were not taken."""
    if spent is NOTHING_SPENT:
        return NO_EXTRA_USAGE
    return ExtraUsage(
        model_calls=count(spent.model_calls, "spent.model_calls"),
        input_tokens=count(spent.input_tokens, "spent.input_tokens"),
        output_tokens=count(spent.output_tokens, "spent.output_tokens"),
        cost_usd=cost(spent.cost_usd, "spent.cost_usd"),
    )


def usage_of(answer: object) -> ExtraUsage:
    """Return the usage of an answer that is not taken; none where it cannot be read."""
    try:
        assert isinstance(answer, ModelAnswer), "a model returns a ModelAnswer"
        if answer.cached:
            return ExtraUsage(cached_calls=1)
        own = Spent(1, answer.input_tokens, answer.output_tokens, answer.cost_usd)
        return usage_of_spent(own) + usage_of_spent(answer.spent_before)
    except Exception:  # noqa: BLE001 - foreign code
        return ExtraUsage(model_calls=1)


def count(value: Any, place: str) -> int:
    """Return a count of tokens, rounded up, up to `MOST`; a missing one is zero, and so is what is no number."""
    if value is None or (value.__class__ is int and 0 <= value <= MOST):
        return value or 0
    return ceil(_taken(value, place, MOST))


def cost(value: Any, place: str) -> float:
    """Return a cost in US dollars, up to `MOST_USD`; a missing one is zero, and so is what is no number."""
    return value if value.__class__ is float and 0 <= value <= MOST_USD else float(_taken(value, place, MOST_USD))


def _taken(value: Any, place: str, most: int) -> float:
    """Return the number that is counted; one that differs from what the model gave is named in the log."""
    if value is None:
        return 0
    try:
        number = nan if isinstance(value, bool) else float(value)
    except OverflowError:  # a whole number of hundreds of digits
        number = inf if value > 0 else -inf
    except Exception:  # noqa: BLE001 - foreign code
        number = nan
    kept = 0.0 if isnan(number) else min(max(number, 0.0), most)
    if kept != number:
        shown = ForeignText(text_of(value) if isinstance(value, float | str) else type(value).__name__)
        _log.warning("a model gave %s=%s: %s is counted, of 0 to %d", place, shown, kept, most)
    return kept


class ModelCalls(Struct, frozen=True):
    """The calls of a turn. `limit_seconds`: of one call; `deadline`: of the turn, in the event loop's time."""

    limit_seconds: float
    deadline: float
    cache: AnswerCache | None = None

    async def call(self, model: Model, request: ModelRequest, share: float = 1.0) -> ModelAnswer:
        """Ask the cache, then the model.

        `model`: the model to call. `request`: the request. `share`: of the time that is left; the rest stays for later
        calls.

        Raises:
            TimeoutError: no answer in time.
            Exception: any error of the model; `CutShortError` for one that is no `Exception`.
        """
        found = await self.cache.lookup(model, request) if self.cache else None
        if found is not None:
            return found
        left_seconds = self.deadline - asyncio.get_running_loop().time()
        limit_seconds = min(self.limit_seconds, max(0.0, left_seconds) * share)
        with chat_span(model.name, request) as answered_with:
            limited = replace_struct(request, time_limit_seconds=limit_seconds)
            answer = await contained(lambda: model.answer(limited), limit_seconds)
            if answered_with:
                answered_with(answer)
        if self.cache:
            await self.cache.keep(model, request, answer)
        return answer


def calls_of(agent: Agent, tenant: str, work_limit_seconds: float, cache: ModelCache | None) -> ModelCalls:
    """Return the calls of a turn that begins now."""
    kept = AnswerCache(cache, tenant, agent.name, agent.cache_seconds) if cache and agent.cache_seconds else None
    return ModelCalls(
        limit_seconds=min(agent.model_timeout_seconds, work_limit_seconds),
        deadline=asyncio.get_running_loop().time() + work_limit_seconds,
        cache=kept,
    )

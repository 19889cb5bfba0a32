"""Runs a workflow stretch by stretch: a turn of its job is a stretch, whose calls are the steps that the code asks for.

Invariant: a run that stays open saves time alone, and goes on only from the record that it has written. Else it is made
again from the record. Must not: run the code in the thread of the event loop.
"""

import asyncio
import inspect
import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cached_property, partial
from typing import Any, NoReturn

from pydantic import TypeAdapter, ValidationError
from pydantic.errors import PydanticUserError

from baton.sdk.agents.runner import (
    CODE_RUNS,
    CallReturned,
    CodeRunner,
    JobInfo,
    OpenCode,
    Recorded,
    RunFailedError,
    RunnerAnswer,
    RunnerCall,
)
from baton.sdk.models.model import ANSWER_LIMIT_BYTES, CHANGED_CODE, Call, Listener, ModelAnswer, ModelError
from baton.sdk.records.foreign_text import ForeignText
from baton.sdk.records.own_threads import in_own_thread
from baton.sdk.records.redaction import redacted
from baton.sdk.records.transcript import STRETCH
from baton.sdk.tools.arguments import InvalidArguments, shortened
from baton.sdk.tools.printed import printed_by
from baton.sdk.tools.tool_error import ToolError
from baton.sdk.workflows.code_run import CodeRun, NeverWaitsError, Stretch
from baton.sdk.workflows.deadline import within
from baton.sdk.workflows.places import Place
from baton.sdk.workflows.record import (
    ChangedCodeError,
    Outcomes,
    kept_of,
    news_of,
    replay,
)
from baton_events.errors import StoreError
from baton_events.ids import canonical_json, digest
from baton_events.values.json_value import Unrecordable, plain

_log = logging.getLogger("baton.workflows")
# What a stretch gets to end in, once it was interrupted.
GRACE_SECONDS = 1.0


class _Open(OpenCode):
    """A run between two stretches. `at`: the number of stretches that it has run; `name`: of the last one."""

    def __init__(self, run: CodeRun) -> None:
        self.run, self.at, self.name = run, 0, ""

    def let_go(self) -> None:
        """Close its code; what does not end in time stays as it is."""
        with suppress(NeverWaitsError):
            within(GRACE_SECONDS, self.run, self.run.abandon)

    def __del__(self) -> None:
        """Close the code of a run that nobody has closed, before its parts are collected."""
        if not self.run.loop.closed:
            with suppress(Exception):
                self.run.abandon()


class WorkflowRunner(CodeRunner):
    """`Runner` of a workflow. `read`: makes the function's arguments of a job, and raises `InvalidArguments`."""

    name = ""
    toolsets: Sequence[Any] = ()

    def __init__(
        self,
        workflow: str,
        function: Callable[..., Any],
        read: Callable[[JobInfo], dict[str, Any]],
        check: Callable[[dict[str, Any]], object],
        returns: Any,
    ) -> None:
        self._workflow, self._read, self._check, self._returns = workflow, read, check, returns
        self.functions = (function,)

    def made_of(self) -> dict[str, Any]:
        """Return its name and the digest of its code."""
        return {"workflow": self._workflow, "code": self._digest}

    @cached_property
    def _digest(self) -> str:
        try:
            return digest(inspect.getsource(self.functions[0]))
        except OSError:  # its file is not there
            return ""

    def takes_file(self, media_type: str) -> bool:  # noqa: ARG002 - the protocol's
        """Return that it takes none."""
        return False

    def check(self, tool: str, arguments: dict[str, Any]) -> None:
        """Leave the check to the tool."""

    def check_input(self, data: dict[str, Any]) -> None:
        """Check a job's data before the job is accepted."""
        self._check(data)

    async def call(self, recorded: Recorded, call: RunnerCall) -> CallReturned:  # noqa: ARG002 - the protocol's
        """Fail: all calls are the registry's tools, and this one is gone."""
        raise ToolError(f"there is no tool {call.tool!r}", retryable=True, type="unknown_tool")

    async def abandon(self, recorded: Recorded) -> None:
        """Do nothing: no provider works for it."""

    def messages(self, *_: Any, **__: Any) -> str:
        """Return that there are none."""
        return ""

    async def turn(self, recorded: Recorded, listener: Listener | None) -> RunnerAnswer:  # noqa: ARG002 - no text
        """Run the next stretch."""
        kept, whole, job_id = CODE_RUNS.get(), None, recorded.job.job_id
        held = kept.take(job_id) if kept else None
        if isinstance(held, _Open) and held.name == recorded.stretch:
            opened = held
        else:
            if held is not None:
                await in_own_thread(held.let_go)
            whole = await _whole(recorded)
            opened = self._opened(whole.job)
        stays = False
        try:
            stretch, taken = await _in_time(
                opened.run, partial(_stretched, opened, whole, recorded), kept.limit_seconds if kept else 0
            )
            answer = self._answer(opened, stretch, taken, recorded)
            stays = bool(kept and answer.stretch)
        finally:
            if not stays and not opened.run.loop.stopped:
                await in_own_thread(opened.let_go)
        if kept and stays:
            for over in kept.keeps(job_id, opened):
                await in_own_thread(over.let_go)
        return answer

    def _opened(self, job: JobInfo) -> _Open:
        try:
            return _Open(CodeRun(self.functions[0], self._read(job), job))
        except InvalidArguments as error:
            raise RunFailedError("invalid_input", "\n".join(error.faults)) from error

    def _answer(self, opened: _Open, stretch: Stretch, taken: Outcomes, recorded: Recorded) -> RunnerAnswer:
        run = opened.run
        printed, notes = run.take_notes()
        for text in filter(None, (printed.rstrip(), *notes)):
            _log.info("%s: %s", recorded.job.job_id, ForeignText(text))
        shown = {"printed": printed_by(["", printed])} if printed else {}
        if run.is_over:
            try:
                return self._ended(run.returned(), shown or None)
            except RunFailedError as error:
                error.kept = shown or None
                raise
        if not stretch.asked and not run.open:
            places = map(str, run.waits_at())
            raise RunFailedError("stuck", "\n".join(["the code waits for what no step brings, at:", *places]))
        opened.at += 1
        kept = kept_of(recorded.stretch, opened.at, recorded.now_ms, stretch, [number for number, _ in taken])
        opened.name = kept["name"]
        kept |= shown
        calls = tuple([Call(step.tool, step.arguments) for step in stretch.asked])
        return RunnerAnswer(
            ModelAnswer(calls=calls, provider={STRETCH: kept}),
            asked=False,
            numbers=tuple([step.number for step in stretch.asked]),
            waits=not calls,
            given_up=stretch.given_up,
            stretch=opened.name,
        )

    def _ended(self, value: Any, kept: dict[str, Any] | None) -> RunnerAnswer:
        own = _checked(self._returns, value)
        output = redacted(own)
        text = output if isinstance(output, str) else "" if output is None else canonical_json(output)
        if (size_bytes := len(text.encode())) > ANSWER_LIMIT_BYTES:
            what = f"the result has {size_bytes} bytes, over the limit of {ANSWER_LIMIT_BYTES}"
            raise RunFailedError("result_too_large", f"{what}: keep large data in files, in a store, or behind an id")
        answer, own = ModelAnswer(text=text, provider=kept), None if own == output else own
        return RunnerAnswer(answer, output=output, asked=False, own=own)


async def _whole(recorded: Recorded) -> Recorded:
    """Read all that a run is made again from.

    Raises StoreError: it is not there yet: a read may be older than the last write. The queue repeats the turn.
    """
    if not recorded.stretch:
        return recorded
    whole = await recorded.whole() if recorded.whole else recorded
    last = (whole.turns[-1].get("provider") or {}) if whole.turns else {}
    if (last.get(STRETCH) or {}).get("name") != recorded.stretch:
        raise StoreError("the job's last stretch cannot be read yet")
    return whole


def _stretched(opened: _Open, whole: Recorded | None, recorded: Recorded) -> tuple[Stretch, Outcomes]:
    """Run the next stretch of a run. `whole`: the record that it is made again from; None: it is open.

    Raises ModelError: the record is of other code.
    """
    run = opened.run
    if whole is not None and recorded.stretch:
        try:
            replay(run, whole)
        except ChangedCodeError as error:
            raise ModelError(str(error), retryable=True, type=CHANGED_CODE) from error
        opened.at = len(whole.turns)
        run.take_notes()
    outcomes = news_of(recorded)
    return run.go_on(recorded.now_ms, outcomes, cancels=recorded.cancelled and not run.cancelled), outcomes


async def _in_time(run: CodeRun, work: Callable[[], Any], limit_seconds: float) -> Any:
    """Run the code in a thread of its own, for so long at most. Raises RunFailedError: it does not come to an end."""
    doing = asyncio.ensure_future(in_own_thread(within, limit_seconds, run, work))
    try:
        await asyncio.wait({doing}, timeout=limit_seconds + GRACE_SECONDS if limit_seconds else None)
    finally:
        if not doing.done():  # its thread goes on, and closes the run when it ends
            run.loop.stopped = True
            doing.add_done_callback(lambda late: late.cancelled() or late.exception())
    if not doing.done():
        _never_waits(limit_seconds, None)
    try:
        return doing.result()
    except NeverWaitsError as error:
        _never_waits(limit_seconds, error.place)


def _never_waits(limit_seconds: float, place: Place | None) -> NoReturn:
    what = f"the code ran for {limit_seconds:g} s and waited for no step; move long work into a @tool"
    raise RunFailedError("never_waits", "\n".join([what, *([str(place)] if place else [])]))


def _checked(returns: Any, value: Any) -> Any:
    """Return a result as JSON, checked against the return annotation if that can be checked.

    Raises RunFailedError: it does not fit, or is no data.
    """
    try:
        adapter = None if returns in (None, type(None)) else TypeAdapter[Any](returns)
    except PydanticUserError:
        adapter = None
    try:
        return plain(value if adapter is None else adapter.validate_python(value), "the result")
    except ValidationError as error:
        faults = "; ".join(
            f"{'.'.join(map(str, one['loc'])) or 'result'}: {one['msg']}, got {shortened(one['input'])}"
            for one in error.errors()
        )
        raise RunFailedError("invalid_result", f"the result does not fit the return annotation: {faults}") from error
    except Unrecordable as error:
        raise RunFailedError("invalid_result", str(error)) from error

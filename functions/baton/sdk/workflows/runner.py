"""Runs a workflow stretch by stretch: a turn of its job is a stretch, whose calls are the steps that the code asks for.

Invariant: a run that stays open saves time alone, and goes on only from the record that it has written. Else it is made
again from the record; steps are compared as they were asked for, by their digests. A stretch that never waits is
interrupted where its thread is, and nothing outside of it: what was raised late is taken back. Must not: run the code
in the thread of the event loop, or end a thread that is in no Python code.
"""

import asyncio
import ctypes
import inspect
import logging
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from functools import cached_property, partial
from typing import Any, NoReturn, TypeVar

from msgspec import Struct
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
from baton.sdk.models.model import (
    ANSWER_LIMIT_BYTES,
    CHANGED_CODE,
    NEWER_STATE,
    Call,
    Listener,
    ModelAnswer,
    ModelError,
)
from baton.sdk.records.foreign_text import ForeignText
from baton.sdk.records.own_threads import in_own_thread
from baton.sdk.records.redaction import redacted
from baton.sdk.records.transcript import STRETCH
from baton.sdk.tools.arguments import InvalidArguments, shortened
from baton.sdk.tools.printed import printed_by
from baton.sdk.tools.tool_error import ToolError
from baton.sdk.workflows.code_run import CodeRun, NeverWaitsError, Stretch
from baton.sdk.workflows.places import Place, place_of_thread
from baton.sdk.workflows.step_call import Step
from baton_events.errors import StoreError
from baton_events.ids import canonical_json, digest, step_number
from baton_events.values.json_value import Unrecordable, plain

_T = TypeVar("_T")
_LOOK_SECONDS = 0.1
_MOST_CHECKS = 1_000
_interrupt = ctypes.pythonapi.PyThreadState_SetAsyncExc
_dict_of_thread = ctypes.pythonapi.PyThreadState_GetDict
_dict_of_thread.restype = ctypes.c_void_p


class Running:
    """A stretch at work in this thread. `place`: where it was when its time was over, if it `is_late`."""

    def __init__(self, run: CodeRun, seconds: float) -> None:
        self.run, self.ident, self.seconds = run, threading.get_ident(), seconds
        self.until = time.monotonic() + seconds
        self.place: Place | None = None
        self.is_late = False

    def look(self) -> None:
        """Interrupt it, if its time is over."""
        if time.monotonic() < self.until:
            return
        self.is_late, self.place = True, self.place or place_of_thread(self.ident)
        self.run.loop.stopped = True
        _interrupt(ctypes.c_ulong(self.ident), ctypes.py_object(NeverWaitsError))


class _Watch:
    """The stretches that run in this process."""

    def __init__(self) -> None:
        self._lock, self._running, self._looks = threading.Lock(), set[Running](), False

    def begin(self, running: Running) -> None:
        """Look after a stretch."""
        with self._lock:
            self._running.add(running)
            if not self._looks:
                self._looks = True
                threading.Thread(target=self._look, name="baton-watch", daemon=True).start()

    def end(self, running: Running) -> None:
        """Leave it alone, and take what is still to interrupt it here.

        To take it back would leave the interpreter looking for it from then on.
        """
        while True:
            try:
                with self._lock:
                    self._running.discard(running)
                for _ in range(_MOST_CHECKS if running.is_late else 0):
                    pass  # the interpreter looks at each turn of a loop
            except NeverWaitsError:
                continue
            return

    def _look(self) -> None:
        while True:
            time.sleep(_LOOK_SECONDS)
            with self._lock:
                if not self._running:
                    self._looks = False
                    return
                for running in self._running:
                    running.look()


_WATCH = _Watch()


def within(seconds: float, run: CodeRun, work: Callable[[], _T]) -> _T:
    """Do a run's work in this thread, for so long at most; without a limit for ever.

    Raises NeverWaitsError: it does not come to an end. `place` is where it was.
    """
    if not seconds:
        return work()
    running = Running(run, seconds)
    try:
        try:
            _WATCH.begin(running)
            return work()
        finally:
            _WATCH.end(running)
    except NeverWaitsError as error:
        _WATCH.end(running)  # it may have been interrupted on its way there
        error.place = running.place
        raise


# Raised where an older version of this code would misread a recorded stretch.
STRETCH_VERSION = 2
_SHOWN_CHARS = 500
_NAME_CHARS = 32
_HINT = (
    "A change of a workflow whose jobs wait goes into `if workflow.patched('…'):`. Where no code has changed: sets of"
    " texts have another order in each process, so write sorted(…)"
)


class RecordedStretch(Struct, frozen=True):
    """A stretch as its turn has it.

    Attributes:
        calls: the turn's, each with its `tool`, and its `arguments` as they are shown.
        at: the stretch's number in its run, from 1.
        now: its time, in milliseconds since 1970.
        numbers: of the steps that it asked for.
        digests: of what they asked for.
        taken: the numbers of the outcomes that it took, in order.
        cancelled: whether it ended with a cancel of the code.
        patched: what `patched` answered with true for the first time.
    """

    calls: Sequence[Mapping[str, Any]]
    at: int
    now: int
    numbers: tuple[int, ...]
    digests: tuple[str, ...]
    taken: tuple[int, ...]
    cancelled: bool
    patched: tuple[str, ...]


def kept_of(before: str, at: int, now_ms: int, stretch: Stretch, taken: Iterable[int]) -> dict[str, Any]:
    """Return what a turn keeps of a stretch, as JSON. `before`: the name of the stretch before it; `at`: its number.

    Its `name` is of this stretch and all before it.
    """
    kept: dict[str, Any] = {"v": STRETCH_VERSION, "at": at, "now": now_ms, "taken": list(taken)}
    kept |= {"numbers": [step.number for step in stretch.asked], "digests": [step.digest for step in stretch.asked]}
    kept |= {"cancelled": True} if stretch.cancelled else {}
    kept |= {"patched": list(stretch.patched)} if stretch.patched else {}
    kept |= {"givenUp": list(stretch.given_up)} if stretch.given_up else {}
    return kept | {"name": digest(before, kept)[:_NAME_CHARS]}


def recorded_stretch(entry: Mapping[str, Any]) -> RecordedStretch:
    """Read the stretch of a turn. Raises ModelError: a newer version of this code has written it."""
    kept: Mapping[str, Any] = (entry.get("provider") or {}).get(STRETCH) or {}
    if kept.get("v") != STRETCH_VERSION:
        message = f"turn {entry['turn']} has a stretch of version {kept.get('v')!r}, this code knows {STRETCH_VERSION}"
        raise ModelError(message, retryable=True, type=NEWER_STATE)
    return RecordedStretch(
        *(entry["calls"], kept["at"], kept["now"], tuple(kept["numbers"]), tuple(kept["digests"])),
        *(tuple(kept["taken"]), kept.get("cancelled", False), tuple(kept.get("patched", ()))),
    )


Outcomes = list[tuple[int, Mapping[str, Any]]]


def news_of(recorded: Recorded) -> Outcomes:
    """Return what has ended since the last stretch, in that order, by the step's number."""
    return [(step_number(call_id), recorded.results[call_id]) for call_id in recorded.news]


class ChangedCodeError(Exception):
    """The code asks for other steps than the record has."""


def replay(run: CodeRun, whole: Recorded) -> None:
    """Make a run again through all its recorded stretches.

    Raises:
        ChangedCodeError: its code asks for other steps.
        ModelError: a result that the code has had cannot be read yet.
    """
    found = {step_number(call_id): outcome for call_id, outcome in whole.results.items()}
    for each in map(recorded_stretch, whole.turns):
        if gone := set(each.taken) - found.keys():
            raise ModelError(f"results of steps {sorted(gone)} cannot be read yet", retryable=True, type="not_read")
        taken: Outcomes = [(number, found[number]) for number in each.taken]
        _compare(each, run.go_on(each.now, taken, cancels=each.cancelled, replayed=each.patched), run)


def _compare(recorded: RecordedStretch, stretch: Stretch, run: CodeRun) -> None:
    before = list(zip(recorded.numbers, recorded.digests, strict=True))
    now = [(step.number, step.digest) for step in stretch.asked]
    if before == now:
        return
    at = next(
        (i for i, (one, other) in enumerate(zip(before, now, strict=False)) if one != other), min(len(before), len(now))
    )
    was = recorded.calls[at] if at < len(before) else None
    asked = f"asked for {_shown(was['tool'], was['arguments'])}" if was else "asked for no further step"
    step = stretch.asked[at] if at < len(now) else None
    raise ChangedCodeError(f"it had {asked}; now its code {_now(step, run)}. {_HINT}")


def _now(step: Step | None, run: CodeRun) -> str:
    if step is not None:
        return f"asks for {_shown(step.tool, step.arguments)}: {step.place}"
    if run.is_over:
        return "ends there"
    return "\n".join(["asks for no further step:", *map(str, run.waits_at())])


def _shown(tool: str, arguments: Mapping[str, Any]) -> str:
    text = f"{tool}({canonical_json(dict(arguments))})"
    return text if len(text) <= _SHOWN_CHARS else f"{text[:_SHOWN_CHARS]}…"


_log = logging.getLogger("baton.workflows")
# What a stretch gets to end in, once it was interrupted.
GRACE_SECONDS = 1.0


class _Open(OpenCode):
    """A run between two stretches. `at`: the number of stretches that it has run; `name`: of the last one.

    `has_locals`: its code keeps things for its thread, as `tenacity` does, so all of it has to run in one.
    """

    def __init__(self, run: CodeRun) -> None:
        self.run, self.at, self.name, self.has_locals = run, 0, "", False

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
            opened = self._opened(whole)
        stays = False
        try:
            stretch, taken = await _in_time(
                opened.run, partial(_stretched, opened, whole, recorded), kept.limit_seconds if kept else 0
            )
            answer = self._answer(opened, stretch, taken, recorded)
            stays = bool(kept and answer.stretch and not opened.has_locals)
        finally:
            if not stays and not opened.run.loop.stopped:
                await in_own_thread(opened.let_go)
        if kept and stays:
            for over in kept.keeps(job_id, opened):
                await in_own_thread(over.let_go)
        return answer

    def _opened(self, whole: Recorded) -> _Open:
        try:
            if not whole.turns:  # of all that starts a job the API alone has checked it
                self._check(whole.job.input_data)
            return _Open(CodeRun(self.functions[0], self._read(whole.job), whole.job))
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
    run, of_thread = opened.run, ctypes.cast(_dict_of_thread(), ctypes.py_object).value
    before = set(of_thread)
    if whole is not None and recorded.stretch:
        try:
            replay(run, whole)
        except ChangedCodeError as error:
            raise ModelError(str(error), retryable=True, type=CHANGED_CODE) from error
        opened.at = len(whole.turns)
        run.take_notes()
    outcomes = news_of(recorded)
    stretch = run.go_on(recorded.now_ms, outcomes, cancels=recorded.cancelled and not run.cancelled)
    opened.has_locals = any(str(key).startswith("thread.local") for key in of_thread.keys() - before)
    return stretch, outcomes


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

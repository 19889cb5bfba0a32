"""One run of a workflow's code: it goes on with outcomes of its steps until it waits for others.

Invariant: the same outcomes in the same order, at the same times, make the same steps with the same numbers; what the
code may know of its job, and of chance, is the same, too. Of a failure people see the class, the text and the lines of
their own files, and nothing of what drives the code. Must not: know how outcomes are recorded, or read a clock.
"""

import asyncio
import builtins
import gc
import inspect
import logging
import re
import threading
from ast import literal_eval
from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping
from contextvars import Context
from functools import cache, wraps
from random import Random  # noqa: TID251 - it is seeded by the job
from types import CoroutineType, FrameType, GeneratorType
from typing import Any
from uuid import UUID

from msgspec import Struct

from baton.sdk.agents.runner import JobInfo, RunFailedError
from baton.sdk.records.redaction import own_value
from baton.sdk.tools.printed import TAKES, listen
from baton.sdk.tools.return_type import InvalidResult
from baton.sdk.tools.running_workflow import RUNNING
from baton.sdk.tools.tool_error import ToolError
from baton.sdk.workflows.places import Place, place_here, place_of_await, places_of
from baton.sdk.workflows.step_call import Step, StepCall, StepFuture
from baton.sdk.workflows.stretch_loop import NotAStepError, StepTimer, StretchTask, close, new_loop
from baton_events.values.durations import LONGEST_SECONDS
from baton_events.values.json_value import Unrecordable, plain
from baton_events.values.text import text_of

_LATE = "timeout"
# What asyncio says where a task awaits what its loop does not have.
_FOREIGN = re.compile(r"Task (?:.* )?got (Future .* attached to a different loop|bad yield: .*)", re.DOTALL)
_NO_TEXTS = (StopIteration, StopAsyncIteration, UnicodeError, BaseExceptionGroup)


def raised_of(error: Mapping[str, Any], *, retryable: bool = False) -> Exception:
    """Return what a recorded failure raises: a built-in exception keeps its class, all else is a `ToolError`."""
    kind, message = error["type"], error["message"]
    found = getattr(builtins, "TimeoutError" if kind == _LATE else kind, None)
    if isinstance(found, type) and issubclass(found, Exception) and not issubclass(found, _NO_TEXTS):
        return found(_key_in(message) if issubclass(found, KeyError) else message)
    raised = ToolError(message, retryable=retryable, type=kind)
    if kind != ToolError.__name__:
        raised.args = (f"{kind}: {message}",)
    return raised


def _key_in(text: str) -> Any:
    """Return the key of a `KeyError`, which shows it in quotes."""
    try:
        return literal_eval(text)
    except (ValueError, SyntaxError):
        return text


def failure_of(error: BaseException) -> RunFailedError:
    """Return how a job fails by an exception that nobody has caught."""
    kind, text = _kind_and_text(error)
    frames = list(map(str, places_of(error)))
    if isinstance(error, NotAStepError) and error.place is not None and not frames:
        frames = [str(error.place)]
    return RunFailedError(kind, "\n".join([text or kind, *frames]))


def _kind_and_text(error: BaseException) -> tuple[str, str]:
    if isinstance(error, NotAStepError):
        return "not_a_step", text_of(error)
    if isinstance(error, ToolError):
        return error.type, text_of(error)
    if isinstance(error, RuntimeError) and (found := _FOREIGN.fullmatch(str(error))):
        return "not_a_step", f"{found[1]}: {NotAStepError('this', None)}"
    return type(error).__name__, text_of(error)


class OfJob:
    """What there is of one job.

    Attributes:
        info: the job.
        random: its stream of chance.
        reached: the changes that the code has reached first in this stretch, and that are there.
        is_new: whether the stretch runs for the first time.
    """

    def __init__(self, info: JobInfo) -> None:
        self.info = info
        self.random = Random(info.job_id)  # noqa: S311 - it has to be the same each time
        self._uuids = Random(f"{info.job_id} uuids")  # noqa: S311 - as above
        self._patched, self.reached = dict[str, bool](), list[str]()
        self._replayed, self.is_new = frozenset[str](), True

    def begin_stretch(self, replayed: Iterable[str] | None) -> None:
        """Begin the next stretch. `replayed`: what `reached` was when it ran; None: it runs for the first time."""
        self.reached, self.is_new = [], replayed is None
        self._replayed = frozenset(replayed or ())

    def uuid4(self) -> UUID:
        return UUID(int=self._uuids.getrandbits(128), version=4)

    def patched(self, name: str) -> bool:
        """Return whether the run reaches a change of this name for the first time now, or did when it ran first."""
        if name not in self._patched:
            self._patched[name] = self.is_new or name in self._replayed
            self.reached += [name] if self._patched[name] else []
        return self._patched[name]


_TIMER = "sleep"


class NeverWaitsError(BaseException):
    """The code runs on without waiting. No `Exception`: no code of the user's may catch it by mistake.

    Attributes:
        place: where it was.
    """

    place: Place | None = None


class Stretch(Struct, frozen=True):
    """What the code did until it waited: the steps that it asked for, and the numbers of those it gave up.

    `patched`: the names that it has reached first in this stretch, of changes that are there. `cancelled`: whether it
    ended with a cancel of the code.
    """

    asked: tuple[Step, ...]
    given_up: tuple[int, ...]
    patched: tuple[str, ...]
    cancelled: bool


class CodeRun:
    """The code of one job.

    Attributes:
        of_job: what the code may know of its job.
        open: the steps that wait for their outcomes, by number.
        task: the task of the workflow's own function; None: it has not begun.
        cancelled: whether a cancel was raised in it.
        printed: what it has printed since the last stretch; nothing while it is made again.
    """

    def __init__(self, function: Callable[..., Any], values: Mapping[str, Any], info: JobInfo) -> None:
        _log_but_once()
        self.of_job, self._function, self._values = OfJob(info), function, values
        self.loop = new_loop(self._wait_until, self._give_up)
        self.open = dict[int, Step]()
        self.task: StretchTask | None = None
        self.cancelled = False
        self.printed = list[str]()
        self._number = self._begins_at = 0
        self._asked, self._given_up = list[Step](), list[int]()
        self._exit: BaseException | None = None

    def go_on(
        self,
        now_ms: int,
        outcomes: Iterable[tuple[int, Mapping[str, Any]]] = (),
        *,
        cancels: bool = False,
        replayed: Iterable[str] | None = None,
    ) -> Stretch:
        """Run the next stretch.

        Args:
            now_ms: its time.
            outcomes: of steps by number, in the order in which the code gets them.
            cancels: whether it ends with a cancel of the code.
            replayed: what `patched` answered with true when the stretch ran; None: it runs for the first time.

        Raises NeverWaitsError: it was stopped, since it does not come to an end.
        """
        self._begins_at, self._asked, self._given_up = self._number, [], []
        self.of_job.begin_stretch(replayed)
        self.loop.seconds = max(self.loop.seconds, now_ms / 1000)
        if self.task is None:
            self._begin()
        taken = list[int]()
        for number, outcome in outcomes:  # one after the other: each is an event of its own
            taken.append(number)
            self._take(number, outcome)
            self._run_ready()
        if cancels and self.task is not None:
            self.cancelled = True
            self.task.cancel()
            self._run_ready()
        given_up = tuple([number for number in self._given_up if number not in taken])
        return Stretch(tuple(self._asked), given_up, tuple(self.of_job.reached), cancels)

    @property
    def is_over(self) -> bool:
        """Whether the code has come to an end, or has done what no workflow can."""
        return self.loop.failed is not None or self._exit is not None or (self.task is not None and self.task.done())

    def returned(self) -> Any:
        """Return what the code has returned. Raises RunFailedError: an exception has left it."""
        assert self.task is not None, "the run is over"
        try:
            if (error := self._exit or self.loop.failed) is None:
                return self.task.result()
        except BaseException as raised:  # noqa: BLE001 - it is the job's failure
            error = raised
        raise failure_of(error) from error

    def waits_at(self) -> list[Place]:
        """Return where its tasks wait, the first task first."""
        found = [place_of_await(task.get_coro()) for task in self._live_tasks()]
        return [place for place in found if place is not None]

    def abandon(self) -> None:
        """Close the code as CPython does: `finally` blocks run to their first await, and nothing of that is seen."""
        self.of_job.begin_stretch(())
        self.loop.closed = True
        for task in self._live_tasks():
            task.is_dropped()
            task.own_context.run(_close_with_all, task.get_coro())

    def _live_tasks(self) -> list[StretchTask]:
        return sorted([task for task in self.loop.tasks if not task.done()], key=hash)

    def _begin(self) -> None:
        context = Context()
        context.run(RUNNING.set, self)
        context.run(TAKES.set, self._prints)
        made: Any = context.run(lambda: self.loop.create_task(self._function(**self._values), context=context))
        self.task = made
        self._run_ready()

    def _run_ready(self) -> None:
        listen()
        try:
            self.loop.run_ready()
        except (SystemExit, KeyboardInterrupt) as error:
            if isinstance(error, KeyboardInterrupt) and threading.current_thread() is threading.main_thread():
                raise  # it is for who plays the job
            self._exit = error
        if self.loop.stopped:
            raise NeverWaitsError

    def _take(self, number: int, outcome: Mapping[str, Any]) -> None:
        step = self.open.pop(number, None)
        if step is None:  # the code has given it up
            return
        waiter = step.waiter
        if isinstance(waiter, StepTimer):
            self.loop.seconds = max(self.loop.seconds, waiter.when())
            self.loop.ready(waiter)
            return
        try:
            waiter.set_result(_value_of(step, outcome))
        except Exception as error:  # noqa: BLE001 - it is raised at the await
            waiter.set_exception(error.with_traceback(None))

    # What the code asks for.
    def call(
        self, tool: str, arguments: dict[str, Any], read: Callable[[Any], Any] | None = None
    ) -> Coroutine[Any, Any, Any]:
        return StepCall(self, self.loop.next_number(), tool, arguments, read)

    def begun(self, call: StepCall) -> asyncio.Future[Any]:
        """Begin a step. Raises TypeError: its arguments are no data."""
        if self.loop.closed:
            raise GeneratorExit  # no code catches it by mistake
        try:
            arguments = plain(call.arguments, "an argument")
        except Unrecordable as error:
            raise TypeError(f"{call.tool}: {error}") from None
        step = self._step(call.tool, arguments, call.place)
        step.read, step.waiter = call.read, StepFuture(step, loop=self.loop)
        return step.waiter

    def never_awaited(self, call: StepCall) -> None:
        if not self.loop.closed:
            self.loop.notes.append(f"{call.tool}(…) was called and never awaited, so it is no step: {call.place}")

    def _wait_until(self, timer: StepTimer) -> None:
        # The sum of a time since 1970 and a short wait has more digits than people want to see.
        seconds = max(0.001, min(round(timer.when() - self.loop.seconds, 3), LONGEST_SECONDS))
        step = self._step(_TIMER, {"seconds": seconds}, place_here())
        timer.number, step.waiter = step.number, timer

    def _step(self, tool: str, arguments: dict[str, Any], place: Place | None) -> Step:
        self._number += 1
        step = self.open[self._number] = Step(self._number, tool, arguments, place)
        self._asked.append(step)
        return step

    def _give_up(self, number: int) -> None:
        step = self.open.pop(number, None)
        if step is None:
            return
        if number > self._begins_at:
            self._asked.remove(step)
        else:
            self._given_up.append(number)

    def _prints(self, text: str) -> None:
        self.printed += [text] if self.of_job.is_new else []

    def take_notes(self) -> tuple[str, tuple[str, ...]]:
        """Return what the code has printed, and what else is to be logged, since the last stretch."""
        printed, notes = "".join(self.printed), tuple(self.loop.notes) if self.of_job.is_new else ()
        self.printed.clear()
        self.loop.notes.clear()
        return printed, notes


def _value_of(step: Step, outcome: Mapping[str, Any]) -> Any:
    if "error" in outcome:
        raise raised_of(outcome["error"], retryable=outcome.get("retryable", False))
    value = own_value(outcome)
    try:
        return value if step.read is None else step.read(value)
    except InvalidResult as error:
        raise raised_of({"type": "invalid_result", "message": str(error)}) from None


_CONTAINERS = (list, tuple, dict, set, frozenset, FrameType, GeneratorType, CoroutineType, StepCall)
_ITERATORS: tuple[type, ...] = (type(iter([])), type(iter(())), type(iter({})), type(iter({}.values())))


def _close_with_all(coroutine: Any) -> None:
    """Close a coroutine, and those that it has made and not begun: CPython warns of each."""
    unbegun = list(_unbegun_in(coroutine))
    close(coroutine)
    for each in unbegun:
        each.close()


def _unbegun_in(value: Any) -> Iterator[Any]:
    seen, todo = set[int](), [value]
    while todo:
        found = todo.pop()
        if id(found) in seen:
            continue
        seen.add(id(found))
        if isinstance(found, CoroutineType) and inspect.getcoroutinestate(found) == inspect.CORO_CREATED:
            yield found
        todo += [each for each in gc.get_referents(found) if isinstance(each, (*_CONTAINERS, *_ITERATORS))]


@cache
def _log_but_once() -> None:
    """Let a run that is made again log nothing, from the first run on; what a handler writes is nothing printed."""
    handled = logging.Logger.handle

    @wraps(handled)
    def handle(self: logging.Logger, record: logging.LogRecord) -> None:
        run = RUNNING.get()
        if not isinstance(run, CodeRun) or run.of_job.is_new:
            outside = TAKES.set(None)
            try:
                handled(self, record)
            finally:  # a filter of the user's may raise
                TAKES.reset(outside)

    logging.Logger.handle = handle  # type: ignore[method-assign]

"""The interpreter: runs code until all of its branches wait, and keeps its state until their outcomes are there.

Such a stretch begins from a program, or from a state with the outcomes of the calls that it waits for. Invariant:
nothing of a run stays in this process between two stretches. The code reaches nothing but those calls, the time of its
stretch, and chance that is seeded. Must not: be imported before a stretch runs; it and `host_values` alone import the
interpreter.
"""

import atexit
import re
import threading
import zlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, get_args

import pydantic_monty as monty
from msgspec import Struct
from pydantic import ValidationError

from baton.sdk.workflows.host_values import json_of, made_of, misfit_of
from baton.sdk.workflows.lacking import raised_inside
from baton.sdk.workflows.program import INPUT, JOB, MAKE, STEP, Program
from baton.sdk.workflows.script_text import (
    LINE,
    NEVER_AWAITED,
    NOT_RUN,
    STUBS,
    before,
    bound,
    marked,
    misfits,
    unawaited,
    unmarked,
)
from baton_events.values.json_value import Unrecordable, plain
from baton_events.values.text import text_of

VERSION = monty.__version__
_SLEEPS = ("asyncio.sleep", "system.async_sleep")
_CLOCKS = ("datetime.now", "date.today", "time.time")
_KNOWN = {name: name for name in get_args(monty.ExcType)}
# A loop that asks for the time for ever never waits, so no other limit meets it.
_MOST_ASKED, _MOST_ASKED_OF_SCRIPT = 1_000_000, 10_000
_CHECKOUTS = 500
_NO_SYNTAX = "The monty syntax parser does not"


class Bounds(Struct, frozen=True):
    """The limits of a run.

    `seconds`: of CPU of a stretch, or of all stretches together where `calls_at_once` and `output_chars` are bounded,
    too: of a script; None: they are not.
    """

    seconds: float = 10
    memory_mb: int = 256
    frames: int = 1_000
    calls_at_once: int | None = None
    output_chars: int | None = None


class Waits(Struct, frozen=True):
    """The stretch has ended, and the run waits: for each call its number, its tool and its arguments, in order.

    `lines`: of a script, in which these calls are.
    """

    state: bytes
    calls: tuple[tuple[int, str, dict[str, Any]], ...]
    printed: str
    lines: tuple[int, ...] = ()


class Ended(Struct, frozen=True):
    """The run has ended with a value, which is JSON."""

    value: Any
    printed: str


class Raised(Struct, frozen=True):
    """The run has ended with an exception. `frames`: file's number, line and function, the outermost first."""

    type: str
    message: str
    frames: tuple[tuple[int, int, str], ...]
    printed: str
    shown: str


class StateRefusedError(Exception):
    """The interpreter does not read this state."""


class _TooManyCallsError(Exception):
    """A script makes more calls at once than it may."""


class WorkerDiedError(Exception):
    """The interpreter's process has died in a stretch."""


class _Pool:
    """The interpreter's processes, started on first use and ended with this process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pool: Any = None

    def get(self) -> Any:
        with self._lock:
            if self._pool is None:
                self._pool = monty.Monty(request_timeout=60, max_checkouts_per_worker=_CHECKOUTS)
                self._pool.__enter__()
                atexit.register(self.close)
            return self._pool

    def close(self) -> None:
        with self._lock:
            if self._pool is not None:
                self._pool.__exit__(None, None, None)
                self._pool = None


POOL = _Pool()


def _session(seed: str, bounds: Bounds, stubs: str) -> Any:
    is_script = bounds.calls_at_once is not None
    limits: dict[str, Any] = {
        "max_memory": bounds.memory_mb * 1024 * 1024,
        "max_recursion_depth": bounds.frames,
        "max_suspensions": _MOST_ASKED_OF_SCRIPT if is_script else _MOST_ASKED,
        "max_feed_duration_secs" if is_script else "max_turn_duration_secs": bounds.seconds,
    }
    policy = {"datetime": "call_host", "sleep": "call_host", "random_start": {"seed": seed}}
    checks = {"type_check": True, "type_check_stubs": stubs, "type_check_format": "json"} if stubs else {}
    return POOL.get().checkout(limits=limits, os_policy=policy, assert_message_annotations=False, **checks)


class Stretch:
    """One stretch. `now_ms`: its time; `tools`: functions of a script, `code`, each with its tool and parameters."""

    def __init__(
        self,
        seed: str,
        now_ms: int,
        bounds: Bounds,
        tools: Mapping[str, tuple[str, Sequence[str]]] | None = None,
        code: str = "",
        classes: Mapping[str, type] | None = None,
    ) -> None:
        self._classes = classes or {}
        self._seed, self._now_ms, self._bounds, self._tools, self._code = seed, now_ms, bounds, tools or {}, code
        self._calls: list[tuple[int, str, dict[str, Any]]] = []
        self._places: list[tuple[str, int]] = []
        self._printed: list[str] = []
        self._capacity = bounds.output_chars

    def run_program(self, program: Program, values: dict[str, Any], job: dict[str, Any]) -> Waits | Ended | Raised:
        """Run a program until it waits."""
        feeds = [program.prelude, *(text for _, text, _ in program.files), program.late]
        return self._run(lambda session: self._first(session, feeds, program.call, {INPUT: values, JOB: job}))

    def run_script(self, stubs: str) -> Waits | Ended | Raised:
        """Run a script until it waits, unless it misfits the stubs of its functions."""
        if faults := unawaited(self._code, self._tools):
            return self._failed("refused", "\n".join([NOT_RUN, *faults]))
        found = self._run(self._checked, STUBS + stubs)
        if self._calls or getattr(found, "type", "") != "MemoryError":
            return found
        # To check a script with many branches may take more memory than the script has.
        self._printed, self._capacity = [], self._bounds.output_chars
        return self._run(lambda session: self._first(session, before(self._code), self._marked, {}))

    def resume(self, state: bytes, outcomes: Mapping[int, Mapping[str, Any]]) -> Waits | Ended | Raised:
        """Continue a run with the outcomes of its calls, by number: `{"ok": …}` or `{"error": {"type", "message"}}`.

        Raises:
            StateRefusedError: the interpreter does not read the state.
        """
        return self._run(lambda session: self._next(session, state, outcomes))

    def _run(self, start: Any, stubs: str = "") -> Waits | Ended | Raised:
        """Run a stretch. Raises WorkerDiedError: its process died."""
        try:
            with _session(self._seed, self._bounds, stubs) as session:
                snapshot = self._driven(start(session))
                if isinstance(snapshot, monty.FutureSnapshot):
                    calls, state = self._waited(snapshot), zlib.compress(snapshot.dump())
                    numbers = {number for number, _, _ in calls}
                    pairs = zip(self._calls, self._places, strict=False)
                    lines = tuple([line for (number, _, _), (_, line) in pairs if number in numbers])
                    return Waits(state, tuple(calls), "".join(self._printed), lines)
                return self._ended(session, snapshot)
        except monty.MontyCrashedError as error:
            raise WorkerDiedError(text_of(error)) from error
        except monty.MontyTypingError as error:
            return self._failed("refused", "\n".join([NOT_RUN, *misfits(error)]))
        except monty.MontyError as error:
            return self._raised(error)
        except _TooManyCallsError:
            most = self._bounds.calls_at_once
            what = "None of the calls after the last await has run; make fewer, and await them"
            return self._failed("too_many_calls", f"The script made more than {most} calls at once. {what}.")

    def _driven(self, snapshot: Any) -> Any:
        while not isinstance(snapshot, monty.MontyComplete | monty.FutureSnapshot):
            snapshot = self._answered(snapshot)
        return snapshot

    def _print(self, _: str, text: str) -> None:
        if self._capacity is not None:  # what is over the limit by one character is cut later, with a note
            text = text[: self._capacity + 1]
            self._capacity = max(0, self._capacity - len(text))
        self._printed.append(text)

    def _checked(self, session: Any) -> Any:
        for at, text in enumerate(before(self._code)):
            self._driven(session.feed_start(text, print_callback=self._print, skip_type_check=at > 0))
        try:
            return self._driven(session.feed_start(self._marked, print_callback=self._print))
        except monty.MontyTypingError as error:
            if misfits(error):
                raise
        return session.feed_start(self._marked, print_callback=self._print, skip_type_check=True)

    @cached_property
    def _marked(self) -> str:
        return marked(self._code, self._tools)

    def _first(self, session: Any, feeds: Sequence[str], call: str, values: dict[str, Any]) -> Any:
        for text in feeds:
            self._driven(session.feed_start(text, print_callback=self._print))
        return session.feed_start(call, inputs=values, print_callback=self._print)

    def _next(self, session: Any, state: bytes, outcomes: Mapping[int, Mapping[str, Any]]) -> Any:
        try:
            snapshot = session.load_snapshot(zlib.decompress(state), print_callback=self._print)
            assert isinstance(snapshot, monty.FutureSnapshot), "a stretch ends where all branches wait"
        except monty.MontyCrashedError:
            raise
        except (monty.MontyError, RuntimeError, ValueError, zlib.error, AssertionError) as error:
            raise StateRefusedError(text_of(error)) from error
        # One by one, as of several the interpreter would draw which branch goes on first.
        for number in sorted(snapshot.pending_call_ids):
            if isinstance(snapshot, monty.FutureSnapshot) and number in snapshot.pending_call_ids:
                snapshot = self._driven(snapshot.resume({number: settled(outcomes[number])}))
        return snapshot

    def _waited(self, snapshot: Any) -> list[tuple[int, str, dict[str, Any]]]:
        pending = set(snapshot.pending_call_ids)
        return [call for call in self._calls if call[0] in pending]

    def _answered(self, snapshot: Any) -> Any:
        """Answer what the code asks of its host."""
        if isinstance(snapshot, monty.NameLookupSnapshot):
            name = snapshot.variable_name
            return snapshot.resume(value=_function(name)) if name in self._tools else snapshot.resume()
        name = snapshot.function_name
        if snapshot.is_os_function:
            return self._system(snapshot, name)
        if name == MAKE and not self._tools:
            return snapshot.resume(_made(self._classes, *snapshot.args))
        try:
            kwargs = dict(snapshot.kwargs)
            line = kwargs.pop(LINE, None)
            tool, arguments = self._asked(name, snapshot.args, kwargs)
            self._calls.append((snapshot.call_id, tool, plain(json_of(arguments), "arguments")))
            if self._tools:
                self._places.append((name, line or self._marked.count("\n", 0, snapshot.position.start) + 1))
        except NameError as error:
            return snapshot.resume({"exc_type": "NameError", "message": str(error)})
        except (TypeError, ValueError, RecursionError, Unrecordable) as error:
            name = snapshot.args[0] if name == STEP and not self._tools else name
            return snapshot.resume({"exc_type": "TypeError", "message": f"{name}: {text_of(error)}"})
        return snapshot.resume({"future": ...})

    def _asked(self, name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> tuple[str, Any]:
        if name == STEP and not self._tools:
            return args[0], args[1]
        if name not in self._tools:
            raise NameError(f"name {name!r} is not defined")
        if len(self._calls) >= (self._bounds.calls_at_once or 0):
            raise _TooManyCallsError
        tool, names = self._tools[name]
        return tool, bound(names, args, kwargs)

    def _system(self, snapshot: Any, name: str) -> Any:
        if name in _SLEEPS and not self._tools:
            self._calls.append((snapshot.call_id, "sleep", {"seconds": snapshot.args[0]}))
            return snapshot.resume({"future": ...})
        if name not in _CLOCKS:
            return snapshot.resume_not_handled()
        seconds = self._now_ms / 1000
        if name == "time.time":
            return snapshot.resume({"return_value": seconds})
        zone = next((each for each in snapshot.args if each is not None), None)
        now = datetime.fromtimestamp(seconds, zone or UTC)
        value = now.date() if name == "date.today" else now if zone else now.replace(tzinfo=None)
        return snapshot.resume({"return_value": value})

    def _ended(self, session: Any, snapshot: Any) -> Ended | Raised:
        if never := self._never_awaited(session):
            return self._failed("not_awaited", "\n".join(never))
        try:
            return Ended(plain(json_of(snapshot.output), "result"), "".join(self._printed))
        except (Unrecordable, TypeError, ValueError, RecursionError) as error:
            return self._failed("invalid_result", text_of(error))

    def _never_awaited(self, session: Any) -> list[str]:
        """Say which calls of a script nobody has awaited: those of this stretch have not run, those before it have."""
        if not self._tools:
            return []
        late = [f"{name}() in line {line}" for name, line in self._places]
        try:
            found = session.feed_start(NEVER_AWAITED, skip_type_check=True)
            earlier = list(map(str, getattr(found, "output", ())))
        except monty.MontyError:  # the script has used these names for something else
            earlier = []
        for place in late:
            if place in earlier:
                earlier.remove(place)
        listed = ((earlier, "though they have run"), (late, "and have not run"))
        return [f"These calls were never awaited, {what}: {', '.join(calls)}." for calls, what in listed if calls]

    def _failed(self, kind: str, message: str) -> Raised:
        return Raised(kind, message, (), "".join(self._printed), message)

    def _raised(self, error: Any) -> Raised:
        inner = error.exception()
        traceback = error.traceback() if hasattr(error, "traceback") else []
        frames = tuple(
            (int(frame.filename.rpartition("-")[2].rstrip(">") or 0), frame.line, frame.function_name or "")
            for frame in traceback
            if frame.filename.startswith("<python-input-")
        )
        kind = "invalid_result" if _message(inner).startswith("the result has ") else type(inner).__name__
        return Raised(kind, _message(inner), frames, "".join(self._printed), _shown(error))


def _shown(error: Any) -> str:
    """Return an exception as a script's author sees it."""
    shown = re.sub(r"<python-input-\d+>|main\.py", "script.py", unmarked(text_of(error.display())))
    is_parsed = not isinstance(error, monty.MontySyntaxError) and _NO_SYNTAX not in shown
    return shown if is_parsed else f"{NOT_RUN}\n{shown}"


def _function(name: str) -> Any:
    """Return what stands for a function of the script that it uses as a value."""

    def called() -> None: ...

    called.__name__ = name
    return called


def _message(error: BaseException) -> str:
    return text_of(error.args[0]) if len(error.args) == 1 else text_of(error)


def _made(classes: Mapping[str, type], kind: str, args: Sequence[Any], given: Mapping[str, Any]) -> Any:
    """Return the fields of a model that the code makes, or why there is none."""
    try:
        return {"return_value": made_of(classes, kind, args, given)}
    except ValidationError as error:
        return {"exc_type": "ValueError", "message": misfit_of(kind, error)}
    except Exception as error:  # noqa: BLE001 - a validator is the user's
        return settled({"error": {"type": type(error).__name__, "message": text_of(error)}})


def settled(outcome: Mapping[str, Any]) -> Any:
    """Return a call's outcome as the code gets it: a built-in exception keeps its class, all others are tool errors."""
    if "error" not in outcome:
        return {"return_value": outcome.get("ok")}
    kind, message = outcome["error"]["type"], outcome["error"]["message"]
    kind, message = raised_inside("TimeoutError" if kind == "timeout" else kind, message)
    if kind in _KNOWN:
        return {"exc_type": kind, "message": message}
    return {"exc_type": "RuntimeError", "message": message if kind == "ToolError" else f"{kind}: {message}"}

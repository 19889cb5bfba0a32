"""The interpreter: runs code until all of its branches wait, and keeps its state until their outcomes are there.

Such a stretch begins from a program, or from a state with the outcomes of the calls that it waits for. Invariant:
nothing of a run stays in this process between two stretches. The code reaches nothing but those calls, the time of its
stretch, and chance that is seeded. Must not: be imported before a stretch runs; it alone imports the interpreter.
"""

import atexit
import threading
import zlib
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any, get_args

import pydantic_monty as monty
from msgspec import Struct

from baton.sdk.workflows.program import INPUT, JOB, STEP, Program
from baton_events.values.json_value import Unrecordable, plain
from baton_events.values.text import text_of

VERSION = monty.__version__
_SLEEPS = ("asyncio.sleep", "system.async_sleep")
_CLOCKS = ("datetime.now", "date.today", "time.time")
_KNOWN = {name: name for name in get_args(monty.ExcType)}
# A loop that asks for the time for ever never waits, so no other limit meets it.
_MOST_ASKED = 100_000
_CHECKOUTS = 500


class Bounds(Struct, frozen=True):
    """The limits of a run. `seconds`: of CPU of a stretch, or of all stretches together where `whole`."""

    seconds: float = 10
    memory_mb: int = 256
    frames: int = 1_000
    whole: bool = False
    output_chars: int = 0


class Waits(Struct, frozen=True):
    """The stretch has ended, and the run waits: for each call its number, its tool and its arguments, in order."""

    state: bytes
    calls: tuple[tuple[int, str, dict[str, Any]], ...]
    printed: str


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


def _session(seed: str, bounds: Bounds) -> Any:
    limits: dict[str, Any] = {
        "max_memory": bounds.memory_mb * 1024 * 1024,
        "max_recursion_depth": bounds.frames,
        "max_suspensions": 10 * _MOST_ASKED,
        "max_feed_duration_secs" if bounds.whole else "max_turn_duration_secs": bounds.seconds,
    }
    policy = {"datetime": "call_host", "sleep": "call_host", "random_start": {"seed": seed}}
    return POOL.get().checkout(limits=limits, os_policy=policy, assert_message_annotations=False)


class Stretch:
    """One stretch. `now_ms`: its time; `tools`: functions of the code that are calls, beside those of a program."""

    def __init__(
        self, seed: str, now_ms: int, bounds: Bounds, tools: Mapping[str, Sequence[str]] | None = None
    ) -> None:
        self._seed, self._now_ms, self._bounds, self._tools = seed, now_ms, bounds, tools or {}
        self._calls: list[tuple[int, str, dict[str, Any]]] = []
        self._printed: list[str] = []

    def run_program(self, program: Program, values: dict[str, Any], job: dict[str, Any]) -> Waits | Ended | Raised:
        """Run a program until it waits."""
        feeds = [program.prelude, *(text for _, text in program.files), program.late]
        return self._run(lambda session: self._first(session, feeds, program.call, {INPUT: values, JOB: job}))

    def resume(self, state: bytes, outcomes: Mapping[int, Mapping[str, Any]]) -> Waits | Ended | Raised:
        """Continue a run with the outcomes of its calls, by number: `{"ok": …}` or `{"error": {"type", "message"}}`.

        Raises:
            StateRefusedError: the interpreter does not read the state.
        """
        return self._run(lambda session: self._next(session, state, outcomes))

    def _run(self, start: Any) -> Waits | Ended | Raised:
        """Run a stretch.

        Raises:
            WorkerDiedError: its process died.
        """
        try:
            with _session(self._seed, self._bounds) as session:
                snapshot = start(session)
                while not isinstance(snapshot, monty.MontyComplete | monty.FutureSnapshot):
                    snapshot = self._answered(snapshot)
                if isinstance(snapshot, monty.FutureSnapshot):
                    return Waits(zlib.compress(snapshot.dump()), tuple(self._waited(snapshot)), "".join(self._printed))
                return self._ended(snapshot)
        except monty.MontyCrashedError as error:
            raise WorkerDiedError(text_of(error)) from error
        except monty.MontyError as error:
            return self._raised(error)

    def _print(self, _: str, text: str) -> None:
        self._printed.append(text)

    def _first(self, session: Any, feeds: Sequence[str], call: str, values: dict[str, Any]) -> Any:
        for text in feeds:
            snapshot = session.feed_start(text, print_callback=self._print)
            while not isinstance(snapshot, monty.MontyComplete):
                snapshot = self._answered(snapshot)
        return session.feed_start(call, inputs=values, print_callback=self._print)

    def _next(self, session: Any, state: bytes, outcomes: Mapping[int, Mapping[str, Any]]) -> Any:
        try:
            snapshot = session.load_snapshot(zlib.decompress(state), print_callback=self._print)
            assert isinstance(snapshot, monty.FutureSnapshot), "a stretch ends where all branches wait"
        except monty.MontyCrashedError:
            raise
        except (monty.MontyError, RuntimeError, ValueError, zlib.error, AssertionError) as error:
            raise StateRefusedError(text_of(error)) from error
        return snapshot.resume({number: _settled(outcomes[number]) for number in snapshot.pending_call_ids})

    def _waited(self, snapshot: Any) -> list[tuple[int, str, dict[str, Any]]]:
        pending = set(snapshot.pending_call_ids)
        return [call for call in self._calls if call[0] in pending]

    def _answered(self, snapshot: Any) -> Any:
        """Answer what the code asks of its host."""
        if isinstance(snapshot, monty.NameLookupSnapshot):
            return snapshot.resume()
        name = snapshot.function_name
        if snapshot.is_os_function:
            return self._system(snapshot, name)
        try:
            tool, arguments = self._asked(name, snapshot)
            self._calls.append((snapshot.call_id, tool, plain(_json(arguments), "arguments")))
        except NameError as error:
            return snapshot.resume({"exc_type": "NameError", "message": str(error)})
        except (TypeError, Unrecordable) as error:
            return snapshot.resume({"exc_type": "TypeError", "message": f"{name}: {text_of(error)}"})
        return snapshot.resume({"future": ...})

    def _asked(self, name: str, snapshot: Any) -> tuple[str, Any]:
        if name == STEP:
            return snapshot.args[0], snapshot.args[1]
        raise NameError(f"name {name!r} is not defined")

    def _system(self, snapshot: Any, name: str) -> Any:
        if name in _SLEEPS:
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

    def _ended(self, snapshot: Any) -> Ended | Raised:
        printed = "".join(self._printed)
        try:
            return Ended(plain(_json(snapshot.output), "result"), printed)
        except (Unrecordable, TypeError, ValueError) as error:
            return Raised("invalid_result", text_of(error), (), printed, text_of(error))

    def _raised(self, error: Any) -> Raised:
        inner = error.exception()
        traceback = error.traceback() if hasattr(error, "traceback") else []
        frames = tuple(
            (int(frame.filename.rpartition("-")[2].rstrip(">") or 0), frame.line, frame.function_name or "")
            for frame in traceback
            if frame.filename.startswith("<python-input-")
        )
        return Raised(type(inner).__name__, _message(inner), frames, "".join(self._printed), text_of(error.display()))


def _message(error: BaseException) -> str:
    return text_of(error.args[0]) if len(error.args) == 1 else text_of(error)


def _settled(outcome: Mapping[str, Any]) -> Any:
    """Return a call's outcome as the code gets it: a built-in exception keeps its class, all others are tool errors."""
    if "error" not in outcome:
        return {"return_value": outcome.get("ok")}
    kind, message = outcome["error"]["type"], outcome["error"]["message"]
    if kind == "timeout":
        return {"exc_type": "TimeoutError", "message": message}
    if kind in _KNOWN:
        return {"exc_type": kind, "message": message}
    return {"exc_type": "RuntimeError", "message": message if kind == "ToolError" else f"{kind}: {message}"}


def _json(value: Any) -> Any:
    """Return a value of the interpreter for JSON: instances of data classes are objects.

    Raises:
        TypeError: a function, a class or bytes.
    """
    if isinstance(value, monty.MontyClassProxy):
        return {name: _json(item) for name, item in value.attributes.items()}
    if isinstance(value, dict):
        return {name: _json(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_json(item) for item in value]
    if isinstance(value, set | frozenset):
        return sorted((_json(item) for item in value), key=repr)
    if value is None or isinstance(value, bool | int | float | str | date):
        return value.isoformat() if isinstance(value, date) else value
    if type(value).__name__ in ("Decimal", "time"):
        return str(value)
    kind = getattr(value, "kind", "") or type(value).__name__
    raise TypeError(f"a {kind} has no JSON; return its data")

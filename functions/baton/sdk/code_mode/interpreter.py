"""The interpreter: runs a script until all of its branches wait, and keeps its state until their outcomes are there.

Such a stretch begins from the script, or from a state with the outcomes of the calls that it waits for. Invariant:
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
from typing import Any

import pydantic_monty as monty
from msgspec import Struct

from baton.sdk.code_mode.host_values import json_of, settled
from baton.sdk.code_mode.script_text import (
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
from baton.sdk.records.limits import CodeMode
from baton_events.values.json_value import Unrecordable, plain
from baton_events.values.text import text_of

_CLOCKS = ("datetime.now", "date.today", "time.time")
# A loop that asks for the time for ever never waits, so no other limit meets it.
_MOST_ASKED = 10_000
_FRAMES = 200
_CHECKOUTS = 500
_NO_SYNTAX = "The monty syntax parser does not"


class Waits(Struct, frozen=True):
    """The stretch has ended, and the run waits: for each call its number, its tool and its arguments, in order.

    `lines`: in which these calls are.
    """

    state: bytes
    calls: tuple[tuple[int, str, dict[str, Any]], ...]
    printed: str
    lines: tuple[int, ...]


class Ended(Struct, frozen=True):
    """The run has ended with a value, which is JSON."""

    value: Any
    printed: str


class Raised(Struct, frozen=True):
    """The run has ended with an exception. `shown`: as the script's author sees it."""

    type: str
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


def _session(seed: str, bounds: CodeMode, stubs: str) -> Any:
    limits: dict[str, Any] = {
        "max_memory": bounds.memory_mb * 1024 * 1024,
        "max_recursion_depth": _FRAMES,
        "max_suspensions": _MOST_ASKED,
        "max_feed_duration_secs": bounds.seconds,
    }
    policy = {"datetime": "call_host", "sleep": "call_host", "random_start": {"seed": seed}}
    checks = {"type_check": True, "type_check_stubs": stubs, "type_check_format": "json"} if stubs else {}
    return POOL.get().checkout(limits=limits, os_policy=policy, assert_message_annotations=False, **checks)


class Stretch:
    """One stretch of a script, `code`. `now_ms`: its time; `tools`: its functions, each with its tool and parameters.

    `bounds`: the script's, of whose CPU time all stretches together have `seconds`.
    """

    def __init__(
        self, seed: str, now_ms: int, bounds: CodeMode, tools: Mapping[str, tuple[str, Sequence[str]]], code: str
    ) -> None:
        self._seed, self._now_ms, self._bounds, self._tools, self._code = seed, now_ms, bounds, tools, code
        self._calls: list[tuple[int, str, dict[str, Any]]] = []
        self._places: list[tuple[str, int]] = []
        self._printed: list[str] = []
        self._capacity = bounds.output_chars

    def begin(self, stubs: str) -> Waits | Ended | Raised:
        """Run the script until it waits, unless it misfits the stubs of its functions."""
        if faults := unawaited(self._code, self._tools):
            return self._failed("refused", "\n".join([NOT_RUN, *faults]))
        found = self._run(self._checked, STUBS + stubs)
        if self._calls or getattr(found, "type", "") != "MemoryError":
            return found
        # To check a script with many branches may take more memory than the script has.
        self._printed, self._capacity = [], self._bounds.output_chars
        return self._run(self._unchecked)

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
        text = text[: self._capacity + 1]  # what is over the limit by one character is cut later, with a note
        self._capacity = max(0, self._capacity - len(text))
        self._printed.append(text)

    def _checked(self, session: Any) -> Any:
        for at, text in enumerate(before(self._code)):
            self._driven(self._fed(session, text, skip_type_check=at > 0))
        try:
            return self._driven(self._fed(session, self._marked))
        except monty.MontyTypingError as error:
            if misfits(error):
                raise
        return self._fed(session, self._marked, skip_type_check=True)

    def _unchecked(self, session: Any) -> Any:
        for text in before(self._code):
            self._driven(self._fed(session, text))
        return self._fed(session, self._marked)

    def _fed(self, session: Any, text: str, **options: Any) -> Any:
        return session.feed_start(text, print_callback=self._print, **options)

    @cached_property
    def _marked(self) -> str:
        return marked(self._code, self._tools)

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
        try:
            kwargs = dict(snapshot.kwargs)
            line = kwargs.pop(LINE, None)
            tool, arguments = self._asked(name, snapshot.args, kwargs)
            self._calls.append((snapshot.call_id, tool, plain(json_of(arguments), "arguments")))
            self._places.append((name, line or self._marked.count("\n", 0, snapshot.position.start) + 1))
        except NameError as error:
            return snapshot.resume({"exc_type": "NameError", "message": str(error)})
        except (TypeError, ValueError, RecursionError, Unrecordable) as error:
            return snapshot.resume({"exc_type": "TypeError", "message": f"{name}: {text_of(error)}"})
        return snapshot.resume({"future": ...})

    def _asked(self, name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> tuple[str, Any]:
        if name not in self._tools:
            raise NameError(f"name {name!r} is not defined")
        if len(self._calls) >= self._bounds.calls_at_once:
            raise _TooManyCallsError
        tool, names = self._tools[name]
        return tool, bound(names, args, kwargs)

    def _system(self, snapshot: Any, name: str) -> Any:
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
        """Say which calls nobody has awaited: those of this stretch have not run, those before it have."""
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
        return Raised(kind, "".join(self._printed), message)

    def _raised(self, error: Any) -> Raised:
        return Raised(type(error.exception()).__name__, "".join(self._printed), _shown(error))


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

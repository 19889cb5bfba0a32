"""The interpreter: runs a script until all of its branches wait, and keeps its state until their outcomes are there.

Such a stretch begins from the script, or from a state with the outcomes of the calls that it waits for. Invariant:
nothing of a run stays in this process between two stretches. The code reaches nothing but those calls, the time of its
stretch, and chance that is seeded. Of its values this process reads texts of JSON alone, which the prelude has counted:
any other value could be small inside, and take gigabytes or hours here. Must not: be imported before a stretch runs; it
alone imports the interpreter.
"""

import ast
import atexit
import builtins
import re
import threading
import time
import zlib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, get_args

import pydantic_monty as monty
from msgspec import Struct
from pydantic_core import from_json

from baton.sdk.code_mode.places import SCRIPTS_AT_ONCE
from baton.sdk.code_mode.prelude import OURS, prelude_of
from baton.sdk.code_mode.script_text import LEFT, NOT_RUN, STUBS, bound, marked, misfits, unawaited, unmarked
from baton.sdk.records.limits import HANDED_OVER_LIMIT_CHARS, CodeMode
from baton_events.values.json_value import Unrecordable, read_value
from baton_events.values.text import text_of

_KNOWN = frozenset(get_args(monty.ExcType))
# Above other exceptions comes `Exception`, which would catch too much.
_KEPT_BASES = frozenset({"ArithmeticError", "OSError", "ValueError"})


def settled(outcome: Mapping[str, Any]) -> Any:
    """Return a call's outcome as the code gets it: a built-in exception keeps its class, all others are tool errors."""
    if "error" not in outcome:
        return {"return_value": outcome.get("ok")}
    kind, message = outcome["error"]["type"], outcome["error"]["message"]
    kind, message = _raised_inside("TimeoutError" if kind == "timeout" else kind, message)
    if kind in _KNOWN:
        return {"exc_type": kind, "message": message}
    return {"exc_type": "RuntimeError", "message": message if kind == "ToolError" else f"{kind}: {message}"}


def _raised_inside(kind: str, message: str) -> tuple[str, str]:
    """Return the class and the text of a call's failure; of one that the interpreter lacks, the next above it."""
    known = getattr(builtins, kind, None)
    if kind not in _KNOWN and isinstance(known, type) and issubclass(known, BaseException):
        base = next(each.__name__ for each in known.__mro__ if each.__name__ in _KNOWN)
        return (base, f"{kind}: {message}") if base in _KEPT_BASES else (kind, message)
    return kind, _key(message) if kind == "KeyError" else message


def _key(message: str) -> str:
    """Return the key that a `KeyError` was raised with, if it is a text: the error's own text is the key's repr."""
    try:
        key = ast.literal_eval(message)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return message
    return key if isinstance(key, str) else message


_CLOCKS = ("datetime.now", "date.today", "time.time")
# A loop that asks for the time for ever never waits, so no other limit meets it.
_MOST_ASKED = 10_000
_FRAMES = 200
_CHECKOUTS = 500
# A stretch takes no longer than this many times its script's CPU time, with all that its host does for it.
_PATIENCE = 2
_TOO_LONG = "the script and what it asked for took much longer than its limit of"
_NONE_HAS_RUN = "None of the calls after the last await has run"
_NAME_CHARS = 200
# Of a traceback, besides the output's: frames of the prelude, which are not shown.
_FRAMES_CHARS = 4_000
_NO_SYNTAX = "The monty syntax parser does not"


class Waits(Struct, frozen=True):
    """The stretch has ended, and the run waits: for each of its calls the number, the tool and the arguments, in order.

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


class _OverLimitError(Exception):
    """A script does more in a stretch than it may. `kind`, message."""


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
                self._pool = monty.Monty(
                    max_processes=SCRIPTS_AT_ONCE, request_timeout=60, max_checkouts_per_worker=_CHECKOUTS
                )
                self._pool.__enter__()
                atexit.register(self.close)
            return self._pool

    def close(self) -> None:
        with self._lock:
            if self._pool is not None:
                self._pool.__exit__(None, None, None)
                self._pool = None


POOL = _Pool()
# An exception's text may have half of its script's memory, and some times as much here: one is read at a time.
_SHOWING = threading.Lock()


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
        self._others = 0
        self._value: Any = None
        self._left: list[str] = []
        self._handed_over_chars = 0
        self._until_seconds = 0.0

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

    def resume(
        self, state: bytes, outcomes: Mapping[int, Mapping[str, Any]], others: int = 0
    ) -> Waits | Ended | Raised:
        """Continue a run with outcomes of calls, by number: `{"ok": …}` or `{"error": {"type", "message"}}`.

        They are taken in their order. `others`: how many calls go on.

        Raises StateRefusedError: the interpreter does not read the state.
        """
        self._others = others
        return self._run(lambda session: self._next(session, state, outcomes))

    def _run(self, start: Any, stubs: str = "") -> Waits | Ended | Raised:
        """Run a stretch. Raises WorkerDiedError: its process died."""
        try:
            with _session(self._seed, self._bounds, stubs) as session:
                self._until_seconds = time.monotonic() + _PATIENCE * self._bounds.seconds + 1
                snapshot = self._driven(start(session))
                if isinstance(snapshot, monty.FutureSnapshot):
                    pending, state = set(snapshot.pending_call_ids), zlib.compress(snapshot.dump())
                    calls = [call for call in self._calls if call[0] in pending]
                    numbers = {number for number, _, _ in calls}
                    pairs = zip(self._calls, self._places, strict=False)
                    lines = tuple([line for (number, _, _), (_, line) in pairs if number in numbers])
                    return Waits(state, tuple(calls), "".join(self._printed), lines)
                return self._ended(session)
        except monty.MontyCrashedError as error:
            raise WorkerDiedError(text_of(error)) from error
        except monty.MontyTypingError as error:
            return self._failed("refused", "\n".join([NOT_RUN, *misfits(error)]))
        except monty.MontyError as error:
            return self._raised(error)
        except _OverLimitError as error:
            return self._failed(*error.args)

    def _driven(self, snapshot: Any) -> Any:
        while not isinstance(snapshot, monty.MontyComplete | monty.FutureSnapshot):
            if time.monotonic() > self._until_seconds:  # the interpreter counts no time that its host needs
                raise _OverLimitError("TimeoutError", f"TimeoutError: {_TOO_LONG} {self._bounds.seconds:g} s of work.")
            snapshot = self._answered(snapshot)
        return snapshot

    def _print(self, _: str, text: str) -> None:
        text = text[: self._capacity + 1]  # what is over the limit by one character is cut later, with a note
        self._capacity = max(0, self._capacity - len(text))
        self._printed.append(text)

    def _checked(self, session: Any) -> Any:
        self._begin(session)
        try:
            return self._driven(self._fed(session, self._marked))
        except monty.MontyTypingError as error:
            if misfits(error):
                raise
        return self._fed(session, self._marked, skip_type_check=True)

    def _unchecked(self, session: Any) -> Any:
        self._begin(session)
        return self._fed(session, self._marked)

    def _begin(self, session: Any) -> None:
        prelude = prelude_of(self._code, self._tools, self._bounds.output_chars)
        self._driven(self._fed(session, prelude, skip_type_check=True))
        self._driven(self._fed(session, "import asyncio"))

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
        for number, outcome in outcomes.items():
            if isinstance(snapshot, monty.FutureSnapshot) and number in snapshot.pending_call_ids:
                snapshot = self._driven(snapshot.resume({number: settled(outcome)}))
        return snapshot

    def _answered(self, snapshot: Any) -> Any:
        is_ours = snapshot.position.filename == OURS
        if isinstance(snapshot, monty.NameLookupSnapshot):
            return snapshot.resume(value=baton_door) if is_ours else snapshot.resume()
        if snapshot.is_os_function:
            return self._system(snapshot, snapshot.function_name)
        if not is_ours:
            name = snapshot.function_name[:_NAME_CHARS]
            return snapshot.resume({"exc_type": "NameError", "message": f"name {name!r} is not defined"})
        return snapshot.resume(self._taken(snapshot.call_id, *snapshot.args))

    def _taken(self, number: int, text: str) -> Any:
        self._handed_over_chars += len(text)
        if self._handed_over_chars > HANDED_OVER_LIMIT_CHARS:
            what = f"over {HANDED_OVER_LIMIT_CHARS} characters at once, as arguments and results"
            raise _OverLimitError("too_much", f"The script hands over {what}. {_NONE_HAS_RUN}; give less.")
        kind, *given = from_json(text, cache_strings=False)
        if kind == "call":
            return self._called(number, *given)
        if kind == "value":
            self._value = given[0]
        else:
            self._left = given[0]
        return {"return_value": None}

    def _called(self, number: int, name: str, line: int, args: list[Any], kwargs: dict[str, Any]) -> Any:
        if self._others + len(self._calls) >= (most := self._bounds.calls_at_once):
            what = f"The script made more than {most} calls at once. {_NONE_HAS_RUN}"
            raise _OverLimitError("too_many_calls", f"{what}; make fewer, and await them.")
        tool, names = self._tools[name]
        try:
            arguments = read_value(bound(names, args, kwargs), "arguments")
        except (TypeError, Unrecordable) as error:
            return {"exc_type": "TypeError", "message": f"{name}: {text_of(error)}"}
        self._calls.append((number, tool, arguments))
        self._places.append((name, line))
        return {"future": ...}

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

    def _ended(self, session: Any) -> Ended | Raised:
        if never := self._never_awaited(session):
            return self._failed("not_awaited", "\n".join(never))
        try:
            return Ended(read_value(self._value, "result"), "".join(self._printed))
        except Unrecordable as error:
            return self._failed("invalid_result", text_of(error))

    def _never_awaited(self, session: Any) -> list[str]:
        """Say which calls nobody has awaited: those of this stretch have not run, those before it have begun."""
        late = [f"{name}() in line {line}" for name, line in self._places]
        with suppress(monty.MontyError):  # the script has used this name for something else
            self._driven(session.feed_start(LEFT, skip_type_check=True))
        earlier = list(self._left)
        for place in late:
            if place in earlier:
                earlier.remove(place)
        listed = ((earlier, "though they have begun"), (late, "and have not run"))
        return [f"These calls were never awaited, {what}: {', '.join(calls)}." for calls, what in listed if calls]

    def _failed(self, kind: str, message: str) -> Raised:
        return Raised(kind, "".join(self._printed), message)

    def _raised(self, error: Any) -> Raised:
        with _SHOWING:
            kind = error.display("type-msg")[:_NAME_CHARS].partition(":")[0]
            shown = error.display()[: self._bounds.output_chars + _FRAMES_CHARS]
        shown = unmarked(text_of(shown))
        shown = re.sub(r"<python-input-\d+>|main\.py", "script.py", shown)
        is_parsed = not isinstance(error, monty.MontySyntaxError) and _NO_SYNTAX not in shown
        return Raised(kind, "".join(self._printed), shown if is_parsed else f"{NOT_RUN}\n{shown}")


def baton_door() -> None:
    """Stand for the door of the prelude, whose calls are answered here."""

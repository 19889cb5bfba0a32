"""Runs a program in the interpreter until all of its branches wait, and keeps its state until their outcomes are there.

Such a stretch begins from the program, or from a state with the outcomes of the calls that it waits for. Invariant:
nothing of a run stays in this process between two stretches. Must not: be imported before a stretch runs.
"""

import zlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import pydantic_monty as monty
from msgspec import Struct
from pydantic import ValidationError

from baton.sdk.code_mode.host_values import settled
from baton.sdk.code_mode.interpreter import POOL, Ended, StateRefusedError, WorkerDiedError
from baton.sdk.workflows.host_values import json_of, made_of, misfit_of
from baton.sdk.workflows.program import INPUT, JOB, MAKE, STEP, Program
from baton_events.values.json_value import Unrecordable, plain
from baton_events.values.text import text_of

VERSION = monty.__version__
_SLEEPS = ("asyncio.sleep", "system.async_sleep")
_CLOCKS = ("datetime.now", "date.today", "time.time")
# A loop that asks for the time for ever never waits, so no other limit meets it.
_MOST_ASKED = 1_000_000
_SECONDS, _MEMORY_MB, _FRAMES = 10, 256, 1_000
_POOL = type(POOL)()  # processes of its own, which no script takes


class Waits(Struct, frozen=True):
    """The stretch has ended, and the run waits: for each call its number, its tool and its arguments, in order."""

    state: bytes
    calls: tuple[tuple[int, str, dict[str, Any]], ...]
    printed: str


class Raised(Struct, frozen=True):
    """The run has ended with an exception. `frames`: file's number, line and function, the outermost first."""

    type: str
    message: str
    frames: tuple[tuple[int, int, str], ...]
    printed: str


def _session(seed: str) -> Any:
    limits: dict[str, Any] = {
        "max_memory": _MEMORY_MB * 1024 * 1024,
        "max_recursion_depth": _FRAMES,
        "max_suspensions": _MOST_ASKED,
        "max_turn_duration_secs": _SECONDS,
    }
    policy = {"datetime": "call_host", "sleep": "call_host", "random_start": {"seed": seed}}
    return _POOL.get().checkout(limits=limits, os_policy=policy, assert_message_annotations=False)


class Stretch:
    """One stretch. `now_ms`: its time; `classes`: models that the code makes."""

    def __init__(self, seed: str, now_ms: int, classes: Mapping[str, type]) -> None:
        self._seed, self._now_ms, self._classes = seed, now_ms, classes
        self._calls: list[tuple[int, str, dict[str, Any]]] = []
        self._printed: list[str] = []

    def run_program(self, program: Program, values: dict[str, Any], job: dict[str, Any]) -> Waits | Ended | Raised:
        """Run a program until it waits."""
        feeds = [program.prelude, *(text for _, text, _ in program.files), program.late]
        return self._run(lambda session: self._first(session, feeds, program.call, {INPUT: values, JOB: job}))

    def resume(self, state: bytes, outcomes: Mapping[int, Mapping[str, Any]]) -> Waits | Ended | Raised:
        """Continue a run with the outcomes of its calls, by number: `{"ok": …}` or `{"error": {"type", "message"}}`.

        Raises:
            StateRefusedError: the interpreter does not read the state.
        """
        return self._run(lambda session: self._next(session, state, outcomes))

    def _run(self, start: Any) -> Waits | Ended | Raised:
        """Run a stretch. Raises WorkerDiedError: its process died."""
        try:
            with _session(self._seed) as session:
                snapshot = self._driven(start(session))
                if isinstance(snapshot, monty.FutureSnapshot):
                    calls, state = self._waited(snapshot), zlib.compress(snapshot.dump())
                    return Waits(state, tuple(calls), "".join(self._printed))
                return self._ended(snapshot)
        except monty.MontyCrashedError as error:
            raise WorkerDiedError(text_of(error)) from error
        except monty.MontyError as error:
            return self._raised(error)

    def _driven(self, snapshot: Any) -> Any:
        while not isinstance(snapshot, monty.MontyComplete | monty.FutureSnapshot):
            snapshot = self._answered(snapshot)
        return snapshot

    def _print(self, _: str, text: str) -> None:
        self._printed.append(text)

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
            return snapshot.resume()
        name = snapshot.function_name
        if snapshot.is_os_function:
            return self._system(snapshot, name)
        if name == MAKE:
            return snapshot.resume(_made(self._classes, *snapshot.args))
        if name != STEP:
            return snapshot.resume({"exc_type": "NameError", "message": f"name {name!r} is not defined"})
        tool, arguments, *_ = snapshot.args
        try:
            self._calls.append((snapshot.call_id, tool, plain(json_of(arguments), "arguments")))
        except (TypeError, ValueError, RecursionError, Unrecordable) as error:
            return snapshot.resume({"exc_type": "TypeError", "message": f"{tool}: {text_of(error)}"})
        return snapshot.resume({"future": ...})

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
        try:
            return Ended(plain(json_of(snapshot.output), "result"), "".join(self._printed))
        except (Unrecordable, TypeError, ValueError, RecursionError) as error:
            return Raised("invalid_result", text_of(error), (), "".join(self._printed))

    def _raised(self, error: Any) -> Raised:
        inner = error.exception()
        traceback = error.traceback() if hasattr(error, "traceback") else []
        frames = tuple(
            (int(frame.filename.rpartition("-")[2].rstrip(">") or 0), frame.line, frame.function_name or "")
            for frame in traceback
            if frame.filename.startswith("<python-input-")
        )
        kind = "invalid_result" if _message(inner).startswith("the result has ") else type(inner).__name__
        return Raised(kind, _message(inner), frames, "".join(self._printed))


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

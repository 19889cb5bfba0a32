"""All parts of the stack together: started in order, kept alive, stopped in the opposite order.

Invariants: at most one process of a part exists at any time, and none of any part after `stop`. A part that had been
serving comes back at once, however often that happens. One that dies at once (before it served, or within a second of
it) comes back with growing pauses, and after five such deaths in a row it is given up: the fault is then in its
settings or its data, and breaks the whole stack, with its reason. Code is seen as Python files of one folder but for
tests, which the app does not run. Must not know what the parts are; that is `baton_local.dev.parts`.
"""

import asyncio
import contextlib
import os
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

from watchfiles import Change, PythonFilter, awatch

from baton_local.dev.data_folder import MIN_FREE_BYTES, capacity_bytes
from baton_local.dev.part import (
    POLL_SECONDS,
    Code,
    Part,
    describe_exit,
    end_process,
    kill_group,
    start_process,
    until_dead,
)
from baton_local.dev.part_log import OF_TOOLS, PartLog, Screen, ShownLines
from baton_local.dev.stack_error import StackError

DEBOUNCE_MS = LOOKS_MS = 200  # looking more often takes some percent of a processor


class CodeFilter(PythonFilter):
    """Picks changes of what may be running."""

    def __init__(self, code: Code) -> None:
        super().__init__()
        self._folder = code.folder
        self._runs_tests = is_test(Path(*code.module.split(".")).with_suffix(".py"))

    def __call__(self, change: Change, path: str) -> bool:
        return super().__call__(change, path) and (
            self._runs_tests or not is_test(Path(path).relative_to(self._folder))
        )


def is_test(path: Path) -> bool:
    """Return whether a file is there for tests alone, by the names that pytest and unittest use."""
    in_tests = not {"tests", "test"}.isdisjoint(path.parts[:-1])
    named = path.stem in {"conftest", "tests"} or path.stem.startswith("test_") or path.stem.endswith("_test")
    return in_tests or named


class CodeChanges:
    """Changes below a folder; `changed` is set by each, and cleared by the reader that has acted on it."""

    def __init__(self, code: Code) -> None:
        self._code, self._folder = code, code.folder
        self.changed = asyncio.Event()
        self.name = ""

    async def watch(self) -> None:
        """Look on until cancelled. Raises OSError: the system lets nobody look."""
        picked = CodeFilter(self._code)
        async for changes in awatch(self._folder, watch_filter=picked, debounce=DEBOUNCE_MS, step=LOOKS_MS):
            self.name = min(str(Path(path).relative_to(self._folder)) for _, path in changes)
            self.changed.set()


QUICK_DEATH_SECONDS = 1.0
# The pause before the try that follows no, the 1st, 2nd, … quick death in a row; after the last one there is none.
PAUSES_SECONDS = (0.0, 0.0, 0.25, 0.5, 1.0)


def after_death(quick_deaths: int, served_seconds: float | None) -> tuple[int, float | None]:
    """Return how many quick deaths a part has behind it now, and the pause before its next try; None: it is given up.

    `quick_deaths`: before this one. `served_seconds`: how long it had been ready; None: it never was.
    """
    is_quick = served_seconds is None or served_seconds < QUICK_DEATH_SECONDS
    deaths = quick_deaths + 1 if is_quick else 0
    return deaths, PAUSES_SECONDS[deaths] if deaths < len(PAUSES_SECONDS) else None


SHOWN_LOG_LINES = 8
LOG_POLL_SECONDS = 0.25
FREE_CHECK_SECONDS = 1.0


class PartKeeper:
    """One part and its present process."""

    def __init__(
        self, part: Part, log: PartLog, screen: Screen, on_change: Callable[[], None], free_bytes: Callable[[], int]
    ) -> None:
        self.part = part
        self.ready = asyncio.Event()
        self.fault = ""  # why the part waits for its code to be mended; empty: it does not
        self.log, self._screen, self._on_change, self._free_bytes = log, screen, on_change, free_bytes
        self._process: subprocess.Popen[bytes] | None = None
        self._served_since: float | None = None
        self._has_served = False
        self._has_new_code = False
        self._changes = CodeChanges(part.code) if part.code else None
        self._stopping = asyncio.Event()

    @property
    def pid(self) -> int | None:
        """The id of the present process; None while there is none."""
        return self._process.pid if self._process is not None else None

    async def keep(self, others: Mapping[str, "PartKeeper"]) -> None:
        """Run the part until it is stopped; one that keeps dying at once, or says it never can, ends this."""
        for name in self.part.needs:
            await others[name].ready.wait()
        watching = asyncio.create_task(self._watch(self._changes)) if self._changes else None
        try:
            await self._live_on()
        finally:
            if watching is not None:
                watching.cancel()

    async def _live_on(self) -> None:
        quick_deaths = 0
        while not self._stopping.is_set():
            code = await self._one_life()
            if self._stopping.is_set():
                return
            if self._changes is not None and self._changes.changed.is_set():
                quick_deaths = 0
                continue
            if self._free_bytes() < MIN_FREE_BYTES:
                await self._until_free()
                continue
            if code == os.EX_CONFIG and self._served_since is None:
                if self._changes is None or not (self._has_served or self.part.joins):
                    raise self._broken(f"{self.part.name} cannot start.")
                await self._until_changed(self._changes)
                continue
            served_seconds = None if self._served_since is None else time.monotonic() - self._served_since
            quick_deaths, pause_seconds = after_death(quick_deaths, served_seconds)
            if pause_seconds is None:
                deaths = f"{quick_deaths} times in a row right after its start"
                raise self._broken(f"{self.part.name} died {deaths} (last: {describe_exit(code)}).")
            # One that died at once is told with the last lines of its log.
            when = f"in {pause_seconds:g} s" if pause_seconds else "now"
            self._screen.notice(self.part.name, f"ended by itself ({describe_exit(code)}); starting it again {when}")
            if quick_deaths:
                self._show(self.log.last_lines(SHOWN_LOG_LINES))
            await self._pause(pause_seconds)

    def let_none_follow(self) -> None:
        """Start the part no more; its present process goes on, and its log is not shown any more."""
        self._stopping.set()

    async def stop(self) -> None:
        """End the present process and let no other follow."""
        self.let_none_follow()
        if self._process is not None:
            await end_process(self._process, self.part.stop_seconds)
            self._show(ShownLines().pick(filter(OF_TOOLS.search, self.log.new_lines())))
            self._process = None  # no reader must find it until its watcher has seen the end, too

    def kill(self) -> None:
        """End the present process with -9 and let no other follow; does not wait."""
        self.let_none_follow()
        if self._process is not None:
            kill_group(self._process)

    async def _one_life(self) -> int:
        with self.log.opened_for_part() as output:
            arguments = self.part.with_new_code if self._has_new_code or not self._has_served else ()
            self._process = process = start_process(self.part, output, *arguments)
        self._served_since = None
        if self._changes is not None:
            self._changes.changed.clear()
        async with asyncio.TaskGroup() as group:
            watchers = [group.create_task(self._see_when_ready()), group.create_task(self._show_log())]
            if self._changes is not None:
                watchers.append(group.create_task(self._replace_when_changed(self._changes, process)))
            code = await until_dead(process)
            for watcher in watchers:
                watcher.cancel()
        self._process = None
        self.ready.clear()
        return code

    async def _see_when_ready(self) -> None:
        while not await self.part.is_ready():  # noqa: ASYNC110 - the part cannot set an event of ours
            await asyncio.sleep(POLL_SECONDS)
        self._served_since, self._has_served, self.fault = time.monotonic(), True, ""
        self.ready.set()
        self._on_change()
        if self._has_new_code:
            self._has_new_code = False
            self._notice_of_code("runs with the saved code")

    async def _watch(self, changes: CodeChanges) -> None:
        try:
            await changes.watch()
        except (OSError, RuntimeError) as error:
            self._notice_of_code(f"changes of its code are not seen, start the stack again: {error}")

    async def _replace_when_changed(self, changes: CodeChanges, process: subprocess.Popen[bytes]) -> None:
        await changes.changed.wait()
        self._notice_of_code(f"{changes.name} has changed: starting again with it")
        self._has_new_code = True
        await end_process(process, self.part.stop_seconds)

    async def _until_changed(self, changes: CodeChanges) -> None:
        """Wait until the code that cannot be loaded is changed; what is wrong with it has been shown."""
        reason = self.log.last_lines(1)
        self.fault = "".join(reason)
        self._on_change()
        if not self.part.joins:
            self._show(reason)
        self._notice_of_code("waits for its code to be mended: it starts again when a file is saved")
        while not (changes.changed.is_set() or self._stopping.is_set()):
            await self._pause(POLL_SECONDS)
        self._has_new_code = True

    async def _show_log(self) -> None:
        shown = ShownLines()
        try:
            while not self._stopping.is_set():
                await asyncio.sleep(LOG_POLL_SECONDS)
                self._show(shown.pick(self.log.new_lines()))
        finally:
            # What a part says while it is being stopped (broken connections, mostly) stays in its log, but for `stop`.
            if not self._stopping.is_set():
                self._show(shown.pick(self.log.new_lines()))

    async def _until_free(self) -> None:
        """Say once that the disk is full, and wait: what died of it would only die again, which wears nothing out."""
        self._screen.notice(
            self.part.name,
            f"ended: the disk of {self.log.path.parent} is full ({self._free_bytes() / 1e6:.1f} MB left);"
            f" it starts again as soon as {MIN_FREE_BYTES / 1e6:.0f} MB are free",
        )
        while self._free_bytes() < MIN_FREE_BYTES and not self._stopping.is_set():
            await self._pause(FREE_CHECK_SECONDS)

    def _notice_of_code(self, line: str) -> None:
        """Tell what becomes of the part's code; the part that this one joins says the same."""
        if not self.part.joins:
            self._screen.notice(self.part.name, line)

    async def _pause(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), seconds)

    def _broken(self, reason: str) -> StackError:
        last = "".join(f"\n  {line}" for line in self.log.last_lines(SHOWN_LOG_LINES))
        return StackError(f"{reason} Its log is {self.log.path} and ends with:{last or ' nothing'}")

    def _show(self, lines: list[str]) -> None:
        for line in lines:
            self._screen.log_line(self.part.name, line)


START_LIMIT_SECONDS = 180.0


class Supervisor:
    """Runs parts, each as a process of its own."""

    def __init__(
        self,
        parts: Sequence[Part],
        logs: Path,
        screen: Screen,
        on_change: Callable[[], None],
        free_bytes: Callable[[], int] | None = None,
    ) -> None:
        free_bytes = free_bytes or partial(capacity_bytes, logs)
        self._keepers = {
            part.name: PartKeeper(part, _log_of(part, logs), screen, on_change, free_bytes) for part in parts
        }
        self._tasks: list[asyncio.Task[None]] = []

    def process_ids(self) -> dict[str, int]:
        return {name: keeper.pid for name, keeper in self._keepers.items() if keeper.pid is not None}

    def fault(self) -> str:
        """Return why a part waits for its code to be mended; empty: none does."""
        return next((keeper.fault for keeper in self._keepers.values() if keeper.fault), "")

    async def start(self, limit_seconds: float = START_LIMIT_SECONDS) -> None:
        """Start all parts and return when all of them serve, but for those that join later."""
        self._tasks = [asyncio.create_task(keeper.keep(self._keepers)) for keeper in self._keepers.values()]
        all_ready = asyncio.create_task(self._all_ready())
        try:
            await asyncio.wait([all_ready, *self._tasks], timeout=limit_seconds, return_when=asyncio.FIRST_COMPLETED)
            self._raise_if_broken()
            if not all_ready.done():
                late = [keeper for keeper in self._keepers.values() if not keeper.ready.is_set()]
                names = ", ".join(keeper.part.name for keeper in late)
                logs = ", ".join(str(keeper.log.path) for keeper in late)
                raise StackError(f"{names} did not get ready within {limit_seconds:g} s: see {logs}")
        finally:
            all_ready.cancel()

    async def until_broken(self) -> None:
        """Wait until a part is given up, and raise its reason."""
        await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)
        self._raise_if_broken()

    async def stop(self) -> None:
        """Stop all parts, the last one first."""
        for keeper in self._keepers.values():
            keeper.let_none_follow()
        for keeper in reversed(self._keepers.values()):
            await keeper.stop()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def kill(self) -> None:
        """End every process with -9, now; `stop` then returns at once."""
        for keeper in self._keepers.values():
            keeper.kill()

    async def _all_ready(self) -> None:
        for keeper in self._keepers.values():
            if not keeper.part.joins:
                await keeper.ready.wait()

    def _raise_if_broken(self) -> None:
        for task in self._tasks:
            if task.done():
                task.result()


def _log_of(part: Part, logs: Path) -> PartLog:
    """Return where the part's log is; one that is kept elsewhere is found in the folder of logs, too."""
    path = logs / f"{part.name}.log"
    if part.log_path is None:
        return PartLog(path)
    path.unlink(missing_ok=True)
    path.symlink_to(part.log_path)
    return PartLog(part.log_path)

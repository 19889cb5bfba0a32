"""All parts of the stack together: started in order, kept alive, stopped in the opposite order.

Invariant: after `stop` no process of any part exists. A part that was given up breaks the whole stack, with its reason.
Must not know what the parts are; that is `baton_local.dev.parts`.
"""

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from baton_local.dev.data_folder import capacity_bytes
from baton_local.dev.keeper import PartKeeper
from baton_local.dev.part import Part
from baton_local.dev.part_log import PartLog, Screen
from baton_local.dev.stack_error import StackError

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
                raise StackError(self._too_slow(limit_seconds))
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

    def _too_slow(self, limit_seconds: float) -> str:
        late = [keeper for keeper in self._keepers.values() if not keeper.ready.is_set()]
        logs = ", ".join(str(keeper.log.path) for keeper in late)
        names = ", ".join(keeper.part.name for keeper in late)
        return f"{names} did not get ready within {limit_seconds:g} s: see {logs}"


def _log_of(part: Part, logs: Path) -> PartLog:
    """Return where the part's log is; one that is kept elsewhere is found in the folder of logs, too."""
    path = logs / f"{part.name}.log"
    if part.log_path is None:
        return PartLog(path)
    path.unlink(missing_ok=True)
    path.symlink_to(part.log_path)
    return PartLog(part.log_path)

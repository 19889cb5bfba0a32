"""A process that kills itself around commits of its jobs.

The folder `NOTES` has a file of what is to die, and one of what died, which is there once everything was submitted. A
piece that is to die waits until the next pieces of all other jobs do, so that each death is theirs, too.
"""

import asyncio
import os
import signal
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from msgspec.structs import replace

from baton.engine.commit.answers import Claim, Committed
from baton.engine.work_items import ItemKind, kind_of
from baton.server.app import build_app
from baton.worker.container import Container

PIECES = {
    ItemKind.LOOP: "turn",
    ItemKind.CALL: "call",
    **dict.fromkeys((ItemKind.COMPLETE, ItemKind.FAILED, ItemKind.WAIT), "taking in"),
}


class DyingStore:
    """`Store` around whose commits the process dies."""

    def __init__(self, store: Any, folder: Path) -> None:
        self._store, self._plan, self._died = store, folder / "plan", folder / "died"
        self._next: set[str] = set()
        self._waiting: set[str] = set()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def commit(self, claim: Claim, *given: Any) -> Committed:
        await self._die_where_planned("before", claim)
        committed: Committed = await self._store.commit(claim, *given)
        await self._die_where_planned("after", claim)
        return committed

    async def _die_where_planned(self, moment: str, claim: Claim) -> None:
        while not self._died.exists():  # noqa: ASYNC110 - the test makes it
            await asyncio.sleep(0.05)
        if not self._next:
            over = self._died.read_text().splitlines()
            left = [line for line in self._plan.read_text().splitlines() if line not in over]
            self._next = set({line.partition(" ")[0]: line for line in reversed(left)}.values())
        line = f"{claim.job_id} {moment} {PIECES.get(kind_of(claim.item_key))}"
        if line not in self._next:
            return
        self._waiting.add(line)
        if self._waiting == self._next:
            self._died.write_text("\n".join([*self._died.read_text().splitlines(), *sorted(self._waiting)]))
            os.kill(os.getpid(), signal.SIGKILL)
        await asyncio.Event().wait()


def build_dying(container: Container) -> Any:
    folder = Path(os.environ["NOTES"])  # noqa: TID251 - the test says where
    store: Any = DyingStore(container.ports.store, folder)
    dying: Any = Container(container.settings, replace(container.ports, store=store))
    # Else what processes have died of runs one at a time, two seconds each.
    dying.suspects = SimpleNamespace(turn_of=lambda _: nullcontext(0))
    return build_app(dying)

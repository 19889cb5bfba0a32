"""What waits for somebody: approvals, dead letters, and how many there are of both, for the menu.

Invariant: a process reads them at most every half minute, and its reads are bounded. What does not answer leaves out
its own count alone, and no page waits for it longer than two seconds.
"""

import asyncio
from collections.abc import Mapping, Sequence

from baton.server.api.admin.health import pending_approvals
from baton.worker.container import Container

_COUNTED_JOBS, _LASTING_MS, _PATIENCE_SECONDS = 100, 30_000, 2.0


class Counts:
    """The counts, as texts by the paths of their pages. `asked`: the job of each approval, new ones first."""

    def __init__(self, container: Container) -> None:
        self._container = container
        self._read_ms, self._known = 0, dict[str, str]()
        self.asked: Sequence[str] = ()

    def renew(self) -> None:
        """Read them anew for the next page: somebody has changed something."""
        self._read_ms = 0

    async def read(self, now_ms: int) -> Mapping[str, str]:
        """Return the counts that are known; one that is none is `0`."""
        if now_ms - self._read_ms >= _LASTING_MS:
            self._read_ms = now_ms
            approvals, dead = await asyncio.gather(self._approvals(), self._dead_letters(), return_exceptions=True)
            found = {"approvals": approvals, "dead-letters": dead}
            self._known = {name: text for name, text in found.items() if isinstance(text, str)}
        return self._known

    async def _approvals(self) -> str:
        live = await self._container.ports.admission_control.live()
        waiting = sum(entry.want == "none" for entry in live.values())
        self.asked = await pending_approvals(self._container, live, _COUNTED_JOBS)
        return f"{len(self.asked)}{'+' if waiting > _COUNTED_JOBS else ''}"

    async def _dead_letters(self) -> str:
        page = await asyncio.wait_for(self._container.ports.queue_records.dead_letters(), _PATIENCE_SECONDS)
        return f"{len(page.letters)}{'+' if page.cursor else ''}"

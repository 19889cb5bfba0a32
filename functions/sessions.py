"""What is going on in a session: which of its jobs are live, in the order of its line, and stopping them.

Invariant: a session is one tenant's; a job of another tenant under the same name is in another session. Must not: know
HTTP, or what a job is about.
"""

from events.core.admission import Entry
from events.core.state import Job
from events.ids import is_child
from events.ports import Admission, Reader, Snapshot
from functions.acceptance import Acceptance


class Sessions:
    """Sessions of all tenants."""

    def __init__(self, acceptance: Acceptance, admission: Admission, reader: Reader) -> None:
        self._acceptance = acceptance
        self._admission = admission
        self._reader = reader

    async def live(self, tenant: str, session_id: str) -> list[Snapshot]:
        """The session's jobs that have not ended: the one whose turn it is, then those in line."""
        book = await self._admission.book()
        mine = ((name, entry) for name, entry in book.items() if _is_live(name, entry, tenant, session_id))
        snapshots = [await self._reader.job(name) for name, _ in sorted(mine, key=_turn)]
        return [snapshot for snapshot in snapshots if snapshot is not None and not snapshot.job.ended]

    async def stop(self, jobs: list[Job], by: str) -> list[Job]:
        """Cancel jobs, the last in line first, so that none of them starts meanwhile; returns them as they are now."""
        return [(await self._acceptance.cancel(job, by)).job for job in reversed(jobs)][::-1]


def _is_live(name: str, entry: Entry, tenant: str, session_id: str) -> bool:
    return (entry.tenant, entry.session_id) == (tenant, session_id) and entry.want != "gone" and not is_child(name)


def _turn(item: tuple[str, Entry]) -> tuple[bool, bool, int, str]:
    """As the admission takes them."""
    name, entry = item
    return (not entry.slot, not entry.started, entry.created_ms, name)

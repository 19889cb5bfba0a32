"""What is going on in a session: its line of jobs, what a new one does when the line is not empty, and stopping them.

Invariant: a session is one tenant's; a job of another tenant under the same name is in another session. Must not: know
HTTP, or what a job is about.
"""

from contextlib import suppress
from typing import Any, Literal

from baton.agents.registry import UnknownAgentError
from baton.container import Container
from baton.engine.all_jobs.slots import QueueEntry, SlotTable
from baton.engine.commit.answers import Created
from baton.engine.state import Job
from baton.engine.transitions import JobStatus
from baton.storage.ports.jobs import Snapshot
from baton_events.errors import UnknownJobError
from baton_events.schema import Steering

SESSION_LIMIT_CHARS = 200


# What a new job does while another one of its session is at work or in line: it waits for its turn, it is refused, or
# those before it are cancelled; where it rolls them back, the conversation goes on as if they had never been; or what
# it is about is given to the running one, and it is no job.
WhenBusy = Literal["queue", "reject", "interrupt", "rollback", "steer"]


class Sessions:
    """Sessions of all tenants."""

    def __init__(self, container: Container) -> None:
        self._container = container

    async def submit(
        self, job: Job, task: dict[str, Any], when_busy: WhenBusy = "queue", *, may_exist: bool = False
    ) -> Created:
        """Accept a job into its session, as `commands.SubmitJob`.

        One that starts later interrupts nobody. A crash between accepting a job and cancelling those before it leaves
        it in line behind them, until the same request comes again.

        Raises:
            SessionBusyError: it was to be refused where the session is busy, and is.
            UnknownJobError: it was to interrupt others, is accepted, and its place in line is not known yet.
            PublishError, StoreError: as for a submission.
        """
        created = await self._container.commands.submit(job, task, may_exist=may_exist, alone=when_busy == "reject")
        if when_busy in ("interrupt", "rollback"):
            await self._interrupt(created, rolls_back=when_busy == "rollback")
        return created

    async def steer(self, job: Job, task: dict[str, Any]) -> Job | None:
        """Give a new job's task to the running job of its session, whose model gets it before its next turn.

        Which job that is, or that it is a job of its own, is recorded first: so a repeated message counts once.
        Returns the job that gets it; None: it has to be a job of its own.

        Raises:
            PublishError, StoreError: as for a submission.
        """
        commands = self._container.commands
        if await commands.submit.find(job.id):
            return None
        target = await self._running(job) or job
        first = await self._container.ports.admission.first_value(f"steer:{job.id}", target.id)
        taker = target if first == target.id else await commands.submit.find(first)
        if taker is None or taker.id == job.id:
            return None
        message = Steering(id=job.id, text=str(task.get("text", "")), data=task.get("data") or None)
        with suppress(UnknownJobError):
            return taker if (await commands.signal(taker, message)).counts else None
        return None

    async def _running(self, job: Job) -> Job | None:
        """The job of the session that is to get it; one that is accepted and not there yet may be refused."""
        for snapshot in await self.line(job.tenant, job.session_id):
            found = await self._container.commands.submit.find(snapshot.job.id)
            if found is None or not found.ended:
                return found if found and self._takes_messages(found) else None
        return None

    def _takes_messages(self, job: Job) -> bool:
        """Whether its turns are model calls that take another message."""
        try:
            agent = self._container.registry.agent(job.agent)
        except UnknownAgentError:
            return False
        return not agent.plan

    async def _interrupt(self, created: Created, *, rolls_back: bool) -> None:
        """Cancel those before it in line. One that ended meanwhile, or is to start later, interrupts nobody."""
        job = created.job
        slot_table = await self._container.ports.admission_control.line(job.tenant, job.session_id)
        if job.id not in slot_table and not created.new and job.status is JobStatus.PENDING and not job.start_at_ms:
            # The call that created it died before the admission heard of it, which its backup message tells.
            raise UnknownJobError(f"job {job.id!r} is accepted and is queued within a minute")
        line = [snapshot.job for snapshot in await self._line(slot_table)]
        before = next((line[:place] for place, other in enumerate(line) if other.id == job.id), [])
        await self.stop(before, f"job {job.id}, which was sent meanwhile", rolls_back=rolls_back)

    async def line(self, tenant: str, session_id: str) -> list[Snapshot]:
        """The session's jobs at work or in line: the one whose turn it is comes first; none that starts later."""
        return await self._line(await self._container.ports.admission_control.line(tenant, session_id))

    async def _line(self, slot_table: SlotTable) -> list[Snapshot]:
        mine = sorted(slot_table.items(), key=_turn)
        found = await self._container.ports.reader.jobs([name for name, _ in mine])
        line = [found.get(name) or _unseen(name, entry) for name, entry in mine]
        return [snapshot for snapshot in line if not snapshot.job.ended]  # an entry may outlive its job by a moment

    async def stop(self, jobs: list[Job], by: str, *, rolls_back: bool = False) -> list[Job]:
        """Cancel jobs, the last in line first, so that none of them starts meanwhile; returns them as they are now."""
        cancel = self._container.commands.cancel
        return [(await cancel(job, by, rolls_back=rolls_back)).job for job in reversed(jobs)][::-1]


def _unseen(name: str, entry: QueueEntry) -> Snapshot:
    """A job that was accepted just now: a read may be older than that, and does not show it yet."""
    return Snapshot(Job(name, entry.session_id, entry.tenant, entry.agent, entry.created_ms), {})


def _turn(item: tuple[str, QueueEntry]) -> tuple[bool, bool, int, str]:
    """As the admission takes them."""
    name, entry = item
    return (not entry.slot, not entry.started, entry.created_ms, name)

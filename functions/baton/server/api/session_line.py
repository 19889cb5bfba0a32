"""A session's line of jobs: its order, a new job's policy while the line is not empty, and stopping jobs.

Invariant: a session is one tenant's; a job of another tenant under the same name is in another session. Must not: know
requests, or what a job is about.
"""

from contextlib import suppress
from typing import Any, Literal

from baton.engine.all_jobs.slots import QueueEntry, SlotTable
from baton.engine.commit.answers import Created, SignalResult
from baton.engine.state import Job
from baton.engine.transitions import JobStatus
from baton.sdk.agents.registry import UnknownAgentError
from baton.server.api.problem import ApiError
from baton.store.records.jobs import Snapshot
from baton.worker.commands.kept_files import KeptFiles
from baton.worker.commands.submit import check_task
from baton.worker.container import Container
from baton_events.errors import JobGoneError, SessionBusyError, UnknownJobError
from baton_events.ids import canonical_json, digest
from baton_events.schema import Steering

# What a new job does while another one of its session runs or is in line. `queue`: it waits for its turn. `reject`: it
# is refused. `interrupt`: the jobs before it are cancelled. `rollback`: they are also left out of the conversation.
# `steer`: the running job gets the task, and no new job is made.
WhenBusy = Literal["queue", "reject", "interrupt", "rollback", "steer"]


def notice_of(tenant: str, session_id: str) -> str:
    """Return the name under which followers of a session hear of new jobs; no job has it."""
    return f"session:{tenant}:{session_id}"


class Sessions:
    def __init__(self, container: Container) -> None:
        self._container = container

    async def submit(
        self,
        job: Job,
        task: dict[str, Any],
        when_busy: WhenBusy = "queue",
        *,
        may_exist: bool = False,
        attached: KeptFiles | None = None,
    ) -> Created:
        """Accept a job into its session, as `commands.SubmitJob`.

        A job that starts later interrupts no other. A crash between accepting a job and cancelling those before it
        leaves it in line behind them, until the same request comes again. Raises SessionBusyError: the session is
        busy, and `when_busy` is `reject`. UnknownJobError: it is accepted, but its place in line, needed to interrupt
        others, is not known yet. PublishError, StoreError: as for a submission.
        """
        alone = when_busy == "reject"
        if alone and attached is not None and attached.total_bytes:  # a refused message leaves no file behind
            await self._check_idle(job)
        submit = self._container.commands.submit
        created = await submit(job, task, may_exist=may_exist, alone=alone, attached=attached)
        self._container.notices.notify(notice_of(job.tenant, job.session_id))
        if when_busy in ("interrupt", "rollback"):
            await self._interrupt(created, rolls_back=when_busy == "rollback")
        return created

    async def _check_idle(self, job: Job) -> None:
        before = [snapshot.job.id for snapshot in await self.line(job.tenant, job.session_id)]
        if before and job.id not in before:
            raise SessionBusyError(job.session_id)

    async def steer(self, job: Job, task: dict[str, Any]) -> Job | None:
        """Give a new job's task to the running job of its session, whose model gets it before its next turn.

        The choice between that job and a job of its own is recorded first, so a repeated message counts once. Raises
        ApiError: 422, another message was sent under its id before. TooLargeError, StorageFullError, PublishError,
        StoreError: as for a submission.
        """
        commands = self._container.commands
        await commands.quota.check(job.tenant, 2 * check_task(task))  # it is shown as well
        if await commands.submit.find(job.id):
            return None
        target = await self._running(job)
        target = target if target and target.subject == job.subject else job  # erased with whose data it is
        message = Steering(id=job.id, text=str(task.get("text", "")), data=task.get("data") or None)
        contents = self._container.sealing.names_of(digest(message.text, canonical_json(message.data)))
        first = await self._container.ports.admission.first_value(f"steer:{job.id}", f"{target.id} {contents[0]}")
        taker_id, _, first_content = first.partition(" ")
        taker = target if taker_id == target.id else await commands.submit.find(taker_id)
        if taker is None or taker.id == job.id:
            return None
        if first_content not in ("", *contents):  # the job itself forgets what its model has got
            raise _other_message()
        with suppress(UnknownJobError):
            signal_result = await commands.signal(taker, message)
            if signal_result is SignalResult.OTHER:
                raise _other_message()
            return taker if signal_result.counts else None
        return None

    async def _running(self, job: Job) -> Job | None:
        """Return the session's job that gets the message; a job that is accepted and not stored yet may be refused."""
        for snapshot in await self.line(job.tenant, job.session_id):
            found = await self._container.commands.submit.find(snapshot.job.id)
            if found is None or not found.ended:
                return found if found and self._takes_messages(found) else None
        return None

    def _takes_messages(self, job: Job) -> bool:
        """Return whether the job's turns are model calls, which take another message."""
        try:
            agent = self._container.registry.agent(job.agent)
        except UnknownAgentError:
            return False
        return not agent.plan

    async def _interrupt(self, created: Created, *, rolls_back: bool) -> None:
        """Cancel the jobs before it in line. A job that has ended meanwhile, or starts later, interrupts no other."""
        job = created.job
        slot_table = await self._container.ports.admission_control.line(job.tenant, job.session_id)
        if job.id not in slot_table and not created.new and job.status is JobStatus.PENDING and not job.start_at_ms:
            # The call that created it died before the admission knew of it; its backup message makes up for that.
            raise UnknownJobError(f"job {job.id!r} is accepted and is queued within a minute")
        line = [snapshot.job for snapshot in await self._line(slot_table)]
        before = next((line[:place] for place, other in enumerate(line) if other.id == job.id), [])
        await self.stop(before, f"job {job.id}, which was sent meanwhile", rolls_back=rolls_back)

    async def line(self, tenant: str, session_id: str) -> list[Snapshot]:
        """Return the session's jobs that run or are in line, the next one first; none that starts later."""
        return await self._line(await self._container.ports.admission_control.line(tenant, session_id))

    async def _line(self, slot_table: SlotTable) -> list[Snapshot]:
        mine = sorted(slot_table.items(), key=_turn)
        found = await self._container.ports.reader.jobs([name for name, _ in mine])
        line = [found.get(name) or _unseen(name, entry) for name, entry in mine]
        return [snapshot for snapshot in line if not snapshot.job.ended]  # an entry may briefly outlive its job

    async def stop(self, jobs: list[Job], by: str, *, rolls_back: bool = False) -> list[Job]:
        """Cancel jobs, the last in line first, so that none of them starts meanwhile; return them as they are now.

        One that was deleted meanwhile has ended: its entry in line outlives it.
        """
        stopped = list[Job]()
        for job in reversed(jobs):
            with suppress(JobGoneError):
                stopped.append((await self._container.commands.cancel(job, by, rolls_back=rolls_back)).job)
        return stopped[::-1]


def _other_message() -> ApiError:
    return ApiError(422, "another message was sent under this id or Idempotency-Key before: use a new one")


def _unseen(name: str, entry: QueueEntry) -> Snapshot:
    """Stand in for a job that was accepted just now and that an older read does not show yet."""
    return Snapshot(Job(name, entry.session_id, entry.tenant, entry.agent, entry.created_ms), {})


def _turn(item: tuple[str, QueueEntry]) -> tuple[bool, bool, int, str]:
    name, entry = item
    return (not entry.slot, not entry.started, entry.created_ms, name)

"""The backup message of an API call: published before the call commits, taken back where the call did nothing.

Every call that changes a job goes the same way: backup message, commit with it as relay message, dispatch, answer. So a
crash in between loses nothing, and after a failover that forgot the commit the message repeats it. Once the commit is
done the answer stands, whether dispatching works or not. The backup message dispatches within a minute; of a call so
slow that its backup message is over, the sweep does.

Source: decisions/0010-backup-messages.
"""

import logging
from collections.abc import Awaitable, Callable
from typing import TypeVar

from msgspec.structs import asdict, replace

from baton.engine.commit.usage_ledger import NOTHING
from baton.engine.outbox import command_event
from baton.engine.state import Job
from baton.engine.work_items import WorkItem
from baton.queue.dispatch import dispatch
from baton.sdk.clock import Clock, Randomness
from baton.store.transport.meter import charge, give_back, take
from baton.worker.commands.command_result import CommandResult
from baton.worker.commands.follow import JobNotices
from baton_events.emitter import Delivery, Emitter
from baton_events.errors import JobGoneError, PublishError, StoreError, UnknownJobError
from baton_events.ids import event_id
from baton_events.schema import Command, Spending
from baton_events.timestamps import moment

_log = logging.getLogger("baton.commands")

_T = TypeVar("_T")

BACKUP_DELAY_MS = 60_000
# The backup message repeats a commit when a failover can no longer forget it (20 s, and wrong clocks). A commit later
# than this after its backup message was published needs another one.
BACKED_UP_MS = BACKUP_DELAY_MS - 25_000
# How long after its submission a job may have been created by a late call, or by its backup message.
YOUNG_MS = 900_000


class Backups:
    """Makes the backup messages of calls."""

    def __init__(self, emitter: Emitter, clock: Clock, randomness: Randomness, notices: JobNotices) -> None:
        self.emitter, self.clock, self.notices, self._randomness = emitter, clock, notices, randomness

    def of(self, job: Job, command: Command, command_id: str = "") -> "Backup":
        """Begin a call. `command_id`: the command's id in each of its messages; empty: each message has its own."""
        return Backup(self, job, command, command_id)

    def new_id(self, job_id: str, command: Command) -> str:
        return event_id(f"{command.kind}:{job_id}:{self._randomness.token()}")

    async def commit_with_backup(
        self, job: Job, command: Command, commit: Callable[[str], Awaitable[CommandResult]]
    ) -> CommandResult:
        """Carry out a command about an ended job; `commit` gets the relay message.

        Raises PublishError, StoreError: as for a submission. JobGoneError: the job's data is gone.
        """
        backup = self.of(job, command)
        result = await backup.committed(commit)
        if result.refused:
            await backup.take_back_with(result.items)
        else:
            await backup.publish_if_late()
            await backup.dispatch(result.job, result.items)
        return result


class Backup:
    """The backup message of one call, which began when this was made."""

    def __init__(self, backups: Backups, job: Job, command: Command, command_id: str) -> None:
        self.job, self.command, self.relay_id = job, command, ""
        self.began_ms = backups.clock.now_ms()
        self._backups, self._emitter, self._command_id = backups, backups.emitter, command_id

    async def publish(self) -> None:
        """Publish it: the relay message of what the call commits.

        Raises PublishError: the queue does not take it, and the call must do nothing.
        """
        self.relay_id = await self._send()

    async def committed(self, commit: Callable[[str], Awaitable[_T]]) -> _T:
        """Publish it, then commit with it as relay message; take it back where there is no such job.

        Raises PublishError: the queue does not take it, and nothing is committed. Exception: as `commit` raises.
        """
        await self.publish()
        try:
            return await commit(self.relay_id)
        except (UnknownJobError, JobGoneError):
            await self.not_needed()
            raise

    async def publish_if_late(self) -> None:
        """Publish another backup message: a slow call may have committed just before its message came, or after it."""
        if self._is_late():
            await self._send()

    async def not_needed(self) -> None:
        """Take it back: this call did nothing. A late one stays, as it may be the relay of work items by now."""
        if not self._is_late():
            await self._take_back()

    async def refuse(self) -> None:
        """Take it back for sure: a refused job must not run.

        A late one is not taken back, as in `not_needed`: it may have created the job by now. Raises PublishError: it
        may come.
        """
        if not self._is_late():
            await self._emitter.cancel(self.relay_id)
        if self._is_late():
            raise PublishError(
                f"backup message {self.relay_id} may have come before: whether its job is refused is not known"
            )

    async def take_back_with(self, items: tuple[WorkItem, ...]) -> None:
        """Take back the message of a refused change, once its pending work items are dispatched.

        Reading the job may have made it request a slot, and this message is then the request's relay. Raises
        StoreError: it may be under way, and may still change the job.
        """
        await dispatch(self._emitter, self.job.session_id, items, self.relay_id)
        if self._is_late():
            raise StoreError(
                f"job {self.job.id!r} may still be changed: its backup message is under way; read it in a minute"
            )
        await self._take_back()

    async def dispatch(self, job: Job, items: tuple[WorkItem, ...], *, counting: bool = False) -> None:
        """Dispatch committed items, as far as the queue takes them, and wake the job's followers here.

        `counting`: the first event brings the spending since the commit to the job's usage ledger.
        """
        self._backups.notices.notify(job.id)
        rest = take() if counting and items else NOTHING
        spent = Spending(requests=rest.requests, commands=rest.commands, size_bytes=rest.size_bytes)
        give_back(replace(rest, requests=0, commands=0, size_bytes=0))
        try:
            counted = spent if spent.requests else None
            await dispatch(self._emitter, job.session_id, items, self.relay_id, counted, job.tenant)
        except PublishError as error:
            charge(**asdict(spent))
            _log.warning(
                "the next step of job %s is dispatched within two minutes, by its backup message or a sweep: %s",
                job.id,
                error,
            )

    async def _send(self) -> str:
        now_ms = self._backups.clock.now_ms()
        name = self._command_id or self._backups.new_id(self.job.id, self.command)
        event = command_event(name, self.job.id, self.job.session_id, moment(now_ms), self.command)
        sent = Delivery(event, now_ms + BACKUP_DELAY_MS, lane=self.job.tenant)
        (message_id,) = await self._emitter.emit_many([sent])
        charge(messages=1)
        return message_id

    def _is_late(self) -> bool:
        return self._backups.clock.now_ms() - self.began_ms >= BACKED_UP_MS

    async def _take_back(self) -> None:
        try:
            await self._emitter.cancel(self.relay_id)
        except PublishError as error:
            _log.warning(
                "backup message %s could not be taken back; it will find the job as it is: %s", self.relay_id, error
            )

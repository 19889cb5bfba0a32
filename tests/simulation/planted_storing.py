"""Defects of the quota of stored bytes."""

from collections.abc import Awaitable, Callable

from baton.admission.stored_quota import StoredQuota
from baton.commands.backup import Backup
from baton.engine.commit.stored_bytes import BytesAdded, Keeping
from baton.engine.state import Job, Usage
from baton_events.schema import Submission
from tests.fakes.applying import Applying
from tests.simulation.planting import Defect, Patch, replaced

_check = StoredQuota.check


async def _later(self: StoredQuota, tenant: str) -> None:
    """Ask nobody yet."""
    _REQUESTED[tenant] = self


_REQUESTED: dict[str, StoredQuota] = {}


def _checking(send: Callable[..., Awaitable[str]]) -> Callable[..., Awaitable[str]]:
    """Ask once the backup message is published, which comes all the same."""

    async def witnessing(self: Backup) -> str:
        message_id = await send(self)
        if isinstance(self.command, Submission):
            await _check(_REQUESTED[self.job.tenant], self.job.tenant)
        return message_id

    return witnessing


def _twice(self: Keeping, job: Job, usage: Usage) -> BytesAdded:
    """Leave what the job was submitted with."""
    return self._added([(job.finished_at_ms or 0, usage.written)])


DEFECTS = (
    Defect(
        "the store's script counts, its twin does not",
        "the_script_does_what_its_twin_does",
        (replaced(Applying, "_count", lambda *_: True),),
    ),
    Defect(
        "a tenant is refused after its backup message is published",
        "who_is_refused_does_not_run",
        (replaced(StoredQuota, "check", _later), Patch(Backup, "_send", _checking)),
        full=True,
    ),
    Defect(
        "an end counts beside its submission",
        "what_is_counted_is_what_was_written",
        (replaced(Keeping, "ended", _twice),),
        full=True,
    ),
)

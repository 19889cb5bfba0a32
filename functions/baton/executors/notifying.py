"""Sends out that a job has ended: a handler's failed job leaves a dead letter in the queue.

Invariant: it is sent once for each run, as far as the queue knows repeats. Must not: change the job.
"""

from baton.engine.commit.answers import Claim, History
from baton.engine.effects import Notify, Work
from baton.engine.state import Job
from baton.engine.step_results import FollowedUp, NotFollowedUp, StepResult
from baton.sdk.records import Failure
from baton.storage.ports.jobs import Reader
from baton.transport.meter import charge
from baton_events.app_event import AppEvent, DeadLetter
from baton_events.emitter import Emitter
from baton_events.errors import PublishError
from baton_events.timestamps import moment


class NotifyOfEnd:
    """Performs Notify."""

    def __init__(self, reader: Reader, emitter: Emitter) -> None:
        self._reader = reader
        self._emitter = emitter

    async def __call__(self, effect: Work, history: History, claim: Claim) -> StepResult:
        """Send it."""
        del history, claim
        assert isinstance(effect, Notify), "this executor is registered for Notify"
        snapshot = await self._reader.job(effect.job.id)
        if snapshot is None:  # a read may be older than what was written
            return NotFollowedUp(Failure("not_read", "the job cannot be read yet", retryable=True))
        try:
            await self._emitter.send(
                dead_letter_of(effect.job, snapshot.task.get("data")),
                deduplication_id=f"{effect.job.id}.dead.{effect.job.run}",
            )
        except PublishError as error:
            return NotFollowedUp(Failure("not_published", str(error), retryable=True))
        charge(messages=1)
        return FollowedUp()


def dead_letter_of(job: Job, data: object) -> AppEvent:
    """Return the message that keeps a failed job of a handler in the queue."""
    _, name, event_id = job.notifies.split(":", 2)
    error = f"{job.error.type}: {job.error.message}" if job.error else ""
    return AppEvent(
        id=event_id,
        name=name,
        tenant=job.tenant,
        data=data,
        created_at=moment(job.finished_at_ms or 0),
        dead_letter=DeadLetter(handler=job.agent, run=job.run, error=error),
    )

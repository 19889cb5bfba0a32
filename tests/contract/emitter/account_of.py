"""A queue with all that belongs to it: the fake one, QStash, or the one in the store."""

from typing import NamedTuple

from baton.queue.account import QueueSetup
from baton.queue.ports import QueueRecords, Schedules
from baton.queue.qstash.publisher import QStashQueue
from baton.queue.qstash.records import QStashRecords
from baton.queue.qstash.schedules import QStashSchedules
from baton.queue.qstash.setup import QStashSetup
from baton.queue.verifier import QueueVerifier
from baton.sdk.clock import SystemClock
from baton.settings.settings import Settings
from baton.worker.wiring import queue_in_store
from baton_events.messages import Queue
from tests.fakes.queue import FakeQueue
from tests.fakes.queue_records import FakeQueueRecords
from tests.fakes.queue_setup import FakeQueueSetup
from tests.fakes.schedules import FakeSchedules


class Account(NamedTuple):
    queue: Queue
    records: QueueRecords
    schedules: Schedules
    setup: QueueSetup

    async def close(self) -> None:
        for each in self:
            await each.close()


def account_of(settings: Settings | None) -> Account:
    """The account that settings name; None: the fake one."""
    if settings is None:
        queue = FakeQueue()
        return Account(queue, FakeQueueRecords(queue, SystemClock()), FakeSchedules(), FakeQueueSetup())
    if settings.queue == "redis":
        made = queue_in_store(settings)
        return Account(made.queue, made.records, made.schedules, made.setup)
    qstash = QStashQueue(settings), QStashRecords(settings), QStashSchedules(settings), QStashSetup(settings)
    return Account(*qstash)


async def verifier_of(settings: Settings) -> QueueVerifier:
    if settings.queue == "qstash":
        return QueueVerifier(settings)
    made = queue_in_store(settings)
    await made.verifier.know_keys()
    await made.queue.close()
    return made.verifier

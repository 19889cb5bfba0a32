"""What the doctor looks at, through ports; the real ones are built here. Nothing is opened before it is used."""

from dataclasses import dataclass

from baton.adapters.clock import SystemClock
from baton.adapters.long_term_memory import UpstashLongTermMemory
from baton.adapters.publisher import QStashQueue
from baton.adapters.queue_records import QStashRecords
from baton.adapters.queue_setup import QStashSetup
from baton.adapters.randomness import SystemRandomness
from baton.adapters.store_check import RedisCheck
from baton.configuration.settings import Settings
from baton.ports import Clock, LongTermMemory, Queue, QueueRecords, Randomness, StoreCheck
from baton.ports.queue_setup import QueueSetup
from baton_local.setup.account import Account


@dataclass(frozen=True)
class Outside:
    """Store, queue, time; `memory`: None where no vector index is set."""

    store: StoreCheck
    setup: QueueSetup
    account: Account
    queue: Queue
    records: QueueRecords
    clock: Clock
    randomness: Randomness
    memory: LongTermMemory | None = None

    @classmethod
    def of(cls, settings: Settings) -> "Outside":
        """The services that the settings name."""
        return cls(
            store=RedisCheck(settings),
            setup=QStashSetup(settings),
            account=Account.of(settings),
            queue=QStashQueue(settings),
            records=QStashRecords(settings),
            clock=SystemClock(),
            randomness=SystemRandomness(),
            memory=UpstashLongTermMemory(settings) if settings.vector_url else None,
        )

    async def close(self) -> None:
        """Close connections."""
        for each in (self.store, self.setup, self.account, self.queue, self.records):
            await each.close()
        if self.memory is not None:
            await self.memory.close()

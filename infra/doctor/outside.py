"""What the doctor looks at, through ports; the real ones are built here. Nothing is opened before it is used."""

from dataclasses import dataclass

from events.adapters.clock import SystemClock
from events.adapters.long_term_memory import UpstashLongTermMemory
from events.adapters.publisher import QStashQueue
from events.adapters.queue_records import QStashRecords
from events.adapters.queue_setup import QStashSetup
from events.adapters.randomness import SystemRandomness
from events.adapters.store_check import RedisCheck
from events.ports import Clock, LongTermMemory, Queue, QueueRecords, Randomness, StoreCheck
from events.ports.queue_setup import QueueSetup
from events.settings import Settings
from infra.setup.account import Account


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

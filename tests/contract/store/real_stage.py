"""The whole product over a real store, in place or by messages: each delivery is metered as a function's is."""

from dataclasses import replace
from typing import Literal

from baton.queue.dispatch import Outcome
from baton.queue.ports import Verifier
from baton.sdk.agents.agent import Agent
from baton.sdk.agents.registry import Registry
from baton.sdk.models.model import Call
from baton.sdk.models.scripted import ScriptedModel
from baton.sdk.tools.tool import tool
from baton.store.redis.access import RateLimit
from baton.store.transport.meter import charge
from baton.worker.container import Ports
from baton_events.schema import Event
from tests.contract.store.side import Side
from tests.unit.baton.kit.stage import SETTINGS, Stage

Continuation = Literal["queue", "inline"]


@tool
async def count(number: int) -> int:
    """Count one further.

    Args:
        number: where to go on from.
    """
    return number + 1


def registry_of(calls: int) -> Registry:
    """`in-a-row`: so many turns of one call each; `at-once`: one turn of so many calls."""
    requested = [Call("count", {"number": number}) for number in range(calls)]
    row: list[list[Call] | str] = [*([call] for call in requested), "Counted."]
    return Registry(
        [
            Agent(name="in-a-row", model=ScriptedModel(row), tools=[count]),
            Agent(name="at-once", model=ScriptedModel([requested, "Counted."]), tools=[count]),
        ]
    )


class RealStage(Stage):
    def __init__(
        self,
        side: Side,
        calls: int,
        *,
        continuation: Continuation,
        bytes_kept: int = 0,
        registry: Registry | None = None,
    ) -> None:
        self._side = side
        settings = replace(SETTINGS, continuation=continuation, bytes_kept_per_tenant=bytes_kept)
        super().__init__(settings=settings, registry=registry or registry_of(calls))

    def _ports(self, verifier: Verifier, rate_limit: RateLimit | None, follow_limit: RateLimit | None) -> Ports:
        side = self._side
        return replace(
            super()._ports(verifier, rate_limit, follow_limit),
            store=side.store,
            reader=side.reader,
            admission=side.admission,
            admission_control=side.admission_control,
            listing=side.listing,
            archive=side.archive,
            stored_bytes=side.stored_bytes,
            tool_statistics=side.tools,
            counters=side.counters,
        )

    async def deliver(self, event: Event, message_id: str = "m1", retried: int = 0) -> Outcome:
        async with self.container.metering.invocation():
            charge(deliveries=1)
            return await super().deliver(event, message_id, retried)

    async def play(self, agent: str, job_id: str = "job_a") -> None:
        """A job from its submission to its last word; its backup message would come in a minute."""
        async with self.container.metering.invocation():
            await self.submit(agent, job_id)
        await self.run(within_seconds=30)

"""A process dies at any call to the world outside, before it is applied or after: the job is as if it had not."""

import asyncio
import json
from typing import Any

from pydantic import BaseModel
from pydantic_ai import Agent, ModelRetry, RunContext

from baton import Registry
from baton.engine.transitions import JobStatus
from baton.pydantic_ai import durable, tool_context
from baton.storage.ports.jobs import Snapshot
from tests.fakes import FakeStore
from tests.fakes.queue import FakeQueue
from tests.unit.baton.pydantic_ai.played import INLINE, PlayedStage, call, comparable, scripted, state_of

AFTER_A_LEASE_MS = 1_000_000
_OUTSIDE = ("claim", "commit", "append", "renew", "create")


class KilledError(BaseException):
    """The process dies here."""


class Killer:
    """Counts what a process asks of the world outside, and kills it at one of these points, once."""

    def __init__(self, at: int | None) -> None:
        self.at = at
        self.points: list[str] = []
        self.dead = False
        self.deaths = 0

    def pass_by(self, point: str) -> None:
        """A point at which a process may die."""
        if self.dead:
            raise KilledError
        self.points.append(point)
        if self.at == len(self.points) - 1:
            self.dead = True
            self.deaths += 1
            raise KilledError

    def around(self, target: Any, name: str) -> None:
        """Before and after each call of this method."""
        original = getattr(target, name)

        async def killed(*args: Any, **options: Any) -> Any:
            self.pass_by(f"before {name}")
            found = await original(*args, **options)
            self.pass_by(f"after {name}")
            return found

        setattr(target, name, killed)


class City(BaseModel):
    """A city."""

    name: str


def agent_of(killer: Killer, effects: list[str]) -> Agent[Any, Any]:
    """Parallel calls, one of which is tried again, an output that is corrected; each effect has its key."""
    final = "final_result"
    turns = [call("pay", "1", euros=1), call("odd", "2", n=2)], [call("odd", "3", n=3)], [call(final, "4", name="")]
    agent = Agent(scripted(*turns, [call(final, "5", name="Ur")]), name="a", output_type=City, deps_type=str)

    @agent.tool
    async def pay(ctx: RunContext[str], euros: int) -> str:
        killer.pass_by("before the effect")
        effects.append(tool_context().idempotency_key)
        killer.pass_by("after the effect")
        return f"{euros} for {ctx.deps}"

    @agent.tool
    async def odd(ctx: RunContext[str], n: int) -> str:
        killer.pass_by("in a tool")
        if n % 2 == 0:
            raise ModelRetry("even")
        return f"{n}, retry {ctx.retry} of step {ctx.run_step}"

    @agent.output_validator
    def named(ctx: RunContext[str], city: City) -> City:
        if not city.name:
            raise ModelRetry(f"a name, please ({ctx.retry})")
        return city

    return agent


async def lived(killer: Killer, effects: list[str]) -> tuple[Snapshot, FakeStore]:
    """The job of a process that dies once, and of the next one, to which comes again what was not acknowledged."""
    store, queue = FakeStore(), FakeQueue()
    registry = Registry([durable(agent_of(killer, effects), deps=lambda _: "Ann")])
    stage = PlayedStage(registry=registry, store=store, queue=queue, settings=INLINE)
    event = await stage.submit("a")
    for name in _OUTSIDE:
        killer.around(store, name)
    killer.around(queue, "publish")
    for _ in range(8):
        try:
            await stage.run()
            async with asyncio.timeout(5):
                while not (snapshot := await stage.snapshot()).job.ended:
                    await stage.deliver(event, snapshot.items[0].relay_id or "m1", retried=1)
                    await stage.run()
            break
        except (KilledError, BaseExceptionGroup, asyncio.CancelledError):
            killer.dead = False
            killer.at = None
            stage.clock.ms += AFTER_A_LEASE_MS
            stage.restart()
            open_items = (await stage.snapshot()).items
            if open_items:
                from baton.engine.outbox import event_of  # noqa: PLC0415

                event = event_of("session-job_1", open_items[0])
                await stage.deliver(event, open_items[0].relay_id or "m1", retried=1)
    return await stage.snapshot(), store


async def outcome(killer: Killer, effects: list[str]) -> Any:
    """What a run comes to."""
    snapshot, store = await lived(killer, effects)
    state = await state_of(store, snapshot)
    entries = [json.loads(text) for text in store.tree("job_1").transcript["job_1"]]
    return (snapshot.job.status, snapshot.job.result, comparable(state.messages), len(entries), sorted(set(effects)))


async def test_each_crash_point_leads_to_the_same_messages_and_result() -> None:
    """An effect is repeated with its key, or not at all."""
    killer, expected_effects = Killer(None), list[str]()
    expected = await outcome(killer, expected_effects)
    assert expected[0] is JobStatus.COMPLETED
    assert len(expected_effects) == 1
    assert {"before the effect", "after commit", "after claim", "before publish"} <= set(killer.points) | {
        "before publish"
    }
    different = []
    for at, point in enumerate(killer.points):
        effects: list[str] = []
        if await outcome(Killer(at), effects) != expected:
            different.append((at, point))
    assert len(killer.points) >= 20
    assert different == []

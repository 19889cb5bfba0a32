"""How long a step is claimed: for a few seconds, which are prolonged while its work lives."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import Literal

import pytest

from baton import Agent, Call, Registry, ScriptedModel, tool
from baton.engine.work_items import FOLLOW_UPS, ItemKind
from baton.runtime.policy import LEASE_MARGIN_MS, LEASE_MS, Policy
from baton.runtime.spec import work_limits_ms
from tests.unit.baton.kit.mortal import MortalStore, killed
from tests.unit.baton.kit.stage import SETTINGS, Stage

WORK_MS = SETTINGS.work_timeout_seconds * 1000


@pytest.mark.parametrize("continuation", ["inline", "queue"])
async def test_a_call_that_was_cut_off_runs_again_when_its_claim_is_over(
    continuation: Literal["inline", "queue"],
) -> None:
    """Not when the work would be over: that may take much longer."""
    runs, at_work = list[int](), asyncio.Event()

    @tool(timeout_seconds=3)
    async def look(n: int) -> int:
        runs.append(n)
        if len(runs) == 1:
            at_work.set()
            await asyncio.Event().wait()
        return n

    @tool(timeout_seconds=7)
    async def wander() -> None:
        pass

    agent = Agent("looks", model=ScriptedModel([[Call("look", {"n": 1})], "seen"]), tools=[look, wander])
    store = MortalStore()
    stage = Stage(settings=replace(SETTINGS, continuation=continuation), store=store, registry=Registry([agent]))
    event, message_id = await stage.submit("looks"), "m-turn"
    began_ms = stage.clock.ms
    if continuation == "queue":
        await stage.deliver(event, message_id)
        event, message_id = stage.events()[-1], "m-call"
    assert await killed(store, at_work, stage.deliver(event, message_id))
    stage.clock.ms += 100
    await stage.deliver(event, message_id, retried=1)
    assert (runs, stage.outgoing()[-1].not_before_ms) == ([1], began_ms + LEASE_MS)
    await stage.run()
    assert (runs, (await stage.snapshot()).job.result) == ([1, 1], {"answer": "seen"})


@pytest.mark.parametrize(
    ("seconds", "call_ms"),
    [((3.0, 0.75), 6_000), ((0.0015,), 3), ((WORK_MS / 1000 + 1,), WORK_MS), ((), 0)],
    ids=["the longest", "rounded up", "no longer than any work", "no tool"],
)
def test_a_call_may_take_twice_as_long_as_a_tool(seconds: tuple[float, ...], call_ms: int) -> None:
    """It may wait for an earlier attempt first. Whatever takes in results does no work at all."""

    async def act() -> None:
        pass

    tools = [tool(timeout_seconds=limit, name=f"act_{place}")(act) for place, limit in enumerate(seconds)]
    limits = work_limits_ms(SETTINGS.work_timeout_seconds, tools)
    assert limits == {ItemKind.CALL: call_ms, **dict.fromkeys((ItemKind.LOOP, *FOLLOW_UPS), WORK_MS)}


@pytest.mark.parametrize(
    ("inline", "via_admission", "kinds"),
    [
        (True, False, {ItemKind.CALL, ItemKind.COMPLETE, ItemKind.SLOT_REQUEST}),
        (False, True, {ItemKind.CALL, ItemKind.COMPLETE, ItemKind.SLOT_REQUEST}),
        (False, False, {ItemKind.SLOT_REQUEST}),
    ],
)
def test_what_is_gone_on_with_is_claimed_as_what_a_message_of_its_own_claims(
    *, inline: bool, via_admission: bool, kinds: set[ItemKind]
) -> None:
    """Whatever it is; how long it is prolonged depends on how long it may take."""
    limits: Mapping[ItemKind, int] = {ItemKind.LOOP: WORK_MS, ItemKind.CALL: 5_000}
    policy = Policy(limits, inline=inline, continues=frozenset({ItemKind.CALL, ItemKind.COMPLETE}))
    assert policy.leases_ms(via_admission=via_admission) == dict.fromkeys(kinds, LEASE_MS)
    assert policy.longest_ms(ItemKind.LOOP) == WORK_MS + LEASE_MARGIN_MS
    assert policy.longest_ms(ItemKind.COMPLETE) == LEASE_MARGIN_MS

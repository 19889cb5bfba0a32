"""A store that is away when a work item is claimed or committed: that is repeated for a while, the work is not."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from baton.engine.work_items import ItemKind
from baton.settings.settings import Settings
from baton.worker.runtime import claims, pipeline
from baton.worker.runtime.policy import BEGIN_PAUSES_SECONDS, LEASE_MARGIN_MS, LEASE_MS, PAUSES_SECONDS
from baton_events.errors import OWN_CODEC, BatonError, StoreError, UnreadablePayloadError
from baton_events.schema import Event
from tests.unit.baton.kit.faults import Method, around, fail
from tests.unit.baton.kit.stage import SETTINGS, Stage

AWAY = StoreError("no answer")
INLINE = replace(SETTINGS, continuation="inline")
BOTH_TWICE = ["add 1 2", "add 1 2", "add 3 4", "add 3 4"]
in_both_ways = pytest.mark.parametrize("settings", [SETTINGS, INLINE], ids=["queue", "inline"])


@pytest.fixture(autouse=True)
def pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline, "PAUSES_SECONDS", tuple(pause / 1e6 for pause in PAUSES_SECONDS))
    monkeypatch.setattr(claims, "BEGIN_PAUSES_SECONDS", tuple(pause / 1e6 for pause in BEGIN_PAUSES_SECONDS))


async def submitted(settings: Settings) -> tuple[Stage, Event]:
    stage = Stage(settings=settings)
    return stage, await stage.submit("adds")


def results_lost(
    stage: Stage, times: int, meanwhile: Callable[[], None] = lambda: None, error: BatonError = AWAY
) -> list[Any]:
    """So many COMMITs of a tool's result fail; the room of each COMMIT that is asked for."""
    rooms, left = list[Any](), [times]

    async def away(commit: Method, claim: Any, changes: Any, continuation: Any = None) -> Any:
        rooms.append(continuation)
        if left[0] and changes.used:
            left[0] -= 1
            meanwhile()
            raise error
        return await commit(claim, changes, continuation)

    around(stage.store, "commit", away)
    return rooms


@pytest.mark.parametrize("applied", [True, False])
@in_both_ways
async def test_a_claim_whose_answer_is_lost_is_requested_again(settings: Settings, *, applied: bool) -> None:
    """Else its lease would keep everybody else from the work item for two minutes."""
    stage, first = await submitted(settings)
    fail(stage.store, "claim", AWAY, len(BEGIN_PAUSES_SECONDS), applied=applied)
    assert (await stage.deliver(first, "m-turn")).label == "done"
    await stage.run()
    assert (await stage.now()).result == {"answer": "3 and 7"}


@pytest.mark.parametrize(("each_ms", "requested"), [(0, len(BEGIN_PAUSES_SECONDS) + 1), (6_000, 2)])
async def test_a_claim_is_requested_so_often_and_so_long_only(each_ms: int, requested: int) -> None:
    """Then the message is left to the queue."""
    stage, first = await submitted(INLINE)
    asked = list[Any]()

    async def slowly(_claim: Method, *arguments: Any) -> Any:
        asked.append(arguments)
        stage.clock.ms += each_ms
        raise AWAY

    around(stage.store, "claim", slowly)
    with pytest.raises(StoreError):
        await stage.deliver(first, "m-turn")
    assert len(asked) == requested


@pytest.mark.parametrize("after_ms", [0, 2 * LEASE_MS])
async def test_a_claim_of_which_nobody_knows_is_given_back(after_ms: int) -> None:
    """Only answers were lost: the message that comes again finds it free, and nobody has died of it."""
    stage, first = await submitted(INLINE)
    abandoned = list[int]()

    async def noting(claim: Method, *arguments: Any) -> Any:
        found = await claim(*arguments)
        if found.state and found.state.item.kind is ItemKind.LOOP:
            abandoned.append(found.state.item.abandoned)
        return found

    fail(stage.store, "claim", AWAY, len(BEGIN_PAUSES_SECONDS) + 1, applied=True)
    with pytest.raises(StoreError):
        await stage.deliver(first, "m-turn")
    stage.clock.ms += after_ms
    around(stage.store, "claim", noting)
    assert (await stage.deliver(first, "m-turn", retried=1)).label == "done"
    assert abandoned[:1] == [0]
    await stage.run()
    assert (await stage.now()).result == {"answer": "3 and 7"}


async def test_a_store_that_hangs_holds_up_nobody_who_gives_a_claim_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """The message is the queue's again after a moment."""

    async def hangs(_give_back: Method, *_: object, begun: bool) -> None:
        await asyncio.sleep(3_600)

    monkeypatch.setattr(claims, "GIVE_BACK_SECONDS", 0.01)
    stage, first = await submitted(INLINE)
    fail(stage.store, "claim", AWAY, 99)
    around(stage.store, "give_back", hangs)
    async with asyncio.timeout(5):
        with pytest.raises(StoreError):
            await stage.deliver(first, "m-turn")


@pytest.mark.parametrize("error", [AWAY, UnreadablePayloadError(OWN_CODEC, "is not ready")])
@in_both_ways
async def test_what_a_tool_has_returned_is_kept_until_the_store_is_back(settings: Settings, error: BatonError) -> None:
    """It runs once, and no message has to come again; also where a codec cannot get its keys for a moment."""
    stage, _ = await submitted(settings)
    rooms = results_lost(stage, len(PAUSES_SECONDS), error=error)
    await stage.run()
    assert (await stage.now()).result == {"answer": "3 and 7"}
    assert sorted(stage.step_result.runs) == ["add 1 2", "add 3 4"]
    assert len(rooms) > len(PAUSES_SECONDS)


async def test_the_store_may_be_away_for_so_long_only() -> None:
    """Then the message is left to the queue, and the tool runs again."""
    stage, first = await submitted(INLINE)
    results_lost(stage, 2 * (len(PAUSES_SECONDS) + 1))  # both calls run at once
    with pytest.raises(StoreError):
        await stage.deliver(first, "m-turn")
    await stage.deliver(first, "m-turn", retried=1)
    await stage.run()
    assert sorted(stage.step_result.runs) == BOTH_TWICE


async def test_no_key_of_a_setting_is_waited_for() -> None:
    """Its process would have to begin anew."""
    stage, first = await submitted(INLINE)
    rooms = results_lost(stage, 99, error=UnreadablePayloadError("k1"))
    with pytest.raises(UnreadablePayloadError):
        await stage.deliver(first, "m-turn")
    assert len(rooms) == 3  # of the turn, and of both calls


async def test_a_redelivered_message_repeats_it_as_well() -> None:
    """It goes on with nothing, and what it has done is kept all the same."""
    stage, first = await submitted(SETTINGS)
    rooms = results_lost(stage, 3)
    await stage.deliver(first, "m-turn")
    call = next(event for event in stage.events() if event.type == "agent.tool.call")
    outcome = await stage.deliver(call, "m-call", retried=1)
    assert (outcome.label, stage.step_result.runs, len(rooms)) == ("done", ["add 1 2"], 1 + 3 + 1)
    assert rooms[-1] is None


async def test_after_the_lease_it_is_not_repeated_but_for_what_it_may_have_claimed() -> None:
    """Each request takes as long as a request may: once more for the claims, and no more."""
    stage, first = await submitted(INLINE)

    def slowly() -> None:
        stage.clock.ms += LEASE_MARGIN_MS

    rooms = results_lost(stage, 9, slowly)
    with pytest.raises(StoreError):
        await stage.deliver(first, "m-turn")
    of_the_turn, of_each_call = 1, 2
    assert len(rooms) == of_the_turn + 2 * of_each_call
    assert [room.at_most for room in rooms[-2:] if room] == [0, 0]


async def test_a_process_that_is_to_stop_meanwhile_goes_on_with_nothing() -> None:
    """It keeps what it has done, and publishes what follows."""
    stage, first = await submitted(INLINE)

    def stops() -> None:
        stage.container.stopping.begun = True

    rooms = results_lost(stage, 2, stops)
    outcome = await stage.deliver(first, "m-turn")
    assert (outcome.label, outcome.dispatched) == ("done", 1)
    assert [room is None for room in rooms] == [False, False, True, True, True], "from the failure on"
    assert sorted(stage.step_result.runs) == ["add 1 2", "add 3 4"]

"""What holds of budgets in many worlds; planted defects, each found by the promise that it breaks."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from msgspec.structs import replace

from baton.engine.commit.answers import Claim
from baton.engine.effects import CallModel
from baton.store.records.budgets import Reservation, Want
from baton.worker.admission import budgeted
from tests.contract.store.planted import Defect
from tests.contract.store.planted_budgets import BUDGET
from tests.simulation.budgets import Broken, World, play

_SCRIPTS = {defect.name: defect for defect in BUDGET}
_WORLDS = 60
Planted = Callable[[World], None]


def test_budgets_hold_whatever_fails() -> None:
    for seed in range(30):
        play(seed)


@pytest.mark.long
def test_budgets_hold_in_many_worlds() -> None:
    for seed in range(1_000, 1_120):
        play(seed)


def test_a_world_without_faults_answers_every_call_that_waits() -> None:
    plays = [play(seed) for seed in range(0, 60, 3)]
    waiting = [world for world in plays if world.plan.waits]
    assert waiting
    assert all(world.ends["answered"] == world.plan.calls for world in waiting)
    assert any(world.ends["refused"] for world in plays)


def _checked_before(world: World) -> None:
    """Whether there is room is read first, and the reservation is added without a second look."""
    reserve = world.budgets.reserve

    async def later(wants: Sequence[Want], name: str, event: str, lease_ms: int) -> Reservation:
        (want,) = wants
        sums = sum(much for label, much in world.sums().items() if "2026-11-27" in label)
        if sums + (want.amount or 0) <= want.limit:
            await asyncio.sleep(world.seconds(1.0))
            wants = [replace(want, limit=1_000 * want.limit)]
        return await reserve(wants, name, event, lease_ms)

    vars(world.budgets)["reserve"] = later


def _settled_twice(world: World) -> None:
    settle = world.budgets.settle

    async def twice(*arguments: Any) -> Any:
        await settle(*arguments)
        return await settle(*arguments)

    vars(world.budgets)["settle"] = twice


def _noted_anew(world: World) -> None:
    """A call that asks again is another one among those that wait."""
    reserve = world.budgets.reserve

    async def noted(wants: Sequence[Want], name: str, event: str, lease_ms: int) -> Reservation:
        return await reserve(wants, name, f"{event}{' ' * world.dice.whole(0, 999, 200, world.store_ms())}", lease_ms)

    vars(world.budgets)["reserve"] = noted


@pytest.mark.parametrize(
    ("promise", "defect", "planted"),
    [
        pytest.param("sums_are_the_calls_own", "free by time", None, id="released by time"),
        pytest.param("sums_are_the_calls_own", "settled twice counts twice", _settled_twice, id="settled twice"),
        pytest.param("periods_are_the_stores", "the function's clock chooses the period", None, id="function's clock"),
        pytest.param("only_who_has_room_is_woken", "woken where there is no room", None, id="woken into a taken place"),
        pytest.param("who_waits_begins_within_a_minute", "whoever was woken waits no more", None, id="woken once"),
        pytest.param("a_call_waits_once", None, _noted_anew, id="noted anew each time"),
        pytest.param("a_grant_is_within_the_limit", None, _checked_before, id="reserved after the check"),
    ],
)
def test_a_defect_is_found(promise: str, defect: str | None, planted: Planted | None) -> None:
    assert _broken(_SCRIPTS[defect] if defect else None, planted).startswith(promise)


def _broken(defect: Defect | None = None, planted: Planted | None = None) -> str:
    """Return what the first world finds; empty: none finds anything."""
    for seed in range(_WORLDS):
        try:
            play(seed, defect, planted)
        except Broken as broken:
            return str(broken)
    return ""


@pytest.mark.parametrize("shared", ["attempts and claims", "claims"])
def test_one_name_for_two_attempts_is_found(shared: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def name_of(effect: CallModel, claim: Claim) -> str:
        return claim.item_key if shared == "claims" else f"loop:{effect.job.id}"

    monkeypatch.setattr(budgeted, "_name_of", name_of)
    assert _broken().startswith(("each_call_has_a_name_of_its_own", "no_call_begins_without_a_reservation"))


def test_a_call_that_asks_too_seldom_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    async def nobody(*_arguments: Any) -> None:
        """Wake nobody."""

    def forgetting(world: World) -> None:
        vars(world.budgeted)["wake"] = nobody

    monkeypatch.setattr(budgeted, "_FIRST_MS", 600_000)
    monkeypatch.setattr(budgeted, "_LONGEST_MS", 600_000)
    assert _broken(planted=forgetting).startswith("who_waits_begins_within_a_minute")

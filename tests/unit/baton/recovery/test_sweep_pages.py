"""A sweep that goes on by message: what each page's message asks for, and what a page that dies leaves."""

from collections.abc import Mapping

import pytest

from baton.engine.all_jobs.slots import PAGE, STALLED_AFTER_MS, QueueEntry, SlotTable
from baton.engine.commit.answers import Reconciled
from baton.recovery.reconciler import Page, read_page
from baton_events.errors import StoreError
from baton_events.schema import SWEEP_ENDPOINT
from tests.fakes import FakeStore
from tests.unit.baton.kit.stage import BASE, Stage


class Dying(FakeStore):
    dying = False

    async def reconcile_all(
        self, trees: Mapping[str, SlotTable], message_id: str, now_ms: int, stalled_after_ms: int
    ) -> dict[str, Reconciled]:
        if self.dying:
            raise StoreError("it dies each time")
        return await super().reconcile_all(trees, message_id, now_ms, stalled_after_ms)


def pages(stage: Stage) -> list[Page]:
    bodies = [message.body for message in stage.outgoing() if message.url == f"{BASE}{SWEEP_ENDPOINT}"]
    return [page for page in map(read_page, map(str.encode, bodies)) if page.after]


def relay_ids(stage: Stage) -> set[str]:
    return {item.relay_id for item in stage.store.tree("job_z").items.values()}


async def crowded(stage: Stage) -> None:
    """More jobs than a page has, of which nothing is known, and behind them one that nobody redrives."""
    await stage.submit("answers", "job_z")
    waiting = {f"job_{n:04}": QueueEntry("t", f"s{n}", 5, n, 1, since_ms=stage.clock.ms) for n in range(PAGE + 5)}
    stage.admission.entries = {**waiting, **stage.admission.entries}
    stage.clock.ms += STALLED_AFTER_MS + 1


async def test_a_backstop_goes_on_by_message_until_everybody_was_looked_at() -> None:
    """The job behind a full page is redriven by the second one, in that one's own name."""
    stage = Stage()
    await crowded(stage)
    assert (await stage.sweep.handle(Page(0), "m1", "d1", again=False)).dispatched == 0
    (second,) = pages(stage)
    assert second == Page(0, f"a:job_{PAGE - 1:04}")
    assert (await stage.sweep.handle(second, "m2", "d2", again=False)).dispatched == 1
    assert pages(stage) == [second]
    assert "m2" in relay_ids(stage)


async def test_a_page_at_which_it_dies_does_not_keep_it_from_the_next_one() -> None:
    """The message of the next page is published before its work."""
    store = Dying()
    stage = Stage(store=store)
    await crowded(stage)
    store.dying = True
    with pytest.raises(StoreError):
        await stage.sweep.handle(Page(0), "m1", "d1", again=False)
    store.dying = False
    (second,) = pages(stage)
    assert (await stage.sweep.handle(second, "m2", "d2", again=False)).dispatched == 1


async def test_a_sweep_that_comes_again_goes_on_in_its_own_name() -> None:
    """It may carry what belongs to any job; whoever looks for it must dispatch that as that message."""
    stage = Stage()
    await crowded(stage)
    await stage.sweep.handle(Page(stage.clock.ms), "m1", "d1", again=True)
    (second,) = pages(stage)
    assert second == Page(stage.clock.ms, f"a:job_{PAGE - 1:04}", relay_id="m1")
    await stage.sweep.handle(second, "m2", "d2", again=False)
    assert "m1" in relay_ids(stage)
    assert "m2" not in relay_ids(stage)


@pytest.mark.parametrize("page", [Page(0), Page(5), Page(0, "a:job_é"), Page(7, "g:12", "m1")])
def test_a_page_is_read_as_it_was_written(page: Page) -> None:
    assert read_page(page.body().encode()) == page

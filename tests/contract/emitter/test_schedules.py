"""The queue's schedules: the fake and the real ones, through the SDK, alike."""

from collections.abc import AsyncIterator

import pytest

from baton.queue.ports import Schedules
from baton.queue.qstash.schedules import QStashSchedules
from baton_events.errors import MessageNotFoundError, QueueRefusedError
from baton_events.messages import Outgoing
from tests.contract.emitter.qstash_process import QStashProcess
from tests.fakes.schedules import FakeSchedules

CLOSED_PORT = "http://127.0.0.1:9/never"
MESSAGE = Outgoing(body='{"a":"ä"}', url=CLOSED_PORT, label="sch_1", headers={"x-event-type": "t"})
NIGHTLY = "CRON_TZ=Europe/Berlin 0 3 * * *"


@pytest.fixture(params=["fake", "real"])
async def schedules(request: pytest.FixtureRequest) -> AsyncIterator[Schedules]:
    if request.param == "fake":
        yield FakeSchedules()
        return
    process: QStashProcess = request.getfixturevalue("local_qstash")
    real = QStashSchedules(process.settings("http://127.0.0.1:9"))
    yield real
    await real.close()


async def test_a_schedule_is_found_as_it_was_put(schedules: Schedules) -> None:
    await schedules.put("sch_1", "0 * * * *", MESSAGE)
    await schedules.put("sch_1", NIGHTLY, MESSAGE)
    found = await schedules.find("sch_1")
    assert found is not None
    assert (found.cron, found.destination, found.body, found.paused) == (NIGHTLY, CLOSED_PORT, MESSAGE.body, False)
    assert [each.id for each in await schedules.all() if each.id == "sch_1"] == ["sch_1"]


async def test_a_schedule_is_paused_and_goes_on(schedules: Schedules) -> None:
    await schedules.put("sch_2", "0 * * * *", MESSAGE)
    for paused in (True, False):
        await schedules.pause("sch_2", paused=paused)
        found = await schedules.find("sch_2")
        assert found is not None
        assert found.paused is paused
    with pytest.raises(MessageNotFoundError):
        await schedules.pause("unknown", paused=True)


async def test_a_deleted_schedule_is_gone(schedules: Schedules) -> None:
    await schedules.put("sch_3", "0 * * * *", MESSAGE)
    await schedules.delete("sch_3")
    await schedules.delete("sch_3")
    assert await schedules.find("sch_3") is None


@pytest.mark.parametrize("cron", ["every day", "0 3 * *", "CRON_TZ=Europe/Berlin 0 3 *"])
async def test_what_is_no_cron_expression_is_refused(schedules: Schedules, cron: str) -> None:
    with pytest.raises(QueueRefusedError):
        await schedules.put("sch_4", cron, MESSAGE)
    assert await schedules.find("sch_4") is None

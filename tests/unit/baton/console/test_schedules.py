"""The queue's schedules, and the tools' counters."""

import pytest

from baton.queue.ports import QueueSchedule
from tests.unit.baton.console.operator import Operator


async def test_a_schedule_is_paused_and_goes_on(operator: Operator) -> None:
    """The page says what it did."""
    assert "has no schedules" in await operator.see("/console/schedules")
    schedules = operator.stage.schedules
    schedules.known["s1"] = QueueSchedule("s1", "https://x.example", "0 * * * *")
    assert "Schedule s1 is paused." in await operator.done("/console/schedules/s1/pause")
    assert schedules.known["s1"].paused
    assert "Schedule s1 is resumed." in await operator.done("/console/schedules/s1/resume")
    assert (await operator.do("/console/schedules/x/pause")).status_code == 404


async def test_tools_show_their_counters(operator: Operator) -> None:
    """Also those that never ran."""
    await operator.stage.submit("breaks")
    await operator.stage.run()
    markup = await operator.see("/console/tools")
    assert "<b>broken</b>" in markup
    assert "100 %" in markup
    assert "<b>add</b>" in markup


async def test_a_schedule_is_made_and_deleted(operator: Operator) -> None:
    """Once however often its form is sent; others' schedules are not deleted from here."""
    fields = {"jobType": "answers", "taskDescription": "every <morning>", "cron": "0 9 * * 1-5", "once": "n1"}
    first, markup = [
        await operator.done("/console/schedules/new", **fields, timeZone="Europe/Berlin") for _ in range(2)
    ]
    assert "is made." in first
    assert "every &lt;morning&gt;" in markup
    assert "Europe/Berlin" in markup
    (schedule_id,) = operator.stage.schedules.known
    assert f"Schedule {schedule_id} is deleted." in await operator.done(f"/console/schedules/{schedule_id}/delete")
    assert not operator.stage.schedules.known
    assert (await operator.do("/console/schedules/other/delete")).status_code == 409


@pytest.mark.parametrize(
    ("field", "value"), [("cron", ""), ("timeZone", "Mars/North"), ("jobType", "nobody"), ("inputData", "{")]
)
async def test_what_is_wrong_with_a_schedule_is_shown_at_its_field(operator: Operator, field: str, value: str) -> None:
    """And everything that was typed is kept."""
    fields = {"jobType": "answers", "taskDescription": "keep me", "cron": "0 9 * * *", "timeZone": "UTC", field: value}
    response = await operator.do("/console/schedules/new", **fields)
    assert response.status_code == 422
    assert f'id="fault-{field}"' in response.text
    assert "keep me" in response.text
    assert not operator.stage.schedules.known

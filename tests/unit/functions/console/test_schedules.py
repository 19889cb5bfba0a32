"""The queue's schedules, and the tools' figures."""

from events.ports import QueueSchedule
from tests.unit.functions.console.operator import Operator


async def test_a_schedule_is_paused_and_goes_on(operator: Operator) -> None:
    """The page says what it did."""
    assert "has no schedules" in await operator.see("/console/schedules")
    schedules = operator.stage.schedules
    schedules.known["s1"] = QueueSchedule("s1", "https://x.example", "0 * * * *")
    assert "Schedule s1 is paused." in await operator.done("/console/schedules/s1/pause")
    assert schedules.known["s1"].paused
    assert "Schedule s1 goes on." in await operator.done("/console/schedules/s1/resume")
    assert (await operator.do("/console/schedules/x/pause")).status_code == 404


async def test_tools_show_their_figures(operator: Operator) -> None:
    """Also those that never ran."""
    await operator.stage.submit("breaks")
    await operator.stage.run()
    markup = await operator.see("/console/tools")
    assert "<b>broken</b>" in markup
    assert "100 %" in markup
    assert "<b>add</b>" in markup

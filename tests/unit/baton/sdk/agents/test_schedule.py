"""Schedules in code: what is one, and what the queue is given."""

from typing import Any

import pytest

from baton import Agent, Registry, Schedule, ScriptedModel
from baton.sdk.agents.registry import RegistryError

CLERK = Agent("clerk", ScriptedModel(["done"]))


@pytest.mark.parametrize(
    ("changed", "word"),
    [
        ({"name": "n n"}, "a name has"),
        ({"name": ""}, "a name has"),
        ({"cron": "0 2 * *"}, "five fields"),
        ({"cron": "CRON_TZ=UTC 0 2 * *"}, "five fields"),
        ({"cron": "0 9 * * 1\u20135"}, "five fields of plain characters"),
        ({"cron": "\uff10 9 * * *"}, "five fields of plain characters"),
        ({"time_zone": "Moon/Base"}, "time zone"),
        ({"time_zone": "localtime"}, "time zone"),
        ({"time_zone": 1}, "time zone"),
        ({"overlap": "stop"}, "queue, skip, replace"),
        ({"backfill": True}, "from 0 to"),
        ({"backfill": 101}, "from 0 to"),
        ({"task": 3}, "a text"),
        ({"input_data": [1]}, "a JSON object"),
        ({"input_data": {"at": object()}}, "input_data.at"),
    ],
)
def test_what_is_no_schedule_is_refused_with_its_fault(changed: dict[str, Any], word: str) -> None:
    given: dict[str, Any] = {"name": "nightly", "cron": "0 2 * * *", "agent": "clerk"} | changed
    with pytest.raises(ValueError, match=word):
        Schedule(given.pop("name"), given.pop("cron"), **given)


def test_a_registry_refuses_schedules_that_do_not_fit() -> None:
    twice = [Schedule("nightly", "0 2 * * *", agent=one) for one in (CLERK, "nobody")]
    with pytest.raises(RegistryError, match="two schedules are named 'nightly'") as raised:
        Registry([CLERK], schedules=twice)
    assert "unknown agent 'nobody'" in raised.value.faults[-1]
    with pytest.raises(TypeError, match="is no Schedule"):
        Registry([CLERK], schedules=["nightly"])  # type: ignore[list-item]

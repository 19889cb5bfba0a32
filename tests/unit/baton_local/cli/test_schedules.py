"""`baton schedules`: jobs that recur."""

import json
from typing import Any

import pytest
import respx

from tests.unit.baton_local.cli.api import URL, baton, sent

PATH = f"{URL}/api/agent-schedules"
NIGHTLY: dict[str, Any] = {"id": "sch_1", "name": "nightly", "jobType": "stock", "cron": "0 2 * * *", "timeZone": "UTC"}
NIGHTLY |= {"paused": False, "nextRunAt": "2026-12-02T02:00:00Z", "lastJobs": ["job_2"], "taskDescription": "Count"}
WEEKLY = NIGHTLY | {
    "id": "sch_2",
    "name": None,
    "paused": True,
    "nextRunAt": None,
    "lastJobs": [],
    "taskDescription": "",
}


@pytest.fixture(autouse=True)
def listed() -> Any:
    with respx.mock:
        yield respx.get(PATH).respond(json={"schedules": [NIGHTLY, WEEKLY]})


def test_schedules_are_listed_with_when_they_are_next(listed: respx.Route) -> None:
    assert baton("schedules").output.splitlines() == [
        "sch_1  nightly",
        "    stock: 0 2 * * * UTC, next 2026-12-02T02:00:00Z  Count",
        "sch_2",
        "    stock: 0 2 * * * UTC, paused",
    ]
    assert json.loads(baton("schedules", "list", "--json").output)["schedules"][1] == WEEKLY
    listed.respond(json={"schedules": []})
    assert baton("schedules").output == "there are no schedules\n"


@pytest.mark.parametrize(
    ("verb", "body"), [("run", {"runNow": True}), ("pause", {"paused": True}), ("resume", {"paused": False})]
)
@pytest.mark.parametrize("named", ["sch_1", "nightly"])
def test_one_is_changed_by_its_id_or_its_name(verb: str, body: dict[str, bool], named: str) -> None:
    change = respx.patch(f"{PATH}/sch_1").respond(json=NIGHTLY | {"lastJobs": ["job_3", "job_2"]})
    done = baton("schedules", verb, named)
    assert (sent(change.calls.last), done.exit_code) == (body, 0)
    assert ("started job_3" in done.output) == (verb == "run")


def test_what_is_not_there_is_refused_before_anything_changes() -> None:
    for arguments, words in ((("sch_1", "lost"), "no schedule 'lost'"), ((), "name what to pause")):
        done = baton("schedules", "pause", *arguments)
        assert (done.exit_code != 0, words in done.output) == (True, True)

"""`GET /api/admin/tools`."""

from collections.abc import AsyncIterator

import pytest

from tests.unit.baton.api.client import ADMIN, Api, api_of, with_keys
from tests.unit.baton.kit.stage import Stage


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    """The API over the stage's agents."""
    async with api_of(Stage(settings=with_keys())) as made:
        yield made


async def test_every_tool_is_listed_with_what_became_of_its_attempts(api: Api) -> None:
    """Each attempt counts; a tool that was never used has no durations."""
    before = (await api.request("GET", "/api/admin/tools", ADMIN)).json()
    assert before["tools"][0] == {
        "name": "add",
        "capabilities": [],
        "calls": 0,
        "failures": 0,
        "p50Ms": None,
        "p95Ms": None,
    }
    await api.stage.submit("adds", "job_1")
    await api.stage.submit("breaks", "job_2")
    await api.stage.run()
    response = await api.request("GET", "/api/admin/tools", ADMIN)
    assert response.status_code == 200
    found = {row["name"]: row for row in response.json()["tools"]}
    assert (found["add"]["calls"], found["add"]["failures"], found["add"]["p95Ms"]) == (2, 0, 0)
    assert (found["broken"]["calls"], found["broken"]["failures"]) == (2, 2)

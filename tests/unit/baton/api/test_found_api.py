"""Promises of the API that are not kept yet."""

import pytest

from tests.unit.baton.api.client import Api, assert_problem


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity", "1e999"])
async def test_a_number_that_json_cannot_hold_is_refused(api: Api, value: str) -> None:
    """Now the job is created, and submit and every read of it answer 500."""
    body = f'{{"jobType":"answers","inputData":{{"x":{value}}}}}'
    response = await api.request("POST", "/api/agent-jobs", content=body.encode())
    assert response.status_code in (400, 422)
    assert api.stage.store.trees == {}


@pytest.mark.parametrize("digits", [20, 5_000])
async def test_a_position_of_too_many_digits_is_a_bad_request(api: Api, digits: int) -> None:
    """Now 500 from 4,301 digits on, and 503 from 2**63 on with the real store."""
    job_id = (await api.submitted())["id"]
    await api.stage.run()
    headers = {"last-event-id": "1-" + "9" * digits}
    assert_problem(await api.request("GET", f"/api/agent-jobs/{job_id}/stream", headers=headers), 400)

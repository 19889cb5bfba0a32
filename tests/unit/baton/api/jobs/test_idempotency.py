"""`Idempotency-Key`: the same key and body are the same job."""

from typing import Any

import pytest

from tests.unit.baton.api.client import ADMIN, OTHER, Api, assert_problem


async def test_the_same_key_and_body_are_the_same_job(api: Api) -> None:
    """Answered as it is by then; it runs once."""
    first = await api.submitted(jobType="adds", idempotency_key="k1")
    again = await api.submit(jobType="adds", idempotency_key="k1")
    assert again.status_code == 202
    assert (again.json()["id"], again.json()["sessionId"]) == (first["id"], first["sessionId"])
    await api.stage.run()
    late = (await api.submit(jobType="adds", idempotency_key="k1")).json()
    assert (late["status"], late["result"]) == ("completed", {"answer": "3 and 7"})
    await api.stage.run()
    assert api.stage.step_result.runs == ["add 1 2", "add 3 4"]


@pytest.mark.parametrize("change", [{"taskDescription": "other"}, {"priority": 6}, {"inputData": {"a": 1}}])
async def test_the_same_key_with_another_body_is_refused(api: Api, change: dict[str, Any]) -> None:
    """422; the job stays as it was."""
    first = await api.submitted(idempotency_key="k1")
    response = await api.submit(idempotency_key="k1", **change)
    assert "another body was sent under Idempotency-Key 'k1'" in assert_problem(response, 422)
    assert (await api.read(first["id"]))["taskDescription"] == ""


async def test_the_order_of_fields_and_defaults_do_not_make_another_body(api: Api) -> None:
    """What is sent counts, not how it is written."""
    first = await api.submitted(idempotency_key="k1", inputData={"a": 1, "b": 2})
    response = await api.submit(idempotency_key="k1", priority=5, inputData={"b": 2, "a": 1})
    assert response.json()["id"] == first["id"]


async def test_a_key_belongs_to_its_tenant(api: Api) -> None:
    """The same text of another tenant is another key."""
    jobs = [await api.submitted(key, idempotency_key="k1") for key in ("key-of-acme", OTHER, ADMIN)]
    assert len({job["id"] for job in jobs}) == 3


async def test_another_key_is_another_job(api: Api) -> None:
    """With the same body."""
    jobs = [await api.submitted(idempotency_key=key) for key in ("k1", "k2", "K1")]
    assert len({job["id"] for job in jobs}) == 3


@pytest.mark.parametrize(("length", "status"), [(255, 202), (256, 422)])
async def test_a_key_has_a_limit(api: Api, length: int, status: int) -> None:
    """Of 255 characters."""
    assert (await api.submit(idempotency_key="k" * length)).status_code == status


async def test_a_submission_that_was_refused_leaves_its_key_free(api: Api) -> None:
    """Whoever corrects the body may use it again."""
    assert (await api.submit(idempotency_key="k1", priority=99)).status_code == 422
    assert (await api.submit(idempotency_key="k1", priority=9)).status_code == 202

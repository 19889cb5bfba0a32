"""`Idempotency-Key`: the same key and body are the same job."""

from typing import Any

import pytest

from tests.unit.baton.api.client import ACME, ADMIN, OTHER, Api, assert_problem


async def test_the_same_key_and_body_are_the_same_job(api: Api) -> None:
    first = await api.submitted(jobType="adds", idempotency_key="k1")
    again = await api.submit(jobType="adds", idempotency_key="k1")
    assert again.status_code == 202
    assert (again.json()["id"], again.json()["sessionId"]) == (first["id"], first["sessionId"])
    await api.stage.run()
    late = (await api.submit(jobType="adds", idempotency_key="k1")).json()
    assert (late["status"], late["result"]) == ("completed", {"answer": "3 and 7"})
    await api.stage.run()
    assert api.stage.step_result.runs == ["add 1 2", "add 3 4"]


@pytest.mark.parametrize("change", [{"taskDescription": "other"}, {"inputData": {"a": 1}}, {"tags": ["a"]}])
async def test_the_same_key_with_another_body_is_refused(api: Api, change: dict[str, Any]) -> None:
    """What is sent counts, not how it is written: the order of fields, and defaults, make no other body."""
    first = await api.submitted(idempotency_key="k1", inputData={"a": 1, "b": 2})
    response = await api.submit(idempotency_key="k1", **{"inputData": {"a": 1, "b": 2}, **change})
    assert "another body was sent under Idempotency-Key 'k1'" in assert_problem(response, 422)
    assert (await api.read(first["id"]))["taskDescription"] == ""
    same = await api.submit(idempotency_key="k1", priority=5, inputData={"b": 2, "a": 1})
    assert same.json()["id"] == first["id"]


async def test_another_key_or_another_tenants_is_another_job(api: Api) -> None:
    keys = [(ACME, "k1"), (ACME, "k2"), (ACME, "K1"), (OTHER, "k1"), (ADMIN, "k1")]
    assert len({(await api.submitted(key, idempotency_key=name))["id"] for key, name in keys}) == 5


@pytest.mark.parametrize(("length", "status"), [(255, 202), (256, 422)])
async def test_a_key_has_a_limit(api: Api, length: int, status: int) -> None:
    assert (await api.submit(idempotency_key="k" * length)).status_code == status


async def test_a_submission_that_was_refused_leaves_its_key_free(api: Api) -> None:
    """Whoever corrects the body may use it again."""
    assert (await api.submit(idempotency_key="k1", priority=99)).status_code == 422
    assert (await api.submit(idempotency_key="k1", priority=9)).status_code == 202

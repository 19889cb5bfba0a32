"""Two people must approve the same arguments, where a tool says so."""

import hashlib
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import httpx
import pytest

from baton import Agent, Call, Limits, Registry, ScriptedModel, tool
from baton.server.api.auth import Principal
from baton.server.api.jobs import approvals as answers
from baton.server.api.jobs.approvals import ApprovalAnswer
from baton.server.api.problem import ApiError
from baton.testing import Approve, Simulation
from tests.unit.baton.kit.approval_kit import checkpoints, decide, pending
from tests.unit.baton.kit.stage import BASE, SETTINGS, Stage
from tests.unit.baton.server.api.client import (
    ACME,
    ADMIN,
    KEY,
    Api,
    api_of,
    assert_problem,
    digest,
    store_keys,
    with_keys,
)
from tests.unit.baton.server.console.operator import operator_of

SECOND = "key-of-another-admin"
PAID: list[int] = []


@tool(requires_approval=True, approval_people=2)
async def pay(amount: int) -> int:
    PAID.append(amount)
    return amount


MODEL = ScriptedModel([[Call("pay", {"amount": 5})], "done"])
REGISTRY = Registry([Agent(name="pays", model=MODEL, tools=[pay], limits=Limits(wall_seconds=8 * 86_400))])


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    """The API, with two operators."""
    PAID.clear()
    settings = with_keys()
    second = f"admin:others:{hashlib.sha256(SECOND.encode()).hexdigest()}"
    settings = replace(settings, api_keys=f"{settings.api_keys}, {second}")
    async with api_of(Stage(settings=settings, registry=REGISTRY)) as made:
        yield made


async def _asked(api: Api, job_id: str) -> dict[str, Any]:
    await api.stage.run(within_seconds=60)
    return (await pending(api, job_id))[0]


async def test_the_second_person_lets_it_run_and_the_first_cannot(api: Api) -> None:
    job_id = (await api.submitted(jobType="pays"))["id"]
    first = await _asked(api, job_id)
    assert (first["people"], first["approvals"]) == (2, [])
    answer = (await decide(api, first)).json()
    assert [one["by"] for one in answer["approvals"]] == ["operators"]
    second = await _asked(api, job_id)
    assert (second["digest"], second["expiresAt"]) == (first["digest"], first["expiresAt"])
    assert second["id"] != first["id"]
    assert second["approvals"] == answer["approvals"]
    assert PAID == []
    assert "another person" in assert_problem(await decide(api, second), 409)
    assert (await decide(api, second, key=SECOND)).status_code == 200
    await api.stage.run(within_seconds=60)
    assert PAID == [5]
    job = await api.read(job_id)
    assert (job["status"], job["toolCalls"][0]["attempts"]) == ("completed", 1)
    assert [one["status"] for one in await checkpoints(api, job_id)] == ["approved", "approved"]


async def test_an_edit_needs_the_other_persons_approval_anew(api: Api) -> None:
    job_id = (await api.submitted(jobType="pays"))["id"]
    await decide(api, await _asked(api, job_id), arguments={"amount": 5})
    await decide(api, await _asked(api, job_id), key=SECOND, arguments={"amount": 4})
    third = await _asked(api, job_id)
    assert (third["arguments"], [one["by"] for one in third["approvals"]]) == ({"amount": 4}, ["others"])
    assert_problem(await decide(api, third, key=SECOND), 409)
    await decide(api, third)
    await api.stage.run(within_seconds=60)
    assert PAID == [4]


async def test_one_rejection_is_enough(api: Api) -> None:
    job_id = (await api.submitted(jobType="pays"))["id"]
    await decide(api, await _asked(api, job_id))
    await decide(api, await _asked(api, job_id), "DELETE", reason="no")
    await api.stage.run(within_seconds=60)
    assert PAID == []
    assert (await api.read(job_id))["toolCalls"][0]["error"] == {"type": "rejected", "message": "no"}


async def test_pages_say_who_has_approved_and_let_others() -> None:
    settings = with_keys(replace(SETTINGS, approval_links=True))
    async with operator_of(Stage(settings=settings, registry=REGISTRY)) as by:
        job_id = (await by.api.submitted(jobType="pays"))["id"]
        first = f"/console/approvals/{(await _asked(by.api, job_id))['id']}"
        assert "Nobody has yet." in await by.see(first)
        assert f"{first}/approve" in await by.see("/console/approvals")
        assert "Approved by operators. Another person decides next." in await by.done(f"{first}/approve")
        second = await _asked(by.api, job_id)
        page = await by.see(f"/console/approvals/{second['id']}")
        assert "You have approved it: another person must, too." in page
        assert 'id="approve"' not in page
        assert 'id="reason"' in page
        assert "/approve" not in await by.see("/console/approvals")
        path = f"/api/admin/agent-checkpoints/{second['id']}/links"
        made = (await by.api.request("POST", path, ADMIN, json={"name": "Ann"})).json()["url"]
        seen = await by.http.post(f"{made.removeprefix(BASE)}/approve")
        assert "Approved by operators, link:Ann." in seen.text


async def _approve_by_link(api: Api, job_id: str, key: str, name: str) -> httpx.Response:
    path = f"/api/admin/agent-checkpoints/{(await _asked(api, job_id))['id']}/links"
    made = (await api.request("POST", path, key, json={"name": name})).json()["url"]
    return await api.http.post(f"{made.removeprefix(BASE)}/approve")


async def test_a_client_is_one_person_whomever_it_names_its_links_for() -> None:
    """Another key is another person."""
    PAID.clear()
    settings = with_keys(replace(SETTINGS, approval_links=True))
    async with api_of(Stage(settings=settings, registry=REGISTRY)) as api:
        await store_keys(api.stage)
        job_id = (await api.submitted(jobType="pays"))["id"]
        assert (await _approve_by_link(api, job_id, ACME, "Alice")).status_code == 200
        refused = await _approve_by_link(api, job_id, ACME, "Bob")
        assert (refused.status_code, PAID) == (409, [])
        assert "counts for one client&#39;s key, has approved it already" in refused.text
        assert (await _approve_by_link(api, job_id, KEY, "Bob")).status_code == 200
        await api.stage.run(within_seconds=60)
        assert PAID == [5]
        assert [one["decidedBy"] for one in await checkpoints(api, job_id)] == ["link:Alice", "link:Bob"]


async def test_a_client_s_answers_and_its_links_are_one_person_s() -> None:
    """Answers are those of AG-UI and A2A."""
    PAID.clear()
    settings = with_keys(replace(SETTINGS, approval_links=True))
    async with api_of(Stage(settings=settings, registry=REGISTRY)) as api:
        container, client = api.stage.container, Principal("client", "acme", digest(ACME)[:12])
        yes = ApprovalAnswer(approved=True)
        job_id = (await api.submitted(jobType="pays"))["id"]
        await answers.decide(container, client, {(await _asked(api, job_id))["id"]: yes})
        with pytest.raises(ApiError, match="has approved it already"):
            await answers.decide(container, client, {(await _asked(api, job_id))["id"]: yes})
        assert (await _approve_by_link(api, job_id, ACME, "Bob")).status_code == 409
        assert PAID == []


@pytest.mark.long
async def test_a_death_at_any_point_changes_nothing() -> None:
    """The call runs once, after both have approved."""
    report = await Simulation(REGISTRY).crash_everywhere("pays", "do it", decide=lambda _: Approve())
    report.check()
    assert report.points > []

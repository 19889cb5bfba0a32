"""Links by which a person without a key decides one approval, and their page."""

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from tests.unit.baton.kit.approval_kit import Kit, checkpoints, decide, requested
from tests.unit.baton.kit.stage import BASE, Stage
from tests.unit.baton.server.api.client import ACME, ADMIN, OTHER, assert_problem, with_keys
from tests.unit.baton.server.console.operator import Operator, operator_of

_DAY = 86_400


class Visitor(Operator):
    """A person with a link to the one approval that waits; nobody is logged in."""

    kit: Kit
    job_id: str
    asked: dict[str, Any]

    async def made(self, key: str = ADMIN, **body: Any) -> httpx.Response:
        return await self.api.request("POST", f"/api/admin/agent-checkpoints/{self.asked['id']}/links", key, json=body)

    async def link(self, **body: Any) -> str:
        response = await self.made(**body)
        assert response.status_code == 201, response.text
        url: str = response.json()["url"]
        assert url.startswith(f"{BASE}/approve/")
        return url.removeprefix(BASE)

    async def send(self, path: str, **fields: str) -> httpx.Response:
        return await self.http.post(path, data=fields)

    async def now(self) -> dict[str, Any]:
        return (await checkpoints(self.api, self.job_id))[0]


@pytest.fixture
async def visitor() -> AsyncIterator[Visitor]:
    kit = Kit()
    stage = Stage(settings=with_keys(approval_links=True), registry=kit.registry())
    async with operator_of(stage, logged_in=False) as operator:
        made = Visitor(operator.stage, operator.http)
        made.kit, (made.job_id, made.asked) = kit, await requested(operator.api, "pays-with-password")
        yield made


async def test_a_link_decides_once_and_names_who_had_it(visitor: Visitor) -> None:
    """The page says what is asked, without secrets or a way further in; afterwards it has the outcome alone."""
    path, other = await visitor.link(name="Ann"), await visitor.link()
    page = await visitor.http.get(path)
    assert "pays-with-password wants to run pay: to Ann, amount 5" in page.text
    assert "open sesame" not in page.text
    assert 'href="/console' not in page.text.replace('href="/console/static', "")
    assert "script-src 'self'" in page.headers["content-security-policy"]
    assert (page.headers["referrer-policy"], page.headers["x-robots-tag"]) == ("no-referrer", "noindex, nofollow")
    assert (await visitor.now())["status"] == "pending"
    decided = await visitor.send(f"{path}/approve", comment="fine")
    assert "with this link" in decided.text
    assert ((await visitor.now())["decidedBy"], (await visitor.now())["reason"]) == ("link:Ann", "fine")
    for used in (path, other):
        shown = await visitor.see(used)
        assert "Nothing is left to decide" in shown
        assert "to Ann" not in shown
        assert "<form" not in shown
        assert (await visitor.send(f"{used}/reject", reason="no")).status_code == 409
    kept = (await visitor.api.request("GET", "/api/admin/audit", ADMIN)).json()["entries"][1]
    assert (kept["label"], kept["target"]) == ("link:Ann", visitor.asked["id"])


async def test_a_link_allows_what_it_was_made_for(visitor: Visitor) -> None:
    """To reject alone, or to edit; what is not allowed has no form, and is refused."""
    path = await visitor.link(may=["reject"])
    assert "Reason to reject" in (page := await visitor.see(path))
    assert f'action="{path}/approve"' not in page
    assert (await visitor.send(f"{path}/approve")).status_code == 403
    plain, editing = await visitor.link(), await visitor.link(edit=True)
    assert 'name="arguments' not in await visitor.see(plain)
    review = await visitor.send(f"{editing}/approve", **{"arguments.amount": "4"})
    assert "<del>5</del>" in review.text
    await visitor.send(f"{plain}/approve", arguments='{"to": "me", "amount": 9}', step="confirm")
    await visitor.stage.run(within_seconds=600)
    assert [ran.arguments["amount"] for ran in visitor.kit.ran] == [5]


async def test_an_edit_by_a_link_counts_once_it_is_confirmed(visitor: Visitor) -> None:
    path = await visitor.link(edit=True)
    assert 'id="fault-arguments.amount"' in (await visitor.send(f"{path}/approve", **{"arguments.amount": "x"})).text
    edited = json.dumps({"to": "Ben", "amount": 4, "password": "[redacted]"})
    await visitor.send(f"{path}/approve", arguments=edited, step="confirm")
    await visitor.stage.run(within_seconds=600)
    assert [ran.arguments for ran in visitor.kit.ran] == [{"to": "Ben", "amount": 4, "password": "open sesame"}]


async def test_a_link_that_is_no_good_opens_nothing(visitor: Visitor) -> None:
    """Changed, cut, of another purpose, or too old; a reload does not tell which approval it was."""
    path = await visitor.link(expiresInSeconds=3_600)
    async with operator_of(visitor.stage) as operator:
        session = operator.http.cookies["baton_console"]
    others = path.replace("/approve/", "/approve/e30")
    for bad in (path[:-1], others, f"/approve/{session}", "/approve/x", f"/approve/{'x' * 3000}"):
        assert "not valid" in await visitor.see(bad, 404)
        assert (await visitor.send(f"{bad}/approve")).status_code == 404
    visitor.stage.clock.ms += 3_600_000
    assert "time of this link is up" in await visitor.see(path, 410)
    assert (await visitor.send(f"{path}/approve")).status_code == 410
    assert (await visitor.now())["status"] == "pending"
    guesses = [(await visitor.http.get("/approve/x")).status_code for _ in range(61)]
    assert (set(guesses), guesses[-1]) == ({404, 429}, 429), "who asks too often waits"


async def test_a_link_ends_with_the_approval_and_is_made_for_it_alone(visitor: Visitor) -> None:
    """By its tenant's keys and operators'; none is made of what is decided."""
    made = (await visitor.made(ACME, expiresInSeconds=2 * _DAY)).json()
    assert made["expiresAt"] == visitor.asked["expiresAt"]
    assert_problem(await visitor.made(OTHER), 403)
    assert_problem(await visitor.made(may=[]), 422, "may")
    assert_problem(await visitor.made(expiresInSeconds=5), 422, "expiresInSeconds")
    missing = "/api/admin/agent-checkpoints/op_job_9-1-0-abc/links"
    assert_problem(await visitor.api.request("POST", missing, ADMIN), 404)
    await decide(visitor.api, visitor.asked, "DELETE", reason="no")
    assert "it is rejected" in assert_problem(await visitor.made(), 409)


async def test_an_operator_makes_a_link_on_the_page(visitor: Visitor) -> None:
    async with operator_of(visitor.stage) as operator:
        path = f"/console/approvals/{visitor.asked['id']}"
        wrong = await operator.do(f"{path}/link", name="Ben", hours="none")
        assert (wrong.status_code, 'id="fault-hours"' in wrong.text, 'value="Ben"' in wrong.text) == (422, True, True)
        made = (await operator.do(f"{path}/link", name="Ben", hours="2", edit="on")).text
        link = made.split(f'value="{BASE}')[1].split('"')[0]
        assert "for</dt><dd>Ben" in await visitor.see(link)
        assert "/approve/" not in await operator.see(path)


async def test_clients_make_no_links_unless_a_setting_lets_them() -> None:
    """What they could not decide before they cannot decide by a link."""
    async with operator_of(Stage(settings=with_keys(), registry=Kit().registry()), logged_in=False) as operator:
        _, asked = await requested(operator.api, "pays")
        path = f"/api/admin/agent-checkpoints/{asked['id']}/links"
        assert "APPROVAL_LINKS" in assert_problem(await operator.api.request("POST", path, ACME), 403)

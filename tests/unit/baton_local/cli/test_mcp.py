"""`baton mcp`: tools for operators, over the API."""

from typing import Any

import httpx
from mcp import Client

from baton.client import AsyncBatonClient
from baton.server.app import build_app
from baton_local.cli.mcp import server_of
from tests.unit.baton.kit.approval_kit import Kit
from tests.unit.baton.kit.stage import BASE
from tests.unit.baton.server.api.client import ADMIN, OTHER
from tests.unit.baton.server.protocols.mcp.calling import exposed


async def called(client: Client, tool: str, **arguments: Any) -> Any:
    found = await client.call_tool(tool, arguments)
    assert not found.is_error, found.content
    return found.structured_content


async def test_an_operator_sees_jobs_and_acts_on_them() -> None:
    kit = Kit()
    async with exposed(kit) as api:
        jobs = [(await api.submitted(jobType="pays", taskDescription=f"bill {at}"))["id"] for at in range(3)]
        await api.stage.run(within_seconds=60)
        transport = httpx.ASGITransport(app=build_app(api.stage.container))
        async with (
            AsyncBatonClient(BASE, ADMIN, transport=transport) as asked,
            AsyncBatonClient(BASE, OTHER, transport=transport) as stranger,
            Client(server_of(asked)) as client,
            Client(server_of(stranger)) as other,
        ):
            waiting = (await called(client, "list", status="waiting", agent="pays"))["jobs"]
            assert {job["id"] for job in waiting} == set(jobs)
            page = await called(client, "list", limit=2)
            rest = await called(client, "list", limit=2, cursor=page["cursor"])
            assert [job["id"] for job in page["jobs"] + rest["jobs"]] == jobs[::-1]
            assert "cursor" not in rest
            asks = {job: (await called(client, "explain", job=job))["approvals"][0]["id"] for job in jobs}
            assert "pays" in (await called(client, "explain", job=jobs[0]))["job"]["jobType"]
            await called(client, "approve", approval=asks[jobs[0]], arguments={"to": "Ann", "amount": 3})
            await called(client, "reject", approval=asks[jobs[1]], reason="too much")
            assert (await called(client, "cancel", job=jobs[2]))["status"] == "cancelled"
            await api.stage.run()
            assert (await called(client, "retry", job=jobs[2], start="start"))["status"] != "cancelled"
            fork = await called(client, "fork", job=jobs[0], turn=1, edits={"taskDescription": "again"})
            assert fork["taskDescription"] == "again"
            refused = await client.call_tool("approve", {"approval": asks[jobs[0]]})
            assert refused.is_error
            assert "409" in str(refused.content)
            assert (await other.call_tool("explain", {"job": jobs[0]})).is_error
    assert [ran.arguments["amount"] for ran in kit.ran] == [3]

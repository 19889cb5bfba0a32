"""What a server asks a person in the midst of a call is a checkpoint with a form; its answer may come days later."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from typing import Annotated, Any, Literal

import pytest
from mcp.server.mcpserver import AcceptedElicitation, Elicit, ElicitationResult, MCPServer, Resolve
from pydantic import BaseModel, Field

from baton import Agent, Call, Limits, Registry, ScriptedModel
from baton.mcp import McpServer
from baton.server.api.jobs.approvals import answer_schema
from tests.unit.baton.kit.approval_kit import checkpoints, decide, pending, requested, run_for_an_hour
from tests.unit.baton.kit.stage import Stage
from tests.unit.baton.sdk.mcp.served import Served, serving
from tests.unit.baton.sdk.mcp.working import asked, bakery
from tests.unit.baton.server.api.client import ADMIN, Api, api_of, assert_problem, with_keys
from tests.unit.baton.server.console.operator import operator_of
from tests.unit.baton.server.protocols.mcp.calling import TAKES_TASKS, Client

DAY_MS = 86_400_000


class Size(BaseModel):
    """How large it is to be."""

    size: Literal["S", "L"]
    count: Annotated[int, Field(ge=1)] = 2


class Address(BaseModel):
    """Where it is to go."""

    street: str


def tailor(runs: list[str]) -> MCPServer:
    mcp = MCPServer("tailor")

    async def size() -> Elicit[Size]:
        return Elicit("Which size?", Size)

    async def address() -> Elicit[Address]:
        return Elicit("Where to?", Address)

    @mcp.tool()
    def sew(
        cloth: str,
        size: Annotated[ElicitationResult[Size], Resolve(size)],
        address: Annotated[ElicitationResult[Address], Resolve(address)],
    ) -> str:
        """Sew a shirt."""
        sewn = f"{size.data.count} {size.data.size}" if isinstance(size, AcceptedElicitation) else size.action
        to = address.data.street if isinstance(address, AcceptedElicitation) else address.action
        runs.append(f"{cloth}: {sewn} to {to}")
        return runs[-1]

    return mcp


@pytest.fixture
def runs() -> list[str]:
    return []


def stage_of(served: Served, tool: str, **arguments: Any) -> Stage:
    model, limits = ScriptedModel([[Call(tool, arguments)], "done"]), Limits(wall_seconds=30 * 86_400)
    agent = Agent("asks", model=model, tools=[McpServer(served.url)], limits=limits, expose="mcp")
    return Stage(settings=with_keys(), registry=Registry([agent]))


def asking(served: Served, tool: str, **arguments: Any) -> AbstractAsyncContextManager[Api]:
    return api_of(stage_of(served, tool, **arguments))


@pytest.fixture
async def served(runs: list[str]) -> AsyncIterator[Served]:
    async with serving(tailor(runs)) as made:
        yield made


async def result_of(api: Api, job_id: str) -> Any:
    [call] = [call for call in (await api.read(job_id))["toolCalls"] if call["tool"] in ("sew", "bake")]
    return call["result"]


async def test_people_are_asked_one_question_after_the_other(served: Served, runs: list[str]) -> None:
    """Each has the server's words and form; the call goes on with all answers, as the same attempt."""
    async with asking(served, "sew", cloth="linen") as api:
        job_id, first = await requested(api, "asks")
        assert (first["title"], first["tool"], first["arguments"]) == (
            f"Which size? ({served.url} asks)",
            "sew",
            {"count": 2},
        )
        assert first["form"]["required"] == ["size"]
        assert (await api.read(job_id))["waitingFor"].startswith("a decision about tool sew")
        api.stage.clock.ms += 3 * DAY_MS
        assert (await decide(api, first, arguments={"size": "L", "count": 3})).status_code == 200
        await run_for_an_hour(api)
        [second] = await pending(api, job_id)
        assert (second["title"].startswith("Where to?"), second["arguments"]) == (True, {})
        await decide(api, second, arguments={"street": "Elm Road 1"})
        await api.stage.run()
        assert await result_of(api, job_id) == {"result": "linen: 3 L to Elm Road 1"}
        [call] = [call for call in (await api.read(job_id))["toolCalls"] if call["tool"] == "sew"]
        assert (call["attempts"], runs) == (1, ["linen: 3 L to Elm Road 1"])
        assert [one["status"] for one in await checkpoints(api, job_id)] == ["approved", "approved"]


async def test_an_answer_that_does_not_fit_the_form_decides_nothing(served: Served) -> None:
    """Neither one of the wrong shape, nor none where the form begins without one."""
    async with asking(served, "sew", cloth="linen") as api:
        job_id, first = await requested(api, "asks")
        wrong = await decide(api, first, arguments={"size": "XXL", "count": 0})
        assert_problem(wrong, 422, "arguments.count", "arguments.size")
        assert "'size' is a required property" in assert_problem(await decide(api, first), 422, "arguments")
        assert (await pending(api, job_id))[0]["id"] == first["id"]


async def test_a_form_that_is_no_schema_can_be_declined() -> None:
    mcp, tasks = bakery()
    tasks.asks = {"q1": asked("Crisp?", {"crisp": {"type": "no such type"}})}
    async with serving(mcp) as served, asking(served, "bake", bread="rye") as api:
        _, question = await requested(api, "asks")
        answer = await decide(api, question, arguments={"crisp": True})
        assert "is no JSON schema" in assert_problem(answer, 422, "arguments")
        await decide(api, question, "DELETE", reason="broken")
        tasks.ends_with("a loaf")
        await api.stage.run()
        assert tasks.answered == [{"q1": {"action": "decline"}}]


@pytest.mark.parametrize("properties", [{"crisp": True}, {"crisp": {"type": 5}}, []], ids=str)
async def test_the_console_shows_a_question_whose_form_cannot_be_made(properties: Any) -> None:
    mcp, tasks = bakery()
    tasks.asks = {"q1": asked("Crisp?", properties)}
    async with serving(mcp) as served, operator_of(stage_of(served, "bake", bread="rye")) as operator:
        await operator.stage.submit("asks")
        await operator.stage.run(within_seconds=600)
        listed = await operator.see("/console/approvals")
        path = "/console/approvals/" + listed.split('href="/console/approvals/')[1].split('"')[0]
        assert "Crisp?" in await operator.see(path)
        await operator.done(f"{path}/reject", reason="no")


@pytest.mark.parametrize(("decline", "said"), [(True, "decline"), (False, "cancel")])
async def test_the_server_hears_that_nobody_answers(served: Served, runs: list[str], decline: bool, said: str) -> None:
    async with asking(served, "sew", cloth="linen") as api:
        job_id, first = await requested(api, "asks")
        if decline:
            await decide(api, first, "DELETE", reason="none of your business")
            await run_for_an_hour(api)
            [second] = await pending(api, job_id)
            await decide(api, second, "DELETE", reason="neither")
        await api.stage.run()
        assert runs == [f"linen: {said} to {said}"]


async def test_an_older_server_hears_at_once_that_nobody_is_there(runs: list[str]) -> None:
    """One of revision 2025-11-25 holds its request open for the answer, and people take days."""
    async with serving(tailor(runs), legacy=True) as served, asking(served, "sew", cloth="linen") as api:
        job_id = (await api.submitted(jobType="asks"))["id"]
        await api.stage.run()
        assert (await checkpoints(api, job_id), runs) == ([], ["linen: cancel to cancel"])
        assert "server/discover" not in served.heard


async def test_a_task_asks_while_it_goes_on() -> None:
    """It gets the answer, asks nothing twice, and goes on."""
    mcp, tasks = bakery()
    tasks.asks = {"q1": asked("Crisp?", {"crisp": {"type": "boolean"}})}
    async with serving(mcp) as served, asking(served, "bake", bread="rye") as api:
        job_id, question = await requested(api, "asks")
        assert question["title"].startswith("Crisp?")
        looks = tasks.looks
        await api.stage.run(within_seconds=2 * 3600)
        assert tasks.looks == looks  # nobody looks while a person is asked
        await decide(api, question, arguments={"crisp": True})
        tasks.ends_with("a loaf")
        await api.stage.run()
        assert (tasks.answered, tasks.baked) == ([{"q1": {"action": "accept", "content": {"crisp": True}}}], 1)
        assert await result_of(api, job_id) == "a loaf"


async def test_what_is_asked_for_beside_people_is_refused() -> None:
    mcp, tasks = bakery()
    tasks.asks = {"q1": {"method": "sampling/createMessage", "params": {}}}
    async with serving(mcp) as served, asking(served, "bake", bread="rye") as api:
        job_id = (await api.submitted(jobType="asks"))["id"]
        await api.stage.run()
        [call] = (await api.read(job_id))["toolCalls"]
        assert call["error"]["type"] == "mcp_unsupported"


async def test_the_console_shows_the_form(served: Served, runs: list[str]) -> None:
    """A field for each value, with what it begins with; what is typed is the answer, without another step."""
    async with operator_of(stage_of(served, "sew", cloth="linen")) as operator:
        await operator.stage.submit("asks")
        await operator.stage.run(within_seconds=600)
        listed = await operator.see("/console/approvals")
        assert "Answer or decline" in listed
        path = "/console/approvals/" + listed.split('href="/console/approvals/')[1].split('"')[0]
        assert f'action="{path}/approve"' not in listed
        markup = await operator.see(path)
        assert 'name="arguments.size"' in markup
        assert 'name="arguments.count" value="2"' in markup
        assert "Send the answer" in markup
        await operator.done(f"{path}/approve", **{"arguments.size": '"S"', "arguments.count": "2", "step": "approve"})
        await operator.stage.run(within_seconds=600)
        listed = await operator.see("/console/approvals")
        path = "/console/approvals/" + listed.split('href="/console/approvals/')[1].split('"')[0]
        await operator.done(f"{path}/reject", reason="no")
        await operator.stage.run()
        assert runs == ["linen: 2 S to decline"]


async def test_who_calls_the_agent_by_mcp_gets_the_servers_form(served: Served, runs: list[str]) -> None:
    async with asking(served, "sew", cloth="linen") as api:
        client = Client(api, key=ADMIN, **TAKES_TASKS)
        task_id = (await client.called("asks"))["taskId"]
        for content in ({"size": "S", "count": 1}, {"street": "Elm Road 1"}):
            await run_for_an_hour(api)
            asked_now = (await client.result("tasks/get", taskId=task_id))["inputRequests"]
            [(name, request)] = asked_now.items()
            assert set(request["params"]["requestedSchema"]["properties"]) == set(content)
            answers = {name: {"action": "accept", "content": content}}
            await client.result("tasks/update", taskId=task_id, inputResponses=answers)
        await run_for_an_hour(api)
        assert runs == ["linen: 1 S to Elm Road 1"]
        assert (await client.result("tasks/get", taskId=task_id))["status"] == "completed"


def test_who_runs_the_agent_by_ag_ui_gets_the_servers_form() -> None:
    form = {"type": "object", "properties": {"size": {"type": "string"}}}
    assert answer_schema({"form": form})["properties"]["editedArgs"] == form
    assert "description" in answer_schema({})["properties"]["editedArgs"]

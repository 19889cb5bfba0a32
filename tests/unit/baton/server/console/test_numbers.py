"""Each number of the overview is the number of rows that it opens, and of jobs that its button changes."""

import re
from urllib.parse import quote

from baton import Agent, Call, Registry, ScriptedModel, ToolError, tool, workflow
from tests.unit.baton.kit.stage import Stage
from tests.unit.baton.server.api.client import OTHER, with_keys
from tests.unit.baton.server.console.operator import Operator, operator_of


async def rows_at(operator: Operator, path: str) -> int:
    return (await operator.see(path.replace("&amp;", "&"))).count('<tr id="row-')


async def counted(operator: Operator) -> dict[str, int]:
    """Return the overview's numbers that open jobs, by where they lead, once each is found to be so many rows."""
    numbers = re.findall(r'<a href="/console/jobs\?([^"]+)">(?:<b>)?([0-9]+)<', await operator.see("/console"))
    for query, number in numbers:
        assert await rows_at(operator, f"/console/jobs?{query}") == int(number), query
    return {query.partition("&amp;created")[0]: int(number) for query, number in numbers}


@tool(requires_approval=True)
async def refund() -> str:
    return "refunded"


@tool(retries=0)
async def breaks() -> str:
    raise ValueError("broken")


async def test_a_number_of_jobs_opens_so_many_of_them() -> None:
    """Of those in line for a slot, new or retried, of a delayed one, one at work, and one that asks a person."""
    none = dict.fromkeys(("status=processing", "status=pending", "status=waiting"), 0)
    seen = dict[str, int]()

    @tool
    async def look() -> str:
        """See the console while a job is at work."""
        seen.update(await counted(operator))
        return "seen"

    broken = ScriptedModel([[Call("breaks")], RuntimeError("broken")])
    agents = [
        Agent(name="asks", model=ScriptedModel([[Call("refund")], "done"]), tools=[refund]),
        Agent(name="looks", model=ScriptedModel([[Call("look")], "done"]), tools=[look]),
        Agent(name="fails", model=broken, tools=[breaks], model_retries=0),
    ]
    async with operator_of(Stage(settings=with_keys(), registry=Registry(agents))) as operator:
        failed = [(await operator.api.submitted(jobType="fails"))["id"] for _ in range(5)]
        await operator.api.submitted(jobType="asks")
        await operator.stage.run(within_seconds=5)
        await operator.api.submitted(jobType="fails", delaySeconds=3600)
        found = none | {"status=failed": 5, "status=pending": 1, "status=waiting": 1}
        assert found.items() <= (await counted(operator)).items()
        await operator.done("/console/stop")
        for job_id in failed:
            await operator.done(f"/console/jobs/{job_id}/retry", **{"from": "failure"})
        for _ in range(2):
            await operator.api.submitted(OTHER, jobType="looks")
        await operator.stage.run(within_seconds=5)
        found = none | {"status=failed": 0, "status=pending": 8, "status=waiting": 1}
        found |= {"tenant=acme&amp;status=pending": 6, "tenant=other&amp;status=pending": 2}
        assert found.items() <= (await counted(operator)).items()
        await operator.done("/console/start")
        await operator.stage.run(within_seconds=5)
        assert (seen["status=processing"], seen["status=waiting"]) == (1, 1)


@tool(retries=0)
async def count(shelf: int) -> None:
    if shelf > 4:  # as if a deploy had moved the line
        raise ToolError("division by zero", type="ZeroDivision")
    raise ToolError("division by zero", type="ZeroDivision")


@tool(retries=0)
async def sync(shelf: int) -> None:
    raise ToolError("division by zero", type="ZeroDivision")


@workflow
async def stock(shelf: int) -> None:
    await (count(shelf) if shelf % 2 else sync(shelf))


@workflow
async def audit(shelf: int) -> None:
    await sync(shelf)


async def test_a_card_counts_opens_and_retries_the_same_jobs() -> None:
    """A function's lines are one card, whoever calls it; two functions are two, also where their words are the same."""
    async with operator_of(Stage(settings=with_keys(), registry=Registry(workflows=[stock, audit]))) as operator:
        for shelf in (1, 3, 5, 7, 9, 2, 4, 6, 8):
            await operator.api.submitted(jobType="audit" if shelf in (6, 8) else "stock", inputData={"shelf": shelf})
        await operator.stage.run(within_seconds=60)
        cards = (await operator.see("/console")).split('<article class="card error">')[1:]
        found, links, bulk = list[tuple[str, int]](), list[str](), ""
        for card in cards:
            [heading] = re.findall(r"<h3>(.*?)</h3>", card)
            links = re.findall(r'href="([^"]*)">(?:All|Retry all)', card)
            [number] = re.findall(r'bad-count" title="([0-9]+)', heading)
            assert await rows_at(operator, links[0]) == int(number)
            bulk = await operator.see(links[1].replace("&amp;", "&"))
            assert f"Retry {number} jobs<" in bulk
            found.append((re.sub("<[^>]*>", "", heading).split(" at ")[0], int(number)))
        assert found == [("ZeroDivision in count of stock", 5), ("ZeroDivision in sync of audit, stock", 4)]
        fields = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', bulk))
        answer = await operator.http.post("/console/jobs/bulk", data=fields)
        assert "4 of 4 jobs run again." in await operator.see(answer.headers["location"])
        assert await rows_at(operator, answer.headers["location"]) == 4
        await operator.stage.run(within_seconds=60)
        assert "Retry 4 jobs<" in await operator.see(links[1].replace("&amp;", "&"))


@tool
async def note(order: str, lines: list[str]) -> None:
    return None


async def test_a_search_finds_what_the_list_calls_a_job() -> None:
    """A job of code is found by its input."""

    @workflow
    async def ship(order: str, shelf: int, lines: list[str]) -> None:
        await note(order, lines)

    async with operator_of(Stage(settings=with_keys(), registry=Registry(workflows=[ship]))) as operator:
        data = {"order": "C-99", "shelf": 17, "lines": ["lens", "Lamp"]}
        await operator.api.submitted(jobType="ship", inputData=data)
        await operator.api.submitted(jobType="ship", inputData=data | {"order": "B-12", "lines": []})
        for search in ("C-99", '"c-99" lamp', "ship: lens", "shelf 17 c-99"):
            assert await rows_at(operator, f"/console/jobs?q={quote(search)}") == 1, search
        await operator.stage.run()
        assert await rows_at(operator, "/console/jobs?q=%22shelf+17%22") == 2

"""Results of any size: kept in the object store, named by records, told to models by their beginning, read by code."""

import json
from hashlib import sha256
from typing import Any

import pytest

from baton import Agent, Call, Registry, ScriptedModel, Step, ToolContext, result_of, tool
from baton.sdk.models.model import Call as Wanted
from baton.sdk.models.model import ModelAnswer, ModelRequest, ToolMessage
from baton.store.objects import Objects
from baton.testing import Run, Simulation
from baton.testing.store import SimulatedObjects
from baton_events.errors import ObjectStoreError

BIG = "x" * 3_000_000


@tool
async def fetch(size: int) -> dict[str, Any]:
    return {"rows": "x" * size}


@tool
async def forge() -> dict[str, Any]:
    """Return what looks like the record of a large result."""
    return {"ok": {"ref": "0/a/b/c", "bytes": 3}, "apart": True, "ref": "0/a/b/c", "bytes": 100, "mediaType": "x"}


@tool
async def count(text: str) -> int:
    return len(text)


@tool
async def read(ref: str, ctx: ToolContext) -> dict[str, int]:
    """Read a large result, whole and in pieces."""
    pieces = [len(piece) async for piece in ctx.open_result(ref)]
    return {"rows": len((await ctx.read_result(ref))["rows"]), "pieces": len(pieces), "bytes": sum(pieces)}


def fetching(size: int) -> list[Call]:
    return [Call("fetch", {"size": size})]


class Asking:
    """A model that asks for these calls, then ends; `told` has what it was told of them."""

    name, reads_history = "asking", True

    def __init__(self, *calls: Wanted) -> None:
        self.calls, self.told = calls, list[Any]()

    async def answer(self, request: ModelRequest) -> ModelAnswer:
        self.told = [message.content for message in request.messages if isinstance(message, ToolMessage)]
        return ModelAnswer("done") if self.told else ModelAnswer("", self.calls)


def told_in(run: Run) -> list[Any]:
    return [message["ok"] for message in run.model_messages if message["role"] == "tool"]


def simulated(*calls: list[Call], model: Any = None) -> Simulation:
    model = model or ScriptedModel([*calls, "done"])
    return Simulation(Registry([Agent(name="a", model=model, tools=[fetch, forge, count, read])]))


async def asked(*calls: list[Call]) -> Run:
    return await simulated(*calls).run("a", "work")


def stored(simulation: Simulation) -> dict[str, bytes]:
    return simulation._left.objects


async def test_a_result_over_the_limit_is_told_by_its_beginning_and_stays_out_of_the_store() -> None:
    simulation = simulated(fetching(3_000_000))
    run = await simulation.run("a", "work")
    assert (run.status, run.result) == ("completed", {"answer": "done"})
    [path] = stored(simulation)
    assert json.loads(stored(simulation)[path]) == {"rows": BIG}
    [told] = told_in(run)
    assert {**told, "preview": len(told["preview"])} == {
        "ref": f"0/{path}", "bytes": 3_000_011, "mediaType": "application/json", "preview": 2_000,
    }  # fmt: skip
    [call] = run.calls
    assert "result" not in call
    assert call["resultRef"]["sizeBytes"] == 3_000_011
    parts = [part["output"] for part in run.parts if part["type"] == "tool-output-available"]
    assert parts == [{"sizeBytes": 3_000_011, "storedApart": True}]
    texts = [text for value in simulation._left.version.values.values() for text in json.dumps(value, default=str)]
    assert len(texts) < 100_000


async def test_a_result_within_the_limit_is_told_whole_and_a_larger_one_by_its_beginning() -> None:
    model = Asking(Wanted("fetch", {"size": 100_000}), Wanted("fetch", {"size": 1_100_000}))
    run = await simulated(model=model).run("a", "work")
    whole, beginning = model.told
    assert whole == {"rows": "x" * 100_000}
    assert (beginning["bytes"], beginning["preview"]) == (1_100_011, '{"rows":"' + "x" * 1_991)
    assert model.told == told_in(run)
    assert all("resultRef" in call for call in run.calls)


async def test_a_small_result_is_where_it_was() -> None:
    run = await asked(fetching(100))
    assert run.calls[0]["result"] == {"rows": "x" * 100}


async def test_a_later_step_gets_the_whole_value() -> None:
    plan = [
        Step("a", "fetch", {"size": 3_000_000}),
        Step("b", "count", {"text": result_of("a")["rows"]}, depends_on=["a"]),
    ]
    run = await Simulation(Registry([Agent(name="a", plan=plan, tools=[fetch, count])])).run("a", "work")
    assert run.calls[1]["result"] == 3_000_000


async def test_what_a_tool_returns_is_data_whatever_it_looks_like() -> None:
    run = await asked([Call("forge", {})])
    [told] = told_in(run)
    assert told == (await forge.function())
    assert run.calls[0]["result"] == told


class Reading:
    """A model that has a tool read what it was told of, and a ref that it makes up."""

    name, reads_history = "reading", True

    async def answer(self, request: ModelRequest) -> ModelAnswer:
        told = [message.content for message in request.messages if isinstance(message, ToolMessage)]
        if not told:
            return ModelAnswer("", (Wanted("fetch", {"size": 3_000_000}),))
        ref = told[0]["ref"]
        number, tenant, _, name = ref.split("/")
        refs = (ref, f"{number}/{tenant}/{'0' * 32}/{name}")
        return (
            ModelAnswer("", tuple(Wanted("read", {"ref": each}) for each in refs))
            if len(told) == 1
            else ModelAnswer("done")
        )


async def test_a_tool_reads_a_result_of_its_own_job_alone() -> None:
    run = await simulated(model=Reading()).run("a", "work")
    assert run.calls[1]["result"] == {"rows": 3_000_000, "pieces": 4, "bytes": 3_000_011}
    assert run.calls[2]["error"]["type"] == "unknown_ref"


@pytest.mark.parametrize("size", [70_000, 1_100_000])
async def test_no_crash_loses_a_result_or_leaves_two(size: int) -> None:
    simulation = simulated(fetching(size))
    report = await simulation.crash_everywhere("a", "work")
    report.check()
    assert {str(point) for point in report.points} >= {
        "the process dies before a large result is stored",
        "the process dies after a large result is stored",
    }


async def test_a_result_that_is_gone_fails_the_turn_and_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    async def lost(_self: Objects, place: str, _tenant: str, data: bytes) -> str:
        return f"0/{place}/{sha256(data).hexdigest()}"

    monkeypatch.setattr(SimulatedObjects, "put", lost)
    run = await simulated(model=Asking(Wanted("fetch", {"size": 100_000}))).run("a", "work")
    assert run.error is not None
    assert (run.status, run.error["type"]) == ("failed", "payload_gone")
    assert run.calls[0]["resultRef"]["digest"] in run.error["message"]


async def test_a_step_waits_while_the_object_store_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its message comes again; the call runs under its old key, and no attempt counts."""
    put, left, keys = SimulatedObjects.put, [3], list[str]()

    @tool
    async def large(ctx: ToolContext) -> str:
        keys.append(ctx.idempotency_key)
        return "x" * 100_000

    async def away(self: SimulatedObjects, place: str, tenant: str, data: bytes) -> str:
        if left[0]:
            left[0] -= 1
            raise ObjectStoreError("the object store does not answer")
        return await put(self, place, tenant, data)

    monkeypatch.setattr(SimulatedObjects, "put", away)
    model = ScriptedModel([[Call("large", {})], "done"])
    run = await Simulation(Registry([Agent(name="a", model=model, tools=[large])])).run("a", "work")
    assert (run.status, run.calls[0]["attempts"]) == ("completed", 1)
    assert (len(keys), len(set(keys))) == (4, 1)


async def test_a_model_waits_while_the_object_store_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    get, left = SimulatedObjects.get, [3]

    async def away(self: SimulatedObjects, ref: str) -> bytes:
        if left[0]:
            left[0] -= 1
            raise ObjectStoreError("the object store does not answer")
        return await get(self, ref)

    monkeypatch.setattr(SimulatedObjects, "get", away)
    model = Asking(Wanted("fetch", {"size": 100_000}))
    run = await simulated(model=model).run("a", "work")
    assert (run.status, run.result) == ("completed", {"answer": "done"})
    assert model.told == [{"rows": "x" * 100_000}]


async def test_a_content_that_is_another_counts_as_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    put = SimulatedObjects.put

    async def damaged(self: SimulatedObjects, place: str, tenant: str, data: bytes) -> str:
        ref = await put(self, place, tenant, data)
        self.stored[ref.partition("/")[2]] = data.replace(b"x", b"z", 1)
        return ref

    monkeypatch.setattr(SimulatedObjects, "put", damaged)
    run = await simulated(model=Asking(Wanted("fetch", {"size": 100_000}))).run("a", "work")
    assert run.error is not None
    assert run.error["type"] == "payload_gone"


async def test_a_tool_reads_a_result_of_an_earlier_job_of_its_session_and_of_no_other() -> None:
    model = Asking(Wanted("fetch", {"size": 1_100_000}))
    simulation = simulated(model=model)
    first = await simulation.run("a", "work", session="s")
    ref = first.calls[0]["resultRef"]
    path = next(iter(stored(simulation)))
    assert path.endswith(ref["digest"])
    model.calls = (Wanted("read", {"ref": f"0/{path}"}),)
    await simulation.run("a", "look", session="s")
    assert model.told == [{"rows": 1_100_000, "pieces": 2, "bytes": 1_100_011}]
    await simulation.run("a", "look", session="other")
    assert model.told[0]["type"] == "unknown_ref"


@pytest.mark.parametrize("seed", range(25))
async def test_no_failover_loses_or_leaves_a_result(seed: int) -> None:
    """Whatever is forgotten, delivered twice or out of order: what the records name is there, and nothing else."""
    model = Asking(Wanted("fetch", {"size": 70_000}), Wanted("fetch", {"size": 1_100_000}))
    simulation = Simulation(Registry([Agent(name="a", model=model, tools=[fetch])]), seed=seed)
    run = await simulation.run("a", "work", faults=["forgetful_store", "duplicates", "reorder"])
    assert run.status == "completed"
    digests = sorted(call["resultRef"]["digest"] for call in run.calls)
    assert sorted(path.rpartition("/")[2] for path in stored(simulation)) == digests
    assert [len(told["rows"]) if "rows" in told else told["bytes"] for told in model.told] == [70_000, 1_100_011]

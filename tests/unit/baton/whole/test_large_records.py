"""Whatever is large of a job is an object: texts, states of runs, outcomes, answers of children, values of code."""

import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from pydantic_ai import Agent as LibraryAgent
from pydantic_ai.messages import ModelMessage as LibraryMessage
from pydantic_ai.messages import ModelMessagesTypeAdapter, TextPart

from baton import Agent, Call, Limits, Registry, ScriptedModel, ToolContext, tool, workflow
from baton.pydantic_ai import durable
from baton.sdk.models.model import Call as ModelCall
from baton.sdk.models.model import ModelAnswer, ModelMessage, ModelRequest
from baton.sdk.tools.pending import Pending
from baton.settings.settings import Settings
from baton.testing import Approve, Run, Simulation
from baton.testing.store import SimulatedObjects
from baton.worker import payloads
from tests.unit.baton.kit.stage import Stage
from tests.unit.baton.sdk.pydantic_ai.played import call, scripted
from tests.unit.baton.server.api.client import Api, api_of, with_keys
from tests.unit.baton.whole.test_sealed import K1

BIG, MB = "x" * 100_000, 1_000_000


@tool
async def note(text: str) -> int:
    return len(text)


@tool
async def fetch(size: int) -> str:
    """Return a text."""
    return "y" * size


@tool
async def noise(size: int) -> str:
    """Return a text that no compression makes shorter than half."""
    return "".join(sha256(str(number).encode()).hexdigest() for number in range(size // 64))


@tool
async def outside() -> Pending:
    """Wait for somebody else."""
    return Pending(timeout_seconds=60)


@tool
async def ask(agent: str, ctx: ToolContext) -> Pending:
    """Give another agent a task."""
    return ctx.start(agent, BIG)


class Writes:
    """A model that writes much beside its call, and then says how much it was told that it had written."""

    name, reads_history = "writes", True

    def __init__(self, calls: str = "note", **arguments: Any) -> None:
        self._call = ModelCall(calls, arguments)

    async def answer(self, request: ModelRequest) -> ModelAnswer:
        said = [message.text for message in request.messages if isinstance(message, ModelMessage)]
        if not said:
            return ModelAnswer(BIG, (self._call,))
        return ModelAnswer(str([len(text) for text in said]))


def in_store(simulation: Simulation) -> int:
    """The longest text that the store keeps beside streams, which have texts as they come."""
    values = simulation._left.version.values
    return max(len(text) for key, value in values.items() if "parts" not in str(key) for text in texts_in(value))


def texts_in(value: Any) -> list[str]:
    if isinstance(value, str | bytes):
        return [str(value)]
    many = list(value) if isinstance(value, list | tuple | set) else []
    items = [*value.keys(), *value.values()] if isinstance(value, dict) else many
    return [text for each in items for text in texts_in(each)]


def owned(simulation: Simulation) -> dict[str, bytes]:
    return simulation._left.objects


async def test_a_large_text_is_read_by_the_next_turn_and_shown_whole() -> None:
    simulation = Simulation(Registry([Agent(name="a", model=Writes(text="z" * 90_000), tools=[note])]))
    run = await simulation.run("a", "work")
    assert (run.result, run.calls[0]["result"]) == ({"answer": "[100000]"}, 90_000)
    [said] = [message for message in run.model_messages if message["role"] == "model" and message["calls"]]
    assert said["text"] == BIG
    assert in_store(simulation) < 95_000
    assert sorted(len(data) for data in owned(simulation).values()) == [100_013, 190_112]


async def test_a_large_answer_is_one_object_of_the_job_and_its_entry_another() -> None:
    simulation = Simulation(Registry([Agent(name="a", model=ScriptedModel([BIG]))]))
    run = await simulation.run("a", "work")
    assert run.result == {"answer": BIG}
    assert sorted(map(json.loads, owned(simulation).values()), key=str) == [{"answer": BIG}, {"text": BIG}]
    assert in_store(simulation) < 20_000


async def test_a_job_that_a_limit_stops_has_its_best_answer_whole() -> None:
    agent = Agent(name="a", model=Writes(text="z" * 90_000), tools=[note], limits=Limits(turns=1, on_limit="stop"))
    child = Agent(name="parent", model=ScriptedModel([[Call("ask", {"agent": "a"})], "done"]), tools=[ask])
    simulation = Simulation(Registry([agent, child]))
    run = await simulation.run("a", "work")
    assert run.result == {"answer": BIG, "stoppedBy": "turns"}
    run = await simulation.run("parent", "work")
    assert run.calls[0]["resultRef"]["sizeBytes"] == 100_002
    assert json.dumps(BIG).encode() in owned(simulation).values()


async def test_the_answer_of_a_child_is_told_whole_and_kept_as_an_object() -> None:
    child = Agent(name="child", model=ScriptedModel([BIG]))
    parent = Agent(name="parent", model=ScriptedModel([[Call("ask", {"agent": "child"})], "done"]), tools=[ask])
    simulation = Simulation(Registry([child, parent]))
    run = await simulation.run("parent", "work")
    assert [message["ok"] for message in run.model_messages if message["role"] == "tool"] == [BIG]
    assert (run.calls[0]["resultRef"]["sizeBytes"], "result" in run.calls[0]) == (100_002, False)
    output = [part["output"] for part in run.parts if part["type"] == "tool-output-available"]
    assert output == [{"sizeBytes": 100_002, "storedApart": True}]
    assert in_store(simulation) < 20_000


async def test_an_outcome_from_outside_is_told_whole_and_kept_as_an_object() -> None:
    agent = Agent(name="a", model=ScriptedModel([[Call("outside", {})], "done"]), tools=[outside])
    simulation = Simulation(Registry([agent]))
    run = await simulation.run("a", "work", outcomes=lambda _: {"success": True, "result": {"text": BIG}})
    assert [message["ok"] for message in run.model_messages if message["role"] == "tool"] == [{"text": BIG}]
    assert run.calls[0]["resultRef"]["sizeBytes"] == 100_011
    assert in_store(simulation) < 20_000


@tool(requires_approval=True)
async def pay(text: str) -> int:
    return len(text)


async def test_the_arguments_that_a_person_gives_stay_with_their_records() -> None:
    """The commit compares a decision with what is recorded."""
    agent = Agent(name="a", model=ScriptedModel([[Call("pay", {"text": "a"})], "done"]), tools=[pay])
    simulation = Simulation(Registry([agent]))
    run = await simulation.run("a", "work", decide=lambda _: Approve({"text": BIG}))
    assert (run.calls[0]["result"], owned(simulation)) == (len(BIG), {})


@workflow
async def copies(size: int) -> str:
    """Return what a step gives."""
    text = await fetch(size)
    await note("short")
    return text


async def test_values_and_states_of_a_workflow_are_objects() -> None:
    simulation = Simulation(Registry(workflows=[copies], tools=[fetch, note]))
    run = await simulation.run("copies", "", input_data={"size": 200_000})
    assert run.result["output"] == "y" * 200_000
    assert in_store(simulation) < Settings().object_from_bytes  # a state is smaller than that, as it is compressed


CODE = """
text = await noise(200_000)
await note("a")
len(text)
"""


async def test_the_state_of_a_script_is_an_object() -> None:
    model = ScriptedModel([[Call("run_code", {"code": CODE})], "done"])
    simulation = Simulation(Registry([Agent(name="a", model=model, tools=[note, noise], code_mode=True)]))
    run = await simulation.run("a", "work")
    assert run.calls[0]["result"] == {"value": 200_000}
    assert sum(len(data) > 100_000 for data in owned(simulation).values()) == 2  # the value in it is the other
    assert in_store(simulation) < 20_000


def library_agent() -> LibraryAgent[None, str]:
    agent = LibraryAgent(scripted([TextPart(BIG), call("echo", text="z" * 80_000)], [call("echo", text="b")], "done"))

    @agent.tool_plain
    def echo(text: str) -> str:
        """Return a text."""
        return text

    return agent


def contents(messages: Sequence[LibraryMessage]) -> list[Any]:
    return [getattr(part, "content", getattr(part, "args", None)) for one in messages for part in one.parts]


async def test_the_state_of_a_run_is_as_of_one_in_a_process() -> None:
    expected = await library_agent().run("do it")
    simulation = Simulation(Registry([durable(library_agent(), name="a")]))
    run = await simulation.run("a", "do it")
    messages = ModelMessagesTypeAdapter.validate_python(run.model_messages)
    assert contents(messages) == contents(expected.all_messages())
    assert in_store(simulation) < 95_000


MAKES: dict[str, Callable[[], tuple[Registry, str]]] = {
    "text": lambda: (Registry([Agent(name="a", model=Writes(text="z" * 90_000), tools=[note])]), "a"),
    "run": lambda: (Registry([durable(library_agent(), name="a")]), "a"),
    "child": lambda: (
        Registry(
            [
                Agent(name="child", model=ScriptedModel([BIG])),
                Agent(name="a", model=ScriptedModel([[Call("ask", {"agent": "child"})], "done"]), tools=[ask]),
            ]
        ),
        "a",
    ),
}


@pytest.mark.parametrize("make", ["text", *(pytest.param(make, marks=pytest.mark.long) for make in ("run", "child"))])
async def test_no_crash_loses_one_or_leaves_two(make: str) -> None:
    registry, agent = MAKES[make]()
    report = await Simulation(registry).crash_everywhere(agent, "work")
    report.check()
    assert "the process dies before a large result is stored" in {str(point) for point in report.points}


async def test_an_entry_that_is_gone_fails_the_turn_and_leaves_its_beginning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("baton.worker.payloads.KNOWN_BYTES", 0)

    @tool
    async def lose() -> None:
        """Lose all objects."""
        for path in (tmp_path / "objects").rglob("*"):
            if path.is_file():
                path.unlink()

    registry = Registry([Agent(name="a", model=Writes("lose"), tools=[lose])])
    settings = with_keys(object_store_url=f"file://{tmp_path}/objects")
    async with api_of(Stage(settings=settings, registry=registry)) as api:
        job = await api.submitted(jobType="a")
        await api.stage.run()
        job = await api.read(job["id"])
        assert (job["status"], job["error"]["type"]) == ("failed", "payload_gone")
        assert (await api.request("DELETE", f"/api/agent-jobs/{job['id']}")).status_code == 204


async def test_a_transcript_over_the_limit_fails_its_turn_before_it_is_read(tmp_path: Path) -> None:
    registry = Registry([Agent(name="a", model=Writes(text="z"), tools=[note])])
    settings = replace(
        with_keys(object_store_url=f"file://{tmp_path}/objects"),
        large_result_limit_bytes=99_000,
        prompt_limit_bytes=99_000,
    )
    async with api_of(Stage(settings=settings, registry=registry)) as api:
        job = await api.submitted(jobType="a")
        await api.stage.run()
        job = await api.read(job["id"])
    assert (job["status"], job["error"]["type"]) == ("failed", "too_much_told")
    assert "over the limit of 99000" in job["error"]["message"]


async def requests_of(monkeypatch: pytest.MonkeyPatch, agent: Agent) -> tuple[Run, Counter[str]]:
    """How often the object store was asked in a job."""
    counts = Counter[str]()
    with monkeypatch.context() as patch:
        for name in ("put", "get"):
            asked: Any = getattr(SimulatedObjects, name)

            async def counted(self: Any, *given: Any, asked: Any = asked, name: str = name) -> Any:
                counts[name] += 1
                return await asked(self, *given)

            patch.setattr(SimulatedObjects, name, counted)
        run = await Simulation(Registry([agent])).run("a", "work")
    return run, counts


@pytest.mark.parametrize("size", [100, 200_000, 50 * MB])
async def test_a_result_costs_its_step_one_request_and_each_reader_one(
    monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    """Of 50 MB the model is told the beginning, which is in the record."""
    model = ScriptedModel([[Call("fetch", {"size": size})], "done"])
    run, counts = await requests_of(monkeypatch, Agent(name="a", model=model, tools=[fetch]))
    told = 0 if size == 50 * MB else 1  # the test's own look at what the model is told
    assert run.status == "completed"
    assert counts == (Counter(put=1, get=told) if size > 100 else Counter())
    usage = {name: run.usage[name] for name in ("redisRequests", "redisCommands")}
    model = ScriptedModel([[Call("fetch", {"size": 1})], "done"])
    small, _ = await requests_of(monkeypatch, Agent(name="a", model=model, tools=[fetch]))
    assert usage == {name: small.usage[name] for name in usage}


async def test_what_a_process_has_written_it_does_not_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    _, counts = await requests_of(monkeypatch, Agent(name="a", model=Writes(text="z" * 90_000), tools=[note]))
    assert (counts["put"], counts["get"]) == (2, 1)  # the one is the test's own


CANARY = "canary-in-a-coal-mine"


def made(tmp_path: Path, payload_keys: str = "") -> Stage:
    agents = [
        Agent(name="child", model=ScriptedModel([CANARY * 5_000])),
        Agent(name="parent", model=ScriptedModel([[Call("ask", {"agent": "child"})], CANARY * 5_000]), tools=[ask]),
        Agent(name="writes", model=Writes(text=CANARY * 5_000), tools=[note]),
    ]
    settings = with_keys(object_store_url=f"file://{tmp_path}/objects", payload_keys=payload_keys)
    return Stage(settings=settings, registry=Registry(agents))


def there(tmp_path: Path) -> list[bytes]:
    return [path.read_bytes() for path in (tmp_path / "objects").rglob("*") if path.is_file()]


async def ended(api: Api, agent: str) -> dict[str, Any]:
    job_id = (await api.submitted(jobType=agent, taskDescription=BIG))["id"]
    await api.stage.run()
    job = await api.read(job_id)
    assert job["status"] == "completed"
    return job


@pytest.mark.parametrize("agent", ["parent", "writes"])
async def test_no_object_stays_of_a_deleted_job(tmp_path: Path, agent: str) -> None:
    async with api_of(made(tmp_path)) as api:
        job = await ended(api, agent)
        assert len(there(tmp_path)) >= 3
        assert (await api.request("DELETE", f"/api/agent-jobs/{job['id']}")).status_code == 204
    assert there(tmp_path) == []


async def test_an_object_that_a_dead_process_has_written_goes_with_the_job(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each attempt writes another content, and dies before its commit."""
    stored, deaths = payloads.stored, [3]

    async def dies(kept: payloads.Payloads, job: Any, changes: Any, outcome: str = "") -> Any:
        new = await stored(kept, job, changes, outcome)
        if deaths[0] and new is not changes:
            deaths[0] -= 1
            await payloads.Leaving(kept, job).there(BIG + str(deaths[0]))
            raise ConnectionError("the process dies")
        return new

    monkeypatch.setattr(payloads, "stored", dies)
    async with api_of(made(tmp_path)) as api:
        job_id = (await api.submitted(jobType="writes"))["id"]
        for _ in range(3):
            with pytest.raises(ConnectionError):
                await api.stage.run()
            api.stage.clock.ms += 600_000
            await api.stage.swept()
        await api.stage.run()
        assert (await api.read(job_id))["status"] == "completed"
        assert [data for data in there(tmp_path) if data.startswith(BIG.encode())]
        assert (await api.request("DELETE", f"/api/agent-jobs/{job_id}")).status_code == 204
    assert there(tmp_path) == []


@pytest.mark.parametrize("payload_keys", ["", K1])
async def test_no_object_shows_a_text_while_payloads_are_sealed(tmp_path: Path, payload_keys: str) -> None:
    """The same scan finds each without keys."""
    async with api_of(made(tmp_path, payload_keys)) as api:
        for agent in ("parent", "writes"):
            await ended(api, agent)
        assert (await ended(api, "child"))["result"] == {"answer": CANARY * 5_000}
    seen = [CANARY.encode() in data for data in there(tmp_path) if BIG.encode() not in data]
    assert len(seen) >= 4
    assert set(seen) == {not payload_keys} or (not payload_keys and any(seen))

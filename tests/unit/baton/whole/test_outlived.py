"""Nothing expires that is waited for, however short the retention is."""

from base64 import b64encode, urlsafe_b64decode
from typing import Any, Literal

import pydantic_ai
import pytest
from msgspec.structs import replace
from pydantic_ai.messages import ModelResponse, TextPart, ToolCallPart
from pydantic_ai.models.function import FunctionModel

from baton import Agent, Call, Limits, Pending, Registry, ScriptedModel, tool
from baton.engine.state import Job
from baton.pydantic_ai import durable
from baton.sdk.models.model import ModelAnswer, ModelRequest, ToolMessage, UserMessage
from baton.store.redis.agent_memory import Chats
from baton.store.redis.in_process.server import InProcessConnection, InProcessRedis
from baton.worker.commands.kept_files import KeptFiles
from baton_events.errors import StorageFullError, StoreError
from tests.fakes.clock import FakeClock
from tests.unit.baton.kit.stage import SETTINGS, Stage
from tests.unit.baton.sdk.pydantic_ai.played import PlayedStage
from tests.unit.baton.server.api.client import ADMIN, OPERATIONS_KEY, Api, api_of, with_keys
from tests.unit.baton.server.api.sessions.chatting import parts_of, sending

DAY_MS = 86_400_000
ran: list[str] = []


@tool(requires_approval=True)
def pay() -> str:
    ran.append("pay")
    return "paid"


@tool
def order() -> Pending:
    return Pending(timeout_seconds=3 * 86_400)


@tool
def rest() -> str:
    return "rested"


class Looking:
    """Rests, then says what it was told, and which files it was given."""

    name, reads_history, takes_files = "looking", True, ("image/*",)

    async def answer(self, request: ModelRequest) -> ModelAnswer:
        told = [str(message.content) for message in request.messages if isinstance(message, ToolMessage)]
        files = [one for message in request.messages if isinstance(message, UserMessage) for one in message.files]
        shown = [f"{one.filename} {urlsafe_b64decode(one.data).decode()}" for one in files]
        return ModelAnswer(" ".join([*told, *shown])) if told else ModelAnswer("", (Call("rest"),))


def message_with(filename: str, data: bytes) -> dict[str, Any]:
    url = f"data:image/webp;base64,{b64encode(data).decode()}"
    part = {"type": "file", "mediaType": "image/webp", "filename": filename, "url": url}
    return {"id": "m1", "role": "user", "parts": [part]}


def library(name: str) -> Any:
    def answer(messages: list[Any], _: Any) -> ModelResponse:
        return ModelResponse([TextPart("fine") if len(messages) > 1 else ToolCallPart(name, {})])

    agent = pydantic_ai.Agent(FunctionModel(answer), name="agent")

    @agent.tool_plain(requires_approval=True)
    def pay() -> str:
        ran.append("pay")
        return "paid"

    @agent.tool_plain
    def order() -> Pending:
        return Pending(timeout_seconds=3 * 86_400)

    return durable(agent)


def stage_of(kind: str, name: str, continuation: str) -> PlayedStage:
    ran.clear()
    own = Agent("agent", ScriptedModel([[Call(name)], "fine"]), tools=[pay, order])
    registry = Registry([own if kind == "own" else library(name)])
    keys: dict[str, Any] = {"operations_api_key": OPERATIONS_KEY, "continuation": continuation}
    settings = with_keys(SETTINGS, job_retention_seconds=1_000, **keys)
    return PlayedStage(registry=registry, settings=settings)


async def begun(api: Api) -> tuple[str, dict[str, Any]]:
    """Have a message answered, whose call goes on in the background; its job, and the operation."""
    requesting = await sending(api, "chat-1", "m1", "go", agent="agent")
    await api.stage.run(within_seconds=60)
    parts = parts_of(await requesting)
    return parts[0]["messageId"], next(part["data"] for part in parts if part["type"] == "data-operation")


@pytest.mark.parametrize("continuation", ["inline", "queue"])
async def test_a_call_runs_however_long_after_its_jobs_retention_it_is_approved(continuation: str) -> None:
    """One of a library waits within its job, which expires no sooner."""
    async with api_of(stage_of("own", "pay", continuation)) as api:
        job_id, _ = await begun(api)
        api.stage.clock.ms += 6 * DAY_MS
        (question,) = (await api.request("GET", "/api/admin/agent-checkpoints", ADMIN)).json()["checkpoints"]
        assert (await api.request("POST", f"/api/admin/agent-checkpoints/{question['id']}", ADMIN, json={})).is_success
        await api.stage.run(within_seconds=60)
        assert ran == ["pay"]
        assert (await api.read(job_id))["status"] == "completed"
        api.stage.clock.ms += 2 * DAY_MS
        assert job_id not in api.stage.store.trees


@pytest.mark.parametrize("continuation", ["inline", "queue"])
@pytest.mark.parametrize("kind", ["own", "library"])
async def test_an_outcome_counts_however_long_after_its_jobs_retention_it_comes(kind: str, continuation: str) -> None:
    async with api_of(stage_of(kind, "order", continuation)) as api:
        job_id, operation = await begun(api)
        api.stage.clock.ms += 2 * DAY_MS
        answer = await api.complete(operation["operationId"], success=True, result="three")
        assert (answer.status_code, answer.json()["applied"]) == (200, True)
        await api.stage.run(within_seconds=60)
        session = (await api.request("GET", "/api/sessions/chat-1")).json()
        assert [message["role"] for message in session["messages"]] == ["user", "assistant", "assistant"]
        assert job_id in api.stage.store.trees


def stored(stage: Stage) -> Chats:
    """Let the chats of a stage be kept as Redis keeps them, for a day, by the stage's clock."""
    chats = Chats(InProcessConnection(InProcessRedis(lambda: stage.clock.ms)), DAY_MS)
    stage.ports = replace(stage.ports, chats=chats)
    stage.restart()
    return chats


@pytest.mark.parametrize(("kind", "name"), [("own", "pay"), ("own", "order"), ("library", "order")])
async def test_the_files_of_a_job_live_for_as_long_as_its_call_waits(kind: str, name: str) -> None:
    """They expire behind it; a reader in between does not shorten that."""
    stage = stage_of(kind, name, "queue")
    chats = stored(stage)
    async with api_of(stage) as api:
        await chats.keep_file("acme", "chat-1", "f", "image/png,AAAA", api.stage.clock.ms)
        await begun(api)
        for _ in range(2):
            api.stage.clock.ms += DAY_MS
            assert await chats.read_file("acme", "chat-1", "f") == "image/png,AAAA"
        api.stage.clock.ms += 9 * DAY_MS
        assert await chats.read_file("acme", "chat-1", "f") is None


async def test_the_files_of_a_job_expire_also_where_it_has_waited_for_another_job() -> None:
    """Such a wait has no end of its own; the other job ends by its parent's deadline."""
    helper = Agent("helper", ScriptedModel(["helped"]), description="Helps.")
    boss = Agent("agent", ScriptedModel([[Call("helper", {"task": "help"})], "fine"]), tools=[helper])
    stage = Stage(registry=Registry([boss, helper]), settings=with_keys(SETTINGS, continuation="queue"))
    chats = stored(stage)
    async with api_of(stage) as api:
        await chats.keep_file("acme", "chat-1", "f", "image/png,AAAA", api.stage.clock.ms)
        job_id = (await api.submitted(jobType="agent", sessionId="chat-1"))["id"]
        await stage.run(within_seconds=60)
        assert (await api.read(job_id))["result"] == {"answer": "fine"}
        api.stage.clock.ms += 9 * DAY_MS
        assert await chats.read_file("acme", "chat-1", "f") is None


async def test_the_files_of_a_job_live_until_it_starts() -> None:
    stage = stage_of("own", "pay", "queue")
    chats = stored(stage)
    async with api_of(stage):
        job = Job("job_1", "s", "t", "agent", stage.clock.ms, start_at_ms=stage.clock.ms + 9 * DAY_MS)
        await KeptFiles(chats, stage.container.commands.quota, job, {"f": "text"}).store(stage.clock.ms)
        stage.clock.ms += 9 * DAY_MS
        assert await chats.read_file("t", "s", "f") == "text"


async def days_pass(stage: Stage, count: int) -> None:
    """With the hourly sweep, which is away for a day between two of its days."""
    for hour in range(24 * count):
        stage.clock.ms += DAY_MS // 24
        if hour // 24 % 2:
            await stage.swept()


@pytest.mark.parametrize("why", ["the admission is stopped", "its session is busy"])
async def test_the_files_of_a_job_live_for_as_long_as_it_is_in_line(why: str) -> None:
    """Nobody knows for how long that is, so the hourly sweep prolongs them."""
    stage = stage_of("own", "pay", "queue")
    chats = stored(stage)
    async with api_of(stage) as api:
        if why == "its session is busy":
            await api.submitted(jobType="agent", sessionId="chat-1")
        else:
            await api.request("DELETE", "/api/admin/agent-worker", ADMIN)
        await stage.run(within_seconds=60)
        await chats.keep_file("acme", "chat-1", "f", "image/png,AAAA", stage.clock.ms)
        job_id = (await api.submitted(jobType="agent", sessionId="chat-1", taskDescription="later"))["id"]
        await days_pass(stage, 8)
        assert (await api.read(job_id))["status"] == "pending"
        assert await chats.read_file("acme", "chat-1", "f") == "image/png,AAAA"


async def test_a_fork_in_line_has_all_that_it_takes_over() -> None:
    """Its job, and the files of that one's session, are gone long before it begins."""
    looks = Agent("agent", Looking(), tools=[rest], limits=Limits(wall_seconds=9 * 86_400))
    settings = with_keys(SETTINGS, job_retention_seconds=1_000, continuation="queue")
    stage = Stage(registry=Registry([looks]), settings=settings)
    stored(stage)
    async with api_of(stage) as api:
        requesting = await sending(api, "chat-1", "m1", "go", agent="agent", messages=[message_with("a.png", b"abc")])
        await stage.run(within_seconds=60)
        job_id = parts_of(await requesting)[0]["messageId"]
        assert (await api.read(job_id))["result"]["answer"] == "rested a.png abc"
        await api.request("DELETE", "/api/admin/agent-worker", ADMIN)
        forked = (await api.request("POST", f"/api/agent-jobs/{job_id}/fork", ADMIN, json={"turn": 2})).json()
        await days_pass(stage, 8)
        assert job_id not in stage.store.trees
        assert (await api.read(forked["id"]))["status"] == "pending"
        await api.request("POST", "/api/admin/agent-worker", ADMIN)
        await stage.run(within_seconds=60)
        assert (await api.read(forked["id"]))["result"]["answer"] == "rested a.png abc"


async def test_the_files_of_a_job_live_for_as_long_as_it_asks_about_its_limit() -> None:
    agent = Agent(
        "agent", ScriptedModel([[Call("rest")], "fine"]), tools=[rest], limits=Limits(turns=1, on_limit="ask")
    )
    stage = Stage(registry=Registry([agent]), settings=with_keys(SETTINGS, job_retention_seconds=1))
    chats = stored(stage)
    async with api_of(stage) as api:
        await chats.keep_file("acme", "chat-1", "f", "image/png,AAAA", stage.clock.ms)
        job_id = (await api.submitted(jobType="agent", sessionId="chat-1"))["id"]
        await stage.run(within_seconds=60)
        await days_pass(stage, 6)
        assert (await api.read(job_id))["status"] == "waiting"
        assert await chats.read_file("acme", "chat-1", "f") == "image/png,AAAA"


async def test_files_and_events_count_for_as_long_as_they_are_kept() -> None:
    """That is longer than a short retention, and the end of a job in between takes nothing of it."""
    stage = Stage(settings=with_keys(job_retention_seconds=1, bytes_kept_per_tenant=1_000))
    quota = stage.container.commands.quota
    kinds: tuple[tuple[int, Literal["file", "event"]], ...] = ((2, "file"), (8, "event"))
    for days, kind in kinds:
        await quota.stored("acme", kind, 600)
        stage.clock.ms += days * DAY_MS - 1
        await quota.signalled(stage.job(), 1)
        with pytest.raises(StorageFullError):
            await quota.check("acme", 600)
        stage.clock.ms += DAY_MS
        await quota.check("acme", 600)


async def test_pieces_of_a_file_whose_upload_broke_off_expire_by_themselves() -> None:
    clock = FakeClock()
    redis = InProcessRedis(lambda: clock.ms)

    class BreaksOff(InProcessConnection):
        async def execute(self, *command: str | int) -> Any:
            if command[0] == "HSET":
                raise StoreError("the process is killed")
            return await super().execute(*command)

    with pytest.raises(StoreError):
        await Chats(BreaksOff(redis), DAY_MS).keep_file("t", "s", "f", "text", clock.ms)
    assert redis.data.values
    clock.ms += 2 * DAY_MS
    assert redis.run("KEYS", "*") == []

"""Two tenants who use the same names for everything: what moves between jobs and sessions reaches its own tenant."""

import base64
import json
from collections.abc import AsyncIterator, Callable
from inspect import isasyncgenfunction
from typing import Any

import pytest

from baton import (
    Agent,
    Call,
    CallLimit,
    Event,
    HandlerContext,
    Memory,
    Pending,
    Registry,
    ToolContext,
    ToolError,
    on,
    tool,
)
from baton.sdk.models.model import ModelAnswer, ModelRequest, ToolMessage
from baton_events.schema import parse_event
from tests.fakes import FakeLongTermMemory
from tests.unit.baton.kit.listening import Listening
from tests.unit.baton.kit.stage import BASE
from tests.unit.baton.sdk.pydantic_ai.played import PlayedStage
from tests.unit.baton.server.api.client import ACME, ADMIN, OTHER, Api, api_of, with_keys
from tests.unit.baton.server.api.sessions.chatting import chat_body, delivering
from tests.unit.baton.server.protocols.ag_ui.test_runs import run_input, user
from tests.unit.baton.server.protocols.mcp.calling import Client

TENANTS = {ACME: "of acme", OTHER: "of other"}
HOUR_SECONDS = 3_600


@tool
def hear() -> Pending:
    """Wait for an event of a key."""
    return Pending(event="order.paid", key="A-7", timeout_seconds=HOUR_SECONDS)


@tool
def begin(ctx: ToolContext, task: str) -> Pending:
    return ctx.start("agent", task)


@tool(requires_approval=True)
def pay(to: str) -> str:
    return f"paid {to}"


@tool(retries=3, call_limits=[CallLimit("bank", in_flight=5)])
def charge(whom: str) -> str:
    """Charge somebody; the bank asks one of the tenants to wait."""
    if whom == TENANTS[ACME]:
        raise ToolError("busy", retryable=True, retry_after_seconds=1_800)
    return f"charged {whom}"


BATCHES: list[list[str]] = []


@on("order.packed", batch=(2, 600))
async def pack(events: list[Event], ctx: HandlerContext) -> None:
    """Pack what came."""
    BATCHES.append([event.data for event in events])


TOOLS: dict[str, Any] = {"hear": hear, "begin": begin, "pay": pay, "charge": charge}
ARGUMENTS = {"begin": "task", "pay": "to", "charge": "whom"}


def answer(request: ModelRequest) -> ModelAnswer:
    """Call the tool that the task begins with, and then say what came last."""
    last = repr(request.messages[-1])
    asked = next((name for name in TOOLS if f"text='{name} " in repr(request.messages)), "")
    if asked and not any(isinstance(message, ToolMessage) for message in request.messages):
        who = next(who for who in TENANTS.values() if who in repr(request.messages))
        return ModelAnswer("", (Call(asked, {ARGUMENTS[asked]: who} if asked in ARGUMENTS else {}),))
    return ModelAnswer(f"done: {last}")


@pytest.fixture
def model() -> Listening:
    made = Listening(answer)
    made.takes_files = ("*/*",)
    return made


@pytest.fixture
async def api(model: Listening) -> AsyncIterator[Api]:
    agents = [
        Agent("agent", model, tools=list(TOOLS.values()), memory=Memory(), expose={"a2a", "mcp"}, description="Works."),
        Agent("cached", model, cache_seconds=HOUR_SECONDS),
        Agent("starts", model, on="order.created"),
    ]
    settings = with_keys(approval_links=True, callback_key=f"whsec_{32 * 'A'}", bytes_kept_per_tenant=10_000_000)
    registry = Registry(agents, handlers=[pack])
    stage = PlayedStage(registry=registry, settings=settings, long_term_memory=FakeLongTermMemory())
    BATCHES.clear()
    async with api_of(stage) as made:
        yield made


# What one tenant does, step by step, and yields: all that it sees of it. An address is its alone.
Path = Callable[["Tenant"], AsyncIterator[Any]]


class Tenant:
    """One of the two. `urls`: what it can read, and the other one must not."""

    def __init__(self, api: Api, key: str) -> None:
        self.api, self.key, self.who = api, key, TENANTS[key]
        self.urls = set[str]()

    async def request(self, method: str, path: str, status: int = 200, **options: Any) -> Any:
        request = self.api.request(method, path, self.key, **options)
        response = await delivering(self.api, request, within_seconds=60)
        assert response.status_code == status, response.text
        return response.json() if "json" in response.headers.get("content-type", "") else response.text

    async def submit(self, name: str, text: str, **fields: Any) -> str:
        """Submit a job under the same names as the other tenant; return the id of the job that gets the text."""
        self.api.stage.clock.ms += 10
        body = {"jobType": "agent", "taskDescription": text, "sessionId": "one", **fields}
        job = await self.api.submitted(self.key, idempotency_key=name, **body)
        job_id = str(job.get("id") or job["jobId"])
        self.urls.add(f"/api/agent-jobs/{job_id}")
        return job_id

    async def read(self, job_id: str) -> Any:
        return await self.request("GET", f"/api/agent-jobs/{job_id}")

    async def jobs(self, **query: str) -> Any:
        return await self.request("GET", "/api/agent-jobs", params=query)

    async def emit(self, name: str, same: str = "same", **event: Any) -> Any:
        headers = {"idempotency-key": same} if same else {}
        return await self.request("POST", "/api/events", 202, json={"name": name, **event}, headers=headers)


async def steering(one: Tenant) -> AsyncIterator[Any]:
    job = await one.submit("first", f"hear {one.who}")
    yield job
    yield await one.submit("more", f"more {one.who}", whenBusy="steer") == job
    yield await one.emit("order.paid", key="A-7", data={"payer": one.who})
    yield await one.read(job)


async def interrupting(one: Tenant) -> AsyncIterator[Any]:
    first = await one.submit("first", f"hear {one.who}")
    yield first
    last = await one.submit("second", f"hear {one.who}", whenBusy="interrupt") if one.key == ACME else first
    yield last
    yield [await one.read(first), await one.jobs(sessionId="one")]
    assert (await one.read(first))["status"] == ("cancelled" if one.key == ACME else "waiting")
    assert (await one.request("POST", "/api/sessions/one/cancel"))["cancelledJobs"] == [last]


async def events_of_jobs(one: Tenant) -> AsyncIterator[Any]:
    job = await one.submit("first", f"hear {one.who}")
    yield job
    if one.key == ACME:
        yield await one.emit("order.paid", key="A-7", data={"payer": one.who})
        return
    yield one.who
    assert (await one.read(job))["status"] == "waiting"


async def events_that_start_jobs(one: Tenant) -> AsyncIterator[Any]:
    sent = await one.emit("order.created", data={"buyer": one.who})
    one.urls.add(f"/api/events/{sent['id']}")
    yield sent
    (job,) = (await one.jobs())["jobs"]
    one.urls.add(f"/api/agent-jobs/{job['id']}")
    yield await one.read(job["id"])


async def a_session_its_memory_and_a_search(one: Tenant) -> AsyncIterator[Any]:
    for number in range(2):
        yield await one.submit(f"job {number}", f"I am {one.who}, {number}.", tags=["same"])
    for query in ({"q": "am"}, {"tag": "same"}, {"sessionId": "one"}, {"jobType": "agent"}):
        found = await one.jobs(**query)
        assert len(found["jobs"]) == 2
        yield found
    if one.key == ACME:
        await one.request("DELETE", "/api/sessions/one/memory")
        await one.request("DELETE", "/api/sessions/one", 204)
        one.urls.clear()
    yield await one.submit("after", f"And now, {one.who}?")
    yield await one.jobs()
    assert len((await one.jobs())["jobs"]) == (1 if one.key == ACME else 3)


async def cached_answers(one: Tenant) -> AsyncIterator[Any]:
    """The questions are the same; who asked is seen by the job alone."""
    for cached in range(2):
        job = await one.submit(f"job {cached}", "Who?", jobType="cached", sessionId=f"{cached}", inputData={})
        yield job
        assert (await one.read(job))["usage"].get("cachedCalls", 0) == cached
    yield one.who


async def pauses_of_call_limits(one: Tenant) -> AsyncIterator[Any]:
    job = await one.submit("first", f"charge {one.who}")
    yield job
    yield await one.read(job)
    assert ((await one.read(job))["status"] == "completed") == (one.key == OTHER)


async def child_jobs(one: Tenant) -> AsyncIterator[Any]:
    job = await one.submit("first", f"begin {one.who}")
    yield job
    found = (await one.jobs(parentJobId=job))["jobs"]
    one.urls |= {f"/api/agent-jobs/{each['id']}" for each in found}
    yield [found, await one.read(job)]
    assert found


async def followers_and_callbacks(one: Tenant) -> AsyncIterator[Any]:
    url = f"https://example.com/{one.who[3:]}"
    job = await one.submit("first", f"I am {one.who}", callbackUrl=url)
    yield job
    one.urls |= {f"/api/agent-jobs/{job}/{name}" for name in ("stream", "recording", "checkpoints")}
    yield await one.request("GET", f"/api/agent-jobs/{job}/stream")
    sent = [body for to, _, body in one.api.stage.callbacks.sent if to == url]
    assert len(sent) == 1
    yield sent


async def files(one: Tenant) -> AsyncIterator[Any]:
    """One of them has the same content for both; deleting it for one of them deletes it for that one."""

    def part(content: str) -> dict[str, Any]:
        url = f"data:text/plain;base64,{base64.b64encode(content.encode()).decode()}"
        return {"type": "file", "mediaType": "text/plain", "filename": "a.txt", "url": url}

    body = chat_body("c", "m1", f"I am {one.who}", agent="agent")
    body["messages"][0]["parts"] += [part(f"a file {one.who}"), part("the same")]
    yield await one.request("POST", "/api/chat", json=body)
    parts = (await one.request("GET", "/api/sessions/c"))["messages"][0]["parts"]
    own, common = [found["url"] for found in parts if found["type"] == "file"]
    one.urls.add(own)
    yield await one.request("GET", own)
    if one.key == ACME:
        await one.request("DELETE", "/api/sessions/c", 204)
        await one.request("GET", common, 404)
        one.urls.clear()
    yield one.who
    if one.key == OTHER:
        assert await one.request("GET", common) == "the same"


async def chats(one: Tenant) -> AsyncIterator[Any]:
    for number in range(2):
        body = chat_body("c", f"m{number}", f"I am {one.who}", agent="agent")
        yield await one.request("POST", "/api/chat", json=body)
    yield await one.request("GET", "/api/sessions/c")


async def forks_and_scores(one: Tenant) -> AsyncIterator[Any]:
    job = await one.submit("first", f"I am {one.who}")
    yield job
    path = f"/api/agent-jobs/{job}"
    fork = (await one.request("POST", f"{path}/fork", 202, json={"turn": 1}, headers={"idempotency-key": "f"}))["id"]
    await one.request("POST", f"{path}/scores", 201, json={"name": "good", "value": 1, "comment": one.who})
    one.urls |= {f"/api/agent-jobs/{fork}", f"{path}/diff/{fork}"}
    yield [await one.read(fork), await one.read(job)]


async def schedules(one: Tenant) -> AsyncIterator[Any]:
    path, headers = "/api/agent-schedules", {"idempotency-key": "daily"}
    body = {"jobType": "agent", "taskDescription": f"I am {one.who}", "cron": "0 9 * * 1-5"}
    made = await one.request("POST", path, 201, json=body, headers=headers)
    one.urls.add(f"{path}/{made['id']}")
    yield made
    (listed,) = (await one.request("GET", path))["schedules"]
    tick = parse_event(one.api.stage.schedules.known[made["id"]].body.encode())
    await one.api.stage.deliver(tick, "tick")
    yield listed
    yield await one.jobs()
    if one.key == ACME:
        await one.request("DELETE", f"{path}/{made['id']}", 204)
        one.urls.clear()
    yield one.who
    assert len((await one.request("GET", path))["schedules"]) == (0 if one.key == ACME else 1)


async def approvals_and_their_links(one: Tenant) -> AsyncIterator[Any]:
    job = await one.submit("first", f"pay {one.who}")
    yield job
    (asked,) = (await one.request("GET", f"/api/agent-jobs/{job}/checkpoints"))["checkpoints"]
    made = await one.request("POST", f"/api/admin/agent-checkpoints/{asked['id']}/links", 201, json={"name": "Ann"})
    path = made["url"].removeprefix(BASE)
    yield (await one.api.http.get(path)).text
    if one.key == ACME:
        assert (await one.api.http.post(f"{path}/approve", data={})).is_success
    yield await one.read(job)
    assert (await one.read(job))["status"] == ("completed" if one.key == ACME else "waiting")


async def contexts_of_a2a(one: Tenant) -> AsyncIterator[Any]:
    for number in range(2):
        message = {"role": "ROLE_USER", "messageId": f"m{number}", "contextId": "one"}
        params = {"message": {**message, "parts": [{"text": f"I am {one.who}"}]}}
        body = {"jsonrpc": "2.0", "id": "1", "method": "SendMessage", "params": params}
        task = (await one.request("POST", "/a2a/agent", json=body, headers={"a2a-version": "1.0"}))["result"]["task"]
        one.urls.add(f"/api/agent-jobs/{task['id']}")
        yield task
    listed = {"jsonrpc": "2.0", "id": "1", "method": "ListTasks", "params": {"contextId": "one"}}
    yield await one.request("POST", "/a2a/agent", json=listed, headers={"a2a-version": "1.0"})


async def threads_of_ag_ui(one: Tenant) -> AsyncIterator[Any]:
    for number in range(2):
        body = run_input(f"run-{number}", user(f"m{number}", f"I am {one.who}"), thread="one")
        yield await one.request("POST", "/api/ag-ui/agent", json=body)
    one.urls |= {f"/api/agent-jobs/{job['id']}" for job in (await one.jobs())["jobs"]}


async def calls_of_our_mcp_server(one: Tenant) -> AsyncIterator[Any]:
    for _ in range(2):
        yield await Client(one.api, key=one.key).called("agent", {"task": f"I am {one.who}"})
    one.urls |= {f"/api/agent-jobs/{job['id']}" for job in (await one.jobs())["jobs"]}
    assert len(one.urls) == 2


async def persons(one: Tenant) -> AsyncIterator[Any]:
    """One of them erases a person: all that the other one knows of its own person of that name stays."""
    job = await one.submit("first", f"I am {one.who}", subjectId="anna")
    yield job
    sent = await one.emit("order.made", data={"buyer": one.who}, subjectId="anna")
    body = {"jobType": "agent", "taskDescription": f"I am {one.who}", "cron": "0 9 * * *", "subjectId": "anna"}
    made = await one.request("POST", "/api/agent-schedules", 201, json=body, headers={"idempotency-key": "daily"})
    event = f"/api/events/{sent['id']}"
    one.urls |= {event, f"/api/agent-schedules/{made['id']}"}
    yield [await one.read(job), sent, made]
    yield await one.request("GET", event)
    if one.key == ACME:
        await one.api.request("DELETE", "/api/admin/subjects/anna?tenant=acme", ADMIN)
        assert one.who not in json.dumps(await one.request("GET", event))
        for url in one.urls - {event}:
            assert (await one.api.request("GET", url, ACME)).status_code in (404, 410)
        one.urls.clear()
    yield one.who
    if one.key == OTHER:
        assert one.who in json.dumps(await one.request("GET", event))


async def keys_of_one_job(one: Tenant) -> AsyncIterator[Any]:
    for number in range(2):
        job = await one.submit("", f"I am {one.who}, {number}.", onceFor="k", sessionId=f"s{number}")
        yield await one.read(job)
        yield await one.emit("order.once", same="", data={"buyer": one.who}, onceFor="k")
    assert len(one.urls) == 1


async def batches_of_events(one: Tenant) -> AsyncIterator[Any]:
    for number in range(2):
        yield await one.emit("order.packed", same=f"{number}", data=one.who)
    yield one.who
    assert BATCHES.count([one.who] * 2) == 1
    assert all(len(set(batch)) == 1 for batch in BATCHES)


async def created_sessions(one: Tenant) -> AsyncIterator[Any]:
    own = (await one.request("POST", "/api/chat/sessions"))["id"]
    yield [own, one.who]
    found = (await one.request("GET", "/api/chat/sessions"))["sessions"]
    yield found
    assert [each["id"] for each in found] == [own]


async def quotas(one: Tenant) -> AsyncIterator[Any]:
    """What one of them makes counts for that one alone."""

    async def counted() -> list[int]:
        ports, tenant = one.api.stage.ports, one.who.removeprefix("of ")
        assert ports.stored_bytes is not None
        assert ports.kept_events is not None
        sums, schedules = await ports.stored_bytes.sums(tenant), await ports.kept_schedules.of(tenant)
        return [sum(sums.values()), await ports.kept_events.count(tenant), len(schedules)]

    async def make(name: str) -> Any:
        job = await one.submit(name, f"hear {one.who}", sessionId=name)
        await one.request("POST", f"/api/agent-jobs/{job}/events", 202, json={"name": "x", "data": one.who})
        body = {"jobType": "agent", "taskDescription": f"{name} {one.who}", "cron": "0 9 * * *"}
        return await one.request("POST", "/api/agent-schedules", 201, json=body)

    yield await make("first")
    before = await counted()
    yield one.who
    if one.key == ACME:
        yield await make("second")
    yield one.who
    assert all(before)
    assert [was == now for was, now in zip(before, await counted(), strict=True)] == [one.key == OTHER] * 3


# Each that this module has, so that none is forgotten.
PATHS: list[Path] = [one for one in [*globals().values()] if isasyncgenfunction(one) and one.__module__ == __name__]


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.__name__)
async def test_what_moves_between_jobs_and_sessions_reaches_its_own_tenant(
    api: Api, model: Listening, path: Path
) -> None:
    await played(api, model, path)


async def played(api: Api, model: Listening, path: Path) -> None:
    """Let both do the same under the same names, a step each in turn; neither sees what is the other's."""
    tenants = [Tenant(api, key) for key in TENANTS]
    steps, seen = {one: path(one) for one in tenants}, dict.fromkeys(tenants, "")
    while steps:
        for one in tuple(steps):
            async for shown in steps[one]:
                seen[one] += json.dumps(shown, default=repr)
                break
            else:
                del steps[one]
        await api.stage.run(within_seconds=60)
    for one, other in (tenants, tenants[::-1]):
        heard = "".join(repr(found) for found in model.found if one.who in repr(found))
        assert one.who in seen[one] + heard
        assert other.who not in seen[one] + heard
        for url in sorted(one.urls):
            assert (await api.request("GET", url, one.key)).status_code == 200
            assert (await api.request("GET", url, other.key)).status_code in (403, 404)

"""A large task is an object: its message stays small, lists show its beginning, and whoever works on it has all."""

import json
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from baton import Agent, Budget, Call, CallLimit, LimitedCall, Registry, ScriptedModel, tool
from baton.sdk.models.model import ModelAnswer, ModelRequest, UserMessage
from baton.store.objects import Objects
from baton.worker.commands.backup import Backup
from baton.worker.commands.kept_files import KeptFiles
from baton_events.errors import ObjectStoreError
from baton_events.schema import AgentLoopInit, Submission
from tests.unit.baton.kit.stage import Stage
from tests.unit.baton.server.api.client import ADMIN, Api, api_of, assert_problem, with_keys
from tests.unit.baton.whole.test_objects_deleted import pruning_of

TEXT, DATA = "t" * 90_000, {"rows": ["x" * 100_000]}


class Measuring:
    """A model that answers with the size of its task."""

    name, reads_history = "measuring", True

    async def answer(self, request: ModelRequest) -> ModelAnswer:
        [task] = [message for message in request.messages if isinstance(message, UserMessage)]
        return ModelAnswer(f"{len(task.text)} {len(task.data['rows'][0])}")


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    settings = with_keys(object_store_url=f"file://{tmp_path}/objects", bytes_kept_per_tenant=10_000_000)
    stage = Stage(settings=settings, registry=Registry([Agent(name="measures", model=Measuring())]))
    async with api_of(stage) as served:
        yield served


async def submitted(api: Api, **fields: Any) -> dict[str, Any]:
    return await api.submitted(jobType="measures", taskDescription=TEXT, inputData=DATA, **fields)


async def jobs(api: Api) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await api.request("GET", "/api/agent-jobs")).json()["jobs"]
    return found


def there(tmp_path: Path) -> list[Path]:
    return [path for path in (tmp_path / "objects").rglob("*") if path.is_file()]


async def test_the_model_has_all_of_it_and_so_has_who_reads_the_job(api: Api, tmp_path: Path) -> None:
    job = await submitted(api)
    assert (job["taskDescription"], job["inputData"]) == (TEXT, DATA)
    await api.stage.run()
    job = await api.read(job["id"])
    assert job["result"] == {"answer": "90000 100000"}
    assert (job["taskDescription"], job["inputData"]) == (TEXT, DATA)
    [path] = there(tmp_path)
    assert json.loads(path.read_bytes()) == {"text": TEXT, "data": DATA}


async def test_messages_and_the_store_have_its_beginning_alone(api: Api) -> None:
    job = await submitted(api)
    assert max(len(message.body) for message in api.stage.outgoing()) < 10_000
    texts = str(api.stage.redis.data.version().values)
    assert ("t" * 2_001 in texts, "x" * 1_000 in texts) == (False, False)
    [row] = (await api.request("GET", "/api/agent-jobs")).json()["jobs"]
    assert (row["id"], row["taskDescription"], row["inputData"]) == (job["id"], "t" * 2_000, {})


async def test_a_backup_message_creates_the_job_that_a_failover_forgot(api: Api) -> None:
    job = await submitted(api)
    api.stage.redis.forget("baton:{job_")
    events = [event for event in api.stage.events() if isinstance(event, AgentLoopInit)]
    [backup] = [event for event in events if isinstance(event.payload.command, Submission)]
    await api.stage.deliver(backup, "late")
    await api.stage.run()
    assert (await api.read(job["id"]))["result"] == {"answer": "90000 100000"}


async def test_a_repeated_submission_finds_the_job(api: Api, tmp_path: Path) -> None:
    first = await submitted(api, idempotency_key="k")
    again = await submitted(api, idempotency_key="k")
    assert (first["id"], len(there(tmp_path))) == (again["id"], 1)


async def test_a_fork_has_a_task_of_its_own(api: Api, tmp_path: Path) -> None:
    job = await submitted(api)
    await api.stage.run()
    fork = (await api.request("POST", f"/api/agent-jobs/{job['id']}/fork", ADMIN, json={"turn": 1})).json()
    assert (await api.request("DELETE", f"/api/agent-jobs/{job['id']}")).status_code == 204
    await api.stage.run()
    assert (await api.read(fork["id"]))["result"] == {"answer": "90000 100000"}


async def test_it_is_accepted_once_the_object_store_is_back(
    api: Api, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(_self: Objects, _place: str, _tenant: str, _data: bytes) -> str:
        raise ObjectStoreError("the object store does not answer")

    with monkeypatch.context() as patch:
        patch.setattr(Objects, "put", away)
        answer = await api.submit(jobType="measures", taskDescription=TEXT, inputData=DATA)
        assert "object store" in assert_problem(answer, 503)
    await api.stage.run()
    assert (await jobs(api), there(tmp_path)) == ([], [])
    await submitted(api)


class DiedError(Exception):
    """The process is gone."""


async def died_at_the_write(api: Api, monkeypatch: pytest.MonkeyPatch, *, written: bool) -> None:
    """Submit a job to a process that dies just before, or just after, its task is written."""
    put = Objects.put

    async def dies(self: Objects, *given: Any) -> str:
        if written:
            await put(self, *given)
        raise DiedError

    with monkeypatch.context() as patch:
        patch.setattr(Objects, "put", dies)
        assert_problem(await api.submit(jobType="measures", taskDescription=TEXT, inputData=DATA), 500)
    await api.stage.run()


async def test_a_process_that_dies_before_the_task_is_written_leaves_nothing(
    api: Api, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await died_at_the_write(api, monkeypatch, written=False)
    assert (await jobs(api), there(tmp_path)) == ([], [])


async def test_no_task_is_written_of_which_no_message_knows(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else a process that dies between the two would leave an object that nobody deletes."""
    await died_at_the_write(api, monkeypatch, written=True)
    assert [job["status"] for job in await jobs(api)] == ["completed"]


async def test_a_task_that_is_written_after_its_backup_message_came_is_swept(
    api: Api, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The object store takes a minute, and says then that it does not answer: nobody will create the job."""
    put = Objects.put

    async def late(self: Objects, *given: Any) -> str:
        await api.stage.run()
        await put(self, *given)
        raise ObjectStoreError("the object store does not answer")

    with monkeypatch.context() as patch:
        patch.setattr(Objects, "put", late)
        assert_problem(await api.submit(jobType="measures", taskDescription=TEXT, inputData=DATA), 503)
    await api.stage.run()
    assert (await jobs(api), len(there(tmp_path))) == ([], 1)
    api.stage.clock.ms += 80 * 86_400_000
    assert (await pruning_of(api.stage).prune(), there(tmp_path)) == (1, [])


async def test_a_refused_submission_leaves_the_task_of_its_accepted_repetition(
    api: Api, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The session is free again, and the same submission accepted, while the refused one is still at work."""
    running, refuse, accepted = await submitted(api, sessionId="s"), Backup.refuse, list[dict[str, Any]]()

    async def slowly(self: Backup) -> None:
        await refuse(self)
        await api.request("PATCH", f"/api/agent-jobs/{running['id']}", json={"action": "cancel"})
        accepted.append(await submitted(api, sessionId="s", idempotency_key="k"))

    monkeypatch.setattr(Backup, "refuse", slowly)
    fields: dict[str, Any] = {"jobType": "measures", "taskDescription": TEXT, "inputData": DATA, "sessionId": "s"}
    answer = await api.submit(**fields, whenBusy="reject", idempotency_key="k")
    assert_problem(answer, 409)
    await api.stage.run()
    assert (await api.read(accepted[0]["id"]))["status"] == "completed"
    assert len(there(tmp_path)) == 2


async def test_a_task_that_is_gone_fails_the_turn_and_leaves_its_beginning(api: Api, tmp_path: Path) -> None:
    job = await submitted(api)
    there(tmp_path)[0].unlink()
    await api.stage.run()
    job = await api.read(job["id"])
    assert (job["status"], job["error"]["type"]) == ("failed", "payload_gone")
    assert job["taskDescription"] == "t" * 2_000


async def test_a_key_is_made_of_all_of_its_data(tmp_path: Path) -> None:
    def user(call: LimitedCall) -> str:
        return f"user:{call.input_data['user']}"

    agent = Agent("measures", Measuring(), budgets=[Budget(user, usd=1)], call_limits=[CallLimit(user, in_flight=1)])
    settings = with_keys(object_store_url=f"file://{tmp_path}/objects")
    async with api_of(Stage(settings=settings, registry=Registry([agent]))) as api:
        job = await api.submitted(jobType="measures", taskDescription=TEXT, inputData={**DATA, "user": 7})
        await api.stage.run()
        assert (await api.read(job["id"]))["error"] is None


async def test_nothing_is_reserved_for_a_call_that_waits_for_its_task(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else each attempt of an outage would count in full, and none of them has asked the model."""
    agent = Agent("measures", Measuring(), budgets=[Budget("k", usd=1, reserve=0.4)])
    settings = with_keys(object_store_url=f"file://{tmp_path}/objects")
    async with api_of(Stage(settings=settings, registry=Registry([agent]))) as api:
        await submitted(api)

        async def away(_self: Objects, _ref: str) -> bytes:
            raise ObjectStoreError("the object store does not answer")

        with monkeypatch.context() as patch:
            patch.setattr(Objects, "get", away)
            with suppress(ObjectStoreError):
                await api.stage.run(within_seconds=300)
        assert (await api.request("GET", "/api/admin/budgets", ADMIN)).json()["budgets"] == []


async def test_it_counts_for_the_quota(api: Api) -> None:
    await submitted(api)
    assert api.stage.ports.stored_bytes is not None
    assert sum((await api.stage.ports.stored_bytes.sums("acme")).values()) > 190_000


CANARY = "canary-in-a-coal-mine"


@tool
async def echo(text: str) -> str:
    """Return a text many times."""
    return text * 5_000


@pytest.mark.parametrize("keys", ["", f"k1:{'A' * 43}="])
async def test_no_object_shows_a_text_while_payloads_are_sealed(tmp_path: Path, keys: str) -> None:
    """Task, result and file; the same scan finds them without keys."""
    model = ScriptedModel([[Call("echo", {"text": CANARY})], "done"])
    registry = Registry([Agent(name="echoes", model=model, tools=[echo])])
    settings = with_keys(object_store_url=f"file://{tmp_path}/objects", payload_keys=keys)
    async with api_of(Stage(settings=settings, registry=registry)) as api:
        job = await api.submitted(jobType="echoes", taskDescription=CANARY * 5_000)
        file = {"0" * 64: f"text/plain,{CANARY * 5_000}"}
        await KeptFiles(api.stage.ports.chats, api.stage.container.commands.quota, api.stage.job(), file).store(1)
        await api.stage.run()
        job = await api.read(job["id"])
        assert (job["status"], len(job["taskDescription"])) == ("completed", len(CANARY) * 5_000)
        url = job["toolCalls"][0]["resultRef"]["url"]
        assert (await api.request("GET", url)).json()["result"] == CANARY * 5_000
        assert (await api.request("GET", url, headers={"range": "bytes=1-6"})).content == b"canary"
    kept = [path.read_bytes() for path in there(tmp_path)]
    assert [CANARY.encode() in data for data in kept] == [not keys] * 3

"""`DELETE /api/admin/subjects/{id}`: a person's data is gone wherever it went, and nobody else's is."""

from base64 import b64encode
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from baton import Agent, Call, Event, HandlerContext, Memory, Pending, Registry, ScriptedModel, ToolContext, on, tool
from baton.client.requests import in_path
from baton_events.app_event import app_event
from baton_events.ids import subject_digest
from tests.fakes import FakeLongTermMemory
from tests.unit.baton.kit.stage import Stage
from tests.unit.baton.server.api.client import ACME, ADMIN, OTHER, Api, api_of, assert_problem, with_keys
from tests.unit.baton.server.api.sessions.chatting import send

ANNA, BERT = "words of anna", "words of bert"
OLD, NEW = (f"{name}:{b64encode(bytes([at]) * 32).decode()}" for at, name in enumerate(("old", "new")))
NOTHING = dict.fromkeys(("jobs", "sessions", "files", "memories", "events", "objects", "running"), 0)


@on("order.paid")
async def remind(event: Event, ctx: HandlerContext) -> None:
    await ctx.emit("order.taken", event.data, delay_seconds=600)


def registry() -> Registry:
    @tool
    async def keep(ctx: ToolContext) -> dict[str, Any]:
        return await ctx.keep_file(b"%PDF-1.7 a file", "application/pdf", "a.pdf")

    @tool
    async def ask() -> Pending:
        return Pending(timeout_seconds=3_600)

    @tool
    def delegate(ctx: ToolContext) -> Pending:
        return ctx.start("answers", "of a child")

    @on("order.created")
    async def take(event: Event, ctx: HandlerContext) -> None:
        await ctx.start("answers", f"started for {event.data}", session_id=f"orders of {event.key}")
        await ctx.emit("order.taken", event.data)

    @on("order.taken")
    def note(event: Event, ctx: HandlerContext) -> None:
        pass

    @on("many", batch=(3, 60))
    def count(events: list[Event], ctx: HandlerContext) -> str:
        return repr([event.data for event in events])

    return Registry(
        [
            Agent(
                "answers", model=ScriptedModel(["done"]), tools=[], memory=Memory(recent=3, similar=1, scope="session")
            ),
            Agent("keeps", model=ScriptedModel([[Call("keep")], "done"]), tools=[keep]),
            Agent("waits", model=ScriptedModel([[Call("ask")], "done"]), tools=[ask]),
            Agent("delegates", model=ScriptedModel([[Call("delegate")], "done"]), tools=[delegate]),
        ],
        handlers=[take, note, count, remind],
    )


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    stage = Stage(settings=with_keys(), registry=registry(), long_term_memory=FakeLongTermMemory())
    async with api_of(stage) as made:
        yield made


async def erased(api: Api, subject: str = "anna", **query: str) -> dict[str, int]:
    query = {"tenant": "acme"} | query
    response = await api.request("DELETE", f"/api/admin/subjects/{subject}", ADMIN, params=query)
    assert response.status_code == 200, response.text
    counts: dict[str, int] = response.json()
    return counts


def kept(api: Api, text: str) -> list[str]:
    """The keys of the store, and entries of the index, that have a text."""
    memory = api.stage.long_term_memory
    assert memory is not None
    version = api.stage.redis.version()
    found = [key for key, value in version.values.items() if text in repr(value)]
    return found + [repr(entry) for entry in memory.entries.items() if text in repr(entry)]


async def everywhere(api: Api, subject: str, text: str) -> None:
    """Send a text through each door that takes the id of a person."""
    of = {"subjectId": subject}
    for agent in ("keeps", "delegates"):
        await api.submitted(jobType=agent, taskDescription=text, inputData={"of": text}, tags=["t"], **of)
    await api.request("POST", "/api/agent/start", json={"request": text, "agent": "answers", **of})
    await send(api, f"chat of {subject}", "m1", text, agent="answers", **of)
    for name in ("order.created", "nobody.takes"):
        await api.request("POST", "/api/events", json={"name": name, "data": text, "key": subject, **of})
    await api.stage.run(within_seconds=60)


async def test_the_data_of_a_person_is_gone_and_that_of_others_stays(api: Api) -> None:
    await everywhere(api, "anna", ANNA)
    await everywhere(api, "bert", BERT)
    await api.submitted(jobType="waits", taskDescription=ANNA, subjectId="anna")
    await api.stage.run(within_seconds=60)
    assert len(kept(api, ANNA)) >= 10
    others = kept(api, BERT)
    first = await erased(api)
    await api.stage.run(within_seconds=60)
    assert first["running"] == 1
    second = await erased(api)
    total = {name: first[name] + second[name] for name in NOTHING}
    assert total["jobs"] == 8  # of four doors, of two handlers, of one that a handler started, and the one that waited
    assert (total["events"], total["files"], total["memories"]) == (3, 1, 3)
    assert kept(api, ANNA) == []
    assert kept(api, BERT) == others
    assert await erased(api) == NOTHING
    assert await erased(api, "nobody") == NOTHING


async def test_a_person_is_found_under_each_key_and_by_nobody_who_guesses() -> None:
    """What came before payloads were sealed, and under an older key; the store has no plain digest of the id."""
    redis = None
    for keys in ("", OLD, f"{NEW},{OLD}"):
        stage = Stage(settings=with_keys(payload_keys=keys, payload_plain="memory"), registry=registry())
        if redis is not None:
            stage.redis.go_back(redis)
        async with api_of(stage) as api:
            once, body = {"idempotency-key": f"by {keys}"}, {"name": "nobody.takes", "data": 1, "subjectId": "anna"}
            await api.submitted(subjectId="anna", idempotency_key=once["idempotency-key"])
            await api.request("POST", "/api/events", json=body, headers=once)
            await api.stage.run(within_seconds=60)
            redis = stage.redis.version()
            if keys.startswith("new"):
                counts = await erased(api)
                assert (counts["jobs"], counts["events"]) == (3, 3)
    stage = Stage(settings=with_keys(payload_keys=OLD, payload_plain="memory"), registry=registry())
    async with api_of(stage) as api:
        await api.submitted(subjectId="anna")
        assert subject_digest("acme", "anna") not in str(stage.redis.version().values)


def files_in(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


async def test_large_results_of_a_person_are_deleted_and_counted(tmp_path: Path) -> None:
    @tool
    def dig() -> str:
        return ANNA * 10_000

    agent = Agent("digs", model=ScriptedModel([[Call("dig")], "done"]), tools=[dig])
    settings = with_keys(object_store_url=f"file://{tmp_path}/objects")
    async with api_of(Stage(settings=settings, registry=Registry([agent]))) as api:
        await api.submitted(jobType="digs", subjectId="anna")
        await api.stage.run(within_seconds=60)
        assert files_in(tmp_path)
        counts = await erased(api)
    assert (counts["jobs"], counts["objects"], counts["running"]) == (1, 1, 0)
    assert files_in(tmp_path) == []


async def test_a_schedule_of_a_person_starts_nothing_more(api: Api) -> None:
    body = {"jobType": "answers", "cron": "0 9 * * *", "subjectId": "anna"}
    for tenant in (ACME, OTHER):
        await api.request("POST", "/api/agent-schedules", tenant, json=body)
    await api.request("POST", "/api/agent-schedules", json={**body, "subjectId": "bert"})
    await erased(api)
    assert len(api.stage.schedules.known) == 2


async def test_a_batch_goes_on_without_what_was_erased(api: Api) -> None:
    for subject, text in (("anna", ANNA), ("bert", BERT)):
        body = {"name": "many", "data": text, "subjectId": subject}
        await api.request("POST", "/api/events", json=body)
        await api.stage.run(within_seconds=0)
    assert (await erased(api))["events"] == 1
    await api.stage.run(within_seconds=120)
    assert kept(api, ANNA) == []
    [job] = (await api.request("GET", "/api/agent-jobs", ACME)).json()["jobs"]
    assert job["result"] == {"answer": repr([BERT])}
    await erased(api, "bert")
    assert kept(api, BERT) == []


async def test_an_erased_event_that_comes_again_starts_nothing(api: Api) -> None:
    await api.request("POST", "/api/events", json={"name": "order.created", "data": ANNA, "subjectId": "anna"})
    assert (await erased(api))["events"] == 1
    await api.stage.run(within_seconds=60)
    assert kept(api, ANNA) == []


async def test_an_event_sent_with_a_delay_before_the_erasure_starts_nothing(api: Api) -> None:
    """Whoever sent it; a later one of the same person is handled again."""
    body = {"name": "order.paid", "data": ANNA, "subjectId": "anna"}
    await api.request("POST", "/api/events", json=body)
    of_whom = {"tenant": "acme", "subject": subject_digest("acme", "anna")}
    event = app_event("order.taken", ANNA, event_id="evt_1", now_ms=api.stage.clock.ms, **of_whom)
    await api.stage.container.emitter.send(event, not_before_ms=api.stage.clock.ms + 500_000)
    await api.stage.run(within_seconds=0)
    api.stage.clock.ms += 1
    assert (await erased(api))["events"] == 1
    await api.stage.run(within_seconds=3_600)
    assert kept(api, ANNA) == []
    assert (await api.request("GET", "/api/agent-jobs")).json()["jobs"] == []
    api.stage.clock.ms += 1
    await api.request("POST", "/api/events", json=body)
    await api.stage.run(within_seconds=3_600)
    jobs = (await api.request("GET", "/api/agent-jobs")).json()["jobs"]
    assert sorted(job["jobType"] for job in jobs) == ["note", "remind"]


async def test_a_message_of_another_person_is_not_told_to_a_running_job(api: Api) -> None:
    first = await api.submitted(jobType="waits", sessionId="s", subjectId="anna")
    await api.stage.run(within_seconds=0)
    steered = [
        (await api.submit(sessionId="s", jobType="waits", whenBusy="steer", taskDescription="x", **of)).json()
        for of in ({"subjectId": "anna"}, {"subjectId": "bert"}, {})
    ]
    assert steered[0] == {"jobId": first["id"]}
    assert first["id"] not in [each["id"] for each in steered[1:]]


async def test_a_person_may_have_any_id(api: Api) -> None:
    """An id of several lines is found, and another person of its first line stays."""
    ids = ("anna", "anna\n", "anna\nberg", "an/na", "..", " ", "\0", "a?b#c%2F", "\U0001f600")
    for one in ids:
        await api.submitted(subjectId=one)
    await api.stage.run()
    for one in reversed(ids):
        found = await erased(api, in_path(one))
        assert (found["jobs"], found["running"]) == (1, 0), one
    assert (await api.request("GET", "/api/agent-jobs")).json()["jobs"] == []


async def test_only_operators_erase_and_the_audit_log_has_no_id_in_clear(api: Api) -> None:
    path = "/api/admin/subjects/anna%40acme.example"
    assert_problem(await api.request("DELETE", path, ACME), 403)
    assert_problem(await api.request("DELETE", f"/api/admin/subjects/{'x' * 201}", ADMIN), 422, "subjectId")
    assert_problem(await api.request("DELETE", path, ADMIN, params={"other": "1"}), 422, "other")
    assert_problem(await api.submit(subjectId=""), 422, "subjectId")
    assert (await api.request("DELETE", path, ADMIN)).status_code == 200
    entries = (await api.request("GET", "/api/admin/audit", ADMIN)).json()["entries"]
    assert entries[0]["action"] == "DELETE /api/admin/subjects/{subject_id:any}"
    assert len(entries[0]["target"].rpartition("/")[2]) == 32
    assert "acme.example" not in repr(entries)


async def test_without_a_subject_nothing_more_is_sent(api: Api) -> None:
    job = await api.submitted()
    assert (await api.stage.now(job["id"])).marks == ()
    await api.request("POST", "/api/events", json={"name": "order.created", "data": 1})
    assert not [key for key in api.stage.redis.version().values if key.startswith("baton:subject:")]


async def test_an_event_under_one_key_is_of_one_person() -> None:
    """Also after a new key of payloads, under which the person's digest is another."""
    redis, body = None, {"name": "nobody.takes", "data": 1, "subjectId": "anna"}
    for keys in ("", OLD, f"{NEW},{OLD}"):
        stage = Stage(settings=with_keys(payload_keys=keys, payload_plain="memory"), registry=registry())
        if redis is not None:
            stage.redis.go_back(redis)
        async with api_of(stage) as api:
            for changed, status in (({}, 202), ({"subjectId": "bert"}, 422), ({"subjectId": None}, 422)):
                headers = {"idempotency-key": "k1"}
                answer = await api.request("POST", "/api/events", json=body | changed, headers=headers)
                assert answer.status_code == status
            redis = stage.redis.version()

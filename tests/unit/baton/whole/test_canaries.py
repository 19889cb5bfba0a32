"""A marked word through every door into the store: none stands there in clear, and each comes back in clear."""

from typing import Any

from baton import Agent, Call, Registry, ScriptedModel, ToolError, check_operation_status, tool
from baton.engine.all_jobs.scores import Score
from baton.sdk.models.model import ModelError
from baton.sdk.records.memory import MemoryEntry
from baton.store.records.access import AuditEntry
from baton.store.redis.operation_stream import StreamEntry
from baton_events.app_event import app_event
from baton_events.schema import encode_event
from tests.unit.baton.kit.approval_kit import checkpoints, decide
from tests.unit.baton.kit.stage import Stage
from tests.unit.baton.server.api.client import Api, api_of, with_keys
from tests.unit.baton.whole.test_sealed import K1, K2, kept, sent_by, stage_of


class Doors:
    """The doors that were used, each by a word of its own."""

    def __init__(self) -> None:
        self.words: list[str] = []

    def word(self, door: str) -> str:
        word = f"canary-{door}"
        if word not in self.words:
            self.words.append(word)
        return word

    def registry(self) -> Registry:
        word = self.word

        @tool(retries=0)
        async def work(what: str) -> dict[str, str]:
            return {"got": word("result")}

        @tool(retries=0)
        async def fail(what: str) -> str:
            raise ToolError(word("tool-error"), retryable=False)

        @tool(requires_approval=True)
        async def pay(to: str) -> str:
            return word("paid")

        child = Agent(name="child", model=ScriptedModel([word("childs-answer")]), tools=[])
        works: list[Any] = [
            [Call("work", {"what": word("argument")}), Call("fail", {"what": word("failing")})],
            word("answer"),
        ]
        start = [Call("child", {"task": word("childs-task")})]
        return Registry(
            [
                Agent(name="works", model=ScriptedModel(works), tools=[work, fail]),
                Agent(name="breaks", model=ScriptedModel([ModelError(word("model-error"), retryable=False)]), tools=[]),
                Agent(name="pays", model=ScriptedModel([[Call("pay", {"to": word("payee")})], "paid"]), tools=[pay]),
                Agent(
                    name="waits",
                    model=ScriptedModel([[Call("check_operation_status", {"operation_id": "op-1"})], "over"]),
                    tools=[check_operation_status],
                ),
                Agent(name="starts", model=ScriptedModel([start, "done"]), tools=[child]),
                child,
            ]
        )


async def through_jobs(api: Api, doors: Doors) -> None:
    """Texts of jobs, of those who ask for them, and of those who decide."""
    word, stage = doors.word, api.stage
    for agent in ("works", "breaks", "starts"):
        data = {"about": word(f"data-{agent}"), "password": word(f"secret-{agent}")}
        await api.submitted(jobType=agent, taskDescription=word(f"task-{agent}"), inputData=data)
        await stage.run()
    paying = (await api.submitted(jobType="pays", taskDescription=word("task-pays")))["id"]
    await stage.run(within_seconds=60)
    steering = {"taskDescription": word("steering"), "sessionId": (await api.read(paying))["sessionId"]}
    await api.submit(jobType="pays", whenBusy="steer", **steering)
    await stage.run(within_seconds=60)
    [checkpoint] = await checkpoints(api, paying)
    assert (await decide(api, checkpoint, "DELETE", reason=word("reason"))).status_code == 200
    await stage.run(within_seconds=60)
    job = (await stage.snapshot(paying)).job
    assert await stage.ports.archive.keep_score(job, Score("good", 1, word("comment"), 1))


async def through_adapters(stage: Stage, doors: Doors) -> None:
    """All else that is kept."""
    word, ports = doors.word, stage.ports
    await ports.chats.keep_file("acme", "s-1", "f" * 64, f"text/plain,{word('file')}", stage.clock.ms)
    await ports.session_memory.add("acme", MemoryEntry("m", "note", word("memory"), "s-1", "works", "job_1", 1))
    assert ports.model_cache is not None
    await ports.model_cache.put("acme", "a" * 64, word("cached"), 60)
    event = app_event("order.made", {"of": word("event")}, "k", event_id="evt_1", tenant="acme", now_ms=1)
    await ports.app_events.add("evt_1", encode_event(event))
    await ports.app_events.note("evt_1", "misfit", word("note"), "acme")
    await ports.app_events.keep("name", word("kept-event"), "acme")
    detail = {"body": word("audit")}
    await ports.audit_log.add(AuditEntry(1, "k", "me", "acme", "POST /x", "x", 200, detail))
    await ports.operation_stream.bury(StreamEntry("1-0", {"outcome": word("buried")}), word("why-buried"))


async def filled(keys: str) -> tuple[Stage, Doors]:
    doors = Doors()
    stage = stage_of(keys, registry=doors.registry(), settings=with_keys(payload_keys=keys))
    async with api_of(stage) as api:
        await through_jobs(api, doors)
    await through_adapters(stage, doors)
    return stage, doors


def found_in(stage: Stage, doors: Doors) -> set[str]:
    """The words in any key or value of the store, and in what the queue got."""
    everything = kept(stage.redis) + "".join(message.body for message in stage.outgoing())
    return {word for word in doors.words if word in everything}


async def test_no_text_stands_in_the_store_and_the_same_look_without_keys_finds_each() -> None:
    plain, words = await filled("")
    hidden = {word for word in words.words if word.startswith("canary-secret-")}  # redacted before they are kept
    assert set(words.words) - found_in(plain, words) <= hidden
    assert len(words.words) >= 25
    sealed, words = await filled(K1)
    assert found_in(sealed, words) == set()
    both, words = await filled(f"{K2},{K1}")
    assert found_in(both, words) == set()


async def test_sealing_costs_no_job_a_request_or_a_command() -> None:
    """Of jobs that wait, ask, fail and start others, too."""
    costs, sent = list[list[tuple[str, int, int]]](), list[list[str]]()
    for keys in ("", K1, f"{K2},{K1}"):
        stage, _ = await filled(keys)
        used = [(name, each) for tree in stage.redis.trees.values() for name, each in tree.usage.items()]
        costs.append([(name, each.redis_requests, each.redis_commands) for name, each in used])
        sent.append(sent_by(stage))  # a refused write is in no job's ledger
    assert costs[0] == costs[1] == costs[2]
    assert sent[0] == sent[1] == sent[2]
    assert len(costs[0]) == 5


async def test_everything_comes_back_in_clear_after_a_rotation() -> None:
    stage, doors = await filled(K1)
    later = stage_of(f"{K2},{K1}", stage.redis, registry=doors.registry(), settings=with_keys(payload_keys=K1))
    ports = later.ports
    roots = [root for root in stage.redis.trees if "." not in root]
    assert len(roots) == 4
    read: list[Any] = []
    for root in [*roots, *(name for tree in stage.redis.trees.values() for name in tree.jobs if "." in name)]:
        read += [await later.reader.job(root), await later.reader.transcript(root), await later.reader.parts(root, 0)]
    assert ports.model_cache is not None
    read += [
        await ports.chats.read_file("acme", "s-1", "f" * 64),
        await ports.session_memory.recent("acme", "s-1"),
        await ports.app_events.find("evt_1"),
        await ports.app_events.wait("name", "call", 1, 1),
        await ports.audit_log.page("", 9),
    ]
    shown = repr(read)
    gone = {"canary-cached", "canary-buried", "canary-why-buried"}  # by another name, and for people with a key alone
    assert {word for word in doors.words if word not in shown and "-secret-" not in word} == gone

"""What every agent is promised, whatever library it is written with; a row that differs is named in its table."""

import asyncio
import json
from base64 import b64encode
from collections.abc import Awaitable
from cProfile import Profile
from pstats import Stats
from typing import Any

import pytest

from baton import Budget, CallLimit, Limits, Memory, Registry, ToolError
from baton.engine.fork import Edits
from baton.engine.transitions import JobStatus
from baton.sdk.agents.runner import JobInfo, Recorded, RunFailedError
from baton.sdk.langgraph import run_state as of_langgraph
from baton.sdk.models.model import NEWER_STATE, ModelError
from baton.sdk.openai_agents import run_state as of_openai
from baton.sdk.pydantic_ai import run_state as of_pydantic_ai
from baton.sdk.records.file_contents import LARGE_BYTES
from baton.sdk.records.transcript import Failure
from baton.server.api.session_line import Sessions
from baton.server.console.approvals.about import read_about
from baton.testing import Approve, Checkpoint, Reject, Run, Simulation
from tests.fakes import FakeLongTermMemory
from tests.unit.baton.kit.approval_kit import checkpoints, decide, run_for_an_hour
from tests.unit.baton.kit.forking import fork
from tests.unit.baton.sdk.libraries.kinds import DOORS, KINDS, LIBRARIES, Calls, Script
from tests.unit.baton.sdk.pydantic_ai.played import PlayedStage, played
from tests.unit.baton.server.api.client import ADMIN, api_of, with_keys
from tests.unit.baton.server.api.sessions.chatting import job_of, send, sending, text_of
from tests.unit.baton.server.console.operator import operator_of

each_kind = pytest.mark.parametrize("kind", KINDS)


async def look(n: int) -> str:
    """Look."""
    return f"seen {n}"


def looking(calls: int) -> list[Calls | str | Exception]:
    return [*([("look", {"n": n})] for n in range(calls)), "done"]


async def calls_in(work: Awaitable[Any]) -> int:
    """How often functions are called, those of C included."""
    with Profile() as profile:
        await work
    return sum(calls for _, calls, *_ in Stats(profile).stats.values())  # type: ignore[attr-defined]


async def looked(kind: str, calls: int) -> None:
    agent = KINDS[kind](Script(looking(calls), [look], most=10 * calls + 20))
    assert (await played(agent, inline=True)).job.status is JobStatus.COMPLETED


@pytest.mark.usefixtures("unhurried")
@pytest.mark.parametrize(
    ("kind", "late", "most"),
    [
        ("langgraph", 30, 1.12),
        # What pydantic-ai does itself grows with the history; `test_open_runs` counts ours beside it.
        *(pytest.param(one, 90, 1.3, marks=pytest.mark.long) for one in KINDS if one != "pydantic-ai"),
    ],
)
async def test_a_late_turn_costs_what_an_early_one_does(kind: str, late: int, most: float) -> None:
    """A run stays open: of the record, and of the state, nothing is read or written again."""
    await looked(kind, 1)  # the first is warm
    costs = [await calls_in(looked(kind, calls)) for calls in (5, 15, late, late + 10)]
    assert costs[3] - costs[2] <= most * (costs[1] - costs[0])


@each_kind
@pytest.mark.parametrize(
    ("decision", "paid", "told"),
    [
        (Approve(), [3], "paid 3"),
        (Approve(arguments={"euros": 2}), [2], "paid 2"),
        (Reject("too dear"), [], "too dear"),
    ],
    ids=["approved", "edited", "rejected"],
)
async def test_a_call_runs_as_a_person_decides(
    kind: str, decision: Approve | Reject, paid: list[int], told: str
) -> None:
    ran, asked = list[int](), list[Any]()

    def decide(checkpoint: Checkpoint) -> Any:
        asked.append((checkpoint.tool, checkpoint.arguments))
        return decision

    async def pay(euros: int) -> str:
        """Pay."""
        ran.append(euros)
        return f"paid {euros}"

    script = Script([[("pay", {"euros": 3})], "done"], [pay], asks=["pay"])
    run = await Simulation(Registry([KINDS[kind](script)])).run("job", "pay", decide=decide)
    assert run.result["answer"] == "done"
    assert ran == paid
    assert asked == [("pay", {"euros": 3})]
    assert told in str(script.read[-1])


@pytest.mark.parametrize("state", [of_pydantic_ai.RunState, of_openai.RunState, of_langgraph.RunState], ids=LIBRARIES)
def test_a_record_of_a_newer_version_waits_for_newer_code(state: Any) -> None:
    job = JobInfo(job_id="job_1", session_id="s", tenant="t", task="do it")
    turn: dict[str, Any] = {"turn": 1, "calls": [], "provider": {"kind": state.kind, "version": state.version + 1}}
    with pytest.raises(ModelError) as caught:
        state.of(Recorded(job, turns=(turn,)))
    assert (caught.value.type, caught.value.retryable) == (NEWER_STATE, True)
    turn["provider"]["kind"] = "another"
    with pytest.raises(RunFailedError, match="submit the job again"):
        state.of(Recorded(job, turns=(turn,)))


@each_kind
async def test_a_later_job_of_a_chat_reads_the_earlier_one(kind: str) -> None:
    script = Script([[("look", {"n": 1})], "seen it", "and more"], [look])
    simulation = Simulation(Registry([KINDS[kind](script)]))
    first = await simulation.run("job", "how is it", session="s")
    again = await simulation.run("job", "and now", session="s")
    assert (first.result["answer"], first.error, again.error) == ("seen it", None, None)
    read = str(script.read[-1])
    assert [text in read for text in ("how is it", "seen it", "and now")] == [True] * 3


@each_kind
async def test_an_approval_is_a_form_of_the_arguments_and_refuses_what_does_not_fit(kind: str) -> None:
    """In another process than the one that asked."""
    paid = list[int]()

    async def pay(euros: int) -> str:
        """Pay."""
        paid.append(euros)
        return "paid"

    agent = KINDS[kind](Script([[("pay", {"euros": 3})], "done"], [pay], asks=["pay"]))
    async with api_of(PlayedStage(registry=Registry([agent]), settings=with_keys())) as api:
        job_id = (await api.submitted(jobType="job"))["id"]
        await run_for_an_hour(api)
        [asked] = await checkpoints(api, job_id)
        assert (asked["tool"], asked["arguments"], paid) == ("pay", {"euros": 3}, [])
        schema = (await read_about(api.stage.container, asked["id"])).schema or {}
        assert (schema["properties"]["euros"]["type"], schema["required"]) == ("integer", ["euros"])
        api.stage.restart()
        unfit = await decide(api, asked, arguments={"euros": "much"})
        assert (unfit.status_code, unfit.json()["errors"][0]["field"]) == (422, "arguments.euros")
        assert (await decide(api, asked, arguments={"euros": 2})).status_code == 200
        await api.stage.run()
        assert (await api.read(job_id))["result"]["answer"] == "done"
    assert paid == [2]


@each_kind
@pytest.mark.parametrize(("retryable", "requests"), [(True, 4), (False, 1)])
@pytest.mark.parametrize("streams", [False, True])
async def test_a_provider_that_is_away_is_asked_again(kind: str, retryable: bool, requests: int, streams: bool) -> None:
    script = Script([ModelError("no answer", retryable=retryable)], streams=streams)
    run = await Simulation(Registry([KINDS[kind](script)])).run("job", "go")
    assert ((run.error or {})["type"], len(script.read)) == ("model_error", requests)


@each_kind
async def test_parallel_calls_run_at_the_same_time(kind: str) -> None:
    both = asyncio.Barrier(2)

    async def meet(n: int) -> int:
        """Meet."""
        async with asyncio.timeout(20), both:
            return n

    script = Script([[("meet", {"n": 1}), ("meet", {"n": 2})], "met"], [meet])
    assert (await played(KINDS[kind](script), inline=True)).job.status is JobStatus.COMPLETED


def fails(n: int) -> str:
    """Fail."""
    raise KeyError(n)


@each_kind
async def test_a_failure_shows_its_place_in_log_and_records(kind: str, caplog: pytest.LogCaptureFixture) -> None:
    """Its error ends the job, as the library's own run; of Baton's own agents the model is told."""
    script = Script([[("fails", {"n": 1})], "done"], [fails])
    ended = await played(KINDS[kind](script))
    traces = [one.traceback for one in (ended.job.error, *(call.error for call in ended.calls)) if one]
    shown = f'test_promises.py", line {fails.__code__.co_firstlineno + 2}, in fails'
    assert any(shown in trace for trace in traces)
    assert shown in caplog.text
    assert ended.job.status is (JobStatus.COMPLETED if kind == "own" else JobStatus.FAILED)
    wanted = {"own": "", "openai-agents": "UserError"}.get(kind, "KeyError")
    assert (ended.job.error.type if ended.job.error else "") == wanted


@each_kind
async def test_a_call_that_may_pass_is_tried_again(kind: str) -> None:
    async def busy(n: int) -> str:
        """Be busy."""
        attempts.append(n)
        if len(attempts) < 3:
            raise ToolError("busy", retryable=True)
        return "free"

    attempts = list[int]()
    script = Script([[("busy", {"n": 1})], "done"], [busy])
    run = await Simulation(Registry([KINDS[kind](script)])).run("job", "go")
    assert (run.status, run.error, len(attempts)) == ("completed", None, 3)


@each_kind
async def test_text_is_streamed_and_usage_is_counted(kind: str) -> None:
    words = KINDS[kind](Script(["It is 3."], streams=True))
    run = await Simulation(Registry([words])).run("job", "go")
    deltas = [part["delta"] for part in run.parts if part["type"] == "text-delta"]
    assert ("".join(deltas), len(deltas) > 1) == ("It is 3.", True)
    counts = KINDS[kind](Script([[("look", {"n": 1})], "seen"], [look]))
    usage = (await Simulation(Registry([counts])).run("job", "go")).usage
    assert (usage["modelCalls"], usage["inputTokens"], usage["outputTokens"]) == (2, 21, 10)


DEFAULTS = {"pydantic-ai": 50, "openai-agents": 10}
ENDS = {
    "own": (3, "limit_exceeded"),
    "pydantic-ai": (3, "UsageLimitExceeded"),
    "openai-agents": (3, "MaxTurnsExceeded"),
    "langgraph": (6, "GraphRecursionError"),  # which counts nodes: a request and its calls are two
}


@each_kind
async def test_a_run_that_goes_on_for_too_long_ends_as_in_its_library(kind: str) -> None:
    """Also where no limit is given: pydantic-ai has 50 requests then, and OpenAI's SDK 10."""
    most, error = ENDS[kind]
    for given, requests in [(most, 3), *([(None, DEFAULTS[kind])] if kind in DEFAULTS else [])]:
        script = Script(looking(60), [look], most=given)
        run = await Simulation(Registry([KINDS[kind](script)])).run("job", "go")
        assert ((run.error or {}).get("type"), len(script.read)) == (error, requests)


@each_kind
async def test_limits_budgets_and_rates_hold(kind: str) -> None:
    """Of Baton's own, which a library's agent has where they are given."""

    async def slow(n: int) -> str:
        """Be slow."""
        await asyncio.sleep(100)
        return "late"

    def script(**settings: Any) -> Script:
        return Script([[("slow", {"n": 1})], [("look", {"n": 1})], "done"], [slow, look], settings=settings)

    async def ended(**settings: Any) -> Run:
        return await Simulation(Registry([KINDS[kind](script(**settings))])).run("job", "go")

    assert ((await ended(limits=Limits(wall_seconds=30, on_limit="fail"))).error or {})["type"] == "limit_exceeded"
    assert ((await ended(limits=Limits(turns=1, on_limit="fail"))).error or {})["type"] == "limit_exceeded"
    spent = await ended(budgets=[Budget("acme", tokens=20, per="total")])
    assert (spent.error or {})["type"] == "budget_exceeded"
    paced = await ended(call_limits=[CallLimit("model", per_minute=0.1)])
    assert paced.result["answer"] == "done"
    assert paced.virtual_seconds >= 1_200


@each_kind
@pytest.mark.parametrize("value", [0, 2**60, -1.5, "", "é\0😀", "NaN", [], [[None]], {"": {"a b": True}}, None])
async def test_a_value_goes_in_and_out_as_it_is(kind: str, value: Any) -> None:
    given = list[Any]()

    async def echo(value: Any) -> Any:
        """Echo."""
        given.append(value)
        return value

    script = Script([[("echo", {"value": value})], "done"], [echo])
    ended = await played(KINDS[kind](script))
    assert (ended.job.error, given) == (None, [value])
    text = kind == "langgraph" and value not in ("", [], "NaN", "é\0😀")  # where a result is the text of its message
    assert ended.results[ended.calls[0].id]["ok"] == (json.dumps(value) if text else value)


@pytest.mark.parametrize("kind", LIBRARIES)
async def test_an_argument_that_json_has_no_number_for_ends_no_job(kind: str) -> None:
    given = list[Any]()

    async def take(value: Any) -> str:
        """Take."""
        given.append(str(value).lower())
        return "taken"

    ended = await played(KINDS[kind](Script([[("take", {"value": [float("-inf")]})], "done"], [take])))
    assert (ended.job.error, [text.strip("[']") for text in given]) in [(None, ["-infinity"]), (None, ["-inf"])]


@each_kind
async def test_each_fork_is_as_its_job(kind: str) -> None:
    script = Script([*looking(2)], [look])
    stage = PlayedStage(registry=Registry([KINDS[kind](script)]))
    await stage.submit("job", task="do it")
    await stage.run()
    wanted, asked = (await stage.snapshot()).job.result, len(script.read)
    for turn in (1, 2, 3):
        forked = await fork(stage, turn)
        assert (forked.job.result, forked.job.used.cached_calls) == (wanted, turn - 1)
    assert len(script.read) == asked + 3 + 2 + 1


@each_kind
async def test_the_page_of_a_turn_shows_the_request_that_was_sent(kind: str) -> None:
    """With its instructions and the results before it, and without what came later."""
    script = Script(looking(2), [look])
    stage = PlayedStage(registry=Registry([KINDS[kind](script)]), settings=with_keys())
    async with operator_of(stage) as operator:
        await stage.submit("job", task="do it")
        await stage.run()
        for turn in (1, 2, 3):
            page = (await operator.see(f"/console/jobs/job_1/turns/{turn}")).partition("What the model was sent")[2]
            found = [text in page for text in ("Be brief.", "do it", "seen 0", "seen 1", "done")]
            assert found == [True, True, turn > 1, turn > 2, False]


@each_kind
async def test_instructions_of_a_fork_are_those_of_turns_that_are_asked_anew(kind: str) -> None:
    script = Script(looking(1), [look])
    stage = PlayedStage(registry=Registry([KINDS[kind](script)]))
    await stage.submit("job", task="do it")
    await stage.run()
    forked = (await fork(stage, 2, Edits(instructions="Be kind."))).job
    if kind == "langgraph":  # whose instructions are within its graph
        assert (forked.error or Failure("", "")).type == "edits_not_taken"
    else:
        assert (forked.status, "Be kind." in str(script.read[-1])) == (JobStatus.COMPLETED, True)


@pytest.mark.parametrize("kind", LIBRARIES)
def test_what_is_no_agent_or_has_no_name_is_refused(kind: str) -> None:
    """And an agent is not changed."""
    durable, unnamed = DOORS[kind]
    before = dict(vars(unnamed))
    wrong: Any = "agent"
    with pytest.raises(TypeError, match=r"durable\(agent\): 'agent' is no"):
        durable(wrong)
    with pytest.raises(ValueError, match="has no name"):
        durable(unnamed)
    with pytest.raises(TypeError, match="must be a function of a JobInfo"):
        durable(unnamed, name="a", **{"deps" if kind == "pydantic-ai" else "context": {"db": 1}})
    assert (durable(unnamed, name="b").name, vars(unnamed)) == ("b", before)


@each_kind
async def test_a_file_of_a_chat_reaches_the_model_in_each_job_and_is_in_no_record_of_the_run(kind: str) -> None:
    picture = b64encode(b"\x89PNG\r\n\x1a\n" + bytes(LARGE_BYTES)).decode()
    script = Script([[("look", {"n": 1})], "seen", "seen again"], [look])
    stage = PlayedStage(registry=Registry([KINDS[kind](script)]), settings=with_keys())
    part = {"type": "file", "mediaType": "image/png", "url": f"data:image/png;base64,{picture}"}
    async with api_of(stage) as api:
        message = {"id": "m1", "role": "user", "parts": [{"type": "text", "text": "look"}, part]}
        sent: list[tuple[str, Any]] = [("m1", {"messages": [message]}), ("m2", {})]
        for name, given in sent:
            assert (await send(api, "c", name, "and?", agent="job", **given)).status_code == 200
    whole = "AAAAAAAA" * 1_000, "\\x00" * 1_000  # of Base64, or of bytes
    assert [any(each in repr(read) for each in whole) for read in script.read] == [True] * len(script.read)
    assert len(script.read) == 3
    kept = "".join(text for tree in stage.store.trees.values() for texts in tree.transcript.values() for text in texts)
    assert whole[0] not in kept


@pytest.mark.parametrize("kind", LIBRARIES)
async def test_an_approval_in_a_chat_holds_the_turn_and_lets_its_stream_go(kind: str) -> None:
    """Its run would go on as if the call had been made; what waits for two people waits for both."""
    ran = list[int]()

    async def pay(euros: int) -> str:
        """Pay."""
        ran.append(euros)
        return "paid"

    turns: list[Any] = [[("look", {"n": 1}), ("pay", {"euros": 3}), ("pay", {"euros": 4})], "answer 1"]
    agents = [KINDS[kind](Script(turns, [look, pay], asks=["pay"]))]
    stage = PlayedStage(registry=Registry(agents), settings=with_keys(job_retention_seconds=1_000))
    async with api_of(stage) as api:
        requesting = await sending(api, "c", "m1", "buy", agent="job")
        await api.stage.run(within_seconds=60)
        assert text_of(first := await requesting) == ""
        pending = (await api.request("GET", "/api/admin/agent-checkpoints", ADMIN)).json()["checkpoints"]
        api.stage.clock.ms += 20 * 3_600_000
        for one in sorted(pending, key=lambda one: int(one["arguments"]["euros"])):
            assert (await api.request("GET", "/api/chat/c/stream")).text.endswith("data: [DONE]\n\n")
            assert (await api.request("POST", f"/api/admin/agent-checkpoints/{one['id']}", ADMIN)).is_success
            await api.stage.run(within_seconds=60)
        assert sorted(ran) == [3, 4]
        shown = (await api.request("GET", "/api/sessions/c")).json()
        assert shown["activeOperations"] == []
        assert shown["messages"][-1]["parts"][-1]["text"] == "answer 1"
        assert shown["messages"][-1]["id"] == job_of(first)


MOMENTS = {"before the first request": [True, True], "during the answer": [False, False, True]}
MOMENTS |= {one: [False, True] for one in ("during a call", "during a question")}


@each_kind
@pytest.mark.parametrize("moment", MOMENTS)
async def test_what_a_user_sends_meanwhile_is_in_the_next_request(kind: str, moment: str) -> None:
    """Also after the answer, which is then no end."""

    async def steer(now: str) -> None:
        if now == moment:
            assert await sessions.steer(stage.job("job", "job_2", session="c"), {"text": "and two"})

    async def watch(n: int) -> str:
        """Watch."""
        await steer("during a call")
        return f"seen {n}"

    async def meanwhile() -> None:
        if len(script.read) == 2:
            await steer("during the answer")

    asks = ["watch"] if moment == "during a question" else []
    script = Script([[("watch", {"n": 1})], "a first answer", "both"], [watch], asks, meanwhile=meanwhile)
    async with api_of(PlayedStage(registry=Registry([KINDS[kind](script)]), settings=with_keys())) as api:
        stage, sessions = api.stage, Sessions(api.stage.container)
        await sessions.submit(stage.job("job", session="c"), {"text": "look", "data": {}, "chat": {}})
        await steer("before the first request")
        await run_for_an_hour(api)
        await steer("during a question")
        for asked in await checkpoints(api, "job_1"):
            assert (await decide(api, asked)).status_code == 200
        await stage.run()
        assert ["and two" in str(one) for one in script.read] == MOMENTS[moment]
        assert ["first answer" in str(one) for one in script.read[2:]] == [True] * len(MOMENTS[moment][2:])


@each_kind
async def test_a_step_that_never_ends_is_given_up_in_time(kind: str) -> None:
    """A model is asked again, and a call is begun again; then Baton's own agents are told, and others' runs end."""
    begun = list[int]()

    async def hang(n: int) -> str:
        """Hang."""
        begun.append(n)
        return await never()

    async def never() -> str:
        return await asyncio.sleep(100_000, "late")

    silent = Script(["done"], meanwhile=never)
    run = await Simulation(Registry([KINDS[kind](silent)])).run("job", "go")
    assert ((run.error or {}).get("type"), len(silent.read)) == ("model_timeout", 4)
    script = Script([[("hang", {"n": 1})], "done"], [hang])
    run = await Simulation(Registry([KINDS[kind](script)])).run("job", "go")
    assert (begun, (run.error or {}).get("type")) == ([1, 1, 1], None if kind == "own" else "timeout")


@each_kind
async def test_what_an_earlier_job_was_told_is_remembered_in_another_session(kind: str) -> None:
    """Before its task, in each of its requests, and in none of its own messages."""
    memory = Memory(minimum_score=0.1)
    script = Script([[("look", {"n": 1})], "It is noted."], [look], settings={"memory": memory})
    registry = Registry([KINDS[kind](script)])
    stage = PlayedStage(registry=registry, settings=with_keys(), long_term_memory=FakeLongTermMemory())
    async with api_of(stage) as api:
        job: dict[str, Any] = {}
        for number, task in enumerate(("The owner is called Ann.", "How is the owner called?")):
            job = await api.submitted(jobType="job", taskDescription=task, sessionId=f"s{number}")
            await stage.run()
        assert ["called Ann" in str(read) for read in script.read[2:]] == [True, True]
        if kind != "own":
            own = (await api.request("GET", f"/api/agent-jobs/{job['id']}/model-messages")).text
            assert ("seen 1" in own, "called Ann" in own) == (True, False)

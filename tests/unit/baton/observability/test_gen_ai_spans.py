"""Spans of agents, models, tools and plans: as OpenTelemetry's conventions want them, and each of them once."""

import asyncio
import json
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from msgspec.structs import replace
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.semconv._incubating.attributes import gen_ai_attributes
from pydantic import BaseModel

from baton import Agent, Call, Registry, ScriptedModel, Step, ToolContext, tool, workflow
from baton.sdk.models.model import Listener, ModelAnswer, ModelError, ModelRequest, Origin
from baton.worker.runtime.gen_ai import PROVIDERS
from tests.unit.baton.observability.conventions import CONVENTIONS, NEWER_VALUES
from tests.unit.baton.observability.traced import Traced, tracing

SECRET = "hunter2-hunter2"
SETTINGS = {
    "max_tokens": 100,
    "temperature": 0.5,
    "top_p": 1,
    "top_k": 3,
    "stop_sequences": ["."],
    "frequency_penalty": 0,
    "presence_penalty": 1,
    "seed": 7,
}
_EVERYTHING = Origin(
    provider="mistral",
    model="small-2",
    id="answer-1",
    finish_reason="stop",
    url="https://api.example.com/v1",
    streamed=True,
    cache_written_tokens=2,
    reasoning_tokens=3,
)
_while_asked: list[Callable[[], None]] = []


class Told(BaseModel):
    """An answer in a form."""

    text: str


class Speaks:
    name = "mistral:small"
    reads_history = True

    async def answer(self, request: ModelRequest) -> ModelAnswer:
        while _while_asked:
            _while_asked.pop()()
        if request.turn == 1:
            return ModelAnswer(calls=(Call("add", {"a": 1, "password": SECRET}),), origin=Origin(provider="mistral"))
        listener: Listener | None = request.listener
        if listener is not None:
            await listener.write("two")
        text = '{"text": "two"}' if request.output else "two"
        return ModelAnswer(text, (), 21, 4, 0.5, cached_input_tokens=5, origin=_EVERYTHING)


class Defers(Speaks):
    """A model that calls a slow tool, unless it was called before."""

    async def answer(self, request: ModelRequest) -> ModelAnswer:
        known = "later" in str(request.messages)
        return ModelAnswer("so be it") if known else ModelAnswer(calls=(Call("later"),))


@tool
async def add(a: int, ctx: ToolContext, password: str = "") -> dict[str, Any]:
    """Add one."""
    return {"sum": a + 1, "attempt": ctx.attempt, "password": password}


@tool(background=True)
async def later() -> int:
    """Take its time."""
    return 1


@tool(retries=1, retry_on=(LookupError,))
async def break_down() -> None:
    """Break."""
    raise LookupError("nothing there")


@workflow
async def adds(first: int = 1) -> int:
    """Add in two steps."""
    one, two = await asyncio.gather(add(first), add(2))  # type: ignore[call-arg]
    return int(one["sum"] + two["sum"])


@workflow
async def twice() -> int:
    """Start another one."""
    return await adds() + 1


_SCRIPTS = [Call("run_code", {"code": code}) for code in ("await add(1, password='p')\nawait add(2)", "1 // 0")]
_PLAN = [Call("make_plan", {"steps": [{"name": "one", "tool": "add", "arguments": {"a": 1}}]})]
REGISTRY = Registry(
    [
        Agent("full", Speaks(), "Add.", [add], model_settings=SETTINGS, description="Adds."),
        Agent("formed", Speaks(), "Add.", [add], output_type=Told),
        Agent("fails", ScriptedModel([RuntimeError("no way")]), model_retries=1),
        Agent("refused", ScriptedModel([ModelError("no", retryable=False)])),
        Agent("stumbles", ScriptedModel([[Call("break_down")], "so be it"]), tools=[break_down]),
        Agent("slow", Defers(), tools=[later]),
        Agent("fixed", plan=[Step("one", add, {"a": 1})]),
        Agent("plans", ScriptedModel([_PLAN, "done"]), tools=[add], mode="plan"),
        Agent("chain", [ScriptedModel([ModelError("busy", retryable=True)]), Speaks()], tools=[add]),
        Agent("coder", ScriptedModel([_SCRIPTS, "done"]), tools=[add], code_mode=True),
    ],
    workflows=[adds, twice],
)


async def spans_of(agent: str, *, content: bool = False) -> Sequence[ReadableSpan]:
    async with tracing(REGISTRY, content=content) as traced:
        job = await traced.api.submitted(jobType=agent)
        await traced.run()
        assert (await traced.api.read(job["id"]))["status"] in {"completed", "failed"}
        return gen_ai(traced)


def gen_ai(traced: Traced) -> Sequence[ReadableSpan]:
    return [span for span in traced.spans() if "gen_ai.operation.name" in (span.attributes or {})]


def named(spans: Sequence[ReadableSpan], name: str) -> dict[str, Any]:
    return dict([span.attributes or {} for span in spans if span.name == name][-1])


def own(attributes: dict[str, Any]) -> set[str]:
    return {name for name in attributes if not name.startswith(("baton.", "messaging."))}


@pytest.mark.parametrize("content", [False, True], ids=["plain", "content"])
@pytest.mark.parametrize("agent", [agent.name for agent in REGISTRY.agents])
async def test_each_span_is_as_the_conventions_want_it(agent: str, content: bool) -> None:
    spans = await spans_of(agent, content=content)
    assert "invoke_agent" in {str(span.attributes["gen_ai.operation.name"]) for span in spans if span.attributes}
    for span in spans:
        attributes = dict(span.attributes or {})
        wanted = CONVENTIONS[str(attributes["gen_ai.operation.name"])]
        known = {**wanted.attributes, **(wanted.content if content else {})}
        assert own(attributes) <= known.keys()
        assert wanted.required <= attributes.keys()
        assert {name for name in own(attributes) if type(attributes[name]) is not known[name]} == set()
        assert span.name == f"{attributes['gen_ai.operation.name']} {attributes[wanted.subject]}"
        assert span.kind.name == wanted.kind
        assert ("error.type" in attributes) == (span.status.status_code.name == "ERROR")


async def test_what_is_known_of_a_request_and_a_run_is_said() -> None:
    spans = [*await spans_of("full", content=True), *await spans_of("formed", content=True)]
    for name, unknown in {
        "chat small": {"error.type"},
        "execute_tool add": {"error.type"},
        "invoke_agent full": {"error.type", "gen_ai.output.type", "gen_ai.usage.cache_creation.input_tokens"},
    }.items():
        said = set[str]().union(*(own(dict(span.attributes or {})) for span in spans if span.name == name))
        wanted = CONVENTIONS[name.partition(" ")[0]]
        assert {*wanted.attributes, *wanted.content} - said == unknown
    chat = named(await spans_of("full"), "chat small")
    assert (chat["gen_ai.provider.name"], chat["gen_ai.usage.input_tokens"]) == ("mistral_ai", 21)
    assert (chat["server.address"], chat["server.port"]) == ("api.example.com", 443)
    run = named(await spans_of("full"), "invoke_agent full")
    assert (run["gen_ai.usage.input_tokens"], run["gen_ai.response.finish_reasons"]) == (21, ("stop",))


async def test_content_has_what_was_said_without_secrets() -> None:
    spans = await spans_of("full", content=True)
    texts = [str(value) for span in spans for value in (span.attributes or {}).values()]
    assert not any(SECRET in text for text in texts)
    called = named(spans, "execute_tool add")
    assert json.loads(called["gen_ai.tool.call.arguments"]) == {"a": 1, "password": "[redacted]"}
    assert json.loads(called["gen_ai.tool.call.result"])["sum"] == 2
    roles = [message["role"] for message in json.loads(named(spans, "chat small")["gen_ai.input.messages"])]
    assert roles == ["user", "assistant", "tool"]
    (asked, response) = json.loads(named(spans, "chat small")["gen_ai.input.messages"])[1:]
    assert asked["parts"][0]["id"] == response["parts"][0]["id"] == called["gen_ai.tool.call.id"]
    (said,) = json.loads(named(spans, "invoke_agent full")["gen_ai.output.messages"])
    assert said == {"role": "assistant", "parts": [{"type": "text", "content": "two"}]}


async def test_each_attempt_is_a_span_with_the_class_of_its_error() -> None:
    fails = await spans_of("fails")
    assert [span.attributes["error.type"] for span in fails if span.attributes] == [
        *["RuntimeError"] * 2,
        "model_error",
    ]
    stumbles = await spans_of("stumbles")
    tried = [span for span in stumbles if span.name == "execute_tool break_down"]
    assert [span.attributes["error.type"] for span in tried if span.attributes] == ["LookupError"] * 2
    assert "error.type" not in named(stumbles, "invoke_agent stumbles")


async def test_a_plan_is_above_the_request_that_made_it_and_beside_its_steps() -> None:
    """As the conventions say; a fixed plan has no request."""
    async with tracing(REGISTRY) as traced:
        await traced.api.submitted(jobType="plans")
        await traced.run()
        assert traced.parents()["plan plans"] == traced.parents()["execute_tool add"] == {"invoke_agent plans"}
        assert traced.parents()["chat scripted"] == {"plan plans", "invoke_agent plans"}
        planned, asked = named(traced.spans(), "plan plans"), named(traced.spans(), "chat scripted")
        for name in ("gen_ai.provider.name", "gen_ai.conversation.id"):
            assert planned[name] == asked[name]
    assert not any(span.name.startswith("chat") for span in await spans_of("fixed"))


async def test_steps_of_a_workflow_and_calls_of_a_script_are_below_their_job() -> None:
    """A workflow asks no model, and each script is a call, too, from its first stretch to its end."""
    async with tracing(REGISTRY) as traced:
        await traced.api.submitted(jobType="twice")
        await traced.run()
        above = traced.parents()
        assert above["execute_tool adds"] == {"invoke_agent twice"}
        assert (above["invoke_agent adds"], above["execute_tool add"]) == ({"execute_tool adds"}, {"invoke_agent adds"})
        assert "chat" not in {span.name.partition(" ")[0] for span in traced.spans()}
    async with tracing(REGISTRY) as traced:
        await traced.api.submitted(jobType="coder")
        await traced.run()
        assert (
            traced.parents()["execute_tool run_code"] == traced.parents()["execute_tool add"] == {"invoke_agent coder"}
        )
        scripts = [span for span in traced.spans() if span.name == "execute_tool run_code"]
        assert [(span.attributes or {}).get("error.type") for span in scripts] == [None, "script_error"]
        calls = [span for span in traced.spans() if span.name == "execute_tool add"]
        assert all((scripts[0].start_time or 0) <= (call.start_time or 0) for call in calls)


async def test_what_is_done_twice_is_one_span() -> None:
    """Here a model was asked twice, and the first one who asked was overtaken."""
    async with tracing(REGISTRY) as traced:
        job = await traced.api.submitted(jobType="full")
        event, store = traced.stage.events()[-1], traced.stage.store

        def replayed() -> None:
            tree = store.tree(job["id"])
            anew = {"owner": "", "lease_until_ms": 0}
            items = {key: replace(item, since_ms=item.since_ms + 1, **anew) for key, item in tree.items.items()}
            store.write(job["id"], replace(tree, items=items))

        _while_asked.append(replayed)
        for message_id in ("m1", "m2", "m3"):
            await traced.deliver(event, message_id)
        outcomes = [(span.attributes or {}).get("baton.outcome") for span in traced.spans() if span.name == "loop"]
        assert outcomes == ["overtaken", "done"]
        assert [span.name for span in gen_ai(traced)] == ["chat small"]


async def test_a_call_in_the_background_is_below_the_one_that_started_it() -> None:
    async with tracing(REGISTRY) as traced:
        await traced.api.submitted(jobType="slow")
        await traced.run()
        spans = gen_ai(traced)
        assert len({span.context.trace_id for span in spans if span.context}) == 1
        assert [span.name for span in spans].count("invoke_agent slow") == 2
        assert traced.parents()["execute_tool later"] == {"invoke_agent slow", "execute_tool later"}


async def test_a_score_is_a_span_of_its_job() -> None:
    async with tracing(REGISTRY) as traced:
        job = await traced.api.submitted(jobType="full")
        await traced.run()
        body = {"name": "right", "value": True, "comment": "It adds."}
        await traced.api.request("POST", f"/api/agent-jobs/{job['id']}/scores", json=body)
        shown = named(traced.spans(), "gen_ai.evaluation.result")
        evaluation = {name.removeprefix("gen_ai.evaluation."): value for name, value in shown.items()}
        assert (evaluation["name"], evaluation["score.value"], evaluation["score.label"]) == ("right", 1.0, "pass")
        assert evaluation["explanation"] == "It adds."
        assert shown["gen_ai.conversation.id"] == job["sessionId"]
        assert traced.parents()["gen_ai.evaluation.result"] == {"invoke_agent full"}


async def test_a_cancelled_job_has_its_span() -> None:
    async with tracing(REGISTRY) as traced:
        job = await traced.api.submitted(jobType="full")
        for _ in range(2):
            await traced.api.request("PATCH", f"/api/agent-jobs/{job['id']}", json={"action": "cancel"})
        assert [span.name for span in gen_ai(traced)] == ["invoke_agent full"]
        assert named(traced.spans(), "invoke_agent full")["baton.job.status"] == "cancelled"


def test_names_and_values_are_those_of_opentelemetry() -> None:
    """As its own package has them, which is made from the conventions."""
    names = {value for name, value in vars(gen_ai_attributes).items() if name.startswith("GEN_AI_")}
    used = {name for each in CONVENTIONS.values() for name in (*each.attributes, *each.content)}
    assert {name for name in used if name.startswith("gen_ai.")} <= names
    operations = {each.value for each in gen_ai_attributes.GenAiOperationNameValues}
    assert CONVENTIONS.keys() <= operations | NEWER_VALUES
    providers = {each.value for each in gen_ai_attributes.GenAiProviderNameValues}
    assert set(PROVIDERS.values()) <= providers | NEWER_VALUES

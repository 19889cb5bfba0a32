"""Traces: all work items of a job are one trace, with the right parents, across redeliveries and sweeps."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import pytest
from msgspec import structs
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from baton import Agent, Call, Pending, Registry, ScriptedModel, ToolContext, tool
from baton.engine.state import Job
from baton.observability.open_telemetry import OpenTelemetryTracer
from baton.observability.spans import Place, place_of
from baton.observability.tracing import submitted_at, with_trace
from baton.sdk.models.model import ModelAnswer
from baton.worker.container import Container
from tests.unit.baton.kit.stage import Stage
from tests.unit.baton.observability.traced import tracing
from tests.unit.baton.server.api.client import api_of, with_keys

CALLER = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@tool
async def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


@tool
async def ask_another(context: ToolContext) -> Pending:
    """Ask another agent."""
    return context.start("answers", "a part of it")


def registry() -> Registry:
    two = [Call("add", {"a": 1, "b": 2}), Call("add", {"a": 3, "b": 4})]
    return Registry(
        [
            Agent(name="answers", model=ScriptedModel([ModelAnswer(text="done", input_tokens=21, output_tokens=4)])),
            Agent(name="adds", model=ScriptedModel([two, "3 and 7"]), tools=[add]),
            Agent(name="asks", model=ScriptedModel([[Call("ask_another")], "done"]), tools=[ask_another]),
        ]
    )


@pytest.mark.parametrize("inline", [False, True], ids=["literal", "inline"])
async def test_a_job_is_one_trace_and_each_item_is_below_the_one_that_handed_it_on(inline: bool) -> None:
    async with tracing(registry(), inline=inline) as traced:
        job = await traced.api.submitted(jobType="adds")
        await traced.run()
        assert (await traced.api.read(job["id"]))["status"] == "completed"
        assert len({span.context.trace_id for span in traced.spans() if span.context}) == 1
        parents = traced.parents()
        assert parents["submit"] == {""}
        assert parents["call add"] == {"loop"}
        if not inline:  # in place it is taken in with its run
            assert parents["complete add"] == {"call add"}
        assert parents["loop"] == {"submit", "call add" if inline else "complete add"}
        assert parents["invoke_agent adds"] == {"submit"}
        assert parents["chat scripted"] == parents["execute_tool add"] == {"invoke_agent adds"}


async def test_a_redelivered_message_is_in_the_same_trace_and_below_the_same_item() -> None:
    async with tracing(registry()) as traced:
        await traced.api.submitted(jobType="answers")
        (event,) = [event for event in traced.stage.events() if getattr(event.payload, "command", None) is None]
        assert event.traceparent
        await traced.deliver(event, "m1", 1)
        await traced.deliver(event, "m1", 2)
        assert traced.parents()["loop"] == {"submit"}


async def test_what_a_sweep_replays_is_in_the_trace_of_its_job() -> None:
    async with tracing(registry()) as traced:
        job = await traced.api.submitted(jobType="answers")
        event = structs.replace(traced.stage.events()[-1], traceparent=None)
        await traced.deliver(event, "m1")
        (root,) = [span for span in traced.spans() if span.name == "submit"]
        (loop,) = [span for span in traced.spans() if span.name == "loop"]
        assert root.context is not None
        assert loop.parent is not None
        assert (loop.parent.trace_id, loop.parent.span_id) == (root.context.trace_id, root.context.span_id)
        assert loop.attributes is not None
        assert loop.attributes["baton.job.id"] == job["id"]


async def test_a_job_goes_on_with_its_callers_trace_and_so_does_the_job_below_it() -> None:
    """The caller says so by the header `traceparent`."""
    async with tracing(registry()) as traced:
        body = {"jobType": "asks", "taskDescription": "x"}
        await traced.api.request("POST", "/api/agent-jobs", json=body, headers={"traceparent": CALLER})
        await traced.run()
        trace_ids = {format(span.context.trace_id, "032x") for span in traced.spans() if span.context}
        assert trace_ids == {"0af7651916cd43dd8448eb211c80319c"}
        jobs = {str(span.attributes["baton.job.id"]) for span in traced.spans() if span.attributes}
        assert len(jobs) == 2
        (submit,) = [span for span in traced.spans() if span.name == "submit"]
        assert submit.parent is not None
        assert format(submit.parent.span_id, "016x") == "b7ad6b7169203331"
        assert {"slot request", "loop"} <= {span.name for span in traced.spans()}
        assert traced.parents()["invoke_agent answers"] == {"execute_tool ask_another"}
        assert traced.parents()["invoke_agent asks"] == {"submit"}


@pytest.mark.parametrize("named", ["", "shop"])
async def test_spans_are_of_baton_unless_the_librarys_variable_says_otherwise(
    monkeypatch: pytest.MonkeyPatch, named: str
) -> None:
    monkeypatch.setenv("OTEL_SERVICE_NAME", named)
    async with tracing(registry()) as traced:
        await traced.api.submitted(jobType="answers")
        await traced.run()
        assert {str(span.resource.attributes["service.name"]) for span in traced.spans()} == {named or "baton"}


async def test_an_exporter_that_fails_harms_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """The job goes on, and the log says that spans are lost."""

    class Broken(InMemorySpanExporter):
        def export(self, spans: Sequence[ReadableSpan]) -> None:  # type: ignore[override] # it never answers
            raise ConnectionError(len(spans))

    async with tracing(registry()) as traced:
        stage = traced.stage
        stage.ports = replace(stage.ports, tracer=OpenTelemetryTracer(Broken()))
        stage.container = Container(stage.container.settings, stage.ports, registry())
        async with api_of(stage) as api:
            await api.submitted(jobType="answers")
    assert "span(s) are lost: ConnectionError" in caplog.text


async def test_the_spans_of_a_commit_leave_while_its_delivery_goes_on() -> None:
    """One that is killed in the next step has lost none of the steps before; and each span leaves once."""
    committed, seen = ["chat scripted", "chat scripted", "execute_tool add"], list[list[str]]()

    def work() -> list[str]:
        return sorted(span.name for span in traced.spans() if span.name.startswith(("chat", "execute_tool")))

    @tool
    async def nap() -> None:
        async with asyncio.timeout(20):
            while work() != committed:  # noqa: ASYNC110 - spans are exported by a thread
                await asyncio.sleep(0.01)
        seen.append(work())

    model = ScriptedModel([[Call("add", {"a": 1, "b": 2})], [Call("nap")], "done"])
    async with tracing(Registry([Agent(name="naps", model=model, tools=[add, nap])]), inline=True) as traced:
        await traced.api.submitted(jobType="naps")
        await traced.run()
        assert seen == [committed]
        ids = [span.context.span_id for span in traced.spans() if span.context]
        assert len(ids) == len(set(ids)) > 10


async def test_where_nobody_traces_events_say_nothing_of_it() -> None:
    async with api_of(Stage(settings=with_keys(), registry=registry())) as api:
        body = {"jobType": "answers", "taskDescription": "x"}
        await api.request("POST", "/api/agent-jobs", json=body, headers={"traceparent": CALLER})
        shown = [message.body.replace('"traceparent":""', "") for message in api.stage.outgoing()]
        assert not any("traceparent" in text for text in shown)
        event = api.stage.events()[-1]
        assert with_trace(event) is event


@pytest.mark.parametrize(
    "text", ["", "garbage", CALLER[:-1], CALLER.upper(), "00-" + "0" * 32 + "-b7ad6b7169203331-01", "01" + CALLER[2:]]
)
def test_a_traceparent_that_says_nothing_is_none(text: str) -> None:
    assert place_of(text) is None


def test_a_job_without_a_caller_has_a_trace_of_its_own_which_all_its_items_know() -> None:
    root = Job("job_1", "s", "t", "a", 0)
    place = submitted_at(root)
    assert place == submitted_at(structs.replace(root, id="job_1.2")) != submitted_at(structs.replace(root, id="job_2"))
    assert place_of(place.traceparent) == place
    called = submitted_at(structs.replace(root, traceparent=CALLER))
    assert called == Place("0af7651916cd43dd8448eb211c80319c", place.span_id)

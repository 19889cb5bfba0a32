"""Traces: all work items of a job are one trace, with the right parents, across redeliveries and sweeps."""

import asyncio
import re
import threading
from collections.abc import Sequence
from dataclasses import replace
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
from msgspec import structs
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from baton import Agent, Call, Pending, Registry, ScriptedModel, ToolContext, tool
from baton.engine.state import Job
from baton.observability.open_telemetry import OpenTelemetryTracer
from baton.observability.spans import Place, Span, place_of
from baton.observability.tracing import submitted_at, with_trace
from baton.sdk.models.model import ModelAnswer
from baton.settings.table import ALL_SETTINGS
from baton.worker.container import Container
from tests.architecture.source_files import ROOT
from tests.fakes.http_server import ThreadingServer
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
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment=eu")
    async with tracing(registry()) as traced:
        await traced.api.submitted(jobType="answers")
        await traced.run()
        assert {str(span.resource.attributes["service.name"]) for span in traced.spans()} == {named or "baton"}
        assert {str(span.resource.attributes["deployment.environment"]) for span in traced.spans()} == {"eu"}


RATIO = {"OTEL_TRACES_SAMPLER": "traceidratio"}


@pytest.mark.parametrize(
    ("variables", "of_its_own", "sampled", "not_sampled"),
    [
        pytest.param({}, True, True, False, id="as the caller has it"),
        pytest.param({"OTEL_TRACES_SAMPLER": "parentbased_always_off"}, False, True, False, id="only the caller's"),
        pytest.param({"OTEL_TRACES_SAMPLER": "always_on"}, True, True, True, id="all"),
        pytest.param({"OTEL_TRACES_SAMPLER": "always_off"}, False, False, False, id="none"),
        pytest.param(RATIO | {"OTEL_TRACES_SAMPLER_ARG": "0"}, False, False, False, id="no part"),
        pytest.param(RATIO | {"OTEL_TRACES_SAMPLER_ARG": "1"}, True, True, True, id="the whole"),
        pytest.param({"OTEL_SDK_DISABLED": "true"}, False, False, False, id="disabled"),
    ],
)
@pytest.mark.parametrize("inline", [False, True], ids=["literal", "inline"])
async def test_a_trace_is_sampled_as_a_whole(
    monkeypatch: pytest.MonkeyPatch,
    variables: dict[str, str],
    of_its_own: bool,
    sampled: bool,
    not_sampled: bool,
    inline: bool,
) -> None:
    """With the jobs below it and its scores, by the caller's flag and the library's variables; nobody lacks a job."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    for flags, leaves in (("", of_its_own), ("01", sampled), ("03", sampled), ("00", not_sampled), ("02", not_sampled)):
        async with tracing(registry(), inline=inline) as traced:
            body, headers = {"jobType": "asks", "taskDescription": "x"}, {"traceparent": f"{CALLER[:-2]}{flags}"}
            answer = await traced.api.request("POST", "/api/agent-jobs", json=body, headers=headers if flags else {})
            await traced.run()
            path = f"/api/agent-jobs/{answer.json()['id']}"
            scored = await traced.api.request("POST", f"{path}/scores", json={"name": "good", "value": 1})
            assert scored.status_code == 201, scored.text
            names = {span.name for span in traced.spans()}
            whole = {"submit", "loop", "invoke_agent asks", "invoke_agent answers", "gen_ai.evaluation.result"}
            assert (names >= whole) if leaves else not names, (flags, names)
            flag = {event.traceparent[-2:] for event in traced.stage.events() if event.traceparent}
            assert flag == {"01" if leaves else "00"}, "each process is told"


async def test_a_part_of_the_traces_leaves_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "parentbased_traceidratio")
    monkeypatch.setenv("OTEL_TRACES_SAMPLER_ARG", "0.5")
    async with tracing(registry()) as traced:
        jobs = [(await traced.api.submitted(jobType="asks"))["id"] for _ in range(12)]
        await traced.run()
        ended = {str((span.attributes or {})["baton.job.id"]) for span in traced.spans() if "invoke" in span.name}
        begun = {str((span.attributes or {})["baton.job.id"]) for span in traced.spans() if span.name == "submit"}
    assert begun == ended & set(jobs)
    assert 0 < len(begun) < 12
    assert ended == begun | {job for job in ended if job.partition(".")[0] in begun}
    assert len(ended) == 2 * len(begun)


async def test_the_exporters_own_variables_count(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = list[tuple[str, str, str]]()

    class Collector(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            seen.append((self.path, self.headers["x-key"], self.headers["content-encoding"]))
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
            """Print nothing."""

    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "x-key=open%20sesame")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip")
    with ThreadingServer(("127.0.0.1", 0), Collector) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        span = Span("submit", "a" * 32, "b" * 16, "", 0, 0)
        await OpenTelemetryTracer.to(f"http://127.0.0.1:{server.server_port}/base").export([span])
        server.shutdown()
        thread.join()
    assert seen == [("/base/v1/traces", "open sesame", "gzip")]


def test_the_page_names_the_variables_that_are_tried_here() -> None:
    page, here = (ROOT / "docs/operations.md").read_text(), Path(__file__).read_text()
    named = set(re.findall(r"OTEL_[A-Z_]+[A-Z]", page.partition("## Traces")[2].partition("\n## ")[0]))
    ours = {setting.name for setting in ALL_SETTINGS}
    assert named - ours == set(re.findall(r'"(OTEL_[A-Z_]+)"', here)) - ours


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
    "text",
    [
        "",
        "garbage",
        CALLER[:-1],
        CALLER.upper(),
        "00-" + "0" * 32 + "-b7ad6b7169203331-01",
        "ff" + CALLER[2:],
        f"{CALLER}-1",
    ],
)
def test_a_traceparent_that_says_nothing_is_none(text: str) -> None:
    assert place_of(text) is None


def test_a_job_without_a_caller_has_a_trace_of_its_own_which_all_its_items_know() -> None:
    root = Job("job_1", "s", "t", "a", 0)
    samples = OpenTelemetryTracer(InMemorySpanExporter()).samples
    place = submitted_at(root, samples)
    assert place == submitted_at(structs.replace(root, id="job_1.2"), samples)
    assert place != submitted_at(structs.replace(root, id="job_2"), samples)
    assert place_of(place.traceparent) == place
    called = submitted_at(structs.replace(root, traceparent=CALLER), samples)
    assert called == Place("0af7651916cd43dd8448eb211c80319c", place.span_id)

"""The course of a demo, over HTTP answers as the product gives them."""

import asyncio
import io
import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
import respx
from rich.console import Console

from baton_local.cli.demo.story import Scenario, Story, Task
from baton_local.dev.data_folder import DevFile
from baton_local.dev.stack_error import StackError

APP, QUEUE, REDIS = "http://app", "http://queue", "http://redis"
JOBS = f"{APP}/api/agent-jobs"
STACK = DevFile(APP, QUEUE, REDIS, "http://vector", "qt", "rt", "vt", "ck", "ak", "ok", "s1", "s2", {"app": 1})
STREAM = {"content-type": "text/event-stream"}
JOB = {"id": "job_1", "jobType": "research"}
EVENT = {"eventId": "e", "type": "agent.loop.init", "turn": 1, "attempt": 1, "durationMs": 3, "outcome": "finished"}
HAPPENED = {"type": "data-event", "data": EVENT}


def sse(*parts: dict[str, Any] | str, first: int = 1) -> str:
    texts = [part if isinstance(part, str) else json.dumps(part) for part in parts]
    return "".join(f"id: {number}-0\ndata: {text}\n\n" for number, text in enumerate(texts, first))


@pytest.fixture
def web() -> Iterator[respx.MockRouter]:
    with respx.mock(assert_all_called=False) as router:
        router.get(f"{QUEUE}/admin/counters").mock(
            side_effect=[
                httpx.Response(200, json={"users": {"primary": {"published": 10, "deliveries": 10}}}),
                httpx.Response(200, json={"users": {"primary": {"published": 15, "deliveries": 16}}}),
            ]
        )
        router.get(f"{REDIS}/admin/counters").mock(
            side_effect=[
                httpx.Response(200, json={"http_requests": 100, "commands_executed": 1000}),
                httpx.Response(200, json={"http_requests": 107, "commands_executed": 1033}),
            ]
        )
        router.post(JOBS).respond(202, json={**JOB, "status": "pending"})
        router.get(f"{JOBS}/job_1").respond(json={**JOB, "status": "completed", "result": {"answer": "Forty-two."}})
        yield router


async def played(*tasks: Task, app: Callable[[], int | None] | None = None) -> tuple[int, str]:
    screen = io.StringIO()
    story = Story(Scenario("research", "", tasks or (Task("Why?"),), 2), Console(file=screen, width=80))
    return await story.play(STACK, app), screen.getvalue()


async def test_a_completed_job_shows_answer_and_bill(web: respx.MockRouter) -> None:
    web.get(f"{JOBS}/job_1/stream").respond(text=sse(HAPPENED, "[DONE]"), headers=STREAM)
    code, shown = await played()
    assert code == 0
    assert "Forty-two." in shown
    lines = [" ".join(line.split()) for line in shown.splitlines()]
    assert "Queue messages 5 sent; 6 deliveries brought them, retries included" in lines
    assert "Redis requests 7 7.0 per event, reading this stream included" in lines
    assert "Redis commands 33 33.0 per event" in lines
    assert lines[-1].startswith("Next: `baton dev`")
    assert "…" not in lines[-1]
    assert web.calls[2].request.headers["Authorization"] == "Bearer ck"
    assert json.loads(web.calls[2].request.content) == {"jobType": "research", "taskDescription": "Why?"}


async def test_several_jobs_are_shown_one_after_another(web: respx.MockRouter) -> None:
    """With their sessions, what each retrieved of memory, and one bill for all."""
    web.get(f"{JOBS}/job_1/stream").respond(text=sse(HAPPENED, "[DONE]"), headers=STREAM)
    entry = {"kind": "note", "text": "It rains.", "sessionId": "s", "score": 0.75}
    memory = {"entries": [entry], "warnings": []}
    done = {**JOB, "status": "completed", "result": {"answer": "Rain."}, "memory": memory}
    web.get(f"{JOBS}/job_1").respond(json=done)
    code, shown = await played(Task("Remember.", "s"), Task("Why?", "t"))
    assert code == 0
    assert shown.count("Rain.") == 2
    assert "note of session s (0.75 near): It rains." in shown
    assert shown.count("Events handled") == 1
    assert re.search("Events handled +2 ", shown)
    bodies = [json.loads(call.request.content) for call in web.calls if call.request.method == "POST"]
    assert [(body["taskDescription"], body["sessionId"]) for body in bodies] == [("Remember.", "s"), ("Why?", "t")]


async def test_a_job_that_fails_ends_the_demo(web: respx.MockRouter) -> None:
    """With its reason; what would come after it is not submitted."""
    web.get(f"{JOBS}/job_1/stream").respond(text=sse("[DONE]"), headers=STREAM)
    web.get(f"{JOBS}/job_1").respond(json={**JOB, "status": "failed", "error": {"type": "X", "message": "no model"}})
    code, shown = await played(Task("One."), Task("Two."))
    assert (code, "failed: no model" in shown) == (1, True)
    assert len([call for call in web.calls if call.request.method == "POST"]) == 1


async def test_a_broken_stream_is_resumed_after_the_last_part(web: respx.MockRouter) -> None:
    stream = web.get(f"{JOBS}/job_1/stream").mock(
        side_effect=[
            httpx.Response(200, text=sse(HAPPENED), headers=STREAM),
            httpx.ConnectError("refused"),
            httpx.Response(503),
            httpx.Response(200, text=sse(HAPPENED, "[DONE]", first=2), headers=STREAM),
        ]
    )
    code, shown = await played()
    assert code == 0
    assert shown.count("agent.loop.init") == 2
    assert [call.request.headers.get("Last-Event-ID") for call in stream.calls] == [None, "1-0", "1-0", "1-0"]


async def test_what_does_not_answer_is_one_clear_error(web: respx.MockRouter) -> None:
    web.get(f"{JOBS}/job_1/stream").respond(404, text="unknown")
    with pytest.raises(StackError, match="answered 404: unknown"):
        await played()
    web.post(JOBS).respond(422, json={"detail": "no agent 'research'"})
    web.get(f"{QUEUE}/admin/counters").respond(200, json={"users": {"primary": {"published": 1, "deliveries": 1}}})
    web.get(f"{REDIS}/admin/counters").respond(200, json={"http_requests": 1, "commands_executed": 1})
    with pytest.raises(StackError, match=r"answered 422: .*no agent"):
        await played()
    web.get(f"{QUEUE}/admin/counters").mock(side_effect=httpx.ConnectError("refused"))
    with pytest.raises(StackError, match=r"http://queue/admin/counters does not answer .*refused"):
        await played()


async def test_what_a_job_asks_is_approved_as_an_operator(web: respx.MockRouter) -> None:
    """The demo says so; a question that somebody else has decided meanwhile is left as it is."""
    tasks = {"id": "op_1", "type": "approval", "status": "pending", "title": "write files"}
    part = {"type": "data-checkpoint", "id": "op_1", "data": tasks}
    web.get(f"{JOBS}/job_1/stream").respond(text=sse(part, "[DONE]"), headers=STREAM)
    decided = web.post(f"{APP}/api/admin/agent-checkpoints/op_1").respond(409, text="decided")
    code, shown = await played()
    assert (code, decided.call_count) == (0, 1)
    assert decided.calls[0].request.headers["Authorization"] == "Bearer ak"
    assert "here the demo approves" in shown


@pytest.fixture
def process() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen([sys.executable, "-S", "-c", "import time; time.sleep(60)"]) as made:
        yield made
        made.kill()


async def test_the_app_is_killed_once_and_not_before_its_time(
    web: respx.MockRouter, process: subprocess.Popen[bytes]
) -> None:
    """One that is just starting is left alone."""
    web.get(f"{JOBS}/job_1/stream").respond(text=sse(*[HAPPENED] * 5, "[DONE]"), headers=STREAM)
    starting = iter([None])
    code, shown = await played(app=lambda: next(starting, process.pid))
    assert process.wait(10) == -9
    assert (code, shown.count("kill -9")) == (0, 1)
    assert shown.partition("kill -9")[0].count("agent.loop.init") == 3


def child(job_id: str, status: str = "waiting") -> Any:
    return {"type": "data-operation", "data": {"callId": "c", "tool": "helper", "status": status, "jobId": job_id}}


async def test_jobs_below_are_followed_to_their_end_each_once(web: respx.MockRouter) -> None:
    """Two levels deep, with the tool's name; what belongs to the event of one is not shown with that of another."""
    looks = {"type": "tool-input-available", "toolCallId": "c", "toolName": "look", "input": {"x": "y" * 200}}
    asleep = {"type": "data-operation", "data": {"callId": "c", "tool": "sleep", "status": "waiting", "until": 5}}
    streams = {
        "job_1": (child("a.b"), child("a.b", "completed"), asleep, HAPPENED),
        "a.b": (child("a.c"), looks, HAPPENED),
        "a.c": ({"type": "tool-output-error", "toolCallId": "c", "errorText": "a\x1b[31m [b]bold[/b]"}, HAPPENED),
    }
    for job_id, parts in streams.items():
        web.get(f"{JOBS}/{job_id}/stream").respond(text=sse(*parts, "[DONE]"), headers=STREAM)
    _, shown = await played()
    turns = [line[9:] for line in shown.splitlines() if "turn 1: finished" in line]
    assert [turn.partition("agent")[0] for turn in turns] == ["", "  ", "    "]
    assert ["helper turn" in turn for turn in turns] == [False, True, True]
    assert [line for line in shown.splitlines() if "yyy" in line] == [" " * 11 + 'look {"x": "' + "y" * 56 + "…"]
    assert "failed: a [31m [b]bold[/b]" in shown
    assert re.search("Events handled +3 ", shown)
    assert max(map(len, shown.splitlines())) <= 80


async def test_a_refused_stream_below_ends_it_with_its_error(web: respx.MockRouter) -> None:
    web.get(f"{JOBS}/job_1/stream").respond(text=sse(child("a.b"), "[DONE]"), headers=STREAM)
    web.get(f"{JOBS}/a.b/stream").respond(404, text=json.dumps("unknown"))
    with pytest.raises(StackError, match="answered 404"):
        await played()
    assert asyncio.all_tasks() == {asyncio.current_task()}


def test_errors_in_logs_are_shown_only_when_requested() -> None:
    """A demo that fails shows the last of them; notices are shown at once. Without colour there are no escape codes."""
    screen = io.StringIO()
    story = Story(Scenario("research", "", ()), Console(file=screen, width=80))
    story.notice("app", "ended by itself")
    for number in range(20):
        story.log_line("app", f"line {number}")
    assert screen.getvalue().splitlines() == ["  !!  app ended by itself"]
    story.show_last_log_lines()
    assert screen.getvalue().splitlines()[-1] == "app | line 19"
    assert "line 3" not in screen.getvalue()

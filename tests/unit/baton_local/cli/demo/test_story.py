"""The course of a demo, over HTTP answers as the product gives them."""

import io
import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import respx
from rich.console import Console

from baton_local.cli.demo.scenario import KillApp, Scenario, Task
from baton_local.cli.demo.story import Story
from baton_local.cli.demo.view import DemoView
from baton_local.dev.data_folder import DevFile
from baton_local.dev.stack_error import StackError

APP, QUEUE, REDIS = "http://app", "http://queue", "http://redis"
JOBS = f"{APP}/api/agent-jobs"
STACK = DevFile(APP, QUEUE, REDIS, "http://vector", "qt", "rt", "vt", "ck", "ak", "ok", "s1", "s2", {"app": 1})
STREAM = {"content-type": "text/event-stream"}
JOB = {"id": "job_1", "jobType": "research"}
EVENT = {"eventId": "e", "type": "agent.loop.init", "turn": 1, "attempt": 1, "durationMs": 3, "outcome": "finished"}


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


ONE = (Task("Why?"),)


async def tell(fault: KillApp | None = None, tasks: tuple[Task, ...] = ONE) -> tuple[int, str]:
    screen = io.StringIO()
    view = DemoView(Console(file=screen, width=80))
    return await Story(Scenario("research", "", tasks), STACK, view, fault).play(), screen.getvalue()


async def test_a_completed_job_shows_answer_and_bill(web: respx.MockRouter) -> None:
    web.get(f"{JOBS}/job_1/stream").respond(text=sse({"type": "data-event", "data": EVENT}, "[DONE]"), headers=STREAM)
    code, shown = await tell()
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


async def test_a_failed_job_is_exit_code_1_with_its_reason(web: respx.MockRouter) -> None:
    web.get(f"{JOBS}/job_1/stream").respond(text=sse("[DONE]"), headers=STREAM)
    web.get(f"{JOBS}/job_1").respond(json={**JOB, "status": "failed", "error": {"type": "X", "message": "no model"}})
    code, shown = await tell()
    assert code == 1
    assert "failed: no model" in shown


async def test_several_jobs_are_shown_one_after_another(web: respx.MockRouter) -> None:
    """With their sessions, what each retrieved of memory, and one bill for all."""
    web.get(f"{JOBS}/job_1/stream").respond(text=sse({"type": "data-event", "data": EVENT}, "[DONE]"), headers=STREAM)
    entry = {"kind": "note", "text": "It rains.", "sessionId": "s", "score": 0.75}
    memory = {"entries": [entry], "warnings": []}
    done = {**JOB, "status": "completed", "result": {"answer": "Rain."}, "memory": memory}
    web.get(f"{JOBS}/job_1").respond(json=done)
    code, shown = await tell(tasks=(Task("Remember.", "s"), Task("Why?", "t")))
    assert code == 0
    assert shown.count("Rain.") == 2
    assert "note of session s (0.75 near): It rains." in shown
    assert shown.count("Events handled") == 1
    assert "Events handled       2" in shown
    bodies = [json.loads(call.request.content) for call in web.calls if call.request.method == "POST"]
    assert [(body["taskDescription"], body["sessionId"]) for body in bodies] == [("Remember.", "s"), ("Why?", "t")]


async def test_a_job_that_fails_ends_the_demo(web: respx.MockRouter) -> None:
    """What would come after it is not submitted."""
    web.get(f"{JOBS}/job_1/stream").respond(text=sse("[DONE]"), headers=STREAM)
    web.get(f"{JOBS}/job_1").respond(json={**JOB, "status": "failed", "error": {"type": "X", "message": "no model"}})
    code, _ = await tell(tasks=(Task("One."), Task("Two.")))
    assert code == 1
    assert len([call for call in web.calls if call.request.method == "POST"]) == 1


async def test_a_broken_stream_is_resumed_after_the_last_part(web: respx.MockRouter) -> None:
    stream = web.get(f"{JOBS}/job_1/stream").mock(
        side_effect=[
            httpx.Response(200, text=sse({"type": "data-event", "data": EVENT}), headers=STREAM),
            httpx.ConnectError("refused"),
            httpx.Response(503),
            httpx.Response(200, text=sse({"type": "data-event", "data": EVENT}, "[DONE]", first=2), headers=STREAM),
        ]
    )
    code, shown = await tell()
    assert code == 0
    assert shown.count("agent.loop.init") == 2
    assert [call.request.headers.get("Last-Event-ID") for call in stream.calls] == [None, "1-0", "1-0", "1-0"]


async def test_a_refused_submission_is_one_clear_error(web: respx.MockRouter) -> None:
    web.post(JOBS).respond(422, json={"detail": "no agent 'research'"})
    with pytest.raises(StackError, match=r"answered 422: .*no agent"):
        await tell()


async def test_a_refused_stream_is_one_clear_error(web: respx.MockRouter) -> None:
    web.get(f"{JOBS}/job_1/stream").respond(404, text="unknown")
    with pytest.raises(StackError, match="answered 404: unknown"):
        await tell()


async def test_a_server_that_went_away_is_one_clear_error(web: respx.MockRouter) -> None:
    web.get(f"{QUEUE}/admin/counters").mock(side_effect=httpx.ConnectError("refused"))
    with pytest.raises(StackError, match=r"http://queue/admin/counters does not answer .*refused"):
        await tell()


async def test_what_a_job_asks_is_approved_as_an_operator(web: respx.MockRouter) -> None:
    """The demo says so; a question that somebody else has decided meanwhile is left as it is."""
    tasks = {"id": "op_1", "type": "approval", "status": "pending", "title": "write files"}
    part = {"type": "data-checkpoint", "id": "op_1", "data": tasks}
    web.get(f"{JOBS}/job_1/stream").respond(text=sse(part, "[DONE]"), headers=STREAM)
    decided = web.post(f"{APP}/api/admin/agent-checkpoints/op_1").respond(409, text="decided")
    code, shown = await tell()
    assert (code, decided.call_count) == (0, 1)
    assert decided.calls[0].request.headers["Authorization"] == "Bearer ak"
    assert "here the demo approves" in shown

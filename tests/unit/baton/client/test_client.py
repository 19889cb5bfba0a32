"""The client when things go wrong: it repeats what does no harm, and continues streams where they broke off."""

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from baton.client import ApiError, AsyncBatonClient, BatonClient, ConflictError, Job, NotFoundError, UnreachableError
from baton.client.requests import Events
from tests.unit.baton.kit.stage import BASE, Stage
from tests.unit.baton.server.api.client import ACME, api_of, with_keys

JOB = {"id": "job_1", "jobType": "a", "status": "completed", "later": "a field of another version"}
LOST = httpx.ReadError("connection lost")


@pytest.fixture(autouse=True)
def paused(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses that are made, which take no time."""
    found: list[float] = []
    monkeypatch.setattr(time, "sleep", found.append)
    return found


class Script(httpx.SyncByteStream):
    """A stream's body: pieces, and the error that it ends with."""

    def __init__(self, *pieces: str | Exception) -> None:
        self._pieces = pieces

    def __iter__(self) -> Iterator[bytes]:
        for piece in self._pieces:
            if isinstance(piece, Exception):
                raise piece
            yield piece.encode()


def stream(*pieces: str | Exception) -> httpx.Response:
    return httpx.Response(200, headers={"content-type": "text/event-stream"}, stream=Script(*pieces))


def part(number: int, **body: Any) -> str:
    return f"id: 1-{number}\ndata: {json.dumps(body, ensure_ascii=False)}\n\n"


DONE = "data: [DONE]\n\n"


class Server:
    """Answers one request after another from a list, and keeps what it was sent."""

    def __init__(self, *answers: httpx.Response | Exception) -> None:
        self._answers = list(answers)
        self.sent: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.sent.append(request)
        answer = self._answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def client(self, **options: Any) -> BatonClient:
        return BatonClient("http://x/", "bk_secret", transport=httpx.MockTransport(self), **options)


def problem(status: int, retry_after: str = "", **fields: Any) -> httpx.Response:
    headers = {"retry-after": retry_after} if retry_after else {}
    return httpx.Response(status, json={"title": "t", "status": status, "detail": "why", **fields}, headers=headers)


def test_a_submission_is_repeated_with_one_key_until_it_is_taken(paused: list[float]) -> None:
    """After a lost connection and after trouble of the server, with growing pauses."""
    server = Server(LOST, problem(503), problem(502), httpx.Response(202, json=JOB))
    assert server.client().submit("a", "t") == Job(id="job_1", job_type="a", status="completed")
    (key,) = {request.headers["idempotency-key"] for request in server.sent}
    assert len(key) > 10
    assert paused == sorted(paused)
    server = Server(httpx.Response(202, json=JOB))
    server.client().submit("a", idempotency_key="mine")
    assert server.sent[0].headers["idempotency-key"] == "mine"


def test_retry_after_is_obeyed(paused: list[float]) -> None:
    """A request does not come before; one that would have to wait for too long fails at once."""
    assert Server(problem(429, "7"), httpx.Response(200, json=JOB)).client().get("job_1").has_ended
    assert paused == [7]
    with pytest.raises(ApiError) as refused:
        Server(problem(429, "90")).client().get("job_1")
    assert (refused.value.status, refused.value.retry_after_seconds, paused) == (429, 90, [7])


@pytest.mark.parametrize(
    "call",
    [
        lambda client: client.approve("op_1"),
        lambda client: client.retry("job_1"),
        lambda client: client.send_event("job_1", "paid"),
    ],
)
def test_what_may_not_arrive_twice_is_sent_once(call: Callable[[BatonClient], Any]) -> None:
    """Nobody knows whether it arrived."""
    server = Server(LOST)
    with pytest.raises(UnreachableError, match=r"no answer from http://x/api/.*: connection lost"):
        call(server.client())
    assert len(server.sent) == 1


def test_tries_end_when_their_time_is_up(paused: list[float]) -> None:
    """`retry_seconds` is the sum of the pauses; 0 means none."""
    with pytest.raises(UnreachableError):
        Server(*[LOST] * 50).client(retry_seconds=3).get("job_1")
    assert 1 < sum(paused) <= 3
    server = Server(LOST)
    with pytest.raises(UnreachableError):
        server.client(retry_seconds=0).get("job_1")
    assert len(server.sent) == 1


@pytest.mark.parametrize(
    ("status", "kind"), [(404, NotFoundError), (410, NotFoundError), (409, ConflictError), (422, ApiError)]
)
def test_a_refusal_is_an_error_in_the_apis_words(status: int, kind: type[ApiError]) -> None:
    fault = {"field": "jobType", "message": "unknown agent 'x'"}
    with pytest.raises(kind) as refused:
        Server(problem(status, code="INVALID", errors=[fault])).client().submit("x")
    error = refused.value
    assert type(error) is kind
    said = (error.status, error.title, error.detail, error.code, error.errors)
    assert said == (status, "t", "why", "INVALID", [fault])
    assert str(error) == f"POST http://x/api/agent-jobs answered {status}: jobType: unknown agent 'x'"


def test_what_is_not_baton_is_named() -> None:
    page = httpx.Response(200, text="<html>", headers={"content-type": "text/html"})
    for call in (lambda client: client.get("j"), lambda client: list(client.stream("j"))):
        with pytest.raises(UnreachableError, match="is this its address"):
            call(Server(page).client())


def test_a_stream_continues_where_it_broke_off() -> None:
    """Whatever ends it: each part is given once, to the end. Line separators within a text are no ends of lines."""
    server = Server(
        stream(
            part(1, type="start", messageId="job_1"), ": heartbeat\n\n", part(2, type="text-start", id="t")[:20], LOST
        ),
        problem(503),
        LOST,
        stream(part(2, type="text-start", id="t"), "retry: 1500\n\n"),
        stream(part(3, type="text-delta", id="t", delta="a\u2028b\x85"), DONE, part(9, type="never")),
    )
    found = list(server.client().stream("job/1"))
    assert [one.position for one in found] == ["1-1", "1-2", "1-3"]
    assert (found[2].delta, found[2].id, found[2].raw["type"]) == ("a\u2028b\x85", "t", "text-delta")
    assert [one.headers.get("last-event-id") for one in server.sent] == [None, "1-1", "1-1", "1-1", "1-2"]
    assert server.sent[0].url.raw_path == b"/api/agent-jobs/job%2F1/stream"


def test_another_process_continues_a_stream(paused: list[float]) -> None:
    """After the position that it was given; the server's `retry` is obeyed. Who stops reading hangs up."""
    server = Server(stream("retry: 1500\n\n"), answer := stream(part(4, type="start"), part(5, type="finish"), DONE))
    for one in server.client().stream("job_1", after="1-3"):
        assert one.position == "1-4"
        break
    assert [one.headers["last-event-id"] for one in server.sent] == ["1-3", "1-3"]
    assert (paused, answer.is_closed) == ([1.5], True)


def test_a_stream_that_is_refused_or_gone_for_good_fails() -> None:
    with pytest.raises(ApiError, match="401"):
        list(Server(stream(part(1, type="start")), problem(401)).client().stream("job_1"))
    with pytest.raises(UnreachableError):
        list(Server(*(stream(LOST) for _ in range(50))).client(retry_seconds=3).stream("job_1"))


def test_a_chat_continues_in_its_jobs_stream() -> None:
    """Its message is sent again only while nothing has come of it."""
    server = Server(LOST, stream(part(1, type="start", messageId="job_1"), LOST), stream(part(2, type="finish"), DONE))
    assert [one.type for one in server.client().chat("s", "hello")] == ["start", "finish"]
    first, again, continued = server.sent
    assert first.content == again.content
    assert (continued.method, continued.url.path) == ("GET", "/api/agent-jobs/job_1/stream")
    assert continued.headers["last-event-id"] == "1-1"


def test_a_chat_without_an_answer_of_its_own() -> None:
    """A message that steers a running job gives that job's parts; where nothing runs there is nothing to resume."""
    steered = httpx.Response(202, json={"jobId": "job_2"})
    server = Server(steered, stream(part(1, type="start"), DONE))
    assert len(list(server.client().chat("s", "faster", when_busy="steer"))) == 1
    assert server.sent[1].url.path == "/api/agent-jobs/job_2/stream"
    assert list(Server(httpx.Response(204)).client().resume_chat("s")) == []


def test_waiting_ends_with_the_job_or_in_time(paused: list[float]) -> None:
    """Pauses grow to five seconds, and the last one ends with the time."""
    running = httpx.Response(200, json={**JOB, "status": "waiting", "waitingFor": "a person"})
    assert Server(running, running, httpx.Response(200, json=JOB)).client().wait("job_1").status == "completed"
    paused.clear()
    with pytest.raises(TimeoutError, match="job job_1 is waiting after 30 s: a person"):
        Server(*[running] * 30).client().wait("job_1", 30)
    assert sum(paused) == pytest.approx(30)
    assert max(paused) == 5


def test_a_list_is_read_page_by_page() -> None:
    server = Server(httpx.Response(200, json={"jobs": [JOB], "cursor": "c"}), httpx.Response(200, json={"jobs": [JOB]}))
    found = server.client().jobs(agent="a")
    assert next(found).id == "job_1"
    assert len(server.sent) == 1
    assert len(list(found)) == 1
    assert server.sent[1].url.params["cursor"] == "c"


def test_address_and_key_come_from_arguments_or_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BATON_URL", "https://b.example/base/")
    monkeypatch.setenv("BATON_API_KEY", "bk_env")
    server = Server(httpx.Response(200, json=JOB))
    BatonClient(transport=httpx.MockTransport(server)).get("job_1")
    assert str(server.sent[0].url) == "https://b.example/base/api/agent-jobs/job_1"
    assert server.sent[0].headers["authorization"] == "Bearer bk_env"
    for wrong in ("", "b.example", "ftp://b.example", "https://b.example?x=1", "https://b.example#x"):
        with pytest.raises(ValueError, match="set BATON_URL"):
            BatonClient(wrong)
    for wrong in ("bk a", "bk\nX-Other: 1", "bk\u00e9", '"bk"', "'bk'"):
        with pytest.raises(ValueError, match=r"^key is not one word") as caught:
            BatonClient("https://b.example", wrong)
        assert "bk" not in str(caught.value)
        with pytest.raises(ValueError, match=r"^operations_key is not one word"):
            BatonClient("https://b.example", operations_key=wrong)
        monkeypatch.setenv("BATON_API_KEY", wrong)
        with pytest.raises(ValueError, match=r"^key is not one word"):
            BatonClient()
        monkeypatch.setenv("BATON_API_KEY", "bk_env")


async def test_both_clients_follow_a_job_of_the_real_api() -> None:
    stage = Stage(settings=with_keys())
    async with api_of(stage) as api, AsyncBatonClient(BASE, ACME, transport=api.http._transport) as client:
        job = await client.submit("adds", "2 and 2", session="s")
        await stage.run()
        types = [one.type async for one in client.stream(job)]
        assert (types[0], types[-1]) == ("start", "finish")
        done = await client.wait(job)
        assert (done.status, done.tool_calls[0].status, done.session_id) == ("completed", "completed", "s")
        assert [one.id async for one in client.jobs(agent="adds")] == [job.id]
        assert {turn.change for turn in (await client.diff(job, job)).turns} == {"same"}
        assert [one["role"] for one in (await client.session("s")).messages] == ["user", "assistant"]
        with pytest.raises(NotFoundError):
            await client.get("job_0")


@pytest.mark.parametrize("size", [1, 3, 100])
def test_events_have_ids_and_data_of_several_lines(size: int) -> None:
    text, events = "id: 1-0\ndata: a\ndata: b\n\ndata:c\r\n\r\n", Events()
    pieces = [text[start : start + size] for start in range(0, len(text), size)]
    assert [event for piece in pieces for event in events.take(piece)] == [("1-0", "a\nb"), ("", "c")]


def test_heartbeats_and_unfinished_events_are_nothing_and_the_server_says_when_to_come_back() -> None:
    """A comment begins with a colon; what is cut off did not arrive; a time that is no number is passed over."""
    events = Events()
    assert events.take("retry: 30000\n\nretry: soon\nretry: ²\n\n: still here\n\nevent: x\n\ndata: cut off") == []
    assert events.retry_seconds == 30

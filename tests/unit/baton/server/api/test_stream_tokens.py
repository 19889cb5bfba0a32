"""Short-lived tokens for following a job or a session."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from baton.server.api.stream_token import TOKEN_SECONDS, Grant, StreamTokens
from tests.unit.baton.kit.stage import Stage
from tests.unit.baton.server.api.client import ADMIN, OTHER, Api, api_of, api_with, assert_problem, with_keys
from tests.unit.baton.server.api.sessions.chatting import send, sending, text_of

SETTINGS = with_keys(redis_token="of the store")


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    async with api_of(Stage(settings=SETTINGS)) as made:
        yield made


async def token(api: Api, key: str = "key-of-acme", **body: str) -> str:
    answer = await api.request("POST", "/api/stream-tokens", key, json=body)
    assert answer.status_code == 200, answer.text
    made: str = answer.json()["token"]
    return made


async def test_a_token_opens_its_jobs_stream(api: Api) -> None:
    job_id = (await api.submitted())["id"]
    await api.stage.run()
    tokens = [await token(api, key, jobId=job_id) for key in ("key-of-acme", ADMIN)]
    for made in tokens:
        answer = await api.request("GET", f"/api/agent-jobs/{job_id}/stream", "", params={"token": made})
        assert answer.status_code == 200
        assert "[DONE]" in answer.text
    api.stage.clock.ms += TOKEN_SECONDS * 1000
    late = await api.request("GET", f"/api/agent-jobs/{job_id}/stream", "", params={"token": tokens[-1]})
    assert "time is up" in assert_problem(late, 401)


async def test_a_sessions_token_opens_the_streams_of_its_jobs(api: Api) -> None:
    """And what runs in it; not those of another session or job."""
    await send(api, "chat-1", "m1", "hello")
    other = (await api.submitted(sessionId="chat-2"))["id"]
    await api.stage.run()
    running = await sending(api, "chat-1", "m2", "add", agent="adds")
    made = await token(api, sessionId="chat-1")
    (line,) = (await api.request("GET", "/api/agent-jobs?sessionId=chat-1&status=pending,processing")).json()["jobs"]
    await api.stage.run()
    answer = await api.request("GET", f"/api/agent-jobs/{line['id']}/stream", "", params={"token": made})
    assert answer.text == (await running).text
    assert text_of(answer) == "3 and 7"
    assert (await api.request("GET", "/api/chat/chat-1/stream", "", params={"token": made})).status_code == 204
    assert_problem(await api.request("GET", "/api/chat/chat-2/stream", "", params={"token": made}), 403)
    assert_problem(await api.request("GET", f"/api/agent-jobs/{other}/stream", "", params={"token": made}), 403)
    of_job = await token(api, jobId=other)
    assert_problem(await api.request("GET", "/api/chat/chat-2/stream", "", params={"token": of_job}), 403)
    assert_problem(await api.request("GET", "/api/chat/chat-2/stream?tenant=other", "", params={"token": of_job}), 403)


async def test_a_token_opens_nothing_else(api: Api) -> None:
    job_id = (await api.submitted())["id"]
    made = await token(api, jobId=job_id)
    for path in (f"/api/agent-jobs/{job_id}", "/api/agent-jobs", "/api/sessions/x"):
        assert_problem(await api.request("GET", path, "", params={"token": made}), 401)
        assert_problem(await api.request("GET", path, made), 401)
    assert_problem(
        await api.request("POST", "/api/stream-tokens", "", params={"token": made}, json={"jobId": job_id}), 401
    )


def test_a_token_of_another_deployment_is_refused() -> None:
    grant = Grant("acme", "job_1", "", 10)
    made = StreamTokens(SETTINGS).make(grant)
    assert StreamTokens(SETTINGS).read(made, 9) == grant
    with pytest.raises(Exception, match="none of this deployment"):
        StreamTokens(replace(SETTINGS, redis_token="another")).read(made, 9)
    payload = StreamTokens(SETTINGS).make(Grant("other", "job_1", "", 10)).partition(".")[0]
    with pytest.raises(Exception, match="none of this deployment"):
        StreamTokens(SETTINGS).read(f"{payload}.{made.partition('.')[2]}", 9)


async def test_only_who_may_see_a_job_gets_a_token_for_it(api: Api) -> None:
    """And one thing at a time; without a secret there are none."""
    job_id = (await api.submitted())["id"]
    assert_problem(await api.request("POST", "/api/stream-tokens", OTHER, json={"jobId": job_id}), 403)
    assert_problem(await api.request("POST", "/api/stream-tokens", json={"jobId": "job_unknown"}), 404)
    assert_problem(await api.request("POST", "/api/stream-tokens", json={}), 422, "body")
    assert_problem(
        await api.request("POST", "/api/stream-tokens", json={"jobId": job_id, "sessionId": "x"}), 422, "body"
    )
    async with api_with() as bare:
        assert_problem(await bare.request("POST", "/api/stream-tokens", json={"sessionId": "x"}), 503)

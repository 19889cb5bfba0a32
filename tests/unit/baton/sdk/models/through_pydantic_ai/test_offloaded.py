"""Requests that somebody else sends, and answers that they bring: made and read by the provider's own library."""

import json
from typing import Any

import httpx
import pytest

from baton.sdk.models.catalog import OFFLOADED_TO_QUEUE, PROVIDER_NAMES
from baton.sdk.models.model import ModelAnswer, ModelError, ModelRequest
from baton.sdk.records.transcript import HttpRequest, HttpResponse
from tests.unit.baton.sdk.models.through_pydantic_ai.provider_cases import KEY
from tests.unit.baton.sdk.models.through_pydantic_ai.requesting import ADD, QUESTION, Requested


def question(requested: Requested) -> ModelRequest:
    return ModelRequest("Be exact.", (QUESTION,), (ADD,), 1, settings=dict(requested.case.settings))


async def request_of(requested: Requested) -> HttpRequest:
    return await (await requested.model.offloaded()).request_for(question(requested))


async def answer_of(requested: Requested, status: int, body: bytes, **headers: str) -> ModelAnswer:
    given = {"content-type": "application/json", **{name.replace("_", "-"): text for name, text in headers.items()}}
    offloaded = await requested.model.offloaded()
    return await offloaded.answer_of(question(requested), HttpResponse(1, status, given, body))


def encoded(body: Any) -> bytes:
    return json.dumps(body).encode()


async def test_the_request_is_the_one_that_would_be_sent(requested: Requested) -> None:
    requested.answers(requested.case.plain("3"))
    await requested.answer()
    sent: httpx.Request = requested.route.calls.last.request
    request = await request_of(requested)
    assert (request.url, json.loads(request.body)) == (str(sent.url), json.loads(sent.content))
    assert any(KEY in text for text in request.headers.values())
    assert requested.route.call_count == 1
    own = {"host", "connection", "content-length", "accept-encoding"}
    differs = {name for name in sent.headers if request.headers.get(name) != sent.headers[name]}
    assert differs - own <= {"x-stainless-timeout", "x-stainless-read-timeout"}


async def test_the_answer_is_read_as_one_of_its_own(requested: Requested) -> None:
    body = requested.case.calls("3", [("add", '{"a": 1, "b": 2}')])
    requested.answers(body)
    direct = await requested.answer()
    assert await answer_of(requested, 200, encoded(body)) == direct


async def test_a_failure_says_whether_and_when_to_ask_again(requested: Requested) -> None:
    with pytest.raises(ModelError, match=r"429 from .*Slow down") as caught:
        await answer_of(requested, 429, encoded(requested.case.refusal(429, f"Slow down, {KEY}")), retry_after="7")
    assert (caught.value.retryable, caught.value.retry_after_seconds) == (True, 7)
    assert KEY not in caught.value.message
    with pytest.raises(ModelError, match=r"timeout\ufffd|[cC]onnection error") as caught:
        await answer_of(requested, 0, b"timeout\xff")
    assert caught.value.retryable


async def test_a_missing_key_is_a_failure_for_good(requested: Requested, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(requested.case.key_variable)
    with pytest.raises(ModelError, match=requested.case.key_variable) as caught:
        await request_of(requested)
    assert not caught.value.retryable


def test_each_provider_that_the_queue_can_ask_is_one_that_there_is() -> None:
    assert OFFLOADED_TO_QUEUE <= PROVIDER_NAMES

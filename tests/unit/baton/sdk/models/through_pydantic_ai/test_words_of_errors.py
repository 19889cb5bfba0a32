"""What servers say in the body of an error, wherever they put it: it is quoted, and its wait is kept."""

import json
from typing import Any

import httpx
import pytest
from pydantic_ai.exceptions import ModelHTTPError

from baton.sdk.models.model import ModelError
from baton.sdk.models.through_pydantic_ai.errors import model_error
from tests.fakes.listener import FakeListener
from tests.unit.baton.sdk.models.through_pydantic_ai.provider_cases import GOOGLE, MISTRAL, OPENAI_CHAT, PROVIDERS
from tests.unit.baton.sdk.models.through_pydantic_ai.provider_cases import ProviderCase as Case
from tests.unit.baton.sdk.models.through_pydantic_ai.requesting import requesting

cases = pytest.mark.parametrize("case", PROVIDERS, ids=lambda case: case.model)
listens = pytest.mark.parametrize("streams", [True, False], ids=["stream", "whole"])
# The routes of streams have paths of their own.
PAGE = b"<!DOCTYPE html>\n<html><head><title>\n Sign in </title></head><body>%b</body></html>" % (b"x" * 9_000)
GOOGLES = {
    "code": 429,
    "message": "Quota exceeded.",
    "details": [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "58s"}],
}
BEHIND = {"message": "Provider returned error", "code": 429}
# A body, what is quoted of it, and the wait.
BODIES: list[tuple[Any, str, float | None]] = [
    ([{"error": GOOGLES}], "Quota exceeded.", 58),
    ({"error": BEHIND | {"metadata": {"raw": "slow down"}}}, "Provider returned error: slow down", None),
    ({"error": BEHIND | {"metadata": {"raw": '{"error": {"message": "too long"}}'}}}, "error: too long", None),
    ({"error": BEHIND | {"metadata": {"raw": {"detail": "gone"}, "provider_name": "A"}}}, "error: gone", None),
    ({"error": BEHIND | {"metadata": {"provider_name": "A"}}}, "Provider returned error", None),
    ({"detail": [{"loc": ["body"], "msg": "Field required"}, {"msg": "Too long"}]}, "Field required; Too long", None),
    ({"message": {"detail": [{"msg": "No match"}]}, "object": "error"}, "No match", None),
    ('{"message": "{\\"error\\": \\"Inner words\\"}"}', "Inner words", None),
    ({"error": {"message": "Limit 6000. Please try again in 7.66s. Visit us"}}, "Limit 6000", 7.66),
    ({"error": {"message": "Please retry after 26 seconds."}}, "retry after 26", 26),
    ({"error": "Try again in 1m20.5s"}, "Try again in", 80.5),
    ({"error": {"message": "busy", "retry_after": 30}}, "busy", 30),
    (PAGE.decode(), ": Sign in", None),
    ("<p>No  title</p>", ": No title", None),
    ("plain words", ": plain words", None),
]


async def failure(case: Case, response: httpx.Response, *, streams: bool = False) -> ModelError:
    with requesting(case) as requested:
        requested.gives(response)
        return await requested.failure(listener=FakeListener() if streams else None)


@pytest.mark.parametrize("case", [OPENAI_CHAT, MISTRAL, GOOGLE], ids=lambda case: case.model)
async def test_its_words_are_quoted_and_its_wait_is_kept(case: Case) -> None:
    for body, words, wait_seconds in BODIES:
        text = body if isinstance(body, str) else json.dumps(body)
        error = await failure(case, httpx.Response(429, text=text))
        assert words in error.message, (body, error.message)
        assert "{" not in error.message, (body, error.message)
        assert (error.retryable, error.retry_after_seconds) == (True, wait_seconds), body


def test_a_body_that_is_deeper_than_json_is_read_is_quoted() -> None:
    for body in ("[" * 5_000, '{"error": ' * 5_000):
        assert model_error(ModelHTTPError(429, "m", body)).message.startswith(f"429 from m: {body[:9]}")


async def test_a_header_goes_before_words_and_what_is_refused_waits_for_nothing() -> None:
    body = {"error": {"message": "Try again in 9s"}}
    error = await failure(OPENAI_CHAT, httpx.Response(429, json=body, headers={"retry-after": "2"}))
    assert error.retry_after_seconds == 2
    assert (await failure(OPENAI_CHAT, httpx.Response(400, json=body))).retry_after_seconds is None


@cases
@listens
async def test_an_error_in_a_successful_answer_is_said_in_its_words(case: Case, *, streams: bool) -> None:
    """Each may be tried again as its code says; without one, it may."""
    for code, retryable in ((429, True), (400, False), ("404", False), (None, True), ("model_gone", True)):
        body = {"error": {"message": "The model went away.", "code": code}}
        error = await failure(case, httpx.Response(200, json=body), streams=streams)
        assert "The model went away." in error.message, (code, error.message)
        assert error.retryable is retryable, (code, error.message)


@cases
@listens
async def test_a_page_in_place_of_an_answer_is_named(case: Case, *, streams: bool) -> None:
    head = {"content-type": "text/html; charset=utf-8"}
    error = await failure(case, httpx.Response(200, headers=head, content=PAGE), streams=streams)
    assert (error.message, error.retryable) == ("the server answered 200 with a page: Sign in", True)


async def test_a_server_that_cannot_stream_is_told_of_with_the_way_out() -> None:
    error = await failure(OPENAI_CHAT, httpx.Response(200, json=OPENAI_CHAT.plain("hi")), streams=True)
    assert "STREAM_BATCH_BYTES=0" in error.message

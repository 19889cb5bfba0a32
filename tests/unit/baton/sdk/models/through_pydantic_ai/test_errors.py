"""What goes wrong at a provider: may it be tried again, when, and what is said of it."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import httpcore
import httpcore2
import httpx
import pytest
from pydantic_ai.exceptions import ModelHTTPError, UnexpectedModelBehavior, UserError
from pydantic_ai.messages import ModelResponse, TextPart
from pydantic_ai.models.function import FunctionModel

from baton.sdk.agents.agent import Agent, chosen_models
from baton.sdk.models.catalog import ProviderModel
from baton.sdk.models.model import ModelError, ModelRequest
from baton.sdk.models.through_pydantic_ai.errors import model_error
from tests.unit.baton.sdk.models.through_pydantic_ai.provider_cases import ANTHROPIC, GOOGLE, KEY, OPENAI, OPENROUTER
from tests.unit.baton.sdk.models.through_pydantic_ai.requesting import QUESTION, Requested, requesting

TIMEOUTS = {"httpcore": httpcore.ReadTimeout, "httpcore2": httpcore2.ReadTimeout}
REFUSED = {"httpcore": httpcore.ConnectError, "httpcore2": httpcore2.ConnectError}
AN_HOUR_SECONDS = 3_600


async def test_a_rate_limit_may_be_tried_again_when_the_provider_says(requested: Requested) -> None:
    """It may name a date, as RFC 9110 allows."""
    requested.fails(429, "Slow down.", {"retry-after": "7"})
    error = await requested.failure(time_limit_seconds=30)
    assert (error.retryable, error.retry_after_seconds, requested.route.call_count) == (True, 7.0, 1)
    assert not error.unanswered
    assert "429" in error.message
    assert "Slow down." in error.message
    later = datetime.now(UTC) + timedelta(hours=1)  # noqa: TID251 - a date of the provider's, which runs on real time
    requested.fails(429, "Slow down.", {"retry-after": format_datetime(later, usegmt=True)})
    wait_seconds = (await requested.failure(time_limit_seconds=30)).retry_after_seconds
    assert isinstance(wait_seconds, float)
    assert AN_HOUR_SECONDS - 120 < wait_seconds <= AN_HOUR_SECONDS


async def test_a_provider_that_is_in_trouble_may_be_tried_again(requested: Requested) -> None:
    """Without a time, the job's own pause counts."""
    for calls, status in enumerate((408, 500, 502, 503, 504, 529), 1):
        requested.fails(status, "Try later.")
        error = await requested.failure(time_limit_seconds=30)
        assert (error.retryable, error.retry_after_seconds, requested.route.call_count) == (True, None, calls), status


async def test_a_server_that_does_not_know_openais_newer_path_is_hinted_at(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the name to write instead; OpenAI's own 404 is about the model."""
    elsewhere = replace(OPENAI, url="http://127.0.0.1:1/v1/responses")
    for case, is_hinted in ((elsewhere, True), (OPENAI, False)):
        monkeypatch.setenv("OPENAI_API_KEY", KEY)
        monkeypatch.setenv("OPENAI_BASE_URL", case.url.removesuffix("/responses"))
        with requesting(case) as requested:
            requested.fails(404, "Not Found")
            assert (
                "write 'openai-chat:gpt-5-mini'" in (await requested.failure(time_limit_seconds=30)).message
            ) is is_hinted


async def test_what_is_refused_stays_refused(requested: Requested) -> None:
    for status in (400, 401, 402, 403, 404, 413, 422):
        requested.fails(status, "This model does not exist.", {"retry-after": "7"})
        error = await requested.failure(time_limit_seconds=30)
        assert (error.retryable, error.retry_after_seconds) == (False, None), status
        assert "This model does not exist." in error.message


async def test_a_spent_quota_is_no_rate_limit() -> None:
    """OpenAI sends it with a 429, too; waiting does not fill it."""
    with requesting(OPENAI) as requested:
        body = {"error": {"message": "You exceeded your current quota.", "code": "insufficient_quota"}}
        requested.route.mock(return_value=httpx.Response(429, json=body))
        error = await requested.failure(time_limit_seconds=30)
    assert not error.retryable
    assert "You exceeded your current quota." in error.message


async def test_the_time_limit_is_the_connection_s(requested: Requested) -> None:
    """So that the library's own ten minutes never count."""
    requested.answers(requested.case.plain("x"))
    await requested.answer(time_limit_seconds=12.5)
    assert requested.route.calls.last.request.extensions["timeout"]["read"] == 12.5


async def test_garbage_may_be_tried_again(requested: Requested) -> None:
    for body in (b"<html>Bad gateway</html>", b"{", b"[]", b"null", b'{"a": 1}'):
        requested.route.mock(
            return_value=httpx.Response(200, content=body, headers={"content-type": "application/json"})
        )
        assert (await requested.failure(time_limit_seconds=30)).retryable, body


async def test_no_key_is_in_a_message(requested: Requested) -> None:
    """A provider may repeat it."""
    requested.fails(401, f"Incorrect API key provided: {KEY}. Authorization: Bearer abcdefghijkl")
    message = (await requested.failure(time_limit_seconds=30)).message
    assert KEY not in message
    assert "abcdefghijkl" not in message
    assert "Incorrect API key provided: (key)" in message


async def test_gemini_says_it_in_the_body() -> None:
    """`google.rpc.RetryInfo`."""
    details = [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "31s"}]
    body = {"error": {"code": 429, "message": "x", "status": "RESOURCE_EXHAUSTED", "details": details}}
    with requesting(GOOGLE) as requested:
        requested.route.mock(return_value=httpx.Response(429, json=body))
        assert (await requested.failure(time_limit_seconds=30)).retry_after_seconds == 31.0


def test_a_message_is_kept_short() -> None:
    """It goes into the state of a job; our own error stays as it is."""
    long = model_error(UserError("x" * 10_000))
    assert (len(long.message), long.retryable) == (2_000, False)
    error = ModelError("m", retryable=False)
    assert model_error(error) is error


async def test_an_error_inside_an_answer_is_one() -> None:
    with requesting(OPENROUTER) as requested:
        requested.answers({"id": "gen-1", "error": {"code": 502, "message": "The provider went away."}})
        error = await requested.failure(time_limit_seconds=30)
    assert error.retryable
    assert "The provider went away." in error.message


async def test_a_limit_that_is_used_up_names_the_wait() -> None:
    """The other one is reset as well, all the time."""
    headers = {"x-ratelimit-remaining-requests": "12", "x-ratelimit-reset-requests": "1h"}
    headers |= {"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "2s"}
    with requesting(OPENAI) as requested:
        requested.fails(429, "x", headers)
        assert (await requested.failure(time_limit_seconds=30)).retry_after_seconds == 2


@pytest.mark.parametrize("failures", [TIMEOUTS, REFUSED], ids=["no answer in time", "no connection"])
async def test_who_is_not_reached_may_be_tried_again(
    requested: Requested, failures: dict[str, Callable[[str], Exception]]
) -> None:
    requested.route.mock(side_effect=failures[requested.case.using]("nobody there"))
    error = await requested.failure(time_limit_seconds=30)
    assert (error.retryable, error.unanswered) == (True, True)


async def test_milliseconds_are_read() -> None:
    with requesting(ANTHROPIC) as requested:
        requested.fails(429, "x", {"retry-after-ms": "1500", "retry-after": "2"})
        assert (await requested.failure(time_limit_seconds=30)).retry_after_seconds == 1.5


def test_a_provider_is_quoted_in_its_own_words() -> None:
    said = model_error(ModelHTTPError(400, "m", {"error": {"message": "No such model."}}))
    assert (said.message, said.retryable) == ("400 from m: No such model.", False)


def _paused(*_: object) -> ModelResponse:
    return ModelResponse([TextPart("half")], finish_reason="stop", state="suspended")


def _unreadable(*_: object) -> ModelResponse:
    raise UnexpectedModelBehavior("nobody can read this")


@pytest.mark.parametrize(
    ("answers", "message"),
    [(_paused, "the provider paused the answer, so it is not whole"), (_unreadable, ": nobody can read this")],
)
async def test_an_answer_that_is_none_is_tried_again(answers: Callable[..., ModelResponse], message: str) -> None:
    (model,) = chosen_models(Agent("a", model=FunctionModel(answers)).model)
    assert isinstance(model, ProviderModel)
    with pytest.raises(ModelError, match=rf"{message}$") as caught:
        await model.answer(ModelRequest("", (QUESTION,), (), 1))
    assert caught.value.retryable

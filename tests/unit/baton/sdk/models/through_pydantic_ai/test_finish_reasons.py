"""An answer that is whole, or cut off by its length, is taken; one that ended for another reason is not."""

from importlib import import_module
from typing import Any

import pytest
from pydantic_ai import Agent
from pydantic_ai.messages import FinishReason, ModelMessage, ModelResponse, TextPart, ToolCallPart
from pydantic_ai.models.function import AgentInfo, FunctionModel

from baton.engine.transitions import JobStatus
from baton.pydantic_ai import durable
from baton.sdk.models.provider_rules import REASONS, meaning_of
from tests.fakes.listener import FakeListener
from tests.unit.baton.sdk.models.through_pydantic_ai.provider_cases import (
    ANTHROPIC,
    GOOGLE,
    GROQ,
    MISTRAL,
    OPENAI,
    OPENAI_CHAT,
    OPENROUTER,
    ProviderCase,
)
from tests.unit.baton.sdk.models.through_pydantic_ai.recorded_streams import (
    TEXT,
    USAGE,
    chat,
    chunk,
    gemini,
    messages,
    responses,
    unnamed,
)
from tests.unit.baton.sdk.models.through_pydantic_ai.requesting import requesting
from tests.unit.baton.sdk.pydantic_ai.played import played

# Documented words for answers that are broken, and those that nobody has documented yet.
OF_CHAT = ("error", "weird", "abort", "network_error", "insufficient_system_resource", "length_unknown", "filter")
OF_GOOGLE = (
    *("OTHER", "MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL", "TOO_MANY_TOOL_CALLS", "LANGUAGE", "NO_IMAGE"),
    *("FINISH_REASON_UNSPECIFIED", "IMAGE_OTHER", "NEW_ONE"),
)
OF_RESPONSES = ("incomplete", "failed", "cancelled", "in_progress")
BROKEN: list[tuple[ProviderCase, str]] = [
    *((case, word) for case in (OPENAI_CHAT, OPENROUTER, GROQ, MISTRAL) for word in OF_CHAT),
    *((ANTHROPIC, word) for word in ("error", "weird", "malformed_tool_use")),
    *((GOOGLE, word) for word in OF_GOOGLE),
    *((OPENAI, word) for word in OF_RESPONSES),
]


def _put(body: dict[str, Any], word: str) -> dict[str, Any]:
    if "choices" in body:
        body["choices"][0]["finish_reason"] = word
    elif "candidates" in body:
        body["candidates"][0]["finishReason"] = word
    else:
        body["stop_reason" if "stop_reason" in body else "status"] = word
    return body


def _stream(case: ProviderCase, word: str) -> tuple[bytes, ...]:
    if case is ANTHROPIC:
        return messages(word)
    if case is GOOGLE:
        return tuple([event.replace(b'"STOP"', f'"{word}"'.encode()) for event in gemini()])
    if case is OPENAI:
        *events, last = responses()
        return (*events, last.replace(b'"status": "completed"', f'"status": "{word}"'.encode(), 1))
    return chat(word)


@pytest.mark.filterwarnings("ignore")  # of Google's library, which has no member for a new word
@pytest.mark.parametrize("calls", [[], [("add", '{"a": 1, "b": 2}')]], ids=["text", "calls"])
@pytest.mark.parametrize(("case", "word"), BROKEN, ids=lambda one: getattr(one, "model", one))
async def test_a_broken_answer_is_asked_for_anew(case: ProviderCase, word: str, calls: list[tuple[str, str]]) -> None:
    body = case.calls("Pay 40", calls) if calls else case.plain("Pay 40")
    with requesting(case) as requested:
        requested.answers(_put(body, word))
        error = await requested.failure()
    assert error.retryable
    assert (error.spent.input_tokens, error.spent.output_tokens) in {(100, 10), (0, 0)}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("case", "word"), [pair for pair in BROKEN if pair[0] is not OPENROUTER], ids=lambda one: getattr(one, "model", one)
)
async def test_a_broken_stream_is_asked_for_anew(case: ProviderCase, word: str) -> None:
    with requesting(case) as requested:
        requested.streams(_stream(case, word))
        assert (await requested.failure(listener=FakeListener())).retryable


@pytest.mark.parametrize("one", REASONS, ids=lambda one: one.provider)
async def test_a_gateway_may_pass_on_the_words_of_any_provider(one: Any) -> None:
    """In the writing of either: `MAX_TOKENS` is `max_tokens`."""
    words = {word: (TEXT, is_cut) for is_cut in (False, True) for word in (one.cut if is_cut else one.whole)}
    told = words | {word.upper(): found for word, found in words.items()}
    filtered = [*one.filtered, *(f"{word.upper()}: why" for word in one.filtered)]
    with requesting(OPENAI_CHAT) as requested:
        streams = (
            unnamed(chunk({"content": TEXT}), chunk({}, word), chunk(usage=USAGE)) for word in (*told, *filtered)
        )
        requested.streams(*streams)
        for word, found in told.items():
            answer = await requested.answer(listener=FakeListener())
            assert (answer.text, answer.is_cut) == found, word
        for word in filtered:
            assert not (await requested.failure(listener=FakeListener())).retryable, word


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("openai._chat_completions", "CHAT_FINISH_REASON_MAP"),
        ("openai._response_fields", "RESPONSES_FINISH_REASON_MAP"),
        ("anthropic._response", "FINISH_REASON_MAP"),
        ("openrouter", "_CHAT_FINISH_REASON_MAP"),
        ("zai", "_ZAI_FINISH_REASON_MAP"),
        *((name, "_FINISH_REASON_MAP") for name in ("google", "groq", "mistral", "huggingface")),
    ],
)
def test_the_table_says_what_each_library_says(module: str, name: str) -> None:
    known: dict[str, FinishReason | None] = getattr(import_module(f"pydantic_ai.models.{module}"), name)
    wrong = {
        word: reason
        for word, reason in known.items()
        if meaning_of(word) != ("stop" if reason == "tool_call" else reason or "error")
    }
    assert wrong == {}


@pytest.mark.parametrize("reason", ["error", None])
@pytest.mark.parametrize("part", [TextPart("Pay 40"), ToolCallPart("purge", {"days": 1}, "c")])
async def test_a_broken_answer_of_an_agent_of_a_library_is_asked_for_anew(part: Any, reason: FinishReason) -> None:
    """Neither is its text the result, nor does its call run."""
    details = None if reason else {"finish_reason": "OTHER"}
    asked, ran = list[int](), list[int]()

    def answer(_: list[ModelMessage], __: AgentInfo) -> ModelResponse:
        asked.append(1)
        if len(asked) == 1:
            return ModelResponse([part], finish_reason=reason, provider_details=details)
        return ModelResponse([TextPart("Pay 400")])

    agent = Agent(FunctionModel(answer), name="purges")

    @agent.tool_plain
    def purge(days: int) -> str:
        ran.append(days)
        return "purged"

    job = (await played(durable(agent))).job
    assert (job.status, (job.result or {}).get("output"), ran) == (JobStatus.COMPLETED, "Pay 400", [])

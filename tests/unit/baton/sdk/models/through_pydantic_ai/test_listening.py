"""A provider's answer is heard while it comes, and is the same answer in the end."""

from collections.abc import AsyncIterator

import pytest
from pydantic_ai.messages import (
    ModelResponse,
    ModelResponsePart,
    ModelResponseStreamEvent,
    PartDeltaEvent,
    PartStartEvent,
    TextPart,
    TextPartDelta,
    ThinkingPart,
    ThinkingPartDelta,
    ToolCallPart,
)

from baton.sdk.models.model import Call
from baton.sdk.models.through_pydantic_ai.messages import listen
from tests.fakes.listener import FakeListener
from tests.unit.baton.sdk.models.through_pydantic_ai.provider_cases import ANTHROPIC, OPENAI, ProviderCase
from tests.unit.baton.sdk.models.through_pydantic_ai.recorded_streams import messages, responses
from tests.unit.baton.sdk.models.through_pydantic_ai.requesting import requesting

PIECES = ["The sum", " of 1 and 2", " is 3."]


@pytest.mark.parametrize(
    ("case", "events"),
    [(OPENAI, responses(PIECES, ())), (ANTHROPIC, messages("end_turn", PIECES, ()))],
    ids=["openai", "anthropic"],
)
async def test_a_provider_streams_piece_by_piece(case: ProviderCase, events: tuple[bytes, ...]) -> None:
    """The pieces are the answer's text; tokens are counted as ever."""
    listener = FakeListener()
    with requesting(case) as requested:
        requested.streams(events)
        answer = await requested.answer(listener=listener)
        assert requested.sent()["stream"] is True
    assert [piece for piece in listener.received if piece] == PIECES
    assert (answer.text, answer.input_tokens, answer.output_tokens) == ("".join(PIECES), 100, 10)


async def test_calls_come_with_the_whole_answer() -> None:
    listener = FakeListener()
    with requesting(OPENAI) as requested:
        requested.streams(responses(["I add."]))
        answer = await requested.answer(listener=listener)
    assert (answer.text, answer.calls, listener.text) == ("I add.", (Call("add", {"a": 1, "b": 2}),), "I add.")


async def test_a_refusal_of_a_stream_is_a_refusal() -> None:
    with requesting(OPENAI) as requested:
        requested.fails(429, "Slow down.", {"retry-after": "7"})
        error = await requested.failure("429 from gpt-5-mini: Slow down", listener=FakeListener())
    assert (error.retryable, error.retry_after_seconds) == (True, 7)


async def test_texts_stream_as_the_whole_answer_joins_them() -> None:
    parts: list[ModelResponsePart] = [
        ThinkingPart("hm"),
        TextPart("a"),
        TextPart("b"),
        ToolCallPart("add", {}),
        TextPart("c"),
    ]

    async def events() -> AsyncIterator[ModelResponseStreamEvent]:
        for index, part in enumerate(parts):
            yield PartStartEvent(index=index, part=part)
            if isinstance(part, TextPart):
                yield PartDeltaEvent(index=index, delta=TextPartDelta(content_delta="!"))
                part.content += "!"
            if isinstance(part, ThinkingPart):
                yield PartDeltaEvent(index=index, delta=ThinkingPartDelta(content_delta="hmm"))

    listener = FakeListener()
    await listen(events(), listener)
    assert listener.text == ModelResponse(parts=parts).text == "a!b!\n\nc!"

"""A stream that is cut, doubled or out of order gives the whole answer or a retried failure, never a half answer."""

from codecs import BOM_UTF8
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Any, cast

import httpx
import pytest
from pydantic_ai import Agent
from pydantic_ai.settings import ModelSettings

from baton.pydantic_ai import durable
from baton.sdk.agents.runner import JobInfo, RunFailedError
from baton.sdk.agents.runner import Recorded as RecordedRun
from baton.sdk.models.model import ModelError
from baton_events.bounded import Body
from tests.fakes.listener import FakeListener
from tests.unit.baton.sdk.models.through_pydantic_ai.openai_bodies import response, text_item
from tests.unit.baton.sdk.models.through_pydantic_ai.provider_cases import OPENAI
from tests.unit.baton.sdk.models.through_pydantic_ai.recorded_streams import (
    CALL,
    PIECES,
    SAID_WHOLE,
    SAID_WHOLE_BY_OTHERS,
    STREAMS,
    TEXT,
    Recorded,
    doubled,
    named,
    swapped,
)
from tests.unit.baton.sdk.models.through_pydantic_ai.requesting import Requested, event_stream, requesting

WHOLE = (TEXT, ((CALL[0], {"a": 1, "b": 2}),))
JOB = RecordedRun(JobInfo(job_id="job_1", session_id="s", tenant="t", task="What is 1 + 2?"))

formats = pytest.mark.parametrize("stream", STREAMS, ids=lambda stream: stream.name)
Outcome = tuple[str, tuple[tuple[str, dict[str, object]], ...]] | str


Answering = Callable[[Requested, FakeListener | None], Awaitable[Outcome]]


async def own(requested: Requested, listener: FakeListener | None) -> Outcome:
    """What an agent of Baton's makes of an answer."""
    answer = await requested.answer(listener=listener)
    calls = tuple((call.tool, call.arguments) for call in answer.calls)
    return "told" if any(call.fault for call in answer.calls) else (answer.text, calls)


async def of_library(requested: Requested, listener: FakeListener | None) -> Outcome:
    """What an agent of pydantic-ai makes of it."""
    settings = cast("ModelSettings", dict(requested.case.settings))
    agent: Agent[None, str] = Agent(requested.case.model, name="a", model_settings=settings)

    @agent.tool_plain
    def add(a: int, b: int) -> int:
        return a + b

    runner = durable(agent).runner
    assert runner is not None
    try:
        answer = (await runner.turn(JOB, listener)).answer
    except RunFailedError as error:
        return f"{error.type}: {error.message}"
    return answer.text, tuple((call.tool, call.arguments) for call in answer.calls)


async def outcomes(
    stream: Recorded, bodies: Sequence[bytes], answering: Answering = own, *, listens: bool = True
) -> list[Outcome]:
    """Take each body as an answer."""
    found = list[Outcome]()
    with requesting(stream.case) as requested:
        for body in bodies:
            json = httpx.Response(200, headers={"content-type": "application/json"}, content=body)
            requested.gives(event_stream([body]) if listens else json)
            try:
                found.append(await answering(requested, FakeListener() if listens else None))
            except ModelError as error:
                found.append("retried" if error.retryable else error.message)
    return found


def cuts_at_bytes(stream: Recorded) -> list[bytes]:
    """Cut the stream at every byte; of those bodies that the provider's library reads alike, return the longest."""
    whole = b"".join(stream.events)
    return list({stream.seen(body): body for body in (whole[:at] for at in range(len(whole)))}.values())


@formats
async def test_a_mark_before_the_stream_is_no_part_of_its_first_event(stream: Recorded) -> None:
    """By the standard of such streams; it may come in pieces of a byte."""
    marked = [BOM_UTF8 + b"".join(stream.events)]
    assert await outcomes(stream, marked) == await outcomes(stream, marked, of_library) == [WHOLE]
    body = Body("", 100, ValueError, events=True)
    assert b"".join(b"".join(body.pieces(bytes([byte]))) for byte in BOM_UTF8 + b"data: 1") == b"data: 1"


@pytest.mark.parametrize("stream", [*STREAMS, *SAID_WHOLE, *SAID_WHOLE_BY_OTHERS], ids=lambda stream: stream.name)
async def test_the_whole_stream_is_the_answer(stream: Recorded) -> None:
    """Also one that is said whole, without pieces before it: it is paid for, and another try would say the same."""
    whole = [b"".join(stream.events)]
    assert await outcomes(stream, whole) == await outcomes(stream, whole, of_library) == [WHOLE]


async def test_a_cut_answer_in_the_last_event_alone_is_cut_and_its_tokens_count() -> None:
    cut: dict[str, Any] = {"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}
    cut["usage"] = {"input_tokens": 2**70, "output_tokens": 5, "total_tokens": 2**70 + 5}
    [event] = named({"type": "response.incomplete", "sequence_number": 0, "response": response(text_item(TEXT), **cut)})
    with requesting(OPENAI) as requested:
        requested.streams([event])
        answer = await requested.answer(listener=FakeListener())
    assert (answer.text, answer.is_cut, answer.input_tokens, answer.output_tokens) == (TEXT, True, 2**70, 5)


@formats
async def test_an_event_that_comes_twice_or_late_takes_nothing_from_the_answer(stream: Recorded) -> None:
    """What a provider says twice is there twice, and what it swaps is swapped; nothing is missing.

    By the protocol nothing follows `[DONE]`, so where it is the only end mark, nothing is read behind it.
    """
    others = swapped(stream.events)[: -1 if stream.name == "chat with [DONE] alone" else None]
    for found in await outcomes(stream, [*doubled(stream.events), *others]):
        if isinstance(found, str):
            assert found in ("retried", "told")  # the model is told of arguments that came twice
        else:
            assert all(piece in found[0] for piece in PIECES)
            assert found[1]
            assert all(tool.startswith("add") for tool, _ in found[1])


@formats
async def test_a_stream_cut_anywhere_is_no_half_answer(stream: Recorded) -> None:
    """Between two events, and at any byte; not where there is nothing, or a piece of the text alone."""
    cut = cuts_at_bytes(stream)
    assert len(cut) >= len(stream.events)
    bodies = [*[b"".join(stream.events[:at]) for at in range(len(stream.events))], *cut]
    for found in [await outcomes(stream, bodies, answering) for answering in (own, of_library)]:
        assert set(map(str, found)) <= {str(WHOLE), "retried"}
        assert found[0] == found[1] == found[2] == "retried"


@formats
async def test_an_event_of_another_form_is_no_answer(stream: Recorded) -> None:
    odd = [b"null", b"[]", b"{}", b"7", b'"x"', b"{", b'{"type": 5}', b'{"choices": [7]}']
    bodies = [b"data: " + one + b"\n\n" for one in odd]
    for found in [await outcomes(stream, bodies, answering) for answering in (own, of_library)]:
        assert set(map(str, found)) == {"retried"}


@pytest.mark.parametrize("stream", [one for one in STREAMS if " " not in one.name], ids=lambda one: one.name)
async def test_a_body_of_another_form_is_no_answer(stream: Recorded) -> None:
    bodies = [b"null", b"[]", b"{}", b"7", b'"x"', b"{", b"\xe2", b'{"choices": [7]}']
    stream = replace(stream, case=replace(stream.case, url=stream.case.url.replace(":streamGenerate", ":generate")))
    for answering in (own, of_library):
        assert await outcomes(stream, bodies, answering, listens=False) == ["retried"] * len(bodies)

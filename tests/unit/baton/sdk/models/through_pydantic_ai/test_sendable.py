"""What is sent of a conversation: no provider gets a text without a character, or a tool's name that it refuses."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic_ai.messages import BinaryContent, ModelRequest, ModelResponse, TextPart, ToolReturnPart, UserPromptPart
from pydantic_ai.messages import ModelMessage as PromptMessage

from baton.sdk.models.model import Message, ModelMessage, PastCall, ToolMessage, UserMessage
from baton.sdk.models.through_pydantic_ai.sendable import sendable
from tests.unit.baton.sdk.models.through_pydantic_ai.provider_cases import ANTHROPIC, OPENAI, OPENAI_CHAT, PROVIDERS
from tests.unit.baton.sdk.models.through_pydantic_ai.provider_cases import ProviderCase as Case
from tests.unit.baton.sdk.models.through_pydantic_ai.requesting import QUESTION, requesting

BLANKS = ("", " ", "\n\n", "\t", "\u00a0")
MADE_UP = ("functions.add", "creating:view", "add ", "größe", "$lookup", "a/b c", "x" * 90, "<add>")
EMPTY: tuple[Any, ...] = (*BLANKS, [], [""], ["", "a"], [" ", None, 1], [[]], {}, None)
cases = pytest.mark.parametrize("case", PROVIDERS, ids=lambda case: case.model)


def called(name: str = "look", result: Any = "done", text: str = "") -> tuple[Message, ...]:
    call = PastCall("c1", name, {"a": 1})
    return QUESTION, ModelMessage(text, (call,)), ToolMessage("c1", name, result)


CONVERSATIONS: tuple[tuple[Message, ...], ...] = (
    *(called(text=blank) for blank in BLANKS),
    *(called(result=result) for result in EMPTY),
    *(called(name) for name in MADE_UP),
    *((QUESTION, ModelMessage(blank), UserMessage("Again.")) for blank in BLANKS),
)


def texts(sent: Any) -> Iterator[str]:
    """Yield the texts in a request's messages, also where a message is one text."""
    match sent:
        case {"content": str() as text} | {"text": str() as text}:
            yield text
        case dict():
            for one in sent.values():
                yield from texts(one)
        case list():
            for one in sent:
                yield from texts(one)
        case _:
            pass


def names(sent: Any) -> Iterator[str]:
    match sent:
        case dict():
            if isinstance(sent.get("name"), str):
                yield sent["name"]
            for one in sent.values():
                yield from names(one)
        case list():
            for one in sent:
                yield from names(one)
        case _:
            pass


@cases
async def test_no_provider_gets_a_blank_text_or_a_name_that_it_refuses(case: Case) -> None:
    with requesting(case) as requested:
        for messages in CONVERSATIONS:
            requested.answers(case.plain("fine"))
            await requested.answer(*messages)
            sent = requested.sent()
            said = sent.get("messages") or sent.get("contents") or sent.get("input")
            assert all(text.strip() for text in texts(said)), (messages, said)
            assert all(re.fullmatch("[A-Za-z0-9_-]{1,64}", name) for name in names(said)), (messages, said)


@pytest.mark.parametrize("case", [ANTHROPIC, OPENAI_CHAT, OPENAI], ids=lambda case: case.model)
@pytest.mark.parametrize("result", ["", " \n", None, [], [""], ["", "a"]])
async def test_a_result_without_words_is_told_as_its_json(case: Case, result: Any) -> None:
    """A search that finds nothing is no search that says nothing."""
    with requesting(case) as requested:
        requested.answers(case.plain("fine"))
        await requested.answer(*called(result=result))
        sent = json.dumps(requested.sent())
    assert json.dumps(json.dumps(result, separators=(",", ":"))) in sent


async def test_blank_instructions_are_none() -> None:
    with requesting(ANTHROPIC) as requested:
        requested.answers(ANTHROPIC.plain("fine"))
        await requested.answer(instructions=" ")
        assert "system" not in requested.sent()


def test_what_can_be_sent_stays_the_same_object() -> None:
    picture = BinaryContent(b"x", media_type="image/png")
    asked = ModelRequest(parts=[UserPromptPart(["Look.", picture])])
    said, empty = ModelResponse(parts=[TextPart("Yes.")]), ModelRequest(parts=[UserPromptPart(" ")])
    for message in (asked, said, empty):
        assert sendable([message], ())[0] is message
    known: PromptMessage = ModelRequest(parts=[ToolReturnPart("a.b", "x", "c1")])
    assert sendable([known], {"a.b"})[0] is known
    beside = ModelRequest(parts=[ToolReturnPart("look", ["", picture], "c1"), UserPromptPart(["", picture])])
    parts: Any = sendable([beside], ())[0].parts
    assert [part.content for part in parts] == [[picture], [picture]]

"""A conversation over several turns: results and errors of tools, and what providers want to see again."""

import json
from base64 import b64encode, urlsafe_b64encode
from typing import Any

import pytest
from msgspec.structs import replace

from baton.sdk.models.model import File, ModelAnswer, ModelMessage, PastCall, ToolMessage, UserMessage
from tests.unit.baton.sdk.models.through_pydantic_ai import openai_bodies as openai
from tests.unit.baton.sdk.models.through_pydantic_ai import other_bodies as other
from tests.unit.baton.sdk.models.through_pydantic_ai.provider_cases import (
    ANTHROPIC,
    GOOGLE,
    GROQ,
    OPENAI,
    OPENAI_CHAT,
    ProviderCase,
)
from tests.unit.baton.sdk.models.through_pydantic_ai.recorded_streams import messages
from tests.unit.baton.sdk.models.through_pydantic_ai.requesting import QUESTION, Requested, requesting

CALLS = [("add", '{"a": 1, "b": 2}'), ("add", '{"a": 3, "b": 4}')]
# A child's call id, as ids get: too long and with a dot, which no provider takes.
IDS = [f"job_0123456789abcdef01234567.1.2-1-{position}-abcdefghij" for position in range(3)]


def shown(answer: ModelAnswer) -> ModelMessage:
    """The turn as it is told again, after it has been through the store."""
    calls = tuple(
        PastCall(call_id, call.tool, call.arguments) for call_id, call in zip(IDS, answer.calls, strict=False)
    )
    return ModelMessage(answer.text, calls, json.loads(json.dumps(answer.provider)))


RESULTS = (
    ToolMessage(IDS[0], "add", {"sum": 3}),
    ToolMessage(IDS[1], "add", {"type": "tool_error", "message": "no more room"}, is_error=True),
)


async def second_turn(requested: Requested, first: dict[str, Any]) -> tuple[ModelAnswer, dict[str, Any]]:
    requested.answers(first, requested.case.plain("It is 3."))
    answer = await requested.answer()
    await requested.answer(QUESTION, shown(answer), *RESULTS)
    return answer, requested.sent()


@pytest.mark.parametrize("case", [OPENAI, ANTHROPIC, GOOGLE], ids=lambda case: case.model)
async def test_files_are_sent_with_their_question(case: ProviderCase) -> None:
    picture = File("image/png", "a.png", data=urlsafe_b64encode(b"\xfb\xff picture").decode())
    elsewhere = File("application/pdf", "b.pdf", url="https://example.com/b.pdf")
    with requesting(case) as requested:
        requested.answers(case.plain("I see."))
        await requested.answer(UserMessage("", files=(picture, *([elsewhere] if case is ANTHROPIC else []))))
        sent = json.dumps(requested.sent())
        assert b64encode(b"\xfb\xff picture").decode() in sent or picture.data in sent
        assert '"text": ""' not in sent
        assert ("https://example.com/b.pdf" in sent) == (case is ANTHROPIC)
        requested.answers(case.plain("I see."))
        await requested.answer(UserMessage("Look", files=(File("image/png", "gone.png"),)))
        assert "'gone.png' (image/png) is left out" in json.dumps(requested.sent())


@pytest.mark.parametrize("case", [OPENAI, OPENAI_CHAT, ANTHROPIC, GOOGLE], ids=lambda case: case.model)
async def test_files_of_results_are_sent_to_models_that_take_them(case: ProviderCase) -> None:
    picture, sound = b"\xfb\xff picture", b"\xfb\xff sound"
    files = [File("image/png", data=urlsafe_b64encode(picture).decode())]
    files += [File("audio/wav", data=urlsafe_b64encode(sound).decode())]
    files += [File(other, data=urlsafe_b64encode(b"other").decode()) for other in ("image/svg+xml", "a/b")]
    with requesting(case) as requested:
        requested.answers(case.calls("I add.", CALLS), case.plain("I see."))
        answer = await requested.answer()
        result = ToolMessage(IDS[0], "add", [{"type": "file"}, {"sum": "three"}], files=tuple(files))
        await requested.answer(QUESTION, shown(answer), result, RESULTS[1])
        sent = json.dumps(requested.sent())
    assert b64encode(picture).decode() in sent or files[0].data in sent
    assert "three" in sent
    assert files[2].data not in sent
    hears = b64encode(sound).decode() in sent or files[1].data in sent
    assert hears == (case is GOOGLE)
    assert hears or "audio/wav, 8 bytes) was not sent" in sent


async def test_results_and_errors_follow_their_calls(requested: Requested) -> None:
    """Each under the id of its call, whatever our own ids look like."""
    _, sent = await second_turn(requested, requested.case.calls("I add.", CALLS))
    text = json.dumps(sent)
    assert "I add." in text
    assert r"\"sum\":3" in text or r'{"sum": 3}' in text
    assert "tool_error: no more room" in text
    assert IDS[0] not in text


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("no more room", "no more room"),
        ({"type": "full", "message": "no more room"}, "full: no more room"),
        ({"message": "no more room"}, "error: no more room"),
        ({"code": 5}, '{"code":5}'),
    ],
)
async def test_an_error_is_told_in_its_own_words(content: Any, said: str) -> None:
    turn = ModelMessage("", (PastCall(IDS[0], "add", {"a": 1, "b": 2}),))
    with requesting(OPENAI_CHAT) as requested:
        requested.answers(OPENAI_CHAT.plain("x"))
        await requested.answer(QUESTION, turn, ToolMessage(IDS[0], "add", content, is_error=True))
        assert json.loads(requested.sent()["messages"][-1]["content"]) == {"error": said}


async def test_claude_gets_its_signed_thoughts_back() -> None:
    """Word for word, before the calls that followed from them."""
    thought = other.thinking_block("I should add.", "EqQBCgIYAhIM")
    with requesting(ANTHROPIC) as requested:
        answer, sent = await second_turn(requested, other.message_with("I add.", CALLS, thought))
    assert answer.text == "I add."
    question, turn, results = sent["messages"]
    assert question["role"] == "user"
    assert turn["content"][0] == thought
    assert [block["type"] for block in turn["content"]] == ["thinking", "text", "tool_use", "tool_use"]
    assert [(block["tool_use_id"], block["is_error"]) for block in results["content"]] == [
        ("toolu_0", False),
        ("toolu_1", True),
    ]


async def test_openai_gets_its_items_back() -> None:
    first = openai.response(
        openai.reasoning_item("gAAAAABn"), openai.call_item(0, *CALLS[0]), openai.call_item(1, *CALLS[1])
    )
    with requesting(OPENAI) as requested:
        _, sent = await second_turn(requested, first)
    _, reasoning, *rest = sent["input"]
    assert (reasoning["id"], reasoning["encrypted_content"]) == ("rs_67ccd2bf", "gAAAAABn")
    assert [(item["type"], item.get("id"), item["call_id"]) for item in rest] == [
        ("function_call", "fc_0", "call_0"),
        ("function_call", "fc_1", "call_1"),
        ("function_call_output", None, "call_0"),
        ("function_call_output", None, "call_1"),
    ]


async def test_gemini_gets_its_signatures_back() -> None:
    with requesting(GOOGLE) as requested:
        _, sent = await second_turn(requested, other.gemini_with("I add.", CALLS, "c2lnbmF0dXJl"))
    _, turn, results = sent["contents"]
    signed = [part for part in turn["parts"] if part.get("thoughtSignature") == "c2lnbmF0dXJl"]
    assert [part["functionCall"]["args"] for part in signed] == [{"a": 1, "b": 2}]
    assert [part["functionResponse"]["response"] for part in results["parts"]] == [
        {"sum": 3},
        {"error": "tool_error: no more room"},
    ]


@pytest.mark.parametrize("case", [OPENAI_CHAT, GROQ], ids=lambda case: case.model)
async def test_texts_and_calls_alone_need_nothing_kept(case: Any) -> None:
    """The transcript holds them already; ids are made that every provider takes."""
    with requesting(case) as requested:
        answer, sent = await second_turn(requested, case.calls("I add.", CALLS))
    assert answer.provider is None
    turn, *results = sent["messages"][2:]
    ids = [call["id"] for call in turn["tool_calls"]]
    assert [result["tool_call_id"] for result in results] == ids
    assert all(len(call_id) == 9 and call_id.isalnum() for call_id in ids)


async def test_what_one_provider_kept_is_not_given_to_another() -> None:
    with requesting(ANTHROPIC) as requested:
        requested.answers(other.message_with("I add.", CALLS, other.thinking_block("Secret thought.", "EqQB")))
        turn = shown(await requested.answer())
    with requesting(OPENAI_CHAT) as requested:
        requested.answers(requested.case.plain("x"))
        await requested.answer(QUESTION, turn, *RESULTS)
        sent = json.dumps(requested.sent())
    assert "EqQB" not in sent
    assert "I add." in sent


@pytest.mark.parametrize("case", [ANTHROPIC, OPENAI, GOOGLE], ids=lambda case: case.model)
async def test_what_one_server_kept_is_not_given_to_another_of_its_protocol(case: ProviderCase) -> None:
    """A gateway's signature of a thought is none to Claude, which refuses the whole conversation for it."""
    items = openai.reasoning_item("EqQB"), openai.call_item(0, *CALLS[0]), openai.call_item(1, *CALLS[1])
    bodies = {
        ANTHROPIC.model: other.message_with("I add.", CALLS, other.thinking_block("I should add.", "EqQB")),
        OPENAI.model: openai.response(*items),
        GOOGLE.model: other.gemini_with("I add.", CALLS, "EqQB"),
    }
    with requesting(case) as requested:
        requested.answers(bodies[case.model], case.plain("x"), case.plain("x"))
        turn = shown(await requested.answer())
        await requested.answer(QUESTION, turn, *RESULTS)
        own = json.dumps(requested.sent())
        assert turn.provider is not None
        elsewhere = {**turn.provider, "response": {**turn.provider["response"], "provider_url": "https://b.example"}}
        await requested.answer(QUESTION, replace(turn, provider=elsewhere), *RESULTS)
        sent = json.dumps(requested.sent())
    assert ("EqQB" in own, "EqQB" in sent) == (True, False)
    assert sent.count('"add"') == own.count('"add"')


async def test_a_text_that_was_no_answer_is_answered_with_its_fault() -> None:
    """No call was made that a result could belong to; so the fault is told as text."""
    with requesting(OPENAI) as requested:
        requested.answers(openai.response_with("It is 3."), openai.response_with("x"))
        answer = await requested.answer()
        refused = PastCall(IDS[2], "final_result", {})
        turn = ModelMessage(answer.text, (refused,), answer.provider)
        fault = ToolMessage(IDS[2], "final_result", {"type": "invalid_output", "message": "call it"}, is_error=True)
        await requested.answer(QUESTION, turn, fault)
        sent = requested.sent()["input"]
    assert [item.get("type", item.get("role")) for item in sent] == ["user", "message", "user"]
    assert sent[-1]["content"] == "invalid_output: call it"


async def test_arguments_that_are_not_json_reach_the_tool_s_check() -> None:
    """As a fault of the call, so that it goes back to the model."""
    with requesting(OPENAI_CHAT) as requested:
        requested.answers(requested.case.calls("", [("add", '{"a": 1, "b":')]))
        (call,) = (await requested.answer()).calls
    assert call.arguments == {}
    assert call.fault.endswith('got {"a": 1, "b":')


async def test_what_is_too_large_to_keep_is_left_out() -> None:
    with requesting(ANTHROPIC) as requested:
        requested.answers(other.message_with("I add.", CALLS, other.thinking_block("x" * 300_000, "EqQB")))
        answer = await requested.answer()
    assert answer.provider is None
    assert len(answer.calls) == 2


@pytest.mark.parametrize(
    "kept", [{}, {"kind": "other"}, {"kind": "pydantic-ai"}, {"kind": "pydantic-ai", "response": 1}]
)
async def test_what_cannot_be_read_is_left_out(requested: Requested, kept: dict[str, Any]) -> None:
    """It may be of a version to come."""
    requested.answers(requested.case.plain("x"))
    turn = ModelMessage("I add.", (PastCall(IDS[0], "add", {"a": 1, "b": 2}),), kept)
    await requested.answer(QUESTION, turn, RESULTS[0])
    assert "I add." in json.dumps(requested.sent())


async def test_an_answer_that_comes_in_pieces_is_one() -> None:
    """Anthropic's, where no `max_tokens` is set: the library reads server-sent events."""
    with requesting(ANTHROPIC) as requested:
        requested.streams(messages("end_turn", ["It is ", "3."], ()))
        answer = await requested.answer(settings={"max_tokens": 128_000})
        assert requested.sent()["stream"] is True
    assert (answer.text, answer.input_tokens, answer.output_tokens) == ("It is 3.", 100, 10)

"""A file that a provider does not take ends no conversation: the request goes out again, and names it."""

from collections.abc import AsyncIterator, Callable
from os import urandom
from typing import Any

import pytest
from pydantic_ai import _ssrf
from pydantic_ai.direct import model_request, model_request_stream
from pydantic_ai.exceptions import (
    ContentFilterError,
    FallbackExceptionGroup,
    ModelAPIError,
    ModelHTTPError,
    ModelRequestRejectedError,
    UserError,
)
from pydantic_ai.messages import (
    BinaryContent,
    DocumentUrl,
    ImageUrl,
    ModelMessage,
    ModelRequest,
    ModelResponse,
    TextPart,
    ToolCallPart,
    ToolReturnPart,
    UserPromptPart,
)
from pydantic_ai.models.function import AgentInfo, FunctionModel

from baton.sdk.models.model import ModelError
from baton.sdk.models.through_pydantic_ai.errors import model_error
from baton.sdk.models.through_pydantic_ai.whole import WholeModel


def unfetched() -> Exception:
    """What the library raises for an address that it may not ask."""
    try:
        _ssrf.extract_host_and_port("ftp://a.example/gone.pdf")
        raise AssertionError("such an address is refused")
    except ValueError as error:
        return error


class _UnsupportedError(RuntimeError):
    """As Python's own error of what is not made yet."""


REFUSALS: dict[str, Callable[[], Exception]] = {
    "400": lambda: ModelHTTPError.for_category(ModelRequestRejectedError, status_code=400, model_name="m"),
    "413": lambda: ModelHTTPError(413, "m"),
    "415": lambda: ModelHTTPError(415, "m"),
    "a filter": lambda: ContentFilterError("not that picture"),
    "the library": lambda: UserError("no such format"),
    "no form for it": lambda: _UnsupportedError("AudioUrl is not supported"),
    "no type of it": lambda: RuntimeError("Unsupported binary content type"),
    "a chain": lambda: FallbackExceptionGroup("all", [ModelHTTPError(503, "n"), ModelHTTPError(413, "m")]),
}
OTHERS: dict[str, Exception] = {
    "500": ModelHTTPError(500, "m"),
    "429": ModelHTTPError(429, "m"),
    "no connection": ModelAPIError("m", "gone"),
    "a key": ModelHTTPError(401, "m"),
}


def picture(name: str = "cat.png") -> BinaryContent:
    return BinaryContent(urandom(16), media_type="image/png", identifier=name)


def asks(*content: Any) -> ModelRequest:
    return ModelRequest(parts=[UserPromptPart(list(content))])


SAID = ModelResponse(parts=[TextPart("I see.")])
CALLED = ModelResponse(parts=[ToolCallPart("shot", {}, "call_1")])


def returned(content: Any) -> ModelRequest:
    return ModelRequest(parts=[ToolReturnPart("shot", content, "call_1")])


# Conversations whose newest message has no file.
EARLIER: dict[str, Callable[[Any], list[ModelMessage]]] = {
    "an earlier message": lambda file: [asks("Look.", file), SAID, asks("Never mind.")],
    "one without an answer": lambda file: [
        ModelRequest(parts=[UserPromptPart(["Look.", file]), UserPromptPart("[not answered]"), UserPromptPart("Hi.")])
    ],
    "a result": lambda file: [asks("Look."), CALLED, returned(["a shot", file])],
    "a result alone": lambda file: [asks("Look."), CALLED, returned(file)],
    "within a result": lambda file: [asks("Look."), CALLED, returned({"shots": [{"first": file}]})],
    "beside a result": lambda file: [
        asks("Look."),
        CALLED,
        ModelRequest(parts=[ToolReturnPart("shot", "see below", "call_1"), UserPromptPart([file])]),
    ],
    "an earlier result": lambda file: [asks("Look."), CALLED, returned([file]), SAID, asks("Never mind.")],
}


class Provider:
    """Refuses files, and answers all else."""

    def __init__(self, refusal: Callable[[], Exception], refused: Callable[[Any], bool] = lambda _: True) -> None:
        self.sent = list[str]()
        self._refusal, self._refused = refusal, refused
        self.model = WholeModel(FunctionModel(self._answer, stream_function=self._stream, model_name=f"m{id(self)}"))

    def _answer(self, messages: list[ModelMessage], _: AgentInfo) -> ModelResponse:
        self.sent.append(str(messages))
        if any(self._refused(file) for one in messages for file in files_in(one)):
            raise self._refusal()
        return ModelResponse(parts=[TextPart("fine")])

    async def _stream(self, messages: list[ModelMessage], info: AgentInfo) -> AsyncIterator[str]:
        self._answer(messages, info)
        yield "fine"

    async def asked(self, messages: list[ModelMessage], *, streamed: bool = False) -> str:
        if not streamed:
            return (await model_request(self.model, messages)).text or ""
        async with model_request_stream(self.model, messages) as stream:
            async for _ in stream:
                pass
            return stream.get().text or ""


def files_in(content: Any) -> list[Any]:
    match content:
        case BinaryContent() | DocumentUrl() | ImageUrl():
            return [content]
        case ModelRequest(parts=parts):
            return [file for part in parts for file in files_in(getattr(part, "content", None))]
        case list():
            return [file for one in content for file in files_in(one)]
        case dict():
            return files_in(list(content.values()))
        case _:
            return []


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("place", EARLIER)
@pytest.mark.parametrize("refusal", REFUSALS)
async def test_a_file_before_the_newest_message_is_told_by_its_name(refusal: str, place: str, streamed: bool) -> None:
    """It is sent once: the next request leaves it out at once. What is recorded has it."""
    provider, messages = Provider(REFUSALS[refusal]), EARLIER[place](picture())
    assert await provider.asked(messages, streamed=streamed) == "fine"
    assert len(provider.sent) == 2
    assert "[The file 'cat.png' (image/png) is left out here.]" in provider.sent[-1]
    assert any(map(files_in, messages))
    assert await provider.asked([*messages, SAID, asks("And now?")], streamed=streamed) == "fine"
    assert len(provider.sent) == 3


@pytest.mark.parametrize("refusal", REFUSALS)
async def test_the_newest_message_s_own_file_fails_it_for_good(refusal: str) -> None:
    provider = Provider(REFUSALS[refusal])
    with pytest.raises(Exception, match=r"\w") as raised:
        await provider.asked([asks("Look.", picture("old.png")), SAID, asks("And this?", picture())])
    failure = model_error(raised.value)
    assert isinstance(failure, ModelError)
    assert not failure.retryable or refusal == "a chain"
    assert len(provider.sent) == 2, "without the earlier ones it was refused as well"
    assert "'old.png' (image/png) is left out" in provider.sent[-1]
    with pytest.raises(type(raised.value)):
        await provider.asked([asks("This?", picture())])
    assert len(provider.sent) == 3


@pytest.mark.parametrize("failure", OTHERS)
async def test_what_may_pass_leaves_no_file_out(failure: str) -> None:
    provider = Provider(lambda: OTHERS[failure])
    with pytest.raises(type(OTHERS[failure])):
        await provider.asked(EARLIER["a result"](picture()))
    assert len(provider.sent) == 1


async def test_files_of_newer_results_go_first() -> None:
    """An earlier one, which was answered, stays."""
    provider = Provider(REFUSALS["400"], lambda file: file.identifier == "bad.png")
    messages: list[ModelMessage] = [asks("Look.", picture("good.png")), CALLED, returned([picture("bad.png")])]
    assert await provider.asked(messages) == "fine"
    assert "'bad.png' (image/png) is left out" in provider.sent[-1]
    assert "'good.png' (image/png) is left out" not in provider.sent[-1]


async def test_a_file_that_cannot_be_fetched_is_named_as_well() -> None:
    file = DocumentUrl("https://a.example/gone.pdf", media_type="application/pdf", identifier="gone.pdf")
    provider = Provider(unfetched)
    assert await provider.asked([asks("Read.", file), SAID, asks("Hi.")]) == "fine"
    assert "'gone.pdf' (application/pdf) is left out" in provider.sent[-1]


async def test_another_model_is_sent_it() -> None:
    file = picture()
    assert await Provider(REFUSALS["400"]).asked(EARLIER["an earlier message"](file)) == "fine"
    other = Provider(REFUSALS["400"], lambda _: False)
    assert await other.asked(EARLIER["an earlier message"](file)) == "fine"
    assert "is left out" not in other.sent[0]

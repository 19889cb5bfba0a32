"""A chat in which a model refuses a file: that message fails in its words, and the next ones are answered.

Those are told the file's name, by Baton's own agents and by agents of libraries.
"""

import json
import re
from base64 import b64encode
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from os import urandom
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from pydantic_ai import Agent as PydanticAgent
from pydantic_ai.exceptions import ModelHTTPError
from pydantic_ai.messages import BinaryContent, ModelResponse, TextPart
from pydantic_ai.messages import ModelMessage as TheirMessage
from pydantic_ai.models.function import AgentInfo, FunctionModel

from baton import Agent, Registry
from baton.langgraph import durable as of_langgraph
from baton.pydantic_ai import durable
from baton.sdk.models.model import File, ModelAnswer, ModelError, ModelMessage, ModelRequest, files_of
from tests.unit.baton.kit.listening import Listening
from tests.unit.baton.server.api.client import Api, api_with
from tests.unit.baton.server.api.sessions.chatting import parts_of, text_of
from tests.unit.baton.server.api.sessions.test_files import asked, file_part

WORDS = "Could not process image"
LEFT_OUT = "[The file 'a.png' (image/png) is left out here.]"


class Seen:
    """What models were sent, one text for each request; `fails`: how often, whatever it is sent, and with what."""

    def __init__(self) -> None:
        self.sent = list[str]()
        self.refuses = self.may_pass = False

    def judged(self, text: str, *, has_files: bool) -> None:
        self.sent.append(text)
        if self.may_pass:
            raise TimeoutError("the provider is busy")
        if has_files and self.refuses:
            raise ValueError(WORDS)


def own(seen: Seen) -> Agent:
    def answer(request: ModelRequest) -> ModelAnswer:
        users = [message for message in request.messages if not isinstance(message, ModelMessage)]
        files = [file for message in users for file in message.files]
        named = [f"[The file {file.filename!r} ({file.media_type}) is left out here.]" for file in files]
        with failing(lambda words, retryable: ModelError(words, retryable=retryable)):
            seen.judged(str([users, named]), has_files=any(file.data for file in files))
        return ModelAnswer("fine")

    model = Listening(answer)
    model.takes_files = ("image/*",)
    return Agent("looks", model, model_retries=1)


def of_a_library(seen: Seen) -> Agent:
    def answer(messages: list[TheirMessage], _: AgentInfo) -> ModelResponse:
        contents = [getattr(part, "content", None) for message in messages for part in message.parts]
        files = [one for content in contents if isinstance(content, list) for one in content]
        with failing(lambda words, retryable: ModelHTTPError(503 if retryable else 400, "m", words)):
            seen.judged(str(messages), has_files=any(isinstance(one, BinaryContent) for one in files))
        return ModelResponse([TextPart("fine")])

    return durable(PydanticAgent(FunctionModel(answer, model_name=f"m{id(seen)}"), name="looks"))


@contextmanager
def failing(make: Callable[[str, bool], Exception]) -> Iterator[None]:
    """Fail as the model's kind does."""
    try:
        yield
    except (TimeoutError, ValueError) as error:
        raise make(str(error), isinstance(error, TimeoutError)) from error


KINDS = {"own": own, "a library's": of_a_library}


@asynccontextmanager
async def chat(kind: str, *more: Agent) -> AsyncIterator[tuple[Api, Seen]]:
    seen = Seen()
    async with api_with(Registry([KINDS[kind](seen), *more])) as api:
        yield api, seen


def text(words: str) -> dict[str, Any]:
    return {"type": "text", "text": words}


def picture() -> dict[str, Any]:
    return file_part(b"\x89PNG\r\n\x1a\n" + urandom(64))


@pytest.mark.parametrize("kind", KINDS)
async def test_the_message_fails_in_the_provider_s_words_and_later_ones_are_answered(kind: str) -> None:
    async with chat(kind) as (api, seen):
        seen.refuses = True
        failed = parts_of(await asked(api, "m1", text("Look."), picture()))
        (job_id,) = {part["messageId"] for part in failed if part["type"] == "start"}
        error = (await api.read(job_id))["error"]
        assert WORDS in error["message"]
        assert len(seen.sent) == 1, "what is refused is not sent again"
        for number in (2, 3):
            assert text_of(await asked(api, f"m{number}", text("Never mind."))) == "fine"
            assert LEFT_OUT in seen.sent[-1]
        assert len(seen.sent) == 3
        again = await asked(api, "m4", text("And this?"), picture())
        assert [part["type"] for part in parts_of(again)].count("error") == 1


@pytest.mark.parametrize("kind", KINDS)
async def test_a_failure_that_may_pass_leaves_the_file_to_the_next_message(kind: str) -> None:
    async with chat(kind) as (api, seen):
        seen.may_pass = True
        assert "error" in {part["type"] for part in parts_of(await asked(api, "m1", text("Look."), picture()))}
        seen.may_pass = False
        assert text_of(await asked(api, "m2", text("Try again."))) == "fine"
        assert LEFT_OUT not in seen.sent[-1].rpartition("Try again.")[0]


@pytest.mark.parametrize("kind", KINDS)
async def test_a_file_that_was_taken_is_sent_again(kind: str) -> None:
    async with chat(kind) as (api, seen):
        assert text_of(await asked(api, "m1", text("Look."), picture())) == "fine"
        assert text_of(await asked(api, "m2", text("And now?"))) == "fine"
        assert re.search(r"data='[\w-]+|BinaryContent|BinaryImage", seen.sent[-1])


@pytest.mark.parametrize("kind", KINDS)
async def test_the_next_agent_of_a_session_is_not_sent_what_its_model_does_not_take(kind: str) -> None:
    blind = Listening()
    async with chat(kind, Agent("blind", blind)) as (api, _):
        assert text_of(await asked(api, "m1", text("Look."), picture(), agent="looks")) == "fine"
        assert text_of(await asked(api, "m2", text("Never mind."), agent="blind")) == "done"
        (file,) = [file for message in blind.found[-1] for file in getattr(message, "files", ())]
        assert (file.filename, file.data, file.url) == ("a.png", "", "")


class Refusing(BaseChatModel):
    """Calls a tool first; refuses each later message that comes with its picture."""

    @property
    def _llm_type(self) -> str:
        return "refusing"

    def bind_tools(self, tools: Any, **_: Any) -> Any:
        return self

    def _generate(self, messages: Any, *_: Any, **__: Any) -> ChatResult:
        questions = sum(one.type == "human" for one in messages)
        if questions > 1 and any(isinstance(one.content, list) for one in messages):
            raise ModelError(WORDS, retryable=False)
        calls = [{"name": "take_picture", "args": {}, "id": "c1"}] if len(messages) == 1 else []
        return ChatResult(generations=[ChatGeneration(message=AIMessage("fine", tool_calls=calls))])


def take_picture() -> list[dict[str, str]]:
    """Take a picture."""
    return [{"type": "image", "base64": b64encode(urandom(64)).decode(), "mime_type": "image/png"}]


async def test_a_picture_within_a_library_s_messages_ends_no_conversation() -> None:
    """A model may refuse one that another model has taken before a deploy."""
    async with api_with(Registry([of_langgraph(create_agent(Refusing(), [take_picture], name="looks"))])) as api:
        assert text_of(await asked(api, "m1", text("Look."))) == "finefine"
        assert "error" in {part["type"] for part in parts_of(await asked(api, "m2", text("And now?")))}
        assert text_of(await asked(api, "m3", text("Never mind."))) == "fine"


def test_nothing_is_left_of_a_refused_file_but_its_name() -> None:
    entry = {"files": [{"mediaType": "image/png", "filename": "a.png", "url": "https://a/b", "refused": True}]}
    assert files_of(json.loads(json.dumps(entry))) == (File("image/png", "a.png"),)

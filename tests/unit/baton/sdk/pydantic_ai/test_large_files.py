"""A large file is stored once, however often a run tells it."""

import re
from base64 import b64encode, urlsafe_b64encode
from typing import Any

import pytest
from pydantic_ai import Agent, BinaryContent, ModelMessage, ModelResponse, RunContext, TextPart
from pydantic_ai.models.function import AgentInfo, FunctionModel
from pydantic_ai.models.test import TestModel

from baton import Limits, Registry
from baton.pydantic_ai import durable
from baton.sdk.agents.registry import agent_takes
from baton.sdk.records.file_contents import LARGE_BYTES, FileContents
from tests.fakes.stored import FakeStore
from tests.unit.baton.sdk.pydantic_ai.documented_models import DETAIL, PICTURE, looks_at_files
from tests.unit.baton.sdk.pydantic_ai.played import PlayedStage, call, played
from tests.unit.baton.server.api.client import api_of, with_keys
from tests.unit.baton.server.api.sessions.chatting import job_of, send, text_of


async def test_the_bytes_of_a_file_are_written_and_counted_once() -> None:
    """In a job with ten calls, each of which returns it; one enqueues it as well."""
    case, store = looks_at_files(9), FakeStore()

    @case.agent.system_prompt(dynamic=True)
    def step(ctx: RunContext[Any]) -> str:
        return f"Step {ctx.run_step}."  # so that each turn keeps the first message, with the picture, anew

    snapshot = await played(case.durable(), store)
    assert snapshot.job.result == {"answer": "seen again", "output": "seen again"}
    tree = store.tree("job_1")
    stored = "".join([*tree.transcript["job_1"], *tree.results["job_1"].values(), *tree.parts["job_1"]])
    picture, detail = (urlsafe_b64encode(one.data).decode() for one in (PICTURE, DETAIL))
    assert (stored.count(picture), stored.count(f'"{detail}')) == (1, 1)
    assert tree.usage["job_1"].written < 1.2 * (len(picture) + len(detail))


def test_what_was_shortened_is_read_as_it_was() -> None:
    """Also where a text has the same content twice; a smaller one stays in its place.

    A content that is not there is an error where the run goes on from it, and else empty.
    """
    large, small = "A" * (LARGE_BYTES * 4 // 3), "A" * (LARGE_BYTES * 4 // 3 - 1)
    texts = [f'[{{"data":"{large}"}},{{"data":"{large}"}}]', f'[{{"data":"{large}"}},{{"data":"{small}"}}]']
    written, read = FileContents(), FileContents()
    kept = list[str]()
    for text in texts:
        kept.append(written.short(text))
        assert written.whole(kept[-1]) == text
    assert [large in text for text in kept] == [True, False]
    assert [read.whole(text) for text in kept] == texts
    gone = '{"data":sha256:' + "0" * 64 + "}"
    with pytest.raises(LookupError, match="is not recorded"):
        FileContents().whole(gone)
    assert FileContents(complete=False).whole(gone) == '{"data":""}'


async def test_a_later_job_of_a_session_is_told_the_file() -> None:
    file = BinaryContent(b"\x89PNG" + bytes(LARGE_BYTES), media_type="image/png")

    def answer(messages: list[ModelMessage], _: AgentInfo) -> ModelResponse:
        if len(messages) == 1:
            return ModelResponse([call("look")])
        return ModelResponse([TextPart(f"told the file: {repr(file.data) in repr(messages)}, of {len(messages)}")])

    agent: Agent[Any, str] = Agent(FunctionModel(answer), name="a")

    @agent.tool_plain
    def look() -> list[Any]:
        return ["a detail", file]

    registry = Registry([durable(agent, limits=Limits(tokens=10**9))])
    async with api_of(PlayedStage(registry=registry, settings=with_keys())) as api:
        jobs = [job_of(await send(api, "c", name, name, agent="a")) for name in ("look", "and?")]
        answers = [(await api.read(job_id))["result"]["answer"] for job_id in jobs]
    assert answers == ["told the file: True, of 3", "told the file: True, of 5"]


async def test_a_file_of_a_chat_is_told_and_is_in_no_record_of_the_run() -> None:
    picture = b"\x89PNG\r\n\x1a\n" + bytes(LARGE_BYTES)

    def answer(messages: list[ModelMessage], _: AgentInfo) -> ModelResponse:
        if len(messages) == 1:
            return ModelResponse([call("look")])
        return ModelResponse([TextPart(f"{messages[2].parts[0]}: {repr(messages).count(repr(picture))}")])

    agent: Agent[Any, str] = Agent(FunctionModel(answer), name="a")

    @agent.tool
    def look(ctx: RunContext[Any]) -> int:
        return repr(ctx.messages).count(repr(picture))

    registry = Registry([durable(agent)])
    stage = PlayedStage(registry=registry, settings=with_keys())
    part = {"type": "file", "mediaType": "image/png", "url": f"data:image/png;base64,{b64encode(picture).decode()}"}
    async with api_of(stage) as api:
        message = {"id": "m1", "role": "user", "parts": [{"type": "text", "text": "look"}, part]}
        responses = [await send(api, "c", "m1", "", messages=[message]), await send(api, "c", "m2", "and?")]
        messages = (await api.request("GET", f"/api/agent-jobs/{job_of(responses[0])}/model-messages")).json()
    for response in responses:
        assert re.search(r"content=1,.*: 1$", text_of(response))
    kept = "".join(text for tree in stage.store.trees.values() for texts in tree.transcript.values() for text in texts)
    assert urlsafe_b64encode(picture).decode() not in kept
    assert len(messages["messages"][0]["parts"][0]["content"][1]["data"]) == len("FILE") + 64


@pytest.mark.parametrize(
    ("media_type", "takes"), [("image/png", False), ("application/pdf", True), ("video/mp4", True)]
)
def test_a_model_takes_what_its_profile_says(media_type: str, *, takes: bool) -> None:
    model = TestModel(profile={"supports_image_input": False})
    agents = durable(Agent(model, name="a")), durable(Agent("openai:gpt-5-mini", name="b", defer_model_check=True))
    registry = Registry(agents)
    assert [agent_takes(registry, agent, media_type) for agent in agents] == [takes, True]

"""Agents with models that fall back, suspend their answers, are chosen late, or are shown files of all kinds."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from pydantic_ai import Agent, AudioUrl, BinaryContent, CachePoint, DocumentUrl, RunContext, ToolReturn, VideoUrl
from pydantic_ai.capabilities import (
    ImageGeneration,
    ReinjectSystemPrompt,
    ResolveModelId,
    SelectModel,
    UseThreadExecutor,
    WebSearch,
)
from pydantic_ai.exceptions import ModelHTTPError
from pydantic_ai.messages import (
    ModelMessage,
    ModelResponse,
    ModelResponsePart,
    NativeToolCallPart,
    NativeToolReturnPart,
    TextPart,
)
from pydantic_ai.models import Model, ModelRequestParameters
from pydantic_ai.models.fallback import FallbackModel
from pydantic_ai.models.function import AgentInfo, FunctionModel
from pydantic_ai.models.test import TestModel
from pydantic_ai.settings import ModelSettings
from pydantic_ai.usage import RequestUsage

from tests.unit.baton.sdk.pydantic_ai.documented_agents import SUM, Case, Cases, City, add, of
from tests.unit.baton.sdk.pydantic_ai.played import call, scripted

PICTURE = BinaryContent(b"\x89PNG" + bytes(500_000), media_type="image/png")
DETAIL = BinaryContent(b"\x89PNG" + bytes(70_000), media_type="image/png")


def looks_at_files(looks: int) -> Case:
    """So many calls, each of which returns a file."""
    turns: list[list[Any]] = [[call("look", str(n), at=n)] for n in range(1, looks + 1)]
    turns[3].append(call("look", "beside", at=0))
    turns += [[TextPart("seen")], [TextPart("seen again")]]

    def answer(messages: list[ModelMessage], _: AgentInfo) -> ModelResponse:
        made = sum(isinstance(message, ModelResponse) for message in messages)
        return ModelResponse(turns[made], usage=RequestUsage(input_tokens=1))  # else files count as tokens

    def look(ctx: RunContext[Any], at: int) -> Any:
        if at == 0:
            ctx.enqueue("Look:", DETAIL, priority="when_idle")
        return ["a detail", DETAIL] if at % 2 else ToolReturn("a detail", content=["Here:", DETAIL])

    return of(model=FunctionModel(answer), tools=[look], prompt=["What is this?", PICTURE])


def failing(_: list[ModelMessage], __: AgentInfo) -> ModelResponse:
    raise ModelHTTPError(500, "first")


class Unstreamed(Model):
    """A model that calls every tool, as a provider: what it streams would have other counts of tokens."""

    @property
    def model_name(self) -> str:
        return "unstreamed"

    @property
    def system(self) -> str:
        return "test"

    async def request(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
    ) -> ModelResponse:
        return await TestModel(seed=3).request(messages, model_settings, model_request_parameters)


class Background(Unstreamed):
    """A model whose provider suspends each answer twice, and is asked again for the same one."""

    delay_seconds = 0.01

    def __init__(self) -> None:
        super().__init__()
        self.cancelled: list[str | None] = []
        self.failures: list[Exception] = []

    async def cancel_suspended_response(self, response: ModelResponse) -> None:
        self.cancelled.append(response.provider_response_id)
        if self.failures:
            raise self.failures.pop()

    def continuation_delay(self, response: ModelResponse) -> float | None:
        return self.delay_seconds

    async def request(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
    ) -> ModelResponse:
        last, made = messages[-1], sum(isinstance(one, ModelResponse) and one.state == "complete" for one in messages)
        polls = (last.provider_details or {}).get("polls", 0) if isinstance(last, ModelResponse) else 0
        job: Any = {
            "provider_response_id": f"answer-{made}",
            "usage": RequestUsage(input_tokens=1, output_tokens=polls),
        }
        if polls < 2:
            return ModelResponse([], state="suspended", provider_details={"polls": polls + 1}, **job)
        return ModelResponse([TextPart("3") if made else SUM], **job)


def suspended_answers() -> Case:
    return of(model=Background(), tools=[add])


def search(query: str) -> str:
    return f"found {query}"


async def paint(prompt: str) -> str:
    return f"painted {prompt}"


def _tools_of_a_provider() -> Case:
    """Calls that the provider makes itself, and answers in the same message, beside one for us."""
    searched: list[ModelResponsePart] = [
        NativeToolCallPart("web_search", {"query": "Ur"}, tool_call_id="s1", provider_name="test"),
        NativeToolReturnPart("web_search", {"hits": [1]}, tool_call_id="s1", provider_name="test"),
    ]
    return of([TextPart("Let me see."), *searched, SUM], [*searched, TextPart("It is "), TextPart("3.")], tools=[add])


def _selected_models() -> Case:
    """An agent without a model, whose capability chooses one for each step."""
    small, large = scripted([SUM], "unused"), scripted([], "from the large one")
    return Case(Agent(tools=[add], capabilities=[SelectModel(lambda ctx: large if len(ctx.messages) > 1 else small)]))


def _models_by_name() -> Case:
    """A model's name that a capability knows, for each user of its own; threads of one's own; a prompt put back."""

    def resolve(ctx: Any, model_id: str) -> Model | None:
        return scripted([SUM], f"{model_id} of {ctx.deps}") if model_id.startswith("user:") else None

    capabilities: Any = [ResolveModelId(resolve), UseThreadExecutor(ThreadPoolExecutor(2)), ReinjectSystemPrompt()]
    settings = {"deps_type": str, "capabilities": capabilities, "system_prompt": "Be kind."}
    return of(model="user:large", tools=[add], deps="Ann", **settings)


MODELS: Cases = {
    "large_files": lambda: looks_at_files(4),
    "fallback_model": lambda: of(model=FallbackModel(FunctionModel(failing), scripted([SUM], "3")), tools=[add]),
    "suspended_answers": suspended_answers,
    # A model that calls every tool, then answers in the output's type.
    "model_for_tests": lambda: of(model=Unstreamed(), tools=[add], output_type=City),
    "inputs_of_all_kinds": lambda: of(
        *([SUM], "files"),
        tools=[add],
        prompt=[
            "What are these?",
            AudioUrl("https://example.com/a.mp3"),
            VideoUrl("https://example.com/a.mp4"),
            DocumentUrl("https://example.com/a.pdf", identifier="the-contract"),
            CachePoint(),
            BinaryContent(b"a,b\n1,2", media_type="text/csv", identifier="table"),
        ],
    ),
    # Tools of a provider, here made by functions, since this model has none of its own.
    "local_search": lambda: of(
        *([call("search", query="Ur"), call("paint", prompt="Ur")], "done"),
        capabilities=[WebSearch(local=search), ImageGeneration(local=paint)],
    ),
    "tools_of_a_provider": _tools_of_a_provider,
    "selected_models": _selected_models,
    "models_by_name": _models_by_name,
}

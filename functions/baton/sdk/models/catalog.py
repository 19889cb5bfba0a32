"""Models by name, for agents that write `model="demo"` or `model="openai:gpt-5-mini"`.

Invariant: checking a name builds nothing, and making a provider's model loads nothing. The first turn loads the
provider's library, in a thread; a missing library or key is then a permanent `ModelError` with the way out. The list of
names is the one of the pydantic-ai that is locked; a test compares them. Must not: read settings, open connections,
retry, or import pydantic-ai, which costs a second that only the function that calls models may spend.
"""

import asyncio
import importlib
import sys
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType
from typing import Any, Protocol, TypeGuard, cast

from baton.sdk.distribution import DISTRIBUTION
from baton.sdk.models.model import Model, ModelAnswer, ModelError, ModelRequest
from baton.sdk.records.own_threads import in_own_thread
from baton.sdk.records.transcript import HttpRequest, HttpResponse

Answering = Callable[[ModelRequest], Awaitable[ModelAnswer]]


class Offloaded(Protocol):
    """Makes a model's request and reads its answer, while another program calls the provider."""

    async def request_for(self, request: ModelRequest) -> HttpRequest:
        """Make the request, or raise `ModelError`."""
        ...

    async def answer_of(self, request: ModelRequest, response: HttpResponse) -> ModelAnswer:
        """Read the answer to the same request, or raise `ModelError`."""
        ...


class BackgroundProvider(Protocol):
    """A provider that accepts a request at once and has the answer on a later request; `number`: the request's."""

    async def begun(self, request: HttpRequest, number: int) -> HttpResponse: ...

    async def polled(self, request: HttpRequest, response_id: str, number: int) -> HttpResponse: ...

    async def stopped(self, request: HttpRequest, response_id: str, number: int) -> HttpResponse: ...


class ProviderModel:
    """The model of that name, with pydantic-ai's class for it; `made`: an object of such a class."""

    reads_history = True
    takes_files = ("*/*",)  # a provider's model leaves it to the provider to refuse a type

    def __init__(self, name: str, made: Any = None) -> None:
        self.name, self._made = name, made
        self._answering: Answering | None = None
        self._offloaded: Offloaded | None = None
        self._loading = asyncio.Lock()

    async def answer(self, request: ModelRequest) -> ModelAnswer:
        """Call the provider once."""
        if self._answering is None:
            async with self._loading:
                if self._answering is None:
                    self._answering = await in_own_thread(_load, self.name, self._made)
        answering = self._answering
        assert answering is not None, "it has just been loaded"
        return await answering(request)

    @property
    def is_named(self) -> bool:
        """Whether it is given by its name alone."""
        return self._made is None

    async def offloaded(self) -> "Offloaded":
        """Load the client that makes requests for another program to send. Only a model by name has it."""
        made = self._offloaded or await in_own_thread(_load_offloaded, self.name)
        self._offloaded = made
        return made


def can_offload(model: object) -> TypeGuard["OffloadedModel"]:
    """Return whether another program can send the requests of this model."""
    return model.is_named if isinstance(model, ProviderModel) else callable(getattr(model, "offloaded", None))


class OffloadedModel(Protocol):
    """A model whose requests another program can send; a model of your own may be one."""

    name: str

    async def offloaded(self) -> Offloaded:
        """Load the client that makes requests and reads their answers."""
        ...


class LibraryModel(Protocol):
    """The attributes by which a model object of pydantic-ai is known."""

    @property
    def system(self) -> str: ...

    @property
    def model_name(self) -> str: ...


def of_pydantic_ai(model: object) -> ProviderModel | None:
    """Wrap an object of pydantic-ai as a model; None: it is not one. Its library is already loaded if it is one."""
    library = sys.modules.get("pydantic_ai.models")
    if library is None or not isinstance(model, library.Model):
        return None
    made = cast("LibraryModel", model)
    return ProviderModel(f"{made.system}:{made.model_name}", made)


def _load(name: str, made: Any) -> Answering:
    """Load the provider's library, which takes a second, and make its client."""
    with _installed(name):
        client = importlib.import_module("baton.sdk.models.through_pydantic_ai.client")
        answering: Answering = client.ProviderClient(name, made).answer
    return answering


def _load_offloaded(name: str) -> Offloaded:
    with _installed(name):
        # In the library's usual import order: threads that begin at different modules of it would see some half loaded.
        importlib.import_module("baton.sdk.models.through_pydantic_ai.client")
        client = importlib.import_module("baton.sdk.models.through_pydantic_ai.offloaded")
        offloaded: Offloaded = client.OffloadedClient(name)
    return offloaded


@contextmanager
def _installed(name: str) -> Iterator[None]:
    try:
        yield
    except ImportError as error:
        raise ModelError(
            f"the library of model {name!r} is not installed: {error}; pip install '{DISTRIBUTION}[models]', or the"
            " extra of pydantic-ai-slim for this provider",
            retryable=False,
        ) from error


GATEWAY = "gateway/"  # Pydantic's gateway in front of a provider: gateway/openai:gpt-5

PROVIDER_NAMES = frozenset(
    {
        "alibaba",
        "anthropic",
        "azure",
        "azure-responses",
        "bedrock",
        "bedrock-mantle",
        "cerebras",
        "cohere",
        "crusoe",
        "deepseek",
        "fireworks",
        "github",
        "github-copilot",
        "google",
        "google-cloud",
        "google-decisions",
        "groq",
        "heroku",
        "huggingface",
        "litellm",
        "meta",
        "mistral",
        "moonshotai",
        "nebius",
        "ollama",
        "openai",
        "openai-chat",
        "openai-chatgpt",
        "openai-codex",
        "openai-decisions",
        "openai-responses",
        "openrouter",
        "ovhcloud",
        "sambanova",
        "snowflake",
        "system-one",
        "together",
        "typesafe",
        "vercel",
        "vllm",
        "xai",
        "zai",
    }
)


# The providers whose requests the queue can send: plain HTTP, with a key that does not change.
OFFLOADED_TO_PROVIDER = frozenset({"openai", "openai-responses"})
OFFLOADED_TO_QUEUE = frozenset(
    {
        *("anthropic", "cerebras", "deepseek", "fireworks", "google", "groq", "mistral", "moonshotai", "openai"),
        *("openai-chat", "openai-responses", "openrouter", "together"),
    }
)


def name_fault(name: str) -> str | None:
    """Return the fault of a name of the form `provider:model`; None if none can be found here."""
    provider, _, model = name.partition(":")
    if provider.removeprefix(GATEWAY) not in PROVIDER_NAMES:
        from difflib import get_close_matches  # noqa: PLC0415 - only where a name is wrong

        close = get_close_matches(provider, PROVIDER_NAMES, n=1)
        hint = f"did you mean '{close[0]}:{model}'?" if close else f"there are: {', '.join(sorted(PROVIDER_NAMES))}"
        return f"there is no provider {provider!r}; {hint}"
    if not model.strip():
        return f"the model's name is missing; write '{provider}:' and the name under which the provider knows it"
    return None


def listed_usd(model: str, input_tokens: int, output_tokens: int) -> float:
    """Return what a call of a named model costs at list prices; 0: that is not known."""
    if ":" not in model:
        return 0.0
    try:
        prices = importlib.import_module("baton.sdk.models.through_pydantic_ai.prices")
    except ImportError:
        return 0.0
    cost_usd: float = prices.listed_usd(model, input_tokens, output_tokens)
    return cost_usd


def background_provider() -> BackgroundProvider:
    """Load the client of providers that answer in the background."""
    made: BackgroundProvider = importlib.import_module(
        "baton.sdk.models.through_pydantic_ai.background_responses"
    ).RESPONSES
    return made


def works_in_background(model: object) -> bool:
    """Return whether the model's provider answers in the background."""
    name = model.name if isinstance(model, ProviderModel) and model.is_named else model
    return isinstance(name, str) and name.partition(":")[0] in OFFLOADED_TO_PROVIDER


def offload_fault(model: object, offload: str) -> str | None:
    """Return why the requests of this model cannot be offloaded so; None: they can."""
    provider = model.partition(":")[0] if isinstance(model, str) else ""
    shown = model if isinstance(model, str) else getattr(model, "name", type(model).__name__)
    if offload == "provider":
        fault, providers = f"{shown!r} has no background mode", OFFLOADED_TO_PROVIDER
        fits = provider in providers
    else:
        fault, providers = f"the queue cannot send the request of {shown!r}", OFFLOADED_TO_QUEUE
        fits = provider in providers or (not provider and can_offload(model))
    if fits:
        return None
    listed = ", ".join(sorted(providers))
    return f"{fault}: name models as 'provider:model', of the providers {listed}; or leave offload out"


def _demo() -> Model:
    from baton.sdk.models.demo import DemoModel  # noqa: PLC0415 - loaded only where a model is called

    return DemoModel()


_MAKERS: Mapping[str, Callable[[], Model]] = MappingProxyType({"demo": _demo})

MODEL_NAMES = tuple(sorted(_MAKERS))


def model_fault(name: str) -> str | None:
    """Return the fault of a model's name, with the valid names; None: such a model can be made."""
    if name in _MAKERS:
        return None
    if ":" not in name:
        return f"unknown model {name!r}; {available_models()}"
    fault = name_fault(name)
    return None if fault is None else f"unknown model {name!r}: {fault}"


def model_named(name: str) -> Model:
    """Make the model of that name, or raise a `ValueError` that lists the valid names."""
    fault = model_fault(name)
    if fault is not None:
        raise ValueError(fault)
    return _MAKERS[name]() if name in _MAKERS else ProviderModel(name)


def available_models() -> str:
    """List the available models, for error messages."""
    names = ", ".join(repr(name) for name in MODEL_NAMES)
    return f"use {names}, 'provider:model' as in 'openai:gpt-5-mini', or an object with the methods of Model"

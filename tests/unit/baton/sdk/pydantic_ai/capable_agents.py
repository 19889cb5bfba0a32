"""Agents with capabilities and hooks, whose effects are counted: each makes fresh objects, as a process does."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any, Self

import anyio
from pydantic import BaseModel
from pydantic_ai import Agent, ModelRetry, RunContext
from pydantic_ai.capabilities import AbstractCapability, WrapRunHandler
from pydantic_ai.capabilities.wrapper import WrapperCapability
from pydantic_ai.messages import ModelRequest, SystemPromptPart
from pydantic_ai.run import AgentRunResult
from pydantic_ai.toolsets import AbstractToolset, FunctionToolset, WrapperToolset

from tests.unit.baton.sdk.pydantic_ai.played import Turn, call, scripted

Happened = Counter[str]
TURNS: tuple[Turn, ...] = ([call("look", "1", n=1), call("look", "2", n=2)], [call("look", "3", n=3)], "done")


class Note(BaseModel):
    text: str
    on: date = date(2026, 1, 1)


class Anew(AbstractCapability[Any]):
    """Another one for each run."""

    async def for_run(self, ctx: RunContext[Any]) -> Self:
        return type(self)()


class Shelf:
    """A plain object, which is filled again in place."""

    def __init__(self) -> None:
        self.notes: list[Note] = []


@dataclass
class Counts(AbstractCapability[Any]):
    """Counts in every way, and tells the model at its end what it has counted."""

    note: Callable[[str], None]
    words: tuple[str, ...] = ("a", "b")
    requests: int = 0
    results: list[str] = field(default_factory=list)
    names: set[str] = field(default_factory=set)
    per_tool: dict[str, int] = field(default_factory=dict)
    shelf: Shelf = field(default_factory=Shelf)
    by_word: dict[int, int] = field(default_factory=dict)
    last: tuple[Any, ...] = ()

    async def for_run(self, ctx: RunContext[Any]) -> "Counts":
        return Counts(self.note, self.words)

    async def before_run(self, ctx: RunContext[Any]) -> None:
        self.note("before_run")
        self.names.add("begun")

    async def before_model_request(self, ctx: RunContext[Any], request_context: Any) -> Any:
        self.note("before_model_request")
        self.requests += 1
        self.by_word[id(self.words)] = self.by_word.get(id(self.words), 0) + 1
        return request_context

    async def after_tool_execute(self, ctx: RunContext[Any], *, call: Any, result: Any, **_: Any) -> Any:
        self.note("after_tool_execute")
        self.results.append(str(result))
        self.per_tool[call.tool_name] = self.per_tool.get(call.tool_name, 0) + 1
        self.shelf.notes.append(Note(text=call.tool_call_id))
        self.last = (self.requests, {call.tool_name: ctx.run_step})
        return result

    async def after_run(self, ctx: RunContext[Any], *, result: AgentRunResult[Any]) -> AgentRunResult[Any]:
        self.note("after_run")
        by_word = list(self.by_word.values())
        notes = [note.text for note in self.shelf.notes]
        counted = [self.requests, self.results, sorted(self.names), self.per_tool, by_word, notes, self.last]
        return replace(result, output=f"{result.output}: {counted}")


@dataclass
class Around(WrapperCapability[Any]):
    """Wraps another one, as a user's own wrapper does."""


class Session(FunctionToolset[Any]):
    """A toolset with a counter for each run."""

    def __init__(self) -> None:
        super().__init__()
        self.looks = 0
        self.add_function(self.look)

    async def for_run(self, ctx: RunContext[Any]) -> AbstractToolset[Any]:
        return Session()

    async def look(self, n: int) -> str:
        """Look."""
        self.looks += 1
        return f"look {self.looks} at {n}"


@dataclass
class Recovering(AbstractCapability[Any]):
    note: Callable[[str], None]

    async def on_run_error(self, ctx: RunContext[Any], *, error: BaseException) -> AgentRunResult[Any]:
        self.note(f"on_run_error: {type(error).__name__} {error}")
        return AgentRunResult(output="recovered")


@dataclass
class Watching(AbstractCapability[Any]):
    note: Callable[[str], None]

    async def on_run_error(self, ctx: RunContext[Any], *, error: BaseException) -> AgentRunResult[Any]:
        self.note(f"alarm: {type(error).__name__}")
        raise error


@dataclass
class Wrapping(AbstractCapability[Any]):
    """Makes something else of the result, around the whole run."""

    async def wrap_run(self, ctx: RunContext[Any], *, handler: WrapRunHandler) -> AgentRunResult[Any]:
        result = await handler()
        return replace(result, output=f"wrapped {result.output} with {len(result.new_messages())} new messages")


@dataclass
class SameId(Anew):
    """Notes the ids and prompts that tools and hooks see."""

    seen: list[Any] = field(default_factory=list)

    async def before_tool_execute(self, ctx: RunContext[Any], *, args: dict[str, Any], **_: Any) -> dict[str, Any]:
        self.seen.append([ctx.run_id, ctx.prompt])
        return args

    async def after_run(self, ctx: RunContext[Any], *, result: AgentRunResult[Any]) -> AgentRunResult[Any]:
        ids = {run_id for run_id, _ in self.seen} | {ctx.run_id}
        prompts = [prompt for _, prompt in self.seen]
        own = {message.run_id for message in result.new_messages()} == {ctx.run_id}
        return replace(result, output=[len(ids), prompts, len(result.new_messages()), own])


def noted(happened: Happened) -> Callable[[str], None]:
    """A function that counts what happens outside of the run."""
    return lambda what: happened.update([what])


def with_tools(agent: Agent[Any, Any]) -> Agent[Any, Any]:
    @agent.tool_plain
    async def look(n: int) -> str:
        """Look."""
        return f"look at {n}"

    return agent


@dataclass
class Reminding(AbstractCapability[Any]):
    """Adds a request of its own after the one that it goes with."""

    async def before_model_request(self, ctx: RunContext[Any], request_context: Any) -> Any:
        reminder = ModelRequest([SystemPromptPart("be brief")])
        request_context.messages = [*request_context.messages, reminder]
        ctx.messages.append(reminder)
        return request_context


def breaks() -> str:
    """Break."""
    raise ValueError("broken")


def odd(n: int) -> str:
    """Take an odd number."""
    if n % 2 == 0:
        raise ModelRetry("even")
    return f"{n}"


def looking(capability: Any, **settings: Any) -> Agent[Any, Any]:
    return with_tools(Agent(scripted(*TURNS), name="a", capabilities=[capability], **settings))


def _made(happened: Happened) -> Any:
    async def made(ctx: RunContext[Any]) -> AbstractCapability[Any]:
        return Counts(noted(happened))

    return made


def _agent(*turns: Turn, **settings: Any) -> Agent[Any, Any]:
    return Agent(scripted(*turns), name="a", **settings)


CAPABLE: Mapping[str, Callable[[Happened], Agent[Any, Any]]] = {
    "counting": lambda happened: looking(Counts(noted(happened))),
    "counting_by_a_function": lambda happened: looking(_made(happened)),
    "counting_in_a_wrapper": lambda happened: looking(Around(Counts(noted(happened)))),
    "session": lambda _: _agent(
        *([call("p_look", str(n), n=n)] for n in (1, 2)), "done", toolsets=[Session().prefixed("p")]
    ),
    "one_id": lambda _: looking(SameId()),
    "wrapped": lambda _: looking(Wrapping()),
    "recovered": lambda happened: _agent(
        [call("breaks", "1")], "done", capabilities=[Recovering(noted(happened))], tools=[breaks]
    ),
    # Its output never fits.
    "recovered_in_a_turn": lambda happened: _agent(
        "no", "no", "no", output_type=Note, capabilities=[Recovering(noted(happened))]
    ),
    # Hooks of calls, where the end strategy begins calls early.
    "early": lambda happened: looking(Counts(noted(happened)), end_strategy="early"),
    "retried": lambda happened: _agent(
        *([call("odd", str(n), n=n)] for n in (2, 3)), "done", capabilities=[Counts(noted(happened))], tools=[odd]
    ),
    "reminded": lambda _: looking(Reminding()),
}


@dataclass
class Reading(Anew):
    """Holds what cannot be kept between two pieces."""

    source: Iterator[int] = field(default_factory=lambda: iter([1, 2, 3]))


@dataclass
class MadeLater(Anew):
    shelf: Shelf | None = None

    async def before_model_request(self, ctx: RunContext[Any], request_context: Any) -> Any:
        self.shelf = Shelf()
        return request_context


@dataclass
class Scoped(Anew):
    """Resolves what it needs at first use, as pydantic-ai-harness's memory does."""

    scope: tuple[Any, ...] = ()

    async def before_model_request(self, ctx: RunContext[Any], request_context: Any) -> Any:
        self.scope = ("user", {"shelf": Shelf()})
        return request_context


@dataclass
class MakesAgents(Anew):
    """Has what `for_run` does not make: the next step would have none of it, or another."""

    helpers: dict[str, Agent[Any, Any]] = field(default_factory=dict)

    async def before_run(self, ctx: RunContext[Any]) -> None:
        self.helpers["one"] = Agent("test")


@dataclass
class Sends(Anew):
    """Talks to a task of its own, which ends with its step."""

    stream: Any = None

    async def wrap_run(self, ctx: RunContext[Any], *, handler: WrapRunHandler) -> AgentRunResult[Any]:
        self.stream, receives = anyio.create_memory_object_stream[int](1)
        with self.stream, receives:
            return await handler()


@dataclass
class Large(Anew):
    text: str = ""

    async def before_run(self, ctx: RunContext[Any]) -> None:
        self.text = "x" * 70_000


class Sandboxed(WrapperToolset[Any]):
    """Holds an interpreter's process from its entry on, as pydantic-ai-harness's code mode does."""

    _pool: AsyncExitStack | None = None

    async def for_run(self, ctx: RunContext[Any]) -> "Sandboxed":
        return Sandboxed(self.wrapped)

    async def __aenter__(self) -> Self:
        self._pool = AsyncExitStack()
        return self


@dataclass
class Sandbox(AbstractCapability[Any]):
    def get_wrapper_toolset(self, toolset: AbstractToolset[Any]) -> Sandboxed:
        return Sandboxed(toolset)

"""Agents of `create_agent` after LangChain's own pages, each made anew for a run, and what they note."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Annotated, Any

from langchain.agents import AgentState, create_agent
from langchain.agents.middleware import (
    AgentMiddleware,
    HumanInTheLoopMiddleware,
    ModelCallLimitMiddleware,
    ToolCallLimitMiddleware,
    ToolRetryMiddleware,
    dynamic_prompt,
)
from langchain.agents.structured_output import ToolStrategy
from langchain.tools import InjectedToolCallId, ToolRuntime, tool
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, ToolMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langgraph.types import Command, interrupt
from pydantic import BaseModel, PrivateAttr

Turn = Sequence[tuple[str, dict[str, Any]]] | str | Exception


class Scripted(BaseChatModel):
    """Gives these answers, by how many it reads of its own."""

    turns: list[Any]
    _read: list[Any] = PrivateAttr(default_factory=list[Any])

    @property
    def read(self) -> list[Any]:
        """What it was sent: of each message its kind and text."""
        return self._read

    @property
    def _llm_type(self) -> str:
        return "scripted"

    def bind_tools(self, tools: Any, **_: Any) -> Any:
        return self

    def _generate(self, messages: list[BaseMessage], stop: Any = None, run_manager: Any = None, **_: Any) -> ChatResult:
        self._read.append([(one.type, one.text, getattr(one, "status", "")) for one in messages])
        number = sum(isinstance(one, AIMessage) for one in messages)
        turn = self.turns[number]
        if isinstance(turn, Exception):
            raise turn
        made = () if isinstance(turn, str) else enumerate(turn)
        calls = [
            {"name": name, "args": args, "id": f"call-{number}-{at}", "type": "tool_call"} for at, (name, args) in made
        ]
        usage = {"input_tokens": 10 + number, "output_tokens": 5, "total_tokens": 15 + number}
        message = AIMessage(turn if isinstance(turn, str) else "", tool_calls=calls, usage_metadata=usage)
        return ChatResult(generations=[ChatGeneration(message=message)])


@dataclass
class Case:
    """An agent with what `invoke` takes beside its messages; `decisions`: of each interrupt, what it goes on with."""

    agent: Any
    model: Scripted
    noted: list[Any] = field(default_factory=list)
    context: Any = None
    state: dict[str, Any] = field(default_factory=dict)
    decisions: Sequence[Any] = ()
    refuses: bool = False


@tool
def weather(city: str) -> str:
    """Tell the weather."""
    return f"sunny in {city}"


@tool
def price(of: str) -> dict[str, Any]:
    """Look up a price."""
    return {"of": of, "euros": 3}


@tool
def fails(n: int) -> str:
    """Fail."""
    raise ValueError(f"no {n}")


@tool
def count_up(by: int, runtime: ToolRuntime, call_id: Annotated[str, InjectedToolCallId]) -> Command[Any]:
    """Count."""
    now = runtime.state["count"] + by
    return Command(update={"count": now, "messages": [ToolMessage(f"now {now}", tool_call_id=call_id)]})


@tool(return_direct=True, response_format="content_and_artifact")
def scan(page: int) -> tuple[str, bytes]:
    """Scan."""
    return f"page {page}", b"\xff"


@tool
def speak(runtime: ToolRuntime, to: str = "") -> Command[Any]:
    """Say in which language, and go on in another one."""
    said = ToolMessage(runtime.state["language"].code, tool_call_id=runtime.tool_call_id)
    return Command(update={"messages": [said], **({"language": Language(code=to)} if to else {})})


@tool
def pay(euros: int) -> str:
    """Pay."""
    answer = interrupt({"question": f"Pay {euros}?"})
    if not answer["approved"]:
        return f"refused: {answer['reason']}"
    return f"paid {euros}"


class City(BaseModel):
    """A city."""

    name: str
    people: int


class Counting(AgentState):
    """A state with a count."""

    count: int


class Language(BaseModel):
    code: str


class Speaking(AgentState):
    """A state with a value of a type of its own."""

    language: Language


def _notes(what: str) -> Any:
    def hook(self: Any, state: Any, runtime: Any) -> None:
        self.noted.append((what, len(state["messages"])))

    return hook


class _Noting(AgentMiddleware[Any, Any]):
    def __init__(self) -> None:
        super().__init__()
        self.noted = list[Any]()

    before_agent, before_model = _notes("before agent"), _notes("before model")
    after_agent, after_model = _notes("after agent"), _notes("after model")

    def wrap_tool_call(self, request: Any, handler: Any) -> Any:
        self.noted.append(("tool", request.tool_call["name"]))
        return handler(request)

    async def awrap_tool_call(self, request: Any, handler: Any) -> Any:
        return await self.wrap_tool_call(request, handler)


@dynamic_prompt
def _styled(request: Any) -> str:
    return f"talk like {request.runtime.context['style']}"


def _of(*turns: Turn, tools: Sequence[Any] = (weather,), **given: Any) -> Case:
    """An agent with these answers and tools. `given`: what its case has, and what `create_agent` takes."""
    model, own = Scripted(turns=list(turns)), {each.name for each in fields(Case)} & given.keys()
    settings = {name: value for name, value in given.items() if name not in own}
    return Case(create_agent(model, list(tools), name="job", **settings), model, **{name: given[name] for name in own})


def _noting(*turns: Turn) -> Case:
    hooks = _Noting()
    return _of(*turns, middleware=[hooks], noted=hooks.noted)


ULM, TEA, TOWN = ("weather", {"city": "Ulm"}), ("price", {"of": "tea"}), ("City", {"name": "Ulm", "people": 2})
CITIES: list[Turn] = [[("weather", {"city": str(n)})] for n in range(5)]
FAILS, PAYS = [("fails", {"n": 1})], [("pay", {"euros": 3})]
YES, NO = ({"approved": yes, "arguments": None, "reason": "" if yes else "too dear"} for yes in (True, False))
APPROVE, REJECT = ({"type": "approve"}, {"type": "reject", "message": "too dear"})


def _reviewed(*turns: Turn, decision: Any, **given: Any) -> Case:
    review = HumanInTheLoopMiddleware(interrupt_on={"price": True})
    return _of(*turns, tools=[price, weather], middleware=[review], decisions=[{"decisions": [decision]}], **given)


EXAMPLES: Mapping[str, Callable[[], Case]] = {
    "hello_world": lambda: _of("hello", tools=[]),
    "one_tool": lambda: _of([ULM], "sunny", system_prompt="Be brief."),
    "parallel_tools": lambda: _of([ULM, TEA], [("price", {"of": "ice"})], "ok", tools=[weather, price]),
    "structured_output": lambda: _of([ULM], [TOWN], response_format=ToolStrategy(City)),
    "corrected_output": lambda: _of(
        [("City", {"name": "Ulm", "people": "many"})], [TOWN], response_format=ToolStrategy(City)
    ),
    "unknown_tool": lambda: _of([("nothing", {}), ULM], "ok"),
    "invalid_arguments": lambda: _of([("weather", {"town": "Ulm"})], "ok"),
    "raising_tool": lambda: _of(FAILS, "ok", tools=[fails]),
    "middleware_hooks": lambda: _noting([ULM], "ok"),
    "model_call_limit": lambda: _of(*CITIES, middleware=[ModelCallLimitMiddleware(run_limit=3, exit_behavior="end")]),
    "tool_call_limit": lambda: _of(
        *CITIES[:3], "ok", middleware=[ToolCallLimitMiddleware(run_limit=2, exit_behavior="continue")]
    ),
    "retried_tool": lambda: _of(
        FAILS, "ok", tools=[fails], middleware=[ToolRetryMiddleware(max_retries=1, initial_delay=0.0)]
    ),
    "prompt_of_context": lambda: _of(
        [ULM], "ahoy", middleware=[_styled], context_schema=dict, context={"style": "a pirate"}
    ),
    "direct_tool": lambda: _of([("scan", {"page": 1})], tools=[scan]),
    "state_of_tools": lambda: _of(
        *([("count_up", {"by": n})] for n in (2, 3)), "ok", tools=[count_up], state_schema=Counting, state={"count": 1}
    ),
    "typed_state": lambda: _of(
        *([("speak", {"to": "fr"})], [("speak", {})], "ok"),
        tools=[speak],
        state_schema=Speaking,
        state={"language": Language(code="de")},
    ),
    "interrupting_tool": lambda: _of(PAYS, "ok", tools=[pay], decisions=[YES]),
    "refused_tool": lambda: _of(PAYS, "not paid", tools=[pay], decisions=[NO], refuses=True),
    "reviewed_tool": lambda: _reviewed([TEA, ULM], "ok", decision=APPROVE),
    "rejected_review": lambda: _reviewed([TEA], "ok", decision=REJECT, refuses=True),
}

"""Agents of `create_agent` after LangChain's own pages, each made anew for a run, and what they note."""

from collections.abc import Sequence
from dataclasses import dataclass, field
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

from tests.unit.baton.sdk.pydantic_ai.documented_agents import cases_in

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


def _case(turns: Sequence[Any], tools: Sequence[Any] = (weather,), **settings: Any) -> Case:
    model = Scripted(turns=list(turns))
    given = {
        name: settings.pop(name) for name in ("noted", "context", "state", "decisions", "refuses") if name in settings
    }
    return Case(create_agent(model, list(tools), name="job", **settings), model, **given)


def hello_world() -> Case:
    return _case(["hello"], [])


def one_tool() -> Case:
    return _case([[("weather", {"city": "Ulm"})], "sunny"], system_prompt="Be brief.")


def parallel_tools() -> Case:
    return _case(
        [[("weather", {"city": "Ulm"}), ("price", {"of": "tea"})], [("price", {"of": "ice"})], "ok"], [weather, price]
    )


class City(BaseModel):
    """A city."""

    name: str
    people: int


def structured_output() -> Case:
    turns = [[("weather", {"city": "Ulm"})], [("City", {"name": "Ulm", "people": 2})]]
    return _case(turns, response_format=ToolStrategy(City))


def corrected_output() -> Case:
    turns = [[("City", {"name": "Ulm", "people": "many"})], [("City", {"name": "Ulm", "people": 2})]]
    return _case(turns, response_format=ToolStrategy(City))


def unknown_tool() -> Case:
    return _case([[("nothing", {}), ("weather", {"city": "Ulm"})], "ok"])


def invalid_arguments() -> Case:
    return _case([[("weather", {"town": "Ulm"})], "ok"])


@tool
def fails(n: int) -> str:
    """Fail."""
    raise ValueError(f"no {n}")


def raising_tool() -> Case:
    return _case([[("fails", {"n": 1})], "ok"], [fails])


class _Noting(AgentMiddleware[Any, Any]):
    def __init__(self, noted: list[Any]) -> None:
        super().__init__()
        self.noted = noted

    def before_agent(self, state: Any, runtime: Any) -> None:
        self.noted.append(("before agent", len(state["messages"])))

    def before_model(self, state: Any, runtime: Any) -> None:
        self.noted.append(("before model", len(state["messages"])))

    def after_model(self, state: Any, runtime: Any) -> None:
        self.noted.append(("after model", len(state["messages"])))

    def after_agent(self, state: Any, runtime: Any) -> None:
        self.noted.append(("after agent", len(state["messages"])))

    def wrap_tool_call(self, request: Any, handler: Any) -> Any:
        self.noted.append(("tool", request.tool_call["name"]))
        return handler(request)

    async def awrap_tool_call(self, request: Any, handler: Any) -> Any:
        self.noted.append(("tool", request.tool_call["name"]))
        return await handler(request)


def middleware_hooks() -> Case:
    noted: list[Any] = []
    return _case([[("weather", {"city": "Ulm"})], "ok"], middleware=[_Noting(noted)], noted=noted)


def model_call_limit() -> Case:
    turns = [[("weather", {"city": str(n)})] for n in range(5)]
    return _case(turns, middleware=[ModelCallLimitMiddleware(run_limit=3, exit_behavior="end")])


def tool_call_limit() -> Case:
    turns = [*[[("weather", {"city": str(n)})] for n in range(3)], "ok"]
    return _case(turns, middleware=[ToolCallLimitMiddleware(run_limit=2, exit_behavior="continue")])


def retried_tool() -> Case:
    return _case(
        [[("fails", {"n": 1})], "ok"], [fails], middleware=[ToolRetryMiddleware(max_retries=1, initial_delay=0.0)]
    )


def prompt_of_context() -> Case:
    @dynamic_prompt
    def prompt(request: Any) -> str:
        return f"talk like {request.runtime.context['style']}"

    turns: list[Turn] = [[("weather", {"city": "Ulm"})], "ahoy"]
    return _case(turns, middleware=[prompt], context_schema=dict, context={"style": "a pirate"})


class Counting(AgentState):
    """A state with a count."""

    count: int


@tool
def count_up(by: int, runtime: ToolRuntime, call_id: Annotated[str, InjectedToolCallId]) -> Command[Any]:
    """Count."""
    now = runtime.state["count"] + by
    return Command(update={"count": now, "messages": [ToolMessage(f"now {now}", tool_call_id=call_id)]})


@tool(return_direct=True, response_format="content_and_artifact")
def scan(page: int) -> tuple[str, bytes]:
    """Scan."""
    return f"page {page}", b"\xff"


def direct_tool() -> Case:
    return _case([[("scan", {"page": 1})]], [scan])


def state_of_tools() -> Case:
    turns: list[Turn] = [[("count_up", {"by": 2})], [("count_up", {"by": 3})], "ok"]
    return _case(turns, [count_up], state_schema=Counting, state={"count": 1})


class Language(BaseModel):
    code: str


class Speaking(AgentState):
    """A state with a value of a type of its own."""

    language: Language


@tool
def speak(runtime: ToolRuntime, to: str = "") -> Command[Any]:
    """Say in which language, and go on in another one."""
    said = ToolMessage(runtime.state["language"].code, tool_call_id=runtime.tool_call_id)
    return Command(update={"messages": [said], **({"language": Language(code=to)} if to else {})})


def typed_state() -> Case:
    turns: list[Turn] = [[("speak", {"to": "fr"})], [("speak", {})], "ok"]
    return _case(turns, [speak], state_schema=Speaking, state={"language": Language(code="de")})


@tool
def pay(euros: int) -> str:
    """Pay."""
    answer = interrupt({"question": f"Pay {euros}?"})
    if not answer["approved"]:
        return f"refused: {answer['reason']}"
    return f"paid {euros}"


_YES = {"approved": True, "arguments": None, "reason": ""}


def interrupting_tool() -> Case:
    return _case([[("pay", {"euros": 3})], "ok"], [pay], decisions=[_YES])


def refused_tool() -> Case:
    no = {"approved": False, "arguments": None, "reason": "too dear"}
    return _case([[("pay", {"euros": 3})], "not paid"], [pay], decisions=[no], refuses=True)


def reviewed_tool() -> Case:
    review = HumanInTheLoopMiddleware(interrupt_on={"price": True})
    turns: list[Turn] = [[("price", {"of": "tea"}), ("weather", {"city": "Ulm"})], "ok"]
    return _case(turns, [price, weather], middleware=[review], decisions=[{"decisions": [{"type": "approve"}]}])


def rejected_review() -> Case:
    review = HumanInTheLoopMiddleware(interrupt_on={"price": True})
    reject = {"decisions": [{"type": "reject", "message": "too dear"}]}
    return _case([[("price", {"of": "tea"})], "ok"], [price], middleware=[review], decisions=[reject], refuses=True)


EXAMPLES = cases_in(globals())

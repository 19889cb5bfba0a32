"""What one piece of a run puts around the agents: copies that repeat the recorded answer, and stop at the next one.

The SDK itself makes all of a run's decisions: it is given the recorded answer again, with the results of its calls, and
goes on to one request. Invariant: the user's own agents, tools, hooks and models are called, and never changed; each
hook runs where the SDK runs it, once. Must not: read a record.
"""

import asyncio
import copy
import json
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any
from weakref import WeakKeyDictionary

import agents as sdk
from agents.items import ItemHelpers
from agents.lifecycle import AgentHooksBase, RunHooksBase
from agents.mcp import MCPServer
from agents.models.interface import Model
from agents.run_config import CallModelData, ModelInputData
from openai.types.responses import Response, ResponseCompletedEvent

from baton.sdk.agents.runner import RunnerCall
from baton.sdk.libraries.library_runner import awaited
from baton.sdk.libraries.recorded_errors import ended_by
from baton.sdk.models.model import NOTHING_SPENT, Listener, ModelError, Origin, Spent
from baton.sdk.openai_agents.run_state import Items, RunState
from baton_events.values.text import text_of

# What a copy of a tool leaves out where its result is known: they ran when it was called.
_RAN: Mapping[str, Any] = {
    "tool_input_guardrails": None,
    "tool_output_guardrails": None,
    "custom_data_extractor": None,
    "timeout_seconds": None,
}


class OutputText(str):
    """A recorded output as the model gets it, with the value that it was made of."""

    __slots__ = ("value",)

    value: Any


class StoppedError(Exception):
    """A call is made in another piece."""


@dataclass(eq=False)
class Piece:
    """One piece of a run.

    Attributes:
        state: what is recorded of the run.
        output: the answer to repeat; None: none.
        outcomes: by the SDK's call id, the output of each call of that answer.
        call: the one call to make; None: a turn.
        listener: of the answer's text.
        filters: whether handoffs change the history: such a one is made together with the request after it.
        late: the SDK's ids of the calls that a person has decided on.
        response: the new answer.
        sent: the items of the new request; `asked`: that request after the user's filter.
        result: of the SDK's run.
        handoffs: the names of the tools that hand a run on.
        word: of the provider for the end of its answer, where it is known; `origin`: what it means.
        has_ended: whether the run has its final output, which may be None.
    """

    state: RunState
    output: list[Any] | None
    outcomes: Mapping[str, Any]
    call: RunnerCall | None = None
    listener: Listener | None = None
    filters: bool = False
    late: frozenset[str] = frozenset()
    response: sdk.ModelResponse | None = None
    sent: Items | None = None
    asked: ModelInputData | None = None
    result: Any = None
    hidden: Items = field(default_factory=Items)
    handoffs: set[str] = field(default_factory=set[str])
    word: str = ""
    origin: Origin | None = None
    has_ended: bool = False
    _requests: int = 0
    _stopping: list[Any] = field(default_factory=list[Any])
    _copies: dict[int, sdk.Agent[Any]] = field(default_factory=dict[int, sdk.Agent[Any]])
    _own: dict[int, sdk.Agent[Any]] = field(default_factory=dict[int, sdk.Agent[Any]])

    @property
    def repeats(self) -> bool:
        """Whether the next request is one that was made before."""
        return self.output is not None and self._requests == 0

    @property
    def has_repeated(self) -> bool:
        """Whether the last answer is the recorded one."""
        return self.output is not None and self._requests == 1

    def recorded_answer(self) -> list[Any] | None:
        """Count a request, and return the recorded answer to it; None: the model is asked."""
        self._requests += 1
        if self.has_repeated and not self.call:
            return self.output
        self.result.cancel(mode="after_turn")
        for tool in self._stopping:
            tool.needs_approval = True
        return self.output if self.call else None

    def read_end(self, answer: Any) -> None:
        """Note the word in an answer of Chat Completions, or in a piece of one."""
        self.word = next((str(one.finish_reason) for one in answer.choices or () if one.finish_reason), self.word)

    def judge(self, used: Any) -> None:
        """Judge an answer by its word. Raises ModelError: it is broken."""
        spent = Spent(1, used.input_tokens, used.output_tokens) if used else Spent(1)
        self.origin = ended_by(self.word, spent)

    def starts(self) -> bool:
        """Return whether the SDK's start of an agent is one of the run: not where a piece goes on."""
        state = self.state
        return not self.call and (self._requests > 0 or state.resumed or state.begins or not state.turns)

    def own(self, agent: Any) -> Any:
        return self._own.get(id(agent), agent)

    def copy_of(self, agent: sdk.Agent[Any]) -> sdk.Agent[Any]:
        if id(agent) in self._own:
            return agent
        if id(agent) not in self._copies:
            made: Any = copy.copy(agent)
            self._copies[id(agent)], self._own[id(made)] = made, agent
            self._prepare(made, agent)
        return self._copies[id(agent)]

    def config(self, given: sdk.RunConfig, job_id: str) -> sdk.RunConfig:
        model = AskedOnce(given.model, self) if isinstance(given.model, sdk.Model) else given.model
        return replace(
            given,
            model=model,
            model_provider=AskedProvider(given.model_provider, self),
            group_id=given.group_id or job_id,
            input_guardrails=given.input_guardrails if self._begins() else [],
            call_model_input_filter=self._filter(given.call_model_input_filter),
        )

    def in_order(self, items: Items) -> Items:
        """Put the outputs of calls that waited for a person behind the others, as the SDK does."""
        late = [one for one in items if one.get("call_id") in self.late and "output" in one]
        if not late:
            return items
        first = min(items.index(one) for one in late)
        rest = [one for one in items[first:] if one not in late]
        passed = self.state.handoffs
        outputs = [one for one in rest if "output" in one and one["call_id"] not in passed]
        return [*items[:first], *outputs, *late, *(one for one in rest if one not in outputs)]

    def _begins(self) -> bool:
        return not self.state.turns and self.call is None

    def _filter(self, own: Any) -> Any:
        async def filtered(data: CallModelData[Any]) -> ModelInputData:
            if self.repeats:
                return data.model_data
            given = data.model_data
            first = len(self.state.earlier) + len(self.state.items[:1])
            at = first if self.hidden else 0
            items = [*given.input[:at], *self.hidden, *given.input[at:]]
            items += [item for text in self.state.sent for item in ItemHelpers.input_to_new_input_list(text)]
            self.sent = self.in_order(items)
            items = self.sent
            made = ModelInputData(input=list(items), instructions=given.instructions)
            made = await awaited(own(replace(data, model_data=made, agent=self.own(data.agent)))) if own else made
            self.asked = ModelInputData(input=list(made.input), instructions=made.instructions)
            return made

        return filtered

    def _prepare(self, made: Any, agent: sdk.Agent[Any]) -> None:
        made.tools = [self._tool(tool) for tool in agent.tools]
        made.handoffs = [self._handoff(one) for one in agent.handoffs]
        made.hooks = OfAgent(self, agent.hooks)
        if isinstance(agent.model, sdk.Model):
            made.model = AskedOnce(agent.model, self)
        if not self._begins():
            made.input_guardrails = []
        if agent.name in self.state.used and agent.reset_tool_choice:
            made.model_settings = replace(agent.model_settings, tool_choice=None)
        if callable(instructions := agent.instructions):
            made.instructions = lambda context, _: instructions(context, agent)

        async def get_mcp_tools(context: Any) -> list[Any]:
            return [self._tool(tool) for tool in await type(agent).get_mcp_tools(made, context)]

        vars(made)["get_mcp_tools"] = get_mcp_tools

    def _handoff(self, one: Any) -> Any:
        made: Any = copy.copy(one) if isinstance(one, sdk.Handoff) else sdk.handoff(one)
        invoke = made.on_invoke_handoff
        self.handoffs.add(made.tool_name)

        async def on_invoke_handoff(context: Any, arguments: str) -> Any:
            if self.filters and not self.has_repeated:
                raise StoppedError(made.tool_name)
            return self.copy_of(await invoke(context, arguments))

        made.on_invoke_handoff = on_invoke_handoff
        return made

    def _tool(self, tool: Any) -> Any:
        made = copy.copy(tool)
        if self.call is not None:
            if self.call.approved:
                made.needs_approval = False
            return made

        async def invoke(context: Any, _: str) -> Any:
            if context.tool_call_id not in self.outcomes:
                raise StoppedError(context.tool_call_id)
            return self.outcomes[context.tool_call_id]

        made.on_invoke_tool, made.needs_approval = invoke, not self.repeats
        vars(made).update(_RAN)
        self._stopping.append(made)
        return made


# Of each hook: whether what it tells of is new in a piece, and no repetition.
_NEW: Mapping[str, Callable[[Piece], object]] = {
    "on_llm_start": lambda piece: not piece.repeats,
    "on_llm_end": lambda piece: not piece.has_repeated,
    "on_tool_start": lambda piece: piece.call,
    "on_tool_end": lambda piece: piece.call,
    "on_agent_start": Piece.starts,
    "on_start": Piece.starts,
    "on_agent_end": lambda piece: not piece.call,
    "on_end": lambda piece: not piece.call,
    "on_handoff": lambda _: True,
}


class _OwnHooks:
    """The user's own hooks of a run or of an agent, each where it is new; the piece takes its answer by them."""

    def __init__(self, piece: Piece, own: Any) -> None:
        self._piece, self._own = piece, own


def _gated(name: str) -> Any:
    async def hook(self: Any, context: Any, *args: Any, **named: Any) -> None:
        piece, own = self._piece, self._own
        if name == "on_llm_end" and not piece.has_repeated:
            piece.response = args[-1]
        piece.has_ended |= name == "on_agent_end"
        if own and _NEW[name](piece):
            given = {name: piece.own(value) for name, value in named.items()}
            await getattr(own, name)(context, *map(piece.own, args), **given)

    return hook


OfRun: Any = type("OfRun", (_OwnHooks, RunHooksBase), {name: _gated(name) for name in _NEW})
OfAgent: Any = type("OfAgent", (_OwnHooks, AgentHooksBase), {name: _gated(name) for name in _NEW})


# Of the SDK's model, and of the stream in an answer of its client.
_FETCH, _CHUNKS = "_fetch_response", "_iterator"
_BROKEN = ("failed", "incomplete", "error")  # events of which the SDK's run makes an error that is not the model's


class AskedOnce(Model):
    """Stands before an agent's own model."""

    def __init__(self, inner: Model, piece: Piece) -> None:
        self._inner, self._piece = inner, piece
        if isinstance(inner, sdk.OpenAIChatCompletionsModel):  # what it makes of an answer lacks the provider's word
            self._inner = copy.copy(inner)
            vars(self._inner)[_FETCH] = partial(self._fetched, getattr(inner, _FETCH))

    async def _fetched(self, fetch: Any, *args: Any, **given: Any) -> Any:
        fetched = await fetch(*args, **given)
        if isinstance(fetched, tuple):
            of_stream: Any = vars(fetched[1])
            of_stream[_CHUNKS] = _watched(of_stream[_CHUNKS], self._piece)
        else:
            self._piece.read_end(fetched)
        return fetched

    async def get_response(self, *args: Any, **given: Any) -> sdk.ModelResponse:
        """Ask the agent's own model; what it cannot read is asked for again, but for an answer that was cut off."""
        try:
            answer = await self._inner.get_response(*args, **given)
        except sdk.ModelBehaviorError as error:
            raise _unreadable(error) from error
        self._piece.judge(answer.usage)
        return answer

    def get_retry_advice(self, request: Any) -> Any:
        return self._inner.get_retry_advice(request)

    async def stream_response(self, *args: Any, **given: Any) -> AsyncIterator[Any]:
        """Stream the answer where somebody listens and the model can; else ask it as `Runner.run` does."""
        output = self._piece.recorded_answer()
        if output is not None:
            yield completed(output, None)
            return
        listener, begun, whole, used = self._piece.listener, False, False, None
        try:
            if listener is not None:
                async for event in self._inner.stream_response(*args, **given):
                    begun = True
                    if event.type == "response.output_text.delta":
                        await listener.write(event.delta)
                    elif event.type == "response.completed":
                        whole = True
                        self._piece.judge(event.response.usage)
                    elif event.type.removeprefix("response.") in _BROKEN:
                        used = getattr(getattr(event, "response", None), "usage", None)
                        continue
                    yield event
        except sdk.ModelBehaviorError as error:
            raise _unreadable(error, used) from error
        except NotImplementedError:
            if begun:
                raise
            listener = None
        if listener is None:
            answer = await self.get_response(*args, **given)
            yield completed(answer.output, answer.usage, answer.response_id)
        elif not whole:
            raise ModelError("the stream ended without an answer", retryable=True)


async def _watched(chunks: Any, piece: Piece) -> AsyncIterator[Any]:
    async for chunk in chunks:
        piece.read_end(chunk)
        yield chunk


def _unreadable(error: sdk.ModelBehaviorError, used: Any = None) -> ModelError:
    text, spent = text_of(error), Spent(1, used.input_tokens, used.output_tokens) if used else NOTHING_SPENT
    return ModelError(text, retryable=not any(word in text for word in ("incomplete", "'length'")), spent=spent)


class AskedProvider(sdk.ModelProvider):
    """Stands before the models that are known by their names."""

    def __init__(self, inner: sdk.ModelProvider, piece: Piece) -> None:
        self._inner, self._piece = inner, piece

    def get_model(self, model_name: str | None) -> Model:
        return AskedOnce(self._inner.get_model(model_name), self._piece)


def completed(output: list[Any], used: sdk.Usage | None, response_id: str | None = None) -> ResponseCompletedEvent:
    """Make the last event of a stream whose answer is whole."""
    response = Response.model_construct(id=response_id or "answer", output=output, usage=used)
    return ResponseCompletedEvent.model_construct(type="response.completed", sequence_number=0, response=response)


def outcome_of(output: Any, value: Any) -> Any:
    """Return a recorded output as a tool gives it. `output`: as the model gets it; `value`: as the tool gave it."""
    if not isinstance(output, str) or output == str(value):
        return value
    text = OutputText(output)
    text.value = value
    return text


def json_of(arguments: Mapping[str, Any], made: str) -> str:
    """Return the arguments as the model wrote them, unless a person has edited them."""
    return made if arguments_of(made) == arguments else json.dumps(arguments)


# What the arguments of a call are where its text is no JSON object: the SDK tells the model of it.
UNREADABLE = "arguments"


def arguments_of(made: str) -> dict[str, Any]:
    """Return a call's arguments as people see them."""
    try:
        read = json.loads(made or "{}", parse_constant=int)  # NaN is none
    except ValueError:
        read = None
    return read if isinstance(read, dict) else {UNREADABLE: made}


def agents_below(root: sdk.Agent[Any]) -> Sequence[sdk.Agent[Any]]:
    """Return an agent with all that it may hand off to, in their order."""
    found, waiting = dict[int, sdk.Agent[Any]](), [root]
    while waiting:
        one = waiting.pop(0)
        if id(one) in found:
            continue
        found[id(one)] = one
        for item in one.handoffs:
            refers = getattr(item, "_agent_ref", None)  # the SDK has no other name for it
            target = item if isinstance(item, sdk.Agent) else refers and refers()
            waiting += [target] if isinstance(target, sdk.Agent) else []
    return list(found.values())


# Of each loop, by a server's id: what keeps its connection, in a task of its own.
_CONNECTED: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[int, Any]] = WeakKeyDictionary()


async def connect(servers: Iterable[MCPServer]) -> None:
    """Connect MCP servers that are not connected in this loop: each once for a process, while steps come and go."""
    known = _CONNECTED.setdefault(asyncio.get_running_loop(), {})
    for server in servers:
        if id(server) in known:
            continue
        from agents.mcp import MCPServerManager  # noqa: PLC0415 - agents without servers need none

        manager = MCPServerManager([server], strict=True, connect_in_parallel=True, drop_failed_servers=False)
        await manager.connect_all()
        known[id(server)] = manager

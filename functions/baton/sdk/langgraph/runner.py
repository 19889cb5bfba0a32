"""`durable(agent)`: runs an agent of `create_agent` piece by piece, by the loop of LangGraph, which we checkpoint.

A turn runs up to one model request; a call is its task of the checkpoint alone, whose writes are kept and given to the
next turn. Invariant: each piece can begin from the record; what cannot be kept between two is refused by
name, with the remedy. Must not: change the agent.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Unpack

from langchain_core.callbacks import AsyncCallbackHandler
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, HumanMessage, ToolMessage
from langgraph.channels import LastValue, UntrackedValue
from langgraph.errors import GraphRecursionError
from langgraph.graph.state import CompiledStateGraph
from langgraph.types import Send, interrupt
from pydantic_core import to_jsonable_python

from baton.sdk.agents.agent import Agent
from baton.sdk.agents.agent_tool import HANDED
from baton.sdk.agents.runner import CallReturned, NeedsApproval, Recorded, RunFailedError, RunnerAnswer, RunnerCall
from baton.sdk.langgraph.run_state import (
    INTERRUPTED,
    MESSAGES,
    RESUMED,
    SENDS,
    RecordSaver,
    RunState,
    Write,
    learn_types_of,
    typed,
    untyped,
)
from baton.sdk.libraries.held_states import stored_calls
from baton.sdk.libraries.library_runner import (
    JobSettings,
    LibraryRunner,
    OfJob,
    awaited,
    check_fits,
    check_given,
    in_json,
    library_agent,
    with_settings,
)
from baton.sdk.libraries.recorded_errors import Used, ended_by, error_of_result
from baton.sdk.models.model import Call, Listener, ModelAnswer, Origin, Spent
from baton.sdk.tools.pending import Pending, RunAgain
from baton_events.ids import canonical_json

MODEL, TOOLS = "model", "tools"
_UNNAMED = "LangGraph"  # the name of a graph that was given none
_ENDS = {"__start__", MODEL, TOOLS}
_NO_WRITES = "__no_writes__"
_NO_TOOL = "no tool: a person has refused this call"
# Where the packages of LangChain keep a provider's word for the end of an answer.
_REASONS = ("finish_reason", "stop_reason", "stopReason", "done_reason")
_WORDS = ("title", "question", "message", "description")


class _Counted(AsyncCallbackHandler):
    """Counts the requests of a piece and their usage; `sent`: what the last one was."""

    def __init__(self) -> None:
        self.sent: list[BaseMessage] = []
        self.words: list[str] = []
        self.begun, self.requests, self.input_tokens, self.output_tokens, self.cached_tokens = 0, 0, 0, 0, 0

    async def on_chat_model_start(self, serialized: Any, messages: Any, **_: Any) -> None:  # noqa: ARG002 - a hook
        self.begun += 1
        self.sent = list(messages[0])

    async def on_llm_end(self, response: Any, **_: Any) -> None:
        self.requests += 1
        message = getattr(response.generations[0][0], "message", None)
        about = getattr(message, "response_metadata", None) or {}
        word = next((str(about[name]) for name in _REASONS if about.get(name)), "")
        self.words.append(re.sub(r"^(.+?)\1+$", r"\1", word))  # joined from a stream's last chunks
        usage = getattr(message, "usage_metadata", None) or {}
        self.input_tokens += usage.get("input_tokens", 0)
        self.output_tokens += usage.get("output_tokens", 0)
        self.cached_tokens += (usage.get("input_token_details") or {}).get("cache_read", 0) or 0

    def spent(self) -> tuple[Spent, None]:
        return Spent(self.requests, self.input_tokens, self.output_tokens), None


class LangGraphRunner(LibraryRunner):
    """`Runner` of one agent."""

    state = RunState

    def __init__(self, graph: Any, context: OfJob | None, state: OfJob | None) -> None:
        # What LangGraph keeps for one invocation alone is kept for the job, which has many.
        kept: dict[str, Any] = {
            name: LastValue(one.typ, name) for name, one in graph.channels.items() if type(one) is UntrackedValue
        }
        self._graph, self._context, self._state = graph.copy({"channels": {**graph.channels, **kept}}), context, state
        learn_types_of(graph)
        self._stops = [node for node in (MODEL, TOOLS) if node in graph.nodes]

    @property
    def name(self) -> str:
        """The agent's name: its model is within the graph."""
        return str(self._graph.name)

    @property
    def tools(self) -> Mapping[str, Any]:
        node = self._graph.nodes.get(TOOLS)
        return getattr(node and node.bound, "tools_by_name", {})

    @property
    def functions(self) -> Sequence[Callable[..., Any]]:
        tools = (getattr(tool, "func", None) or getattr(tool, "coroutine", None) for tool in self.tools.values())
        return [one for one in (*tools, self._context, self._state) if one]

    def made_of(self) -> dict[str, Any]:
        tools = [(tool.name, tool.description, _schema(tool)) for tool in self.tools.values()]
        return {"nodes": sorted(self._graph.nodes), "tools": tools}

    def check(self, tool: str, arguments: dict[str, Any]) -> None:
        """Check edited arguments, unless the tool's schema is a server's, which checks them when it runs."""
        schema = getattr(self.tools.get(tool), "tool_call_schema", None)
        if schema is not None and not isinstance(schema, dict):
            check_fits(tool, schema.model_validate, arguments, schema.model_fields)

    def takes_file(self, media_type: str) -> bool:  # noqa: ARG002 - its model is within the graph
        return True

    async def run_turn(self, recorded: Recorded, listener: Listener | None, used: list[Used]) -> RunnerAnswer:
        """Go on from the checkpoint with the results of its calls, up to one model request."""
        if recorded.edits:
            raise RunFailedError("edits_not_taken", "an agent of LangGraph has its instructions and its model within")
        state, counted = RunState.of(recorded), _Counted()
        used.append(counted.spent)
        saver = state.saver(f"turn-{recorded.turn}")
        graph = self._graph.copy({"checkpointer": saver})
        given = None
        if recorded.turns:
            given = await self._answer(recorded, state, saver, graph)
        else:
            given = await awaited(self._state(recorded.job)) if self._state else {}
            if not isinstance(given, Mapping):
                raise TypeError(f"state= gave {given!r}, which is no dict")
            own = dict(given)
            first = [*state.earlier, *own.pop(MESSAGES, []), state.form.user(recorded.job.task, recorded.job.files)]
            first += [HumanMessage(text) for text in state.sent]
            given = {**own, MESSAGES: first}
        settings = await self._settings(recorded, saver, counted)
        while True:
            await self._stream(graph, given, settings, listener)
            origins = [ended_by(word) for word in counted.words]
            given, snapshot = None, await graph.aget_state(settings["config"])
            waits = [task for task in snapshot.tasks if task.interrupts]
            if waits or not snapshot.tasks or TOOLS in snapshot.next or counted.begun:
                return state.hold(recorded, self._judged(state, saver, snapshot, counted, (origins or [None])[-1]))

    async def run_call(self, recorded: Recorded, call: RunnerCall) -> Any:
        """Run the call's task, as the only one of the checkpoint."""
        state = RunState.of(recorded, call.turn)
        if state.asks:
            return self._decided(state, call)
        saver = state.saver(f"turn-{call.turn}-call-{call.position}")
        answers = [*(call.context.memo or {}).get("answers", ())]
        if answered := _answer_of(call):
            answers.append(answered)
        writes, used = await self._writes_of(recorded, saver, call.position, call.tool, call.arguments, answers)
        asked = next((value for channel, value in writes if channel == INTERRUPTED), None)
        if asked is not None:
            return self._question(call, asked[0].value, answers)
        kept = [[channel, typed(value, f"the result of {call.tool}")] for channel, value in writes]
        spent = [used.requests, used.input_tokens, used.output_tokens]
        return CallReturned(_shown(writes), {"writes": kept} | ({"usage": spent} if any(spent) else {}))

    async def _writes_of(
        self, recorded: Recorded, saver: RecordSaver, position: int, tool: str, arguments: Any, answers: Sequence[Any]
    ) -> tuple[list[tuple[str, Any]], _Counted]:
        """Run one task of the checkpoint; return what it writes, and what models within it have used."""
        counted = _Counted()
        graph = self._graph.copy({"checkpointer": saver})
        sends = list(saver.checkpoint["channel_values"][SENDS])
        sends[position] = _send(sends[position], tool, arguments)
        values = {**saver.checkpoint["channel_values"], SENDS: sends}
        saver.checkpoint = {**saver.checkpoint, "channel_values": values}
        settings = await self._settings(recorded, saver, counted)
        tasks = (await graph.aget_state(settings["config"])).tasks
        saver.writes = list[Write]((task.id, _NO_WRITES, None) for at, task in enumerate(tasks) if at != position)
        if answers:
            saver.writes.append((tasks[position].id, RESUMED, list(answers)))
        saver.made.clear()
        HANDED.set(interrupt)
        await graph.ainvoke(None, **{**settings, "interrupt_before": None}, interrupt_after="*")
        return saver.made.get(tasks[position].id, []), counted

    async def _answer(self, recorded: Recorded, state: RunState, saver: RecordSaver, graph: Any) -> Any:
        """Give the checkpoint what its calls have written, or what people have decided; return a run's further input.

        None: the run has not ended, and goes on.
        """
        has_calls = state.asks or saver.checkpoint["channel_values"].get(SENDS)
        results = stored_calls(recorded.turns[-1], recorded.results) if has_calls else []
        texts, state.later = [*state.later, *state.sent], []
        used = [Spent(*kept["usage"]) for _, stored in results if "usage" in (kept := stored.get("kept") or {})]
        state.nested = sum(used, Spent())
        errors = [error_of_result(stored) for _, stored in results]
        if state.asks:
            task, question = state.asks
            pairs = zip(results, errors, strict=True)
            decisions = [_decision(stored, error) for (_, stored), error in pairs]
            is_review = isinstance(question, dict) and "action_requests" in question
            saver.writes = [(task, RESUMED, [{"decisions": decisions} if is_review else decisions[0]])]
            state.later = texts
            return None
        config = {"configurable": {"thread_id": recorded.job.session_id}}
        sent = [HumanMessage(text) for text in texts]
        tasks = (await graph.aget_state(config)).tasks if results or sent else ()
        if not tasks:
            return {MESSAGES: sent} if sent else None
        writes: list[Any] = []
        for at, ((call, stored), error) in enumerate(zip(results, errors, strict=True)):
            if "writes" in (kept := stored.get("kept") or {}):
                written = [(channel, untyped(value)) for channel, value in kept["writes"]]
            else:
                refused = state.saver(f"turn-{recorded.turns[-1]['turn']}-call-{at}")
                written, _ = await self._writes_of(recorded, refused, at, _NO_TOOL, {}, ())
                _retold([value for _, value in written], call["tool"], stored, error)
            writes += [(tasks[at].id, channel, value) for channel, value in written]
        if sent:
            writes.append((tasks[-1].id, MESSAGES, sent))
        saver.writes = writes
        return None

    async def _settings(self, recorded: Recorded, saver: RecordSaver, counted: _Counted) -> dict[str, Any]:
        limit = (self._graph.config or {}).get("recursion_limit", 25)
        steps = 0 if saver.metadata is None else saver.metadata["step"] + 1
        if steps >= limit:
            raise RunFailedError(GraphRecursionError.__name__, f"Recursion limit of {limit} reached")
        thread = {"thread_id": recorded.job.session_id}
        config = {"configurable": thread, "callbacks": [counted], "recursion_limit": limit - steps}
        context = await awaited(self._context(recorded.job)) if self._context else None
        return {"config": config, "context": context, "interrupt_before": self._stops, "durability": "sync"}

    async def _stream(self, graph: Any, given: Any, settings: dict[str, Any], listener: Listener | None) -> None:
        if listener is None:
            await graph.ainvoke(given, **settings)
            return
        async for message, metadata in graph.astream(given, **settings, stream_mode="messages"):
            if isinstance(message, AIMessageChunk) and metadata.get("langgraph_node") == MODEL and message.text:
                await listener.write(str(message.text))

    def _judged(
        self, state: RunState, saver: RecordSaver, snapshot: Any, counted: _Counted, origin: Origin | None
    ) -> RunnerAnswer:
        answers = [
            one for one in snapshot.values.get(MESSAGES, ())[len(state.messages) :] if isinstance(one, AIMessage)
        ]
        text = str(answers[-1].text) if answers else ""
        calls, output, correction, asks = tuple[Call, ...](), None, "", list[Any]()
        waits = [task for task in snapshot.tasks if task.interrupts]
        if waits:
            question = to_jsonable_python(waits[0].interrupts[0].value, fallback=str)
            asks, calls = [waits[0].id, question], _asked_calls(waits[0].name, question)
        elif TOOLS in snapshot.next:
            made = map(_call_in, saver.checkpoint["channel_values"][SENDS])
            calls = tuple(Call(one["name"], in_json(dict(one["args"]))) for one in made)
        elif not snapshot.tasks:
            values = snapshot.values
            last = next(
                (one for one in reversed(values.get(MESSAGES, ())) if isinstance(one, AIMessage | ToolMessage)), None
            )
            text = text or (str(last.text) if last else "")
            output = to_jsonable_python(values["structured_response"]) if "structured_response" in values else text
            text = output if isinstance(output, str) else text or canonical_json(output)
        else:
            correction = "the agent goes on with another request"
        answer = ModelAnswer(
            text,
            calls,
            counted.input_tokens,
            counted.output_tokens,
            cached_input_tokens=counted.cached_tokens,
            provider=state.kept(saver, asks, counted.sent),
            origin=origin,
            spent_before=state.nested,
        )
        return RunnerAnswer(answer, output, correction, asked=counted.begun > 0)

    def _decided(self, state: RunState, call: RunnerCall) -> CallReturned | NeedsApproval:
        """Return what a person has decided on a call that middleware asks for."""
        question = state.asks[1]
        requests = question.get("action_requests") if isinstance(question, dict) else None
        asked = requests[call.position] if requests else {"args": call.arguments, "description": question}
        if not call.approved:
            return NeedsApproval(f"run tool {call.tool}", {"description": asked.get("description")})
        edited = None if asked["args"] == call.arguments else call.arguments
        return CallReturned({"approved": True}, {"edited": edited, "tool": call.tool, "review": bool(requests)})

    def _question(self, call: RunnerCall, value: Any, answers: Sequence[Any]) -> RunAgain | Pending:
        """Ask what a tool's `interrupt(value)` asks, with the call's arguments as a form; or wait as it says."""
        if isinstance(value, Pending):
            return value
        tool = self.tools.get(call.tool)
        form = _schema(tool) if tool else {"type": "object"}
        shown = to_jsonable_python(value, fallback=str)
        named = next((shown[word] for word in _WORDS if word in shown), None) if isinstance(shown, dict) else None
        title = shown if isinstance(shown, str) else named or f"{call.tool}: {canonical_json(shown)}"
        return RunAgain(memo={"answers": list(answers)}, form=form, title=str(title), begins_with=call.arguments)


def _schema(tool: Any) -> dict[str, Any]:
    schema = tool.tool_call_schema
    return schema if isinstance(schema, dict) else schema.model_json_schema()


def _send(send: Send, tool: str, arguments: Mapping[str, Any]) -> Send:
    call = {**_call_in(send), "name": tool, "args": arguments}
    return Send(send.node, {**send.arg, "tool_call": call} if isinstance(send.arg, dict) else [call])


def _call_in(send: Send) -> Mapping[str, Any]:
    return send.arg["tool_call"] if isinstance(send.arg, dict) else send.arg[0]  # type: ignore[no-any-return]


def _answer_of(call: RunnerCall) -> dict[str, Any] | None:
    memo = call.context.memo or {}
    if "answer" in memo:
        edited = memo["answer"] if memo["answer"] != call.arguments else None
        return {"approved": True, "arguments": edited, "reason": ""}
    if "refused" not in memo:
        return None
    return {"approved": False, "arguments": None, "reason": memo.get("reason") or memo["refused"]}


def _asked_calls(node: str, question: Any) -> tuple[Call, ...]:
    requests = question.get("action_requests") if isinstance(question, dict) else None
    if requests is None:
        return (Call(node.partition(".")[0], {"question": question}),)
    return tuple(Call(one["name"], dict(one["args"])) for one in requests)


def _decision(stored: Mapping[str, Any], error: Mapping[str, Any] | None) -> dict[str, Any]:
    kept = stored.get("kept") or {}
    if not kept.get("review", True) or (error and not kept and "type" not in error):
        return {"approved": error is None, "arguments": kept.get("edited"), "reason": error["message"] if error else ""}
    if error:
        return {"type": "reject", "message": error["message"]}
    if kept["edited"] is None:
        return {"type": "approve"}
    return {"type": "edit", "edited_action": {"name": kept["tool"], "args": kept["edited"]}}


def _retold(values: Sequence[Any], tool: str, stored: Mapping[str, Any], error: Mapping[str, Any] | None) -> None:
    """Let the messages of a call that made none say its result or its error."""
    for message in (one for value in values for one in (value if isinstance(value, list) else [value])):
        if isinstance(message, ToolMessage):
            ok = stored.get("ok")
            message.content = error["message"] if error else ok if isinstance(ok, str) else canonical_json(ok)
            message.status, message.name = ("error" if error else "success"), tool


def _shown(writes: Sequence[tuple[str, Any]]) -> Any:
    for _, value in writes:
        for one in value if isinstance(value, list) else [value]:
            if isinstance(one, ToolMessage):
                return to_jsonable_python(one.content, fallback=str)
    return None


@with_settings
def durable(
    agent: CompiledStateGraph[Any, Any, Any, Any],
    *,
    name: str | None = None,
    context: OfJob | None = None,
    state: OfJob | None = None,
    **settings: Unpack[JobSettings],
) -> Agent:
    """Make an agent of `create_agent` durable: each model request and each tool call is a step of a job.

    Args:
        agent: it is not changed.
        name: the job's type; the agent's name, unless given.
        context: called with a `JobInfo` for each piece of work, returns the context, which is never stored.
        state: called with a `JobInfo` before the first request, returns further input, such as channels of middleware.

    Raises:
        TypeError: a value is of the wrong type.
        ValueError: it has something that a durable run cannot keep.
    """
    given = getattr(agent, "name", None)
    named = name or (None if given == _UNNAMED else given)
    check_given(agent, CompiledStateGraph, "agent of create_agent", named, {"context": context, "state": state})
    runner = LangGraphRunner(agent, context, state)
    return library_agent(named, runner, list(_faults(agent, state)), **settings)


def _faults(agent: CompiledStateGraph[Any, Any, Any, Any], state: OfJob | None) -> Iterator[str]:
    given = getattr(state, "__annotations__", {}).get("return", dict)
    if given is None or (isinstance(given, type) and not issubclass(given, Mapping)):
        yield f"state={getattr(state, '__name__', state)} gives no dict, but {getattr(given, '__name__', given)}"
    others = [node for node in agent.nodes if node not in _ENDS and "." not in node]
    if MODEL not in agent.nodes or MESSAGES not in agent.channels or others:
        yield "it is no agent of create_agent; make its nodes tools of one, or steps of a workflow"
    if agent.checkpointer is not None:
        yield f"{type(agent.checkpointer).__name__} keeps its state, which the job does; leave out checkpointer="
    for stops in ("interrupt_before_nodes", "interrupt_after_nodes"):
        if getattr(agent, stops):
            yield f"{stops.removesuffix('_nodes')} stops its runs, which nobody would continue; leave it out"

"""`durable(agent)`: runs an agent of the OpenAI Agents SDK piece by piece, by the SDK's own runner.

A turn runs the last answer again with the results of its calls, then one model request; a call is the last answer with
that call alone. Invariant: each piece can begin from the record; what cannot be kept between two is refused by
name, with the remedy. Must not: change the agent.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from copy import deepcopy
from functools import partial
from typing import Any, Unpack

import agents as sdk
from agents.items import ItemHelpers, ToolCallOutputItem
from agents.lifecycle import RunHooksBase
from agents.run_config import DEFAULT_MAX_TURNS
from pydantic import TypeAdapter
from pydantic_core import to_jsonable_python

from baton.sdk.agents.agent import Agent
from baton.sdk.agents.runner import CallReturned, NeedsApproval, Recorded, RunFailedError, RunnerAnswer, RunnerCall
from baton.sdk.libraries.held_states import stored_calls
from baton.sdk.libraries.library_runner import (
    JobSettings,
    LibraryRunner,
    OfJob,
    awaited,
    check_given,
    library_agent,
    named,
    with_settings,
)
from baton.sdk.libraries.recorded_errors import Used, error_of_result
from baton.sdk.models.model import Call, Listener, ModelAnswer, Spent
from baton.sdk.openai_agents.piece import (
    OfRun,
    OutputText,
    Piece,
    StoppedError,
    agents_below,
    arguments_of,
    connect,
    json_of,
    outcome_of,
)
from baton.sdk.openai_agents.run_state import RunState, output_of
from baton.sdk.tools.foreign_schema import JsonSchema
from baton.sdk.tools.pending import Pending
from baton.sdk.tools.tool_error import ToolError
from baton_events.ids import canonical_json
from baton_events.values.text import cut, storable

_OUTPUT: TypeAdapter[list[Any]] = TypeAdapter(list[sdk.items.TResponseOutputItem])
_USAGE = TypeAdapter(sdk.Usage)
_FILES = ("image/", "text/", "application/pdf")


class OpenAIRunner(LibraryRunner):
    """`Runner` of one agent, and of those that it hands off to."""

    state = RunState

    def __init__(
        self,
        agent: sdk.Agent[Any],
        context: OfJob | None,
        max_turns: int | None,
        hooks: Any,
        run_config: sdk.RunConfig | None,
    ) -> None:
        self._agent, self._context = agent, context or (lambda _: None)
        self._max_turns = DEFAULT_MAX_TURNS if max_turns is None else max_turns
        self._hooks, self._config = hooks, run_config or sdk.RunConfig()

    @property
    def name(self) -> str:
        """The model's name."""
        model = self._config.model or self._agent.model
        return model if isinstance(model, str) else getattr(model, "model", "") if model else "default"

    @property
    def functions(self) -> Sequence[Callable[..., Any]]:
        """The functions of tools and of the context."""
        tools = [tool for agent in agents_below(self._agent) for tool in agent.tools]
        own: list[Any] = [getattr(tool, "__wrapped__", None) or getattr(tool, "on_invoke_tool", None) for tool in tools]
        return [one for one in (*own, self._context) if hasattr(one, "__globals__")]

    def made_of(self) -> dict[str, Any]:
        """Return the agents' definitions; a function among the instructions counts by its name."""
        found = agents_below(self._agent)
        tools = [tool for agent in found for tool in agent.tools if isinstance(tool, sdk.FunctionTool)]
        return {
            "instructions": [[agent.name, named(agent.instructions)] for agent in found],
            "tools": [(tool.name, tool.description, tool.params_json_schema) for tool in tools],
            "settings": [to_jsonable_python(agent.model_settings, fallback=str) for agent in found],
            "output": [str(agent.output_type) for agent in found],
        }

    def check(self, tool: str, arguments: dict[str, Any]) -> None:
        """Check edited arguments by the schema that the model is told; tools of servers check them when they run."""
        for name, _, schema in self.made_of()["tools"]:
            if name == tool:
                JsonSchema(tool, schema).check(arguments)

    def takes_file(self, media_type: str) -> bool:
        """Return whether the Responses API takes such a file."""
        return media_type.startswith(_FILES)

    async def run_turn(self, recorded: Recorded, listener: Listener | None, used: list[Used]) -> RunnerAnswer:
        """Repeat the last answer with its results, and go on to one request."""
        state = RunState.of(recorded)
        asked = [item for item in state.response if item.get("type") == "function_call"]
        outcomes, late = dict[str, Any](), set[str]()
        made = stored_calls(recorded.turns[-1], recorded.results) if asked else ()
        for item, (_, stored) in zip(asked, made, strict=False):
            if error_of_result(stored) or (stored.get("kept") or {}).get("approved"):
                late.add(item["call_id"])
            outcomes[item["call_id"]] = outcome_of(output_of(stored), stored.get("ok", output_of(stored)))
        output = _OUTPUT.validate_python(state.response) if asked else None
        piece = Piece(state, output, outcomes, listener=listener, filters=self._filters())
        piece.late = frozenset(late)
        if asked and state.agent not in state.used:
            state.used = [*state.used, state.agent]
        context = sdk.RunContextWrapper(await awaited(self._context(recorded.job)), usage=deepcopy(state.usage))
        used.append(partial(_spent, piece, context, state))
        await self._run(recorded, piece, context)
        return state.hold(recorded, self._judged(piece, context))

    async def run_call(self, recorded: Recorded, call: RunnerCall) -> CallReturned | NeedsApproval | Pending:
        """Run the call, as the only one of the last answer."""
        state = RunState.of(recorded, call.turn)
        asked = [item for item in state.response if item.get("type") == "function_call"]
        if call.position >= len(asked):  # the turn has handed the run on
            return CallReturned({"assistant": state.agent})
        item = {**asked[call.position]}
        if item["call_id"] in state.handoffs:  # the next turn hands it on, beside its other calls
            return CallReturned({"handoff": call.tool})
        item["arguments"] = json_of(call.arguments, item["arguments"])
        piece = Piece(state, _OUTPUT.validate_python([item]), {}, call)
        context = sdk.RunContextWrapper(await awaited(self._context(recorded.job)), usage=deepcopy(state.usage))
        try:
            result = await self._run(recorded, piece, context)
        except sdk.UserError as error:
            if isinstance(error.__cause__, ToolError):  # what a tool has to say, where its errors are not the model's
                raise error.__cause__ from error
            raise
        if result.interruptions:
            return NeedsApproval(f"run tool {call.tool}")
        returned = next(one for one in result.new_items if isinstance(one, ToolCallOutputItem))
        if isinstance(returned.output, Pending):
            return returned.output
        kept: dict[str, Any] = {"approved": True} if call.approved else {}
        spent = _less(context.usage, state.usage)
        if spent.requests:
            kept["usage"] = _USAGE.dump_python(spent, mode="json", exclude={"request_usage_entries"})
        raw: Any = returned.raw_item
        value, output = _value_of(returned.output), raw["output"]
        if output != (value if isinstance(value, str) else str(value)):
            kept["output"] = storable(output) if isinstance(output, str) else to_jsonable_python(output)
        return CallReturned(value, kept or None)

    async def _run(self, recorded: Recorded, piece: Piece, context: Any) -> Any:
        state, job = piece.state, recorded.job
        answered = [] if piece.call or piece.output else state.response  # an answer that a user's message came after
        known = [*state.earlier, *(state.items or [state.form.user(job.task, job.files)]), *answered]
        if piece.call or not piece.filters:  # the SDK need not look at all of it again
            first = len(state.earlier) + 1
            known, piece.hidden = known[:first], [] if piece.call else known[first:]
        by_name = {agent.name: agent for agent in reversed(agents_below(self._agent))}
        if state.agent and state.agent not in by_name:
            raise RunFailedError("unknown_agent", f"the run is with {state.agent!r}, which is no agent of it any more")
        own = by_name.get(state.agent, self._agent)
        if recorded.edits and own is self._agent:
            own = sdk.Agent.clone(own, **recorded.edits)
        agent = piece.copy_of(own)
        await connect([server for one in by_name.values() for server in one.mcp_servers])
        repeated = 1 if piece.output is not None else 0
        most = None if self._max_turns is None else self._max_turns - state.turns + repeated
        try:
            piece.result = sdk.Runner.run_streamed(
                agent,
                known,
                context=context,
                max_turns=1 if piece.call else most,
                hooks=OfRun(piece, self._hooks),
                run_config=piece.config(self._config, job.job_id),
            )
            with suppress(StoppedError):  # a handoff that the next turn makes
                async for _ in piece.result.stream_events():
                    pass
        except sdk.MaxTurnsExceeded as error:
            raise RunFailedError(type(error).__name__, f"Max turns ({self._max_turns}) exceeded") from error
        return piece.result

    def _filters(self) -> bool:
        """Return whether a handoff may change the history, which it then has to be given."""
        handoffs = [
            one for agent in agents_below(self._agent) for one in agent.handoffs if isinstance(one, sdk.Handoff)
        ]
        own = any(one.input_filter or one.nest_handoff_history for one in handoffs)
        return bool(own or self._config.handoff_input_filter or self._config.nest_handoff_history)

    def _judged(self, piece: Piece, context: Any) -> RunnerAnswer:
        result, state = piece.result, piece.state
        answer = piece.response
        spent = _less(context.usage, state.usage)
        output = [] if answer is None else _OUTPUT.dump_python(answer.output, mode="json", exclude_unset=True)
        text = "".join(ItemHelpers.extract_text(item) or "" for item in answer.output) if answer else ""
        agent = piece.own(result.last_agent).name
        asked = [item for item in output if item.get("type") == "function_call"]
        calls = tuple(Call(item["name"], arguments_of(item["arguments"])) for item in asked)
        value, correction, items = None, "", piece.sent
        passed = [item["call_id"] for item in asked if item["name"] in piece.handoffs]
        begins = False
        if result.interruptions:
            agent = piece.own(result.interruptions[0].agent).name
        elif piece.has_ended:
            value, calls = _value_of(result.final_output), ()
            text = value if isinstance(value, str) else text or canonical_json(value)
        elif passed and calls and not piece.filters:  # the SDK has handed the run on in this turn
            items, output, begins = None, [], True
        elif not calls:
            correction = "the agent goes on with another request"
            items, output = None, []
        if items is None:
            items, first = result.to_input_list(mode="normalized"), len(state.earlier) + 1
            items = piece.in_order([*items[:first], *piece.hidden, *items[first:]])
            output = output if piece.has_ended and answer else []
            items = items[: len(items) - len(output)]
        kept = state.kept(
            items, output, agent, context.usage, passed, begins=begins, asked=piece.asked if answer else None
        )
        nested = state.nested
        return RunnerAnswer(
            ModelAnswer(
                text,
                calls,
                spent.input_tokens,
                spent.output_tokens,
                cached_input_tokens=spent.input_tokens_details.cached_tokens or 0,
                provider=kept,
                origin=piece.origin,
                spent_before=Spent(nested.requests, nested.input_tokens, nested.output_tokens),
            ),
            value,
            correction,
            asked=answer is not None,
        )


def _spent(piece: Piece, context: Any, state: RunState) -> tuple[Spent, dict[str, Any] | None]:
    spent = _less(context.usage, state.usage)
    kept = None
    if piece.response is not None:
        output = _OUTPUT.dump_python(piece.response.output, mode="json", exclude_unset=True)
        kept = state.kept(piece.sent or [], output, state.agent, context.usage, asked=piece.asked)
    return Spent(spent.requests, spent.input_tokens, spent.output_tokens), kept


def _value_of(output: Any) -> Any:
    """Return an output as JSON; `str()` of what is none, as the model gets it."""
    if isinstance(output, OutputText):
        return output.value
    return to_jsonable_python(output, fallback=str)


def _less(now: sdk.Usage, before: sdk.Usage) -> sdk.Usage:
    counts = ("requests", "input_tokens", "output_tokens", "total_tokens")
    made = sdk.Usage(**{name: getattr(now, name) - getattr(before, name) for name in counts})
    cached = (now.input_tokens_details.cached_tokens or 0) - (before.input_tokens_details.cached_tokens or 0)
    made.input_tokens_details.cached_tokens = cached
    return made


@with_settings
def durable(
    agent: sdk.Agent[Any],
    *,
    name: str | None = None,
    context: OfJob | None = None,
    max_turns: int | None = None,
    hooks: Any = None,
    run_config: sdk.RunConfig | None = None,
    **settings: Unpack[JobSettings],
) -> Agent:
    """Make an agent of the SDK durable: each model request and each tool call is a step of a job.

    Args:
        agent: it is not changed.
        name: the job's type; the agent's name, unless given.
        context: called with a `JobInfo` for each piece of work, returns the context, which is never stored.
        max_turns: as `Runner.run` takes it; without it, that of the SDK: 10 requests, and an error beyond.
        hooks: as `Runner.run` takes them.
        run_config: as `Runner.run` takes it.

    Raises:
        TypeError: a value is of the wrong type.
        ValueError: it has something that a durable run cannot keep.
    """
    named = name or getattr(agent, "name", None)
    check_given(agent, sdk.Agent, "agents.Agent", named, {"context": context})
    for what, value, kind in (("max_turns", max_turns, int), ("hooks", hooks, RunHooksBase)):
        if not isinstance(value, kind | None):
            raise TypeError(f"durable({named!r}, {what}={value!r}): must be of {kind.__name__}")
    runner = OpenAIRunner(agent, context, max_turns, hooks, run_config)
    return library_agent(named, runner, list(_faults(agent)), **settings)


def _faults(root: sdk.Agent[Any]) -> Iterator[str]:
    found = agents_below(root)
    names = [agent.name for agent in found]
    for twice in sorted({one for one in names if names.count(one) > 1}):
        yield f"two agents that it may hand off to are named {twice!r}; rename one"
    for agent in found:
        for tool in agent.tools:
            if not isinstance(tool, sdk.FunctionTool):
                kind, called = type(tool).__name__, getattr(tool, "name", getattr(tool, "__name__", ""))
                yield f"{kind} {called!r} of {agent.name!r} does not run here; make it a function tool"
            if (inner := getattr(tool, "_agent_instance", None)) and (asking := next(_asking(inner), "")):
                yield (
                    f"{tool.name!r} of {agent.name!r} runs {inner.name!r} within a call, whose {asking!r} a person"
                    f" approves; register that agent, and give function_tool(as_tool(durable({inner.name})))"
                )
        for one in agent.handoffs:
            if not isinstance(one, sdk.Agent | sdk.Handoff):
                yield f"{agent.name!r} cannot hand off to {one!r}; give the agent itself, or a handoff(…)"
        if isinstance(agent.output_type, type):
            try:
                sdk.AgentOutputSchema(agent.output_type)
            except Exception as error:  # noqa: BLE001 - pydantic's, or the SDK's own
                fault = cut(str(error).partition("\n")[0], 200)
                yield f"output_type {agent.output_type.__name__} of {agent.name!r} has no schema: {fault}"
        if type(agent) is not sdk.Agent and type(agent).__module__.startswith("agents."):
            yield f"{agent.name!r} is a {type(agent).__name__}, which holds a process; make it an Agent"


def _asking(root: sdk.Agent[Any]) -> Iterator[str]:
    """Yield the tools and servers of an agent, and of all below it, whose calls may need an approval."""
    for agent in agents_below(root):
        yield from (server.name for server in agent.mcp_servers if vars(server).get("_needs_approval_policy"))
        for tool in agent.tools:
            if getattr(tool, "needs_approval", False):
                yield tool.name
            elif inner := getattr(tool, "_agent_instance", None):
                yield from _asking(inner)

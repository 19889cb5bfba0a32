"""All agents and tools of one application, by name.

Invariant: a registry that exists is consistent. Every agent's model, tools, plan and capabilities resolve, and a tool's
name means one tool. All faults are reported at once. Must not: build a model before it is needed.
"""

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from copy import copy
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from baton.sdk.agents.agent import Agent, CodeAgent, checked_budgets, chosen_models, no_tool
from baton.sdk.agents.agent_tool import agent_tool_faults, own_tools
from baton.sdk.agents.handler import Handler, Handlers, handler_of, topic_faults
from baton.sdk.agents.history import Summarize
from baton.sdk.agents.output import FINAL_TOOL
from baton.sdk.agents.runner import CodeRunner
from baton.sdk.agents.trial import TRIAL_AGENT, TRIAL_TOOL, trial_agent
from baton.sdk.models.catalog import available_models, model_fault, model_named, offload_fault
from baton.sdk.models.chain import ModelChain
from baton.sdk.models.model import Model, ToolSpec, takes_file
from baton.sdk.planning.plan import PLAN_TOOL
from baton.sdk.planning.step import static_faults
from baton.sdk.records.limits import RUN_CODE
from baton.sdk.records.transcript import ModelPolicy
from baton.sdk.tools.tool import Tool
from baton_events.values.text import cut

if TYPE_CHECKING:
    from baton.sdk.agents.schedule import Schedule
    from baton.sdk.records.budget import Budget

# One that makes the plan, and one that gives the answer.
_TURNS = 2


def agent_plan_faults(agent: Agent, tools: Mapping[str, Tool]) -> Iterator[str]:
    """Yield all faults, one line each; `tools` are the agent's."""
    if agent.plan:
        yield from (f"plan: {fault}" for fault in _static_faults(agent, tools))
    elif agent.mode == "plan":
        if not tools and not agent.servers:
            yield "mode='plan' needs tools for the steps of its plans; add some"
        if PLAN_TOOL in tools:
            yield f"in mode='plan' no tool may be named {PLAN_TOOL!r}; rename it"


def _static_faults(agent: Agent, tools: Mapping[str, Tool]) -> Iterator[str]:
    if chosen_models(agent.model):
        yield "it is fixed, so the agent asks no model: leave model out, or leave plan out and write mode='plan'"
    if agent.output is not None:
        yield "its last steps' results are the answer, so output_type has no effect: leave it out"
    if agent.limits.turns < _TURNS:
        yield f"Limits(turns={agent.limits.turns}) leaves no turn for the answer; allow {_TURNS}"
    yield from static_faults(agent.plan, tools, agent.limits.tool_calls)


def _docstring_faults(tools: Sequence[Tool]) -> Iterator[str]:
    """Yield a fault where Python has taken away what models read: of tools, workflows, and agents of a library."""
    if sys.flags.optimize > 1:
        named = [f"tool {each.name!r}" for each in tools if not each.description]
        yield (
            "Python runs with -OO (PYTHONOPTIMIZE=2), which takes docstrings away, and models would see no descriptions"
            f"{': ' if named else ''}{', '.join(named)}; run it with -O at most"
        )


class RegistryError(ValueError):
    """The registry's parts do not fit together; `faults` has one line for each fault."""

    def __init__(self, faults: Sequence[str]) -> None:
        super().__init__("\n".join([f"the registry has {len(faults)} fault(s):", *(f"- {fault}" for fault in faults)]))
        self.faults = tuple(faults)


class UnknownAgentError(LookupError):
    """No agent has that name."""


class UnknownToolError(LookupError):
    """No tool has that name."""


class Registry:
    """All agents of an application; `BATON_APP` names it. Parts that do not fit are refused, all faults at once.

    `handlers`: its handlers of app events.

    Args:
        agents: each under a name of its own.
        tools: more tools, for agents that name capabilities.
        handlers: functions with `@on`. Agents with `on` are handlers, too.
        schedules: jobs that recur; `baton setup` and `baton dev` make them.
        workflows: functions with `@workflow`.
        budgets: what the model calls of all agents may spend, besides the agents' own.
    """

    def __init__(
        self,
        agents: Sequence[Agent] = (),
        tools: Sequence[Tool] = (),
        handlers: Sequence[Handler] = (),
        schedules: "Sequence[Schedule]" = (),
        workflows: Sequence[CodeAgent] = (),
        budgets: "Sequence[Budget]" = (),
    ) -> None:
        agents = _all_of("agents", Agent, agents, "Agent; write Agent(name=...), or durable(agent)")
        tools, schedules = _all_of("tools", Tool, tools), _schedules_in(schedules)
        handlers = _all_of("handlers", Handler, handlers, "handler; decorate the function with @on('…')")
        code = _all_of("workflows", CodeAgent, workflows, "workflow; decorate an async def with @workflow")
        written, code_faults = _made_of(code)
        given = (*agents, *written)
        agents = (*given, *(each.agent for each in handlers))
        own = own_tools(agents)
        everything: list[Tool] = list(dict.fromkeys([*tools, *(item for items in own.values() for item in items)]))
        tools_of = {agent: _tools_of(agent, own[agent], everything) for agent in agents}
        all_handlers = (*handlers, *(handler_of(agent) for agent in given if agent.on))
        faults = [*_docstring_faults(everything), *code_faults, *_agent_faults(agents, tools_of, everything)]
        faults += [*agent_tool_faults(agents), *_tool_faults(agents, everything), *topic_faults(all_handlers)]
        faults += _schedule_faults(schedules, {agent.name for agent in agents})
        if faults:
            raise RegistryError(faults)
        self._given, self._given_tools, self.handlers = given, tuple(everything), Handlers(all_handlers)
        self.schedules, self.budgets = schedules, checked_budgets("Registry(budgets=...)", budgets)
        self._agents = {agent.name: agent for agent in agents}
        self._tools = {item.name: item for item in everything}
        self._tools_of = {agent.name: tools for agent, tools in tools_of.items()}
        self._offered = {agent.name: offered(agent, tools) for agent, tools in tools_of.items()}
        self._specs: dict[str, tuple[ToolSpec, ...]] = {}  # made on first use
        self._models: dict[str, Model] = {}
        self._model_of: dict[str, Model] = {}

    @property
    def agents(self) -> tuple[Agent, ...]:
        """All agents, in the order in which they were given."""
        return self._given

    @property
    def tools(self) -> tuple[Tool, ...]:
        """All tools: the registry's own, then the agents'."""
        return self._given_tools

    def agent(self, name: str) -> Agent:
        """Find an agent by name, or raise `UnknownAgentError`."""
        if name == TRIAL_AGENT:
            self._know_trial()
        if name not in self._agents:
            raise UnknownAgentError(f"unknown agent {name!r}; there are: {_listed({one.name for one in self._given})}")
        return self._agents[name]

    def tool(self, name: str) -> Tool:
        """Find a tool by name, or raise `UnknownToolError`."""
        if name == TRIAL_TOOL:
            self._know_trial()
        if name not in self._tools:
            listed = _listed({item.name for item in self._given_tools})
            raise UnknownToolError(f"unknown tool {name!r}; there are: {listed}; add others to Registry(tools=[...])")
        return self._tools[name]

    def tools_of(self, agent: Agent | str) -> Mapping[str, Tool]:
        """Return the tools of an agent: its own, then those found by capability."""
        return self._tools_of[self._known(agent)]

    def specs_of(self, agent: Agent | str) -> tuple[ToolSpec, ...]:
        """Return the agent's tools as a model sees them."""
        name = self._known(agent)
        if name not in self._specs:
            offered = self._offered[name].values()
            self._specs[name] = tuple([ToolSpec(one.name, one.description, one.parameters) for one in offered])
        return self._specs[name]

    def check(self, agent: str, tool: str, arguments: dict[str, Any]) -> None:
        """Check arguments for a tool of an agent.

        Raises InvalidArguments: they do not fit. UnknownToolError: no tool has that name.
        """
        known = self._agents.get(agent)
        runner = known.runner if known and not isinstance(known.runner, CodeRunner) else None
        if known and known.servers and tool not in self._tools:
            return  # the call checks them, with the server's schema
        if runner is None:
            self.tool(tool).check(arguments)
        else:
            runner.check(tool, arguments)

    def model_of(self, agent: Agent | str) -> Model:
        """Return the agent's model, made on first use and kept. Several models are a chain."""
        name = self._known(agent)
        if name not in self._model_of:
            models = [self._made(model) for model in chosen_models(self._agents[name].model)]
            assert models, "the constructor refuses agents without a model"
            self._model_of[name] = models[0] if len(models) == 1 else ModelChain(models)
        return self._model_of[name]

    def model_name_of(self, agent: Agent | str) -> str:
        """Return the name of an agent's model in traces."""
        runner = self._agents[self._known(agent)].runner
        return runner.name if runner is not None else self.model_of(agent).name

    def summarizer_of(self, agent: Agent | str) -> Model:
        """Return the model that writes the agent's summaries: its own, unless its history policy names another."""
        policy = self._agents[self._known(agent)].history
        named = policy.model if isinstance(policy, Summarize) else None
        return self.model_of(agent) if named is None else self._made(named)

    def _know_trial(self) -> None:
        """Add the agent and the tool of the test endpoint, unless others have their names."""
        if TRIAL_AGENT not in self._agents and TRIAL_TOOL not in self._tools:
            trial = trial_agent()
            self._agents[TRIAL_AGENT], tools = trial, {item.name: item for item in own_tools([trial])[trial]}
            self._tools |= tools
            self._tools_of[TRIAL_AGENT] = self._offered[TRIAL_AGENT] = tools

    def _known(self, agent: Agent | str) -> str:
        name = agent if isinstance(agent, str) else agent.name
        return name if name in self._agents else self.agent(name).name

    def _made(self, model: Model | str) -> Model:
        if not isinstance(model, str):
            return model
        if model not in self._models:
            self._models[model] = model_named(model)
        return self._models[model]


def check_input(registry: Registry, agent: str, data: dict[str, Any]) -> None:
    """Check the data of a new job, where its agent says what it takes.

    Raises InvalidArguments: it does not fit. UnknownAgentError: no agent has that name.
    """
    if isinstance(runner := registry.agent(agent).runner, CodeRunner):
        runner.check_input(data)


def registry_with(registry: Registry, agent: Agent) -> Registry:
    """Return a registry in which this agent replaces the one of its name; its tools stay."""
    other = copy(registry)
    vars(other).update(_agents={**vars(registry)["_agents"], agent.name: agent}, _model_of={})
    return other


def has_servers(registry: Registry) -> bool:
    """Return whether any agent has tools of MCP servers."""
    return any(agent.servers for agent in registry.agents)


def _all_of(name: str, kind: type[Any], given: object, way: str = "") -> tuple[Any, ...]:
    """Return all that is given as `name`. Raises TypeError: it is no list, or something in it is not of this kind."""
    if isinstance(given, str) or not isinstance(given, Iterable):
        raise TypeError(f"Registry({name}=...) must be a list, got {cut(repr(given), 80)}")
    parts = tuple(given)
    for each in parts:
        if not isinstance(each, kind):
            fault = no_tool(each) if kind is Tool else f"{cut(repr(each), 80)} is no {way}"
            raise TypeError(f"Registry({name}=...): {fault}")
    return parts


def _schedules_in(given: object) -> "tuple[Schedule, ...]":
    if given == ():
        return ()
    from baton.sdk.agents.schedule import Schedule  # noqa: PLC0415 - few applications have any

    return _all_of("schedules", Schedule, given, "Schedule; write Schedule(name, cron, agent=...)")


def _made_of(written: Sequence[CodeAgent]) -> tuple[tuple[Agent, ...], tuple[str, ...]]:
    """Make the agents of a registry, and all faults of their code."""
    made = [each.made() for each in written]
    missing = [
        f"workflow {each.name!r}: it calls workflow {other.name!r}, which is not registered; add it to"
        " Registry(workflows=[...])"
        for each in written
        for other in each.calls()
        if other not in written
    ]
    return tuple(agent for agent, _ in made if agent), (*(fault for _, faults in made for fault in faults), *missing)


def _tools_of(agent: Agent, own: Sequence[Tool], everything: Sequence[Tool]) -> Mapping[str, Tool]:
    named = {step.tool for step in agent.plan}
    found = (item for item in everything if not item.capabilities.isdisjoint(agent.capabilities) or item.name in named)
    return MappingProxyType({item.name: item for item in (*own, *found)})


def offered(agent: Agent, tools: Mapping[str, Tool]) -> Mapping[str, Tool]:
    limits = agent.script_limits
    if limits is None:
        return tools
    from baton.sdk.agents.code_mode import script_tool  # noqa: PLC0415 - few agents have it

    return {RUN_CODE: script_tool(tools, limits)}


def offered_by(registry: Registry, agent: Agent) -> Mapping[str, Tool]:
    """Return the tools that an agent offers to its model: its own, or the one that runs scripts over them."""
    return registry._offered[agent.name]  # noqa: SLF001 - its own; a registry in front of another one hands it on


_ToolsOf = Mapping[Agent, Mapping[str, Tool]]


def _agent_faults(agents: Sequence[Agent], tools_of: _ToolsOf, everything: Sequence[Tool]) -> Iterator[str]:
    known = {capability for item in everything for capability in item.capabilities}
    for name in _repeated([agent.name for agent in agents]):
        yield f"two agents are named {name!r}; a job finds its agent by name, so rename one"
    for agent in agents:
        for capability in sorted(set(agent.capabilities) - known):
            yield f"agent {agent.name!r}: no tool has capability {capability!r}; there are: {_listed(known)}"
        yield from (f"agent {agent.name!r}{fault}" for fault in _model_faults(agent))
        yield from (f"agent {agent.name!r}: {fault}" for fault in agent_plan_faults(agent, tools_of[agent]))
        if agent.code_mode:
            from baton.sdk.agents.code_mode import code_mode_faults  # noqa: PLC0415 - as above

            yield from (f"agent {agent.name!r}: {fault}" for fault in code_mode_faults(agent, tools_of[agent]))
        if agent.output is not None and FINAL_TOOL in tools_of[agent]:
            yield f"agent {agent.name!r} has an output_type, so no tool of its may be named {FINAL_TOOL!r}; rename it"


def _model_faults(agent: Agent) -> Iterator[str]:
    models = chosen_models(agent.model)
    if not models and not agent.plan and agent.runner is None:
        yield f" has no model; {available_models()}"
    if agent.offload:
        asked = models or ("no model of its own",)
        yield from (
            f": offload={agent.offload!r}: {fault}"
            for fault in (offload_fault(one, agent.offload) for one in asked)
            if fault
        )
        if any(one.in_flight is not None for one in agent.call_limits):
            yield f": offload={agent.offload!r}: CallLimit(in_flight=...) counts calls of functions: limit per_minute"
    for model in models:
        fault = model_fault(model) if isinstance(model, str) else None
        if fault is not None:
            yield f": {fault}"
    writer = agent.history.model if isinstance(agent.history, Summarize) else None
    fault = model_fault(writer) if isinstance(writer, str) else None
    if fault is not None:
        yield f": history=Summarize: {fault}"


def _tool_faults(agents: Sequence[Agent], everything: Sequence[Tool]) -> Iterator[str]:
    names = {agent.name for agent in agents}
    for name in _repeated([item.name for item in everything]):
        or_agent = ", or rename the agent" if name in names else ""
        yield f"two different tools are named {name!r}; give one another name with @tool(name=...){or_agent}"
    for item in everything:
        if item.starts and item.retries:
            yield f"tool {item.name!r} starts at most once, so it has no attempt after the first: write retries=0"


def _schedule_faults(schedules: "Sequence[Schedule]", agents: set[str]) -> Iterator[str]:
    for name in _repeated([schedule.name for schedule in schedules]):
        yield f"two schedules are named {name!r}; rename one"
    for one in schedules:
        if one.agent_name not in agents:
            yield f"schedule {one.name!r}: unknown agent {one.agent_name!r}; there are: {_listed(agents)}"


def _repeated(names: Sequence[str]) -> list[str]:
    return [name for name in dict.fromkeys(names) if names.count(name) > 1]


def _listed(names: Mapping[str, object] | set[str]) -> str:
    return ", ".join(sorted(names)) or "none"


def agent_takes(registry: Registry, agent: Agent, media_type: str) -> bool:
    """Return whether the agent's model takes such a file, as far as it is known before the call."""
    if agent.runner is not None:
        return agent.runner.takes_file(media_type)
    return not agent.plan and takes_file(registry.model_of(agent), media_type)


def remembers(registry: Registry) -> bool:
    """Return whether jobs may leave anything in memory."""
    is_used = any(agent.memory_policy for agent in registry.agents)
    return is_used or any("memory" in tool.capabilities for tool in registry.tools)


def policy_of(registry: Registry, agent: Agent) -> ModelPolicy:
    # Memory is searched with the task's text, and results of a plan, or beside an output, are read for any model.
    if agent.runner is not None:
        return ModelPolicy(
            agent.model_retries,
            calls_read_history=not isinstance(agent.runner, CodeRunner),
            runs_code=isinstance(agent.runner, CodeRunner),
            has_workspace=agent.runner.workspaces is not None,
        )
    plans = bool(agent.plan) or agent.mode == "plan"
    own = plans or agent.output is not None or agent.memory_policy is not None
    reads_history = own or registry.model_of(agent).reads_history
    return ModelPolicy(retries=agent.model_retries, reads_history=reads_history)

"""An agent: a name, a model, instructions, tools and limits. Data only.

Invariant: an agent is checked when it is made and never changes, so any process that loads the same code runs the same
agent. Its model choice is one model or several, each a name or an object. Must not: hold anything of a running job,
make a model, or look up names of models and capabilities, which the registry does. A `CodeAgent` is a job type written
as code, of which the registry makes one.
"""

import re
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property
from types import FunctionType, MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, cast

from baton.sdk.agents.history import HistoryPolicy, KeepAll
from baton.sdk.agents.output import OutputType
from baton.sdk.agents.runner import Runner
from baton.sdk.memory.policy import Memory, memory_of
from baton.sdk.models.catalog import LibraryModel, of_pydantic_ai
from baton.sdk.models.model import Model
from baton.sdk.models.model_settings import setting_faults
from baton.sdk.planning.step import Step, checked_plan
from baton.sdk.records.call_limit import CallLimit, checked_all
from baton.sdk.records.limits import MOST, CodeMode, Limits, code_mode_of, is_whole
from baton.sdk.tools.running_workflow import RUNNING
from baton.sdk.tools.tool import NO_FUNCTION, Tool, ToolSource
from baton_events.app_event import name_fault
from baton_events.values.durations import Given, plain_seconds

if TYPE_CHECKING:
    from baton.sdk.records.budget import Budget


class CodeAgent(ABC):
    """The base of workflows; `name` is the job type."""

    name: str

    @abstractmethod
    def made(self) -> tuple[Any, tuple[str, ...]]:
        """Make the `Agent`, and the faults of its code; None: it cannot be made."""

    @abstractmethod
    def parameters(self) -> tuple[list[str], list[str]]:
        """Return the names of its parameters, and of those that are required."""

    @abstractmethod
    def calls(self) -> "Sequence[CodeAgent]":
        """Return the job types that its code starts by itself."""


def no_tool(value: object) -> str:
    """Say that a value is no tool, and the way out."""
    if isinstance(value, CodeAgent):
        start = f"return ctx.start({value.name!r}, '', data)"
        return f"workflow {value.name!r} is not a tool; write one that starts it, whose ctx is a ToolContext: {start}"
    way_out = "decorate the function with @tool" if isinstance(value, FunctionType) else f"{NO_FUNCTION}, with @tool"
    return f"{value!r} is not a tool; {way_out}"


ModelChoice = Model | LibraryModel | str | Sequence[Model | LibraryModel | str] | None


def chosen_models(model: ModelChoice) -> tuple[Model | str, ...]:
    """Return the agent's models in the order in which they are called; empty: it has none."""
    if model is None:
        return ()
    # Done at each turn: to check whether a value is a model takes much longer than whether it is several.
    return cast("tuple[Model | str, ...]", tuple(model) if isinstance(model, list | tuple) else (model,))


def checked_choice(agent: str, model: ModelChoice) -> ModelChoice:
    """Check the choice and return it in an immutable form.

    Raises:
        TypeError: an item of it is no model.
        ValueError: an empty list.
    """
    if model is None or isinstance(model, str):
        return model
    if not isinstance(model, Sequence):
        return _checked_model(agent, model)
    if not model:
        raise ValueError(f"agent {agent!r}: model is an empty list; name at least one model, or leave it out")
    return tuple(_checked_model(agent, item) for item in model)


def checked_settings(agent: str, settings: Mapping[str, Any]) -> Mapping[str, Any]:
    """Check the settings and return them in an immutable form.

    Raises:
        TypeError: they are no mapping.
        ValueError: some are unknown or out of range; the message lists all of these.
    """
    if not isinstance(settings, Mapping) or not all(isinstance(name, str) for name in settings):
        raise TypeError(f"agent {agent!r}: model_settings must be a dict with text keys, got {settings!r}")
    settings = {name: plain_seconds(value) if name == "timeout" else value for name, value in settings.items()}
    faults = list(setting_faults(settings))
    if faults:
        raise ValueError(f"agent {agent!r}: {'; '.join(faults)}")
    return MappingProxyType(settings)


def checked_budgets(what: str, budgets: "Sequence[Budget]") -> "tuple[Budget, ...]":
    """Return the budgets in an immutable form, or raise `TypeError`; without any, nothing of them is imported."""
    if budgets == ():
        return ()
    from baton.sdk.records.budget import Budget  # noqa: PLC0415 - few agents have any

    return checked_all(what, Budget, budgets)


def _checked_model(agent: str, model: object) -> Model | str:
    if isinstance(model, type):
        raise TypeError(f"agent {agent!r}: model must be an object, got the class {model.__name__}; call it")
    if isinstance(model, str | Model):
        return model
    if (found := of_pydantic_ai(model)) is not None:
        return found
    raise TypeError(
        f"agent {agent!r}: model must be a name or have `answer`, `name` and `reads_history`, or be a list of those,"
        f" got {model!r}"
    )


_PROTOCOLS = frozenset({"a2a", "mcp"})


def _checked_exposure(agent: str, expose: object) -> frozenset[str]:
    named = {expose} if isinstance(expose, str) and expose else expose or ()
    if not isinstance(named, Collection) or not _PROTOCOLS.issuperset(named):
        raise ValueError(f"agent {agent!r}: expose must be of {', '.join(sorted(_PROTOCOLS))}, got {expose!r}")
    return frozenset(named)


def _check_choice(agent: str, what: str, chosen: str, known: Sequence[str]) -> None:
    if chosen not in known:
        raise ValueError(f"agent {agent!r}: unknown {what} {chosen!r}; there are: {', '.join(filter(None, known))}")


_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")  # it is a job's `jobType` and appears in URLs and metrics
_MODES = ("loop", "plan")
_CALL_SECONDS = 120
_OFFLOADS = ("", "queue", "provider")
_ON_CUT_ANSWER = ("fail", "keep")


@dataclass(frozen=True, eq=False)
class Agent:
    """An agent; a job names it in its `jobType`.

    Attributes:
        name: 1 to 64 letters, digits, `_`, `.` or `-`.
        instructions: the model's first input, before the task.
        limits: limits of a job, together with the jobs below it.
        model: a model object or its name ("demo", "openai:gpt-5-mini"); or a list, of which the next one answers where
            the one before cannot.
        model_settings: the model's settings: `{"temperature": 0.2, "max_tokens": 2000, …}`; `timeout`: the seconds that
            one call may take (120), which a list of models shares.
        output_type: a pydantic model that the job's answer must fit; the job's result has it as `output`.
        description: its purpose in a line, for agents that have it among their tools.
        tools: tools made with `@tool`, other agents, and MCP servers.
        capabilities: adds every tool of the registry that declares one of them.
        mode: "loop": the model calls tools until it answers; "plan": it makes a plan, whose steps run, until it
            answers.
        max_rounds: the maximum number of plans that a planner makes.
        plan: steps that are always the same; the agent needs no model, and its answer is the last steps' results.
        model_retries: attempts after the first, when the model fails temporarily.
        history: the model's input once the conversation is long: `KeepAll()`, `DropOldest(…)`, `Summarize(…)`.
        cache_seconds: the time that an answer of the model is kept for the same request; 0: not at all.
        memory: its memory of earlier jobs: a `Memory`, or True for the defaults.
        isolated: each turn and each tool call has an invocation of its own, instead of inline continuation.
        on: the name of an app event: each such event starts a job, whose data is the event's.
        task: the task of such a job.
        version: its name among versions, for comparing them; without one a digest of what it is made of.
        expose: protocols by which other programs run the agent: "a2a", "mcp", or a set of these.
        call_limits: limits of its model's calls, shared by all calls with the same key.
        budgets: what its model's calls may spend, shared by all calls with the same key.
        offload: how a model answers while the job waits without compute: "queue": the queue sends the request;
            "provider": the provider answers in the background. The text is not streamed then.
        on_cut_answer: whether a text that the model's length limit cut off fails the job ("fail", `answer_cut`), or is
            the answer, marked as cut ("keep"); None: "keep" in a chat, else "fail".
        code_mode: its model gets one tool, `run_code`, and writes scripts over the agent's tools: a `CodeMode`, or True
            for the defaults.
    """

    name: str
    model: ModelChoice = None
    instructions: str = ""
    tools: "Sequence[Tool | Agent | ToolSource]" = ()
    capabilities: Collection[str] = frozenset()
    mode: str = "loop"
    limits: Limits = field(default_factory=Limits)
    model_retries: int = 3
    history: HistoryPolicy = field(default_factory=KeepAll)
    cache_seconds: Given[int | timedelta, int] = cast("Any", 0)  # noqa: RUF009 - a number
    model_settings: Mapping[str, Any] = field(default_factory=dict)
    output_type: Any = None
    memory: Memory | bool | None = None
    description: str = ""
    plan: Sequence[Step] = ()
    max_rounds: int = 3
    isolated: bool = False
    on: str = ""
    task: str = ""
    version: str = ""
    expose: Collection[str] = ()
    call_limits: Sequence[CallLimit] = ()
    offload: str = ""
    on_cut_answer: str | None = None
    code_mode: CodeMode | bool = False
    budgets: "Sequence[Budget]" = ()

    runner: ClassVar[Runner | None] = None  # a field of `RunAgent` alone, since no user gives one

    def __post_init__(self) -> None:
        """Check every field, and make collections immutable."""
        if not isinstance(self.name, str) or not _NAME.fullmatch(self.name):
            raise ValueError(
                f"agent name {self.name!r} must be 1 to 64 letters, digits, '_', '.' or '-', first a letter or digit"
            )
        if self.version and not _NAME.fullmatch(self.version):
            raise ValueError(
                f"agent {self.name!r}: version {self.version!r} must be 1 to 64 letters, digits, '_', '.' or '-'"
            )
        object.__setattr__(self, "model", checked_choice(self.name, self.model))
        object.__setattr__(self, "model_settings", checked_settings(self.name, self.model_settings))
        object.__setattr__(self, "cache_seconds", plain_seconds(self.cache_seconds))
        _ = self.output  # is checked now
        if self.on and (fault := name_fault(self.on)):
            raise ValueError(f"agent {self.name!r}: on={fault}")
        object.__setattr__(self, "expose", _checked_exposure(self.name, self.expose))
        object.__setattr__(
            self, "call_limits", checked_all(f"agent {self.name!r}: call_limits", CallLimit, self.call_limits)
        )
        object.__setattr__(self, "budgets", checked_budgets(f"agent {self.name!r}: budgets", self.budgets))
        _check_choice(self.name, "mode", self.mode, _MODES)
        _check_choice(self.name, "offload", self.offload, _OFFLOADS)
        if self.on_cut_answer is not None:
            _check_choice(self.name, "on_cut_answer", self.on_cut_answer, _ON_CUT_ANSWER)
        self._check_parts()
        self._check_numbers()
        object.__setattr__(self, "plan", checked_plan(self.name, self.plan))
        object.__setattr__(self, "tools", tuple(dict.fromkeys((*self.tools, *self._tools_of_plan()))))
        object.__setattr__(self, "capabilities", frozenset(self.capabilities))

    def __call__(self, task: str) -> Awaitable[Any]:
        """Give it a task as a step of a workflow: a job below the workflow's own.

        Raises:
            RuntimeError: no workflow's code calls it.
        """
        if (run := RUNNING.get()) is not None:
            return run.call(self.name, {"task": task}, self.output.made if self.output else None)
        raise RuntimeError(f"agent {self.name!r} can be awaited in a @workflow alone; a tool starts it by ctx.start")

    @cached_property
    def output(self) -> OutputType | None:
        """The form of its answers; None: any text."""
        return None if self.output_type is None else OutputType(self.name, self.output_type)

    @property
    def model_timeout_seconds(self) -> float:
        """The time that one model call may take."""
        return cast("float", self.model_settings.get("timeout", _CALL_SECONDS))

    @property
    def request_settings(self) -> dict[str, Any]:
        """The settings that each request has; its time is counted here, and shared by its models."""
        return {name: value for name, value in self.model_settings.items() if name != "timeout"}

    @property
    def memory_policy(self) -> Memory | None:
        """The policy of `memory`; None: the agent has no memory."""
        return memory_of(self.memory)

    @property
    def script_limits(self) -> CodeMode | None:
        """The limits of its model's scripts; None: its model calls tools one by one."""
        return code_mode_of(self.code_mode)

    @property
    def servers(self) -> tuple[ToolSource, ...]:
        """The MCP servers among its tools."""
        # What is neither is one: to ask for an abstract class takes five times as long, and each process asks often.
        return tuple(item for item in self.tools if not isinstance(item, Tool | Agent))

    def _tools_of_plan(self) -> "Iterator[Tool | Agent]":
        for step in self.plan:
            if isinstance(step.tool, Tool | Agent):
                yield step.tool
            elif not isinstance(step.tool, str):
                raise TypeError(f"agent {self.name!r}, step {step.name!r}: {no_tool(step.tool)}")

    def _check_parts(self) -> None:
        for name in ("instructions", "description", "task"):
            if not isinstance(text := getattr(self, name), str):
                raise TypeError(f"agent {self.name!r}: {name} must be a text, got {text!r}")
        if isinstance(self.tools, Tool | Agent | str) or not isinstance(self.tools, Sequence):
            raise TypeError(f"agent {self.name!r}: tools must be a list, got {self.tools!r}")
        for item in self.tools:
            if not isinstance(item, Tool | Agent | ToolSource):
                raise TypeError(f"agent {self.name!r}: {no_tool(item)}")
        if isinstance(self.capabilities, str):
            example = {self.capabilities}
            raise TypeError(
                f"agent {self.name!r}: capabilities must be a set, got {self.capabilities!r}; write {example}"
            )
        if not isinstance(self.isolated, bool):
            raise TypeError(f"agent {self.name!r}: isolated must be True or False, got {self.isolated!r}")
        if not isinstance(self.history, HistoryPolicy):
            raise TypeError(
                f"agent {self.name!r}: history must be KeepAll(), DropOldest(...) or Summarize(...),"
                f" got {self.history!r}"
            )
        try:
            memory_of(self.memory)
            code_mode_of(self.code_mode)
        except TypeError as error:
            raise TypeError(f"agent {self.name!r}: {error}") from error
        if not isinstance(self.limits, Limits):
            raise TypeError(f"agent {self.name!r}: limits must be Limits(...), got {self.limits!r}")

    def _check_numbers(self) -> None:
        for name, least in (("max_rounds", 1), ("model_retries", 0), ("cache_seconds", 0)):
            value = getattr(self, name)
            if not is_whole(value) or value < least:
                span = f"a whole number from {least}"
                raise ValueError(f"agent {self.name!r}: {name} must be {span}, got {value!r}; the most is {MOST}")


@dataclass(frozen=True, eq=False)
class RunAgent(Agent):
    """An agent that a runner runs: of another library, or a workflow; it has no model of its own here.

    Attributes:
        runner: runs it, piece by piece.
    """

    runner: Runner | None = None  # type: ignore[misc]  # pyright: ignore[reportIncompatibleVariableOverride]

"""`@workflow`: an `async def` as a job type. Its awaits of tools, agents, waits and approvals are steps of the job.

Invariant: called directly it is the original function. Its code is read for its steps when a registry is made. Must
not: run it.
"""

import dataclasses
import inspect
from collections.abc import Callable, Collection
from datetime import UTC, datetime
from functools import cached_property
from random import Random  # noqa: TID251 - of the job's own stream
from types import FunctionType
from typing import Any, Generic, overload
from uuid import UUID

from typing_extensions import ParamSpec, TypeVar

from baton.sdk.agents.agent import Agent, CodeAgent, RunAgent
from baton.sdk.agents.runner import JobInfo
from baton.sdk.records.limits import Limits
from baton.sdk.tools.builtin.job_tools import sleep
from baton.sdk.tools.pending import ChildTask, Pending
from baton.sdk.tools.return_type import ResultSchema
from baton.sdk.tools.running_workflow import RUNNING, bound
from baton.sdk.tools.tool import NO_FUNCTION, TOOL_NAME, Tool, tool
from baton.sdk.workflows.code_run import CodeRun
from baton.sdk.workflows.input import Input
from baton.sdk.workflows.refused import faults_of
from baton.sdk.workflows.runner import WorkflowRunner
from baton.sdk.workflows.steps import steps_of

_P = ParamSpec("_P", default=...)
_R_co = TypeVar("_R_co", default=Any, covariant=True)
_NO_NAME = "its name must be 1 to 64 letters, digits, '_' or '-'"
_LIMITS = Limits(turns=20_000, tool_calls=10_000, wall_seconds=366 * 86_400, on_limit="fail")


class Workflow(CodeAgent, Generic[_P, _R_co]):
    """A function that runs as a job; `agent` is what the registry has of it."""

    def __init__(self, function: Callable[_P, _R_co], name: str | None, options: dict[str, Any]) -> None:
        if not inspect.iscoroutinefunction(function) or not isinstance(function, FunctionType):
            if inspect.isasyncgenfunction(function):
                raise TypeError(f"@workflow needs an async def without yield: {function!r} has one; return a list")
            raise TypeError(
                f"@workflow needs an async def, got {function!r}: {NO_FUNCTION}; options are named: @workflow(name='…')"
            )
        self.function: Any = function
        self.name = function.__name__ if name is None else name
        self.__name__, self.__doc__ = function.__name__, function.__doc__
        self._options = options
        self._made: tuple[Agent | None, tuple[str, ...]] | None = None
        self._calls: tuple[Workflow[Any, Any], ...] = ()

    def __call__(self, *args: _P.args, **kwargs: _P.kwargs) -> _R_co:
        """Call the original function; in another workflow's code it is a step: a job below its own."""
        if (run := RUNNING.get()) is not None:
            arguments = bound(self.name, self.function, self.input.job, args, kwargs)
            step: Any = run.call(self.name, arguments, self._results.read)
            return step  # type: ignore[no-any-return]
        returned: _R_co = self.function(*args, **kwargs)
        return returned

    @cached_property
    def _results(self) -> ResultSchema:
        return ResultSchema(self.name, self.function, {})

    @cached_property
    def input(self) -> Input:
        """Its input, read once all names of its module are there."""
        return Input(self.name, self.function)

    @cached_property
    def tool(self) -> Tool | None:
        """The tool by which another workflow starts this one; None: its name is no tool's."""
        return _tool_of(self) if TOOL_NAME.fullmatch(self.name) else None

    @property
    def about(self) -> str:
        """Its purpose in a line: the first one of its docstring."""
        return (self.__doc__ or "").strip().partition("\n")[0]

    def made(self) -> tuple[Agent | None, tuple[str, ...]]:
        """Read its code, and make the agent; a second registry gets the same one."""
        if self._made is None:
            self._made = self._read()
        return self._made

    def parameters(self) -> tuple[list[str], list[str]]:
        """Return the names of its parameters, and of those that are required."""
        return list(self.input.names), list(self.input.required)

    def calls(self) -> "tuple[Workflow[Any, Any], ...]":
        """Return the workflows that it starts; known once it is made."""
        return self._calls

    def _read(self) -> tuple[Agent | None, tuple[str, ...]]:
        steps = steps_of(self.function)
        self._calls = tuple(step for step in steps if isinstance(step, Workflow))
        nameless = [step.name for step in self._calls if step.tool is None]
        faults = [f"workflow {name!r} cannot be a step: {_NO_NAME}" for name in nameless]
        if faults := [*faults_of(self.function), *faults]:
            return None, tuple([f"workflow {self.name!r}: {fault}" for fault in faults])
        tools = [step.tool if isinstance(step, Workflow) else step for step in steps]
        tools += [] if sleep in tools else [sleep]  # timers are steps, too
        return self._agent([each for each in tools if each is not None]), ()

    def _agent(self, tools: list[Any]) -> Agent:
        source = self.input
        runner = WorkflowRunner(self.name, self.function, source.values, source.check, source.hints.get("return"))
        known = {"limits": _LIMITS, "description": self.about}
        given = {name: value for name, value in self._options.items() if value}
        return RunAgent(name=self.name, runner=runner, tools=tools, **{**known, **given})


def _tool_of(child: Workflow[Any, Any]) -> Tool:
    async def start(**arguments: Any) -> Pending:
        task = ChildTask(agent=child.name, task="", data=child.input.data_of(arguments))
        return Pending(child=task, operation=False)

    schema = child.input.as_given()
    return dataclasses.replace(
        _BASE, name=child.name, function=start, schema=schema, parameters=schema.json_schema, description=child.about
    )


@tool(retries=0)
async def _BASE() -> Pending:  # noqa: N802 - a constant that a decorator makes
    return Pending(timeout_seconds=0)


def _run(what: str) -> CodeRun:
    run = RUNNING.get()
    if isinstance(run, CodeRun):
        return run
    raise RuntimeError(f"workflow.{what} is of a job: only the code of a @workflow has it, while its job runs")


class _Decorator:
    """Makes a job type of an `async def`, as `@workflow` or `@workflow(name="…")`; in its code it has more of the job.

    Its values are the same each time that the code is made again, in any process.
    """

    @overload
    def __call__(self, function: Callable[_P, _R_co], /) -> Workflow[_P, _R_co]: ...

    @overload
    def __call__(
        self,
        /,
        *,
        name: str | None = None,
        limits: Limits | None = None,
        description: str = "",
        version: str = "",
        expose: Collection[str] = (),
        on: str = "",
        task: str = "",
    ) -> Callable[[Callable[_P, _R_co]], Workflow[_P, _R_co]]: ...

    def __call__(
        self,
        function: Callable[..., Any] | None = None,
        /,
        *,
        name: str | None = None,
        limits: Limits | None = None,
        description: str = "",
        version: str = "",
        expose: Collection[str] = (),
        on: str = "",
        task: str = "",
    ) -> Any:
        """Make a job type of an `async def`, as `@workflow` or `@workflow(name="…")`.

        Args:
            function: the code; each await of a tool, an agent, a wait or an approval is a durable step.
            name: the job type; the function's name, unless given.
            limits: limits of a job; by default 10,000 steps and 366 days.
            description: its purpose in a line; the docstring's first line, unless given.
            version: its name among versions.
            expose: protocols by which other programs find and run it, as for an `Agent`.
            on: the name of an app event: each such event starts a job, whose input is the event's data.
            task: the task of such a job.
        """
        options = {
            "limits": limits,
            "description": description,
            "version": version,
            "expose": expose,
            "on": on,
            "task": task,
        }

        def make(function: Callable[..., Any]) -> Workflow[..., Any]:
            return Workflow(function, name, options)

        return make if function is None else make(function)

    def now(self) -> datetime:
        """Return the time, in UTC: when the code went on last."""
        return datetime.fromtimestamp(_run("now()").loop.seconds, UTC)

    def random(self) -> Random:
        """Return the job's own random numbers: one stream, seeded by the job."""
        return _run("random()").of_job.random

    def uuid4(self) -> UUID:
        """Return a new UUID."""
        return _run("uuid4()").of_job.uuid4()

    def info(self) -> JobInfo:
        """Return the job."""
        return _run("info()").of_job.info

    def patched(self, name: str) -> bool:
        """Return whether a change of this name is there: not for jobs that have gone past it before."""
        return _run("patched()").of_job.patched(name)


workflow = _Decorator()

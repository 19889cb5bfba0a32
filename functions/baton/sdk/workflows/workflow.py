"""`@workflow`: an `async def` as a job type. Its awaits of tools, agents, waits and approvals are steps of the job.

Invariant: called directly it is the original function. Its code is read for its steps when a registry is made. Must
not: run it.
"""

import dataclasses
import inspect
import typing
from collections.abc import Callable, Collection
from datetime import UTC, datetime
from functools import cached_property
from random import Random  # noqa: TID251 - of the job's own stream
from types import FunctionType
from typing import Any, Generic, overload
from uuid import UUID

from pydantic import BaseModel
from pydantic_core import ValidationError, to_jsonable_python
from typing_extensions import ParamSpec, TypeVar

from baton.sdk.agents.agent import Agent, CodeAgent, RunAgent
from baton.sdk.agents.runner import JobInfo
from baton.sdk.records.limits import Limits
from baton.sdk.tools.argument_schema import ArgumentSchema
from baton.sdk.tools.arguments import InvalidArguments, Place
from baton.sdk.tools.builtin.job_tools import sleep
from baton.sdk.tools.pending import ChildTask, Pending
from baton.sdk.tools.return_type import ResultSchema, at_hand
from baton.sdk.tools.running_workflow import RUNNING, bound
from baton.sdk.tools.signature import REFUSED_KINDS, Argument, ToolSignature
from baton.sdk.tools.tool import NO_FUNCTION, TOOL_NAME, Tool, tool
from baton.sdk.workflows.code_run import CodeRun
from baton.sdk.workflows.refused import faults_of
from baton.sdk.workflows.runner import WorkflowRunner
from baton.sdk.workflows.steps import steps_of


class InvalidInput(InvalidArguments):
    """A job's data does not fit its workflow."""

    def __str__(self) -> str:
        return "\n".join([f"invalid input for workflow {self.tool!r}:", *self.faults])


class _AsGiven(ArgumentSchema):
    """Arguments that are checked and passed as they are: a model may read other names than it shows."""

    def to_keywords(self, arguments: Any) -> dict[str, Any]:
        """Return the arguments after their check."""
        self.check(arguments)
        return dict(arguments)


class Input:
    """A workflow's input: its parameters by name, or the one model that takes all of it."""

    def __init__(self, name: str, function: FunctionType) -> None:
        self._name = name
        self.hints = _hints_of(function)
        parameters = [*inspect.signature(function).parameters.values()]
        kinds = [(one.name, REFUSED_KINDS[one.kind]) for one in parameters if one.kind in REFUSED_KINDS]
        self.faults = [f"parameter {parameter!r} {fault}" for parameter, fault in kinds]
        self.job = next((one.name for one in parameters if self.hints.get(one.name) is JobInfo), "")
        taken = [one for one in parameters if one.name != self.job]
        arguments = tuple(Argument(one.name, self.hints.get(one.name, Any), one.default) for one in taken)
        self.names = tuple(one.name for one in taken)
        self.required = tuple(one.name for one in arguments if one.is_required)
        kind = arguments[0].annotation if len(arguments) == 1 else None
        is_body = isinstance(kind, type) and (issubclass(kind, BaseModel) or dataclasses.is_dataclass(kind))
        self._body = self.names[0] if is_body else ""
        self._signature = ToolSignature(arguments, None)
        self.schema = ArgumentSchema(name, self._signature, {})

    def check(self, data: dict[str, Any]) -> None:
        """Check a job's data. Raises InvalidArguments: it does not fit; each fault names the field.

        The job reads it once more whenever its run is made again, so a default that is another one then does not fit.
        """
        try:
            both = [to_jsonable_python(self._read(data), fallback=lambda each: type(each).__name__) for _ in range(2)]
            once, again = [each.get(self._body, each) for each in both]
            found: Any = [((name,), _ANOTHER) for name in once if once[name] != again[name]] if once != again else []
        except ValidationError as error:  # what is in an `Iterable` is checked as it is read
            found = [(one["loc"], one["msg"]) for one in error.errors()]
        if found:
            faults = [f"{'.'.join(map(str, place)) or self.names[0]}: {text}" for place, text in found]
            raise InvalidInput(self._name, faults, [place for place, _ in found])

    def values(self, job: JobInfo) -> dict[str, Any]:
        """Return the function's arguments, of their annotated types. Raises InvalidArguments: as above."""
        read = {name: at_hand(value) for name, value in self._read(job.input_data).items()}
        return read | ({self.job: job} if self.job else {})

    def _read(self, data: dict[str, Any]) -> dict[str, Any]:
        is_whole = self._body and (data or self.required)
        try:
            return self.schema.to_keywords({self._body: data} if is_whole else data)
        except InvalidArguments as error:
            raise self._misfit(error) from error

    def _misfit(self, error: InvalidArguments) -> InvalidArguments:
        begins = f"{self._body}."
        faults = [
            fault.removeprefix(begins).replace("an argument of this tool", "known here") for fault in error.faults
        ]
        places: list[Place] = [
            place[1:] if self._body and place[:1] == (self._body,) else place for place in error.places
        ]
        return InvalidInput(self._name, faults, places)

    def data_of(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """Return a call's arguments as the data of a job."""
        body: dict[str, Any] = arguments.get(self._body, {}) if self._body else arguments
        return body

    def as_given(self) -> ArgumentSchema:
        """Return the schema of calls: they are read once, by the job that they start."""
        return _AsGiven(self._name, self._signature, {})


def _hints_of(function: FunctionType) -> dict[str, Any]:
    inner = inspect.getclosurevars(function).nonlocals
    try:
        return typing.get_type_hints(function, localns={"JobInfo": JobInfo, **inner}, include_extras=True)
    except (NameError, AttributeError, TypeError) as error:
        raise TypeError(
            f"workflow {function.__qualname__}: cannot resolve an annotation ({error}); define or import the name"
            " in its module, outside of 'if TYPE_CHECKING:'"
        ) from error


_P = ParamSpec("_P", default=...)
_R_co = TypeVar("_R_co", default=Any, covariant=True)
_ANOTHER = "its default is another one each time that the code runs; give it, or make it in the workflow's code"
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
        if faults := [*faults_of(self.function), *self.input.faults, *faults]:
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

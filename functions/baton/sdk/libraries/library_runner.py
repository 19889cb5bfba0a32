"""The base of the runners of agents of other libraries: a piece of a run, with its step, its failures, and its usage.

Invariant: what a run raises is a failure of its turn with the place in the user's code behind it; a call's failure is
one of the call. Must not: know a library.
"""

import inspect
import json
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from inspect import Parameter, Signature, get_annotations, signature
from typing import TYPE_CHECKING, Any, ClassVar, TypedDict, TypeVar

from pydantic import ValidationError

from baton.sdk.agents.agent import RunAgent
from baton.sdk.agents.runner import (
    CallReturned,
    JobInfo,
    NeedsApproval,
    OwnWorkspaces,
    Recorded,
    RunFailedError,
    Runner,
    RunnerAnswer,
    RunnerCall,
)
from baton.sdk.libraries.held_states import LibraryState, Results
from baton.sdk.libraries.hook_contexts import in_step
from baton.sdk.libraries.recorded_errors import Used, failure_of, provider_error
from baton.sdk.models.model import Listener, ModelError
from baton.sdk.records.call_limit import CallLimit
from baton.sdk.records.limits import MOST, Limits
from baton.sdk.records.redaction import copied_json
from baton.sdk.tools.arguments import misfit
from baton.sdk.tools.pending import Pending
from baton.sdk.tools.tool_error import ToolError
from baton_events.values.text import cut

if TYPE_CHECKING:
    from baton.sdk.memory.policy import Memory
    from baton.sdk.records.budget import Budget

_Door = TypeVar("_Door", bound=Callable[..., Any])
OfJob = Callable[[JobInfo], Any]
# A library counts requests, calls and tokens by itself, and fails the run.
_OF_THE_LIBRARY = Limits(turns=MOST, tool_calls=MOST, tokens=MOST)


class LibraryRunner(Runner, ABC):
    """`Runner` of one agent of a library. `state`: reads what its turns have kept."""

    state: ClassVar[type[LibraryState]]
    workspaces: OwnWorkspaces | None = None

    @property
    def toolsets(self) -> Sequence[Any]:
        """None: the library keeps no connections of its own."""
        return ()

    @abstractmethod
    async def run_turn(self, recorded: Recorded, listener: Listener | None, used: list[Used]) -> RunnerAnswer:
        """Continue up to one model request. `used`: takes what tells the piece's usage, if it fails."""

    @abstractmethod
    async def run_call(self, recorded: Recorded, call: RunnerCall) -> CallReturned | NeedsApproval | Pending:
        """Run one attempt of a call."""

    def messages(self, turns: Sequence[Mapping[str, Any]], results: Results, *, sent: bool = False) -> str:
        """Return a job's messages in the library's JSON."""
        return self.state.job_messages(turns, results, sent=sent)

    def model_error(self, error: Exception) -> ModelError | None:
        return provider_error(error)

    def check(self, tool: str, arguments: dict[str, Any]) -> None:
        """Check nothing: the tool itself does, and tells the model."""
        del tool, arguments

    async def turn(self, recorded: Recorded, listener: Listener | None) -> RunnerAnswer:
        """Continue up to one model request, and judge its answer."""
        used = list[Used]()
        try:
            step = f"{recorded.job.job_id}:{recorded.turn}"
            with in_step(recorded.job.job_id, step, repeated=recorded.again):
                return await self.run_turn(recorded, listener, used)
        except Exception as error:
            raise failure_of(error, self.model_error(error), used) from error

    async def call(self, recorded: Recorded, call: RunnerCall) -> CallReturned | NeedsApproval | Pending:
        """Run the call, as the only one of the last answer."""
        try:
            with in_step(recorded.job.job_id, call.context.idempotency_key, repeated=call.again):
                return await self.run_call(recorded, call)
        except RunFailedError as error:
            raise ToolError(error.message, type=error.type) from error

    async def abandon(self, recorded: Recorded) -> None:
        """Stop nothing: no provider works for a job that is cancelled."""
        del recorded


class JobSettings(TypedDict, total=False):
    """The settings that every `durable(agent)` takes beside its library's own.

    Attributes:
        limits: limits of a job, together with the jobs below it; without them, those of the library alone, and a day.
        description: its purpose in a line, for agents that have it among their tools.
        on: the name of an app event: each such event starts a job, whose data (`JobInfo.input_data`) is the event's.
        task: the task of such a job.
        version: its name among versions, as `Agent(version=…)`.
        memory: its memory of earlier jobs, which the model is told before the task: a `Memory`, or True.
        expose: protocols by which other programs find and run it, as `Agent(expose=…)`.
        call_limits: limits of its model requests, shared by all calls with the same key.
        budgets: what its model requests may spend, shared by all calls with the same key.
    """

    limits: Limits | None
    description: str
    on: str
    task: str
    version: str
    memory: "Memory | bool | None"
    expose: Collection[str]
    call_limits: Sequence[CallLimit]
    budgets: "Sequence[Budget]"


def with_settings(durable: _Door) -> _Door:
    """Show `durable` to people and programs with the settings that all take."""
    own = [one for one in signature(durable).parameters.values() if one.kind is not Parameter.VAR_KEYWORD]
    options = [
        Parameter(name, Parameter.KEYWORD_ONLY, default=..., annotation=kind)
        for name, kind in get_annotations(JobSettings).items()
    ]
    shown: Any = durable
    shown.__signature__ = Signature([*own, *options])
    head, returns, raises = (durable.__doc__ or "").partition("\n    Raises:")
    described = (JobSettings.__doc__ or "").partition("Attributes:\n")[2].rstrip()
    shown.__doc__ = f"{head.rstrip()}\n{described}\n{returns}{raises}"
    return durable


def library_agent(
    name: str | None, runner: Runner, faults: Sequence[str], *, limits: Limits | None = None, **settings: Any
) -> RunAgent:
    """Make the agent of a registry.

    Raises ValueError: it has no name, or `faults`, which are named. TypeError: there is no such setting.
    """
    if unknown := settings.keys() - JobSettings.__annotations__.keys():
        known = ", ".join(JobSettings.__annotations__)
        raise TypeError(f"durable({name!r}): it takes no {min(unknown)!r}; beside its library's own, it takes {known}")
    if not name:
        raise ValueError("durable(agent): the agent has no name; give one: durable(agent, name='support')")
    if faults:
        raise ValueError("\n".join([f"agent {name!r} cannot be durable as it is:", *(f"- {one}" for one in faults)]))
    return RunAgent(name=name, runner=runner, limits=limits or _OF_THE_LIBRARY, **settings)


def check_given(
    agent: object, kind: type[Any], kind_name: str, name: str | None, factories: Mapping[str, OfJob | None]
) -> None:
    """Raises TypeError: the agent is of another kind, or a factory is no function of a `JobInfo`."""
    if not isinstance(agent, kind):
        raise TypeError(f"durable(agent): {cut(repr(agent), 80)} is no {kind_name}; give it the agent itself")
    for what, factory in factories.items():
        if factory is not None and not callable(factory):
            raise TypeError(f"durable({name!r}, {what}=…): must be a function of a JobInfo, got {factory!r}")


def check_fits(tool: str, validate: Callable[[Any], object], arguments: dict[str, Any], names: Iterable[str]) -> None:
    """Check edited arguments by a validator of pydantic. `names`: of the tool's arguments.

    Raises InvalidArguments: they do not fit.
    """
    try:
        validate(copied_json(arguments))
    except ValidationError as error:
        raise misfit(tool, error, arguments, list(names)) from error


def in_json(arguments: dict[str, Any]) -> dict[str, Any]:
    """Return a call's arguments, with a text for what JSON has no number for: a library may take it."""
    if "nan" in (text := repr(arguments)) or "inf" in text:
        arguments = json.loads(json.dumps(arguments, default=str), parse_constant=str)
    return arguments


def named(instructions: Any) -> str:
    """Return instructions as text, or the name of the function that makes them."""
    return instructions if isinstance(instructions, str) else getattr(instructions, "__qualname__", "")


async def awaited(value: Any | Awaitable[Any]) -> Any:
    """Wait for the value if it has to be waited for."""
    return await value if inspect.isawaitable(value) else value

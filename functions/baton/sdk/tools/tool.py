"""The `@tool` decorator: a function becomes something a model can be offered and a job can run.

Invariant: a tool keeps nothing between runs; its name, arguments, retries and time limit are fixed and checked when it
is made. Must not: enforce its own time limit or retries; the executor reads them here and does so.
"""

import inspect
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Generic, Protocol, overload

from typing_extensions import ParamSpec, TypeVar

from baton.sdk.records.call_limit import CallLimit, checked_all
from baton.sdk.records.limits import MOST, is_number, is_whole
from baton.sdk.records.own_threads import in_own_thread
from baton.sdk.records.transcript import ONCE, Failure, Wanted
from baton.sdk.tools.approval_rule import ApprovalTerms, RequiresApproval, check_rule, check_terms
from baton.sdk.tools.arguments import ARGUMENTS_LIMIT_BYTES, InvalidArguments
from baton.sdk.tools.context import ToolContext
from baton.sdk.tools.pending import Pending
from baton.sdk.tools.return_type import ResultSchema
from baton.sdk.tools.runnable import InThread, call_in_thread
from baton.sdk.tools.running_workflow import RUNNING, bound
from baton.sdk.tools.signature import read_docstring, read_signature
from baton_events.ids import canonical_json
from baton_events.values.durations import Duration, plain_seconds

if TYPE_CHECKING:
    from baton.sdk.tools.argument_schema import ArgumentSchema


class ToolSource(ABC):
    """Lists its tools for each piece of work. It does not know how: agents without one load none of that."""

    @property
    @abstractmethod
    def name(self) -> str:
        """The name that messages for people use."""


TOOL_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")  # every model provider accepts such a name of a function
_PEOPLE = range(1, 10)
_P = ParamSpec("_P", default=...)
_O = ParamSpec("_O")
_R_co = TypeVar("_R_co", default=Any, covariant=True)


@dataclass(frozen=True, eq=False, kw_only=True)
class ToolOptions:
    """How calls of a tool run. `@tool(…)` takes these, and tools of MCP servers and of agents have their defaults.

    Attributes:
        name: its name for models; the function's name, unless given.
        capabilities: what an agent may name instead of the tool.
        timeout_seconds: limit of one attempt.
        retries: attempts after the first, if one was too slow, or raised an exception that may be retried.
        retry_delay_seconds: pause before the second attempt; it doubles with each further one.
        requires_approval: each call waits until a person has approved it; or a function `f(arguments, ctx) -> bool`,
            async or not, that says so of a call.
        approval: how they are asked: `title`, above the arguments; `seconds`, the longest wait (a week), after which
            the call has failed as `expired`; `escalate_after_seconds`, when another notice is sent, if no one has
            decided (the second of APPROVAL_WEBHOOK_URL); `by`: `operators`, or the `user` of the chat.
        approval_people: the number of different people who must approve the same arguments.
        isolated: each run has an invocation of its own, so its use of memory and time harms no other call.
        background: the model is answered at once, and later by a turn of its own; None: in chats, if the call waits.
        retry_on: exceptions that may be retried, beside a retryable `ToolError`; the model gets others at once.
        call_limits: limits of its calls, shared by all calls with the same key.
        starts: 1: a call that has begun is never begun again, and needs `retries=0`: after a crash it has failed as
            `may_have_run`. None: it starts again.
    """

    name: str | None = None
    capabilities: Collection[str] = ()
    timeout_seconds: Duration = 30
    retries: int = 2
    retry_delay_seconds: Duration = 1.0
    requires_approval: RequiresApproval = False
    approval: ApprovalTerms = field(default_factory=ApprovalTerms)
    approval_people: int = 1
    isolated: bool = False
    background: bool | None = None
    retry_on: Collection[type[Exception]] = ()
    call_limits: Sequence[CallLimit] = ()
    starts: int | None = None


@dataclass(frozen=True, eq=False, kw_only=True)
class Tool(ToolOptions, Generic[_P, _R_co]):
    """A function that models may call. Called directly it is the original function, so it can be unit-tested as one."""

    name: str = ""
    timeout_seconds: float = 30
    retry_delay_seconds: float = 1.0
    capabilities: frozenset[str] = frozenset()
    retry_on: tuple[type[Exception], ...] = ()
    description: str
    parameters: dict[str, Any] = field(repr=False)
    function: Callable[_P, _R_co] = field(repr=False)
    context_name: str | None = field(repr=False)
    schema: "ArgumentSchema" = field(repr=False)
    results: ResultSchema = field(repr=False)
    # Makes the script that a call of this tool runs; None: a call runs the function.
    script_of: Callable[[str], Wanted] | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        """Refuse an invalid name or number, and make collections immutable."""
        if not TOOL_NAME.fullmatch(self.name):
            raise TypeError(
                f"tool name {self.name!r} must be 1 to 64 letters, digits, '_' or '-'; give one with @tool(name=...)"
            )
        terms = self.approval
        if isinstance(terms, dict):
            object.__setattr__(self, "approval", {name: plain_seconds(value) for name, value in terms.items()})
        for name in ("timeout_seconds", "retry_delay_seconds"):
            object.__setattr__(self, name, plain_seconds(getattr(self, name)))
        seconds, retries, delay_seconds = self.timeout_seconds, self.retries, self.retry_delay_seconds
        for name, given, fits, span in (
            ("timeout_seconds", seconds, is_number(seconds) and seconds > 0, "more than 0"),
            ("retries", retries, is_whole(retries) and retries >= 0, "a whole number from 0"),
            ("retry_delay_seconds", delay_seconds, is_number(delay_seconds) and delay_seconds >= 0, "0 or more"),
        ):
            if not fits:
                raise TypeError(f"tool {self.name!r}: {name} must be {span}, got {given!r}; the most is {MOST}")
        check_rule(f"tool {self.name!r}", self.requires_approval)
        check_terms(f"tool {self.name!r}", self.approval)
        if self.approval_people not in _PEOPLE or isinstance(self.approval_people, bool):
            raise TypeError(f"tool {self.name!r}: approval_people must be 1 to 9, got {self.approval_people!r}")
        if not isinstance(self.isolated, bool):
            raise TypeError(f"tool {self.name!r}: isolated must be True or False, got {self.isolated!r}")
        if self.starts not in (1, None) or isinstance(self.starts, bool):
            raise TypeError(f"tool {self.name!r}: starts must be 1 (at most once) or None, got {self.starts!r}")
        if self.background not in (True, False, None):
            raise TypeError(f"tool {self.name!r}: background must be True, False or None, got {self.background!r}")
        if self.approval.get("by") == "user" and (self.approval_people > 1 or self.background):
            raise TypeError(f"tool {self.name!r}: the one user of a chat decides in their turn, not in the background")
        fixed = {
            "background": False if self.approval.get("by") == "user" else self.background,
            "capabilities": _read_capabilities(self.name, self.capabilities),
            "retry_on": _read_exceptions(self.name, self.retry_on),
            "call_limits": checked_all(f"tool {self.name!r}: call_limits", CallLimit, self.call_limits),
            "approval": {**self.approval},
        }
        for name, value in fixed.items():
            object.__setattr__(self, name, value)

    def __call__(self, *args: _P.args, **kwargs: _P.kwargs) -> _R_co:
        """Call the original function; in a workflow's code it is a step."""
        if (run := RUNNING.get()) is not None:
            step: Any = run.call(
                self.name, bound(self.name, self.function, self.context_name, args, kwargs), self.results.read
            )
            return step  # type: ignore[no-any-return]
        return self.function(*args, **kwargs)

    @property
    def recorded_retries(self) -> int:
        """The retries of a call's record."""
        return ONCE if self.starts else self.retries

    def check(self, arguments: Mapping[str, Any]) -> None:
        """Refuse arguments that do not fit with `InvalidArguments`. Nothing is converted: `run` takes what was sent."""
        self.schema.check(arguments)

    async def run(self, arguments: Mapping[str, Any], context: ToolContext, in_thread: InThread = in_own_thread) -> Any:
        """Validate the arguments, run the function (one that is not async in a thread), and check its result.

        Raises InvalidArguments: the function did not run. InvalidResult: it did.
        """
        keywords = self.schema.to_keywords(arguments)
        if self.context_name is not None:
            keywords[self.context_name] = context
        function: Callable[..., Any] = self.function
        if _is_async(function):
            return self.results.check(await function(**keywords))
        result = await in_thread(call_in_thread, function, keywords)
        waits = inspect.isawaitable(result) and not isinstance(result, Pending)
        return self.results.check(await result if waits else result)


class _Decorator(Protocol[_O]):
    """`tool` as type checkers see it: with the options of the record."""

    @overload
    def __call__(self, function: Callable[_P, _R_co], /) -> Tool[_P, _R_co]: ...  # type: ignore[overload-overlap]

    @overload
    def __call__(self, *_: _O.args, **options: _O.kwargs) -> Callable[[Callable[_P, _R_co]], Tool[_P, _R_co]]: ...


def _taking(record: Callable[_O, ToolOptions]) -> Callable[[Callable[..., Any]], _Decorator[_O]]:
    """Show a decorator to people and programs with the options of the record."""

    def shown(decorator: Callable[..., Any]) -> Any:
        own, options = inspect.signature(decorator).parameters, inspect.signature(record).parameters
        described = (record.__doc__ or "").partition("Attributes:\n")[2]
        vars(decorator)["__signature__"] = inspect.Signature([own["function"], *options.values()])
        decorator.__doc__ = f"{(decorator.__doc__ or '').rstrip()}\n{described}"
        return decorator

    return shown


@_taking(ToolOptions)
def tool(function: Callable[..., Any] | None = None, /, **options: Any) -> Any:  # noqa: D417 - the record has the others
    """Make a tool of a function, as `@tool` or `@tool(retries=0)`; the model sees its docstring and annotations.

    Args:
        function: the tool's code; a function that is not async runs in a thread.
    """
    options = {"retries": 0, **options} if options.get("starts") else options
    names, given = _names_in_scope_of_caller(), ToolOptions(**options)

    def make(function: Callable[..., Any]) -> Tool:
        return _made(function, names, given)

    return make if function is None else make(function)


def _made(function: Callable[..., Any], names_in_scope: Mapping[str, Any], options: ToolOptions) -> Tool:
    from baton.sdk.tools.argument_schema import ArgumentSchema  # noqa: PLC0415 - of programs that declare tools

    name = _name_of(function, options.name)
    signature, docs = read_signature(function, names_in_scope), read_docstring(function.__doc__)
    made = {
        "name": name,
        "description": docs.description,
        "parameters": (schema := ArgumentSchema(name, signature, docs.arguments)).json_schema,
        "function": function,
        "context_name": signature.context_name,
        "schema": schema,
        "results": ResultSchema(name, function, names_in_scope),
    }
    return Tool(**vars(options) | made)


# Which name, arguments and options another callable has, nobody has written down.
NO_FUNCTION = "write a function that calls a method, a partial or a callable object"


@lru_cache(1024)
def _is_async(function: Callable[..., Any]) -> bool:
    return inspect.iscoroutinefunction(function)


def _names_in_scope_of_caller() -> Mapping[str, Any]:
    """Return the names that annotations written as text may use, when a tool is defined inside a function."""
    frame = inspect.currentframe()
    caller = frame.f_back.f_back if frame and frame.f_back else None
    return dict(caller.f_locals) if caller else {}


def _name_of(function: object, name: str | None) -> str:
    """Return the tool's name; refuse a non-function, and a generator, which has no single result."""
    if not inspect.isfunction(function):
        raise TypeError(
            f"@tool needs a function, got {function!r}: {NO_FUNCTION}; options are named, as in @tool(name='search')"
        )
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise TypeError(
            f"tool {function.__qualname__}: a generator has no one result; return a list instead of yielding"
        )
    return function.__name__ if name is None else name


def _read_capabilities(tool_name: str, capabilities: Collection[str]) -> frozenset[str]:
    if isinstance(capabilities, str) or not all(isinstance(item, str) and item for item in capabilities):
        raise TypeError(
            f"tool {tool_name!r}: capabilities must be a set of texts, got {capabilities!r}; write {{'files'}}"
        )
    return frozenset(capabilities)


def _read_exceptions(tool_name: str, kinds: Collection[type[Exception]]) -> tuple[type[Exception], ...]:
    if inspect.isclass(kinds) or not all(inspect.isclass(kind) and issubclass(kind, Exception) for kind in kinds):
        raise TypeError(f"tool {tool_name!r}: retry_on must be a list of exceptions' classes, got {kinds!r}")
    return tuple(kinds)


def checked_call(name: str, arguments: dict[str, Any], tools: Mapping[str, Tool]) -> Wanted:
    """Return a call whose arguments are let in already; one that cannot run has its fault."""
    size_bytes = len(canonical_json(arguments).encode())
    if size_bytes > ARGUMENTS_LIMIT_BYTES:
        message = f"{size_bytes} bytes of arguments, over the limit of {ARGUMENTS_LIMIT_BYTES}"
        return Wanted(name, {}, Failure("arguments_too_large", message))
    if name not in tools:
        message = f"there is no tool {name!r}; there are: {', '.join(sorted(tools)) or 'none'}"
        return Wanted(name, arguments, Failure("unknown_tool", message))
    tool = tools[name]
    try:
        tool.check(arguments)
    except InvalidArguments as error:
        return Wanted(name, arguments, Failure("invalid_arguments", str(error)))
    if (script_of := tool.script_of) is not None:
        return script_of(arguments["code"])
    return Wanted(name, arguments, None, tool.recorded_retries, tool.retry_delay_seconds, isolated=tool.isolated)

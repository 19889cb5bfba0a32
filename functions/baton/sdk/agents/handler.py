"""Handlers, and what they are given: each starts a job for every app event of a name.

`@on` makes one of a function; an agent with `on` is one. Invariant: a handler is an agent, so its job is like any
other: a function's is a fixed plan of one step (decisions/0021-app-events). Must not: publish or start anything; the
call's context does that.
"""

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any, Generic

from pydantic import TypeAdapter, ValidationError
from pydantic.errors import PydanticUserError
from typing_extensions import TypeVar

from baton.sdk.agents.agent import Agent
from baton.sdk.planning.reference import task_data
from baton.sdk.planning.step import Step
from baton.sdk.records.limits import Limits, is_number, is_whole
from baton.sdk.records.redaction import copied_json
from baton.sdk.tools.context import ToolContext
from baton.sdk.tools.tool import NO_FUNCTION, TOOL_NAME, Tool, tool
from baton.sdk.tools.tool_error import ToolError
from baton_events.app_event import LONGEST_DELAY_SECONDS, name_fault, topic_suffix
from baton_events.ids import BATCH_PREFIX, digest, key_digest
from baton_events.values.durations import Duration, plain_seconds
from baton_events.values.text import text_of

_T = TypeVar("_T", default=Any)


@dataclass(frozen=True, kw_only=True)
class Event(Generic[_T]):
    """An app event, as a handler gets it; `data` is the handler's schema, if it has one."""

    id: str
    name: str
    key: str
    data: _T
    created_at: datetime


@dataclass(frozen=True)
class HandlerContext:
    """The run of a handler: `call` is the tool call that its job makes.

    The methods are coroutines. An event or a job that they send out has an id from the call, the name and the key, so
    another attempt has no second effect.
    """

    call: ToolContext = field(repr=False)

    @property
    def idempotency_key(self) -> str:
        """The same for every attempt of this handler on this event, also after a crash."""
        return self.call.idempotency_key

    @property
    def attempt(self) -> int:
        """The number of this handler's attempts on this event, from 1."""
        return self.call.attempt

    async def emit(
        self,
        name: str,
        data: Any = None,
        key: str = "",
        delay_seconds: Duration = 0,
        *,
        once_for: str | None = None,
        once_for_seconds: Duration = 86_400,
    ) -> str:
        """Publish an app event of the same tenant; return its id. Raises as `emit`. `once_for`: as of `start`."""
        return await self.call.emit(
            name, data, key, delay_seconds, once_for=once_for, once_for_seconds=once_for_seconds
        )

    async def start(
        self,
        agent: str,
        task: str = "",
        *,
        input_data: Mapping[str, Any] | None = None,
        session_id: str = "",
        once_for: str | None = None,
        once_for_seconds: Duration = 86_400,
    ) -> str:
        """Start a job of an agent without waiting for it; return its id.

        Args:
            agent: the agent's name.
            task: its task.
            input_data: its data, a JSON object.
            session_id: the conversation that it belongs to; empty: one of its own.
            once_for: a text: while a job that was started under it lives, that job's id is returned, and none is
                started.
            once_for_seconds: how long that holds after its end.
        """
        once = None if once_for is None else (once_for, plain_seconds(once_for_seconds))
        return await self.call.outlet.start(agent, task, dict(input_data or {}), session_id, once)


MOST_LANES = 1_000
MOST_EVENTS_IN_A_BATCH = 100
SUPERSEDED = "a newer event of the same key has come"
# A handler's job may wait in line behind others of its key.
_LONGEST_SECONDS = 30 * 86_400


class Misfit(ValueError):  # noqa: N818 - the name says what happened
    """The data of an event does not fit a handler's schema; `faults`: (place, message)."""

    def __init__(self, faults: list[tuple[str, str]]) -> None:
        super().__init__("; ".join(f"{place}: {text}" for place, text in faults))
        self.faults = faults


class Handler:
    """One handler: for each event of its name, a job of its agent.

    `takes_event`: the job's data is the whole event, for a function; else it is the event's data alone. `lanes`: the
    maximum number of its jobs that run at once; 0: any number. `key_order`: jobs of one key run one by one.
    `debounce_seconds`: the delay of its start after an event, unless a newer one of the same key comes. `batch`: the
    events of one job: their number, and the seconds to collect them; None: one event.
    """

    def __init__(
        self,
        event: str,
        agent: Agent,
        *,
        schema: Any = None,
        function: Callable[..., Any] | None = None,
        key_order: bool = False,
        lanes: int = 0,
        debounce_seconds: float = 0,
        batch: tuple[int, float] | None = None,
    ) -> None:
        self.event, self.agent, self.takes_event, self.lanes = event, agent, function is not None, lanes
        self.key_order, self.debounce_seconds, self.batch = key_order, debounce_seconds, batch
        self._schema, self.function = schema, function

    @property
    def name(self) -> str:
        """The name of its jobs and its dead letters: its agent's."""
        return self.agent.name

    def __call__(self, event: Event[Any] | list[Event[Any]], context: HandlerContext) -> Any:
        if self.function is None:
            raise TypeError(f"{self.name!r} is an agent: it has no function to call")
        return self.function(event, context)

    def check(self, data: Any) -> Any:
        """Return the data converted to the handler's schema; it stays as it is. Raises Misfit: it does not fit."""
        if self._schema is None:
            return data
        try:
            return self._adapter.validate_python(copied_json(data))
        except ValidationError as error:
            raise Misfit(
                [(".".join(("data", *map(str, fault["loc"]))), fault["msg"]) for fault in error.errors()]
            ) from error
        except BaseException as error:  # a type's own validators are foreign code
            raise Misfit([("data", f"{type(error).__name__}: {text_of(error)}")]) from error

    def session_of(self, event_id: str, key: str) -> str:
        """Return the session of the job for this event: jobs of one session run one by one, in order."""
        if self.lanes:
            return f"on_{self.name}_{int(digest(key if self.key_order and key else event_id)[:8], 16) % self.lanes}"
        return f"on_{self.name}_{key_digest(key)}" if self.key_order and key else f"on_{self.name}_{event_id}"

    @cached_property
    def _adapter(self) -> TypeAdapter[Any]:
        return TypeAdapter(self._schema)


def handler_of(agent: Agent) -> Handler:
    return Handler(agent.on, agent)


class Handlers(tuple[Handler, ...]):
    __slots__ = ()

    def of(self, event: str) -> tuple[Handler, ...]:
        return tuple(each for each in self if each.event == event)

    @property
    def events(self) -> tuple[str, ...]:
        """The names of app events that have handlers."""
        return tuple(dict.fromkeys(each.event for each in self))


def topic_faults(handlers: Iterable[Handler]) -> Iterator[str]:
    """Yield the events that would share a topic, a line each."""
    names = dict[str, str]()
    for each in handlers:
        other = names.setdefault(topic_suffix(each.event), each.event)
        if other != each.event:
            yield f"events {other!r} and {each.event!r} would have one topic, {topic_suffix(other)!r}: rename one"


def on(  # noqa: PLR0913 - a decorator's settings, each given by its name
    name: str,
    *,
    schema: Any = None,
    retries: int = 3,
    retry_delay_seconds: Duration = 1.0,
    timeout_seconds: Duration = 30,
    concurrency: int | None = None,
    key_order: bool = False,
    debounce_seconds: Duration = 0,
    batch: tuple[int, Duration] | None = None,
) -> Callable[[Callable[..., Any]], Handler]:
    """Make a handler of `async def handler(event: Event, ctx: HandlerContext)`: it runs for each event of a name.

    Args:
        name: the event's name, such as "order.created".
        schema: the type of `event.data`: a pydantic model, a dataclass, a TypedDict or any other type; None: any JSON.
        retries: attempts after the first, where one was too slow or raised an error. `ToolError` without `retryable`
            is final.
        retry_delay_seconds: pause before the second attempt; it doubles with each further one.
        timeout_seconds: limit of one attempt.
        concurrency: the maximum number of events that it handles at once; None: any number.
        key_order: whether events of one key are handled one after the other, in the order of their arrival.
        debounce_seconds: of events of one key that come within this time of each other, only the last is handled.
        batch: `(size, seconds)`: it is given a list of events of one tenant, once there are `size`, or `seconds` after
            the first.

    Raises:
        TypeError, ValueError: an argument is invalid; the message names it.
    """
    lanes = 0 if concurrency is None else concurrency
    pause_seconds: float = plain_seconds(debounce_seconds)
    events: Any = tuple(map(plain_seconds, batch)) if isinstance(batch, tuple) else batch
    _refuse_options(name, concurrency, key_order=key_order, debounce_seconds=pause_seconds)
    _refuse_batch(name, events, key_order=key_order, debounce_seconds=pause_seconds)

    def make(function: Callable[..., Any]) -> Handler:
        _refuse_unfit(name, function, schema)
        if pause_seconds and not inspect.iscoroutinefunction(function):
            raise TypeError(f"@on({name!r}): debounce_seconds needs an async function, and {function.__name__} is none")
        step = tool(
            name=function.__name__,
            retries=retries,
            retry_delay_seconds=retry_delay_seconds,
            timeout_seconds=timeout_seconds,
            retry_on=(Exception,),
        )(_run_of(function, lambda: made))
        options: dict[str, Any] = {"key_order": key_order, "lanes": lanes, "debounce_seconds": pause_seconds}
        made = Handler(name, _agent_of(function, step), schema=schema, function=function, batch=events, **options)
        return made

    return make


def _agent_of(function: Callable[..., Any], step: Tool) -> Agent:
    """Return the agent whose job is one call of the function's tool."""
    return Agent(
        name=function.__name__,
        description=(function.__doc__ or "").strip().partition("\n")[0],
        plan=[Step(function.__name__, step, {"event": task_data})],
        limits=Limits(turns=2, tool_calls=1, wall_seconds=_LONGEST_SECONDS, on_limit="fail"),
    )


def _run_of(function: Callable[..., Any], handler: Callable[[], Handler]) -> Callable[..., Any]:
    if inspect.iscoroutinefunction(function):

        async def run(event: dict[str, Any], ctx: ToolContext) -> Any:
            if handler().debounce_seconds and not await ctx.outlet.is_newest(handler().name, event):
                return SUPERSEDED
            return await handler()(_given(handler(), event), HandlerContext(ctx))

        return run

    def run_in_thread(event: dict[str, Any], ctx: ToolContext) -> Any:
        return handler()(_given(handler(), event), HandlerContext(ctx))

    return run_in_thread


def _given(handler: Handler, event: Mapping[str, Any]) -> Event[Any] | list[Event[Any]]:
    if handler.batch is None:
        return _event_of(handler, event)
    # The event may precede the change to batches.
    return [_event_of(handler, each) for each in (event["data"] if event["id"].startswith(BATCH_PREFIX) else [event])]


def _event_of(handler: Handler, event: Mapping[str, Any]) -> Event[Any]:
    try:
        data = handler.check(event["data"])
    except Misfit as error:  # it fitted when it came: a deploy has changed the schema since
        raise ToolError(str(error), type="invalid_data") from error
    at = datetime.fromisoformat(event["createdAt"])
    return Event(id=event["id"], name=event["name"], key=event["key"], data=data, created_at=at)


def _refuse_options(name: str, concurrency: Any, *, key_order: Any, debounce_seconds: float) -> None:
    if fault := name_fault(name):
        raise ValueError(f"@on({name!r}): {fault}")
    if concurrency is not None and not (is_whole(concurrency) and 1 <= concurrency <= MOST_LANES):
        raise ValueError(f"@on({name!r}): concurrency must be a number from 1 to {MOST_LANES}, got {concurrency!r}")
    if not isinstance(key_order, bool):
        raise TypeError(f"@on({name!r}): key_order must be True or False, got {key_order!r}")
    if not is_number(debounce_seconds) or not 0 <= debounce_seconds <= LONGEST_DELAY_SECONDS:
        limit = f"from 0 to {LONGEST_DELAY_SECONDS}"
        raise ValueError(f"@on({name!r}): debounce_seconds must be {limit}, got {debounce_seconds!r}")


def _refuse_batch(name: str, batch: Any, *, key_order: bool, debounce_seconds: float) -> None:
    if batch is None:
        return
    where = f"@on({name!r}): batch="
    match batch:
        case (int() as size, int() | float() as seconds) if not isinstance(size, bool) and not isinstance(
            seconds, bool
        ):
            if not 1 <= size <= MOST_EVENTS_IN_A_BATCH:
                raise ValueError(f"{where}{batch!r}: its size must be from 1 to {MOST_EVENTS_IN_A_BATCH}, got {size!r}")
            if not 0 < seconds <= LONGEST_DELAY_SECONDS:
                limit = f"over 0, and at most {LONGEST_DELAY_SECONDS}"
                raise ValueError(f"{where}{batch!r}: its seconds must be {limit}, got {seconds!r}")
        case _:
            raise TypeError(f"{where}{batch!r} must be (size, seconds), such as (10, 5.0)")
    if key_order or debounce_seconds:
        other = "key_order" if key_order else "debounce_seconds"
        raise ValueError(f"{where}{batch!r} cannot go with {other}: leave one of them out")


def _refuse_unfit(name: str, function: Any, schema: Any) -> None:
    if not inspect.isfunction(function) or not TOOL_NAME.fullmatch(function.__name__):
        raise TypeError(f"@on({name!r}) needs a function with a name, got {function!r}: {NO_FUNCTION}")
    try:
        inspect.signature(function).bind(None, None)
    except TypeError as error:
        raise TypeError(
            f"@on({name!r}): {function.__qualname__} must take an event and a context:"
            f" def {function.__name__}(event: Event, ctx: HandlerContext)"
        ) from error
    try:
        TypeAdapter(Any if schema is None else schema)
    except PydanticUserError as error:
        raise TypeError(f"@on({name!r}): schema={schema!r} cannot be read from JSON: {error.message}") from error

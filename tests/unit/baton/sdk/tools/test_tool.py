"""What `@tool` makes of a function, and what a running tool knows and may say."""

import asyncio
import dataclasses
import functools
import threading
from collections.abc import Iterator
from typing import Annotated, Any, Literal

import pytest
from pydantic import Field

from baton.sdk.tools.context import ToolContext
from baton.sdk.tools.recorded import ToolRecorder
from baton.sdk.tools.tool import Tool, tool
from baton.sdk.tools.tool_error import ToolError

CONTEXT = ToolContext.for_test()


@tool
def shout(text: str, times: int = 2) -> str:
    """Say it loudly.

    Args:
        text: what to say
        times: how often
    """
    return text.upper() * times


@tool(name="look-up", capabilities={"web", "files"}, timeout_seconds=5, retries=0, retry_delay_seconds=0.5)
async def look_up(word: Annotated[str, Field(min_length=2)], ctx: ToolContext, *, mode: Literal["a", "b"] = "a") -> Any:
    """Look a word up."""
    return [word, mode, ctx.call_id]


def test_a_bare_decorator_takes_everything_from_the_function() -> None:
    assert isinstance(shout, Tool)
    assert (shout.name, shout.description) == ("shout", "Say it loudly.")
    assert (shout.timeout_seconds, shout.retries, shout.retry_delay_seconds) == (30, 2, 1.0)
    assert (shout.capabilities, shout.requires_approval) == (frozenset(), False)
    assert (look_up.name, look_up.capabilities) == ("look-up", frozenset({"web", "files"}))
    assert (look_up.timeout_seconds, look_up.retries, look_up.retry_delay_seconds) == (5, 0, 0.5)


def test_what_is_given_is_kept_as_it_is_and_the_least_of_each_number_is_taken() -> None:
    """A tool that is made here, so that all of its making is run here."""

    def rule(arguments: dict[str, Any], ctx: ToolContext) -> bool:
        return bool(arguments or ctx)

    asked: Any = {"title": "shout at people", "seconds": 60}
    loud = tool(requires_approval=True, approval=asked)(shout.function)
    assert (loud.requires_approval, loud.approval) == (True, asked)
    least = tool(timeout_seconds=0.5, retry_delay_seconds=0, requires_approval=rule)(shout.function)
    assert (least.timeout_seconds, least.retry_delay_seconds) == (0.5, 0)
    assert (least.requires_approval, least.approval) == (rule, {})
    assert least.parameters == shout.parameters


def test_the_schema_describes_arguments_and_leaves_the_context_out() -> None:
    assert shout.parameters == {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "text": {"type": "string", "description": "what to say"},
            "times": {"type": "integer", "description": "how often", "default": 2},
        },
        "required": ["text"],
    }
    assert set(look_up.parameters["properties"]) == {"word", "mode"}


async def test_the_decorated_function_is_called_like_the_original() -> None:
    """So that it can be unit-tested as the function it is; a job runs it with its context."""
    assert shout("a", times=3) == "AAA"
    assert await look_up("word", CONTEXT) == ["word", "a", "call-test"]
    assert await look_up.run({"word": "word", "mode": "b"}, CONTEXT) == ["word", "b", "call-test"]


async def test_what_a_tool_raises_comes_out_as_it_is() -> None:
    """A stop of an iteration cannot cross a future: without care the caller would wait for ever."""

    @tool
    def fail() -> None:
        raise ToolError("no such city", retryable=True, type="NotFound")

    @tool
    def empty() -> Any:
        return next(iter([]))

    with pytest.raises(ToolError) as caught:
        await fail.run({}, CONTEXT)
    assert (caught.value.message, caught.value.retryable, caught.value.type) == ("no such city", True, "NotFound")
    with pytest.raises(RuntimeError, match="next"):
        await asyncio.wait_for(empty.run({}, CONTEXT), timeout=60)


async def test_a_plain_function_that_gives_a_coroutine_is_awaited() -> None:
    """A wrapper around an async function may be plain itself."""

    async def inner(x: int) -> int:
        return x + 1

    @tool
    @functools.wraps(inner)
    def wrapper(x: int) -> Any:
        return inner(x)

    assert await wrapper.run({"x": "1"}, CONTEXT) == 2


async def test_a_context_may_be_optional() -> None:
    """Then the function can be called without one in a test."""

    @tool
    def greet(name: str, ctx: ToolContext | None = None) -> str:
        return f"{name} {ctx.attempt if ctx else 'alone'}"

    assert greet("a") == "a alone"
    assert await greet.run({"name": "a"}, CONTEXT) == "a 1"
    assert set(greet.parameters["properties"]) == {"name"}


def starred(*args: str) -> None:
    """Take anything."""


def positional(path: str, /) -> None:
    """Take it by place."""


def method(self, path: str) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001 - the mistake under test
    """Belong to a class."""


def field_default(path: str = Field("a")) -> None:
    """Put pydantic's Field in the wrong place."""


def two_contexts(a: ToolContext, b: ToolContext) -> None:
    """Ask twice."""


def no_json(lock: threading.Thread) -> None:
    """Want what JSON cannot say."""


def unresolved(path: "Missing") -> None:  # type: ignore[name-defined]  # noqa: F821 - the mistake under test
    """Use a name that is nowhere."""


def generator() -> Iterator[int]:
    yield 1


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (starred, r"starred: parameter '\*args' collects any number .* list"),
        (positional, "positional: parameter 'path' is positional-only"),
        (method, "parameter 'self' has no type annotation; tools are functions, not methods"),
        (field_default, "parameter 'path' has a pydantic Field as its default"),
        (two_contexts, r"more than one ToolContext parameter \(a, b\)"),
        (no_json, "no_json.*cannot be read from JSON"),
        (unresolved, "unresolved: cannot resolve an annotation .*Missing"),
        (generator, "generator: a generator has no one result"),
        (lambda: 1, "tool name '<lambda>' must be"),
        (3, "@tool needs a function, got 3"),
        ([].append, "write a function that calls a method, a partial or a callable object"),
        (functools.partial(len, []), "write a function that calls a method, a partial or a callable object"),
        (int, "@tool needs a function"),
    ],
)
def test_what_could_not_be_described_is_refused_when_it_is_made(function: Any, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        tool(function)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"name": "two words"}, "tool name 'two words' must be"),
        ({"name": "x" * 65}, "must be 1 to 64"),
        ({"retries": -1}, "retries must be a whole number from 0, got -1"),
        ({"retries": True}, "retries must be a whole number"),
        *(({"starts": each}, r"starts must be 1 \(at most once\) or None") for each in (0, 2, True, "1", 1.5)),
        ({"timeout_seconds": 0}, "timeout_seconds must be more than 0, got 0"),
        ({"timeout_seconds": float("inf")}, "timeout_seconds must be more than 0"),
        ({"retry_delay_seconds": -0.1}, "retry_delay_seconds must be 0 or more"),
        ({"capabilities": "files"}, "capabilities must be a set of texts, got 'files'"),
        ({"capabilities": {3}}, "capabilities must be a set of texts"),
        ({"retry_on": [OSError, "x"]}, "retry_on must be a list of exceptions' classes"),
        ({"approval": {"seconds": 0}}, r"approval\['seconds'\] must be"),
        ({"approval": {"title": 7}}, r"approval\['title'\] must be"),
        ({"approval": {"escalate_after_seconds": 700_000}}, r"approval\['escalate_after_seconds'\] must be"),
        ({"approval": {"titel": "shout"}}, "approval must be a dict of title, by, seconds, escalate_after_seconds"),
    ],
)
def test_settings_that_nothing_could_work_with_are_refused(settings: dict[str, Any], message: str) -> None:
    """When the module is imported, not when the first job fails."""
    with pytest.raises(TypeError, match=message):
        tool(**settings)(shout.function)


def test_a_tool_cannot_be_changed_and_is_itself_only() -> None:
    """Tools are kept in sets and mappings; two with the same text are still two."""
    with pytest.raises(AttributeError):
        shout.retries = 5  # type: ignore[misc]  # pyright: ignore[reportAttributeAccessIssue]
    assert tool(shout.function) != shout
    assert {shout: 1}[shout] == 1


async def test_plain_functions_run_in_threads_at_the_same_time() -> None:
    """They must not hold up other tool calls: two that wait for each other both finish."""
    barrier = threading.Barrier(2, timeout=60)

    @tool
    def meet() -> None:
        barrier.wait()

    await asyncio.wait_for(asyncio.gather(meet.run({}, CONTEXT), meet.run({}, CONTEXT)), timeout=90)


async def test_what_a_tool_says_goes_to_its_channel() -> None:
    """A test may cancel while it runs."""
    context = ToolContext.for_test(attempt=2)
    await context.info("half done", {"rows": 3})
    await context.info("done")
    await context.progress(0.5, "rows")
    await context.progress(sum([0.1] * 10) + 1e-9)  # a hair above 1
    assert context.recorder.infos == [("half done", {"rows": 3}), ("done", None)]
    assert context.recorder.progress_reports == [(0.5, "rows"), (1.0, "")]
    assert await context.cancelled() is False
    context.recorder.is_cancelled = True
    assert await context.cancelled() is True
    assert await ToolContext.for_test(cancelled=True).cancelled() is True


async def test_what_a_tool_sends_out_has_a_name_in_a_test() -> None:
    context = ToolContext.for_test()
    assert [await context.emit("paid", {}, key=key) for key in "ab"] == ["evt_1", "evt_2"]
    assert await context.recorder.outlet.is_newest("on_paid", {})


@pytest.mark.parametrize("fraction", [-0.1, 1.1, 50, float("nan")])
async def test_progress_outside_0_to_1_is_refused(fraction: float) -> None:
    with pytest.raises(ValueError, match="fraction from 0 to 1"):
        await ToolContext.for_test().progress(fraction)


@pytest.mark.parametrize("title", ["", "  ", None])
async def test_an_info_without_a_title_is_refused(title: Any) -> None:
    """It would be shown as an empty line."""
    with pytest.raises(ValueError, match="needs a title"):
        await ToolContext.for_test().info(title)


def test_the_attributes_are_plain_and_fixed() -> None:
    """A tool cannot change which call it runs for."""
    ids: dict[str, Any] = {
        "job_id": "j",
        "session_id": "s",
        "call_id": "c",
        "operation_id": "o",
        "idempotency_key": "k",
    }
    context = ToolContext(**ids, attempt=2, started_at_ms=5, channel=ToolRecorder())
    assert {name: getattr(context, name) for name in ids} == ids
    assert (context.attempt, context.started_at_ms) == (2, 5)
    assert ToolContext.for_test(call_id="c").operation_id != ToolContext.for_test(call_id="d").operation_id
    with pytest.raises(dataclasses.FrozenInstanceError):
        context.attempt = 3  # type: ignore[misc]  # pyright: ignore[reportAttributeAccessIssue]

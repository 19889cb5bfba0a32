"""What a tool gives its context by mistake: each is an error that names it, or is taken as it is meant."""

from typing import Any

import pytest

from baton import Agent, Call, Pending, Registry, ScriptedModel, ToolContext, tool
from tests.unit.baton.kit.stage import Stage

PLAIN = "text/plain"


async def error_of(method: str, *given: Any) -> str:
    """The error of a call whose tool gives its context this; empty: it has none."""

    @tool(retries=0)
    async def gives(ctx: ToolContext) -> str:
        made = getattr(ctx, method)(*given)
        return str(made if method == "start" else await made)

    stage = Stage(registry=Registry([Agent("a", model=ScriptedModel([[Call("gives")], "done"]), tools=[gives])]))
    await stage.played("a")
    [call] = await stage.calls()
    return f"{call.error.type}: {call.error.message}" if call.error else ""


NAMES: tuple[Any, ...] = (5, b"n", ["n"])
FRACTIONS: tuple[Any, ...] = ("x", None, [], float("nan"), 2)
ODD: list[tuple[str, tuple[Any, ...], str]] = [
    *(("keep_file", (odd, PLAIN), "keep_file() needs the bytes of a file, got") for odd in ("text", None, 5, [1], b"")),
    *(("keep_file", (b"x", odd), "keep_file() needs a media type such as") for odd in (None, 5, b"a/b", "a", "a/b\n")),
    *(("keep_file", (b"x", PLAIN, odd), "a text for the file's name, got") for odd in NAMES),
    ("keep_file", (memoryview(b"x"), PLAIN, None), ""),
    *(("read_result", (odd,), "is no ref of a large result") for odd in (None, 5, b"r", "", "\ud800", "x" * 9_000)),
    *(("progress", (odd,), "progress is a fraction from 0 to 1, got") for odd in FRACTIONS),
    ("emit", ("order.paid", 1, "\ud800"), ""),
    ("emit", ("order\ud800", 1, ""), "is no event name"),
    *(("emit", ("order.paid", 1, odd), "is no text of at most 200 characters") for odd in (None, 5, "k" * 9_000)),
]


@pytest.mark.parametrize(("method", "given", "shown"), ODD)
async def test_it_is_said_by_its_name(method: str, given: tuple[Any, ...], shown: str) -> None:
    said = await error_of(method, *given)
    assert (shown in said, bool(said)) == (True, bool(shown)), said
    assert len(said) < 1_000


async def test_a_wait_takes_halves_of_characters_in_its_key_as_an_event_does() -> None:
    @tool(retries=0)
    async def waits() -> Pending:
        return Pending(event="order.paid", key="a\ud800", timeout_seconds=60)

    stage = Stage(registry=Registry([Agent("a", model=ScriptedModel([[Call("waits")], "done"]), tools=[waits])]))
    await stage.played("a")
    [call] = await stage.calls()
    assert (call.status, call.error) == ("completed", None)
    assert Pending(event="e", key="a\ud800", timeout_seconds=1).key == "a\ufffd"

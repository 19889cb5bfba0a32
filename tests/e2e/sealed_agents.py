"""Agents through which a marked text goes by every way, for scans of what the stack keeps."""

from typing import Any

from baton import (
    Agent,
    Call,
    Event,
    HandlerContext,
    Memory,
    Pending,
    Registry,
    Schedule,
    ScriptedModel,
    ToolContext,
    on,
    tool,
)


def canary(door: str) -> str:
    """The text of one way in: no other text of a stack has it."""
    return f"canary-{door}-9b1f"


@tool
async def work(what: str, ctx: ToolContext) -> dict[str, Any]:
    """Report, keep a file, and return what it was given."""
    await ctx.progress(0.5, canary("progress"))
    await ctx.info("said", canary("info"))
    file = await ctx.keep_file(canary("file").encode() * 3, "text/plain", "a.txt")
    return {"got": canary("result"), "file": file}


@tool(retries=0)
def fail(what: str) -> None:
    """Fail in words of its own."""
    raise RuntimeError(canary("tool-error"))


@tool(requires_approval=True)
def pay(to: str) -> str:
    """Pay, once a person agrees."""
    return "paid"


@tool
def order() -> Pending:
    """Wait for somebody outside."""
    return Pending(timeout_seconds=3_600)


@tool
def delegate(ctx: ToolContext) -> Pending:
    """Give a task to another agent."""
    return ctx.start("helps", canary("child-task"), {"of": canary("child-data")})


@on("order.created", retries=0)
async def take(event: Event, ctx: HandlerContext) -> None:
    """Start a job, and fail in words of its own."""
    await ctx.start("helps", canary("started-task"))
    raise RuntimeError(canary("handler-error"))


@on("order.counted", schema=int)
def count(event: Event[int], ctx: HandlerContext) -> None:
    """Never run: the data does not fit."""


class Reading(ScriptedModel):
    """Takes files of people."""

    takes_files = ("text/*",)


_DOES: list[list[Call] | str] = [
    [Call("work", {"what": canary("arguments")}), Call("fail", {"what": "x"}), Call("delegate", {})],
    canary("answer"),
]
registry = Registry(
    agents=[
        Agent("does", ScriptedModel(_DOES), tools=[work, fail, delegate], memory=Memory(recent=3, similar=0)),
        Agent("breaks", ScriptedModel([RuntimeError(canary("model-error"))] * 9), tools=[]),
        Agent("asks", ScriptedModel([[Call("pay", {"to": canary("asked-for")})], "done"]), tools=[pay]),
        Agent("waits", ScriptedModel([[Call("order", {})], "done"]), tools=[order]),
        Agent("reads", Reading(["seen"]), tools=[]),
        Agent("helps", ScriptedModel([canary("child-answer")]), tools=[]),
    ],
    handlers=[take, count],
    schedules=[Schedule("nightly", "0 3 1 1 *", agent="helps", task=canary("coded-schedule"))],
)

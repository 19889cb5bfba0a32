"""Agents for tests that hurt the stack: `--app tests.e2e.fault_agents:registry`.

What a job must come to follows from its shape alone (`SHAPES`). Every start of a tool is noted in a file (environment
`NOTES`), one line in one write, so that a test can tell how often a call really ran, when, and under which key.
"""

import asyncio
import json
import os
import time

from baton import Agent, Call, Pending, Registry, ScriptedModel, Step, ToolContext, ToolError, result_of, tool

STEP_SECONDS = 0.03
DIAMOND = "diamond"
_NAPS_FROM, _LEFT_TO_OTHERS_FROM = 100, 200
# Shape: one list a turn, its calls run in parallel. A negative number is a call whose first attempt fails; one from 100
# on waits for a second, one from 200 on is left to a job of its own.
Shape = tuple[tuple[int, ...], ...]
SHAPES: dict[str, Shape] = {
    "line-3": ((1,), (2,), (3,)),
    "line-shaky": ((1,), (-2,), (3,)),
    "fan-5": ((1, 2, 3, 4, 5), (6,)),
    "fan-8": ((1,), tuple(range(2, 10))),
    "fan-10": (tuple(range(1, 11)),),
    "fan-shaky": ((1, -2, 3, -4, 5, -6), (7, 8)),
    "waits": ((1, 100, 101), (102,)),
    "delegates": ((1, 200, 201), (202, 103)),
    DIAMOND: ((1, 3, 3, 18),),
}


def note(context: ToolContext) -> None:
    line = {
        "call_id": context.call_id,
        "key": context.idempotency_key,
        "attempt": context.attempt,
        "pid": os.getpid(),
        "at_ms": time.time_ns() // 1_000_000,
    }
    file = os.open(os.environ["NOTES"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)  # noqa: TID251 - a user's tool may read its environment
    try:
        os.write(file, f"{json.dumps(line)}\n".encode())
    finally:
        os.close(file)


@tool(retries=3, retry_delay_seconds=0.2)
async def triple(number: int, ctx: ToolContext) -> int:
    """Triple a number, in a while."""
    note(ctx)
    await asyncio.sleep(STEP_SECONDS * (1 + number % 5))
    return 3 * number


@tool(retries=3, retry_delay_seconds=0.2)
async def shaky_triple(number: int, ctx: ToolContext) -> int:
    """Triple a number, at the second attempt."""
    note(ctx)
    await asyncio.sleep(STEP_SECONDS)
    if ctx.attempt == 1:
        raise ToolError(f"{number} is not to be had at once", retryable=True)
    return 3 * number


@tool(retries=3, retry_delay_seconds=0.2)
async def triple_later(number: int, ctx: ToolContext) -> Pending:
    """Triple a number, without running meanwhile."""
    note(ctx)
    return Pending(timeout_seconds=1, otherwise=3 * number, operation=False)


@tool(retries=3, retry_delay_seconds=0.2)
async def let_triple(number: int, ctx: ToolContext) -> Pending:
    """Have a number tripled."""
    note(ctx)
    return ctx.start("helper", f"triple {number}")


@tool(retries=3, retry_delay_seconds=0.2)
async def add(numbers: list[int], ctx: ToolContext) -> int:
    """Add numbers."""
    note(ctx)
    return sum(numbers)


def call_of(number: int) -> Call:
    """The call that a number of a shape stands for."""
    if number >= _LEFT_TO_OTHERS_FROM:
        return Call("let_triple", {"number": number})
    if number >= _NAPS_FROM:
        return Call("triple_later", {"number": number})
    return Call("shaky_triple" if number < 0 else "triple", {"number": number})


def result_of_call(number: int) -> int | str:
    return answer_of("helper") if number >= _LEFT_TO_OTHERS_FROM else 3 * number


def answer_of(name: str) -> str:
    return f"Done: {name}."


TOOLS = [triple, shaky_triple, triple_later, let_triple]
STEPS = [
    Step("one", triple, {"number": 1}),
    Step("left", triple, {"number": result_of("one")}, depends_on=["one"]),
    Step("right", triple, {"number": result_of("one")}, depends_on=["one"]),
    Step("both", add, {"numbers": [result_of("left"), result_of("right")]}, depends_on=["left", "right"]),
]

registry = Registry(
    agents=[
        Agent(name="helper", model=ScriptedModel([[Call("triple", {"number": 5})], answer_of("helper")]), tools=TOOLS),
        Agent(name=DIAMOND, plan=STEPS),
        *(
            Agent(
                name=name,
                model=ScriptedModel([*([call_of(number) for number in turn] for turn in shape), answer_of(name)]),
                tools=TOOLS,
            )
            for name, shape in SHAPES.items()
            if name != DIAMOND
        ),
    ]
)

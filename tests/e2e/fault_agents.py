"""Agents for tests that hurt the stack: `--app tests.e2e.fault_agents:registry`.

What a job must come to follows from its shape alone (`SHAPES`). Every start of a tool is noted in a file (environment
`NOTES`), one line in one write, so that a test can tell how often a call really ran, when, and under which key.
"""

import asyncio
import json
import os
import time

from baton import Agent, Call, Registry, ScriptedModel, ToolContext, ToolError, tool

STEP_SECONDS = 0.03
# Shape: one list a turn, its calls run in parallel. A negative number is a call whose first attempt fails.
Shape = tuple[tuple[int, ...], ...]
SHAPES: dict[str, Shape] = {
    "line-3": ((1,), (2,), (3,)),
    "line-shaky": ((1,), (-2,), (3,)),
    "fan-5": ((1, 2, 3, 4, 5), (6,)),
    "fan-8": ((1,), tuple(range(2, 10))),
    "fan-10": (tuple(range(1, 11)),),
    "fan-shaky": ((1, -2, 3, -4, 5, -6), (7, 8)),
}


def note(context: ToolContext) -> None:
    """Write down that an attempt of a call begins."""
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
async def triple(number: int, ctx: ToolContext) -> int:  # noqa: D417 - a model is told of its own arguments only
    """Triple a number, in a while.

    Args:
        number: what to triple.
    """
    note(ctx)
    await asyncio.sleep(STEP_SECONDS * (1 + number % 5))
    return 3 * number


@tool(retries=3, retry_delay_seconds=0.2)
async def shaky_triple(number: int, ctx: ToolContext) -> int:  # noqa: D417 - as above
    """Triple a number, at the second attempt.

    Args:
        number: what to triple.
    """
    note(ctx)
    await asyncio.sleep(STEP_SECONDS)
    if ctx.attempt == 1:
        raise ToolError(f"{number} is not to be had at once", retryable=True)
    return 3 * number


def call_of(number: int) -> Call:
    """The call that a number of a shape stands for."""
    return Call("shaky_triple" if number < 0 else "triple", {"number": number})


def answer_of(name: str) -> str:
    """What a job of this shape answers."""
    return f"Done: {name}."


registry = Registry(
    agents=[
        Agent(
            name=name,
            model=ScriptedModel([*([call_of(number) for number in turn] for turn in shape), answer_of(name)]),
            tools=[triple, shaky_triple],
        )
        for name, shape in SHAPES.items()
    ]
)

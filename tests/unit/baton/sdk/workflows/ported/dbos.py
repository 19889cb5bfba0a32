"""Programs of DBOS's documentation and examples."""

import asyncio
from collections import Counter
from datetime import timedelta
from typing import Any

from pydantic import BaseModel

from baton import ToolContext, ToolError, approval, sleep, tool, wait_for_event, workflow
from tests.unit.baton.sdk.workflows.ported.steps import (
    Case,
    add,
    ask,
    busy,
    critic,
    do,
    flaky,
    no,
    pay,
    read,
    refuse,
    stuck,
    tells,
    writer,
    yes,
)


@workflow
async def process(task: int) -> int:
    return task * 10


@workflow
async def queue_of_tasks(tasks: list[int]) -> list[int]:
    handles = [process(task) for task in tasks]
    return [result for result in await asyncio.gather(*handles) if result]


class Item(BaseModel):
    name: str
    count: int = 1


@workflow
async def widget_store(item: Item) -> str:
    stock = await read("stock", item.name)
    if stock < item.count:
        return "sold out"
    await do(f"reserve {item.name}")
    payment = await ask("payment")
    if payment.get("status") == "paid":
        await do("dispatch")
        return "dispatched"
    await do(f"release {item.name}")
    return "cancelled"


@workflow
async def refund_agent(cents: int) -> str:
    if cents <= 100:
        return await do(f"refund {cents}")
    decision = await approval(f"Refund {cents}?", {"cents": cents})
    return await do(f"refund {cents}") if decision.approved else f"refused: {decision.reason}"


@workflow
async def step_retries() -> str:
    try:
        got = await flaky(9)
    except ToolError as error:
        return f"gave up: {error}, {error.retryable}"
    return f"got {got}"


@workflow
async def remind_me(days: int) -> str:
    today = workflow.now()
    await sleep(timedelta(days=days).total_seconds())
    await do("remind")
    passed = workflow.now() - today
    return f"{passed.days} day later"


@workflow
async def ingest(names: list[str]) -> dict[str, int]:
    counted: Counter[str] = Counter()
    for text in await asyncio.gather(*[read("texts", name) for name in names]):
        counted.update(text.split())
    return {word: times for word, times in sorted(counted.items()) if times > 1}


@workflow
async def mirror(keys: list[str], at_once: int) -> int:
    copied: set[str] = set()
    while batch := [key for key in keys if key not in copied][:at_once]:
        copied |= set(await asyncio.gather(*[do(f"copy {key}") for key in batch]))
        batch_names = {name.removeprefix("copy ") for name in copied}
        copied = batch_names
    return len(copied)


@workflow
async def research(topics: list[str]) -> str:
    found = []
    for topic in topics:
        text = await writer(f"Write about {topic}.")
        found.append(f"{topic}: {text}")
    verdict = await critic("\n".join(found))
    return f"{len(found)} texts, {verdict}"


@workflow
async def timed_out_step() -> str:
    try:
        return await stuck()
    except TimeoutError:
        return await do("use the cache")


@workflow
async def rate_limited(coins: int) -> dict[str, Any]:
    flips = [workflow.random().choice(["heads", "tails"]) for _ in range(coins)]
    return {"service": await busy(), "flips": len(flips), "fair": set(flips) <= {"heads", "tails"}}


@tool
async def set_event(fraction: float, ctx: ToolContext | None = None) -> float:
    """Show how far it is."""
    if ctx is not None:
        await ctx.progress(fraction)
    return fraction


@workflow
async def progress(steps: int) -> float:
    done = 0.0
    for number in range(steps):
        done = await set_event(await add(number, 1) / steps)
    return done


@workflow
async def undone(amounts: list[int]) -> list[str]:
    notes: list[str] = []
    for cents in amounts:
        try:
            notes.append(f"paid {await pay(cents)}")
        except ToolError as error:
            notes.append(str(error))
            break
        finally:
            notes.append("logged")
    else:
        await refuse("nobody said no")
    if (await wait_for_event("reply", 60)).get("timedOut"):
        await sleep(1)
    return notes


@workflow
async def background_task(name: str) -> list[str]:
    begun = asyncio.create_task(do(f"index {name}"))
    await sleep(9)
    return [await begun, await do(f"announce {name}")]


CASES = [
    Case(background_task, {"name": "a"}, ["index a", "announce a"], ["index a", "announce a"]),
    Case(queue_of_tasks, {"tasks": [0, 1, 2]}, [10, 20], below=(process,)),
    Case(
        *(widget_store, {"name": "tea"}, "dispatched", ["reserve tea", "dispatch"]), outcomes=tells({"status": "paid"})
    ),
    Case(widget_store, {"name": "tea"}, "cancelled", ["reserve tea", "release tea"]),
    Case(widget_store, {"name": "cup"}, "sold out"),
    Case(refund_agent, {"cents": 500}, "refund 500", ["refund 500"], decide=yes),
    Case(step_retries, {}, "gave up: unavailable: the service is down, True"),
    Case(remind_me, {"days": 1}, "1 day later", ["remind"]),
    Case(ingest, {"names": ["a.txt", "b.txt"]}, {"be": 2, "to": 2}),
    Case(mirror, {"keys": ["x", "y", "z"], "at_once": 2}, 3, ["copy x", "copy y", "copy z"]),
    Case(research, {"topics": ["rain"]}, "1 texts, good"),
    Case(timed_out_step, {}, "use the cache", ["use the cache"], slow=True),
    Case(rate_limited, {"coins": 4}, {"service": "served", "flips": 4, "fair": True}),
    Case(progress, {"steps": 2}, 1.0),
    Case(undone, {"amounts": [5]}, ["rejected: not today", "logged"], decide=no),
]

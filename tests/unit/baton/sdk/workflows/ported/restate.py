"""Programs of Restate's documentation and examples."""

import asyncio
from dataclasses import dataclass
from typing import Any

from baton import ToolError, approval, sleep, wait_for_event, workflow
from tests.unit.baton.sdk.workflows.ported.steps import Case, answers, ask, critic, do, refuse, tells, writer


@workflow
async def greeter(name: str) -> str:
    await do(f"notify {name}")
    await sleep(1)
    await do(f"remind {name}")
    return f"You said hi to {name}!"


@workflow
async def subscriptions(user: str, names: list[str]) -> dict[str, str]:
    payment = await do(f"pay for {user}")
    return {name: await do(f"{name} by {payment}") for name in names}


@workflow
async def signup(email: str, code: str) -> bool:
    await do(f"mail {email}")
    clicked = await ask("the link")
    return str(clicked["code"]) == code


@workflow
async def saga(last: str) -> list[str]:
    undo = []
    try:
        for what in ("flight", "car", last):
            undo.append(f"cancel {what}")
            await (refuse(what) if what == "payment" else do(f"book {what}"))
    except ToolError as error:
        return [str(error), *[await do(each) for each in reversed(undo)]]
    return ["booked"]


@dataclass
class SubTask:
    number: int
    words: list[str]

    def size(self) -> int:
        return len(self.words)


def _split(text: str, size: int) -> list[SubTask]:
    words = text.split()
    return [SubTask(at // size, words[at : at + size]) for at in range(0, len(words), size)]


@workflow
async def count_part(task: SubTask) -> int:
    await sleep(task.number)
    return task.size()


@workflow
async def fan_out(text: str) -> dict[str, int]:
    parts = await asyncio.gather(*[count_part(task) for task in _split(text, 2)])
    return {"parts": len(parts), "words": sum(parts)}


@workflow
async def food_order(meals: list[str], delay: int) -> str:
    status = "new"
    try:
        await do("charge")
        await sleep(delay)
        driver = await ask("a driver")
        status = f"with {driver['name']}"
    except KeyError:
        status = "no driver"
        await do("refund")
    finally:
        status = f"{len(meals)} meals {status}"
    return status


@workflow
async def routed(request: str) -> str:
    routes = {"good": writer, "bad": critic}
    kind = await critic(f"Which kind is {request}?")
    return f"{kind}: {await routes[kind](request)}"


@workflow
async def evaluated(task: str, most: int) -> tuple[int, str]:
    verdict = "none"
    for attempt in range(1, most + 1):
        text = await writer(task)
        verdict = await critic(text)
        if verdict == "good":
            return attempt, text
    raise ValueError(f"never good: {verdict}")


@workflow
async def durable_promise(seconds: int) -> str:
    decision, event = await asyncio.gather(approval("Go on?", timeout_seconds=seconds), wait_for_event("go", seconds))
    return f"{'approved' if decision.approved else decision.reason}, {event}"


@workflow
async def partial_failure(names: list[str]) -> dict[str, list[str]]:
    calls: list[Any] = [refuse(name) if name.startswith("!") else do(name) for name in names]
    results = await asyncio.gather(*calls, return_exceptions=True)
    failed = [str(each) for each in results if isinstance(each, Exception)]
    return {"ok": [each for each in results if isinstance(each, str)], "failed": failed}


@workflow
async def state_machine(turns: list[str]) -> dict[str, int]:
    on = False
    counts: dict[str, int] = dict.fromkeys(("on", "off"), 0)
    for turn in turns:
        match (turn, on):
            case ("up", False):
                await do("connect")
                on = True
            case ("down", True):
                await do("disconnect")
                on = False
            case _:
                pass
        counts["on" if on else "off"] += 1
    return counts


@workflow
async def first_of_two(seconds: float) -> str:
    steps: list[Any] = [do("answer"), sleep(seconds)]
    done, pending = await asyncio.wait(steps, return_when=asyncio.FIRST_COMPLETED)
    for loser in pending:
        loser.cancel()
    return f"{[each.result() for each in done]}, {len(pending)} late"


CASES = [
    Case(first_of_two, {"seconds": 86_400}, "['answer'], 1 late", ["answer"]),
    Case(greeter, {"name": "Al"}, "You said hi to Al!", ["notify Al", "remind Al"]),
    Case(
        *(subscriptions, {"user": "al", "names": ["x", "y"]}, {"x": "x by pay for al", "y": "y by pay for al"}),
        ["pay for al", "x by pay for al", "y by pay for al"],
    ),
    Case(signup, {"email": "al", "code": "s"}, output=True, done=["mail al"], outcomes=tells({"code": "s"})),
    Case(
        *(saga, {"last": "payment"}, ["declined: payment", "cancel payment", "cancel car", "cancel flight"]),
        ["book flight", "book car", "cancel payment", "cancel car", "cancel flight"],
    ),
    Case(fan_out, {"text": "a b c"}, {"parts": 2, "words": 3}, below=(count_part,)),
    Case(food_order, {"meals": ["soup"], "delay": 9}, "1 meals no driver", ["charge", "refund"]),
    Case(routed, {"request": "r"}, "good: a text"),
    Case(evaluated, {"task": "t", "most": 2}, [1, "a text"]),
    Case(durable_promise, {"seconds": 60}, "approved, {'timedOut': True}", decide=answers()),
    Case(partial_failure, {"names": ["a", "!b"]}, {"ok": ["a"], "failed": ["declined: !b"]}, ["a"]),
    Case(state_machine, {"turns": ["up", "up", "down"]}, {"on": 2, "off": 1}, ["connect", "disconnect"]),
]

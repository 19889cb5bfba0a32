"""Programs of Inngest's documentation."""

import asyncio
import json
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, Field

from baton import ToolError, approval, sleep, sleep_until, wait_for_event, workflow
from tests.unit.baton.sdk.workflows.ported.steps import Case, add, answers, do, read, refuse, tomorrow, writer


@workflow(on="shop.product.imported")
async def import_product(urls: list[str]) -> list[str]:
    uploaded = [await do(f"copy {url}") for url in urls]
    await do("update product")
    return [name.split()[-1] for name in uploaded]


@workflow(on="app.user.created")
async def onboarding(email: str) -> str:
    await do(f"welcome {email}")
    event = await wait_for_event("app.post.created", 7_200)
    if event.get("timedOut"):
        await do(f"tips for {email}")
        return "reminded"
    return "active"


@workflow
async def scheduled_reminder(at: datetime) -> str:
    await sleep_until(at)
    return await do("remind")


@workflow
async def parallel_steps() -> dict[str, Any]:
    email, update, users = await asyncio.gather(do("email"), do("update"), read("users"))
    return {"email": email, "update": update, "users": len(users)}


@workflow
async def pagination() -> list[int]:
    items: list[int] = []
    cursor = "0"
    while cursor:
        page = await read("pages", cursor)
        items.extend(page["items"])
        cursor = page["next"]
    return items


@workflow
async def send_one(email: str, week: int) -> str:
    return await do(f"digest {week} to {email}")


@workflow
async def weekly_digest(week: int) -> int:
    users = await read("users")
    sent = await asyncio.gather(*[send_one(user["email"], week) for user in users if user["plan"] == "pro"])
    return len(sent)


@workflow
async def rolled_back(record: str) -> str:
    await do(f"create {record}")
    try:
        await refuse("quota")
    except ToolError:
        await do(f"delete {record}")
        raise
    return record


@workflow
async def non_retriable(record: str) -> str:
    try:
        return await rolled_back(record)
    except ToolError as error:
        return str(error).splitlines()[0].partition("): ")[2]


@workflow(on="shop.cart.updated")
async def abandoned_cart(cart: list[str], hours: int) -> str | None:
    bought = await wait_for_event("shop.order.placed", hours * 3600)
    if not bought.get("timedOut"):
        return None
    return await do(f"remind of {', '.join(sorted(cart))}")


class Action(BaseModel):
    kind: Literal["email", "wait", "if"]
    value: str = ""
    then: list["Action"] = Field(default_factory=list)


async def _perform(action: Any, facts: dict[str, bool]) -> list[str]:
    match action.kind:
        case "email":
            return [await do(f"email {action.value}")]
        case "wait":
            await sleep(int(action.value))
            return []
        case _:
            done = []
            for each in action.then if facts.get(action.value) else []:
                done += await _perform(each, facts)
            return done


@workflow
async def user_defined(actions: list[Action], facts: dict[str, bool]) -> list[str]:
    done = []
    for action in actions:
        done += await _perform(action, facts)
    return done


@workflow
async def summarised(chunks: list[str]) -> str:
    parts = await asyncio.gather(*[writer(f"Sum up: {chunk}") for chunk in chunks])
    return json.dumps({"parts": len(parts), "text": parts[0]}, sort_keys=True)


@workflow
async def trial(started: datetime, seats: dict[str, float]) -> str:
    ends = await tomorrow(started)
    total = 0.0
    for _, price in sorted(seats.items(), key=lambda seat: -seat[1])[:2]:
        total = await add(total, price)
    return f"ends {ends:%Y-%m-%d}, then {total:.2f}"


@workflow
async def human_in_the_loop(draft: str) -> str:
    asked = await approval("Send it?", {"text": draft}, timeout_seconds=3600)
    text = asked.data["text"] if asked.approved else "nothing"
    return await do(f"send {text}")


CASES = [
    Case(import_product, {"urls": ["a", "b"]}, ["a", "b"], ["copy a", "copy b", "update product"]),
    Case(onboarding, {"email": "al"}, "reminded", ["welcome al", "tips for al"]),
    Case(scheduled_reminder, {"at": "2027-01-01T09:00:00+01:00"}, "remind", ["remind"]),
    Case(parallel_steps, {}, {"email": "email", "update": "update", "users": 2}, ["email", "update"]),
    Case(pagination, {}, [1, 2, 3]),
    Case(weekly_digest, {"week": 7}, 1, ["digest 7 to ann@x.org"], below=(send_one,)),
    Case(non_retriable, {"record": "r"}, "declined: quota", ["create r", "delete r"], below=(rolled_back,)),
    Case(abandoned_cart, {"cart": ["tea", "cup"], "hours": 2}, "remind of cup, tea", ["remind of cup, tea"]),
    Case(
        user_defined,
        {
            "actions": [{"kind": "wait", "value": "60"}, {"kind": "if", "value": "pro", "then": [{"kind": "email"}]}],
            "facts": {"pro": True},
        },
        ["email "],
        ["email "],
    ),
    Case(summarised, {"chunks": ["x", "y"]}, '{"parts": 2, "text": "a text"}'),
    Case(trial, {"started": "2026-01-31T00:00:00Z", "seats": {"a": 1, "b": 3, "c": 2}}, "ends 2026-02-01, then 5.00"),
    Case(human_in_the_loop, {"draft": "hi"}, "send hello", ["send hello"], decide=answers(text="hello")),
]

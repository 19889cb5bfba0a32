"""Programs of the documentation of Vercel's Workflow, from TypeScript."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from pydantic import BaseModel

from baton import JobInfo, approval, sleep, workflow
from tests.unit.baton.sdk.workflows.ported.steps import Case, add, answers, ask, do, read, tells, writer


@workflow
async def user_signup(email: str) -> dict[str, str]:
    user = await do(f"create {email}")
    await do(f"welcome {email}")
    await sleep(5)
    return {"user": user, "status": "onboarded"}


@workflow
async def birthday_card(guests: list[str]) -> list[str]:
    replies = await asyncio.gather(*[ask(guest) for guest in guests])
    coming = [guest for guest, reply in zip(guests, replies, strict=False) if reply.get("comes")]
    return coming or ["nobody"]


@workflow
async def approval_hook(document: str) -> dict[str, Any]:
    decision = await approval(f"Publish {document}?", {"comment": ""})
    if decision.approved:
        await do(f"publish {document}")
    return {"approved": decision.approved, "comment": decision.data["comment"]}


@workflow
async def hook_loop(most: int) -> list[str]:
    messages: list[str] = []
    while True:
        said = await ask("next")
        messages.append(said["text"])
        if said.get("done") or len(messages) >= most:
            return messages


@workflow
async def polled_export(job: str) -> int:
    polls = 0
    while True:
        polls = int(await add(polls, 1))
        if polls >= (await read("ready_at"))[job]:
            return polls
        await sleep(10)


class Order(BaseModel):
    id: str
    kind: str
    total: float = 0


@workflow
async def conditional(order: Order) -> str:
    if order.total > 100:
        return await do(f"inspect {order.id}")
    if order.kind == "digital":
        return await do(f"mail {order.id}")
    return await do(f"ship {order.id}")


@workflow
async def report(part: str, job: JobInfo) -> str:
    return f"{part} of {job.task or 'a parent'}"


@workflow
async def composed(parts: list[str]) -> list[str]:
    first, *others = parts
    begun = [report(part) for part in others]  # type: ignore[call-arg]
    return [await report(first), *await asyncio.gather(*begun)]  # type: ignore[call-arg]


@workflow
async def durable_agent(prompt: str) -> dict[str, Any]:
    messages = [prompt]
    for _ in range(2):
        answer = await writer(messages[-1])
        messages.append(answer)
    return {"turns": len(messages) - 1, "last": messages[-1]}


async def _said(most: int) -> AsyncIterator[str]:
    for _ in range(most):
        yield (await ask("what else?"))["text"]


@workflow
async def hook_stream(most: int) -> list[str]:
    return [await do(text) async for text in _said(most)]


CASES = [
    Case(hook_stream, {"most": 3}, ["x", "x", "x"], ["x", "x", "x"], outcomes=tells({"text": "x"})),
    Case(user_signup, {"email": "al"}, {"user": "create al", "status": "onboarded"}, ["create al", "welcome al"]),
    Case(birthday_card, {"guests": ["a", "b"]}, ["a", "b"], outcomes=tells({"comes": True})),
    Case(
        *(approval_hook, {"document": "d"}, {"approved": True, "comment": "fine"}, ["publish d"]),
        decide=answers(comment="fine"),
    ),
    Case(hook_loop, {"most": 2}, ["x", "x"], outcomes=tells({"text": "x"})),
    Case(polled_export, {"job": "job-1"}, 2),
    Case(conditional, {"id": "o", "kind": "digital"}, "mail o", ["mail o"]),
    Case(conditional, {"id": "o", "kind": "book", "total": 200}, "inspect o", ["inspect o"]),
    Case(composed, {"parts": ["a", "b"]}, ["a of a parent", "b of a parent"], below=(report,)),
    Case(durable_agent, {"prompt": "hi"}, {"turns": 2, "last": "a text"}),
]

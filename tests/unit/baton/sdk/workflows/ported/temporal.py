"""Programs of Temporal's documentation and of its Python samples."""

import asyncio
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from baton import JobInfo, ToolError, approval, sleep, wait_for_event, workflow
from tests.unit.baton.sdk.workflows.ported.steps import Case, add, answers, ask, do, flaky, no, read, refuse, tells, yes


@workflow
async def parallel_activities(names: list[str]) -> list[str]:
    results = await asyncio.gather(*[do(f"greet {name}") for name in names])
    return sorted(results)


@workflow
async def retried_activity() -> str:
    return f"after {await flaky(3)} attempts"


@workflow
async def handled_failure() -> str:
    try:
        await refuse("no such account")
    except ToolError as error:
        return f"failed with: {error}"
    return "fine"


@dataclass
class Transfer:
    source: str
    target: str
    cents: int


@workflow
async def money_transfer(transfer: Transfer) -> str:
    withdrawn = await do(f"withdraw {transfer.cents} from {transfer.source}")
    try:
        deposited = await refuse(f"account {transfer.target} is closed")
    except ToolError as error:
        await do(f"refund {transfer.cents} to {transfer.source}")
        raise ValueError(f"deposit failed, refunded: {error}") from error
    return f"{withdrawn}, {deposited}"


@workflow
async def transfer_or_refund(transfer: Transfer) -> str:
    try:
        return await money_transfer(transfer)
    except ValueError as error:
        return str(error).partition("): ")[2].splitlines()[0]


@workflow
async def greeting_child(name: str, job: JobInfo) -> str:
    return f"{await do(f'greet {name}')} in {job.session_id[:8]}"


@workflow
async def parents(names: list[str]) -> list[str]:
    children = [greeting_child(name) for name in names]  # type: ignore[call-arg]
    return await asyncio.gather(*children)


@workflow
async def continued_as_new(rounds: int) -> int:
    count = 0
    while count < rounds:
        await sleep(timedelta(minutes=1).total_seconds())
        count += 1
    return count


@workflow
async def signals(most: int) -> list[str]:
    pending: list[str] = []
    while len(pending) < most:
        decision = await approval("Whom next?", {"name": ""}, timeout_seconds=600)
        if decision.timed_out:
            break
        pending.append(f"Hello, {decision.data['name']}")
    return pending


@workflow
async def expense(cents: int) -> str:
    await do(f"create expense {cents}")
    decision = await approval("Pay the expense?", {"cents": cents}, timeout_seconds=86_400)
    if decision.timed_out or not decision.approved:
        return f"rejected: {decision.reason or 'nobody'}"
    await do(f"pay {cents}")
    return "paid"


@workflow
async def async_completion(question: str) -> str:
    answer = await ask(question)
    return f"somebody said {answer['text']}"


@dataclass
class Statement:
    do: str = ""
    parallel: bool = False
    elements: list[dict[str, Any]] = field(default_factory=list)


async def _execute(statement: dict[str, Any]) -> list[str]:
    if statement.get("do"):
        return [await do(statement["do"])]
    branches = [_execute(each) for each in statement["elements"]]
    if statement.get("parallel"):
        done = await asyncio.gather(*branches)
    else:
        done = [await branch for branch in branches]
    return [what for each in done for what in each]


@workflow
async def dsl(root: Statement) -> list[str]:
    return await _execute({"do": root.do, "parallel": root.parallel, "elements": root.elements})


@workflow
async def polls_with_deadline(job: str) -> str:
    ready_at = (await read("ready_at"))[job]
    for attempt in range(1, 4):
        if attempt >= ready_at:
            break
        await sleep(30 * attempt)
    else:
        raise TimeoutError("it was never ready")
    event = await wait_for_event("confirmed", timedelta(minutes=5).total_seconds())
    return f"attempt {attempt}, {'not ' if event.get('timedOut') else ''}confirmed"


@workflow
async def sliding_window(records: list[int], window: int) -> float:
    total = 0.0
    for start in range(0, len(records), window):
        for part in await asyncio.gather(*[add(record, 1) for record in records[start : start + window]]):
            total += part
    return total


async def _reserved(seat: str) -> None:
    await do(f"reserve {seat}")
    try:
        await sleep(86_400)
    except asyncio.CancelledError:
        await do(f"release {seat}")
        raise


@workflow
async def cleaned_up(seat: str) -> str:
    held = asyncio.create_task(_reserved(seat))
    await sleep(60)
    held.cancel()
    try:
        await held
    except asyncio.CancelledError:
        return "released"
    return "held"


class Order:
    """An order with handlers of what people tell it."""

    def __init__(self, lines: list[str]) -> None:
        self.lines, self.is_closed, self.changed = lines, False, asyncio.Condition()

    async def handles(self) -> None:
        while not self.is_closed:
            decision = await approval("Change?", {"add": ""}, timeout_seconds=600)
            async with self.changed:
                self.is_closed = decision.timed_out or not decision.data["add"]
                self.lines += [] if self.is_closed else [decision.data["add"]]
                self.changed.notify_all()

    async def wait_for(self, most: int) -> list[str]:
        async with self.changed:
            await self.changed.wait_for(lambda: self.is_closed or len(self.lines) >= most)
        return self.lines


@workflow
async def handlers(most: int) -> list[str]:
    order = Order(["tea"])
    async with asyncio.TaskGroup() as group:
        handling = group.create_task(order.handles())
        lines = await order.wait_for(most)
        handling.cancel()
    return lines


TRANSFER = {"source": "a", "target": "b", "cents": 5}
REFUNDED = ["withdraw 5 from a", "refund 5 to a"]
DSL = {"elements": [{"do": "one"}, {"parallel": True, "elements": [{"do": "two"}, {"do": "three"}]}]}
CASES = [
    Case(cleaned_up, {"seat": "7a"}, "released", ["reserve 7a", "release 7a"]),
    Case(handlers, {"most": 3}, ["tea", "cup", "cup"], decide=answers(add="cup")),
    Case(parallel_activities, {"names": ["Bo", "Al"]}, ["greet Al", "greet Bo"], ["greet Bo", "greet Al"]),
    Case(retried_activity, {}, "after 3 attempts"),
    Case(handled_failure, {}, "failed with: declined: no such account"),
    Case(
        *(transfer_or_refund, TRANSFER, "deposit failed, refunded: declined: account b is closed", REFUNDED),
        below=(money_transfer,),
    ),
    Case(parents, {"names": ["Al"]}, ["greet Al in session_"], ["greet Al"], below=(greeting_child,)),
    Case(continued_as_new, {"rounds": 3}, 3),
    Case(signals, {"most": 2}, ["Hello, Al", "Hello, Al"], decide=answers(name="Al")),
    Case(expense, {"cents": 9}, "paid", ["create expense 9", "pay 9"], decide=yes),
    Case(expense, {"cents": 9}, "rejected: not today", ["create expense 9"], decide=no),
    Case(async_completion, {"question": "when?"}, "somebody said now", outcomes=tells({"text": "now"})),
    Case(dsl, DSL, ["one", "two", "three"], ["one", "two", "three"]),
    Case(polls_with_deadline, {"job": "job-1"}, "attempt 2, not confirmed"),
    Case(sliding_window, {"records": [1, 2, 3], "window": 2}, 9.0),
]

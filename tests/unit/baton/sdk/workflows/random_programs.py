"""Random programs of asyncio: branches, timers, races, limits, failures, cancels. One seed is one program.

A program is run as it is, in virtual time, and as a job, whose steps end after the same times.
"""

import asyncio
import heapq
from collections.abc import Awaitable, Callable
from random import Random  # noqa: TID251 - of seeds
from typing import Any

from baton import tool, workflow
from baton.testing.virtual_loop import VirtualLoop
from tests.unit.baton.sdk.workflows.playing import START_MS, Job, Outcome, opened, runner_of

_DEEPEST, _MOST_MS = 4, 1_000_000


@tool(retries=0)
async def step(name: str, ms: int, fails: str = "") -> str:
    """Take so long, then return the name, or fail."""
    await asyncio.sleep(ms / 1000)
    if fails:
        raise {"ValueError": ValueError, "ConnectionError": ConnectionError}[fails](name)
    return name


class Program:
    """The program of a seed. `log`: what it has done, each with its time in milliseconds."""

    def __init__(self, seed: int) -> None:
        self.dice, self.log, self.names = Random(seed), list[str](), 0
        self.began = asyncio.get_running_loop().time()

    def note(self, what: str) -> None:
        self.log.append(f"{what} at {round(1000 * (asyncio.get_running_loop().time() - self.began))}")

    def ms(self) -> int:
        return self.dice.randrange(1, _MOST_MS)

    def tree(self, depth: int = 0) -> tuple[Any, ...]:
        """Make a program: the name of a part, what it takes, and the parts inside."""
        self.names += 1
        name = f"n{self.names}"
        if depth >= _DEEPEST or self.dice.random() < 0.2 * depth:
            fails = self.dice.choice(["", "", "", "ValueError", "ConnectionError"])
            return (self.dice.choice(["step", "step", "step", "sleep"]), name, self.ms(), fails)
        kind = self.dice.choice(list(_PARTS))
        inside = [self.tree(depth + 1) for _ in range(self.dice.randrange(1, 4))]
        return (kind, name, self.ms(), self.dice.random() < 0.5, inside)

    async def run(self, part: tuple[Any, ...]) -> Any:
        kind, name, ms, *rest = part
        if kind == "step":
            got = await step(name, ms, rest[0])
        elif kind == "sleep":
            got = await asyncio.sleep(ms / 1000, name)
        else:
            got = await _PARTS[kind](self, name, ms / 1000, *rest)
        self.note(f"{kind} {name}")
        return got


async def _row(program: Program, name: str, seconds: float, flag: bool, inside: list[Any]) -> Any:
    return [await program.run(part) for part in inside]


async def _gather(program: Program, name: str, seconds: float, flag: bool, inside: list[Any]) -> Any:
    found = await asyncio.gather(*[program.run(part) for part in inside], return_exceptions=flag)
    return [each if not isinstance(each, BaseException) else repr(each) for each in found]


async def _first(program: Program, name: str, seconds: float, flag: bool, inside: list[Any]) -> Any:
    tasks = [asyncio.create_task(program.run(part)) for part in inside]
    how = asyncio.FIRST_EXCEPTION if flag else asyncio.FIRST_COMPLETED
    done, pending = await asyncio.wait(tasks, return_when=how, timeout=seconds if len(inside) > 2 else None)
    program.note(f"{name}: {len(done)} of {len(tasks)}")
    for task in pending:
        task.cancel()
    found = await asyncio.gather(*tasks, return_exceptions=True)
    return [repr(each) for each in found]


async def _limited(program: Program, name: str, seconds: float, flag: bool, inside: list[Any]) -> Any:
    try:
        if flag:
            return await asyncio.wait_for(_row(program, name, seconds, flag, inside), seconds)
        async with asyncio.timeout(seconds):
            return await _gather(program, name, seconds, True, inside)
    except TimeoutError:
        program.note(f"{name} is late")
        return "late"


async def _group(program: Program, name: str, seconds: float, flag: bool, inside: list[Any]) -> Any:
    tasks = list[asyncio.Task[Any]]()
    try:
        async with asyncio.TaskGroup() as group:
            tasks += [group.create_task(program.run(part)) for part in inside]
            if flag:
                await asyncio.sleep(seconds)
                tasks[0].cancel()
    except* (ValueError, ConnectionError) as failed:
        program.note(f"{name}: {sorted(repr(each) for each in failed.exceptions)}")
    return [repr(task.result()) for task in tasks if task.done() and not task.cancelled() and not task.exception()]


async def _completed(program: Program, name: str, seconds: float, flag: bool, inside: list[Any]) -> Any:
    found = list[str]()
    for done in asyncio.as_completed([program.run(part) for part in inside], timeout=seconds if flag else None):
        try:
            found.append(repr(await done))
        except (ValueError, ConnectionError, TimeoutError) as error:
            found.append(repr(error))
    return found


async def _guarded(program: Program, name: str, seconds: float, flag: bool, inside: list[Any]) -> Any:
    try:
        return await _row(program, name, seconds, flag, inside)
    except (ValueError, OSError) as error:
        program.note(f"{name} caught {error!r}")
        if flag:
            raise
        return "caught"
    finally:
        program.note(f"{name} cleans up")
        await step(f"{name}-after", round(seconds * 1000))


async def _cancelled(program: Program, name: str, seconds: float, flag: bool, inside: list[Any]) -> Any:
    task = asyncio.create_task(_guarded(program, name, seconds / 3, False, inside))
    await asyncio.sleep(seconds)
    task.cancel()
    try:
        return await (asyncio.shield(task) if flag else task)
    except asyncio.CancelledError:
        program.note(f"{name} was cancelled")
        return "cancelled"


async def _queue(program: Program, name: str, seconds: float, flag: bool, inside: list[Any]) -> Any:
    queue, found = asyncio.Queue[Any](maxsize=1 if flag else 0), list[str]()

    async def work() -> None:
        while (part := await queue.get()) is not None:
            async with lock:
                try:
                    found.append(repr(await program.run(part)))
                except (ValueError, OSError, BaseExceptionGroup) as error:
                    found.append(type(error).__name__)

    lock = asyncio.Semaphore(1 if flag else 2)
    workers = [asyncio.create_task(work()) for _ in range(2)]
    for part in [*inside, None, None]:
        await queue.put(part)
    await asyncio.gather(*workers)
    return found


_PARTS: dict[str, Callable[..., Awaitable[Any]]] = {
    "row": _row,
    "gather": _gather,
    "first": _first,
    "limited": _limited,
    "group": _group,
    "completed": _completed,
    "guarded": _guarded,
    "cancelled": _cancelled,
    "queue": _queue,
}


@workflow
async def program(seed: int) -> list[str]:
    """Run the program of a seed, whatever becomes of it."""
    made = Program(seed)
    try:
        made.note(f"it gives {await made.run(made.tree())!r}")
    except BaseExceptionGroup as error:
        made.note(f"it fails: {error!r}")
    except (ValueError, OSError, asyncio.CancelledError) as error:
        made.note(f"it fails: {error!r}")
        await step("at the end", 7)
        made.note("it has cleaned up")
    # Asyncio cancels the tasks of a set in no order, all at the same time.
    return sorted(made.log, key=lambda line: (int(line.rpartition(" ")[2]), line))


def cancelled_at(seed: int) -> float | None:
    """Return after how many seconds a program is cancelled from outside; None: it is not."""
    dice = Random(-seed - 1)
    return dice.randrange(1, _MOST_MS) / 1000 if dice.random() < 0.3 else None


def as_it_is(seed: int) -> list[str]:
    """Run a program in virtual time."""
    loop, found = VirtualLoop(), list[list[str]]()

    async def main() -> None:
        found.append(await program.function(seed))

    task = loop.create_task(main())
    if (seconds := cancelled_at(seed)) is not None:
        loop.call_later(seconds, task.cancel)
    loop.set_exception_handler(lambda *_: None)  # what nobody waits for may fail
    loop.run_until_idle()
    loop.clear()
    loop.close()
    return found[0]


async def as_a_job(seed: int, again: float) -> list[str]:
    """Run it as a job. `again`: the chance that the run is not open any more, at each of its turns."""
    runner, job, dice = runner_of(program), Job({"seed": seed}), Random(seed)
    runs, ends, cancels = opened(), list[tuple[int, int]](), cancelled_at(seed)
    waiting = set[int]()
    answer = await job.turn(runner)
    while answer.stretch:
        for number in job.open.keys() - waiting:
            waiting.add(number)
            heapq.heappush(ends, (job.now_ms + _ms_of(*job.open[number]), number))
        while ends and ends[0][1] not in job.open:
            heapq.heappop(ends)
        if dice.random() < again:
            runs.let_go_of_all()
        until = START_MS + round(1000 * cancels) if cancels is not None and not job.cancelled else None
        if until is not None and (not ends or until <= ends[0][0]):
            job.cancelled = True
            answer = await job.turn(runner, seconds=(until - job.now_ms) / 1000)
            continue
        at, number = heapq.heappop(ends)
        ended = [(number, _outcome_of(*job.open[number]))]
        while ends and ends[0][0] == at:
            _, number = heapq.heappop(ends)
            ended += [(number, _outcome_of(*job.open[number]))] if number in job.open else []
        answer = await job.turn(runner, ended, seconds=(at - job.now_ms) / 1000)
    found: list[str] = answer.output
    return found


def _ms_of(name: str, arguments: dict[str, Any]) -> int:
    return round(1000 * arguments["seconds"]) if name == "sleep" else int(arguments["ms"])


def _outcome_of(name: str, arguments: dict[str, Any]) -> Outcome:
    if name == "sleep":
        return {"ok": {"sleptSeconds": arguments["seconds"]}}
    if arguments.get("fails"):
        return {"error": {"type": arguments["fails"], "message": arguments["name"]}}
    return {"ok": arguments["name"]}

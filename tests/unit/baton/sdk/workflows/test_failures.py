"""What a failed step raises, what a job says of an exception that leaves its code, and what no workflow can do."""

import asyncio
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from baton.sdk.agents.runner import RunFailedError
from tests.unit.baton.sdk.workflows.conftest import Load, cases
from tests.unit.baton.sdk.workflows.playing import Job, opened, runner_of

STEP = """
@tool
async def step(name: str) -> str:
    return name

@tool
def plain(name: str) -> str:
    return name
"""
CAUGHT = """
from baton import ToolError

@workflow
async def main() -> list:
    try:
        await step("a")
    except BaseException as error:
        args = [error.type, error.message, error.retryable] if isinstance(error, ToolError) else list(error.args)
        return [type(error).__name__, str(error), args, isinstance(error, ToolError)]
    return []
"""


@pytest.mark.parametrize(
    ("kind", "message", "raised"),
    [
        *(
            (kind, "no", [kind, "no", ["no"], False])
            for kind in ("ValueError", "ZeroDivisionError", "FileNotFoundError", "ConnectionError", "TimeoutError")
        ),
        ("KeyError", "'a'", ["KeyError", "'a'", ["a"], False]),
        ("KeyError", "no key", ["KeyError", "'no key'", ["no key"], False]),
        ("timeout", "late", ["TimeoutError", "late", ["late"], False]),
        ("ToolError", "no", ["ToolError", "no", ["ToolError", "no", False], True]),
        *(
            (kind, "no", ["ToolError", f"{kind}: no", [kind, "no", False], True])
            for kind in (
                *("declined", "ShopError", "rejected", "print", "SystemExit", "StopIteration"),
                *("UnicodeDecodeError", "ExceptionGroup"),
            )
        ),
    ],
)
async def test_a_failed_step_raises_at_its_await(load: Load, kind: str, message: str, raised: list[Any]) -> None:
    runner = runner_of(load(STEP + CAUGHT).main)
    failed = {"error": {"type": kind, "message": message}}
    assert await Job().plays(runner, lambda *_: failed) == raised


# Each: what the code does, and how the job fails; `AT` is a place in the file of the code.
FAILING = cases(
    """
## an exception of a helper
def broken(n):
    raise LookupError(f"no {n}")

@workflow
async def main():
    await step("a")
    broken(7)
---
LookupError
no 7
AT await step → main | broken(7)
AT broken | raise LookupError
## an exception without a text
@workflow
async def main():
    raise ValueError
---
ValueError
ValueError
AT main | raise ValueError
## one of the user's own, raised from another one
class ShopError(ValueError):
    pass

@workflow
async def main():
    try:
        int("x")
    except ValueError as error:
        raise ShopError("closed") from error
---
ShopError
closed
AT main | raise ShopError
## a group of exceptions, and a group in it
@workflow
async def main():
    async def fails(error):
        raise error
    async with asyncio.TaskGroup() as group:
        group.create_task(fails(ValueError("one")))
        group.create_task(fails(ExceptionGroup("inner", [KeyError("k"), OSError()])))
---
ExceptionGroup
unhandled errors in a TaskGroup (2 sub-exceptions)
ValueError: one
KeyError: 'k'
OSError
AT main | async with asyncio
## a cancel of its own that leaves the code
@workflow
async def main():
    task = asyncio.create_task(sleep(60))
    await step("a")
    task.cancel()
    await task
---
CancelledError
CancelledError
AT main | await task
## an exit
@workflow
async def main():
    raise SystemExit(3)
---
SystemExit
3
AT main | raise SystemExit
## an exit of a branch
@workflow
async def main():
    async def leaves():
        raise SystemExit(4)
    await asyncio.gather(leaves(), step("a"))
---
SystemExit
4
AT leaves | raise SystemExit
## a thread
@workflow
async def main():
    await step("a")
    await asyncio.to_thread(print, 1)
---
not_a_step
loop.run_in_executor() is no step: WAY
AT main | await asyncio.to_thread
## a socket, though the code catches that
@workflow
async def main():
    try:
        await asyncio.open_connection("127.0.0.1", 1)
    except Exception:
        return "caught"
---
not_a_step
loop.create_connection() is no step: WAY
AT main | await asyncio.open_connection
## a process
@workflow
async def main():
    await asyncio.create_subprocess_exec("true")
---
not_a_step
loop.subprocess_exec() is no step: WAY
AT main | await asyncio.create_subprocess_exec
## a future of another loop
OTHER = asyncio.new_event_loop()
OTHER.close()

@workflow
async def main():
    await OTHER.create_future()
---
not_a_step
Future <Future pending> attached to a different loop: this is no step: WAY
AT main | await OTHER
## what is no awaitable of asyncio
class Bare:
    def __await__(self):
        yield 7

@workflow
async def main():
    await Bare()
---
not_a_step
bad yield: 7: this is no step: WAY
AT main | await Bare
AT __await__ | yield 7
## an event that nobody sets
async def waits(event):
    await event.wait()

@workflow
async def main():
    event = asyncio.Event()
    await step("a")
    await asyncio.gather(waits(event), asyncio.Queue().get())
---
stuck
the code waits for what no step brings, at:
AT main | await asyncio.gather
AT waits | await event.wait
## an asynchronous generator that waits for ever
async def numbers():
    yield 1
    await asyncio.Event().wait()

@workflow
async def main():
    return [each async for each in numbers()]
---
stuck
the code waits for what no step brings, at:
AT numbers | await asyncio.Event
## an argument that is no data
@workflow
async def main():
    await step(len)
---
TypeError
step: an argument.name: a builtin_function_or_method NO_JSON
AT main | await step
## a call without an argument
@workflow
async def main():
    await plain()
---
TypeError
plain(): missing a required argument: 'name'
AT main | await plain
## a result that does not fit
@workflow
async def main() -> list[int]:
    return ["a"]
---
invalid_result
the result does not fit the return annotation: 0: NO_INTEGER, got 'a'
## a call that is awaited twice
@workflow
async def main():
    call = step("a")
    await call
    await call
---
RuntimeError
cannot reuse already awaited coroutine
AT main | await call
""".strip()
)


WORDS = {
    "WAY": "a workflow waits for steps alone; do it in a @tool, and await that",
    "NO_JSON": "that JSON cannot hold (PydanticSerializationError: Unable to serialize unknown type:"
    " <class 'builtin_function_or_method'>); return plain data",
    "NO_INTEGER": "Input should be a valid integer, unable to parse string as an integer",
}


def _places(path: str, lines: list[str]) -> list[str]:
    """Return the lines of a failure: `AT function | beginning of a line` becomes the place in the file."""
    source = Path(path).read_text(encoding="utf-8").splitlines()
    shown = list[str]()
    for line in lines:
        if not line.startswith("AT "):
            for word, text in WORDS.items():
                line = line.replace(word, text)  # noqa: PLW2901 - the same line
            shown.append(line)
            continue
        function, begins = line.removeprefix("AT ").rpartition("→ ")[2].split(" | ")
        number = max(at for at, text in enumerate(source, 1) if text.strip().startswith(begins))
        shown.append(f'File "{path.rpartition("/")[2]}", line {number}, in {function}')
    return shown


@pytest.mark.parametrize("case", FAILING)
async def test_a_job_fails_by_what_leaves_its_code(load: Load, case: str) -> None:
    code, _, expected = FAILING[case].rpartition("\n---\n")
    module = load(STEP + code)
    kind, *lines = expected.splitlines()
    runs = opened()
    with pytest.raises(RunFailedError) as failed:
        await Job().plays(runner_of(module.main), lambda *_: {"ok": "a"})
    runs.let_go_of_all()
    assert module.__file__ is not None
    assert (failed.value.type, failed.value.message.splitlines()) == (kind, _places(module.__file__, lines))


SPINS = {
    "a loop": "while True:\n        pass",
    "a loop that catches all": "while True:\n        try:\n            n = 1\n        except:\n            pass",
    "a task that gives way": "while True:\n        await asyncio.sleep(0)",
    "a branch": "await asyncio.gather(step('a'), spin())",
    "C code": "import threading\n    threading.Event().wait(2.5)",
}


@pytest.mark.parametrize("spins", SPINS)
async def test_code_that_never_waits_ends_alone(load: Load, spins: str) -> None:
    module = load(
        f"{STEP}\nasync def spin():\n    while True:\n        pass\n\n"
        f"@workflow\nasync def main():\n    {SPINS[spins]}\n"
    )
    quiet = load(f"{STEP}\n@workflow\nasync def main():\n    return await step('a')\n")
    opened(limit_seconds=0.3)
    began = time.monotonic()
    others = asyncio.create_task(Job().plays(runner_of(quiet.main), lambda *_: {"ok": "fine"}))
    with pytest.raises(RunFailedError) as failed:
        await Job().turn(runner_of(module.main))
    assert failed.value.type == "never_waits"
    assert failed.value.message.startswith("the code ran for 0.3 s and waited for no step")
    assert time.monotonic() - began < 2.4
    assert await others == "fine"


PROFILED = """
import cProfile
from types import SimpleNamespace
from baton.sdk.workflows.runner import within

print(cProfile.Profile().runcall(within, 60.0, SimpleNamespace(), lambda: [str(n) for n in range(3)]))
"""


def test_code_that_ends_in_time_leaves_the_interpreter_nothing_to_look_for() -> None:
    """One that was told of an exception and has none looks for it for ever; under a profiler it does nothing else."""
    done = subprocess.run([sys.executable, "-c", PROFILED], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "['0', '1', '2']"

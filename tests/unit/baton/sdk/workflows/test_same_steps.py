"""A run that is made again asks for the same steps: in any process, at any time, whatever it takes from its job."""

import asyncio
import json
import logging
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from baton import workflow
from tests.unit.baton.sdk.workflows.conftest import ADD, HEAD, Load
from tests.unit.baton.sdk.workflows.playing import START_MS, Job, opened, runner_of, steps

# Asyncio walks sets of tasks and coroutines, in the order of their addresses; texts hash differently in each process.
PROGRAM = """
import json
import sys
from tests.unit.baton.sdk.workflows.playing import Job, runner_of, steps

async def branch(name, waits):
    for number in range(waits):
        await add(number, len(name))
    await add(100 + waits, len(name))
    return name

class Mine:
    pass

@workflow
async def main() -> list[str]:
    names = ["n" * n for n in range(1, 12)]
    found = []
    for done in asyncio.as_completed([branch(name, len(name) % 3) for name in names]):
        found.append(await done)
    tasks = {asyncio.create_task(branch(name, 1)) for name in names}
    done, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in pending:
        task.cancel()
    for task in done | pending:
        await add(7, len(task.get_name()))
    gathers = [asyncio.gather(add(n, 1), add(n, 2)) for n in range(9)]
    for each in asyncio.as_completed(gathers):
        await each
    done, pending = await asyncio.wait([add(n, 3) for n in range(9)])
    found += [str(each.result()) for each in done]
    try:
        async with asyncio.TaskGroup() as group:
            for name in names:
                group.create_task(branch(name, 2))
            raise ValueError
    except* ValueError:
        pass
    async with asyncio.TaskGroup() as group:
        late = [group.create_task(branch(name, len(name) % 2)) for name in names]
    waiting = asyncio.Condition()
    await asyncio.gather(*[add(int(workflow.random().random() * 1e9), hash(workflow.uuid4().int)) for _ in range(3)])
    return found + [workflow.now().isoformat()]

async def played():
    keep = [Mine() for _ in range(int(sys.argv[1]) * 1000)]
    job = Job()
    output = await job.plays(runner_of(main), lambda tool, arguments: {"ok": arguments["a"]})
    print(json.dumps([steps(job), output]))

if __name__ == "__main__":
    asyncio.run(played())
"""


@pytest.mark.parametrize("processes", [2, pytest.param(10, marks=pytest.mark.long)])
def test_each_process_asks_for_the_same_steps(tmp_path: Path, processes: int) -> None:
    program = tmp_path / "flow.py"
    program.write_text(HEAD + ADD + PROGRAM)
    begun = [
        subprocess.Popen(
            [sys.executable, program, str(number)],
            env={**os.environ, "PYTHONHASHSEED": str(number), "PYTHONPATH": os.pathsep.join(sys.path)},  # noqa: TID251
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(processes)
    ]
    found = {process.communicate(timeout=120)[0] for process in begun}
    assert len(found) == 1
    asked, output = json.loads(found.pop())
    assert (len(asked) > 50, len(output) > 20) == (True, True)


async def test_time_chance_and_job_are_the_same_each_time(load: Load) -> None:
    module = load("""
@workflow
async def main() -> list:
    found = []
    for number in range(3):
        found.append([workflow.now().isoformat(), workflow.random().random(), str(workflow.uuid4())])
        assert asyncio.get_running_loop().time() == workflow.now().timestamp()
        await sleep(60)
    return [*found, workflow.info().job_id, workflow.now().utcoffset().total_seconds()]
""")
    held, made_again, other = Job(), Job(), Job(job_id="job_2")
    again = await made_again.plays(runner_of(module.main), lambda *_: {"ok": None})
    opened()
    once = await held.plays(runner_of(module.main), lambda *_: {"ok": None})
    assert once == again
    times = [datetime.fromtimestamp(START_MS / 1000 + n, UTC).isoformat() for n in range(3)]
    assert ([each[0] for each in once[:3]], once[3:]) == (times, ["job_1", 0.0])
    assert len({each[1] for each in once[:3]}) == len({each[2] for each in once[:3]}) == 3
    different = await other.plays(runner_of(module.main), lambda *_: {"ok": None})
    assert [each[1:] for each in different[:3]] != [each[1:] for each in once[:3]]


@pytest.mark.parametrize("name", ["now", "random", "uuid4", "info", "patched"])
def test_outside_of_a_job_there_is_nothing_of_it(name: str) -> None:
    with pytest.raises(RuntimeError, match=rf"workflow\.{name}\(\) is of a job"):
        getattr(workflow, name)(*(["a"] if name == "patched" else []))


async def test_a_run_that_is_made_again_logs_nothing(load: Load, caplog: pytest.LogCaptureFixture) -> None:
    module = load("""
import logging
log = logging.getLogger("my.shop")

@workflow
async def main() -> None:
    log.warning("one")
    await add(1, 2)
    logging.getLogger("my").error("two")
    await add(3, 4)
    log.warning("three")
""")
    await Job().plays(runner_of(module.main), lambda *_: {"ok": 1})
    logging.getLogger("my").warning("outside")
    found = [record.getMessage() for record in caplog.records if record.name.startswith("my")]
    assert found == ["one", "two", "three", "outside"]


async def test_what_is_printed_is_logged_once(
    load: Load, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    module = load("""
import contextlib, io, pprint, sys

@workflow
async def main() -> str:
    print("one", 1, sep="-")
    sys.stdout.write("written ")
    pprint.pprint({"a": 1})
    with contextlib.redirect_stdout(io.StringIO()) as caught:
        print("caught")
    await add(1, 2)
    print("two", caught.getvalue(), file=sys.stderr, end="")
    try:
        await add(3, 4)
        sys.stderr.writelines(["three", chr(10)])
        add(5, 6)
        return "done"
    finally:
        print("the end")
""")
    caplog.set_level(logging.INFO, "baton.workflows")
    job = Job()
    assert await job.plays(runner_of(module.main), lambda *_: {"ok": 1}) == "done"
    lines = [record.getMessage().partition(": ")[2] for record in caplog.records if record.name == "baton.workflows"]
    unawaited = lines.pop()
    assert lines == ["one-1\nwritten {'a': 1}", "two caught", "three\nthe end"]
    assert unawaited.startswith('add(…) was called and never awaited, so it is no step: File "flow')
    assert capfd.readouterr() == ("", "")
    assert [step for step in steps(job) if "5" in step] == []


async def test_calls_hash_by_their_number(load: Load) -> None:
    module = load("""
@workflow
async def main() -> list:
    calls = [add(n, n) for n in range(4)]
    hashes = [hash(call) for call in calls]
    [await call for call in calls]
    return [len({*calls}), [each - hashes[0] for each in hashes]]
""")
    assert await Job().plays(runner_of(module.main), lambda *_: {"ok": 1}) == [4, [0, 1, 2, 3]]


async def test_a_run_is_made_again_from_one_read(load: Load) -> None:
    module = load("""
@workflow
async def main(n: int) -> int:
    total = 0
    for number in range(n):
        total = await add(total, number)
    return total
""")
    job, runner, steps_in_all = Job({"n": 200}), runner_of(module.main), 200
    runs = opened()
    answer = await job.turn(runner)
    for number in range(1, steps_in_all):
        answer = await job.turn(runner, [(number, {"ok": number})])
    assert (job.reads, len(job.turns)) == (0, steps_in_all)
    runs.let_go_of_all()
    answer = await job.turn(runner, [(steps_in_all, {"ok": 7})])
    assert (answer.output, job.reads) == (7, 1)


async def test_a_callers_loop_and_task_stay_as_they_are(load: Load) -> None:
    module = load("@workflow\nasync def main() -> int:\n    return await add(1, 2)\n")
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert await Job().plays(runner_of(module.main), lambda *_: {"ok": 3}) == 3
    assert (asyncio.get_running_loop(), asyncio.current_task()) == (loop, task)
    assert await asyncio.wait_for(asyncio.sleep(0, "fine"), 5) == "fine"


@pytest.mark.parametrize("keeps", [False, True])
async def test_context_variables_of_the_code_survive_its_waits(load: Load, keeps: bool) -> None:
    if keeps:
        opened()
    module = load("""
from contextvars import ContextVar
WHO = ContextVar("who", default="nobody")

async def says(name: str) -> str:
    WHO.set(name)
    await add(1, 2)
    return WHO.get()

@workflow
async def main() -> list[str]:
    WHO.set("main")
    found = await asyncio.gather(says("a"), says("b"))
    await add(3, 4)
    return [*found, WHO.get()]
""")
    assert await Job().plays(runner_of(module.main), lambda *_: {"ok": 1}) == ["a", "b", "main"]
    assert module.WHO.get() == "nobody"

"""What a registry refuses of a workflow's code, and what becomes of a run whose code or interpreter changes."""

import base64
import zlib
from typing import Any

import pytest

from baton import Registry
from baton.sdk.agents.registry import RegistryError
from baton.sdk.agents.runner import RunFailedError
from baton.sdk.models.model import ModelError
from baton.testing import Approve, Simulation
from tests.unit.baton.sdk.workflows.conftest import Load
from tests.unit.baton.sdk.workflows.played_jobs import Job, runner_of

REFUSED = [
    ("    async with asyncio.timeout(3):\n        pass", "async with is not possible"),
    ("    yield 1", "needs an async def without yield"),
    ("    x = 1\n    del x", "del of a name is not possible"),
    ("    class E(Exception):\n        pass", "class E inherits"),
    ("    await asyncio.create_task(add(1, 2))", "asyncio.create_task is not possible in a workflow; use await"),
    ("    time.sleep(1)", "write await sleep(seconds)"),
    ("    open('x')", "open() is not possible"),
    ("    import socket", "import of 'socket' is not possible"),
    (
        "    import datetime\n    return datetime.UTC",
        "datetime.UTC is not possible in a workflow; write datetime.timezone.utc",
    ),
    ("    return missing", "name 'missing' is not defined"),
    ("    return thing", "'thing' is a object, and no tool"),
    ("    return broken()", "yield is not possible"),
    ("    try:\n        pass\n    except asyncio.TimeoutError:\n        pass", "write TimeoutError, which is the same"),
    ("    try:\n        pass\n    except asyncio.CancelledError:\n        pass", "a cancelled job ends at once"),
    ("    import datetime\n    return datetime.datetime.utcnow()", "write datetime.now(timezone.utc)"),
    *(
        (f"    {call}", f"{call.partition('(')[0]}(…) is not awaited, so it does not run; write await")
        for call in (
            "add(1, 2)",
            "sleep(3)",
            "asyncio.sleep(3)",
            "asyncio.gather(add(1, 2))",
            "helper(4)",
            "baton.sleep(5)",
        )
    ),
    ("    if True:\n        for _ in range(2):\n            add(1, 2)", "add(…) is not awaited"),
]
BESIDE = (
    "import baton\n\n\nasync def helper(x):\n    return x\n\n\nthing = object()\n\n\ndef broken():\n    yield 1\n\n\n"
)


@pytest.mark.parametrize(("body", "fault"), REFUSED, ids=[fault[:20] for _, fault in REFUSED])
def test_code_outside_of_the_subset_is_refused_with_its_line(load: Load, body: str, fault: str) -> None:
    with pytest.raises((RegistryError, TypeError)) as refused:
        Registry(workflows=[load(f"{BESIDE}@workflow\nasync def main():\n{body}\n").main])
    assert fault in str(refused.value)
    if isinstance(refused.value, RegistryError):
        assert "workflow 'main': flow" in str(refused.value)


@pytest.mark.parametrize(
    "body",
    [
        "    later = add(1, 2)\n    await later",
        "    async with asyncio.TaskGroup() as group:\n        group.create_task(add(1, 2))",
        "    def add(a, b):\n        return a\n\n    add(1, 2)",
        "    add = lambda a: a\n    add(1)",
        "    for add in (len, str):\n        add('a')",
    ],
)
def test_what_is_awaited_elsewhere_or_is_no_step_is_not_refused(load: Load, body: str) -> None:
    Registry(workflows=[load(f"@workflow\nasync def main():\n{body}\n").main])


def test_a_workflow_that_is_called_must_be_registered(load: Load) -> None:
    module = load("@workflow\nasync def below():\n    pass\n\n\n@workflow\nasync def main():\n    await below()\n")
    with pytest.raises(RegistryError, match="it calls workflow 'below', which is not registered"):
        Registry(workflows=[module.main])
    Registry(workflows=[module.main, module.below])


CONSTANTS = """
from datetime import UTC, datetime, time, timedelta, timezone
from re import IGNORECASE, compile

CET, NOON, PAUSE, WORD = timezone(timedelta(hours=1)), time(12), timedelta(minutes=5), compile("[a-z]+", IGNORECASE)


@workflow
async def main() -> list[str]:
    at = datetime(2026, 1, 31, NOON.hour, tzinfo=CET) + PAUSE
    return [at.astimezone(UTC).isoformat(), WORD.match("Ab1").group(), str(IGNORECASE == 2)]
"""


async def test_constants_of_the_standard_library_are_there(load: Load) -> None:
    answer = await Job({}).turn(runner_of(load(CONSTANTS)))
    assert answer.output == ["2026-01-31T11:05:00+00:00", "Ab", "True"]


LOOP = """@workflow
async def main(n: int) -> int:
    total = 0
    for i in range(n):
        total = await add(total, {})
    return total
"""


async def test_a_running_job_ends_with_the_code_that_it_began_with(load: Load) -> None:
    old, new, job = runner_of(load(LOOP.format(1))), runner_of(load(LOOP.format(100))), Job({"n": 3})
    await job.turn(old)
    answers = [await job.turn(new) for _ in range(3)]
    assert [answer.output for answer in answers] == [None, None, 3]


async def test_a_refused_state_is_made_again_once_from_the_recorded_outcomes(load: Load) -> None:
    runner, job = runner_of(load(LOOP.format(1))), Job({"n": 4})
    for _ in range(3):
        await job.turn(runner)
    state = base64.b64encode(zlib.compress(b"of another interpreter")).decode()
    job.turns[-1]["provider"]["workflowStretch"]["state"] = state
    with pytest.raises(ModelError, match="the state is refused"):
        await runner.turn(job.recorded(), None)
    answer = await job.turn(runner, whole=True)
    assert [call.arguments for call in answer.answer.calls] == [{"a": 3, "b": 1}]
    assert (await job.turn(runner)).output == 4


async def test_records_that_do_not_lead_to_the_same_calls_fail_the_job(load: Load) -> None:
    runner, job = runner_of(load(LOOP.format(1))), Job({"n": 4})
    for _ in range(2):
        await job.turn(runner)
    job.turns[0]["calls"][0]["arguments"] = {"a": 7, "b": 7}
    job.turns[-1]["provider"]["workflowStretch"]["state"] = ""
    with pytest.raises(RunFailedError, match="cannot be made again"):
        await runner.turn(job.recorded(whole=True), None)


async def test_a_state_of_a_newer_version_waits_for_the_newer_code(load: Load) -> None:
    runner, job = runner_of(load(LOOP.format(1))), Job({"n": 4})
    await job.turn(runner)
    job.turns[-1]["provider"]["workflowStretch"]["v"] = 99
    with pytest.raises(ModelError) as refused:
        await runner.turn(job.recorded(), None)
    assert (refused.value.type, refused.value.retryable) == ("newer_state", True)


HOSTILE = [
    ("    def deep(n):\n        return deep(n + 1)\n    return deep(0)", "RecursionError"),
    ("    return 'x' * 10**12", "MemoryError"),
    ("    x = []\n    while True:\n        x.append('y' * 10**6)", "MemoryError"),
    ("    return eval(\"__import__('os').environ\")", "NameError"),
    ("    return ().__class__.__bases__[0].__subclasses__()", "AttributeError"),
]


@pytest.mark.parametrize(("body", "kind"), HOSTILE, ids=[f"{kind}-{at}" for at, (_, kind) in enumerate(HOSTILE)])
async def test_code_that_takes_too_much_or_reaches_out_fails_alone(load: Load, body: str, kind: str) -> None:
    with pytest.raises(RunFailedError) as failed:
        await Job({}).turn(runner_of(load(f"@workflow\nasync def main():\n{body}\n")))
    assert failed.value.type == kind
    assert (await Job({}).turn(runner_of(load("@workflow\nasync def main():\n    return 7\n")))).output == 7


PAYS = """
from baton import ToolContext, ToolError
from baton.testing import Simulation

@tool(requires_approval=True)
async def pay(euros: int, ctx: ToolContext | None = None) -> str:
    Simulation.effect(ctx.idempotency_key)
    return f"{{euros}} {by}"

@tool
async def note(text: str) -> str:
    return text

@workflow
async def main() -> list[str]:
    done = [await pay({euros})]
    done.append(await pay(2))
    {noted}
    return [*done, await pay(3)]
"""
NOTED = "try:\n        await note('two')\n    except ToolError as gone:\n        done.append(str(gone)[:12])"


async def test_three_approvals_over_three_deploys_make_each_decided_call_once(load: Load) -> None:
    texts = [("1", "old", NOTED), ("100", "new", "pass"), ("200", "newest", "pass")]
    versions = [Registry(workflows=[load(PAYS.format(euros=e, by=by, noted=n)).main]) for e, by, n in texts]
    deployed, asked = Registry(workflows=[load(PAYS.format(euros=1, by="first", noted=NOTED)).main]), list[int]()

    def decide(checkpoint: Any) -> Approve:
        asked.append(checkpoint.arguments["euros"])
        vars(deployed).update(vars(versions[len(asked) - 1]))
        return Approve()

    run = await Simulation(deployed).run("main", "", decide=decide)
    assert run.result is not None, run.error
    assert run.result["output"] == ["1 old", "2 new", "unknown_tool", "3 newest"]
    assert asked == [1, 2, 3]
    assert len([attempt for attempt in run.attempts if attempt.effects]) == 3


METHODS = """
from dataclasses import dataclass, field

@dataclass
class Part:
    words: list[str] = field(default_factory=list)

    def size(self) -> int:
        return len(self.words) * FACTOR

@dataclass
class Far:
    words: list[str]

    def sent(self) -> int:
        return thing.send(self.words)

FACTOR, thing = 2, object()

@workflow
async def main(part: Part, far: Far) -> int:
    return await add(part.size(), len(far.words))
"""


async def test_a_dataclass_keeps_the_methods_that_can_run_though_an_annotation_alone_names_it(load: Load) -> None:
    runner, job = runner_of(load(METHODS)), Job({"part": {"words": ["a", "b"]}, "far": {"words": ["c"]}})
    await job.turn(runner)
    assert (await job.turn(runner)).output == 5


ODD_LINES = [
    "\x0c\ndef helper(x):\n    return x + 1\n\x0c\n@workflow\nasync def main():\n    return helper(1)\n",
    *(
        f"@workflow\nasync def main():\n    text = 'a{mark}b'  # {mark}\n    return text\n"
        for mark in "\x0b\x0c\x1c\x85\u2028"
    ),
    '''def made():
    @workflow
    async def main():
        number = 1
        text = f"""a
        {number}
      c""" + """d
            e
f"""
        async with asyncio.TaskGroup() as group:
            one = group.create_task(add(1, 2))
            last = b"""g
                h"""
        return [text, last.decode(), one.result()]
    return main

main = made()
''',
]


@pytest.mark.parametrize("text", ODD_LINES)
async def test_each_line_and_text_of_a_file_is_as_in_python(load: Load, text: str) -> None:
    """Also in a function in a function, and where a line has what ends others elsewhere."""
    module, job = load(text), Job({})
    while (answer := await job.turn(runner_of(module))).answer.calls:
        pass
    assert answer.output == await module.main()

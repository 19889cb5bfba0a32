"""Code that was changed while a job waits: it goes on where it asks for the same steps, and says where it does not."""

import re
from functools import reduce
from types import ModuleType
from typing import Any

import pytest

from baton.sdk.models.model import ModelError
from baton_events.errors import StoreError
from tests.unit.baton.sdk.workflows.conftest import Load
from tests.unit.baton.sdk.workflows.playing import Job, runner_of

STEPS = """
@tool
async def pack(order: int) -> str:
    return f"packed {order}"

@tool
async def pay(order: int, cents: int = 0) -> str:
    return f"paid {order}"

@tool
async def ship(order: int, token: str = "") -> str:
    return f"shipped {order}"
"""
BEFORE = """
@workflow
async def main(order: int) -> list[str]:
    done = [await pack(order)]
    done += await asyncio.gather(pay(order), ship(order))
    await sleep(60)
    return done
"""
LATER = "    async def later():\n        await asyncio.sleep(0)\n        return await pay(order)\n    done ="
WRAP = '@tool\nasync def wrap(order: int) -> str:\n    return f"packed {order}"\n\n@workflow'
BOTH = "async def both(order: int) -> list[str]:\n    return await asyncio.gather(pay(order), ship(order))\n\n@workflow"
PAYS = 'it had asked for pay({"order":1}); now its code asks for '
# Each: what is replaced by what; whether a job fits that waits for each of WAITS; what it says if not.
EDITS: dict[str, tuple[dict[str, str], str, str]] = {
    "nothing": ({}, "yes yes yes", ""),
    "a step is added at the end": ({"return done": "return [*done, await ship(2)]"}, "yes yes yes", ""),
    "a step is added in the middle": (
        {"    done +=": "    await pay(order, 5)\n    done +="},
        "yes no no",
        f'{PAYS}pay({{"cents":5,"order":1}}): File "FILE", line 25, in main',
    ),
    "a step is added at the beginning": (
        {"    done =": "    await ship(0)\n    done ="},
        "no no no",
        'it had asked for pack({"order":1}); now its code asks for ship({"order":0}): File "FILE", line 24, in main',
    ),
    "a step is removed": (
        {", ship(order)": ""},
        "yes no no",
        'it had asked for ship({"order":1}); now its code asks for no further step:',
    ),
    "all steps are removed": (
        {"    done =": "    return []\n    done ="},
        "no no no",
        'it had asked for pack({"order":1}); now its code ends there',
    ),
    "steps are reordered": (
        {"pay(order), ship(order)": "ship(order), pay(order)"},
        "yes no no",
        f'{PAYS}ship({{"order":1}}): File "FILE", line 25, in main',
    ),
    "a step is renamed": (
        {"@workflow": WRAP, "pack(order)": "wrap(order)"},
        "no no no",
        'it had asked for pack({"order":1}); now its code asks for wrap({"order":1}): File "FILE", line 28, in main',
    ),
    "an argument is changed": (
        {"sleep(60)": "sleep(61)"},
        "yes yes no",
        'it had asked for sleep({"seconds":60}); now its code asks for sleep({"seconds":61}): File "FILE", line 26',
    ),
    "a branch waits before its step": (
        {"    done =": LATER, "gather(pay(order)": "gather(later()"},
        "yes no no",
        f'{PAYS}ship({{"order":1}}): File "FILE", line 28, in main',
    ),
    "what it computes is changed, and a helper is moved": (
        {
            "@workflow": BOTH,
            "done = [await pack(order)]": 'print("changed")\n    first = await pack(order)',
            "done += await asyncio.gather(pay(order), ship(order))": "done = [first.upper(), *await both(order)]",
            "    await sleep(60)": "    await asyncio.sleep(0)\n    await sleep(60)",
        },
        "yes yes yes",
        "",
    ),
    "a guarded step is added": (
        {"    done +=": '    if workflow.patched("tax"):\n        await pay(order, 5)\n    done +='},
        "yes yes yes",
        "",
    ),
    "a guarded step takes the place of another one": (
        {"await sleep(60)": 'await (asyncio.sleep(1) if workflow.patched("quick") else sleep(60))'},
        "yes yes yes",
        "",
    ),
}
WAITS = ("the first step", "two steps", "a wait")


def _outcome(tool: str, arguments: dict[str, Any]) -> dict[str, Any]:
    return {"ok": f"{tool} {arguments}"}


async def _waiting(module: ModuleType, stretches: int) -> Job:
    """Play a job until so many stretches are recorded."""
    job, runner = Job({"order": 1}), runner_of(module.main)
    await job.turn(runner)
    while len(job.turns) < stretches:
        await job.turn(runner, [(number, _outcome(*asked)) for number, asked in job.open.items()], seconds=1)
    return job


async def _goes_on(job: Job, module: ModuleType) -> Any:
    """Play it to its end with other code, which makes it again at each turn."""
    runner = runner_of(module.main)
    while True:
        ended = [(number, _outcome(*asked)) for number, asked in job.open.items()]
        answer = await job.turn(runner, ended, seconds=60)
        if not answer.stretch:
            return answer.output


@pytest.mark.parametrize("at", [1, 2, 3], ids=WAITS)
@pytest.mark.parametrize("edit", EDITS)
async def test_a_job_goes_on_or_says_what_was_changed(load: Load, edit: str, at: int) -> None:
    changes, fits, fault = EDITS[edit]
    code = reduce(lambda text, change: text.replace(*change), changes.items(), BEFORE)
    job, changed = await _waiting(load(STEPS + BEFORE), at), load(STEPS + code)
    if fits.split()[at - 1] == "yes":
        assert await _goes_on(job, changed)
        return
    before = len(job.turns)
    with pytest.raises(ModelError) as refused:
        await _goes_on(job, changed)
    assert (refused.value.type, refused.value.retryable, len(job.turns)) == ("changed_code", True, before)
    message = re.sub(r"flow\d+\.py", "FILE", refused.value.message)
    assert message.startswith(fault), message
    assert "sets of texts have another order in each process" in message
    assert "workflow.patched(" in message


async def test_a_job_that_ran_when_the_change_was_there_keeps_it_and_an_older_one_never_gets_it(load: Load) -> None:
    code = """
@workflow
async def main() -> list[bool]:
    found = []
    for number in range(4):
        found.append(workflow.patched("a"))
        await sleep(number + 1)
    return found
"""
    old, new = load(code.replace('workflow.patched("a")', "False")), load(code)
    assert await Job().plays(runner_of(new.main), _outcome) == [True] * 4
    for at in range(1, 4):
        job, runner = Job(), runner_of(old.main)
        await job.turn(runner)
        for _ in range(at - 1):
            await job.turn(runner, [(number, {"ok": None}) for number in job.open])
        assert await _goes_on(job, new) == [False] * 4


async def test_what_is_redacted_is_compared_as_it_was_asked(load: Load) -> None:
    code = """
@workflow
async def main(order: int) -> str:
    await ship(order, token="one")
    await sleep(60)
    return "done"
"""
    same, other = load(STEPS + code), load(STEPS + code.replace('"one"', '"two"'))
    job = await _waiting(same, 2)
    for turn in job.turns:
        for call in turn["calls"]:
            call["arguments"] |= {"token": "[redacted]"} if "token" in call["arguments"] else {}
    with pytest.raises(ModelError, match="asked for ship"):
        await _goes_on(job, other)
    assert await _goes_on(job, same) == "done"


async def test_a_stretch_of_a_newer_version_waits_for_the_newer_code(load: Load) -> None:
    module = load(STEPS + BEFORE)
    job = await _waiting(module, 1)
    job.turns[0]["provider"]["workflowStretch"]["v"] = 3
    with pytest.raises(ModelError, match="version 3, this code knows 2") as refused:
        await _goes_on(job, module)
    assert (refused.value.type, refused.value.retryable) == ("newer_state", True)


async def test_a_record_that_cannot_be_read_yet_is_read_again(load: Load) -> None:
    module = load(STEPS + BEFORE)
    job = await _waiting(module, 2)
    hidden = job.turns.pop()
    with pytest.raises(StoreError, match="cannot be read yet"):  # which the queue repeats
        await _goes_on(job, module)
    job.turns.append(hidden)
    assert len(await _goes_on(job, module)) == 3

"""Jobs whose turns are code, over the same tools: a workflow's stretches, or one script of a model in code mode."""

from dataclasses import replace
from typing import Any

from tests.simulation.jobs import JobPlan, with_calls, with_scripts
from tests.simulation.scripts import CallPlan, Script

WORKFLOW, SCRIPT = "workflow", "script"
# Neither can code ask for: the one is no name in it, the other raises where it is called.
_NOT_CALLED = ("unknown", "bad")
_CODE = """
async def tried(call):
    tools = {{"work": work, "fragile": fragile, "stubborn": stubborn, "brisk": brisk, "talker": talker}}
    try:
        return str((await tools[call["tool"]](**call["arguments"]))["number"])
    except Exception:
        return "failed"

told = ["the end"]
for calls in {turns!r}:
    told += await asyncio.gather(*[tried(call) for call in calls])
", ".join(told)
"""


def arguments_of(call: CallPlan, nonce: int = 0) -> dict[str, Any]:
    """What a call of this plan gives its tool."""
    return {"number": call.number, "how": call.how, "times": call.times, "seconds": call.seconds, "nonce": nonce}


def turns_of(script: Script) -> list[list[dict[str, Any]]]:
    """The calls that code makes: those of a turn at once, then those of the next one."""
    return [[{"tool": call.tool, "arguments": arguments_of(call)} for call in turn.calls] for turn in script.turns[:-1]]


def code_of(script: Script) -> str:
    return _CODE.format(turns=turns_of(script))


def with_programs(jobs: tuple[JobPlan, ...], program: str) -> tuple[JobPlan, ...]:
    """The same jobs as code; what else fails of a model is left out, since none is asked, or only for its script."""

    def script(plain: Script, _number: int) -> Script:
        turns = tuple(replace(turn, pieces="", fails=0, forever=False) for turn in plain.turns)
        return replace(plain, turns=turns, reads_history=True, fickle=False, limits={}, program=program)

    def call(plain: CallPlan, *_place: int) -> CallPlan:
        return replace(plain, how="ok", times=0) if plain.how in _NOT_CALLED else plain

    return tuple(with_calls(with_scripts(job, script), call) for job in jobs)

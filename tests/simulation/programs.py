"""Jobs whose turns are code, over the same tools: a workflow's stretches, or one script of a model in code mode."""

from dataclasses import replace
from typing import Any

from tests.simulation.jobs import JobPlan, with_calls, with_scripts
from tests.simulation.scripts import AT_MOST_ONCE, WAITING_TOOLS, CallPlan, Script

WORKFLOW, SCRIPT = "workflow", "script"
# Neither can code ask for: the one is no name in it, the other raises where it is called.
_NOT_CALLED = ("unknown", "bad")
# Limits that code keeps: others count what is of a model. With jobs below, they are wide for all together.
_TIME = frozenset({"wall_seconds"})
_ROOM = _TIME | {"depth", "turns", "tool_calls", "tokens"}
_CODE = """
import json

async def tried(call):
    tools = {{
        "work": work, "fragile": fragile, "stubborn": stubborn, "brisk": brisk, "talker": talker, "order": order,
        "listen": listen, "nap": nap, "ask": ask, "sign": sign, "countersign": countersign,{once}
    }}
    try:
        result = await tools[call["tool"]](**call["arguments"])
    except Exception:
        return "failed"
    if call["tool"] in {waiting!r}:
        return json.dumps(result, sort_keys=True, separators=(",", ":"))
    return str(result["number"])

told = ["the end"]
for calls in {turns!r}:
    told += await asyncio.gather(*[tried(call) for call in calls])
", ".join(told)
"""


def arguments_of(call: CallPlan, nonce: int = 0) -> dict[str, Any]:
    """What a call of this plan gives its tool."""
    arguments = {"number": call.number, "how": call.how, "times": call.times, "seconds": call.seconds, "nonce": nonce}
    if call.wait is not None:
        arguments |= {"limit": call.wait.seconds, "name": call.wait.name}
    return arguments


def turns_of(script: Script) -> list[list[dict[str, Any]]]:
    """The calls that code makes: those of a turn at once, then those of the next one."""
    return [[{"tool": call.tool, "arguments": arguments_of(call)} for call in turn.calls] for turn in script.turns[:-1]]


def code_of(script: Script) -> str:
    has_once = any(call.tool == AT_MOST_ONCE for turn in script.turns for call in turn.calls)
    once = f' "{AT_MOST_ONCE}": {AT_MOST_ONCE},' if has_once else ""
    return _CODE.format(turns=turns_of(script), waiting=tuple(WAITING_TOOLS), once=once)


def with_programs(jobs: tuple[JobPlan, ...], program: str) -> tuple[JobPlan, ...]:
    """The same jobs as code; what else fails of a model is left out, since none is asked, or only for its script.

    Who is asked by them stays as it is.
    """

    def as_code(job: JobPlan) -> JobPlan:
        def script(plain: Script, number: int) -> Script:
            if number:
                return plain
            turns = tuple(replace(turn, pieces="", fails=0, forever=False) for turn in plain.turns)
            kept = _ROOM if job.helpers else _TIME
            limits = {name: value for name, value in plain.limits.items() if name in kept}
            kind: dict[str, Any] = {"reads_history": True, "fickle": False, "plans": False, "program": program}
            return replace(plain, turns=turns, limits=limits, **kind)

        def call(plain: CallPlan, number: int, *_place: int) -> CallPlan:
            if number:
                return plain
            plain = replace(plain, after=(), on_failure="")
            return replace(plain, how="ok", times=0) if plain.how in _NOT_CALLED else plain

        return with_calls(with_scripts(job, script), call)

    return tuple(map(as_code, jobs))

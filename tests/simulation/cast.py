"""The agents and tools of generated jobs: real `Agent`, `tool` and `Registry` objects that act by a job's script.

The tools are made once for a process, since a schedule is cheap and making a tool is not.
"""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from functools import cache
from typing import Annotated, Any

from pydantic import AfterValidator

from baton.sdk.agents.agent import Agent
from baton.sdk.agents.handler import Handler
from baton.sdk.agents.registry import Registry
from baton.sdk.models.model import ModelAnswer, ModelError, ModelRequest
from baton.sdk.records.limits import Limits
from baton.sdk.tools.context import ToolContext
from baton.sdk.tools.tool import Tool, tool
from baton.sdk.workflows.workflow import Workflow, workflow
from baton_events.values.waits import wait_seconds
from tests.simulation.actors import STAGE, SimModel
from tests.simulation.programs import SCRIPT, WORKFLOW
from tests.simulation.scripts import (
    ALL_KINDS,
    APPROVAL_SECONDS,
    APPROVED_TOOLS,
    AT_MOST_ONCE,
    BACKGROUND_TOOLS,
    BLOCKING_TOOLS,
    COUNTERSIGNED,
    LATE_TOOLS,
    ODD_TOOL,
    ODD_TOOLS,
    TOOLS,
    WAITING_TOOLS,
    Script,
)
from tests.simulation.shared_keys import limits_of_model, limits_of_tools
from tests.simulation.starters import event_of

MODEL_TIMEOUT_SECONDS = 8.0
# Of a workflow, which goes on beside it.
TIMER_SECONDS = 3 * 86_400
# One that says its text also waits for the store, which may not answer.
_TALKING_SECONDS = 19.0
_MOST_TURNS_OF_CAST = 100
_NONE: Mapping[str, tuple[int, float] | None] = {}
_BUGS = (ValueError,)
# A validator that is wrong for its own result: arguments that are converted twice, or shown converted, are others.
_SHIFT = 1_000_003
_Nonce = Annotated[int, AfterValidator(lambda sent: sent + _SHIFT)]


def _tool(name: str) -> Tool:
    kind = ALL_KINDS[name]

    once = 1 if name == AT_MOST_ONCE else None

    @tool(name=name, **asdict(kind), retry_on=_BUGS, background=True if name in BACKGROUND_TOOLS else None, starts=once)
    async def act(number: int, how: str, times: int, seconds: float, nonce: _Nonce, ctx: ToolContext) -> Any:
        """Act as the script says."""
        arguments = {"number": number, "how": how, "times": times, "seconds": seconds, "nonce": nonce - _SHIFT}
        return await STAGE.world.actors.run(name, arguments, ctx)

    return act


def _blocking_tool(name: str) -> Tool:
    kind = BLOCKING_TOOLS[name]

    @tool(name=name, **asdict(kind), retry_on=_BUGS)
    def act(number: int, how: str, times: int, seconds: float, nonce: _Nonce, stuck: float, ctx: ToolContext) -> Any:
        """Act as the script says, in a thread (blocking.py)."""
        arguments = {
            "number": number,
            "how": how,
            "times": times,
            "seconds": seconds,
            "nonce": nonce - _SHIFT,
            "stuck": stuck,
        }
        return STAGE.world.actors.run(name, arguments, ctx)

    return act


def _waiting_tool(name: str) -> Tool:
    kind = {**WAITING_TOOLS, **APPROVED_TOOLS}[name]

    @tool(
        name=name,
        **asdict(kind),
        retry_on=_BUGS,
        requires_approval=name in APPROVED_TOOLS,
        approval={"seconds": APPROVAL_SECONDS},
        approval_people=2 if name == COUNTERSIGNED else 1,
    )
    async def wait(
        number: int, how: str, times: int, seconds: float, nonce: _Nonce, limit: float, name: str, ctx: ToolContext
    ) -> Any:
        """Wait as the script says."""
        arguments = {"number": number, "how": how, "times": times, "seconds": seconds, "nonce": nonce - _SHIFT}
        return await STAGE.world.actors.run(tool_name, {**arguments, "limit": limit, "name": name}, ctx)

    tool_name = name
    return wait


@tool(name=ODD_TOOL, **asdict(ODD_TOOLS[ODD_TOOL]), retry_on=_BUGS)
async def _carry(number: int, how: str, times: int, seconds: float, nonce: _Nonce, value: Any, ctx: ToolContext) -> Any:
    """Act as the script says, with a value of any kind."""
    arguments = {"number": number, "how": how, "times": times, "seconds": seconds, "nonce": nonce - _SHIFT}
    return await STAGE.world.actors.run(ODD_TOOL, {**arguments, "value": value}, ctx)


ALL_TOOLS = (
    *(_tool(name) for name in (*TOOLS, AT_MOST_ONCE, *BACKGROUND_TOOLS, *LATE_TOOLS)),
    *(_waiting_tool(name) for name in (*WAITING_TOOLS, *APPROVED_TOOLS)),
    *map(_blocking_tool, BLOCKING_TOOLS),
    _carry,
)


# Those that code calls, by the names that it has for them.
_CODED = {one.name: one for one in ALL_TOOLS if one.name in {AT_MOST_ONCE, *TOOLS, *WAITING_TOOLS, *APPROVED_TOOLS}}
work, fragile, stubborn, brisk, talker, wire, order, listen, nap, ask, sign, countersign = _CODED.values()


async def _run(turns: list[list[dict[str, Any]]]) -> str:
    """Act as the script says, beside a timer of days that nobody awaits once the first calls are over."""
    told, timer = ["the end"], asyncio.ensure_future(asyncio.sleep(TIMER_SECONDS))
    for calls in turns:
        told += await asyncio.gather(*[_tried(call) for call in calls])
        timer.cancel()
    return ", ".join(told)


async def _tried(call: dict[str, Any]) -> str:
    tools = {
        "work": work,
        "fragile": fragile,
        "stubborn": stubborn,
        "brisk": brisk,
        "talker": talker,
        "wire": wire,
        "order": order,
        "listen": listen,
        "nap": nap,
        "ask": ask,
        "sign": sign,
        "countersign": countersign,
    }
    try:
        result = await tools[call["tool"]](**call["arguments"])
    except Exception:  # noqa: BLE001 - whatever its class
        return "failed"
    if call["tool"] in WAITING_TOOLS:
        return json.dumps(result, sort_keys=True, separators=(",", ":"))
    return str(result["number"])


@cache
def _workflow(name: str, limits: tuple[tuple[str, Any], ...]) -> Workflow[Any, Any]:
    return workflow(name=name, limits=Limits(**{"turns": 20_000, "tool_calls": 10_000, **dict(limits)}))(_run)


class LimitedModel(SimModel):
    async def answer(self, request: ModelRequest) -> ModelAnswer:
        """Do what the script says for this turn, and count it.

        A model that the queue asks is asked directly only where its answer was cut short; that is not counted.
        """
        if self._script.offloads:
            return await super().answer(request)
        calls = STAGE.world.call_limits
        with calls.model_at_work(self.agent):
            try:
                return await super().answer(request)
            except ModelError as error:
                calls.wants_patience(wait_seconds(error.retry_after_seconds) or 0.0)
                raise


@cache
def _tools_within(mixture: int) -> tuple[Tool, ...]:
    return tuple(replace(one, call_limits=limits_of_tools(mixture)) for one in ALL_TOOLS) if mixture else ALL_TOOLS


def make_registry(
    scripts: dict[str, Script], emitted: Mapping[str, tuple[int, float] | None] = _NONE, mixture: int = 0
) -> Registry:
    """The agents of a world, by name; app events start those that are `emitted`, some of them in batches.

    `mixture`: which limits their calls share.
    """
    model = LimitedModel if mixture else SimModel
    agents = [
        Agent(
            name=name,
            code_mode=script.program == SCRIPT,
            on=event_of(name) if name in emitted and not emitted[name] else "",
            model=model(script, name),
            offload="queue" if script.offloads else "",
            tools=list(_CODED.values()) if script.program else _tools_within(mixture),
            limits=Limits(**script.limits),
            model_retries=script.model_retries,
            model_settings={"timeout": _TALKING_SECONDS if script.words else MODEL_TIMEOUT_SECONDS},
            mode="plan" if script.plans else "loop",
            max_rounds=_MOST_TURNS_OF_CAST,
            call_limits=limits_of_model(mixture, offloads=script.offloads),
        )
        for name, script in scripts.items()
        if script.program != WORKFLOW
    ]
    workflows = [
        _workflow(name, tuple(script.limits.items())) for name, script in scripts.items() if script.program == WORKFLOW
    ]
    batched = {agent: batch for agent in agents if (batch := emitted.get(agent.name))}
    handlers = [Handler(event_of(agent.name, batched=True), agent, batch=batch) for agent, batch in batched.items()]
    return Registry([agent for agent in agents if agent not in batched], handlers=handlers, workflows=workflows)

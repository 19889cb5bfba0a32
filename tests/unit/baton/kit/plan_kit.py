"""Plans over tools that note when they ran, as jobs on the stage."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from baton import Agent, Limits, Registry, Step, ToolContext, ToolError, result_of, tool
from baton.engine.transitions import CallStatus
from tests.unit.baton.kit.stage import Stage


@dataclass
class Kit:
    """Tools that note in which order they ran."""

    ran: list[str] = field(default_factory=list[str])

    def __post_init__(self) -> None:
        @tool(retries=0)
        async def say(word: str) -> dict[str, Any]:
            """Say a word."""
            self.ran.append(word)
            return {"word": word, "letters": list(word)}

        @tool(retries=0)
        async def join(parts: list[str]) -> str:
            """Join texts."""
            self.ran.append("+".join(parts))
            return "+".join(parts)

        @tool(retries=0)
        async def look(value: Any) -> Any:
            """Give back what it is given."""
            self.ran.append("look")
            return {"got": value}

        @tool(retries=1, retry_delay_seconds=1.0)
        async def fail(times: int, ctx: ToolContext) -> str:
            """Fail so many times."""
            self.ran.append(f"fail {ctx.attempt}")
            if ctx.attempt <= times:
                raise ToolError("it broke", retryable=True, type="Broken")
            return "mended"

        self.say, self.join, self.look, self.fail = say, join, look, fail


def diamond(kit: Kit) -> list[Step]:
    """One, then two at once, then one with the results of both."""
    return [
        Step("top", kit.say, {"word": "top"}),
        Step("left", kit.say, {"word": result_of("top")["letters"][0]}, depends_on=["top"]),
        Step("right", kit.say, {"word": result_of("top")["letters"][-1]}, depends_on=["top"]),
        Step(
            "bottom",
            kit.join,
            {"parts": [result_of("left")["word"], "and", result_of("right")["word"]]},
            depends_on=["left", "right"],
        ),
    ]


async def stage_of(plan: Sequence[Step], limits: Limits | None = None) -> Stage:
    stage = Stage(registry=Registry([Agent(name="planned", plan=plan, limits=limits or Limits())]))
    await stage.submit("planned")
    return stage


async def statuses(stage: Stage) -> dict[str, CallStatus]:
    return {call.step: call.status for call in await stage.calls()}


async def parts_of(stage: Stage, *kinds: str) -> list[dict[str, Any]]:
    parts = [json.loads(text) for text in stage.store.tree("job_1").parts["job_1"]]
    return [part for part in parts if part["type"] in kinds]

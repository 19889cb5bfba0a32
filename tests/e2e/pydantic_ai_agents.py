"""An agent of pydantic-ai for processes that die: what it did is noted in the file NOTES names."""

import asyncio
import os
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic_ai import Agent, ModelRetry, RunContext
from pydantic_ai.capabilities import AbstractCapability
from pydantic_ai.messages import ModelMessage, ModelResponse, TextPart, ToolCallPart
from pydantic_ai.models.function import AgentInfo, FunctionModel
from pydantic_ai.workspaces import LocalWorkspaceBackend, WorkspaceBackend, WorkspaceRef

from baton import JobInfo, Registry
from baton.pydantic_ai import durable, hook_context, tool_context

NOTES = Path(os.environ["NOTES"])  # noqa: TID251 - a user's tool may read its environment
FOLDERS = NOTES.with_name("folders")
HEARD = NOTES.with_name("heard")


class Trip(BaseModel):
    city: str
    euros: int


def note(text: str) -> None:
    with NOTES.open("a") as file:
        file.write(f"{text}\n")


async def plan_trip(messages: list[ModelMessage], _: AgentInfo) -> ModelResponse:
    """Two calls at once, one call that waits for a person, then the trip."""
    turn = sum(isinstance(message, ModelResponse) for message in messages)
    note(f"model {turn}")
    await asyncio.sleep(0.7)
    turns = [
        [ToolCallPart("price", {"of": "train"}), ToolCallPart("price", {"of": "hotel"})],
        [ToolCallPart("book", {"euros": 120})],
        [ToolCallPart("final_result", {"city": "Ulm", "euros": 12})],
        [ToolCallPart("final_result", {"city": "Ulm", "euros": 120})],
    ]
    return ModelResponse(parts=list(turns[turn]))


planner: Agent[str, Trip] = Agent(FunctionModel(plan_trip), name="planner", output_type=Trip, deps_type=str)


@planner.tool
async def price(ctx: RunContext[str], of: str) -> int:
    """Look up a price."""
    note(f"begin {of} {tool_context().idempotency_key}")
    await asyncio.sleep(0.7)
    note(f"end {of} for {ctx.deps}")
    return 60


@planner.tool_plain(requires_approval=True)
async def book(euros: int) -> str:
    """Book the trip."""
    note(f"book {tool_context().idempotency_key}")
    await asyncio.sleep(0.7)
    return f"booked for {euros} euros"


@planner.output_validator
def enough(ctx: RunContext[str], trip: Trip) -> Trip:
    if trip.euros < 100:
        raise ModelRetry(f"too little, try {ctx.retry}")
    return trip


def who(job: JobInfo) -> Any:
    return job.input_data["who"]


async def tell(_messages: list[ModelMessage], _: AgentInfo) -> AsyncIterator[str]:
    """Begin, and go on once somebody has heard that."""
    yield "Once upon "
    while not HEARD.exists():  # noqa: ASYNC110 - another process makes it
        await asyncio.sleep(0.05)
    yield "a time."


teller = Agent(FunctionModel(stream_function=tell), name="teller")


class FolderBackend(LocalWorkspaceBackend):
    """A folder, made at its first use."""

    async def working_dir(self) -> str:
        folder = Path(self.ref.id)
        if not await asyncio.to_thread(folder.exists):
            await asyncio.to_thread(folder.mkdir, parents=True)
            note(f"made {folder.name}")
        return await super().working_dir()


@dataclass
class FolderOfJob(AbstractCapability[Any]):
    """A folder for each job, as a provider's sandbox."""

    def get_workspace(self, ctx: RunContext[Any], *, ref: WorkspaceRef | None) -> WorkspaceBackend:
        return FolderBackend(ref.id if ref else FOLDERS / hook_context().job_id)

    async def destroy(self, ref: WorkspaceRef) -> None:
        note(f"destroy {Path(ref.id).name}")
        await asyncio.sleep(0.7)
        await asyncio.to_thread(shutil.rmtree, ref.id, ignore_errors=True)


async def write_twice(messages: list[ModelMessage], _: AgentInfo) -> ModelResponse:
    turn = sum(isinstance(message, ModelResponse) for message in messages)
    note(f"model {turn}")
    await asyncio.sleep(0.7)
    parts = [ToolCallPart("write", {"n": turn})] if turn < 2 else [TextPart("written")]
    return ModelResponse(parts=parts)


writer: Agent[None, str] = Agent(FunctionModel(write_twice), name="writer", capabilities=[FolderOfJob()])


@writer.tool
async def write(ctx: RunContext[Any], n: int) -> str:
    """Write a line, if it is not there."""
    note(f"begin write {n}")
    await asyncio.sleep(0.7)
    script = f"grep -qx {n} lines 2>/dev/null || echo {n} >> lines; cat lines"
    return (await ctx.workspace.run(["sh", "-c", script])).stdout


registry = Registry(agents=[durable(planner, deps=who), durable(teller), durable(writer)])

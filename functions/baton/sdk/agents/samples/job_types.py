"""Three sample job types with checkpoints, none of which needs a model: a mark, an approval, several marks.

Invariant: each works offline with any `inputData`, and `code-generation` writes nothing before a person has approved
exactly the files to write.
"""

from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from baton.sdk.agents.agent import Agent
from baton.sdk.planning.reference import result_of, task_data, task_text
from baton.sdk.planning.step import Step
from baton.sdk.records.limits import Limits
from baton.sdk.tools.approval_rule import WEEK_SECONDS
from baton.sdk.tools.builtin.workspace import Workspace
from baton.sdk.tools.context import ToolContext
from baton.sdk.tools.tool import tool

WORKSPACE = Path(".baton/workspace")
_SAMPLE_ROWS = [{"lamp": "oil", "candles": 10}, {"lamp": "gas", "candles": 60}, {"lamp": "arc", "candles": 900}, {}]


class NewFile(BaseModel):
    """A file to be written; `path` is below the workspace."""

    model_config = ConfigDict(extra="forbid")

    path: Annotated[str, Field(min_length=1, max_length=400)]
    content: Annotated[str, Field(max_length=200_000)]


@tool(retries=1)
async def do_task(task: str, data: dict[str, Any], ctx: ToolContext) -> str:
    """Do a simple task, and leave a mark on the way."""
    await ctx.info("the task has begun", {"task": task, "inputData": data})
    return f"Done: {task or 'nothing in particular'}"


@tool(retries=1)
async def draft_files(task: str, data: dict[str, Any], ctx: ToolContext) -> dict[str, Any]:
    """Draft the files of a task: those that it gives, or one that says what was asked for."""
    files = data.get("files") or [{"path": "generated/TASK.md", "content": f"# {task or 'A task without words'}\n"}]
    await ctx.info("files are drafted", {"count": len(files)})
    return {"files": files}


@tool(retries=1, requires_approval=True, approval={"title": "write these files into the workspace"})
def write_files(files: Annotated[list[NewFile], Field(min_length=1, max_length=100)]) -> dict[str, Any]:
    """Write files below the workspace; those that are there already are replaced."""
    WORKSPACE.mkdir(parents=True, exist_ok=True)
    workspace = Workspace(WORKSPACE)
    return {
        "written": [
            {"path": file.path, "sizeBytes": workspace.write(file.path, file.content, replace=True)} for file in files
        ]
    }


@tool(retries=1)
async def load_rows(data: dict[str, Any], ctx: ToolContext) -> list[dict[str, Any]]:
    """Load the rows of a task: the first list in its data, or a small sample."""
    given = next((value for value in data.values() if isinstance(value, list)), _SAMPLE_ROWS)
    rows = [row if isinstance(row, dict) else {"value": row} for row in given]
    await ctx.info("rows are loaded", {"rows": len(rows)})
    return rows


@tool(retries=1)
async def clean_rows(rows: list[dict[str, Any]], ctx: ToolContext) -> list[dict[str, Any]]:
    """Leave out rows in which nothing stands."""
    kept = [row for row in rows if any(value not in (None, "") for value in row.values())]
    await ctx.info("rows are cleaned", {"kept": len(kept), "leftOut": len(rows) - len(kept)})
    return kept


@tool(retries=1)
async def sum_up_rows(rows: list[dict[str, Any]], ctx: ToolContext) -> dict[str, Any]:
    """Sum up each column of numbers."""
    columns: dict[str, list[float]] = {}
    for row in rows:
        for name, value in row.items():
            if isinstance(value, int | float) and not isinstance(value, bool):
                columns.setdefault(name, []).append(value)
    found = {
        name: {"count": len(values), "min": min(values), "max": max(values), "mean": sum(values) / len(values)}
        for name, values in columns.items()
    }
    await ctx.info("columns are summed up", {"columns": sorted(found)})
    return {"rows": len(rows), "columns": found}


simple_task = Agent(
    name="simple-task",
    description="Does a simple task, with a mark that blocks nothing.",
    plan=[Step("do", do_task, {"task": task_text, "data": task_data})],
)

code_generation = Agent(
    name="code-generation",
    description="Drafts files, and writes them once a person has approved them.",
    plan=[
        Step("draft", draft_files, {"task": task_text, "data": task_data}),
        Step("write", write_files, {"files": result_of("draft")["files"]}, depends_on=["draft"]),
    ],
    limits=Limits(wall_seconds=WEEK_SECONDS + 86_400),  # a job's time continues while it waits
)

data_processing = Agent(
    name="data-processing",
    description="Loads, cleans and sums up rows, with a mark after each step.",
    plan=[
        Step("load", load_rows, {"data": task_data}),
        Step("clean", clean_rows, {"rows": result_of("load")}, depends_on=["load"]),
        Step("sum-up", sum_up_rows, {"rows": result_of("clean")}, depends_on=["clean"]),
    ],
)

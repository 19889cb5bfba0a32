"""A tool that asks whether an operation is done yet.

Must not: reach beyond the job's tenant; the context it is given decides that.
"""

from typing import Annotated, Any

from pydantic import Field

from baton.tools.context import ToolContext
from baton.tools.tool import tool

OperationId = Annotated[str, Field(min_length=1, max_length=300)]


@tool(capabilities={"waiting"})
async def operation_status(operation_id: OperationId, context: ToolContext) -> dict[str, Any]:
    """Say whether an operation that was started is done yet, and how it ended.

    Args:
        operation_id: the operation's id, such as op_….
        context: the call, whose tenant's operations are known.
    """
    return await context.operations.status(operation_id)

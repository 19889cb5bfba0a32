"""Two tools over the memory of the running job: keep a note, find what was kept.

Must not: reach beyond the job's tenant; the context it is given decides that.
"""

from typing import Annotated, Any

from pydantic import Field

from baton.tools.context import ToolContext
from baton.tools.tool import tool

Note = Annotated[str, Field(min_length=1, max_length=4_000)]
Query = Annotated[str, Field(min_length=1, max_length=2_000)]
Limit = Annotated[int, Field(ge=1, le=50)]


@tool(capabilities={"memory"})
async def remember(text: Note, context: ToolContext) -> dict[str, Any]:
    """Remember something for later conversations: a fact, a decision, a preference.

    Args:
        text: what to remember, in words that make sense without this conversation.
        context: the call, whose session it is remembered with.
    """
    return await context.memory.remember(text)


@tool(capabilities={"memory"})
async def recall(query: Query, context: ToolContext, limit: Limit = 5) -> dict[str, Any]:
    """Look for what was remembered in earlier conversations, by meaning.

    Args:
        query: what to look for, in words.
        context: the call, whose memory is searched.
        limit: how many entries to give at most.
    """
    return await context.memory.recall(query, limit)

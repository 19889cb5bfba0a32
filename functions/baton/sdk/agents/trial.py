"""The agent of `POST /test/simple`: one of our own, which every registry knows and none lists.

Invariant: it costs nothing and touches nothing of a user's: its model is a script, its tool does nothing. Its turns
cover each of the four events: calls that end and one that fails. Must not: take input; the endpoint needs no key.
"""

from functools import cache

from baton.sdk.agents.agent import Agent
from baton.sdk.models.model import Call
from baton.sdk.models.scripted import ScriptedModel
from baton.sdk.tools.tool import tool
from baton.sdk.tools.tool_error import ToolError

TRIAL_AGENT, TRIAL_TOOL = "baton-trial", "baton_trial_call"


async def trial_call(*, fails: bool = False) -> str:
    """Do nothing, or fail."""
    if fails:
        raise ToolError("it was to fail", retryable=False)
    return "done"


@cache
def trial_agent() -> Agent:
    """Make the agent on first use: few processes ever run it."""
    answer = "Made one call, then two at once, of which one failed as it was to: turns, calls and both outcomes arrive."
    calls = [[Call(TRIAL_TOOL)], [Call(TRIAL_TOOL), Call(TRIAL_TOOL, {"fails": True})]]
    made = tool(name=TRIAL_TOOL, retries=0, timeout_seconds=5)(trial_call)
    return Agent(name=TRIAL_AGENT, model=ScriptedModel([*calls, answer]), tools=[made])

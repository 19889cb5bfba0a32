"""An agent whose tool may run twice at a time: `--app tests.e2e.limited_agents:registry`.

Each begin and end of the tool is noted in a file (environment `NOTES`), with the process.
"""

import os
import time
from pathlib import Path

from baton import Agent, Call, CallLimit, Registry, ScriptedModel, ToolContext, tool

_NOTES = Path(os.environ["NOTES"])  # noqa: TID251 - a user's tool may read its environment
IN_FLIGHT, CALLS = 2, 3


def _note(word: str, call_id: str) -> None:
    with _NOTES.open("a") as file:
        file.write(f"{word} {call_id} {os.getpid()}\n")


@tool(call_limits=[CallLimit("desk", in_flight=IN_FLIGHT)])
def sign(ctx: ToolContext, page: int) -> int:
    """Sign a page at one of two desks."""
    _note("begin", ctx.call_id)
    time.sleep(0.7)
    _note("end", ctx.call_id)
    return page


signs = ScriptedModel([[Call("sign", {"page": page}) for page in range(CALLS)], "signed"])
registry = Registry(agents=[Agent("clerk", model=signs, tools=[sign])])

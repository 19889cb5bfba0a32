"""The tools `remember` and `recall`."""

from dataclasses import replace

import pytest

from baton.sdk.tools.arguments import InvalidArguments
from baton.sdk.tools.builtin.job_tools import recall, remember
from baton.sdk.tools.context import NoMemory, ToolContext
from baton.sdk.tools.tool_error import ToolError


async def test_they_pass_on_what_the_model_requests() -> None:
    """An agent finds them by `capabilities={"memory"}` where the registry has them."""
    context = ToolContext.for_test()
    for text in ("The lamp is red.", "The door is green."):
        assert await remember.run({"text": text}, context) == {"remembered": True}
    assert await recall.run({"query": "lamp"}, context) == {"entries": [{"text": "The lamp is red."}]}
    assert await recall.run({"query": "the", "limit": 1}, context) == {"entries": [{"text": "The lamp is red."}]}
    assert context.recorder.memory.notes == ["The lamp is red.", "The door is green."]
    assert context.recorder.memory.queries == ["lamp", "the"]
    assert remember.capabilities == recall.capabilities == {"memory"}


@pytest.mark.parametrize("text", ["", "x" * 4001])
def test_a_note_has_a_limited_size(text: str) -> None:
    with pytest.raises(InvalidArguments, match="text"):
        remember.check({"text": text})


async def test_a_context_without_memory_says_so() -> None:
    """As an error of the tool, not worth another attempt."""
    context = replace(ToolContext.for_test(), memory=NoMemory())
    for used, arguments in ((remember, {"text": "a"}), (recall, {"query": "a"})):
        with pytest.raises(ToolError, match="there is no memory here") as raised:
            await used.run(arguments, context)
        assert not raised.value.retryable

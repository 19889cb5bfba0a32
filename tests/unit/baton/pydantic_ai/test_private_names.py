"""What the adapter uses of pydantic-ai is public but for three names; a release that takes one away is noticed here."""

import ast
from collections.abc import Iterator
from pathlib import Path

from pydantic_ai import Agent
from pydantic_ai.models.test import TestModel

import baton.pydantic_ai
from baton.pydantic_ai.run_state import NEXT_TO


def private_names() -> Iterator[str]:
    """Modules and attributes that begin with an underscore, as far as they are not the adapter's own."""
    for path in Path(baton.pydantic_ai.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            match node:
                case ast.ImportFrom(module=str(module), names=names):
                    yield from (part for part in [*module.split("."), *(one.name for one in names)] if part[0] == "_")
                case ast.Attribute(value=ast.Name(id=owner), attr=name) if name[0] == "_" and owner != "self":
                    yield f"{path.name}: {owner}.{name}"
                case ast.Constant(value=str(text)) if text.startswith("_") and text.isidentifier():
                    yield text
                case _:
                    pass


# What the version of an agent is made of, besides.
GIVEN = {"_instructions", "_system_prompts"}


def test_three_private_names_are_used() -> None:
    """Of whatever is enqueued: the call whose result it goes next to; of an agent: what it was made with."""
    others = {name for name in private_names() if not name.endswith("__")}
    assert others == {NEXT_TO, *GIVEN, "run_state.py: state._read"}


async def test_the_private_names_are_there() -> None:
    """Without the first `ctx.enqueue` of a tool adds a request of its own, not a part beside the result."""
    async with Agent(TestModel()).iter("hello") as run:
        run.enqueue("by the way")
        assert hasattr(run.ctx.state.pending_messages[-1], NEXT_TO)
    assert set(vars(Agent(TestModel()))) >= GIVEN

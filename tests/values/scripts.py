"""What a model writes where a script, or JSON, is asked for, drawn by chance: with words and fences around it.

Invariant: what it means runs or is read, and of two meanings none is chosen.
"""

from json import dumps
from typing import Any

from baton import CodeMode, tool
from baton.sdk.agents.code_mode import script_tool
from baton.sdk.models.fences import json_in
from baton_events.values.text import storable
from tests.values.odd import Drawn

_WORDS = ("", "Here it is:\n", "Sure! I'll call `look()`.\n\n", "# The script\n\n", "1. Look:\n", "Hope this helps.\n")
_LANGUAGES = ("", "python", "py", "Python3", "tool_code")
_OTHERS = ("```bash\npip install x\n```\n", "~~~text\n5\n~~~\n")
_SCRIPTS = (
    "x = 1\nx",
    "look(1)",
    "if look(1):\n    x = '```'\n    x",
    'x = """a\n\n b"""\nx',
    "for n in [1]:\n\n    look(n)",
)


@tool
def look(x: int = 0) -> int:
    """Look."""
    return x


_script_of = script_tool({"look": look}, CodeMode()).script_of


def _fenced(drawn: Drawn, inner: str, languages: tuple[str, ...]) -> str:
    chance = drawn.random
    marks, newline = chance.choice(("```", "````", "~~~")), chance.choice(("\n", "\n", " \n"))
    return f"{marks}{chance.choice(languages)}{newline}{inner}\n{marks}\n"


def _around(drawn: Drawn, block: str) -> str:
    chance = drawn.random
    before, after = (chance.choice(_WORDS) + chance.choice(("", *_OTHERS)) for _ in range(2))
    end = chance.choice(("", "\n", " \n\n"))
    return before + block + after + end if chance.random() < 0.8 else before + block.rstrip("`~\n")  # never closed


async def a_script(drawn: Drawn) -> None:
    """A model sends it to `run_code`."""
    assert _script_of is not None
    code = drawn.random.choice(_SCRIPTS)
    wanted = _script_of(_around(drawn, _fenced(drawn, code, _LANGUAGES)))
    assert wanted.script is not None, wanted
    assert wanted.script.code.strip() == code, wanted
    other = drawn.random.choice(_SCRIPTS)
    two = _script_of(f"{_fenced(drawn, code, ('python',))}\nThen:\n{_fenced(drawn, other, ('python',))}")
    assert (two.script is None) == (code != other), two
    odd = _script_of(storable(drawn.text() + drawn.json()))
    assert (odd.script is None) == (odd.fault is not None)


async def an_answer_in_words(drawn: Drawn) -> None:
    """A model answers with it where JSON is asked for."""
    value: Any = {"a": drawn.random.choice(("```", "b\nc", 1)), "b": [{}]}
    text = dumps(value, indent=drawn.random.choice((None, 2)))
    assert json_in(_around(drawn, _fenced(drawn, text, ("", "json", "JSON")))) == text
    assert json_in(f" {text}\n") == text
    json_in(drawn.text() + drawn.json())

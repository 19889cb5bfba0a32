"""Code mode: its options, the tool that a model is offered, what a registry refuses, secrets in scripts."""

import sys
import time
from typing import Any, Literal

import pytest
from pydantic import BaseModel

from baton import Agent, CodeMode, Registry, ScriptedModel, Step, ToolContext, tool
from baton.sdk.agents.agent import RunAgent
from baton.sdk.agents.code_mode import script_tool, without_secrets
from baton.sdk.agents.registry import RegistryError
from baton.sdk.pydantic_ai.runner import durable
from baton.sdk.tools.stubs import functions_of, python_name, stubs_of
from baton.sdk.tools.tool import Tool

MODEL = ScriptedModel(["done"])


class Order(BaseModel):
    """An order."""

    id: str
    cents: int | None = None


@tool
async def list_orders(n: int = 2, state: Literal["open", "paid"] = "open") -> list[str]:
    r"""List \orders "now".

    Args:
        n: how many.
        state: which.
    """
    return [state] * n


@tool(name="send-mail")
def send_mail(to: str, *, order: Order, ctx: ToolContext | None = None) -> Order:
    """Send a mail."""
    del to, ctx
    return order


@tool(name="send_mail")
def other_mail() -> None:
    """Send another mail."""


@tool(name="class")
def keyword() -> Any:
    """Have a keyword's name."""


@tool(name="print")
def builtin() -> dict[str, float]:
    """Have a name of Python's own."""
    return {}


@tool(name="run_code")
def taken() -> None:
    """Have the name."""


def _agent(*tools: Any, **options: Any) -> Agent:
    return Agent("clerk", **{"model": MODEL, "tools": tools, "code_mode": True, **options})


def test_the_model_is_offered_one_tool_whose_stubs_name_types_and_defaults() -> None:
    (spec,) = Registry([_agent(list_orders, send_mail)]).specs_of("clerk")
    assert spec.name == "run_code"
    assert spec.parameters["required"] == ["code"]
    assert list(spec.parameters["properties"]) == ["code"]
    about, _, stubs = spec.description.partition("\n\n")
    assert len(about.splitlines()) <= 10
    assert stubs == stubs_of({"list_orders": list_orders, "send-mail": send_mail})
    assert stubs.splitlines() == [
        "async def list_orders(n: int = 2, state: Literal['open'] | Literal['paid'] = 'open') -> list[str]:",
        '    """List \\\\orders \'now\'.',
        "    n: how many.",
        '    state: which."""',
        "    ...",
        "",
        "async def send_mail(to: str, order: dict[str, Any]) -> dict[str, Any]:",
        '    """Send a mail.',
        "    order: {'id': str, 'cents': int | None}",
        "    Returns {'id': str, 'cents': int | None}.\"\"\"",
        "    ...",
    ]


def test_names_that_python_forbids_or_has_become_others() -> None:
    names = {"send-mail": "send_mail", "class": "class_", "print": "print_", "2fa": "_2fa", "asyncio": "asyncio_"}
    assert {name: python_name(name) for name in names} == names
    tools: dict[str, Tool] = {each.name: each for each in (send_mail, keyword, builtin)}
    assert functions_of(tools) == {
        "send_mail": ("send-mail", ("to", "order")),
        "class_": ("class", ()),
        "print_": ("print", ()),
    }
    assert "async def class_() -> Any" in stubs_of(tools)
    assert "async def print_() -> dict[str, float]" in stubs_of(tools)


def test_what_does_not_go_with_code_mode_is_refused_all_at_once() -> None:
    agents = [
        _agent(list_orders, mode="plan"),
        Agent("fixed", tools=[list_orders], plan=[Step("s", list_orders)], code_mode=True),
        RunAgent("run", runner=durable(_library_agent()).runner, tools=[list_orders], code_mode=CodeMode()),
        Agent("none", model=MODEL, code_mode=True),
        Agent("taken", model=MODEL, tools=[taken], code_mode=True),
        Agent("twice", model=MODEL, tools=[send_mail, other_mail], code_mode=True),
    ]
    with pytest.raises(RegistryError) as refused:
        Registry(agents)
    assert list(refused.value.faults) == [
        "agent 'clerk': code_mode does not go with mode='plan': leave one of them out",
        "agent 'fixed': code_mode does not go with a fixed plan: leave one of them out",
        "agent 'run': code_mode does not go with a runner: leave one of them out",
        "agent 'none': code_mode needs tools for its scripts; add some",
        "agent 'taken': with code_mode no tool may be named 'run_code'; rename it",
        "agent 'twice': the tools 'send-mail', 'send_mail' are one function, send_mail(), in scripts; rename one",
    ]


def _library_agent() -> Any:
    from pydantic_ai import Agent as LibraryAgent  # noqa: PLC0415 - it is slow to import
    from pydantic_ai.models.test import TestModel  # noqa: PLC0415 - as above

    return LibraryAgent(TestModel(), name="run")


def test_without_the_interpreter_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pydantic_monty", None)
    with pytest.raises((RegistryError, ValueError)) as refused:
        Registry([_agent(list_orders)])
    assert "durable-baton[code-mode]" in str(refused.value)


@pytest.mark.parametrize("given", [1, "yes", None])
def test_no_other_option_is_taken(given: Any) -> None:
    with pytest.raises(TypeError, match="agent 'clerk': code_mode must be True, False or CodeMode"):
        _agent(list_orders, code_mode=given)


SECRET = "hunter2-hunter2"


@pytest.mark.parametrize(
    "code",
    [
        f"await login('ann', '{SECRET}')",
        f"await login(user='ann', password={SECRET!r})",
        f"password = '{SECRET}'\nawait login('ann', password)",
        f"config = {{'api_key': '{SECRET}'}}",
        f"config = {{}}\nconfig['token'] = '{SECRET}'",
        f"self.secret = f'a{{n}}{SECRET}'\nprint('{SECRET}')",
        f"token: str = '{SECRET}'",
        f"if (token := '{SECRET}'): pass",
        f"def broken(:\n    password = '{SECRET}'",
    ],
)
def test_a_literal_under_a_secrets_name_is_hidden(code: str) -> None:
    shown, secrets = without_secrets(code, {"login": ("login", ("user", "password"))})
    assert SECRET not in shown
    assert "[redacted]" in shown
    assert len(shown.splitlines()) == len(code.splitlines())
    assert any(SECRET in text for text in secrets)


def test_thousands_of_secrets_in_a_script_take_no_time() -> None:
    """The loop of the process waits for it."""
    began = time.process_time()
    shown, secrets = without_secrets("".join(f"password = 'x{number}'\n" for number in range(3_000)), {})
    assert time.process_time() - began < 1
    assert (len(secrets), shown) == (3_000, "password = '[redacted]'\n" * 3_000)


def test_a_long_word_in_what_is_no_script_is_read_once() -> None:
    """Read again from each of its letters, it would keep the process busy for minutes."""
    assert without_secrets(f"password = '{SECRET}' {'x' * 500_000}", {})[1] == (SECRET,)


def test_other_literals_stay() -> None:
    code = "await login('ann', name)\nx = {'max_tokens': 'a', 'text': 'ann'}\npassword = ''\n"
    assert without_secrets(code, {"login": ("login", ("user", "password"))}) == (code, ())


def _wanted(text: str) -> Any:
    """What is made of the text that a model gives as its script."""
    script_of = script_tool({"list_orders": list_orders}, CodeMode()).script_of
    assert script_of is not None
    return script_of(text)


@pytest.mark.parametrize("fence", ["```", "```python", "````py", "~~~Python3", "  ```python "])
@pytest.mark.parametrize("end", ["\n", "\r\n", "", " \n\n"])
def test_a_fence_around_a_script_is_none_of_it(fence: str, end: str) -> None:
    """As models write code for people, whatever they are told of the argument."""
    marks = fence.strip().rstrip("PpythonY3")
    wanted = _wanted(f"{fence}\nx = '``` in a text'\n\nx\n{marks}{end}")
    assert (wanted.script.code, wanted.arguments["code"]) == ("x = '``` in a text'\n\nx",) * 2


ADDED = "x = 1\nx"
_INDENTED = ADDED.replace("\n", "\n   ")


@pytest.mark.parametrize(
    "text",
    [
        *(f"Here is the script:\n```python\n{ADDED}\n```\nHope this helps", f"Sure!\n\n```\n{ADDED}\n```"),
        *(f"```python\n{ADDED}", f"{ADDED}\n```", f"Here:\n~~~py\n{ADDED}\n~~~\nDone.", f"```python\n{ADDED}``` Hope"),
        f"```bash\npip install x\n```\nThen:\n```python\n{ADDED}\n```\nIt says:\n```\n1\n```",
        f"1. Run:\n   ```Python3\n   {_INDENTED}\n   ```\n2. Done.",
        f"```python\n{ADDED}\n```\nAgain:\n```python\n{ADDED}\n```",
    ],
)
def test_words_around_a_script_are_none_of_it(text: str) -> None:
    wanted = _wanted(text)
    assert (wanted.script.code.strip(), wanted.arguments["code"].strip()) == (ADDED, ADDED)


def test_of_several_scripts_none_is_chosen() -> None:
    wanted = _wanted("First:\n```python\nx = 1\n```\nThen:\n```python\nx\n```")
    assert (wanted.script, wanted.fault.type) == (None, "script_error")
    assert "2 blocks of code. Send one script alone" in str(wanted.fault)


@pytest.mark.parametrize("code", ["x = '```'", "Here it is: x", 'x = """\n```python\ny\n```"""', "`x`", "```", ""])
def test_other_marks_stay(code: str) -> None:
    assert _wanted(code).script.code == code

"""The tool by which a model runs scripts over its agent's tools.

Invariant: what is recorded and shown of a script has no literal under a secret's name; the script runs with it. Must
not: run a script, or import the interpreter.
"""

import ast
import dataclasses
import importlib.util
import re
from collections.abc import Collection, Iterator, Mapping
from typing import TYPE_CHECKING

from baton.sdk.models.fences import block_around, blocks_of
from baton.sdk.records.limits import CODE_LIMIT_BYTES, MODULES, RUN_CODE, CodeMode
from baton.sdk.records.redaction import REDACTED, KnownSecrets, is_secret_name
from baton.sdk.records.transcript import Failure, Script, Wanted
from baton.sdk.tools.stubs import functions_of, python_name, stubs_of
from baton.sdk.tools.tool import Tool, tool

if TYPE_CHECKING:
    from baton.sdk.agents.agent import Agent

_Functions = Mapping[str, tuple[str, tuple[str, ...]]]
_ABOUT = f"""Run a Python script whose functions are your tools, which are listed below as stubs.
Call them with await at the top level: x = await some_tool(1). Names do not outlive a script.
Independent calls run in parallel: await asyncio.gather(*[some_tool(n) for n in numbers]).
The value of the last expression, or of a top-level return, is the result; it must be JSON. Printed text comes back too.
A failed or refused call raises at its await: catch Exception, or let the script end with its traceback.
There are no files, no network, no sleep and no other packages. Of asyncio there is gather. These modules work:
{", ".join(MODULES)}.
Classes cannot inherit; generators do not work.
"""
_PYTHON = ("python", "py", "python3", "py3", "tool_code")
_SECRET = re.compile(r"""(?<!\w)(\w+)["']?\]?\s*[=:]\s*(["'])(.*?)\2""")


@tool(name=RUN_CODE)
async def _run_code(code: str) -> None:
    """Stand for the script, which no tool runs.

    Args:
        code: the script.
    """


def script_tool(tools: Mapping[str, Tool], limits: CodeMode) -> Tool:
    """Make `run_code` of an agent with these tools. Raises ValueError: two of them would be one function."""
    for fault in _clashes(tools):
        raise ValueError(fault)
    functions = functions_of(tools)

    def script_of(code: str) -> Wanted:
        code, fault = _bare(code)
        shown, _ = without_secrets(code, functions)
        if (size_bytes := len(code.encode())) > CODE_LIMIT_BYTES:
            shown = f"{shown[:1000]}\n…"
            fault = f"the script has {size_bytes} bytes, over the limit of {CODE_LIMIT_BYTES}: write a shorter one"
        if fault:
            return Wanted(RUN_CODE, {"code": shown}, Failure("script_error", fault))
        return Wanted(RUN_CODE, {"code": shown}, script=Script(limits, functions, code))

    return dataclasses.replace(_run_code, description=f"{_ABOUT}\n{stubs_of(tools)}", script_of=script_of)


def _bare(code: str) -> tuple[str, str]:
    """Return a script without the fence and the words that models put around it, and why it is none."""
    for whole in (code, block_around(code), code.rstrip("`~ \t\r\n")):
        if whole.strip() and _is_python(whole):
            return whole, ""
    blocks = blocks_of(code, _PYTHON)
    if len(blocks) > 1:
        return code, f"the script was not run: its text has {len(blocks)} blocks of code. Send one script alone"
    return blocks[0] if blocks else code, ""


def _is_python(code: str) -> bool:
    try:
        tree = ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    lines = code.split("\n") if "~~~" in code else [""]  # a fence that Python reads, too
    return lines == [""] or not any(lines[each.lineno - 1].startswith("~~~") for each in tree.body)


def code_mode_faults(agent: "Agent", tools: Mapping[str, Tool]) -> Iterator[str]:
    """Yield why an agent with these tools cannot have code mode."""
    if importlib.util.find_spec("pydantic_monty") is None:
        yield "code_mode needs the interpreter: install the extra, durable-baton[code-mode]"
    for has, what in ((agent.plan, "a fixed plan"), (agent.mode == "plan", "mode='plan'"), (agent.runner, "a runner")):
        if has:
            yield f"code_mode does not go with {what}: leave one of them out"
    if not tools and not agent.servers:
        yield "code_mode needs tools for its scripts; add some"
    if RUN_CODE in tools:
        yield f"with code_mode no tool may be named {RUN_CODE!r}; rename it"
    yield from _clashes(tools)


def _clashes(tools: Mapping[str, Tool]) -> Iterator[str]:
    names = [python_name(name) for name in tools]
    for name in dict.fromkeys(name for name in names if names.count(name) > 1):
        same = ", ".join(repr(each) for each in tools if python_name(each) == name)
        yield f"the tools {same} are one function, {name}(), in scripts; rename one"


def without_secrets(code: str, functions: _Functions) -> tuple[str, tuple[str, ...]]:
    """Return a script without the literals under a secret's name, and these literals."""
    try:
        secrets = {text for node in ast.walk(ast.parse(code)) for text in _secrets_of(node, functions)}
    except (SyntaxError, ValueError, RecursionError, MemoryError):  # it will be refused, and is shown
        secrets = {found[3] for found in _SECRET.finditer(code) if is_secret_name(found[1])}
    found = tuple(sorted(text for text in secrets if text))
    code = _without_quoted(code, {form for text in found for form in (text, repr(text)[1:-1])})
    return KnownSecrets(found).hide(code), found


def _without_quoted(code: str, forms: Collection[str]) -> str:
    """Replace these texts where they stand in quotes, the longest first, in one pass: a script may have thousands."""
    lengths = sorted({len(form) for form in forms}, reverse=True)
    shown, at = list[str](), 0
    for quote in re.finditer("[\"']", code):
        begin = quote.end()
        for end in (begin + length for length in lengths if begin > at):
            if code[begin:end] in forms and code[end : end + 1] == quote[0]:
                shown += [code[at:begin], REDACTED]
                at = end
                break
    return "".join([*shown, code[at:]])


def _secrets_of(node: ast.AST, functions: _Functions) -> Iterator[str]:
    match node:
        case ast.Call():
            for keyword in node.keywords:
                yield from _texts(keyword.arg or "", keyword.value)
            _, names = functions.get(getattr(node.func, "id", ""), ("", ()))
            for name, value in zip(names, node.args, strict=False):
                yield from _texts(name, value)
        case ast.Dict():
            for key, value in zip(node.keys, node.values, strict=True):
                yield from _texts(_name_of(key), value)
        case ast.Assign():
            for target in node.targets:
                yield from _texts(_name_of(target), node.value)
        case ast.AnnAssign() if node.value is not None:
            yield from _texts(_name_of(node.target), node.value)
        case ast.NamedExpr():
            yield from _texts(node.target.id, node.value)
        case _:
            pass


def _name_of(node: ast.AST | None) -> str:
    """Return the name by which a value is known: a variable's, an attribute's, or a key."""
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name) | ast.Constant(value=str(name)):
            return name
        case ast.Subscript():
            return _name_of(node.slice)
        case _:
            return ""


def _texts(name: str, value: ast.AST) -> Iterator[str]:
    if is_secret_name(name):
        yield from (
            each.value for each in ast.walk(value) if isinstance(each, ast.Constant) and isinstance(each.value, str)
        )

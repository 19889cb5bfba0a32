"""A program for the interpreter: Baton's part before the user's code, that code on its own lines, and the call.

Invariant: a program is plain data, so it can be kept with a job. Names of Baton's part begin with `_baton_`. Must not:
start an interpreter.
"""

import ast
import builtins
import inspect
import typing
from collections.abc import Mapping
from types import FunctionType
from typing import Any

from msgspec import Struct

from baton.sdk.agents.agent import Agent, CodeAgent
from baton.sdk.tools.pending import Pending
from baton.sdk.tools.tool import Tool
from baton.sdk.workflows.code import Code
from baton.sdk.workflows.data import DATA, attributes_in
from baton.sdk.workflows.model_classes import shut_in
from baton.sdk.workflows.rewriting import Needs
from baton.sdk.workflows.shapes import Shape, Shapes
from baton.sdk.workflows.substitutes import SUBSTITUTES
from baton.sdk.workflows.task_groups import TASKS

STEP = "_baton_step"
MAKE = "_baton_make"
INPUT = "_baton_input"
JOB = "_baton_job"
# Inside, a class of exceptions of one's own is not possible, so a `ToolError` is a `RuntimeError`.
PRELUDE = """
import asyncio as _baton_asyncio
import re as _baton_re
from dataclasses import dataclass as _baton_dataclass, field as _baton_field
from datetime import date as _baton_date, datetime as _baton_datetime, time as _baton_time
from datetime import timedelta as _baton_timedelta, timezone as _baton_timezone
from decimal import Decimal as _baton_Decimal

_baton_ToolError = RuntimeError
_baton_MODELS = {}
_baton_FIELDS = {}
_baton_OPEN = set()
_baton_CHECKED = set()
_baton_has_aliases = False


class _baton_Namespace:
    pass


_baton_simple = {"int": int, "float": float, "bytes": lambda text: text.encode()}
_baton_simple["flag"] = lambda text: text == "true"


def _baton_lasting(text):
    time = "(?:T(?:([0-9]+)H)?(?:([0-9]+)M)?(?:([0-9]+)(?:[.]([0-9]+))?S)?)?"
    found = _baton_re.fullmatch("([-+]?)P(?:([0-9]+)Y)?(?:([0-9]+)D)?" + time, text)
    years, days, hours, minutes, seconds = [int(found.group(at) or 0) for at in (2, 3, 4, 5, 6)]
    micros = int((found.group(7) or "0").ljust(6, "0")[:6])
    lasts = _baton_timedelta(365 * years + days, seconds + 60 * minutes + 3600 * hours, micros)
    return -lasts if found.group(1) == "-" else lasts


def _baton_as(shape, value):
    if shape is None or value is None:
        return value
    kind = shape[0]
    if kind == "none":
        return None
    if kind == "union":
        found = [each for each in shape[1] if str(type(value))[8:-2] in each[1]]
        told = [each for each in found if all([any([value.get(n) in tags for n in names]) for names, tags in each[2]])]
        for inner, _, _ in told or found:
            return _baton_as(inner, value)
        return value
    if kind == "enum":
        return _baton_ENUMS[shape[1]](value)
    if kind == "datetime":
        return _baton_datetime.fromisoformat(value)
    if kind == "date":
        return _baton_date.fromisoformat(value)
    if kind == "decimal":
        return _baton_Decimal(str(value))
    if kind == "time":
        return _baton_time.fromisoformat(value)
    if kind == "timedelta":
        return _baton_lasting(value)
    if kind in _baton_simple:
        return _baton_simple[kind](value)
    if kind == "dict":
        return {_baton_as(shape[2], name): _baton_as(shape[1], item) for name, item in value.items()}
    if kind == "typed":
        return {name: _baton_as(shape[1].get(name), item) for name, item in value.items()}
    if kind == "tuple":
        return tuple([_baton_as(inner, item) for inner, item in zip(shape[1], value)])
    if kind == "model":
        fields = _baton_FIELDS[shape[1]]
        given = {}
        for name, shown, _, inner in fields:
            if shown in value:
                given[name] = _baton_as(inner, value[shown])
            elif name in value:
                given[name] = _baton_as(inner, value[name])
        if shape[1] in _baton_CHECKED:
            given["_baton_read"] = True
        made = _baton_MODELS[shape[1]](**given)
        if shape[1] in _baton_OPEN:
            known = [name for field in fields for name in field[:3]]
            more = [name for name in value if name not in known]
            for name in more:
                _baton_set(made, name, value[name])
            if _baton_has_aliases:
                made._baton_more = more
        return made
    items = [_baton_as(shape[1], item) for item in value]
    if kind == "list":
        return items
    if kind == "tuples":
        return tuple(items)
    return frozenset(items) if kind == "frozenset" else set(items)


def _baton_out(value, at):
    if not _baton_has_aliases:
        return value
    if isinstance(value, dict):
        return {name: _baton_out(item, at) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_baton_out(item, at) for item in value]
    fields = _baton_FIELDS.get(type(value).__name__) if hasattr(value, "__dataclass_fields__") else None
    if fields is None:
        return value
    made = {field[at]: _baton_out(getattr(value, field[0]), at) for field in fields}
    return made | {name: getattr(value, name) for name in getattr(value, "_baton_more", [])}


def _baton_copied(value, levels):
    if levels > 1 and isinstance(value, dict):
        return {name: _baton_copied(item, levels - 1) for name, item in value.items()}
    if levels > 1 and isinstance(value, (list, tuple)):
        items = [_baton_copied(item, levels - 1) for item in value]
        return items if isinstance(value, list) else tuple(items)
    return value.copy() if levels and isinstance(value, (list, dict, set)) else value


def _baton_init(made, args, given, fields, extra):
    kind, left = str(type(made))[8:-2], dict(given)
    # What the host gives was checked there; what the code makes is made there, too, and comes back where it differs.
    found = None if left.pop("_baton_read", False) else _baton_make(kind, args, left)
    if found is not None:
        shapes = {field[0]: field[3] for field in _baton_FIELDS[kind]}
        for name, (key, value) in found.items():
            levels = 0 if key and value is True else value if key and value else 1
            _baton_set(made, name, _baton_copied(left[key] if key else _baton_as(shapes.get(name), value), levels))
        return
    for name, keys, default in fields:
        found = [key for key in keys if key in left]
        if not found and default is None:
            raise ValueError(f"{kind}: {keys[0]}: Field required")
        _baton_set(made, name, left.pop(found[0]) if found else default())
    if left and extra == "forbid":
        raise ValueError(f"{kind}: {list(left)[0]}: Extra inputs are not permitted")
    for name in left if extra == "allow" else ():
        _baton_set(made, name, left[name])


def _baton_bind(name, names, required, args, kwargs):
    if len(args) > len(names):
        raise TypeError(f"{name}() takes {len(names)} arguments but {len(args)} were given")
    bound = dict(zip(names, args))
    for key, item in kwargs.items():
        if key not in names:
            raise TypeError(f"{name}() got an unexpected keyword argument '{key}'")
        if key in bound:
            raise TypeError(f"{name}() got multiple values for argument '{key}'")
        bound[key] = item
    missing = [key for key in required if key not in bound]
    if missing:
        raise TypeError(f"{name}() missing required argument '{missing[0]}'")
    return bound


def _baton_given(parameters, values):
    return {name: _baton_as(shape, values[name]) for name, shape in parameters if name in values}


def _baton_info(values):
    info = _baton_Namespace()
    info.job_id, info.session_id = values["job_id"], values["session_id"]
    info.tenant, info.task = values["tenant"], values["task"]
    return info


async def _baton_caught(branch):
    try:
        return await branch
    except Exception as error:
        return error


async def _baton_gather(*branches, return_exceptions=False):
    for each in branches:
        if isinstance(each, _baton_Task):
            await each._baton_group._baton_run()
    branches = [_baton_awaited(each) if isinstance(each, _baton_Task) else each for each in branches]
    if return_exceptions:
        return await _baton_asyncio.gather(*[_baton_caught(branch) for branch in branches])
    return await _baton_asyncio.gather(*branches)


@_baton_dataclass
class _baton_Decision:
    approved: bool
    data: dict
    reason: str = ""
    timed_out: bool = False


_baton_MODELS["Decision"] = _baton_Decision
_baton_FIELDS["Decision"] = [(name, name, name, None) for name in ("approved", "data", "reason", "timed_out")]
"""
_STUB = """
async def {stub}(*args, **kwargs):
    bound = _baton_bind({tool!r}, {names!r}, {required!r}, args, kwargs)
    bound = _baton_data({{name: _baton_listed(value) for name, value in bound.items()}}, "{tool}: an argument")
    return _baton_as({shape!r}, await _baton_step({tool!r}, _baton_out(_baton_plain(bound), 2)))
"""


_OWN_PART = (PRELUDE, SUBSTITUTES, TASKS, DATA)
# Python's own names that Baton's part has: of the code, they would be another thing there.
_NEEDED = frozenset(
    each.id
    for text in _OWN_PART
    for function in ast.walk(ast.parse(text))
    if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)  # what else is there, is run before
    for each in ast.walk(function)
    if isinstance(each, ast.Name) and hasattr(builtins, each.id)
)


class Program(Struct, frozen=True):
    """A program: `files` are the user's, as shown name, text and the numbers of lines that are not in the file.

    `parameters`: the shapes of the call's input.

    `is_checked`: its result is read by an annotation, so models in it have the names that they are read by.
    """

    prelude: str
    files: tuple[tuple[str, str, tuple[int, ...]], ...]
    late: str
    function: str
    parameters: tuple[tuple[str, Any], ...]
    job: str = ""
    is_checked: bool = False

    @property
    def call(self) -> str:
        """The text that calls the workflow with its input."""
        job = f"{self.job}=_baton_info({JOB})" if self.job else ""
        made = f"await {self.function}(**_baton_given({list(self.parameters)!r}, {INPUT}), {job})"
        return f"_baton_out(_baton_plain(baton_result(_baton_listed({made}))), {2 if self.is_checked else 1})"


def program_of(code: Code, function: FunctionType, hints: Mapping[str, Any], job: str) -> Program:
    """Write the program of a workflow whose code was read. `job`: the parameter that takes the job; empty: none."""
    shapes = code.shapes
    names = [name for name in inspect.signature(function).parameters if name != job]
    parameters = tuple((name, shapes.of(hints.get(name), f"parameter {name}")) for name in names)
    for step in code.steps.values():
        _shape_of(shapes, step)
    shapes.fields()  # notes all models that there are
    for model in list(shapes.models.values()):
        code.keep_methods(model)
    code.refuse_names(_NEEDED)
    stubs = [stub_of(shapes, target, step) for target, step in code.steps.items()]
    declared = [shapes.declared(model) for model in shapes.models.values() if not code.is_sourced(model)]
    known = [f"_baton_MODELS[{name!r}] = {name}" for name in shapes.models]
    needs = _needs(shapes)
    files = tuple((file.shown, *file.text(needs)) for file in code.files.values() if file.taken)
    return Program(
        prelude="\n".join(
            [
                *_OWN_PART,
                attributes_in(*(text for _, text, _ in files)),
                *dict.fromkeys(code.imports.values()),
                *_tables(shapes),
                *declared,
                *stubs,
                *code.early,
            ]
        ),
        files=files,
        late="\n".join([*known, *code.late]),
        function=function.__name__,
        parameters=parameters,
        job=job,
        is_checked=shapes.of(hints.get("return"), "the result") is not None,
    )


def _needs(shapes: Shapes) -> Needs:
    """Return what the models and enums of a program need of its code."""
    has_ranks = any(issubclass(each, str) for each in shapes.enums.values()) or bool(shapes.ordered())
    names = frozenset(name for fields in _shut(shapes).values() for name in fields)
    return Needs(has_ranks=has_ranks, has_enums=bool(shapes.enums), shut=names)


def _shut(shapes: Shapes) -> dict[str, dict[str, str]]:
    """Return for each model the fields that nobody sets, if there are any, each with the reason."""
    found = {name: shut_in(model) for name, model in shapes.models.items()}
    return {name: fields for name, fields in found.items() if fields}


def _tables(shapes: Shapes) -> list[str]:
    """Return the statements that note what is known of models and enums."""
    fields = shapes.fields()
    tables = [f"_baton_FIELDS.update({fields!r})", f"_baton_OPEN.update({shapes.open_models()!r})"]
    tables += [f"_baton_CHECKED.update({shapes.checked()!r})", *shapes.declared_enums()]
    tables += [f"_baton_ORDERS.update({shapes.ordered()!r})", f"_baton_SHUT.update({_shut(shapes)!r})"]
    if any(name != other for each in fields.values() for name, *others, _ in each for other in others):
        tables.append("_baton_has_aliases = True")
    return tables


def stub_of(shapes: Shapes, target: str, step: Tool | Agent | CodeAgent) -> str:
    """Return the function that stands for a tool, an agent or a workflow."""
    names, required = ["task"], ["task"]
    if isinstance(step, Tool):
        names, required = list(step.parameters["properties"]), step.parameters.get("required", [])
    elif isinstance(step, CodeAgent):
        names, required = step.parameters()
    return _STUB.format(stub=target, shape=_shape_of(shapes, step), tool=step.name, names=names, required=required)


def _shape_of(shapes: Shapes, step: Any) -> Shape:
    if isinstance(step, Tool) and step.name == "approval":
        return ("model", "Decision")
    if isinstance(step, Agent):
        return shapes.of(step.output_type, f"the output of {step.name}")
    try:
        hint = typing.get_type_hints(step.function, include_extras=True).get("return")
    except (NameError, TypeError, AttributeError):
        return None
    is_wait = Pending in (hint, *typing.get_args(hint))  # its result is JSON
    return None if is_wait else shapes.of(hint, f"the result of {step.name}")

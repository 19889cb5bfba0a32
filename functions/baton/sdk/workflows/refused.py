"""What a registry refuses of a workflow's code: calls that give another value each time, or act outside of its steps.

Invariant: one table says which; a name counts by what it is, and code that names one is taken to call it. All faults
are found at once, each with file, line and the way out. Must not: refuse anything else of Python, or look into a step.
"""

import sys
from collections.abc import Iterator, Mapping
from datetime import date
from types import BuiltinMethodType, FunctionType
from typing import Any

from baton.sdk.workflows.loads import NOTHING, Load, attribute_of, shown_as
from baton.sdk.workflows.set_order import set_faults
from baton.sdk.workflows.steps import Reached

_AGAIN = "gives another value when the run is made again"
_OUTSIDE = "acts outside of the steps, once more whenever the run is made again"
_TOOL = "move it into a @tool"
_NOW, _SECONDS = "write workflow.now()", "write workflow.now().timestamp()"
_CLOCKS = "monotonic monotonic_ns perf_counter perf_counter_ns process_time process_time_ns thread_time thread_time_ns"
# Names of a module, what a call of them does, and the way out.
_TABLE = (
    ("datetime", "datetime.now datetime.utcnow", _AGAIN, _NOW),
    ("datetime", "date.today", _AGAIN, "write workflow.now(), or workflow.now().date()"),
    ("time", f"time time_ns {_CLOCKS}", _AGAIN, _SECONDS),
    (
        "time",
        "sleep",
        "stops all branches, and waits again whenever the run is made again",
        "write await asyncio.sleep(…)",
    ),
    ("random", "SystemRandom", _AGAIN, "write workflow.random()"),
    ("uuid", "uuid1 uuid4 uuid6 uuid7 uuid8", _AGAIN, "write workflow.uuid4()"),
    ("secrets", "choice randbelow randbits token_bytes token_hex token_urlsafe", _AGAIN, _TOOL),
    ("os", "urandom getrandom", _AGAIN, _TOOL),
    ("builtins", "open", _OUTSIDE, _TOOL),
    ("builtins", "input", _OUTSIDE, "write await approval(…), or wait_for_event(…)"),
)
# The same of calls without an argument.
_BARE = (
    ("time", "asctime ctime gmtime localtime", _AGAIN, _NOW),
    ("random", "Random", _AGAIN, "write workflow.random(), or give it a seed"),
)


def faults_of(function: FunctionType) -> list[str]:
    """Return all faults of a workflow's code, and of the user's functions that it reaches, as `FILE:LINE: text`."""
    table, bare = _by_id(_TABLE) | _functions_of_random(), _by_id(_BARE)
    found = list[str]()
    for each, loads in Reached(function).functions:
        path = each.__code__.co_filename
        if path == "<string>":  # what a dataclass writes for its class
            continue
        faults = [*_call_faults(loads.found, table, bare), *set_faults(each, loads)]
        shown = shown_as(path, str(each.__globals__.get("__name__")))
        found += [f"{shown}:{line}: {text}" for line, text in sorted(faults)]
    return list(dict.fromkeys(found))


_ById = Mapping[int, tuple[str, str]]


def _call_faults(loads: list[Load], table: _ById, bare: _ById) -> Iterator[tuple[int, str]]:
    for each in loads:
        value = each.value
        if type(value) is BuiltinMethodType and isinstance(value.__self__, type):  # `now = datetime.now`
            value = attribute_of(value.__self__, value.__name__)
        fault = table.get(id(value)) or (bare.get(id(value)) if each.is_called_bare else None)
        if fault:
            name, is_moment = fault[0], issubclass(type(each.owner), type) and issubclass(each.owner, date)
            shown = f"{each.owner.__name__}.{name.rpartition('.')[2]}" if is_moment else name
            yield each.line, f"{shown}() {fault[1]}"


def _by_id(rows: tuple[tuple[str, str, str, str], ...]) -> dict[int, tuple[str, str]]:
    """Return the rows of modules that are loaded: other code cannot call theirs."""
    found = dict[int, tuple[str, str]]()
    for module, names, does, way in rows:
        for name in names.split():
            value: Any = sys.modules.get(module, NOTHING)
            for part in name.split("."):
                value = NOTHING if value is NOTHING else attribute_of(value, part)
            if value is not NOTHING:
                is_whole = "." in name or module == "builtins"
                found[id(value)] = (name if is_whole else f"{module}.{name}", f"{does}; {way}")
    return found


def _functions_of_random() -> dict[int, tuple[str, str]]:
    """Return the functions that share one state for the whole process."""
    names = vars(sys.modules["random"]) if "random" in sys.modules else {}
    own = {name: each for name, each in names.items() if getattr(each, "__self__", None) is names["_inst"]}
    return {id(each): (f"random.{name}", f"{_AGAIN}; write workflow.random().{name}(…)") for name, each in own.items()}

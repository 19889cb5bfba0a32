"""What a registry refuses of a workflow's code: calls that give another value each time, or act outside of its steps.

So are loops over sets that ask for steps: a set of texts has another order in each process, so the steps would differ.
They are seen in one function, by its source; sets that come from elsewhere are met when the run is made again. Sets of
tasks are well, since tasks have an order. What all runs of a process share, as a lock of a module, is refused, too.
Invariant: one table says which calls; a name counts by what it is, and code that names one is taken to call it. All
faults are found at once, each with file, line and the way out. Must not: run code, refuse anything else of Python, or
look into a step.
"""

import ast
import asyncio
import builtins
import linecache
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date
from functools import lru_cache
from inspect import iscoroutinefunction
from itertools import count
from random import Random  # noqa: TID251 - its class, which no code calls here
from types import BuiltinMethodType, FunctionType
from typing import Any, TypeAlias

from baton.sdk.workflows.loads import NOTHING, Load, Loads, attribute_of, closure_of, shown_as
from baton.sdk.workflows.steps import STEPS, Reached

_Function: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
_FUNCTION = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
_COMPREHENSION = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
_Comprehension: TypeAlias = ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp
_Check: TypeAlias = Callable[[ast.expr], bool]
_SETS = (set, frozenset)
_KEEPERS = frozenset({"list", "tuple", "enumerate", "reversed", "iter", "zip", "map", "filter"})
_OF_SETS = frozenset({"union", "intersection", "difference", "symmetric_difference", "copy"})
_OPERATORS = (ast.Sub, ast.BitAnd, ast.BitOr, ast.BitXor)
_TASKS = frozenset({"create_task", "ensure_future"})
_TOGETHER = frozenset({"gather", "wait", "as_completed"})
_WHY = "asks for steps, and the order of a set differs between processes"


def set_faults(function: FunctionType, loads: Loads) -> Iterator[tuple[int, str]]:
    """Yield the faults of a function with their lines; none where its source cannot be read."""
    values = [each.value for each in loads.found]
    if loads.has_sets or "keys" in loads.names or any(each in _SETS or type(each) in _SETS for each in values):
        path, first = function.__code__.co_filename, function.__code__.co_firstlineno
        for node in _functions_in(path).get(first, ()):
            if function.__code__.co_name == getattr(node, "name", "<lambda>"):
                yield from _Body(node, function).faults()


@lru_cache(64)
def _functions_in(path: str) -> dict[int, list[_Function]]:
    """Return the functions of a file by the line where each begins, with its decorators."""
    try:
        tree = ast.parse("".join(linecache.getlines(path)))
    except (SyntaxError, ValueError):
        return {}
    found = dict[int, list[_Function]]()
    for node in ast.walk(tree):
        if isinstance(node, _FUNCTION):
            decorators = getattr(node, "decorator_list", [])
            found.setdefault(min([node.lineno, *(each.lineno for each in decorators)]), []).append(node)
    return found


class _Body:
    """The syntax of one function, with those inside it."""

    def __init__(self, node: ast.AST, function: FunctionType) -> None:
        self._nodes = list(ast.walk(node))
        self._names = function.__globals__ | closure_of(function)
        self._assigned = _assigned_in(self._nodes)
        self._async = {each.name for each in self._nodes if isinstance(each, ast.AsyncFunctionDef)}
        self._asked = set[tuple[str, str]]()

    def faults(self) -> Iterator[tuple[int, str]]:
        """Yield each place where the order of a set becomes the order of steps."""
        for node in self._nodes:
            match node:
                case ast.For() if self._is_set(node.iter) and self._asks(node.body):
                    yield node.iter.lineno, f"a loop over a set {_WHY}; loop over sorted(…)"
                case ast.While() if any(map(self._is_taken, _run_in([node]))) and self._asks(node.body):
                    yield node.lineno, f"a loop that takes from a set {_WHY}; take from a list, by sorted(…)"
                case ast.ListComp() | ast.SetComp() | ast.DictComp() | ast.GeneratorExp() if self._asks_by_set(node):
                    yield node.lineno, f"a comprehension over a set {_WHY}; write it over sorted(…)"
                case ast.Call() if self._is_together(node):
                    yield node.lineno, f"{_last_name(node.func)}(…) of a set {_WHY}; pass a list, or sorted(…)"
                case _:
                    pass

    def _is_taken(self, node: ast.AST) -> bool:
        match node:
            case ast.Call(func=ast.Attribute(value=owner, attr="pop"), args=[]):
                return self._is_set(owner)
            case _:
                return False

    def _asks_by_set(self, node: _Comprehension) -> bool:
        """Return whether a comprehension goes over a set, and asks for steps by what it finds there."""
        parts = [node.key, node.value] if isinstance(node, ast.DictComp) else [node.elt]
        for at, loop in enumerate(node.generators):
            later = node.generators[at + 1 :]
            inner = [*parts, *loop.ifs, *(part for each in later for part in (each.iter, *each.ifs))]
            if self._is_set(loop.iter) and (self._asks(inner) or any(each.is_async for each in later)):
                return True
        return False

    def _is_together(self, node: ast.Call) -> bool:
        """Return whether a set of what is no task yet is waited for."""
        name = _last_name(node.func)
        if name == "gather":
            starred = [each.value for each in node.args if isinstance(each, ast.Starred)]
            seen = [each for each in starred if isinstance(each, _COMPREHENSION) and self._asks_by_set(each)]
            return any(self._is_set(each) for each in starred if each not in seen)
        of_calls = (each for each in node.args if self._is_made_of(each, "call", lambda one: isinstance(one, ast.Call)))
        return name in _TOGETHER and any(map(self._is_set, of_calls))

    def _is_set(self, node: ast.expr) -> bool:
        """Return whether a value is a set, or has the order of one. One of tasks alone is well."""
        parts = list[ast.expr]()  # one of them is enough
        match node:
            case ast.Set() | ast.SetComp():
                parts = [node]
            case ast.ListComp(generators=loops) | ast.GeneratorExp(generators=loops) | ast.DictComp(generators=loops):
                parts = [each.iter for each in loops]
            case ast.List(elts=elements) | ast.Tuple(elts=elements):
                parts = [each.value for each in elements if isinstance(each, ast.Starred)]
            case ast.IfExp(body=one, orelse=other):
                parts = [one, other]
            case ast.NamedExpr(value=value):
                parts = [value]
            case ast.BinOp(left=left, op=operator, right=right) if isinstance(operator, _OPERATORS):
                parts = [node] if "keys" in map(_called_name, (left, right)) else [left, right]
            case ast.Call(func=called, args=arguments):
                parts = self._ordered_by(node, called, arguments)
            case ast.Name(id=name) if name in self._assigned:
                return self._is_always(name, "set", self._is_set)
            case _:
                value = self._meaning(node)
                return issubclass(type(value), _SETS) and len(value) > 0
        found = any(each is node or self._is_set(each) for each in parts)
        return found and not self._is_made_of(node, "task", self._is_task)

    def _ordered_by(self, node: ast.Call, called: ast.expr, arguments: list[ast.expr]) -> list[ast.expr]:
        """Return what gives a call's result its order; the call itself makes a set."""
        value, name = self._meaning(called), _last_name(called)
        if any(value is each for each in _SETS):
            return [node] if arguments else []
        if isinstance(called, ast.Attribute) and name in _OF_SETS:
            return [called.value]
        is_kept = name == "fromkeys" or (isinstance(called, ast.Name) and name in _KEEPERS)
        return arguments if is_kept else []

    def _is_task(self, node: ast.expr) -> bool:
        if isinstance(node, ast.Name):
            return self._is_always(node.id, "task", self._is_task)
        return _called_name(node) in _TASKS

    def _is_made_of(self, node: ast.expr, what: str, fits: _Check) -> bool:
        """Return whether all elements of a value are seen in the syntax, and fit."""
        match node:
            case ast.Set(elts=parts) | ast.List(elts=parts) | ast.Tuple(elts=parts):
                return bool(parts) and all(map(fits, parts))
            case ast.SetComp(elt=part) | ast.ListComp(elt=part) | ast.GeneratorExp(elt=part):
                return fits(part)
            case ast.Call(func=ast.Name(), args=[inner]):
                return self._is_made_of(inner, what, fits)
            case ast.Name(id=name):
                return self._is_always(name, f"of {what}", lambda each: self._is_made_of(each, what, fits))
            case _:
                return False

    def _is_always(self, name: str, what: str, fits: _Check) -> bool:
        """Return whether every value that a variable gets fits; one that is made of itself is asked once."""
        values = self._assigned.get(name, [None])
        if (name, what) in self._asked:
            return True
        self._asked.add((name, what))
        try:
            return all(each is not None and fits(each) for each in values)
        finally:
            self._asked.discard((name, what))

    def _asks(self, nodes: Iterable[ast.AST]) -> bool:
        """Return whether code asks for a step, or makes something that does once it is awaited."""
        for node in _run_in(nodes):
            match node:
                case ast.Await() | ast.AsyncFor() | ast.AsyncWith() | ast.comprehension(is_async=1):
                    return True
                case ast.Call(func=called):
                    value, name = self._meaning(called), _last_name(called)
                    is_step = issubclass(type(value), STEPS) or iscoroutinefunction(value)
                    if is_step or name in _TASKS or (isinstance(called, ast.Name) and name in self._async):
                        return True
                case _:
                    pass
        return False

    def _meaning(self, node: ast.expr) -> Any:
        """Return what a name or a chain of attributes is, where that is known before the code runs."""
        match node:
            case ast.Name(id=name) if name not in self._assigned:
                return self._names.get(name, getattr(builtins, name, NOTHING))
            case ast.Attribute(value=inner, attr=name):
                owner = self._meaning(inner)
                return NOTHING if owner is NOTHING else attribute_of(owner, name)
            case _:
                return NOTHING


def _assigned_in(nodes: list[ast.AST]) -> dict[str, list[ast.expr | None]]:
    """Return the values that variables get, by name; None: one that the syntax does not show."""
    values = dict[ast.expr, ast.expr | None]()
    for each in nodes:
        match each:
            case ast.Assign(targets=targets, value=value):
                values.update(dict.fromkeys(targets, value))
            case ast.AnnAssign(target=target, value=value) | ast.NamedExpr(target=target, value=value):
                values[target] = value
            case ast.AugAssign(target=target, op=operator) if isinstance(operator, _OPERATORS):
                values[target] = target
            case _:
                pass
    found = dict[str, list[ast.expr | None]]()
    for each in nodes:
        if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store):
            found.setdefault(each.id, []).append(values.get(each))
        elif name := _named(each):
            found.setdefault(name, []).append(None)
    return found


def _named(node: ast.AST) -> str:
    """Return the name that a parameter, an import, a definition or a pattern binds."""
    match node:
        case ast.arg(arg=name) | ast.alias(asname=str(name)) | ast.MatchMapping(rest=str(name)):
            return name
        case ast.alias(name=name):
            return name.partition(".")[0]
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef() | ast.ExceptHandler(name=str()):
            return node.name or ""
        case ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)):
            return name
        case _:
            return ""


def _run_in(nodes: Iterable[ast.AST]) -> Iterator[ast.AST]:
    """Yield what runs with this code: no function in it."""
    for node in nodes:
        yield node
        if not isinstance(node, _FUNCTION):
            yield from _run_in(ast.iter_child_nodes(node))


def _called_name(node: ast.expr) -> str:
    return _last_name(node.func) if isinstance(node, ast.Call) else ""


def _last_name(node: ast.expr) -> str:
    return str(getattr(node, "attr", getattr(node, "id", "")))


_AGAIN = "gives another value when the run is made again"
_OUTSIDE = "acts outside of the steps, once more whenever the run is made again"
_TOOL = "move it into a @tool"
_NOW, _SECONDS = "write workflow.now()", "write workflow.now().timestamp()"
_CLOCKS = "monotonic monotonic_ns perf_counter perf_counter_ns process_time process_time_ns thread_time thread_time_ns"
_HTTP = "delete get head options patch post put request"
_LOCKS = (asyncio.Lock, asyncio.Event, asyncio.Condition, asyncio.Semaphore, asyncio.Barrier, asyncio.Queue)
_STATEFUL = (*_LOCKS, asyncio.Future, Random, count)
_SHARED = "has another state when this one is made again; make it in the workflow's own code"
# Names of a module, what a call of them does, and the way out.
_TABLE = (
    ("datetime", "datetime.now datetime.utcnow", _AGAIN, _NOW),
    ("datetime", "date.today", _AGAIN, "write workflow.now(), or workflow.now().date()"),
    ("time", f"time time_ns {_CLOCKS}", _AGAIN, _SECONDS),
    ("time", "sleep", "stops all branches, and waits each time", "write await asyncio.sleep(…)"),
    ("random", "SystemRandom", _AGAIN, "write workflow.random()"),
    ("uuid", "uuid1 uuid4 uuid6 uuid7 uuid8", _AGAIN, "write workflow.uuid4()"),
    ("secrets", "choice randbelow randbits token_bytes token_hex token_urlsafe", _AGAIN, _TOOL),
    ("os", "getpid getrandom listdir scandir urandom walk", _AGAIN, _TOOL),
    ("glob", "glob iglob", _AGAIN, _TOOL),
    ("os", "makedirs mkdir popen remove rename replace system unlink", _OUTSIDE, _TOOL),
    ("subprocess", "Popen call check_call check_output getoutput getstatusoutput run", _OUTSIDE, _TOOL),
    ("socket", "create_connection socket", _OUTSIDE, _TOOL),
    ("urllib.request", "urlopen urlretrieve", _OUTSIDE, _TOOL),
    ("requests", f"{_HTTP} Session session", _OUTSIDE, _TOOL),
    ("httpx", f"{_HTTP} stream AsyncClient Client", _OUTSIDE, _TOOL),
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
        if issubclass(type(value), _STATEFUL):
            yield each.line, f"one {type(value).__name__} for all runs of a process {_SHARED}"
        elif fault:
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

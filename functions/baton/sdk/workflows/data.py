"""The text by which a program keeps what is no data inside."""

import ast
from contextlib import suppress

# Functions of the code, classes, calls that are not awaited, views of objects, iterators and what contains itself would
# leave the interpreter as texts.
DATA = """
_baton_tools = {}
_baton_kinds = ("function", "builtin_function_or_method", "type", "coroutine", "module")
_baton_views = ("range", "slice", "dict_keys", "dict_values", "dict_items", "generator", "EnumType")
_baton_data_of = ("datetime", "decimal", "collections")
_baton_classes = _baton_attributes = ()


def _baton_data(value, what):
    left, open_, seen = [(value, False)], set(), set()
    while left:
        one, is_left = left.pop()
        if is_left:
            open_.discard(id(one))
            continue
        kind = str(type(one))[8:-2]
        if kind in _baton_kinds:
            names = [f"function '{name}'" for (name, _), tool in _baton_tools.items() if tool is one]
            name = names[0] if names else repr(one)[1:-1].split(" at 0x")[0].replace(" external", "")
            name = name.replace("coroutine object _baton_call", "a call without await")
            raise TypeError(f"{what} has {name}, which is no data: call it, await it, or give its name as a text")
        module = kind.rpartition(".")[0]
        if kind in _baton_views or kind.endswith("iterator") or (module and module not in _baton_data_of):
            raise TypeError(f"{what} has a {kind}, which is no data: give a list of it, or a text about it")
        is_object = kind in _baton_classes or hasattr(one, "__dataclass_fields__")
        if not is_object and not isinstance(one, (dict, list, tuple, set, frozenset)):
            continue
        if id(one) in open_:
            raise TypeError(f"{what} has a {kind} that contains itself, which is no data: give a copy without it")
        if id(one) in seen:
            continue
        seen.add(id(one))
        open_.add(id(one))
        left.append((one, True))
        if is_object:
            names = set(getattr(one, "__dataclass_fields__", ())) | {n for n in _baton_attributes if hasattr(one, n)}
            inner = [getattr(one, name) for name in sorted(names)]
            # A function leaves with the name of its field, which is said.
            inner = [each for each in inner if str(type(each))[8:-2] not in _baton_kinds]
        else:
            inner = one.values() if isinstance(one, dict) else one
        left.extend([(each, False) for each in inner if not isinstance(each, (str, int, float))])
    return value


def baton_result(value):
    return _baton_data(value, "the result")
"""


def attributes_in(*codes: str) -> str:
    """Return the text that names the classes of these codes, and what they keep in instances: nothing else tells."""
    classes, names = dict[str, None](), dict[str, None]()
    for code in codes:
        with suppress(SyntaxError, ValueError, RecursionError, MemoryError):
            for node in ast.walk(ast.parse(code)):
                match node:
                    case ast.ClassDef(name=name):
                        classes[name] = None
                    case ast.Attribute(attr=name, ctx=ast.Store()):
                        names[name] = None
                    case _:
                        pass
    return f"_baton_classes = {tuple(classes)!r}\n_baton_attributes = {tuple(names)!r}\n"

"""What stands before a script in the interpreter: its functions, and the one door by which values leave.

A value leaves as the text of its JSON. Its size and depth are counted by use before it is written out, so what a script
uses a thousand times counts a thousand times, and takes no memory. Invariant: nothing but this text calls the door, and
with texts alone; a script cannot reach it, nor what the functions here are made of. Must not: start an interpreter.
"""

import ast
from collections.abc import Collection

from baton.sdk.tools.arguments import ARGUMENTS_LIMIT_BYTES
from baton_events.values.json_value import DEPTH_LIMIT

DOOR = "baton_door"
# The file of the text here, which the interpreter gets first.
OURS = "<python-input-0>"
# Python's own names as they are before a script uses them for something else.
_NATIVE = (
    *("TypeError", "abs", "bool", "bytes", "dict", "divmod", "float", "frozenset", "getattr", "hasattr", "id", "int"),
    *("isinstance", "len", "list", "repr", "set", "sorted", "str", "tuple", "type"),
)
# Functions, classes, calls that are not awaited, views of objects, iterators and what contains itself are no data.
_MADE = """
    from datetime import date, time, timedelta
    from decimal import Decimal
    from json import dumps

    no_values = ("function", "builtin_function_or_method", "type", "coroutine", "module")
    waiting, named, tools, at, longest = {}, {}, [], [0], 10**4300

    def baton_leave(*given):
        return door(dumps(given, separators=(",", ":"), ensure_ascii=False))

    def baton_no_value(one):
        names = [f"function '{name}'" for tool, name, _ in tools if tool is one]
        name = names[0] if names else repr(one)[1:-1].split(" at 0x")[0].replace(" external", "")
        name = name.replace("coroutine object baton_awaited", "a call without await")
        return f"{name}, which is no data: call it, await it, or give its name as a text"

    def baton_text(one, kind):
        if isinstance(one, (date, time)):
            return one.isoformat()
        if isinstance(one, Decimal):
            return str(one)
        if isinstance(one, timedelta):
            seconds = one.days * 86400 + one.seconds
            whole, rest = divmod(abs(seconds * 1000000 + one.microseconds), 1000000)
            part = f".{rest:06d}".rstrip("0") if rest else ""
            return f"{'-' if one.days < 0 else ''}PT{whole}{part}S"
        if isinstance(one, bytes):
            try:
                return one.decode()
            except ValueError:
                pass
        return None

    def baton_fields(one):
        own = list(getattr(one, "__dataclass_fields__", ()))
        found = [(name, getattr(one, name)) for name in dict.fromkeys([*own, *attributes]) if hasattr(one, name)]
        return [(name, each) for name, each in found if name in own or str(type(each))[8:-2] not in no_values]

    def baton_data(value, what, most, way):
        done, open_ = {}, set()

        def baton_fault(given):
            return TypeError(f"{what} {given}")

        def baton_key(key):
            if key is None or isinstance(key, bool):
                return {True: "true", False: "false"}.get(key, "None")
            kind = str(type(key))[8:-2]
            is_number = isinstance(key, int) or (isinstance(key, float) and key - key == 0)
            name = str(key) if is_number else None if isinstance(key, float) else baton_text(key, kind)
            if name is None:
                raise baton_fault(f"has a {kind} as a key, which is no name in JSON: give a text, or a list of pairs")
            return name

        def baton_of(one, depth):
            if one is None or isinstance(one, (bool, int)):
                if one is not None and not -longest < one < longest:
                    raise baton_fault("has a whole number of more than 4300 digits: give it as text")
                return one, 1, 0
            if isinstance(one, str):
                return one, len(one) + 2, 0
            if isinstance(one, float):
                if one - one != 0:
                    raise baton_fault(f"has {one}, which is no number in JSON: give None or a text in its place")
                return one, 1, 0
            found = done[id(one)][1] if id(one) in done else None
            if depth + (found[2] if found else 0) > deepest:
                raise baton_fault(f"is nested deeper than {deepest} levels: flatten it")
            if found:
                return found
            kind = str(type(one))[8:-2]
            if kind in no_values:
                raise baton_fault(f"has {baton_no_value(one)}")
            is_named = isinstance(one, dict) or kind in classes or hasattr(one, "__dataclass_fields__")
            if not is_named and not isinstance(one, (list, tuple, set, frozenset)) and kind != "collections.deque":
                text = baton_text(one, kind)
                if text is None:
                    raise baton_fault(f"has a {kind}, which is no data: give a list of it, or a text about it")
                return text, len(text) + 2, 0
            if id(one) in open_:
                raise baton_fault(f"has a {kind} that contains itself, which is no data: give a copy without it")
            open_.add(id(one))
            made, size, levels = {} if is_named else [], 1, 0
            items = one if not is_named else list(one.items()) if isinstance(one, dict) else baton_fields(one)
            for item in items:
                name, item = item if is_named else (None, item)
                plain, inner, below = baton_of(item, depth + 1)
                if is_named:
                    name = name if isinstance(name, str) else baton_key(name)
                    if name in made:
                        raise baton_fault("has two names of an object that are the same text: make them differ")
                    made[name] = plain
                    inner += len(name) + 3
                else:
                    made.append(plain)
                size, levels = size + inner + 1, below if below > levels else levels
                if size > most:
                    raise baton_fault(f"is over the limit of {most} characters as JSON: {way}")
            if isinstance(one, (set, frozenset)):
                made = sorted(made, key=repr)
            open_.discard(id(one))
            found = made, size, levels + 1
            done[id(one)] = one, found
            return found

        return baton_of([value], -1)[0][0]

    async def baton_awaited(key, future):
        waiting.pop(key, None)
        return await future

    def baton_tool(function, name, line):
        if line and named.get(name) is not function:
            return function
        for tool, known, place in tools:
            if known == name and place == line:
                return tool

        def baton_called(*args, **kwargs):
            place = line or at[0]
            given = baton_data([args, kwargs], f"{name}: an argument", most_given, "give less, or a reference")
            future = baton_leave("call", name, place, *given)
            key = str(future)
            waiting[key] = f"{name}() in line {place}"
            return baton_awaited(key, future)

        tools.append((baton_called, name, line))
        return baton_called

    def baton_result(value):
        baton_leave("value", baton_data(value, "the result", most_returned, "return less. The calls before have run"))

    def baton_at(line):
        at[0] = line

    def baton_left():
        baton_leave("left", list(waiting.values()))

    for name in functions:
        named[name] = baton_tool(None, name, 0)
    return baton_tool, baton_result, baton_at, baton_left, named
"""


def prelude_of(code: str, functions: Collection[str], most_returned: int) -> str:
    """Return the text before a script with these functions. `most_returned`: of its value, in characters."""
    natives = ", ".join(f"{name}={name}" for name in _NATIVE)
    classes, attributes = _instances_of(code)
    given = (tuple(functions), classes, attributes, ARGUMENTS_LIMIT_BYTES, most_returned, DEPTH_LIMIT)
    lines = [
        f"def _baton_made(door, functions, classes, attributes, most_given, most_returned, deepest, {natives}):{_MADE}",
        f"_baton = _baton_made({DOOR}, {', '.join(map(repr, given))})",
        "baton_tool, baton_result, baton_at, baton_left, _baton = _baton",
        *(f"{name} = _baton[{name!r}]" for name in functions),
        # Else a script could have functions of this text call the door.
        f"_baton_made = {DOOR} = None",
    ]
    return "\n".join(lines) + "\n"


def _instances_of(code: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the names of a code's classes, and of what it keeps in their instances: nothing else tells.

    Where it sets attributes by name, each text in it may be one.
    """
    try:
        nodes = list(ast.walk(ast.parse(code)))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return (), ()
    classes = dict.fromkeys(node.name for node in nodes if isinstance(node, ast.ClassDef))
    names = [node for node in nodes if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store)]
    names.sort(key=lambda node: (node.lineno, node.col_offset))
    found = dict.fromkeys(node.attr for node in names)
    if any(isinstance(node, ast.Name) and node.id == "setattr" for node in nodes):
        texts = (node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str))
        found |= dict.fromkeys(text for text in texts if text.isidentifier())
    return tuple(classes), tuple(found)

"""Programs over the interpreter's subset of Python, made from a seed. As ordinary Python each one is its own oracle.

Invariant: each ends: loops have few rounds, and numbers stay small. The same seed gives the same text.
"""

import random  # noqa: TID251 - it is seeded
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

_MOST_DEEP = 2
_NUMBERS = ("a", "b", "c")
_RAISED = (
    *("raise ValueError('planned')", "a = await fails('value')", "a = await fails('tool')"),
    *("a = d['none']", "b = a // 0", "a = 1"),
)
_PAIRS = ("b, a", "divmod(a, 5)", "[y for y, *_ in [(c, *xs), (1, 2), (2,)] if y is not None][:2]")
_HELPERS = """
def half(x, *, up=False):
    return -(-x // 2) if up else x // 2


def folded(values, start=0):
    total = start
    for at, value in enumerate(values):
        if value is None:
            continue
        total = (total * 3 + value + at) % 997
    else:
        total += 1
    return total


async def summed(x, *others):
    total = x
    for other in others:
        total = await add(total, other)
    return total


async def tried(call, otherwise):
    try:
        return await call
    except ValueError as error:
        return otherwise + len(str(error))
    except Exception:
        return otherwise
"""


class _Maker:
    def __init__(self, seed: int) -> None:
        self._dice = random.Random(seed)
        self._counters = 0

    def _one(self, *made: Callable[[], str]) -> str:
        return self._dice.choice(made)()

    def _small(self) -> str:
        return str(self._dice.randint(-9, 9))

    def _name(self) -> str:
        return self._dice.choice(_NUMBERS)

    def number(self, depth: int = 0) -> str:
        """Make an expression that is a number, unless it raises."""
        if depth >= _MOST_DEEP:
            return self._one(self._small, self._name)
        x = y = partial(self.number, depth + 1)
        return self._one(
            self._name,
            lambda: f"({x()} {self._dice.choice('+-*')} {y()}) % 997",
            lambda: f"({x()} {self._dice.choice(('//', '%'))} {self._dice.choice(('3', '7', y()))})",
            lambda: f"({x()} if {self.truth(depth + 1)} else {y()})",
            lambda: f"{self._dice.choice(('min', 'max'))}({x()}, {y()}, {self._name()})",
            lambda: f"half({x()}{self._dice.choice(('', ', up=True'))})",
            lambda: f"folded({self.values(depth + 1)}, start={self._small()})",
            lambda: f"len({self.values(depth + 1)})",
            lambda: f"sum(v or 0 for v in {self.values(depth + 1)}) % 997",
            lambda: f"d.get({self.key()}, {x()})",
            lambda: f"int(f'{{{self._name()}:>+9,d}}'.strip(' +-').replace(',', '') or 0)",
        )

    def truth(self, depth: int = 0) -> str:
        number = partial(self.number, depth + 1)
        return self._one(
            lambda: f"-99 <= {number()} {self._dice.choice(('<', '<=', '==', '!=', '>'))} {number()}",
            lambda: f"not {number()} and {self._name()} is not None",
            lambda: f"{self.key()} in d or {number()} > 3",
            lambda: f"any(v and v % 2 for v in {self.values(depth + 1)})",
        )

    def key(self) -> str:
        return self._dice.choice(("'x'", "'y'", "'z'", "f'k{a % 3}'"))

    def values(self, depth: int = 0) -> str:
        number = partial(self.number, depth + 1)
        return self._one(
            lambda: "xs",
            lambda: f"[{number()}, {number()}]",
            lambda: f"[v * 2 % 97 for v in xs if v is not None and v > {self._small()}]",
            lambda: f"sorted(d.values(), key=lambda v: (v % 5, v), reverse={self._dice.random() < 0.5})",
            lambda: f"xs[{self._small()}:{self._small()}][::-2]",
            lambda: "list(reversed(xs))",
            lambda: f"[*xs[:2], *({number()} for _ in range(2))]",
            lambda: "[one + two for (one, two) in zip(range(3), (4, 5, 6))]",
        )

    def step(self) -> str:
        """Make a call of a tool, or of a helper that makes some."""
        number = partial(self.number, 1)
        return self._one(
            lambda: f"add({number()}, {number()})",
            lambda: f"twice(x={number()})",
            lambda: f"tried(fails({self._dice.choice(('value', 'key', 'tool'))!r}), {number()})",
            lambda: f"summed({number()}, {number()})",
        )

    def block(self, depth: int, indent: str, *, in_loop: bool = False) -> list[str]:
        lines = list[str]()
        for _ in range(self._dice.randint(1, 3 if depth else 6)):
            lines += self._statement(depth, indent, in_loop=in_loop)
        return lines

    def _statement(self, depth: int, indent: str, *, in_loop: bool) -> list[str]:
        simple = (
            lambda: [f"{self._name()} = {self.number()}"],
            lambda: [f"{self._name()} += {self.number(1)}", f"{self._name()} %= 997"],
            lambda: [f"{self._name()} = await {self.step()}"],
            lambda: [f"xs.append({self.number(1)})", "xs = xs[-6:]"],
            lambda: [f"d[{self.key()}] = {self.number(1)}"],
            lambda: [f"a, b = {self._dice.choice(_PAIRS)}"],
            lambda: [f"xs += await asyncio.gather({', '.join(self.step() for _ in range(self._dice.randint(1, 3)))})"],
            lambda: [f"c = sum(await asyncio.gather(*[add(v or 0, {self._small()}) for v in xs[:3]])) % 997"],
            lambda: [f"if {self.truth()}:", f"    {self._dice.choice(('break', 'continue')) if in_loop else 'pass'}"],
        )
        if depth >= _MOST_DEEP or self._dice.random() < 0.6:
            return [f"{indent}{line}" for line in self._dice.choice(simple)()]
        inner, further = f"{indent}    ", self._dice.choice((self._if, self._loop, self._try, self._match))
        return further(depth + 1, indent, inner, in_loop)

    def _if(self, depth: int, indent: str, inner: str, in_loop: bool) -> list[str]:
        yes, no = (self.block(depth, inner, in_loop=in_loop) for _ in range(2))
        return [f"{indent}if {self.truth()}:", *yes, f"{indent}else:", *no]

    def _loop(self, depth: int, indent: str, inner: str, in_loop: bool) -> list[str]:
        body = self.block(depth, inner, in_loop=True)
        if self._dice.random() < 0.5:
            head = self._dice.choice(("i in range(3)", "i, v in enumerate(xs[:2])", "k in sorted(d)[:2]"))
            return [f"{indent}for {head}:", *body]
        self._counters += 1
        counter = f"n{self._counters}"
        return [f"{indent}{counter} = 0", f"{indent}while ({counter} := {counter} + 1) < 4:", *body]

    def _try(self, depth: int, indent: str, inner: str, in_loop: bool) -> list[str]:
        body = self.block(depth, inner, in_loop=in_loop)
        raised = self._dice.choice(_RAISED)
        caught = self._dice.choice(("ValueError", "(KeyError, ZeroDivisionError)", "Exception"))
        lines = [f"{indent}try:", *body, f"{inner}{raised}", f"{indent}except {caught} as error:"]
        lines += [f"{inner}xs.append(isinstance(error, ValueError) + 0)", *self.block(depth, inner, in_loop=in_loop)]
        if self._dice.random() < 0.4:
            lines += [f"{indent}else:", f"{inner}c = {self.number(1)}"]
        return [*lines, f"{indent}finally:", f"{inner}b = await {self.step()}"]

    def _match(self, depth: int, indent: str, inner: str, in_loop: bool) -> list[str]:
        deeper = f"{inner}    "
        arms = [
            (pattern, self.block(depth, deeper, in_loop=in_loop))
            for pattern in ("[]", "[one]", "[one, *_] if one is None or one > 3", "_")
        ]
        lines = [line for arm, body in arms for line in (f"{inner}case {arm}:", *body)]
        return [f"{indent}match {self.values()}:", *lines]


def script_of(seed: int) -> str:
    """Make the text of a model's script, which ends with its variables."""
    block: Sequence[str] = _Maker(seed).block(0, "")
    begin = ["a, b, c = 1, 2, 3", "xs = [4, 5]", "d = {'x': 7, 'y': 8}"]
    return "\n".join([_HELPERS, *begin, *block, "return [a, b, c, xs, sorted(d.items())]", ""])


def outcome_of(tool: str, arguments: Any) -> dict[str, Any]:
    """Return what a call of such a program comes to."""
    match tool:
        case "add":
            return {"ok": arguments["a"] + arguments["b"]}
        case "twice":
            return {"ok": 2 * arguments["x"]}
        case _:
            kind = {"value": "ValueError", "key": "KeyError"}.get(arguments["kind"], "gone")
            return {"error": {"type": kind, "message": "it failed"}}

"""Small functions as people write them in workflows. As ordinary Python each is its own oracle.

A piece is the body of a workflow, which stands below `BESIDE`.
"""

BESIDE = r"""
import math
from collections import Counter, defaultdict, deque, namedtuple
from dataclasses import dataclass, field
from datetime import date, datetime, time as clock, timedelta, timezone
from decimal import Decimal, ROUND_HALF_UP
from enum import Enum, StrEnum, auto
from functools import partial, reduce, lru_cache
from typing import Any, Literal, Optional
import base64, hashlib, itertools, json, random, re
from pydantic import BaseModel, Field

RATES = {"eur": Decimal("1.0"), "usd": Decimal("0.92")}
LIMIT = 3
NAMES = ("ann", "bob")
UTC = timezone.utc

class Status(StrEnum):
    OPEN = "open"
    DONE = "done"

class Prio(Enum):
    LOW = 1
    HIGH = 2

@dataclass
class Line:
    sku: str
    count: int = 1
    price: Decimal = Decimal("1.50")

    def total(self) -> Decimal:
        return self.count * self.price

@dataclass
class Cart:
    lines: list[Line] = field(default_factory=list)
    tags: dict[str, int] = field(default_factory=dict)

@dataclass(frozen=True)
class Point:
    x: int
    y: int = 0

class Order(BaseModel):
    id: str
    lines: list[Line] = []
    status: Status = Status.OPEN
    at: datetime = datetime(2026, 1, 2, 3, 4, 5)

class Span:
    def __init__(self, log):
        self.log = log
    def __enter__(self):
        self.log.append("in")
        return self
    def __exit__(self, kind, error, tb):
        self.log.append("out" if kind is None else kind.__name__)
        return kind is not None and issubclass_ok(kind)

def issubclass_ok(kind):
    return kind is ValueError

class Log2:
    def __init__(self, log):
        self.log = log
    def __enter__(self):
        return self.log
    def __exit__(self, *rest):
        self.log.append("out")

def area(*, w, h=2):
    return w * h

def many(first, *rest, sep="-", **more):
    return sep.join([first, *rest, *more])

def counter():
    n = 0
    def up(by=1):
        nonlocal n
        n += by
        return n
    return up
"""
SAME = r"""
log = []
try:
    log.append(1)
    int("x")
except ValueError:
    log.append(2)
else:
    log.append(3)
finally:
    log.append(4)
try:
    pass
except ValueError:
    log.append(5)
else:
    log.append(6)
finally:
    log.append(7)
return log
---
def go(n):
    try:
        if n == 0:
            return "a"
        if n == 1:
            raise KeyError("k")
        return "b"
    except KeyError:
        return "c"
    finally:
        out.append(n)
out = []
return [go(0), go(1), go(2), out]
---
def go():
    for i in range(5):
        try:
            if i == 2:
                continue
            if i == 4:
                break
        finally:
            out.append(i)
    return out
out = []
return go()
---
def go():
    try:
        return 1
    finally:
        return 2
return go()
---
log = []
try:
    with Log2(log):
        raise ValueError("no")
except ValueError as e:
    log.append(str(e))
return log
---
def kind(v):
    match v:
        case 0 | 1:
            return "small"
        case int(n) if n > 100:
            return f"big {n}"
        case int():
            return "int"
        case str() as s:
            return s.upper()
        case []:
            return "empty"
        case [x]:
            return f"one {x}"
        case [x, *rest]:
            return f"{x} and {len(rest)}"
        case {"type": "a", "v": v, **rest}:
            return [v, rest]
        case Point(x=0, y=y):
            return f"on y {y}"
        case Point(x, y):
            return [x, y]
        case None:
            return "none"
        case _:
            return "other"
return [kind(v) for v in [0, 1, True, 5, 500, "ab", [], [1], [1, 2, 3], (1, 2), {"type": "a", "v": 1, "z": 2}, {},
    Point(0, 3), Point(1, 2), None, 2.5]]
---
def kind(v):
    match v:
        case (a, b) | [a, b, _]:
            return a + b
        case {"k": [first, *_]}:
            return first
        case float(x):
            return x
        case True:
            return "true"
        case Status.DONE:
            return "done"
        case "x" | "y":
            return "xy"
return [kind(v) for v in [(1, 2), [1, 2, 3], {"k": [7, 8]}, 1.5, True, Status.DONE, "done", "x", 1]]
---
out, it = [], iter([1, 2, 3, 0, 4])
while (x := next(it)):
    out.append(x)
return out
---
return [[x * y for x in range(4) if x % 2 for y in range(3) if y], {k: v for k, v in zip("abc", range(3)) if v},
    {x % 3 for x in range(10) if x > 5} == {0, 1, 2}]
---
return [[(i, j) for i in range(3) for j in range(i)], [[c for c in row] for row in ["ab", "cd"]],
    [x if x > 1 else -x for x in range(4)]]
---
fs = [lambda: i for i in range(3)]
gs = [lambda i=i: i for i in range(3)]
return [[f() for f in fs], [g() for g in gs]]
---
def make():
    x = 1
    def get():
        return x
    x = 2
    return get
return make()()
---
x = 3.14159
n = 1234567
return [f"{x:.2f}", f"{n:,}", f"{n:_}", f"{n:>12}", f"{n:<12}|", f"{n:^12}", f"{n:012d}", f"{n:+}", f"{n:x}",
    f"{n:#X}", f"{n:b}", f"{n:o}", f"{n:e}", f"{x:10.3e}", f"{x:g}", f"{0.25:.0%}", f"{n:c}" if False else 1]
---
s = "héllo"
return [f"{s!r}", f"{s!s:>8}", f"{s!a}", f"{s:*^11}", f"{s:.2}", f"{s=}", f"{1+1=}", f"{s!r:>10}", f"{{}}",
    f"{'nested ' + f'{s}'}"]
---
w, p = 8, 2
x = 2.675
return [f"{x:{w}.{p}f}", f"{x:>{w}}", f"{'a':{'*'}^{w}}", "{:>{}}".format("a", 5), "{0}-{1}-{0}".format("a", "b"),
    "{a[0]} {b.x}".format(a=[1], b=Point(1)), "%s %d %5.2f %x %%" % ("a", 3, 1.5, 255), "%(a)s" % {"a": 1}]
---
return [f"{Decimal('1234.5'):,.2f}", f"{Decimal('1.005'):.2f}", f"{datetime(2026,1,2,3,4):%Y-%m-%d %H:%M}",
    f"{date(2026,1,2):%d.%m.%y}", f"{True:d}", f"{None}", f"{[1, 'a']}", f"{'a'!r}", f"{1.0}", f"{1e16}",
        f"{1e-5}", f"{100000000000000000000.0}"]
---
xs = list(range(6))
xs[1:3] = ["a"]
xs[::2] = [0, 0, 0] if len(xs[::2]) == 3 else xs[::2]
ys = list(range(5))
ys[len(ys):] = [9]
ys[:0] = [7]
return [xs, ys]
---
xs = list(range(6))
xs[1:4] = []
return xs
---
a = 5
return [1 < a < 10, 1 < a > 3, 1 == 1.0 != 2, 0 < a <= 5 < 6, not 1 < a < 4, a is a is not None, 1 in [1] in [[1]]]
---
calls = []
def f(x):
    calls.append(x)
    return x
r = f(1) < f(2) < f(3)
r2 = f(5) < f(4) < f(9)
return [r, r2, calls]
---
a = [*range(3), *"ab", *{"k": 1}]
d = {**{"a": 1, "b": 2}, "b": 3, **{"c": 4}}
t = (*a, 1)
return [a, d, t, {*a} == set(a)]
---
return [area(w=3), area(w=3, h=1), many("a", "b", "c"), many("a", "b", sep="+", z=1), many(*"ab", **{"q": 1})]
---
try:
    area(3)
except TypeError as e:
    return type(e).__name__ if False else "TypeError"
---
def f(x, acc=[]):
    acc.append(x)
    return acc
return [f(1), f(2), f(3, [])]
---
try:
    try:
        {}["k"]
    except KeyError:
        raise
except LookupError as e:
    return [isinstance(e, KeyError), str(e)]
---
try:
    assert LIMIT == 4
except AssertionError as e:
    return [str(e), e.args]
---
p = Point(1, 2)
return [p == Point(1, 2), p != Point(2, 1), hash(p) == hash(Point(1, 2)), {p: 1}[Point(1, 2)], repr(p),
    p in [Point(1, 2)]]
---
o = Order(id="1", lines=[Line("a")], status="done")
o.lines.append(Line("b", 2))
o.status = Status.OPEN
return [o, str(o), repr(o.status), o.at.isoformat(), o == Order(id="1", lines=o.lines)]
---
d = {Status.OPEN: 1}
d[Status.DONE] = 2
return [d["open"], d.get("done"), {Prio.LOW: "x"}[Prio.LOW], sorted(d), json.dumps(d)]
---
a = datetime(2026, 1, 31, 10, 30, tzinfo=timezone.utc)
b = a + timedelta(days=1, hours=2)
return [b.isoformat(), (b - a).total_seconds(), b > a, a.date().isoformat(), a.weekday(),
    a.strftime("%A %d %B %Y"), a.replace(day=1).isoformat(), a.timestamp(), str(b - a), a.year, a.isoweekday(),
        str(a)]
---
a = date(2024, 2, 28)
return [(a + timedelta(days=2)).isoformat(), (date(2024, 12, 31) - a).days, a < date(2025, 1, 1), str(a),
    a.strftime("%j"), repr(a), a.replace(year=2025).isoformat(), date.fromisoformat("2024-02-29").day, max(a,
        date(2023,1,1)).year]
---
z = timezone(timedelta(hours=2))
a = datetime(2026, 7, 1, 12, tzinfo=z)
return [a.isoformat(), a.astimezone(timezone.utc).isoformat(), a == datetime(2026, 7, 1, 10, tzinfo=timezone.utc),
    str(a.utcoffset()), a.tzname(), str(z), datetime.fromisoformat("2026-01-01T00:00:00Z").isoformat()]
---
return [datetime.strptime("2026-01-02 03:04", "%Y-%m-%d %H:%M").isoformat(), datetime.combine(date(2026, 1, 1),
    clock(3)).isoformat(), str(clock(3, 4)), str(datetime.min), datetime(2026,1,1).time().isoformat()]
---
t = timedelta(days=1, seconds=3661, microseconds=5)
return [str(t), t.days, t.seconds, repr(t), str(-t), t / 2 == timedelta(seconds=45030.5, microseconds=2),
    t // timedelta(hours=1), t > timedelta(1), abs(-t) == t, str(t * 2), t / timedelta(days=1),
        str(timedelta(hours=25))]
---
a, b = Decimal("1.10"), Decimal("3")
return [a + b, a * b, b / a, a // 1, b ** 2, round(a, 1), a.quantize(Decimal("0.01")), -a, abs(-a),
    a == Decimal("1.1"), a > 1, int(a), float(a), str(a.normalize()), sum([a, b]), max(a, b), Decimal(5) % 3,
        Decimal("1E+3"), str(Decimal("1E+3"))]
---
return [Decimal("2.5").quantize(Decimal("1"), rounding=ROUND_HALF_UP), Decimal("2.5").quantize(Decimal("1")),
    round(Decimal("2.5")), round(Decimal("2.345"), 2), Decimal("0.1") + Decimal("0.2"), Decimal(0.5), Decimal(3),
        Decimal("1.50") == Decimal("1.5"), str(Decimal("-0.00")), Decimal("1") / 3]
---
try:
    Decimal("1") + 1.5
except TypeError:
    return "type"
---
s = "  Hello, World  "
return [s.strip(), s.lower(), s.upper(), s.title(), s.swapcase(), s.strip().split(", "), s.replace("l", "L", 1),
    s.find("World"), s.count("l"), s.strip().startswith(("He", "x")), s.strip().endswith("d"),
        s.strip().partition(", "), s.strip().rpartition("o"), "a,b,,c".split(","), "a b  c".split(),
            "a-b-c".rsplit("-", 1), s.strip().center(20, "*"), "7".zfill(3), "-7".zfill(4)]
---
return ["ab\ncd\r\n".splitlines(), "abc".isalpha(), "12".isdigit(), "a1".isalnum(), " ".isspace(), "Ab".istitle(),
    "AB".isupper(), "x".islower(), "abc".index("c"), "tEST".capitalize(), "ß".casefold(), "a\tb".expandtabs(4),
        "abcabc".rfind("b"), "x=y".removeprefix("x="), "a.py".removesuffix(".py"), "abc".ljust(5, ".") + "|",
            "é".encode().hex(), b"abc".decode(), "a" * 3, "b" in "abc", "abc" < "abd", "a".isidentifier(),
                "½".isnumeric(), "Z" < "a"]
---
return [7 // 2, -7 // 2, 7 % -3, -7 % 3, divmod(-7, 2), 2 ** 10, 2 ** -1, 2 ** 100, 7 / 2, int(-3.9), round(-2.5),
    round(3.5), round(1234, -2), abs(-3), pow(2, 10, 1000), 0.1 + 0.2, 1e308 * 10 == math.inf, int("0x1f", 16),
        int("  12 "), int("1_000"), float("1e3"), float(" inf ") == math.inf, bool(0.0), 5 & 3, 5 | 3, 5 ^ 3, ~5,
            1 << 70, -1 >> 1, True + True]
""".strip().split("\n---\n")

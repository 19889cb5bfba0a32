"""Small functions as people write them in workflows. As ordinary Python each is its own oracle.

A piece is the body of a workflow, which stands below `BESIDE`.
"""

BESIDE = r"""
import math, json, re, itertools, collections, functools
from collections import Counter, defaultdict, deque
from dataclasses import dataclass, field
from datetime import date, datetime, time as clock, timedelta, timezone
from decimal import Decimal
from enum import Enum, StrEnum, auto
from typing import Any, Literal, Optional
from pydantic import BaseModel, Field, field_validator, computed_field, model_validator

class Status(StrEnum):
    OPEN = auto()
    DONE = auto()

class Color(Enum):
    RED = "r"
    BLUE = "b"

@dataclass
class Item:
    name: str
    price: Decimal = Decimal("1")
    tags: list[str] = field(default_factory=list)
    meta: dict[str, Any] = field(default_factory=dict)
    seen: bool = field(default=False, compare=False)

@dataclass(kw_only=True)
class Kw:
    a: int
    b: int = 2

@dataclass(frozen=True)
class Key:
    a: int
    b: str = "x"

@dataclass
class Money:
    cents: int
    def __add__(self, other):
        return Money(self.cents + other.cents)
    def __str__(self):
        return f"{self.cents / 100:.2f}"
    def half(self):
        return Money(self.cents // 2)

@dataclass
class Node:
    value: int
    left: "Node | None" = None
    right: "Node | None" = None

class User(BaseModel):
    name: str
    age: int = Field(0, ge=0)
    email: str | None = None
    tags: set[str] = set()
    status: Status = Status.OPEN
    born: date | None = None
    boss: "User | None" = None

class Stack:
    def __init__(self, items=None):
        self.items = list(items or [])
    def push(self, x):
        self.items.append(x)
        return self
    def pop(self):
        if not self.items:
            raise IndexError("empty")
        return self.items.pop()
    def size(self):
        return len(self.items)

MESSAGES = {"a": "A {name}", "b": "B %s"}
PATTERN = re.compile(r"(\w+)@(\w+)\.com")
DEFAULTS = {"retries": 3, "tags": ["x"], "nested": {"k": (1, 2)}}
TODAY = date(2026, 5, 17)

def slug(text):
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")

def chunks(xs, n):
    return [xs[i:i + n] for i in range(0, len(xs), n)]

def retry(f, times=3):
    last = None
    for attempt in range(1, times + 1):
        try:
            return f(attempt)
        except ValueError as e:
            last = e
    raise RuntimeError(f"gave up after {times}: {last}") from last

def walk(node):
    if node is None:
        return []
    return walk(node.left) + [node.value] + walk(node.right)

def merge(a, b):
    out = dict(a)
    for k, v in b.items():
        if isinstance(v, dict) and isinstance(out.get(k), dict):
            out[k] = merge(out[k], v)
        else:
            out[k] = v
    return out
"""
SAME = r"""
return [slug("Hello, World! 42"), slug("  Ünïcode  "), chunks(list(range(7)), 3), merge({"a": {"b": 1}, "c": 2},
    {"a": {"d": 3}, "c": 4})]
---
def flaky(n):
    if n < 3:
        raise ValueError(f"try {n}")
    return n
def never(n):
    raise ValueError(f"no {n}")
try:
    retry(never, times=2)
except RuntimeError as e:
    return [retry(flaky), str(e)]
---
return walk(Node(2, Node(1), Node(3, right=Node(4))))
---
return [Node(1, Node(2)) == Node(1, Node(2)), repr(Node(1)), str(Item("a")), Item("a", seen=True) == Item("a"),
    Kw(a=1), repr(Kw(a=1, b=3))]
---
return [str(Money(150) + Money(250)), f"{Money(5)}", repr(Money(5)), Money(9).half(), Money(1) == Money(1),
    sum([m.cents for m in [Money(1), Money(2)]])]
---
s = Stack([1]).push(2).push(3)
out = [s.pop(), s.size()]
s.pop(); s.pop()
try:
    s.pop()
except IndexError as e:
    out.append(str(e))
return out
---
u = User(name="a", age="5", tags=["x", "x"], born="2020-01-02", boss={"name": "b"})
return [u.age, sorted(u.tags), u.born.year, u.boss.name, u.status is Status.OPEN, u.boss.boss, u.email]
---
out = []
for kw in [{"name": 5}, {"name": "a", "age": -1}, {"name": "a", "status": "nope"}, {"age": 1}]:
    try:
        User(**kw)
        out.append("ok")
    except ValueError:
        out.append("bad")
return out
---
u = User(name="a")
v = User(name="a")
v.tags.add("q")
return [u == User(name="a"), u == v, str(u), repr(u.status), u.tags == set()]
---
return [MESSAGES["a"].format(name="z"), MESSAGES["b"] % "y", MESSAGES["b"] % ("y",),
    [m.groups() for m in PATTERN.finditer("a@b.com c@d.com")], PATTERN.sub(r"<\1>", "a@b.com"),
        PATTERN.search("zz") is None, DEFAULTS["nested"]["k"][1], (TODAY - timedelta(days=17)).isoformat()]
---
DEFAULTS["tags"].append("y")
d = {**DEFAULTS, "retries": 5}
r = len(DEFAULTS["tags"])
DEFAULTS["tags"].pop()
return [r, d["retries"], DEFAULTS["retries"]]
---
seen = set()
dups = [x for x in [1, 2, 1, 3, 2] if x in seen or seen.add(x)]
return [dups, sorted(seen)]
---
data = '[{"id": 1, "price": "1.10"}, {"id": 2, "price": "2.25", "tags": ["a"]}]'
rows = json.loads(data)
total = sum(Decimal(r["price"]) for r in rows)
return [total, f"{total:.1f}", [r.get("tags", []) for r in rows], json.dumps(rows[0]),
    {r["id"]: r for r in rows}[2]["tags"][0]]
---
def parse(line):
    key, sep, value = line.partition("=")
    if not sep:
        raise ValueError(f"bad line {line!r}")
    return key.strip(), value.strip()
out = []
for line in ["a = 1", "b=2=3", "oops"]:
    try:
        out.append(parse(line))
    except ValueError as e:
        out.append(str(e))
return out
---
m, s = divmod(3725, 60)
h, m = divmod(m, 60)
return [f"{h:02}:{m:02}:{s:02}", f"{h}h{m:>3}m", "%02d:%02d" % (h, m), str(timedelta(seconds=3725)),
    f"{timedelta(seconds=5)}", f"{date(2026,1,2)}", f"{datetime(2026,1,2,3,4,5,6)}", f"{clock(1,2)}",
        f"{Decimal('1.50')}", f"{Decimal('1.5'):>8}", f"{Decimal('1234.5'):,}", f"{Decimal('0.000001')}",
            f"{Decimal('1e-7')}", f"{Decimal('-0')}", f"{Status.DONE:>6}|", f"{Color.RED}", f"{Status.DONE!r}",
                f"{Color.RED.value:>3}"]
---
it = iter(range(5))
a = next(it)
rest = [next(it), *it]
z = zip([1, 2], [3, 4])
first = next(z)
return [a, rest, next(it, "done"), first, list(z), list(z)]
---
def apply(f, *args, **kw):
    return f(*args, **kw)
add2 = lambda x, y=2: x + y
compose = lambda f, g: lambda x: f(g(x))
return [apply(add2, 1), apply(add2, 1, y=5), compose(lambda x: x + 1, lambda x: x * 2)(5), list(map(add2, [1, 2])),
    functools.reduce(lambda a, b: a + b, [[1], [2]]), (lambda: (yield_ok := 5))()]
---
counter = 0
def bump():
    nonlocal counter
    counter += 1
    return counter
vals = [bump() for _ in range(3)]
return [vals, counter, [bump() or 1 for _ in [0]]]
---
match {"kind": "circle", "r": 2}:
    case {"kind": "square", "side": s}:
        area = s * s
    case {"kind": "circle", "r": (int() | float()) as r} if r > 0:
        area = 3 * r * r
    case _:
        area = None
match "go north now".split():
    case ["go", ("north" | "south") as d, *rest]:
        where = [d, rest]
match Key(1):
    case Key(a=1, b="x") as k:
        key = k.b
match (1, (2, 3)):
    case (x, (y, z)) if x < y:
        nested = x + y + z
match 5:
    case x if x > 10:
        r5 = "big"
    case x:
        r5 = x
match "abc":
    case str(s):
        t = s
return [area, where, key, nested, r5, t]
---
match [1, [2, {"a": None}]]:
    case [_, [2, {"a": None}]]:
        out = "deep"
match Color.BLUE:
    case Color.RED:
        c = 1
    case Color.BLUE:
        c = 2
match {"a": 1}:
    case {"b": _}:
        m = "b"
    case {}:
        m = "any"
match "x":
    case ["x"]:
        n = "list"
    case "x":
        n = "str"
match 1.0:
    case 1:
        o = "one"
match -1:
    case -1:
        p = "neg"
match ():
    case [*xs]:
        q = xs
return [out, c, m, n, o, p, q]
---
log = []
def f():
    try:
        log.append("try")
        return log.append("ret") or "value"
    except Exception:
        log.append("exc")
    else:
        log.append("else")
    finally:
        log.append("fin")
def g():
    for i in range(3):
        try:
            try:
                1 / (i - 1)
            except ZeroDivisionError:
                log.append("zero")
                continue
            finally:
                log.append(i)
        finally:
            log.append("outer")
    else:
        return "done"
return [f(), g(), log]
---
c = Counter(a=3, b=1)
c.update("abb")
c["z"] -= 1
return [c["a"], sorted(c.items()), c.most_common(1), +c == Counter(a=4, b=3),
    Counter("ab") | Counter("bc") == Counter("abc"), c.get("q", 0), list(Counter("hello"))[:2]]
---
d = defaultdict(lambda: defaultdict(int))
d["a"]["x"] += 1
d["b"]["y"] += 2
d["a"]["x"] += 5
return [{k: dict(v) for k, v in d.items()}, "q" in d, len(d), d["q"] == {}, len(d), isinstance(d, dict)]
---
q = deque()
q.append((0, "a"))
order = []
graph = {"a": ["b", "c"], "b": ["d"], "c": ["d"], "d": []}
seen = {"a"}
while q:
    depth, node = q.popleft()
    order.append(f"{node}{depth}")
    for n in graph[node]:
        if n not in seen:
            seen.add(n)
            q.append((depth + 1, n))
return order
---
return [Decimal("1.10") + 1, str(Decimal("1.10") * 2), str(Decimal("1") / Decimal("3")),
    str(Decimal("100").quantize(Decimal("0.01"))), str(Decimal("1.005").quantize(Decimal("0.01"))),
        str(sum([Decimal("0.1")] * 3)), str(Decimal("10") // 3), str(Decimal("-7") % 3), str(-Decimal("1.5") // 1),
            str(round(Decimal("1.25"), 1)), str(round(Decimal("1.35"), 1)), round(Decimal("1.5")),
                int(Decimal("-1.9")), str(Decimal("1E+2") + 1), str(Decimal("0.10").normalize()),
                    str(Decimal("100").normalize()), str(Decimal(1.1))[:10], Decimal("1") < 1.5,
                        Decimal("2") > Decimal("1.99"), str(max(Decimal("1"), Decimal("2"))),
                            str(abs(Decimal("-1"))), Decimal("3.0") == 3, hash(Decimal("1")) == hash(1),
                                {Decimal("1"): "a"}[1], str(Decimal("1.0") ** 2), str(Decimal("2").sqrt())[:8],
                                    Decimal("1.5").to_integral_value() == 2, bool(Decimal("0")),
                                        repr(Decimal("1.50")), f"{Decimal('1234567.891'):,.2f}",
                                            str(Decimal("123.456").quantize(Decimal("1"))),
                                                Decimal("1.2").is_finite(), str(Decimal("1.23E-8"))]
---
await add(1, 1)
async def total(items):
    t = 0
    for i in items:
        t = await add(t, i)
        if t > 10:
            break
    else:
        t = -1
    return t
results = {}
for name, items in {"a": [5, 6, 7], "b": [1]}.items():
    results[name] = await total(items)
pairs = await asyncio.gather(*(total(x) for x in [[11], [2]]))
if (n := await add(2, 3)) == 5 and await add(n, 1) > 5:
    results["n"] = n
return [results, pairs, [await add(i, i) for i in range(3) if await add(i, 0) != 1], (await add(1, 2), await add(3,
    4))]
---
items = [Item("a", tags=["x"]), Item("b")]
items[1].tags.append("y")
items[0].meta["k"] = {"n": 1}
copy = [Item(i.name, i.price, list(i.tags), dict(i.meta)) for i in items]
copy[0].tags.append("z")
copy[0].meta["k"]["n"] = 2
await add(1, 1)
items.sort(key=lambda i: i.name, reverse=True)
return [items, copy, items[1].meta["k"] is copy[0].meta["k"], [i.name for i in items if "y" in i.tags],
    {i.name: i.price for i in items}]
---
k = {Key(1): "a", Key(1, "y"): "b"}
return [k[Key(1)], Key(1) in k, len({Key(1), Key(1), Key(2)}), sorted((x.a, x.b) for x in k), Key(1) == (1, "x"),
    Key(1) != Key(2), hash(Key(1)) == hash(Key(1, "x"))]
""".strip().split("\n---\n")

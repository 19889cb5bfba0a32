"""What people write in workflows: each piece is its own oracle as ordinary Python, or is refused by its name.

A piece has what stands beside the workflow, and its body.
"""

HEAD = """
import collections, itertools, json, re
from asyncio import TaskGroup
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum, IntEnum, StrEnum, auto
from typing import Any
from uuid import UUID
from pydantic import BaseModel, ConfigDict, Field
from baton import ToolError

@tool
async def fails(kind: str) -> int:
    raise {"value": ValueError, "key": KeyError}.get(kind, ToolError)("it failed")

async def both(a, b):
    async with TaskGroup() as group:
        x = group.create_task(add(a, 1))
        y = group.create_task(add(b, 1))
    return x.result() * y.result()

class Named(BaseModel):
    user_name: str = Field("-", alias="userName")
    tags: list[str] = []
    id: UUID = UUID(int=5)

class Shut(BaseModel):
    model_config = ConfigDict(extra="forbid")
    at: datetime
    b: int = 2

class Kind(str, Enum):
    A = "a"
    B = "b"

class Word(StrEnum):
    A = "a"

class Color(Enum):
    RED = "r"
    BLUE = "b"
    ROT = "r"

class Number(Enum):
    ONE = auto()

class Level(IntEnum):
    HIGH = 1

class Does(Enum):
    A = "a"

    def go(self):
        return 1

class Kinds(BaseModel):
    kind: Kind = Kind.A
    color: Color | None = None
    all: list[Word] = []

@tool
async def kept(color: Color) -> Color:
    return color

class Heir(Shut):
    c: int = 3

    @property
    def twice(self):
        return 2 * self.c

@dataclass
class Made:
    x: int
    y: int = field(init=False)

    def __post_init__(self):
        self.y = 2 * self.x

class Listed(BaseModel):
    items: list[int]
    count: int = 1

@dataclass
class Titled:
    title: str

@dataclass
class Own:
    x: int

    def sub(self, y):
        return self.x - y
"""
SAME = r"""
async with asyncio.TaskGroup() as tg:
    ts = []
    for i in range(3):
        ts.append(tg.create_task(add(i, 1)))
return [t.result() for t in ts]
---
async with asyncio.TaskGroup() as tg:
    # first
    t = tg.create_task(add(1,
        2), name='a')  # end
return [t.result(), t.get_name(), t.done()]
---
async with asyncio.TaskGroup():
    x = await add(1, 2)
return x
---
async with (asyncio.TaskGroup() as tg):
    t = tg.create_task(add(1, 2))
return await t
---
async with asyncio.TaskGroup() as tg:
    t = tg.create_task(add(1, 2))
    return 5
---
for i in range(3):
    async with asyncio.TaskGroup() as tg:
        t = tg.create_task(add(i, 2))
        if i == 1:
            break
return [i, t.result()]
---
async with asyncio.TaskGroup() as tg:
    t = tg.create_task(add(1, 2))
    u = tg.create_task(add(3, 4))
    x = await t
return [x, u.result()]
---
async with asyncio.TaskGroup() as tg:
    x = await asyncio.gather(*[tg.create_task(add(i, 2)) for i in range(3)])
return x
---
async def go(tg):
    return tg.create_task(add(5, 5))
async with asyncio.TaskGroup() as tg:
    t = tg.create_task(go(tg))
return t.result().result()
---
try:
    async with asyncio.TaskGroup() as tg:
        tg.create_task(fails('value'))
except ValueError:
    return 'v'
except Exception:
    return 'group'
---
try:
    async with asyncio.TaskGroup() as tg:
        raise KeyError('x')
except KeyError:
    return 'k'
except Exception:
    return 'group'
---
async with asyncio.TaskGroup() as tg:
    a = tg.create_task(add(1, 2))
    async with TaskGroup() as th:
        b = th.create_task(add(3, 4))
return [a.result(), b.result()]
---
async with asyncio.TaskGroup() as tg:
    a = tg.create_task(add(1, 2))
    try:
        a.result()
    except Exception:
        x = a.done()
return x
---
return await asyncio.gather(both(1, 2), both(3, 4))
---
async with asyncio.TaskGroup() as tg:
    t = tg.create_task(fails('value'))
return 1
---
d = {'a': [1, 2, 3], 'b': 2}
del d['a'][0], d['b']
return d
---
d = [1, 2, 3, 4, 5]
del d[::2]
del d[-1]
return d
---
d = {}
try:
    del d['x']
except KeyError as e:
    return str(e)
---
d = []
try:
    del d[0]
except IndexError as e:
    return str(e)
---
d = (1, 2)
try:
    del d[0]
except TypeError as e:
    return str(e)
---
d = {1: 2}
if d: del d[next(k for k in d)]
return d
---
d = collections.Counter('aab')
del d['a']
e = collections.deque([1, 2, 3])
del e[1]
return [d, list(e)]
---
seen = []
any(seen.append(x) or x > 1 for x in range(9))
return seen
---
g = (x * x for x in range(4))
return [next(g), next(g), list(g), list(g), next(g, None)]
---
return [next(x for x in itertools.count(5) if x % 7 == 0), next((x for x in [1] if x > 5), None)]
---
return list((x, y) for x in range(3) for y in range(x) if y % 2 == 0)
---
return sum(sum(y for y in range(x)) for x in range(4))
---
return dict((k, v * 2) for k, (v, *_) in {'a': (1, 2)}.items())
---
n = 3
g = (x + n for x in range(2))
n = 5
return list(g)
---
return f'{", ".join(str(x) for x in range(3))}'
---
return await asyncio.gather(*(add(i, 1) for i in range(3)))
---
return sum(
    x
    for x in range(4)
    if x
)
---
o = []
for x in (y * 2 for y in range(3)):
    o.append(await add(x, 1))
return o
---
return (x for x in range(3))
---
a, b = (x for x in (1, 2))
return [a, b, 3 in (x for x in range(5)), max((len(w), w) for w in ['a', 'bb'])]
---
return [next(map(str, [1])), list(map(lambda a, b: a + b, [1, 2], [3, 4])), next(filter(None, [0, 2]))]
---
z = zip([1, 2], 'ab')
return [next(z), list(z), list(z), list(zip()), list(zip(*[(1, 2), (3, 4)]))]
---
e = enumerate('ab', 1)
return [next(e), list(e), next(enumerate(itertools.count(), start=5))]
---
r = reversed([1, 2, 3])
return [next(r), list(r), ''.join(reversed('ab')), list(filter(lambda x: x > 1, [1, 2]))]
---
try:
    return list(zip([1], [2, 3], strict=True))
except ValueError:
    return 'strict'
---
o = []
for at, (a, b) in enumerate(zip([1, 2], [3, 4])):
    o.append(await add(a + at, b))
return o
---
map = {'a': 1}
return map['a']
---
return [re.sub('a', lambda m: 'X', 'aaa', count=2), re.sub('A', lambda m: m[0] * 2, 'aa', flags=re.I)]
---
return [re.compile('[a-z]').sub(lambda m: m[0].upper(), 'abc1'), re.sub('(a)', r'\1\1', 'a'), Own(3).sub(1)]
---
return [next(re.finditer('a', 'ba')).start(), next(re.compile('b').finditer('ab')).span()]
---
try:
    raise ValueError(5)
except ValueError as e:
    return str(e)
---
try:
    try:
        1 / 0
    except ZeroDivisionError as e:
        raise ValueError(e) from e
except ValueError as e:
    return str(e)
---
try:
    raise ToolError([1])
except ToolError as e:
    return str(e)
---
match {'k': 1, 'z': 2}:
    case {'k': v, **o}:
        return [v, o]
---
xs = [last := x for x in range(3)]
return [xs, last]
---
return [Named(userName='x').user_name, Named(**{'userName': 'y', 'other': 1}), Named().tags]
---
a, b = Named(), Named()
a.tags.append(1)
return [b.tags, str(a.id), Kinds().kind.value]
---
return [Color.RED.value, Color.RED.name, str(Color.RED), repr(Color.RED), Color.RED is Color("r"), Color.RED == "r"]
---
return [Color["BLUE"] is Color.BLUE, [each.name for each in Color], Color.RED in Color, Color.ROT is Color.RED]
---
try:
    Color("x")
except ValueError as e:
    return str(e)
---
return [Word.A == "a", f"{Word.A}", {Word.A: 1}["a"], Word.A in ("a",), "a" in [Word.A], Word("a") is Word.A]
---
return [Kind.A == "a", str(Kind.A), {Kind.A: 1}.get("a"), "a" == Kind.A, Kind.A == Word.A, Kind.A != Kind.B]
---
match Color("b"):
    case Color.RED:
        return 1
    case Color.BLUE:
        return 2
---
return {"c": Color.RED, "l": [Word.A], "s": {Number.ONE}, "m": Kinds(color=Color.BLUE, all=[Word.A]), Kind.A: (Kind.B,)}
---
return [isinstance(Color.RED, Color), isinstance("r", Color), isinstance(Kind.A, str), isinstance(1, (int, Color))]
---
return [Kinds().kind is Kind.A, Kinds().color, {Color.RED: 1, Color.BLUE: 2}[Color("b")]]
---
def shown(color=Color.BLUE):
    return color.value
red = Color.RED
await add(1, 2)
return [shown(), red is Color.RED]
---
return [Listed(items=[1], count=2).items, Listed(items=[1]).count, [each.title for each in [Titled("a")]]]
---
try:
    Shut(b=1)
except ValueError:
    return 'required'
---
try:
    Shut(at=datetime(2026, 1, 1), c=1)
except ValueError:
    return 'forbidden'
---
return repr(Shut(b=1, at=5)) if False else Shut(b=1, at=datetime(2026, 1, 1)).at.year
""".strip().split("\n---\n")
# What stands in the body, and what the error says.
REFUSED = [
    ("x = 1\ndel x", "del of a name is not possible in a workflow; leave it out"),
    ("x = Own(1)\ndel x.x", "del of an attribute is not possible in a workflow; set it to None"),
    ("return any((hit := x) for x in [1])", "a := in a generator expression is not possible"),
    ("raise OSError(2, 'gone')", "an exception has one text in a workflow"),
    ("raise ToolError('gone', retryable=True)", "an exception has one text in a workflow"),
    ("return {1}.union([2], [3])", ".union() takes one set in a workflow"),
    ("x = {1}\nx.update([2], [3])", ".update() takes one set in a workflow"),
    ("return json.dumps({}, default=str)", "dumps(default=…) is not possible in a workflow"),
    ("return re.search('(?P<n>b)', 'ab').start('n')", ".start() of a group takes its number"),
    ("return hasattr('a', 'upper')", "hasattr(…, 'upper') does not find a method in a workflow; ask isinstance"),
    ("try:\n    pass\nexcept Exception as e:\n    return type(e) is KeyError", "ask isinstance(…)"),
    ("return both.__doc__", ".__doc__ is not possible"),
    ("out = []\nadd_one = out.append\nadd_one(1)", ".append is no value in a workflow; call it, or write a lambda"),
    ("return sorted(['a'], key=['b'].count)", ".count is no value in a workflow"),
    ("return (5).bit_length()", ".bit_length is not possible"),
    ("return datetime.fromtimestamp(0)", ".fromtimestamp is not possible"),
    ("return Named().model_dump()", ".model_dump is not possible"),
    ("tg = asyncio.TaskGroup()", "asyncio.TaskGroup is not possible in a workflow; write async with"),
    ("async with asyncio.TaskGroup() as tg: pass", "with its body on lines of its own"),
    ("return Level.HIGH", "enum Level is more than names for values, which is not possible in a workflow"),
    ("return Does.A.go()", "enum Does is more than names for values"),
    ("return Word.A.upper()", "a member of Word has a name and a value in a workflow; write .value.upper"),
    ("return len(Color)", "len(Color) is not possible in a workflow; write len(list(Color))"),
    ("return Heir(at=datetime(2026, 1, 1)).twice", "Heir.twice does not run in a workflow"),
    ("return isinstance(Heir(at=datetime(2026, 1, 1)), Shut)", "a Heir is no Shut in a workflow"),
    ("match Heir(at=datetime(2026, 1, 1)):\n    case Shut():\n        return 1", "a Heir is no Shut in a workflow"),
    ("return Made(2).y", "Made.__post_init__ is not called in a workflow"),
]

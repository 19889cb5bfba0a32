"""Code of workflows, and the steps that it reaches."""

from tests.unit.baton.sdk.workflows.conftest import cases

HEAD = """
import contextlib, functools, json, types
from collections import ChainMap, UserDict, defaultdict
from dataclasses import dataclass, field
from enum import Enum
from pydantic import BaseModel
from baton import Agent, approval
import baton

@tool
async def ship(order: str) -> str:
    return await hidden(order)

@tool
async def hidden(order: str) -> str:
    return order

@tool
async def call_later(seconds: int) -> None: ...

writer = Agent(name="writer", model="demo")

@workflow
async def child(order: str) -> None:
    await hidden(order)

def logged(function):
    @functools.wraps(function)
    async def inner(*args):
        return await function(*args)
    return inner

def plain(function):
    return lambda *args: function(*args)

class traced:
    def __init__(self, function):
        self.function = function

    async def __call__(self, *args):
        return await self.function(*args)

def module(**names):
    made = types.ModuleType("shop_of_the_test")
    vars(made).update(names)
    return made

async def ships(order):
    await ship(order)
"""
# Each case, the steps that it reaches, and its code.
ROWS = cases("""\
## each kind of step: ship writer child sleep approval
async def flow(x): await ship(x); await writer(x); await child(x); await sleep(1); await approval(x)
## an attribute of a package: sleep | async def flow(x): await baton.sleep(1)
## a name of another meaning: | async def flow(x): asyncio.get_running_loop().call_later(1, print)
## a parameter of that name: | async def flow(ship): return ship
## a variable of that name:
async def flow(x):
    ship = x
    return ship
## a text of that name: | async def flow(x): return getattr(x, 'ship')
## a key of that name: | async def flow(x): return {'ship': x}, dict(ship=x), x['ship']
## an attribute of a value: | async def flow(x): return x.ship, json.loads(x).hidden
## a module's own attribute: ship
shop = module(ship=ship, hidden=hidden)
async def flow(x): await shop.ship(x)
## a chain of modules: ship
shop = module(tools=module(ship=ship, hidden=hidden))
async def flow(x): await shop.tools.ship(x)
## a module by another name: ship
shop = module(ship=ship, hidden=hidden)
async def flow(x):
    here = shop
    await here.ship(x)
## a function: ship | async def flow(x): await ships(x)
## a function of a function: ship
async def inner(x): await ships(x)
async def flow(x): await inner(x)
## functions that call each other: ship
async def a(x): await b(x)
async def b(x): await a(x); await ship(x)
async def flow(x): await a(x)
## a nested function: ship
async def flow(x):
    async def one(): await ship(x)
    await one()
## a nested function of a nested one: ship
async def flow(x):
    def outer():
        async def one(): await ship(x)
        return one
    await outer()()
## a lambda: ship | async def flow(x): await (lambda: ship(x))()
## a lambda of the module: ship
send = lambda x: ship(x)
async def flow(x): await send(x)
## a comprehension: ship | async def flow(x): return [await ship(each) for each in x]
## a generator: ship
def steps(x): yield ship(x)
async def flow(x): await asyncio.gather(*steps(x))
## an async generator: ship
async def steps(x): yield await ship(x)
async def flow(x): return [y async for y in steps(x)]
## a closure: ship
def make(step):
    async def flow(x): await step(x)
    return flow
flow = make(ship)
## a closure of a function: ship
def sending(step):
    async def send(x): await step(x)
    return send
send = sending(ship)
async def flow(x): await send(x)
## a decorated function: ship
@logged
async def send(x): await ship(x)
async def flow(x): await send(x)
## a decorated workflow: ship
@logged
async def flow(x): await ship(x)
## a decorator that hides it: ship
@plain
async def send(x): await ship(x)
async def flow(x): await send(x)
## a decorator that is a class: ship
@traced
async def send(x): await ship(x)
async def flow(x): await send(x)
## a decorator of a library: ship
@contextlib.asynccontextmanager
async def held(x):
    await ship(x)
    yield
async def flow(x):
    async with held(x): pass
## a cached function: ship
@functools.cache
def chosen(x): return ship
async def flow(x): await chosen(x)(x)
## a function by kind: ship
@functools.singledispatch
def send(x): return None
@send.register
def _(x: int): return ship(x)
async def flow(x): await send(x)
## a partial: ship
send = functools.partial(ship, 'a')
async def flow(x): await send()
## a partial of a function: ship
send = functools.partial(ships, 'a')
async def flow(x): await send()
## an argument of a partial: ship
send = functools.partial(map, ship)
async def flow(x): list(send(x))
## a default: ship | async def flow(x, step=ship): await step(x)
## a default by name: ship
async def send(x, *, step=ship): await step(x)
async def flow(x): await send(x)
## a dict: ship
STEPS = {'a': ship}
async def flow(x): await STEPS[x](x)
## containers in each other: ship
STEPS = {'a': [(1, ships)]}
async def flow(x): await STEPS[x][0][1](x)
## a set: hidden ship
STEPS = {ship, hidden}
async def flow(x): return len(STEPS)
## containers of the standard library: ship hidden
STEPS = ChainMap(defaultdict(list, a=[ship]), UserDict(b=hidden))
async def flow(x): await STEPS[x](x)
## a container of a class of one's own: ship
class Steps(dict):
    def values(self): raise ValueError
STEPS = Steps(a=ship)
async def flow(x): await STEPS[x](x)
## a container with itself in it: ship
STEPS = [ship]
STEPS.append(STEPS)
async def flow(x): await STEPS[0](x)
## an object that answers nothing: ship
class Odd:
    @property
    def __class__(self): raise ValueError
    def __getattr__(self, name): raise ValueError
odd = Odd()
async def flow(x): await ship(odd.name)
## a namespace: ship
shop = types.SimpleNamespace(send=ship)
async def flow(x): await shop.send(x)
## a namespace by another name: ship
shop = types.SimpleNamespace(send=ship, other=hidden)
async def flow(x):
    here = shop
    await here.send(x)
## an enum: ship
class Step(Enum):
    SHIP = (ship,)
async def flow(x): await Step[x].value[0](x)
## a method: ship
class Shop:
    async def send(self, x): await ship(x)
    async def other(self, x): await hidden(x)
async def flow(x): await Shop().send(x)
## a method of an instance: ship
class Shop:
    async def send(self, x): await ship(x)
    async def other(self, x): await hidden(x)
shop = Shop()
async def flow(x): await shop.send(x)
## a bound method: ship
class Shop:
    async def send(self, x): await self.step(x)
    step = staticmethod(ship)
send = Shop().send
async def flow(x): await send(x)
## a method of a method: ship
class Shop:
    async def send(self, x): await self.really(x)
    async def really(self, x): await ship(x)
async def flow(x): await Shop().send(x)
## a method of a base: ship
class Base:
    async def send(self, x): await ship(x)
class Shop(Base): pass
async def flow(x): await Shop().send(x)
## a method by super: ship
class Base:
    async def send(self, x): await ship(x)
class Shop(Base):
    async def send(self, x): await super().send(x)
async def flow(x): await Shop().send(x)
## a class method: ship
class Shop:
    @classmethod
    async def send(cls, x): await ship(x)
async def flow(x): await Shop.send(x)
## a special method: ship hidden
class Shop:
    async def __aenter__(self): await ship('a')
    async def __aexit__(self, *_): await hidden('a')
async def flow(x):
    async with Shop(): pass
## a property: ship
class Shop:
    @property
    def step(self): return ship
async def flow(x): await Shop().step(x)
## a property of an instance: ship
class Shop:
    @property
    def step(self): raise ValueError(ship)
shop = Shop()
async def flow(x): await shop.step(x)
## a setter: ship
class Shop:
    @property
    def step(self): return 1
    @step.setter
    def step(self, x): self.made = ship(x)
async def flow(x):
    shop = Shop()
    shop.step = x
    await shop.made
## a cached property: ship
class Shop:
    @functools.cached_property
    def step(self): return ship
async def flow(x): await Shop().step(x)
## a partial method: ship
class Shop:
    async def _send(self, a, x): await ship(x)
    send = functools.partialmethod(_send, 1)
async def flow(x): await Shop().send(x)
## an attribute of a class: ship
class Shop:
    step = ship
async def flow(x): await Shop().step(x)
## an attribute of an instance: ship
class Shop: pass
shop = Shop()
shop.step, shop.other = ship, hidden
async def send(where, x): await where.step(x)
async def flow(x): await send(shop, x)
## a slot: ship
class Shop:
    __slots__ = ('step',)
    def __init__(self, step): self.step = step
shop = Shop(ship)
async def flow(x): await shop.step(x)
## a slot by another name: ship
class Shop:
    __slots__ = ('step',)
    def __init__(self, step): self.step = step
shop = Shop(ship)
async def flow(x):
    here = shop
    await here.step(x)
## a default of a dataclass: ship
@dataclass
class Shop:
    step: object = ship
async def flow(x): await Shop().step(x)
## a factory of a dataclass: ship
@dataclass
class Shop:
    steps: list = field(default_factory=lambda: [ship])
async def flow(x): await Shop().steps[0](x)
## a class in a function: ship hidden
async def flow(x):
    class Shop:
        step = ship
        async def send(self): await hidden(x)
    await Shop().send()
## a metaclass: ship
class Meta(type):
    def __call__(cls, x): return ship(x)
class Shop(metaclass=Meta): pass
async def flow(x): await Shop(x)
## a method of an argument: ship
class Order(BaseModel):
    text: str
    async def send(self): await ship(self.text)
async def flow(x: Order): await x.send()
## a method of a step's result: read ship
class Order(BaseModel):
    text: str
    async def send(self): await ship(self.text)
@tool
async def read(x: str) -> list[Order]: ...
async def flow(x): await (await read(x))[0].send()
## a method of a field: ship
class Line(BaseModel):
    async def send(self): await ship('a')
class Order(BaseModel):
    lines: 'list[Line]'
async def flow(x: 'Order | None'):
    for line in x.lines: await line.send()
## what a library calls in a class: ship
class Walk(json.JSONEncoder):
    def default(self, x): return ship(x)
async def flow(x): Walk().encode(x)
## an import in it: sleep
async def flow(x):
    from baton import sleep as pause
    await pause(1)
## an import of a package in it: sleep
async def flow(x):
    import baton as b
    await b.sleep(1)
## an import of a module in it: sleep
async def flow(x):
    import baton.sdk.tools.builtin.job_tools
    await baton.sdk.tools.builtin.job_tools.sleep(1)
## an import by another name in it: sleep
async def flow(x):
    import baton.sdk.tools.builtin.job_tools as jobs
    await jobs.sleep(1)
## an import for a nested function: sleep
async def flow(x):
    from baton import sleep
    async def one(): await sleep(1)
    await one()
## several imports in it: sleep
async def flow(x):
    from baton import approval, sleep
    await sleep(1)
## a try, a match: ship sleep child
async def flow(x):
    try:
        match x:
            case 'a': await ship(x)
            case _: await sleep(1)
    except ValueError: await child(x)
    finally: await ship(x)
## dead code:
async def flow(x):
    return x
    await ship(x)
## what stands beside it:
STEPS = [ship]
async def other(x): await ship(x)
async def flow(x): return x
""")

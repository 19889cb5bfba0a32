"""A registry refuses loops over sets that ask for steps: the order of a set of texts is another in each process."""

from textwrap import indent

import pytest

from tests.unit.baton.sdk.workflows.conftest import Load, cases
from tests.unit.baton.sdk.workflows.faulty import faults

# Loops over sets whose order becomes the order of steps.
LOOPS = cases("""\
## a display | for y in {'a', x}: await ship(y)
## a display of constants | for y in {'a', 'b'}: await ship(y)
## set | for y in set(x): await ship(y)
## frozenset | for y in frozenset(x): await ship(y)
## a comprehension | for y in {z.id for z in x}: await ship(y)
## a union | for y in set(x) | set(x): await ship(y)
## a difference of keys | for y in x.keys() - x: await ship(y)
## a method of sets | for y in set(x).union(x): await ship(y)
## a list of one | for y in list(set(x)): await ship(y)
## a display of one | for y in [*set(x), 1]: await ship(y)
## with numbers | for n, y in enumerate(set(x)): await ship(y)
## beside another one | for y, z in zip(x, set(x)): await ship(y)
## a part of one | for y in (z for z in set(x) if z): await ship(y)
## a table of one | for y in dict.fromkeys(set(x)): await ship(y)
## a choice | for y in set(x) if x else x: await ship(y)
## a variable
names = set(x)
for y in names: await ship(y)
## a variable with more
names = {x}
names |= x
for y in names: await ship(y)
## a variable in a list
names = list(set(x))
for y in names: await ship(y)
## a constant of the module | for y in WORDS: await ship(y)
## a constant of a class | for y in shop.WORDS: await ship(y)
## one after the other
todo = {x}
while todo:
    todo |= await ship(todo.pop())
## an await further in
for y in set(x):
    if y:
        while y: y = [await ship(y)]
## async with
for y in set(x):
    async with y: pass
## async for
for y in set(x):
    async for z in y: pass
## a task | for y in set(x): asyncio.create_task(ship(y))
## a task group
async with asyncio.TaskGroup() as group:
    for y in set(x): group.create_task(ship(y))
## calls to await later
calls = []
for y in set(x): calls.append(ships(y))
await asyncio.gather(*calls)
## calls of a nested function
async def one(y): await ship(y)
calls = []
for y in set(x): calls.append(one(y))
await asyncio.gather(*calls)
## a comprehension's await | return [await ship(y) for y in set(x)]
## a dict's | return {y: await ship(y) for y in set(x)}
## a condition's | return [y for y in set(x) if await ship(y)]
## the second loop's | return [await ship(y) for z in x for y in set(z)]
## the first loop's | return [await ship(y) for z in set(x) for y in z]
## gather | await asyncio.gather(*(ship(y) for y in set(x)))
## gather of a list | await asyncio.gather(*[child(y) for y in {z for z in x}])
## gather of what is not known | await asyncio.gather(*(x.ship(y) for y in set(x)))
## gather of a map | await asyncio.gather(*map(ship, set(x)))
## gather of a display | await asyncio.gather(*{ship(x), ships(x)})
## gather of a variable
calls = {ship(y) for y in x}
await asyncio.gather(*calls)
## as_completed of a display | for y in asyncio.as_completed({ship(x), ships(x)}): await y
## wait of a comprehension | await asyncio.wait({ship(y) for y in x})
## tasks of a set
tasks = [asyncio.create_task(ship(y)) for y in set(x)]
await asyncio.gather(*tasks)
## a nested function
async def one():
    for y in set(x): await ship(y)
await one()
""")
FINE = cases("""\
## sorted | for y in sorted(set(x)): await ship(y)
## sorted with a key | for y in sorted({z for z in x}, key=len): await ship(y)
## no await | for y in set(x): print(y)
## an await before | for y in set(await ship(x)): print(y)
## an await before a comprehension | return [y for y in set(await ship(x))]
## an await after
for y in set(x): print(y)
else: await ship(x)
## a function that is not called
for y in set(x):
    async def one(): await ship(y)
## a set of results | return {await ship(y) for y in x}
## a set to look into
known = set(x)
for y in x:
    if y in known: await ship(y)
## a set of what is done
done = set()
for y in x:
    await ship(y)
    done.add(y)
return len(done)
## a list | for y in list(x): await ship(y)
## a dict | for y in {'a': 1, 'b': 2}: await ship(y)
## a dict's keys | for y in x.keys(): await ship(y)
## no set for long
names = set(x)
names = sorted(names)
for y in names: await ship(y)
## numbers | for y in range(len(set(x))): await ship(y)
## a list of the module | for y in ROWS: await ship(y)
## an empty one | for y in EMPTY: await ship(y)
## taken from a list
todo, seen = [x], set()
while todo:
    seen.add(y := todo.pop())
    await ship(y)
## taken from a set of tasks
todo = {asyncio.create_task(ship(y)) for y in x}
while todo: await todo.pop()
## taken without an await
todo = set(x)
while todo: print(todo.pop())
## a sum
n = len(set(x)) - len(set(x))
for y in range(n): await ship(y)
## wait of tasks
done, rest = await asyncio.wait({asyncio.create_task(ship(y)) for y in x})
for y in done: await y
## gather of tasks | await asyncio.gather(*{asyncio.create_task(ship(x)), asyncio.ensure_future(ships(x))})
## a set of tasks
tasks = {asyncio.create_task(ship(y)) for y in x}
for y in tasks: await y
## a set of tasks that grows
tasks = set()
for y in x:
    task = asyncio.create_task(ship(y))
    tasks.add(task)
    task.add_done_callback(tasks.discard)
await asyncio.gather(*tasks)
## a set of named tasks
a = asyncio.create_task(ship(x))
b = asyncio.create_task(ship(x))
for y in asyncio.as_completed({a, b}): await y
for y in {a, b}: await y
## a set of a list of tasks
tasks = [asyncio.create_task(ship(y)) for y in x]
rest = set(tasks)
while rest: done, rest = await asyncio.wait(rest, return_when='FIRST_COMPLETED')
## gather of a list of calls | await asyncio.gather(*[ship(y) for y in x])
## a name of another meaning
set = x.rows
for y in set(x): await ship(y)
""")


@pytest.mark.parametrize("loop", LOOPS)
def test_refuses_a_set_whose_order_becomes_the_order_of_steps(load: Load, loop: str) -> None:
    [fault] = faults(load, "async def flow(x):\n" + indent(LOOPS[loop], "    "))
    assert "the order of a set differs between processes" in fault
    assert "sorted(…)" in fault


@pytest.mark.parametrize("loop", FINE)
def test_refuses_no_other_use_of_a_set(load: Load, loop: str) -> None:
    assert faults(load, "async def flow(x):\n" + indent(FINE[loop], "    ")) == []

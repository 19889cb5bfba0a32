"""A registry refuses calls that give another value each time, or act outside of steps, and nothing else."""

import inspect
import re

import pytest

from baton import Registry
from baton.sdk.agents.registry import RegistryError
from baton.sdk.workflows.refused import faults_of
from tests.unit.baton.sdk.workflows.conftest import Load, cases
from tests.unit.baton.sdk.workflows.faulty import HEAD, faults

NOW, STAMP = "write workflow.now()", "write workflow.now().timestamp()"
# The expression of a workflow's code, and the beginning and the end of what is said of it.
CALLS: dict[str, tuple[str, str]] = {
    "datetime.datetime.now()": ("datetime.now()", NOW),
    "dt.now(timezone.utc)": ("datetime.now()", NOW),
    "clock.datetime.utcnow()": ("datetime.utcnow()", NOW),
    "dt.today()": ("datetime.today()", "write workflow.now(), or workflow.now().date()"),
    "date.today()": ("date.today()", "write workflow.now(), or workflow.now().date()"),
    "time.time()": ("time.time()", STAMP),
    "t.time_ns()": ("time.time_ns()", STAMP),
    "monotonic()": ("time.monotonic()", STAMP),
    "t.perf_counter()": ("time.perf_counter()", STAMP),
    "pause(1)": ("time.sleep()", "write await asyncio.sleep(…)"),
    "t.localtime()": ("time.localtime()", NOW),
    "random.random()": ("random.random()", "write workflow.random().random(…)"),
    "choice(x)": ("random.choice()", "write workflow.random().choice(…)"),
    "mix(x)": ("random.shuffle()", "write workflow.random().shuffle(…)"),
    "dice.seed(7)": ("random.seed()", "write workflow.random().seed(…)"),
    "dice.Random().random()": ("random.Random()", "write workflow.random(), or give it a seed"),
    "Random()": ("random.Random()", "write workflow.random(), or give it a seed"),
    "random.SystemRandom()": ("random.SystemRandom()", "write workflow.random()"),
    "secrets.token_hex(8)": ("secrets.token_hex()", "move it into a @tool"),
    "secrets.choice(x)": ("secrets.choice()", "move it into a @tool"),
    "uuid.uuid1()": ("uuid.uuid1()", "write workflow.uuid4()"),
    "new_id().hex": ("uuid.uuid4()", "write workflow.uuid4()"),
    "os.urandom(8)": ("os.urandom()", "move it into a @tool"),
    "open(x).read()": ("open()", "move it into a @tool"),
    "input()": ("input()", "write await approval(…), or wait_for_event(…)"),
    "os.system(x)": ("os.system()", "move it into a @tool"),
    "subprocess.Popen([x])": ("subprocess.Popen()", "move it into a @tool"),
    "httpx.post(x)": ("httpx.post()", "move it into a @tool"),
    "httpx.Client().get(x)": ("httpx.Client()", "move it into a @tool"),
    "urllib.request.urlopen(x)": ("urllib.request.urlopen()", "move it into a @tool"),
    # By other ways to the same.
    "[dt.now() for _ in x]": ("datetime.now()", NOW),
    "(lambda: dt.now())()": ("datetime.now()", NOW),
    "f'{dt.now():%H}'": ("datetime.now()", NOW),
    "sorted(x, key=lambda _: random.random())": ("random.random()", "write workflow.random().random(…)"),
    "list(map(choice, x))": ("random.choice()", "write workflow.random().choice(…)"),
    "clock.datetime.now().date() - timedelta(1)": ("datetime.now()", NOW),
}
ALLOWED = (
    "print(x)",
    "(asyncio.Lock(), random.Random(7), itertools.count())",
    "Random(7).choice(x)",
    "random.Random(x).random()",
    "dice.Random(x=7).shuffle(x)",
    "workflow.now()",
    "workflow.random().choice(x)",
    "dt.fromisoformat(x).now",
    "dt(2027, 1, 1)",
    "dt.fromtimestamp(x, timezone.utc)",
    "dt.strptime(x, '%Y')",
    "t.localtime(x)",
    "t.strftime('%Y', x)",
    "uuid5(uuid.NAMESPACE_DNS, x)",
    "UUID(x).hex",
    "x.now(), x.today(), x.time(), x.random(), x.open()",
    "secrets.compare_digest(x, 'a')",
    "os.path.join(x, 'a')",
    "os.environ['HOME']",
    "asyncio.get_running_loop().time()",
    "await ship(x)",
    "await child(x)",
    "'datetime.now()'",
)


@pytest.mark.parametrize("call", CALLS)
def test_refuses_what_gives_another_value_or_acts_outside(load: Load, call: str) -> None:
    begins, ends = CALLS[call]
    [fault] = faults(load, f"async def flow(x):\n    return {call}")
    assert fault.startswith(f"{begins} ")
    assert fault.endswith(f"; {ends}")


@pytest.mark.parametrize("call", ALLOWED)
def test_refuses_nothing_else(load: Load, call: str) -> None:
    assert faults(load, f"async def flow(x):\n    return {call}") == []


# Where such a call may stand, so that the workflow's code reaches it; `CALL` is one. `reaching` has all other places.
PLACES = cases("""\
## a nested function
async def flow(x):
    def at(): return CALL
    return at()
## a default of a nested function
async def flow(x):
    def at(now=CALL): return now
    return at()
## a variable of its own
async def flow(x):
    now = dt.now
    return now()
## a name of its own
now = dt.now
async def flow(x): return now()
## an heir
class Mine(dt): pass
async def flow(x): return Mine.now()
## a constructor
class Job:
    def __init__(self): self.at = CALL
async def flow(x): return Job().at
## a decorator
def kept(f):
    def inner(): return f(), CALL
    return inner
@kept
def at(): return 1
async def flow(x): return at()
## an attribute of a class
class Job:
    now = dt.now
async def flow(x): return Job.now()
""")


@pytest.mark.parametrize("place", PLACES)
def test_refuses_it_wherever_the_code_comes_to_it(load: Load, place: str) -> None:
    [fault] = faults(load, PLACES[place].replace("CALL", "dt.now()"))
    assert re.match(r"(datetime|Mine)[.]now\(\) gives another value", fault)


# Where it may stand beside the workflow's code.
BESIDE = cases("""\
## a step's result
class Job(BaseModel):
    at: dt = Field(default_factory=dt.now)
@tool
async def read(x: str) -> Job: ...
async def flow(x): return (await read(x)).at
## a default of a dataclass
@dataclass
class Job:
    at: dt = field(default_factory=dt.now)
async def flow(x): return Job(at=workflow.now())
## a default
def at(now=dt.now): return now()
async def flow(x): return at(workflow.now)
## a name of another meaning
def open(x): return x
async def flow(x): return open(x)
""")


@pytest.mark.parametrize("place", BESIDE)
def test_refuses_nothing_that_the_code_does_not_come_to(load: Load, place: str) -> None:
    assert faults(load, BESIDE[place]) == []


# What a module keeps, and the code that reaches it.
SHARED = cases("""\
## a lock: Lock
ONE = asyncio.Lock()
async def flow(x):
    async with ONE: await ship(x)
## a semaphore of a class: BoundedSemaphore
class Bank:
    most = asyncio.BoundedSemaphore(5)
async def flow(x):
    async with Bank.most: await ship(x)
## a queue of an object, in another function: PriorityQueue
class Shop: pass
SHOP = Shop()
SHOP.todo = asyncio.PriorityQueue()
async def take(): return await SHOP.todo.get()
async def flow(x): return await take()
## numbers: Random
DICE = random.Random(7)
async def flow(x): return DICE.choice(x)
## numbers of the system: SystemRandom
DICE = random.SystemRandom()
async def flow(x): return DICE.random()
## a count: count
NUMBERS = itertools.count()
async def flow(x): return next(NUMBERS)
""")


@pytest.mark.parametrize("case", SHARED)
def test_refuses_what_all_runs_of_a_process_share(load: Load, case: str) -> None:
    [fault] = faults(load, SHARED[case])
    assert fault.startswith(f"one {case.rpartition(': ')[2]} for all runs of a process has another state")


def test_says_all_at_once_with_file_and_line(load: Load) -> None:
    text = "def at(): return (random\n        .random())\n\nasync def flow(x):\n    at()\n    return dt.now(), open(x)"
    module = load(HEAD + text)
    lines = [line.partition(": ")[0] for line in faults_of(module.flow)]
    last = len(inspect.getsource(module).splitlines())
    assert lines == [f"{module.__name__}.py:{line}" for line in (last, last, last - 5)]


def test_a_registry_refuses_them_with_the_workflows_name(load: Load) -> None:
    text = "@workflow\nasync def one(x: str): input(x)\n@workflow\nasync def two(): await one('a'), dt.now()"
    module = load(HEAD + text)
    with pytest.raises(RegistryError) as refused:
        Registry(workflows=[module.one, module.two])
    places = [fault.partition(".py:")[0] for fault in refused.value.faults]
    assert places == [f"workflow {name!r}: {module.__name__}" for name in ("one", "two")]

"""The house stays small: each sum is at most its bound, and a bound follows its sum down.

A change that raises a sum adds a line to `RAISES` that says what it buys. Whoever lowers one lowers its bound.
"""

import dataclasses
import importlib
import inspect
from collections.abc import Callable, Mapping

import click

from baton import Agent, tool
from baton.server.api.auth import Keys
from baton.server.console.routes import console_routes
from baton.settings.settings import Settings
from baton.settings.table import SETTINGS
from baton.worker.container import Container, Ports
from baton.worker.wiring import real_ports
from baton_local.cli.main import main
from baton_local.docs.endpoint_tables import api_routes
from tests.architecture.source_files import ROOT, SourceFile, production_files, source_files

# Each layer with its folders. The doors, one file each below `baton`, hand on what users write with.
LAYERS: Mapping[str, tuple[str, ...]] = {
    "testing": ("testing",),
    "server": ("server",),
    "worker": ("worker",),
    "queue": ("queue", "observability"),
    "store": ("store",),
    "engine": ("engine", "settings"),
    "sdk": ("sdk", "__init__.py", "tools.py", "mcp.py", "pydantic_ai.py"),
    "client": ("client", "events/baton_events"),
    "local": ("infra/baton_local",),
}
DOORS = ("baton", "baton.tools", "baton.mcp", "baton.pydantic_ai", "baton.testing", "baton.client")

KINDS = ("lines", "modules", "functions", "classes")
# Of each layer, in the order of `KINDS`.
LAYER_BOUNDS = {
    "testing": (2_323, 14, 199, 48),
    "server": (14_317, 85, 953, 145),
    "worker": (11_452, 78, 784, 133),
    "queue": (1_950, 17, 155, 41),
    "store": (7_166, 41, 615, 97),
    "engine": (7_890, 47, 480, 104),
    "sdk": (12_330, 89, 815, 178),
    "client": (4_200, 24, 309, 115),
    "local": (21_238, 140, 1_568, 278),
}
BOUNDS = {
    "lines": 82_429,
    "modules": 531,
    "functions": 5_863,
    "classes": 1_115,
    "public names": 69,
    "Agent fields": 24,
    "@tool options": 12,
    "settings": 48,
    "ports": 32,
    "Protocols": 41,
    "API routes": 68,
    "console pages": 38,
    "commands": 28,
    "test lines": 101_183,
    "docs words": 64_233,
}
_OBJECTS = "large payloads by reference: results, files and tasks of any size, in an object store"
_DAILY = "schedules in code, keys of one job, chats that wait for a person"
_OVERVIEW = "the console's first page: all that an operator asks first, and counts in the menu of every page"
_CODE_MODE = "code mode: a model's scripts over its tools, whose calls are durable, parallel and approvable"
_DOORS = "three doors of one file each, so that layers may move behind them; longer names of modules"
_COST = "a job for a third less: stored defaults left out, and of its rows in the lists only what an end changes"
_STAMP = "one field compared in place of a digest of all, a bill in one pass: less time of store and process a step"
_WORKFLOWS = "durable Python without replay: workflows, whose code an interpreter runs"
_WHOLE = "pydantic-ai's capabilities, hooks and state of a run, as in `agent.run`"
_CORES = "the app in one process a core: the server, the container's recipe, the local stack, with kills of one"
_BUDGETS = "hard budgets of money and tokens: what a key may spend in a day or a month, reserved before each call"
_ERASURE = "a person's data, kept by whose it is, and erased by one request wherever it went"
_EDGES = "texts of users as no mark of ours; sealed ones that queue, dead letters, answers and logs cannot show"
_HOOKS = "keys of hooks: their effects outside count once, also after a crash"
_OPEN = "runs of pydantic-ai that stay open within an invocation: half the processor time of a step"
_DRAFTS = "a step notes what it writes in a draft: no two trees are compared, one way for all steps"
_START = "a shorter start: an archive 0.3 MB smaller, no search for garbage among what is imported"
_SEALED = "payloads that store, queue and logs cannot read: one codec, keys that rotate, places that texts are bound to"
_LOSSES = "worlds of large payloads with planted defects, a lost key that stops no page, an erasure by command"
_SANDBOXES = "sandboxes of pydantic-ai's agents: one a job, found by each step, destroyed after its end"
_ODD = "values that nobody had tried: numbers in declarations, texts as keys, and what foreign code gives at new doors"

_IDIOMS = "what people write in workflows, or a refusal before a job begins; odd answers to both clients, odd queries"


def _raises(buys: str, sums: str) -> tuple[tuple[str, int, str], ...]:
    """Several sums that one thing raises: `lines 12, lines of sdk 7`."""
    raised = (each.rpartition(" ") for each in sums.split(", "))
    return tuple((what, int(more), buys) for what, _, more in raised)


# (sum, by how much, what it buys)
RAISES: tuple[tuple[str, int, str], ...] = (
    *_raises(
        _IDIOMS,
        "lines 875, modules 4, functions 67, test lines 2065, lines of sdk 1195, modules of sdk 4, classes 1, "
        "functions of sdk 67, classes of sdk 3, functions of client 2, classes of client 2, docs words 30",
    ),
    *_raises(
        _OBJECTS,
        "lines 1848, modules 7, functions 146, classes 10, settings 4, ports 1, console pages 1, test lines 2088, "
        "docs words 1393, lines of testing 75, modules of testing 1, functions of testing 8, lines of server 167, "
        "modules of server 1, functions of server 10, lines of worker 593, modules of worker 2, functions of worker "
        "47, classes of worker 6, lines of store 680, modules of store 1, functions of store 65, lines of engine 134, "
        "functions of engine 6, lines of sdk 22, functions of sdk 2, lines of client 27, classes of client 2, lines "
        "of local 103, modules of local 1, functions of local 4, classes of store 1",
    ),
    *_raises(
        _EDGES,
        "lines 349, modules 1, functions 23, test lines 922, docs words 1176, lines of server 27, lines of worker "
        "42, functions of worker 1, lines of client 107, modules of client 1, functions of client 8, lines of "
        "local 35, classes 1, lines of queue 37, functions of queue 3, lines of sdk 27, functions of sdk 1, "
        "functions of local 2, lines of store 77, functions of store 5, functions of server 2",
    ),
    *_raises(_OVERVIEW, "modules 1, lines of server 72, modules of server 2, test lines 85"),
    *_raises(
        _DAILY,
        "lines 400, modules 3, functions 20, classes 4, public names 1, test lines 484, lines of server 80, lines of "
        "worker 92, modules of worker 1, functions of worker 14, lines of sdk 110, modules of sdk 1, lines of local "
        "60, functions of local 5, functions of server 3, functions of engine 1",
    ),
    *_raises(_DOORS, "modules 1, modules of sdk 1, lines of server 10, test lines 25"),
    *_raises(
        _CODE_MODE,
        "lines 900, modules 5, functions 75, classes 12, public names 1, Agent fields 1, test lines 1000, lines of "
        "engine 170, functions of engine 12, classes of engine 5, lines of worker 180, modules of worker 2, "
        "functions of worker 15, classes of worker 2, lines of server 80, functions of server 5, lines of sdk 480, "
        "modules of sdk 2, functions of sdk 45, classes of sdk 5",
    ),
    *_raises(_STAMP, "lines 75, classes 1, lines of store 35, functions of store 2, docs words 10"),
    *_raises(
        _SANDBOXES,
        "lines 368, modules 1, functions 28, classes 5, test lines 656, docs words 420, lines of worker 49, "
        "functions of worker 2, classes of worker 1, lines of engine 85, functions of engine 3, lines of sdk 212, "
        "modules of sdk 1, functions of sdk 22, classes of sdk 2, lines of client 2, lines of local 5",
    ),
    *_raises("a transcript beside its calls: one write fewer a turn", "lines 50, lines of engine 8, lines of store 8"),
    *_raises(
        "a history read once for its job: where a model reads all, the last steps take as much of ours as the first",
        "lines 185, functions 19, test lines 195, lines of worker 43, functions of worker 4, lines of store 108, "
        "functions of store 10, lines of engine 29, functions of engine 3",
    ),
    *_raises(
        _LOSSES,
        "lines 109, modules 1, functions 6, commands 1, test lines 695, docs words 264, lines of worker 34, functions "
        "of worker 1, lines of store 7, functions of store 1, lines of server 10, functions of server 1, lines of "
        "local 52, modules of local 1, functions of local 2, functions of client 1",
    ),
    *_raises(_DRAFTS, "lines 96, modules 1, functions 8, lines of engine 83, functions of engine 8, test lines 112"),
    *_raises(
        "two fields of an agent and a setting less: a call's time beside its other settings, both addresses in one",
        "functions of engine 1, lines of sdk 17, functions of sdk 2, classes of sdk 1",
    ),
    *_raises("one sorted set for the slots' indexes", "lines of store 25, lines of client 2, functions of store 1"),
    *_raises("steps at once cost alike", "classes 1, lines of worker 12, functions of worker 6, classes of worker 1"),
    *_raises(
        "a tombstone is read where no tree is",
        "lines 10, functions 1, test lines 18, lines of store 6, lines of engine 4, functions of engine 1",
    ),
    *_raises("results taken in with runs", "lines 3, functions 1, lines of worker 3, test lines 27, docs words 65"),
    *_raises(
        _ERASURE,
        "lines 249, modules 1, functions 14, API routes 1, test lines 166, docs words 391, lines of server 136, "
        "modules of server 1, functions of server 7, classes of server 1, lines of worker 5, lines of store 15, "
        "functions of store 3, classes of store 1, functions of engine 1, lines of client 32",
    ),
    *_raises(
        _BUDGETS,
        "lines 1550, modules 10, lines of sdk 240, modules of sdk 1, functions of sdk 11, functions 93, classes 21, "
        "public names 1, Agent fields 1, lines of worker 341, modules of worker 2, classes of worker 3, functions of "
        "worker 27, lines of local 90, docs words 575, ports 1, lines of store 325, modules of store 2, functions of "
        "store 17, classes of store 2, API routes 3, console pages 2, commands 1, lines of server 219, modules of "
        "server 2, functions of server 13, classes of server 4, modules of local 1, test lines 198",
    ),
    *_raises(
        "kinds of alerts as a type, which the guide has to name: one of seven was missing there",
        "lines 5, lines of engine 5, test lines 10, docs words 31",
    ),
    *_raises(
        _WHOLE,
        "lines 730, functions 14, test lines 1671, lines of testing 38, functions of testing 3, lines of sdk 686, "
        "modules of sdk 2, functions of sdk 53, docs words 37",
    ),
    *_raises(
        _START,
        "lines 90, modules 1, functions 1, lines of server 8, lines of worker 13, modules of worker 1, lines of local "
        "4, test lines 19, lines of client 48, functions of client 2, lines of queue 1, lines of testing 2",
    ),
    *_raises(
        _CORES,
        "lines 41, modules 2, lines of server 65, modules of server 2, functions of server 4, test lines 96, docs "
        "words 72",
    ),
    *_raises(
        _SEALED,
        "lines 1056, modules 5, functions 71, classes 14, public names 2, settings 3, Protocols 2, test lines 1152, "
        "docs words 370, lines of client 310, functions of client 23, classes of client 6, lines of server 67, lines "
        "of worker 33, lines of store 515, modules of store 4, functions of store 28, classes of store 7, lines of "
        "engine 125, functions of engine 10, classes of engine 1, commands 4, functions of worker 3, lines of local "
        "81, functions of local 5, functions of server 1",
    ),
    *_raises("three options of a tool in one, each checked by its name", "lines of sdk 20, classes of sdk 1, lines 20"),
    *_raises(
        "types of failures in one list, which programs can read; outcomes of work written in the engine alone",
        "functions 6, functions of server 3, lines of sdk 16, lines of local 6, functions of local 1, lines 6, "
        "lines of engine 28, functions of engine 2, lines of testing 4, functions of testing 1",
    ),
    ("Protocols", 1, "a tool's options in one record, by which type checkers know the decorator's, too"),
    *_raises(
        _WORKFLOWS,
        "lines of server 10, lines of worker 60, lines of sdk 1500, modules of sdk 9, functions of sdk 140, classes "
        "of sdk 22, lines 1700, modules 10, functions 160, classes 25, public names 3, test lines 900",
    ),
    ("test lines", 2_360, "sixty programs of five peers and generated ones, crashed at each await and by kill -9"),
    *_raises(_COST, "lines 15, functions 1, lines of store 75, functions of store 8, test lines 300, docs words 24"),
    ("functions of engine", 1, _COST),
    *_raises(
        "a start without what declares tools", "modules 2, lines of sdk 26, modules of sdk 1, modules of worker 1"
    ),
    *_raises("the benchmark's own reads apart, a state that is a round trip away", "test lines 322, docs words 299"),
    *_raises(
        "a sweep leaves a job alone that was just submitted",
        "lines 7, functions 1, lines of engine 7, functions of engine 1, test lines 16",
    ),
    *_raises("constants and methods in workflows, calls in f-strings", "lines 190, lines of sdk 137, docs words 30"),
    ("test lines", 1_178, "budgets of whole jobs, and worlds of them: races, crashes, failovers, planted defects"),
    ("docs words", 1_260, "a guide to budgets, executed, and their rows in the reference"),
    ("modules of server", 1, "endpoints that are functions over one context, which has a file of its own"),
    ("test lines", 250, "siblings of hard edges: names of schemas, a full memory, odd forms, half answers of Lambda"),
    ("lines of server", 32, "adapters imported from their places, a URL whose path begins as ours, half answers"),
    ("test lines", 530, "waits that outlive a short retention, spans of a killed process, costs beside others"),
    *_raises("faults of the network that tests of users plan", "lines 116, functions 10"),
    ("test lines", 131, "invariants, and stories by hand, of every clause of the slot rule"),
    *_raises("an app event's page, to which its handlers' jobs lead", "functions 18, console pages 1"),
    ("test lines", 305, "the last open mutants, and messages of a job that are paid once"),
    ("settings", 1, "ENABLE_AGENT_WORKER, as the first documents have it"),
    ("test lines", 211, "forks in line, options with a help of their own, secrets of scripts, less time of all tests"),
    ("lines of sdk", 20, "a call is judged beside its tool, late code ended in one place; worker has as many less"),
    ("test lines", 1_065, "stamps in any order; odd values over the stack: bodies, answers, cut streams, mutants"),
    ("test lines", 235, "jobs, events, limits of a key; people on call; steps after a crash, reads at an end"),
    ("docs words", 850, "an application of invoices from an empty folder, which runs as a test"),
    ("docs words", 400, "the console beside six products, point by point: what an operator sees without a click"),
    *_raises("what waits for approval on the console's first page", "lines 40, lines of server 30, test lines 99"),
    *_raises("jobs, events, limits of a key", "functions of worker 3, lines 80, lines of worker 75, lines of server 8"),
    ("test lines", 611, "fifty-one agents with capabilities of pydantic-ai's harness, and their table in the guide"),
    *_raises(
        _OPEN,
        "lines 375, modules 1, functions 33, classes 5, test lines 320, lines of sdk 380, modules of sdk 1, "
        "functions of sdk 30, classes of sdk 4, docs words 7",
    ),
    *_raises(
        _HOOKS,
        "lines 115, modules 1, public names 1, test lines 142, lines of sdk 80, modules of sdk 1, functions of sdk 5",
    ),
    ("lines of sdk", 15, "agents, tools and streams that a hook makes are refused by name, not lost"),
    *_raises("objects found by rows of jobs", "functions of store 1, functions 2, lines of sdk 2, test lines 60"),
    ("test lines", 1_243, "racing calls, leases, alerts and doors of budgets, and a planted defect of each rule"),
    *_raises(
        _ODD,
        "lines 2810, modules 12, functions 200, classes 11, test lines 5420, lines of server 144, functions of server "
        "17, lines of local 5, classes of server 3, lines of worker 86, lines of sdk 2095, modules of sdk 11, "
        "functions of sdk 137, classes of sdk 7, lines of client 230, functions of client 22, functions of testing "
        "5, docs words 390, functions of worker 4, functions of engine 4, lines of engine 25, modules of client 1, "
        "lines of store 74, functions of store 4, lines of testing 40",
    ),
    ("test lines", 250, "generated sequences of calls with a budget beside the rule in Python, and what they find"),
    *_raises(
        "one typed union of stream parts: where a kind is added, mypy names each reader that lacks it",
        "lines 160, modules 1, functions 3, classes 11, test lines 18, lines of server 28, functions of server 1, "
        "lines of sdk 121, modules of sdk 1, functions of sdk 1, classes of sdk 11, lines of local 17, "
        "functions of local 1",
    ),
    *_raises("what an hour brings out", "lines 67, lines of worker 25, functions of worker 2, test lines 290"),
)

# A bound may be above its sum by this share, or by a few.
SLACK = 0.06
FEW = 5


def _folder(file: SourceFile) -> str:
    """Return the longest of the layers' folders, or files, that a file is in."""
    name = file.name.removeprefix("functions/baton/")
    places = (place for layer in LAYERS.values() for place in layer if name == place or name.startswith(f"{place}/"))
    return max(places, key=len, default="")


def _layer_of(file: SourceFile) -> str:
    folder = _folder(file)
    return next((layer for layer, folders in LAYERS.items() if folder in folders), "")


def _sums_of(files: list[SourceFile]) -> tuple[int, int, int, int]:
    return (
        sum(len(file.text.splitlines()) for file in files),
        sum(not file.is_package_file for file in files),
        sum(len(file.functions()) for file in files),
        sum(len(file.classes()) for file in files),
    )


def _protocols() -> int:
    bases = (base for file in production_files() for node in file.classes() for base in node.bases)
    return sum(
        "Protocol" in {getattr(part, "id", "") for part in (base, getattr(base, "value", None))} for base in bases
    )


def _commands(command: click.Command) -> int:
    if not isinstance(command, click.Group):
        return 1
    context = click.Context(command)
    found = (command.get_command(context, name) for name in command.list_commands(context))
    return sum(_commands(each) for each in found if each is not None)


def _console_pages() -> int:
    container = Container(Settings(), real_ports(Settings()))
    return len(console_routes(container, Keys(container)))


def _words() -> int:
    return sum(len(page.read_text(encoding="utf-8").split()) for page in (ROOT / "docs").rglob("*.md"))


MEASURES: Mapping[str, Callable[[], int]] = {
    "public names": lambda: sum(len(importlib.import_module(door).__all__) for door in DOORS),
    "Agent fields": lambda: len(dataclasses.fields(Agent)),
    "@tool options": lambda: len(inspect.signature(tool).parameters) - 1,  # the first one is the function
    "settings": lambda: len(SETTINGS),
    "ports": lambda: len(Ports.__annotations__),
    "Protocols": _protocols,
    "API routes": lambda: len(api_routes()),
    "console pages": _console_pages,
    "commands": lambda: _commands(main),
    "test lines": lambda: sum(len(file.text.splitlines()) for file in source_files("tests")),
    "docs words": _words,
}


def _sums() -> dict[str, int]:
    files = list(production_files())
    sums = dict(zip(KINDS, _sums_of(files), strict=True)) | {what: measure() for what, measure in MEASURES.items()}
    for layer in LAYERS:
        of_layer = _sums_of([file for file in files if _layer_of(file) == layer])
        sums |= {f"{kind} of {layer}": each for kind, each in zip(KINDS, of_layer, strict=True)}
    return sums


def _bounds() -> dict[str, int]:
    bounds = dict(BOUNDS)
    for layer, of_layer in LAYER_BOUNDS.items():
        bounds |= {f"{kind} of {layer}": each for kind, each in zip(KINDS, of_layer, strict=True)}
    for what, more, _ in RAISES:
        bounds[what] += more
    return bounds


def faults(sums: Mapping[str, int], bounds: Mapping[str, int]) -> list[str]:
    """Say of each sum over its bound by how much, and of each bound that no sum comes near."""
    over = [
        f"{what}: {now} is {now - bounds[what]} over its bound: take as much out, or say in RAISES what it buys"
        for what, now in sums.items()
        if now > bounds[what]
    ]
    idle = [
        f"{what}: {now} is {bounds[what] - now} below its bound of {bounds[what]}: lower the bound"
        for what, now in sums.items()
        if bounds[what] - now > max(SLACK * bounds[what], FEW)
    ]
    return over + idle


def test_every_module_is_of_a_layer() -> None:
    assert [file.name for file in production_files() if not _layer_of(file)] == []


def test_no_sum_is_over_its_bound_and_no_bound_is_idle() -> None:
    assert faults(_sums(), _bounds()) == []


def test_a_raise_says_what_it_buys() -> None:
    assert [what for what, more, buys in RAISES if more <= 0 or len(buys.split()) < FEW] == []


def test_the_fault_names_the_sum_and_by_how_much() -> None:
    bounds = {"lines of store": 100, "settings": 40, "ports": 30}
    assert faults({"lines of store": 103, "settings": 40, "ports": 29}, bounds) == [
        "lines of store: 103 is 3 over its bound: take as much out, or say in RAISES what it buys"
    ]
    assert faults({"lines of store": 90, "settings": 40, "ports": 30}, bounds) == [
        "lines of store: 90 is 10 below its bound of 100: lower the bound"
    ]

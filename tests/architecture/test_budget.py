"""The house stays small: each sum is at most its bound, and bounds fall.

A change that needs more in one place takes it out in another. Whoever lowers a sum lowers its bound.
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
from tests.architecture.source_files import ROOT, SourceFile, production_files, source_files
from tests.docs.generated.wire import api_routes

# Each layer with its folders. The doors, one file each below `baton`, hand on what users write with.
LAYERS: Mapping[str, tuple[str, ...]] = {
    "testing": ("testing",),
    "server": ("server",),
    "worker": ("worker",),
    "queue": ("queue", "observability"),
    "store": ("store",),
    "engine": ("engine", "settings"),
    "sdk": ("sdk", "__init__.py", "tools.py", "mcp.py", "langgraph.py", "openai_agents.py", "pydantic_ai.py"),
    "client": ("client", "events/baton_events"),
    "local": ("infra/baton_local",),
}
DOORS = (
    "baton",
    "baton.tools",
    "baton.mcp",
    "baton.langgraph",
    "baton.openai_agents",
    "baton.pydantic_ai",
    "baton.testing",
    "baton.client",
)

KINDS = ("lines", "modules", "functions", "classes")
# Of each layer, in the order of `KINDS`.
LAYER_BOUNDS = {
    "testing": (2_893, 15, 261, 49),
    "server": (14_984, 88, 993, 148),
    "worker": (13_697, 90, 956, 149),
    "queue": (3_114, 25, 259, 55),
    "store": (9_447, 49, 783, 112),
    "engine": (8_644, 45, 536, 110),
    "sdk": (21_776, 133, 1_555, 275),
    "client": (5_025, 26, 382, 130),
    "local": (17_649, 110, 1_256, 210),
}
BOUNDS = {
    "lines": 97_229,
    "modules": 581,
    "functions": 6_981,
    "classes": 1_238,
    "public names": 84,
    "Agent fields": 26,
    "@tool options": 13,
    "settings": 63,
    "ports": 35,
    "Protocols": 44,
    "API routes": 73,
    "console pages": 42,
    "commands": 37,
    "test lines": 136_138,
    "docs words": 76_481,
}

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
    return bounds


def faults(sums: Mapping[str, int], bounds: Mapping[str, int]) -> list[str]:
    """Say of each sum over its bound by how much, and of each bound that no sum comes near."""
    over = [
        f"{what}: {now} is {now - bounds[what]} over its bound: take as much out elsewhere"
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


def test_the_fault_names_the_sum_and_by_how_much() -> None:
    bounds = {"lines of store": 100, "settings": 61, "ports": 30}
    assert faults({"lines of store": 103, "settings": 61, "ports": 29}, bounds) == [
        "lines of store: 103 is 3 over its bound: take as much out elsewhere"
    ]
    assert faults({"lines of store": 90, "settings": 61, "ports": 30}, bounds) == [
        "lines of store: 90 is 10 below its bound of 100: lower the bound"
    ]

"""Finding the application's registry."""

import itertools
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path

import pytest

import baton.sdk.agents
from baton.sdk.agents.loader import RegistryNotLoadedError, load_registry
from baton.sdk.agents.samples.registry import registry as samples

NUMBERS = itertools.count()
MINE = "from baton import Registry\nmine, other = Registry(), ['an agent']\n"


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A package of the user's own on the import path; its modules are forgotten afterwards."""
    name = f"user_package_{next(NUMBERS)}"
    (tmp_path / name).mkdir()
    (tmp_path / name / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    yield name
    for module in [module for module in sys.modules if module.split(".")[0] == name]:
        del sys.modules[module]


def write(package: str, text: str) -> None:
    (Path(sys.path[0]) / package / "agents.py").write_text(text, encoding="utf-8")


def test_the_samples_are_found_under_their_reference() -> None:
    """It is the default of `BATON_APP`."""
    assert load_registry("baton.sdk.agents:registry").agents is samples.agents
    assert baton.sdk.agents.registry.agents is samples.agents, "the module of the same name must not hide it"
    assert load_registry(" baton.sdk.agents.samples.registry:registry ") is samples


def test_a_registry_of_the_users_own_is_found(package: str) -> None:
    """Through the public surface only; attributes may be dotted."""
    write(
        package,
        "from baton import Agent, Registry, ScriptedModel\n"
        "class app:\n    registry = Registry(agents=[Agent('mine', model=ScriptedModel(['done']))])\n",
    )
    assert load_registry(f"{package}.agents:app.registry").agent("mine").name == "mine"


REFUSED: list[tuple[str, str, str]] = [
    # One of both halves is missing.
    *(
        ("", reference, r"write module:attribute, as in 'my_company.agents:registry'")
        for reference in ("", "baton.sdk.agents", "baton.sdk.agents:", ":registry", ":")
    ),
    *(
        ("", f"{module}:registry", r"there is no module '.*nowhere.*PYTHONPATH")
        for module in ("nowhere_at_all", "nowhere_at_all.agents", "functions.nowhere")
    ),
    ("import sys\nsys.exit(3)\n", "MINE.agents:registry", r"importing 'MINE.agents' .* raised SystemExit: 3"),
    # A file of the user's may have the name of a module of Python's own, which hides it.
    ("", "asyncio:registry", r"it has no Registry: add one to .*asyncio/__init__.py"),
    ("", "MINE.agents:registry", r"it has no Registry: add one to .*MINE/agents.py"),
    ("", "sys:registry", "add one to a file of another name: Python has a module 'sys'"),
    (MINE, "MINE.agents:registry", r"has no attribute 'registry' .* it has mine"),
    (MINE, "MINE:registry", "it has no Registry: add one"),
    (MINE, "MINE.agents:other", r"is a list, not a Registry; write other = Registry\("),
]


@pytest.mark.parametrize(("text", "reference", "message"), REFUSED)
def test_what_leads_to_no_registry_is_refused_with_the_way_out(
    package: str, text: str, reference: str, message: str
) -> None:
    write(package, text)
    with pytest.raises(RegistryNotLoadedError, match=message.replace("MINE", package)):
        load_registry(reference.replace("MINE", package))


@pytest.mark.parametrize(
    ("text", "error_type"),
    [
        ("import not_installed_anywhere", ModuleNotFoundError),
        ("from json import no_such_name", ImportError),
        ("def broken(:", SyntaxError),
        ("from baton import Agent, Registry\nregistry = Registry(agents=[Agent('a')])", ValueError),
    ],
)
def test_what_the_users_module_raises_stays_attached(package: str, text: str, error_type: type[Exception]) -> None:
    """With its own traceback, which points into the user's file."""
    write(package, text)
    with pytest.raises(RegistryNotLoadedError, match=f"importing '{package}.agents' .* raised") as caught:
        load_registry(f"{package}.agents:registry")
    cause = caught.value.__cause__
    assert isinstance(cause, error_type)
    assert str(Path(package) / "agents.py") in "".join(traceback.format_exception(cause))

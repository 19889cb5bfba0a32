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
    """Write the package's module `agents`."""
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


@pytest.mark.parametrize("reference", ["", "baton.sdk.agents", "baton.sdk.agents:", ":registry", ":"])
def test_a_reference_without_both_halves_is_refused(reference: str) -> None:
    with pytest.raises(RegistryNotLoadedError, match=r"write module:attribute, as in 'my_company.agents:registry'"):
        load_registry(reference)


def test_a_module_that_ends_the_process_is_named(package: str) -> None:
    write(package, "import sys\nsys.exit(3)\n")
    with pytest.raises(RegistryNotLoadedError, match=r"importing 'user_package_\d+.agents' .* raised SystemExit: 3"):
        load_registry(f"{package}.agents:registry")


def test_a_module_of_another_place_is_shown_by_its_file(package: str) -> None:
    """A file of the user's may have the name of a module of Python's own, which hides it."""
    write(package, "")
    for name, file in (("asyncio", "asyncio/__init__.py"), (f"{package}.agents", f"{package}/agents.py")):
        with pytest.raises(RegistryNotLoadedError, match=rf"it has no Registry: add one to .*{file}"):
            load_registry(f"{name}:registry")
    with pytest.raises(RegistryNotLoadedError, match="add one to a file of another name: Python has a module 'sys'"):
        load_registry("sys:registry")


@pytest.mark.parametrize("module", ["nowhere_at_all", "nowhere_at_all.agents", "functions.nowhere"])
def test_a_missing_module_is_named_with_the_way_out(module: str) -> None:
    with pytest.raises(RegistryNotLoadedError, match=r"there is no module '.*nowhere.*PYTHONPATH"):
        load_registry(f"{module}:registry")


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


def test_a_missing_or_another_attribute_is_reported_with_those_that_would_do(package: str) -> None:
    write(package, "from baton import Registry\nmine, other = Registry(), ['an agent']\n")
    with pytest.raises(RegistryNotLoadedError, match=r"has no attribute 'registry' .* it has mine"):
        load_registry(f"{package}.agents:registry")
    with pytest.raises(RegistryNotLoadedError, match="it has no Registry: add one"):
        load_registry(f"{package}:registry")
    with pytest.raises(RegistryNotLoadedError, match=r"is a list, not a Registry; write other = Registry\("):
        load_registry(f"{package}.agents:other")

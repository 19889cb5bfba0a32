"""Find the application's registry from a reference such as `my_company.agents:registry` (setting `BATON_APP`).

Invariant: whatever goes wrong ends in one error that names the reference and the way out; what the user's own module
raised stays attached as its cause. Must not: change the import path or read the setting.
"""

import importlib
from functools import reduce
from types import ModuleType

from baton.agents.registry import Registry


class RegistryNotLoadedError(Exception):
    """The reference does not lead to a registry."""


def load_registry(reference: str) -> Registry:
    """Import the module and take the attribute, as uvicorn does with its application."""
    module_name, colon, attribute = reference.strip().partition(":")
    if not (module_name and colon and attribute):
        raise RegistryNotLoadedError(
            f"{reference!r} is no reference to a registry; write module:attribute, as in 'my_company.agents:registry'"
        )
    found = _attribute_of(_import(module_name, reference), attribute, reference)
    if not isinstance(found, Registry):
        raise RegistryNotLoadedError(
            f"{reference!r} is a {type(found).__name__}, not a Registry; write {attribute} = Registry(agents=[...])"
            f" in {module_name}"
        )
    return found


def _import(module_name: str, reference: str) -> ModuleType:
    try:
        return importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        missing = error.name or ""
        if missing and f"{module_name}.".startswith(f"{missing}."):
            raise RegistryNotLoadedError(
                f"there is no module {missing!r} (wanted by {reference!r}); run from the folder that contains it,"
                " put that folder on PYTHONPATH, or correct the name"
            ) from error
        raise _failed(module_name, reference, error) from error
    except Exception as error:
        raise _failed(module_name, reference, error) from error


def _failed(module_name: str, reference: str, error: Exception) -> RegistryNotLoadedError:
    return RegistryNotLoadedError(
        f"importing {module_name!r} (wanted by {reference!r}) raised {type(error).__name__}: {error};"
        f" see the traceback above, or try: python -c 'import {module_name}'"
    )


def _attribute_of(module: ModuleType, attribute: str, reference: str) -> object:
    try:
        return reduce(getattr, attribute.split("."), module)
    except AttributeError as error:
        registries = [name for name, value in vars(module).items() if isinstance(value, Registry)]
        hint = f"it has {', '.join(registries)}" if registries else "it has no Registry: add one"
        raise RegistryNotLoadedError(
            f"module {module.__name__!r} has no attribute {attribute!r} (wanted by {reference!r}); {hint}"
        ) from error

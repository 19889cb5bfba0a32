"""The application's registry: the one that a reference such as `my_company.agents:registry` names, or the samples'.

`BATON_APP` holds the reference. Invariant: a failure ends in one error that names the reference and the remedy; the
error of the user's own module stays attached as its cause. Importing this module loads no agent, so an application of
one's own does not pay for the samples. Must not: change the import path or read the setting.
"""

import importlib
from functools import reduce
from types import ModuleType
from typing import Any

from baton.sdk.agents.registry import Registry
from baton_events.errors import SettingsError, join_problems
from baton_events.values.text import text_of

_SAMPLES = "baton.sdk.agents.samples.registry"


class DefaultRegistry(Registry):
    def __init__(self) -> None:
        """Start without agents."""

    def __getattr__(self, name: str) -> Any:
        """Load the samples on the first access to an attribute of a registry."""
        if name.startswith("__"):
            raise AttributeError(name)
        vars(self).update(vars(importlib.import_module(_SAMPLES).registry))
        return self.__getattribute__(name)


registry = DefaultRegistry()


class RegistryNotLoadedError(Exception):
    """The reference does not lead to a registry."""


_INDEX = "a vector index keeps its texts in clear: use Memory(similar=0)"
_QUEUE = 'the queue keeps its requests in clear: take offload="queue" away'


def load_registry(reference: str) -> Registry:
    """Import the module and return the attribute, as uvicorn does with its application."""
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


def refuse_plain(registry: Registry, plain: str) -> None:
    """Refuse agents whose texts would leave in clear although payloads are sealed; `plain`: what may.

    Raises SettingsError: it names each of them, and the way out.
    """
    found = [
        f"agent {agent.name!r}: {why}, or set PAYLOAD_PLAIN={name}"
        for agent in registry.agents
        for name, holds, why in (
            ("memory", agent.memory_policy is not None and agent.memory_policy.similar > 0, _INDEX),
            ("offload", agent.offload == "queue", _QUEUE),
        )
        if holds and name not in plain.split(",")
    ]
    if found:
        raise SettingsError(join_problems("payloads are encrypted, and these would not be:", found))


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
    except (Exception, SystemExit) as error:
        raise _failed(module_name, reference, error) from error


def _failed(module_name: str, reference: str, error: BaseException) -> RegistryNotLoadedError:
    return RegistryNotLoadedError(
        f"importing {module_name!r} (wanted by {reference!r}) raised {type(error).__name__}: {text_of(error)};"
        f" for its traceback: python -c 'import {module_name}'"
    )


def _attribute_of(module: ModuleType, attribute: str, reference: str) -> object:
    try:
        return reduce(getattr, attribute.split("."), module)
    except AttributeError as error:
        registries = [name for name, value in vars(module).items() if isinstance(value, Registry)]
        # The name may be that of a module of Python's own, which hides the user's file.
        file = getattr(module, "__file__", None) or f"a file of another name: Python has a module {module.__name__!r}"
        hint = f"it has {', '.join(registries)}" if registries else f"it has no Registry: add one to {file}"
        raise RegistryNotLoadedError(
            f"module {module.__name__!r} has no attribute {attribute!r} (wanted by {reference!r}); {hint}"
        ) from error

"""Models by name, for agents that write `model="demo"` or `model="openai:gpt-5-mini"`.

Invariant: asking whether a name exists builds nothing; a model's code is imported when it is first wanted, so that a
function that only runs tools never loads it. Must not: read settings or open connections.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from baton.models.model import Model
from baton.models.provider import ProviderModel
from baton.models.provider_names import name_fault


def _demo() -> Model:
    from baton.models.demo import DemoModel  # noqa: PLC0415 - loaded only where a model is called

    return DemoModel()


_MAKERS: Mapping[str, Callable[[], Model]] = MappingProxyType({"demo": _demo})

MODEL_NAMES = tuple(sorted(_MAKERS))


def model_fault(name: str) -> str | None:
    """What is wrong with a model's name, and which there are; None: such a model can be made."""
    if name in _MAKERS:
        return None
    if ":" not in name:
        return f"unknown model {name!r}; {available_models()}"
    fault = name_fault(name)
    return None if fault is None else f"unknown model {name!r}: {fault}"


def model_named(name: str) -> Model:
    """Make the model of that name, or raise a `ValueError` that says which names exist."""
    fault = model_fault(name)
    if fault is not None:
        raise ValueError(fault)
    return _MAKERS[name]() if name in _MAKERS else ProviderModel(name)


def available_models() -> str:
    """Say what can be used, for error messages."""
    names = ", ".join(repr(name) for name in MODEL_NAMES)
    return f"use {names}, 'provider:model' as in 'openai:gpt-5-mini', or an object with the methods of Model"

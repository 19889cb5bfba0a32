"""Models by name, for agents that write `model="demo"`.

Invariant: asking whether a name exists builds nothing; a model's code is imported when it is first wanted, so that a
function that only runs tools never loads it. Must not: read settings or open connections.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from functions.models.model import Model


def _demo() -> Model:
    from functions.models.demo import DemoModel  # noqa: PLC0415 - loaded only where a model is called

    return DemoModel()


_MAKERS: Mapping[str, Callable[[], Model]] = MappingProxyType({"demo": _demo})

MODEL_NAMES = tuple(sorted(_MAKERS))


def model_named(name: str) -> Model:
    """Make the model of that name, or raise a `ValueError` that says which names exist."""
    maker = _MAKERS.get(name)
    if maker is None:
        raise ValueError(f"unknown model {name!r}; {available_models()}")
    return maker()


def available_models() -> str:
    """Say what can be used, for error messages."""
    names = ", ".join(repr(name) for name in MODEL_NAMES)
    return f"this version has {names}; or give an object with the methods of functions.models.model.Model"

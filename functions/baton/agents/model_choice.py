"""Which models an agent has, and how they are to answer: the checks of `model` and `model_settings`.

Invariant: what passes is one model or several, each a name or an object; whether a name exists is the registry's to
say. Must not: make a model.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, cast

from baton.models.model import Model
from baton.models.model_settings import setting_faults

ModelChoice = Model | str | Sequence[Model | str] | None


def chosen_models(model: ModelChoice) -> tuple[Model | str, ...]:
    """The agent's models in the order in which they are asked; empty: it has none."""
    if model is None:
        return ()
    # Asked at each turn: whether something is a model takes much longer to find out than whether it is several.
    return tuple(model) if isinstance(model, list | tuple) else (cast("Model | str", model),)


def checked_choice(agent: str, model: ModelChoice) -> ModelChoice:
    """The choice in a form that cannot change.

    Raises:
        TypeError: something in it is no model.
        ValueError: an empty list.
    """
    if model is None or isinstance(model, str):
        return model
    if not isinstance(model, Sequence):
        return _checked_model(agent, model)
    if not model:
        raise ValueError(f"agent {agent!r}: model is an empty list; name at least one model, or leave it out")
    return tuple(_checked_model(agent, item) for item in model)


def checked_settings(agent: str, settings: Mapping[str, Any]) -> Mapping[str, Any]:
    """The settings in a form that cannot change.

    Raises:
        TypeError: they are no mapping.
        ValueError: some are unknown or out of range; the message lists them all.
    """
    if not isinstance(settings, Mapping) or not all(isinstance(name, str) for name in settings):
        raise TypeError(f"agent {agent!r}: model_settings must be a dict with text keys, got {settings!r}")
    faults = list(setting_faults(settings))
    if faults:
        raise ValueError(f"agent {agent!r}: {'; '.join(faults)}")
    return MappingProxyType(dict(settings))


def _checked_model(agent: str, model: object) -> Model | str:
    if isinstance(model, type):
        raise TypeError(f"agent {agent!r}: model must be an object, got the class {model.__name__}; call it")
    if isinstance(model, str | Model):
        return model
    raise TypeError(
        f"agent {agent!r}: model must be a name or have `answer`, `name` and `reads_history`, or be a list of those,"
        f" got {model!r}"
    )

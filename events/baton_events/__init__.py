"""What travels: the events on the wire, and the emitter that publishes them. Needs pydantic and qstash alone."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from baton_events.emitter import Delivery, Emitter, emit
    from baton_events.emitter_settings import EmitterSettings

__all__ = ["Delivery", "Emitter", "EmitterSettings", "emit"]

_WHERE = {"Delivery": "emitter", "Emitter": "emitter", "EmitterSettings": "emitter_settings", "emit": "emitter"}


def __getattr__(name: str) -> Any:
    """Load a name when it is asked for: functions need the events alone."""
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_WHERE[name]}"), name)

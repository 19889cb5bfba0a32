"""The registry that runs where no application is named: the samples', loaded when something is first asked of it.

Invariant: importing it loads no agent, so that an application of one's own does not pay for the samples.
"""

import importlib
from typing import Any

from baton.agents.registry import Registry

_SAMPLES = "baton.agents.samples"


class DefaultRegistry(Registry):
    """The samples' registry."""

    def __init__(self) -> None:
        """Know no agent yet."""

    def __getattr__(self, name: str) -> Any:
        """Load the samples: this is asked for what a registry has, and is not there yet."""
        if name.startswith("__"):
            raise AttributeError(name)
        vars(self).update(vars(importlib.import_module(_SAMPLES).registry))
        return self.__getattribute__(name)


registry = DefaultRegistry()

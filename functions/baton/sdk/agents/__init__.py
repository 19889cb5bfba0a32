"""USERS ADD AGENTS HERE. `baton.sdk.agents:registry` is the registry that runs unless `BATON_APP` names another."""

# Not by `__getattr__`: this package also has a module named `registry`, which would take the name once it is imported.
from baton.sdk.agents.loader import registry

__all__ = ["registry"]

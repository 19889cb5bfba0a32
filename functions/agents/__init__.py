"""USERS ADD AGENTS HERE. `functions.agents:registry` is the registry that runs unless `BATON_APP` names another."""

# Not lazily: this package also has a module named `registry`, which would take the name as soon as it is imported.
from functions.agents.samples import registry

__all__ = ["registry"]

"""USERS ADD AGENTS HERE. `functions.agents:registry` is the registry that runs unless `BATON_APP` names another."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from functions.agents.samples import registry

__all__ = ["registry"]


def __getattr__(name: str) -> Any:
    """Re-export the samples on first use: an application with a registry of its own must not pay for them."""
    if name == "registry":
        from functions.agents.samples import registry  # noqa: PLC0415 - see above

        return registry
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

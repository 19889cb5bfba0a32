"""Which code this is."""

import platform
from importlib.metadata import PackageNotFoundError, version

from baton.core.state import STATE_VERSION
from baton.distribution import DISTRIBUTION
from baton_events.schema import SCHEMA_VERSION
from baton_local.doctor.finding import Finding, ok

CHECK = "versions"
_PACKAGES = (DISTRIBUTION, "qstash", "upstash-redis", "upstash-vector", "upstash-ratelimit")


def versions() -> Finding:
    """Of this machine; what the functions run is told by their answer to a probe."""
    packages = ", ".join(f"{name} {_version(name)}" for name in _PACKAGES)
    schemas = f"events of version {SCHEMA_VERSION}, stored state of version {STATE_VERSION}"
    return ok(CHECK, f"{packages}; {schemas}; Python {platform.python_version()}")


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"

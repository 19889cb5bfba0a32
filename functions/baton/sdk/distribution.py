"""The installed distribution: its name, its extras, and the one error for an extra that is asked for and missing.

`baton` on the package index belongs to another project. Invariant: what is missing is said where a setting or an option
asks for it, never by an import within a request.
"""

from collections.abc import Mapping
from importlib.util import find_spec

from baton_events.errors import SettingsError

DISTRIBUTION = "durable-baton"

# Each extra of pyproject.toml, with the modules that tell whether it is installed.
EXTRAS: Mapping[str, tuple[str, ...]] = {
    "code-mode": ("pydantic_monty",),
    "encryption": ("cryptography",),
    "langgraph": ("langchain", "langgraph"),
    "mcp": ("mcp", "regex"),
    "models": ("pydantic_ai",),
    "objects": ("obstore",),
    "openai-agents": ("agents", "regex"),
    "otel": ("opentelemetry.sdk", "opentelemetry.exporter.otlp.proto.http"),
    "redis": ("cronsim", "redis", "hiredis"),
    "sentry": ("sentry_sdk",),
    "server": ("uvicorn",),
    "site": ("jinja2", "prometheus_client"),
    "testing": ("lupa",),
    "vector": ("upstash_vector",),
}


def missing_extra(extra: str, asked: str) -> str:
    """Say what needs an extra and how to install it; empty where it is installed."""
    if all(_is_installed(name) for name in EXTRAS[extra]):
        return ""
    return f"{asked} needs the extra `{extra}`, which is not installed: pip install '{DISTRIBUTION}[{extra}]'"


def require_extra(extra: str, asked: str) -> None:
    """Refuse what needs an extra that is not installed. `asked`: the setting or option that asks for it.

    Raises SettingsError: it is not installed.
    """
    if missing := missing_extra(extra, asked):
        raise SettingsError(missing)


def _is_installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # the package that it is in
        return False

"""What not every job needs is an extra, and one error names it where a setting, an option or a command asks for it."""

import re
import sys
import tomllib
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from click.testing import CliRunner

from baton.mcp import McpServer
from baton.observability.error_reports import report_errors
from baton.sdk import distribution
from baton.sdk.distribution import DISTRIBUTION, EXTRAS, missing_extra
from baton.sdk.records.redaction import KnownSecrets
from baton.server.site import build_site
from baton.settings.settings import Settings
from baton.store.redis.connection import RedisConnection
from baton.store.redis.in_process.server import Lua
from baton.worker.wiring import real_ports
from baton_events.sealing import sealed_by
from baton_local.cli.main import main
from tests.architecture.source_files import ROOT
from tests.unit.baton.kit.stage import Stage

PASSWORD = "a-password-of-the-store"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def _command(*arguments: str) -> Callable[[], None]:
    def run() -> None:
        result = CliRunner().invoke(main, [*arguments])
        assert result.exit_code, result.output
        raise RuntimeError(" ".join(result.output.replace("│", " ").split()))

    return run


# What asks → the extra, a module of it that is missing, and how it is asked for.
ASKS: Mapping[str, tuple[str, str, Callable[[], Any]]] = {
    "McpServer": ("mcp", "mcp", lambda: McpServer("https://tools.example.com/mcp")),
    "`baton mcp`": ("mcp", "mcp", _command("mcp", "--url", "http://127.0.0.1:9", "--key", "key")),
    "pydantic": ("models", "pydantic_ai", _command("demo", "pydantic")),
    "openai": ("openai-agents", "agents", _command("demo", "openai")),
    "OTEL_EXPORTER_OTLP_ENDPOINT": (
        "otel",
        "opentelemetry.sdk",
        lambda: real_ports(Settings(otel_endpoint="https://otel.example.com")),
    ),
    "REDIS_URL (redis://***@store.example.com:6379)": (
        "redis",
        "hiredis",
        lambda: RedisConnection(Settings(resp_url=f"redis://:{PASSWORD}@store.example.com:6379")),
    ),
    "resp": ("redis", "redis", _command("dev", "--store", "resp")),
    "PAYLOAD_KEYS": (
        "encryption",
        "cryptography.hazmat.primitives.ciphers.aead",
        lambda: sealed_by([("k1", bytes(32))]),
    ),
    "OBJECT_STORE_URL": ("objects", "obstore", lambda: real_ports(Settings(object_store_url="s3://bucket"))),
    "SENTRY_DSN": (
        "sentry",
        "sentry_sdk",
        lambda: report_errors(Settings(sentry_dsn="https://key@sentry.example.com/1"), KnownSecrets()),
    ),
    "the site (API and console)": ("site", "jinja2", lambda: build_site(Stage().container)),
    "a Redis in this process": ("testing", "lupa", Lua),
    "UPSTASH_VECTOR_REST_URL": (
        "vector",
        "upstash_vector",
        lambda: real_ports(Settings(vector_url="https://vector.example.com", vector_token="t")),
    ),
}


@pytest.mark.parametrize("asks", ASKS)
def test_a_missing_extra_is_named_where_it_is_asked_for(asks: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With how to install it, and before anything is opened or started."""
    extra, module, ask = ASKS[asks]
    monkeypatch.setitem(sys.modules, module, None)
    wanted = f"{asks} needs the extra `{extra}`, which is not installed: pip install '{DISTRIBUTION}[{extra}]'"
    with pytest.raises(Exception, match=re.escape(wanted)) as caught:
        ask()
    assert not isinstance(caught.value, ImportError)
    assert PASSWORD not in str(caught.value)


def test_an_extra_within_a_package_that_is_missing_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    assert missing_extra("otel", "x") == ""
    monkeypatch.setattr(distribution, "EXTRAS", {"otel": ("no_such_package.sdk",)})
    assert missing_extra("otel", "x")


def test_each_extra_of_the_project_is_known() -> None:
    assert EXTRAS.keys() == PROJECT["optional-dependencies"].keys()

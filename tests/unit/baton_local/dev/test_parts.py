from dataclasses import asdict
from pathlib import Path
from typing import Any

from redis.asyncio.connection import parse_url

from baton.settings.settings import read_settings
from baton_local.dev.parts import StackOptions, StackPlan, app_settings, remove_socket_folder, stack_parts
from baton_local.dev.ports import USUAL_PORTS
from baton_local.dev.secrets_file import load_or_make_secrets
from baton_local.redis.valkey import DataDir


def plan(folder: Path, **options: Any) -> StackPlan:
    inherited = {"PATH": "/bin", "QSTASH_URL": "elsewhere"}
    return StackPlan(StackOptions(folder, **options), USUAL_PORTS, load_or_make_secrets(folder), inherited)


def test_the_app_starts_last_so_that_it_stops_first(tmp_path: Path) -> None:
    """A user's folder never hides our modules, and only the app gets the product's settings."""
    made = stack_parts(plan(tmp_path))
    assert [part.name for part in made] == ["redis", "redis_rest", "vector", "qstash", "app"]
    assert all("-P" in part.command for part in made)
    parts = {part.name: part for part in made}
    assert parts["app"].environment["QSTASH_URL"] == "http://127.0.0.1:8080"
    assert parts["app"].environment["PATH"] == "/bin"
    assert "API_KEYS" not in parts["qstash"].environment


def test_a_store_over_resp_needs_no_bridge(tmp_path: Path) -> None:
    """The app is given the server's own socket, whatever its folder is called."""
    folder = tmp_path / "a b?"
    parts = stack_parts(plan(folder, store="resp"))
    assert [part.name for part in parts] == ["redis", "vector", "qstash", "app"]
    address = parts[-1].environment["REDIS_URL"]
    assert read_settings({"REDIS_URL": address}).resp_url == address
    assert parse_url(address).get("path") == str(DataDir(folder / "redis").socket_path)


def test_a_queue_of_its_own_process_reaches_one_that_is_free_by_a_new_connection(tmp_path: Path) -> None:
    several: dict[str, Any] = {"processes": 2, "store": "resp"}
    both = *stack_parts(plan(tmp_path, **several))[-2:], *stack_parts(plan(tmp_path, **several, queue="redis"))[-2:]
    assert ["--shares" in each.command for each in both] == [True, True, False, False]


def test_own_agents_are_imported_from_the_current_folder(tmp_path: Path) -> None:
    *_, app = stack_parts(plan(tmp_path))
    *_, own = stack_parts(plan(tmp_path, app="mine:registry"))
    assert "--app-dir" not in app.command
    assert "BATON_APP" not in app.environment  # the product's own default decides
    assert own.command[-4:] == ("--app-dir", str(Path.cwd()), "--registry", "mine:registry")
    assert own.environment["BATON_APP"] == "mine:registry"


def test_the_app_registers_with_the_queue_unless_it_lives_for_one_job(tmp_path: Path) -> None:
    """It has its agents' events and schedules; the command line need not import them, too."""
    *_, app = stack_parts(plan(tmp_path))
    *_, brief = stack_parts(plan(tmp_path, registers=False))
    assert (app.with_new_code, brief.with_new_code) == (("--registers",), ())


def test_a_deep_data_folder_leaves_nothing_outside_itself(tmp_path: Path) -> None:
    """A unix socket's path is short, so Redis then listens in the temporary folder."""
    deep = plan(tmp_path / ("deep" * 30))
    outside = DataDir(deep.options.folder / "redis").socket_path.parent
    outside.mkdir()
    (outside / "valkey.sock").touch()
    remove_socket_folder(deep)
    assert not outside.exists()


def test_no_secret_stands_in_a_process_list(tmp_path: Path) -> None:
    """Commands are seen by every user of the machine; environments are not."""
    made = plan(tmp_path)
    words = {word for part in stack_parts(made) for word in part.command}
    kept = {value for name, value in asdict(made.secrets).items() if name != "api_keys"}
    assert kept
    assert not {secret for secret in kept for word in words if secret in word}


PORTS = {"app": 1, "qstash": 2, "redis_rest": 3, "vector": 4}


def test_the_app_learns_where_everything_is(tmp_path: Path) -> None:
    secrets = load_or_make_secrets(tmp_path)
    settings = app_settings(PORTS, secrets, None)
    assert settings["WORKER_BASE_URL"] == "http://127.0.0.1:1"
    assert settings["QSTASH_URL"] == "http://127.0.0.1:2"
    assert settings["UPSTASH_REDIS_REST_URL"] == "http://127.0.0.1:3"
    assert settings["UPSTASH_VECTOR_REST_URL"] == "http://127.0.0.1:4"
    assert settings["UPSTASH_VECTOR_REST_TOKEN"] == secrets.vector_token
    assert settings["API_KEYS"] == secrets.api_keys_setting()
    assert settings["ENABLE_TEST_ENDPOINT"] == settings["METRICS_PUBLIC"] == "true"


def test_a_store_over_resp_has_one_address_and_the_persons_own_is_never_meant(tmp_path: Path) -> None:
    """What is not meant is empty, so that it covers what is inherited."""
    secrets = load_or_make_secrets(tmp_path)
    assert app_settings(PORTS, secrets, None)["REDIS_URL"] == ""
    over_resp = app_settings(PORTS, secrets, None, "unix:///valkey.sock")
    assert over_resp["REDIS_URL"] == "unix:///valkey.sock"
    assert over_resp["UPSTASH_REDIS_REST_URL"] == over_resp["UPSTASH_REDIS_REST_TOKEN"] == ""

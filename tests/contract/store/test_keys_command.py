"""`baton keys` on a real store: what it makes is let in, what it revokes is not, and both are written down."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from baton_local.cli.main import main
from baton_local.dev.secrets_file import load_or_make_secrets
from tests.contract.store.redis_process import TOKEN, RedisProcess


@pytest.fixture(params=["environment", "folder"])
def where(
    request: pytest.FixtureRequest, redis_process: RedisProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[str, ...]:
    """A deployment that the environment names, and a local stack that runs, described by its folder."""
    redis_process.request("FLUSHALL")
    if request.param == "environment":
        monkeypatch.setenv("UPSTASH_REDIS_REST_URL", redis_process.url)
        monkeypatch.setenv("UPSTASH_REDIS_REST_TOKEN", TOKEN)
        return ()
    described = {"redis_url": redis_process.url, "redis_token": TOKEN}
    (tmp_path / "dev.json").write_text(json.dumps(described))
    return "--data", str(tmp_path)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["keys", *arguments])


def listed(where: tuple[str, ...]) -> list[dict[str, str]]:
    result = run("list", "--json", *where)
    assert result.exit_code == 0, result.output
    rows: list[dict[str, str]] = json.loads(result.output)["keys"]
    return rows


@pytest.mark.parametrize("named", [lambda key: hashlib.sha256(key.encode()).hexdigest()[:12], str], ids=["id", "key"])
def test_a_key_is_made_listed_and_revoked(
    where: tuple[str, ...], redis_process: RedisProcess, named: Callable[[str], str]
) -> None:
    """By its id or by itself, as it is found in a log. The store never has the key; the log tells of both changes."""
    made = run("create", "--tenant", "acme", "--role", "client", "--label", "laptop", *where)
    key = made.output.splitlines()[-1]
    digest = hashlib.sha256(key.encode()).hexdigest()
    [row] = listed(where)
    assert (row["id"], row["role"], row["tenant"]) == (digest[:12], "client", "acme")
    assert (row["label"], row["lastUsed"]) == ("laptop", "never")
    assert key.startswith(row["prefix"])
    assert len(row["prefix"]) < 20
    stored = str(redis_process.request("HGETALL", "baton:{keys}:api"))
    assert digest in stored
    assert key not in stored
    assert "laptop" in run("list", *where).output
    assert "within 30 s" in run("revoke", named(key), *where).output
    assert listed(where) == []
    entries = [json.loads(row[1][1]) for row in redis_process.request("XRANGE", "baton:{audit}:log", "-", "+")]
    changes = [("keys create", digest[:12]), ("keys revoke", digest[:12])]
    assert [(entry["action"], entry["target"]) for entry in entries] == changes


@pytest.mark.parametrize("key_id", ["0" * 12, "", "zzz"])
def test_an_unknown_id_revokes_nothing(where: tuple[str, ...], key_id: str) -> None:
    run("create", "--tenant", "acme", "--role", "client", *where)
    result = run("revoke", key_id, *where)
    assert result.exit_code == 1
    assert result.output.startswith("baton: there is no key")
    assert len(listed(where)) == 1


def test_a_folder_whose_stack_does_not_run_is_changed_for_its_next_start(tmp_path: Path) -> None:
    folder = ("--data", str(tmp_path))
    key = run("create", "--tenant", "acme", "--role", "client", *folder).output.splitlines()[-1]
    [row] = listed(folder)
    assert row["id"] == hashlib.sha256(key.encode()).hexdigest()[:12]
    assert "refuses" in run("revoke", row["id"], *folder).output
    assert load_or_make_secrets(tmp_path).api_keys == ()


@pytest.mark.parametrize("command", [("list",), ("revoke", "abc")])
def test_without_a_store_there_is_nothing_to_list_or_revoke(
    command: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("UPSTASH_REDIS_REST_URL", raising=False)
    result = run(*command)
    assert result.exit_code == 1
    assert "UPSTASH_REDIS_REST_URL" in result.output
    assert "--data" in result.output


def test_a_store_that_does_not_answer_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "dev.json").write_text(json.dumps({"redis_url": "http://127.0.0.1:9", "redis_token": "x"}))
    result = run("list", "--data", str(tmp_path))
    assert result.exit_code == 1
    assert len(result.output.splitlines()) == 1

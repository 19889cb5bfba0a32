"""`baton keys create`, and keys of payloads."""

import asyncio
import hashlib
import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from baton.settings.settings import read_settings
from baton.store.records.access import AuditEntry
from baton.store.redis.access import AuditLog
from baton.store.redis.agent_memory import RedisModelCache
from baton.store.redis.connection import RedisConnection
from baton_local.cli.main import main
from baton_local.dev.secrets_file import load_or_make_secrets
from tests.contract.store.redis_process import TOKEN, RedisProcess


def create(*arguments: str) -> tuple[int, list[str]]:
    result = CliRunner().invoke(main, ["keys", "create", *arguments])
    return result.exit_code, result.output.splitlines()


@pytest.mark.parametrize("role", ["client", "admin"])
def test_the_key_stands_alone_on_the_last_line(tmp_path: Path, role: str) -> None:
    """So that a script can take it; production needs its digest, and with a data folder the next dev accepts it."""
    code, lines = create("--tenant", "acme", "--role", role, "--data", str(tmp_path))
    assert code == 0
    assert re.fullmatch(rf"bk_{role}_[A-Za-z0-9_-]{{43}}", lines[-1])
    entry = f"{role}:acme:{hashlib.sha256(lines[-1].encode()).hexdigest()}"
    assert entry in load_or_make_secrets(tmp_path).api_keys_setting().split(",")
    assert lines[-1] not in (tmp_path / "secrets.json").read_text()
    assert json.loads((tmp_path / "secrets.json").read_text())["api_keys"] == [entry]
    _, lines = create("--tenant", "acme", "--role", role)
    assert f"  {role}:acme:{hashlib.sha256(lines[-1].encode()).hexdigest()}" in lines


@pytest.mark.parametrize(
    "arguments",
    [("--tenant", "a:b", "--role", "client"), ("--tenant", "acme", "--role", "king"), ("--role", "client"), ()],
)
def test_wrong_use_is_exit_code_2(arguments: tuple[str, ...]) -> None:
    code, lines = create(*arguments)
    assert code == 2
    assert lines[-1].startswith("Error:")


def test_a_damaged_data_folder_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "secrets.json").write_text("{")
    code, lines = create("--tenant", "acme", "--role", "client", "--data", str(tmp_path))
    assert code == 1
    assert len(lines) == 1
    assert lines[0].startswith("baton: ")


def test_a_key_of_payloads_stands_alone_on_the_last_line() -> None:
    made = [
        CliRunner().invoke(main, ["keys", "payload", *more]).output.splitlines()[-1] for more in (["--id", "k1"], [])
    ]
    assert made[0].startswith("k1:")
    assert len({key.partition(":")[2] for key in made}) == 2
    assert read_settings({"PAYLOAD_KEYS": ",".join(made)}).payload_keys == ",".join(made)
    assert CliRunner().invoke(main, ["keys", "payload", "--id", "k 1"]).exit_code == 2


async def kept_in_clear(environment: dict[str, str]) -> None:
    """Two entries of the audit log, and a cached answer."""
    connection = RedisConnection(read_settings(environment))
    for text in ("a", "b"):
        entry = AuditEntry(1, "key", "label", "acme", "act", "", 200, {"body": text})
        await AuditLog(connection, 10).add(entry)
    await RedisModelCache(connection).put("acme", "a" * 64, "an answer", 60)
    await connection.close()


async def logged(environment: dict[str, str]) -> list[dict[str, str]]:
    connection = RedisConnection(read_settings(environment))
    page = await AuditLog(connection, 10).page("", 9)
    await connection.close()
    return [entry.detail for _, entry in page]


def test_ended_jobs_are_resealed_at_a_rate(tmp_path: Path) -> None:
    redis = RedisProcess(tmp_path)
    try:
        environment = {"UPSTASH_REDIS_REST_URL": redis.url, "UPSTASH_REDIS_REST_TOKEN": TOKEN}
        asyncio.run(kept_in_clear(environment))
        key = CliRunner().invoke(main, ["keys", "payload"]).output.splitlines()[-1]
        result = CliRunner().invoke(main, ["keys", "reseal", "--rate", "5"], env={**environment, "PAYLOAD_KEYS": key})
        assert result.output == "0 ended job(s) looked through, 3 text(s) rewritten; 0 still running.\n"
        again = CliRunner().invoke(main, ["keys", "reseal"], env={**environment, "PAYLOAD_KEYS": key})
        assert "0 text(s) rewritten" in again.output
        assert asyncio.run(logged({**environment, "PAYLOAD_KEYS": key})) == [{"body": "b"}, {"body": "a"}]
    finally:
        redis.stop()
    assert CliRunner().invoke(main, ["keys", "reseal"], env={"REDIS_URL": ""}).exit_code == 1

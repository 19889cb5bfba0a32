"""What the commands say where the queue is in the store."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from baton_local.cli.main import main
from baton_local.dev.stack_error import StackError
from tests.contract.store.redis_process import RedisProcess


def said(monkeypatch: pytest.MonkeyPatch, command: str, **variables: str) -> str:
    for name, text in {"QUEUE": "redis", "WORKER_BASE_URL": "http://127.0.0.1:9", **variables}.items():
        monkeypatch.setenv(name, text)
    result = CliRunner().invoke(main, command.split())
    return f"{result.output}{result.exception if isinstance(result.exception, StackError) else ''}"


def test_a_store_that_does_not_answer_is_no_qstash(monkeypatch: pytest.MonkeyPatch) -> None:
    for command in ("doctor --no-probe", "setup", "serve", "keys roll"):
        shown = said(monkeypatch, command, REDIS_URL="redis://127.0.0.1:9/0")
        assert "redis://127.0.0.1:9/0 (ConnectionRefusedError): is it running?" in " ".join(shown.split()), shown
        assert "QSTASH" not in shown


@pytest.mark.parametrize("command", ["serve", "pump"])
def test_what_is_wrong_is_named(monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    assert "UPSTASH_REDIS_REST_URL is not set, nor REDIS_URL: the store" in said(monkeypatch, command)
    assert "'abc' is not a whole number from 0 to 1" in said(monkeypatch, command, PUMPS="abc")
    assert "set QUEUE=redis" in said(monkeypatch, command, PUMPS="1", QUEUE="qstash")


def test_keys_in_the_store_are_rolled_without_a_deploy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    redis = RedisProcess(tmp_path)
    address = redis.over("resp").settings().resp_url
    try:
        shown = said(monkeypatch, "keys roll", REDIS_URL=address, QUEUE_NEXT_SIGNING_KEY="b" * 32)
        assert "Rolled. Each process reads them from the store within a minute" in shown
        assert "sig_" not in shown
        assert "swap them" in said(monkeypatch, "keys roll", REDIS_URL=address, QUEUE_SIGNING_KEY="a" * 32)
        assert "no pump that runs" in " ".join(said(monkeypatch, "doctor --timeout 1", REDIS_URL=address).split())
    finally:
        redis.stop()
